"""Which features are tied together by the graph, and which may change places."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.masks.mask import Ints
from discosim.masks.sub_rows import masked_layers
from discosim.partition.placement import Owners, place


@dataclass(frozen=True, eq=False)
class Ties:
    """Which features have to stay together.

    members: for each tensor the set of each feature, (F,), None where it is replicated; features
    of one set are tied by additions, multiplications, heads or groups, -1 cannot move. pools:
    sets that may change places, since they have as many features as each other in every tensor.
    """

    members: Mapping[str, Ints | None]
    pools: list[Ints]
    count: int


def find_ties(network: Network) -> Ties:
    """Return the sets of features that live together, from the operators' own rules.

    On as many nodes as there are features, `place` gives each head, group or feature that may be
    placed on its own a number of its own.
    """
    most = max(layer.out_features for layer in network.layers)
    apart = place(network, most)
    numbers: dict[str, Ints] = {}
    count = most  # below are the features of replicated tensors, which lie side by side with others
    for layer in masked_layers(network):
        own = apart[layer.name]
        if own is not None and not follows(network, layer, apart):
            numbers[layer.name] = own + count
            count += int(own.max()) + 1
    carried = place(network, most, numbers)
    root = _united(network, carried, count)
    root[root < most] = -1
    members = {t: None if held is None else root[held] for t, held in carried.items()}
    return Ties(members, _pools(members, count), count)


def follows(network: Network, layer: Layer, owners: Mapping[str, Owners]) -> bool:
    """Return whether each output is where the input is that it depends on."""
    return layer.kind == "depthwise" and owners[network.operands(layer.name)[0]] is not None


def _united(network: Network, carried: Mapping[str, Owners], count: int) -> Ints:
    """The smallest number among those tied to each number by the elementwise operators."""
    ties = []
    for layer in network.layers:
        if layer.operator.placing == "aligns":
            operands = [carried[t] for t in network.operands(layer.name)]
            placed = [held for held in operands if held is not None]
            ties += [(placed[0], held) for held in placed[1:]]
    root, before = np.arange(count), np.zeros(count, dtype=np.int64)
    while (root != before).any():
        before = root.copy()
        for left, right in ties:
            one, other = root[left], root[right]
            least = np.minimum(one, other)
            np.minimum.at(root, one, least)
            np.minimum.at(root, other, least)
        root = root[root]
    return root


def _pools(members: Mapping[str, Ints | None], count: int) -> list[Ints]:
    """Sets with as many features in every tensor, told apart by sums of random words."""
    draws = np.random.default_rng(0)
    signature = np.zeros(count, dtype=np.uint64)
    for held in members.values():
        if held is not None:
            word = draws.integers(1, 2**63, dtype=np.uint64)
            signature += word * np.bincount(held[held >= 0], minlength=count).astype(np.uint64)
    sets = np.flatnonzero(signature)
    order = sets[np.argsort(signature[sets], kind="stable")]
    edges = np.flatnonzero(np.diff(signature[order])) + 1
    pools = [pool for pool in np.split(order, edges) if len(pool) > 1]
    return sorted(pools, key=lambda pool: int(pool[0]))
