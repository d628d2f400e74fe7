"""Which features live together on a node: a free choice that the paper leaves to their order.

Permuting features among the nodes, consistently along skip connections and with as many on each
node as before, keeps more L1 norm at the same S_comm. This is balanced graph partitioning: each
pool of interchangeable features in turn is reassigned by swaps, while all else stays.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.masks.mask import Bools, Ints
from discosim.masks.select import Knob, check_heads, layer_s_comm, pruned_count
from discosim.masks.sub_rows import Floats, Weight, masked_layers, prunable, weight_of
from discosim.masks.ties import Ties, find_ties, follows
from discosim.partition.placement import Owners, place

MOST_ROUNDS = 20
LEAST_GAIN = 1e-4
"""Of the L1 norm of all weights, in a round over all pools: less ends the search."""


@dataclass(frozen=True, eq=False)
class Coupling:
    """A layer that connects placed features.

    size: |W| summed over the kernel, (O, I); inputs, outputs: the set of each feature, -1 for
    those that stay, and in_blocks, out_blocks, where those are.
    """

    layer: Layer
    size: Floats
    inputs: Ints
    outputs: Ints
    in_blocks: Ints
    out_blocks: Ints
    s_comm: float


@dataclass(frozen=True, eq=False)
class Kept:
    """What a layer keeps: norms of the sub-rows and which are kept, (N, I).

    bound: the least norm of those kept off the diagonal; infinite where there is none.
    """

    norms: Floats
    kept: Bools
    bound: float

    @property
    def retained(self) -> float:
        """The L1 norm that is kept."""
        return float(self.norms[self.kept].sum())


def search_placement(
    network: Network,
    nodes: int,
    s_comm: Knob,
    weights: Mapping[str, Weight],
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Owners]:
    """Return owners of every tensor that keep more of the weights' L1 norm at `s_comm`.

    Never less than contiguous blocks keep, where a layer's sub-rows compete with each other; each
    node has as many features of each tensor as there. `progress` is called with the steps done
    and the most that there may be. Raises DiscosimError for what cannot be.
    """
    check_heads(network, nodes)
    blocks, ties = place(network, nodes), find_ties(network)
    couplings = _couplings(network, s_comm, weights, ties, blocks)
    node = _begin(network, ties, blocks)
    now = [_keep(each, node, _norms(each, node, nodes)) for each in couplings]
    least = LEAST_GAIN * sum(float(each.size.sum()) for each in couplings)
    for number in range(MOST_ROUNDS):
        before = _retained(now)
        for step, pool in enumerate(ties.pools, start=1):
            node, now = _reassigned(pool, node, now, couplings, nodes)
            if progress is not None:
                progress(number * len(ties.pools) + step, MOST_ROUNDS * len(ties.pools))
        if _retained(now) - before <= least:
            break
    if _retained(now) < _retained([_in_blocks(each, node, nodes) for each in couplings]):
        return blocks  # tied features lie apart there, which may keep more
    chosen = {}
    for layer in masked_layers(network):
        members, held = ties.members[layer.name], blocks[layer.name]
        assert members is not None
        assert held is not None
        chosen[layer.name] = _owner(members, node, held)
    return place(network, nodes, chosen)


def _in_blocks(coupling: Coupling, node: Ints, nodes: int) -> Kept:
    """What a layer keeps where all features stay in contiguous blocks."""
    stays = replace(
        coupling,
        inputs=np.full_like(coupling.inputs, -1),
        outputs=np.full_like(coupling.outputs, -1),
    )
    return _keep(stays, node, _norms(stays, node, nodes))


def _retained(now: list[Kept]) -> float:
    return sum(each.retained for each in now)


def _owner(members: Ints, node: Ints, blocks: Ints) -> Ints:
    return np.where(members >= 0, node[members], blocks)


def _begin(network: Network, ties: Ties, blocks: Mapping[str, Owners]) -> Ints:
    """The node of each set in contiguous blocks: where its first layer puts it."""
    node = np.zeros(ties.count, dtype=np.int64)
    for layer in reversed(masked_layers(network)):
        members, held = ties.members[layer.name], blocks[layer.name]
        if members is not None and held is not None:
            node[members[members >= 0]] = held[members >= 0]
    return node


def _couplings(
    network: Network,
    s_comm: Knob,
    weights: Mapping[str, Weight],
    ties: Ties,
    blocks: Mapping[str, Owners],
) -> list[Coupling]:
    found = []
    for layer in masked_layers(network):
        source = network.operands(layer.name)[0]
        inputs, outputs = ties.members[source], ties.members[layer.name]
        in_blocks, out_blocks = blocks[source], blocks[layer.name]
        if in_blocks is None or follows(network, layer, blocks):
            continue
        assert inputs is not None
        assert outputs is not None
        assert out_blocks is not None
        size = _size(layer, weight_of(layer, weights))
        knob = layer_s_comm(s_comm, layer)
        found.append(Coupling(layer, size, inputs, outputs, in_blocks, out_blocks, knob))
    return found


def _size(layer: Layer, weight: Weight) -> Floats:
    """|W| summed over the kernel, (O, I), zero between groups."""
    size: Floats = np.abs(weight).reshape(*weight.shape[:2], -1).sum(-1)
    if layer.groups == 1:
        return size
    whole = np.zeros((layer.groups, layer.out_features // layer.groups, layer.in_features))
    for group, part in enumerate(np.split(size, layer.groups)):
        inputs = part.shape[1]
        whole[group, :, group * inputs : (group + 1) * inputs] = part
    return whole.reshape(layer.out_features, layer.in_features)


def _norms(coupling: Coupling, node: Ints, nodes: int) -> Floats:
    out_owner = _owner(coupling.outputs, node, coupling.out_blocks)
    outputs = out_owner == np.arange(nodes)[:, None]
    norms: Floats = (outputs.astype(coupling.size.dtype) @ coupling.size).astype(np.float64)
    return norms


def _keep(coupling: Coupling, node: Ints, norms: Floats) -> Kept:
    """What the layer keeps where its sub-rows compete with each other."""
    nodes = len(norms)
    in_owner = _owner(coupling.inputs, node, coupling.in_blocks)
    out_owner = _owner(coupling.outputs, node, coupling.out_blocks)
    may = prunable(coupling.layer, in_owner, out_owner, nodes)
    values = norms[may]
    pruned = pruned_count(len(values), coupling.s_comm)
    if pruned == len(values):
        return Kept(norms, ~may, np.inf)
    bound = float(np.partition(values, pruned)[pruned])
    return Kept(norms, ~may | (norms >= bound), bound)


def _reassigned(
    pool: Ints, node: Ints, now: list[Kept], couplings: list[Coupling], nodes: int
) -> tuple[Ints, list[Kept]]:
    """The nodes with the pool's sets where they keep more, if it does."""
    place_in_pool = np.full(len(node) + 1, -1)  # the last stands for features that stay
    place_in_pool[pool] = np.arange(len(pool))
    gain = np.zeros((len(pool), nodes))
    touched: dict[int, bool] = {}  # whether the layer's norms change too
    for index, (coupling, kept) in enumerate(zip(couplings, now, strict=True)):
        read, written = place_in_pool[coupling.inputs], place_in_pool[coupling.outputs]
        if reads := bool((read >= 0).any()):
            _add(gain, read, np.minimum(kept.norms, kept.bound).T)
        if writes := bool((written >= 0).any()):
            _add(gain, written, coupling.size @ kept.kept.T.astype(coupling.size.dtype))
        if reads or writes:
            touched[index] = writes
    moved = node.copy()
    moved[pool] = swapped(gain, node[pool])
    if (moved == node).all():
        return node, now
    after = list(now)
    for index, writes in touched.items():
        coupling = couplings[index]
        norms = _norms(coupling, moved, nodes) if writes else now[index].norms
        after[index] = _keep(coupling, moved, norms)
    better = _retained([after[i] for i in touched]) > _retained([now[i] for i in touched])
    return (moved, after) if better else (node, now)


def _add(gain: Floats, where: Ints, values: Floats) -> None:
    """Add (F, N) values of features to the (C, N) gains of their sets."""
    inside = where >= 0
    for node in range(gain.shape[1]):
        gain[:, node] += np.bincount(
            where[inside], weights=values[inside, node], minlength=len(gain)
        )


def swapped(gain: Floats, owner: Ints) -> Ints:
    """Return owners with as many on each node, from which no swap of two gains more.

    gain is (C, N), what each of C brings on each node. For two nodes this is the best there is.
    """
    owner = owner.copy()
    least = 1e-9 * float(np.abs(gain).max(initial=0.0))
    moving = True
    while moving:
        moving = False
        for one, other in combinations(range(gain.shape[1]), 2):
            here, there = np.flatnonzero(owner == one), np.flatnonzero(owner == other)
            go = gain[here, other] - gain[here, one]
            come = gain[there, one] - gain[there, other]
            here, there = here[np.argsort(-go)], there[np.argsort(-come)]
            pairs = min(len(here), len(there))
            both = np.sort(go)[::-1][:pairs] + np.sort(come)[::-1][:pairs]
            count = int((both > least).sum())
            owner[here[:count]], owner[there[:count]] = other, one
            moving = moving or count > 0
    return owner
