"""Layers of one row that rows grow out of again: squeeze-excite factors, pooled features."""

from functools import lru_cache

from discosim.graph.network import Network
from discosim.graph.reach import rows_of


@lru_cache(maxsize=64)
def spread_layers(network: Network) -> frozenset[str]:
    """Return the layers of one row whose outputs become, through others of one row, part of more.

    Every node needs their outputs, so that it is as well to compute them there.
    """
    found: set[str] = set()
    for layer in reversed(network.layers):
        if rows_of(layer.out_shape) > 1:
            continue
        readers = [
            network.graph.nodes[name]["layer"] for name in network.graph.successors(layer.name)
        ]
        if any(rows_of(reader.out_shape) > 1 or reader.name in found for reader in readers):
            found.add(layer.name)
    return frozenset(found)
