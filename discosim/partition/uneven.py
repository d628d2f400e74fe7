"""Uneven shares: nodes that hold unequally many features, as unlike nodes should.

Blocks stay contiguous and whole (`rounding exact`): groups and heads are not divided.
"""

from functools import lru_cache

import numpy as np

from discosim.graph.network import Network
from discosim.graph.table import Ints, LayerTable
from discosim.partition.placement import Owners, place
from discosim.partition.split import Split, split_as_placed


def blocks_of(units: int, shares: tuple[float, ...]) -> Ints:
    """Return the node of each of `units` units, contiguous, as near to `shares` as whole ones go.

    What rounding leaves goes to the largest remainders, of equal ones to the first node.
    """
    wanted = units * np.array(shares) / sum(shares)
    sizes = np.floor(wanted + 1e-9)
    left = units - int(sizes.sum())
    sizes[np.argsort(sizes - wanted, kind="stable")[:left]] += 1
    return np.repeat(np.arange(len(shares)), sizes.astype(int))


def place_by_share(network: Network, shares: tuple[float, ...]) -> dict[str, Owners]:
    """Return the owners of every tensor's features where node r holds `shares[r]` of them."""
    finest = _units(network)
    chosen: dict[str, Ints] = {}
    for layer in network.layers:
        units = finest[layer.name]
        carried = layer.kind == "depthwise" and finest[network.operands(layer.name)[0]] is not None
        if layer.operator.placing == "mixes" and not carried and units is not None:
            chosen[layer.name] = blocks_of(int(units.max()) + 1, shares)[units]
    return place(network, len(shares), chosen)


@lru_cache(maxsize=8)
def _units(network: Network) -> dict[str, Owners]:
    """The number of the unit of every feature: its owner on more nodes than there are features."""
    return place(network, max(layer.out_features for layer in network.layers))


@lru_cache(maxsize=64)
def split_by_share(table: LayerTable, shares: tuple[float, ...]) -> Split:
    """Return how `table` lies on nodes that hold `shares` of every tensor."""
    return split_as_placed(table, place_by_share(table.network, shares), len(shares), whole=True)
