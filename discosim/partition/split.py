"""What a placement on N nodes means for each row of a table: who holds what, who needs what."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from discosim.graph.layer import Layer
from discosim.graph.table import Bools, Floats, Ints, LayerTable
from discosim.partition.placement import Owners, contiguous, place

READS_AT_ONCE = 1 << 20
Pairs = tuple[Floats, Floats]
"""needed and connected of one row, (N, N) each; see Split."""


@dataclass(frozen=True, eq=False)
class Split:
    """How the rows of a table lie on N nodes: (L,), (N, L), or (N, N, K) for K counted rows.

    peers: nodes among which a row's features are exchanged, itself included; 1 is no exchange.
    own_in, own_out: features of a row's input and output on each node; `replicated` ones on all.
    live_elems: elements of the tensors that each node holds while a row is executed;
    even_live_elems: the same if every feature were divided evenly.
    counted: rows whose exchange is uneven, given pair by pair from the owners.
    needed[i, j]: features of node i that node j reads; connected[i, j]: pairs of such a feature
    and an output of node j; unit_elems: elements that stand for one feature.
    """

    nodes: int
    peers: Floats
    replicated_in: Bools
    replicated_out: Bools
    own_in: Floats
    own_out: Floats
    live_elems: Floats
    even_live_elems: Floats
    counted: Ints
    needed: Floats
    connected: Floats
    unit_elems: Floats


@lru_cache(maxsize=128)
def split(table: LayerTable, nodes: int, whole: bool) -> Split:
    """Return how `table` lies on `nodes` nodes, in contiguous blocks.

    `whole`: the groups of a grouped convolution are never divided; otherwise N divides evenly
    what it can, as the fractional features of `rounding none` do.
    """
    return split_as_placed(table, place(table.network, nodes), nodes, whole)


def split_as_placed(
    table: LayerTable, owners: Mapping[str, Owners], nodes: int, whole: bool
) -> Split:
    """Return the same where `owners` says which node holds each feature of each tensor."""
    tensors, made = table.tensors, slice(1, len(table))
    replicated = np.array([owners[tensor] is None for tensor in tensors])
    entering = [shape[0] for _, shape in table.network.inputs]
    features = np.array([entering[0], *table.out_features[:-1], *entering[1:]])
    owned = np.array(
        [
            np.full(nodes, count) if held is None else np.bincount(held, minlength=nodes)
            for held, count in zip((owners[t] for t in tensors), features, strict=True)
        ],
        dtype=float,
    )
    held_elems = owned / features[:, None] * table.tensor_elems[:, None]
    even_elems = np.where(replicated, 1.0, 1.0 / nodes) * table.tensor_elems

    peers = np.where(table.mixes & ~replicated[table.source], float(nodes), 1.0)
    pairs: dict[int, Pairs] = {}
    unit_elems = np.array(table.positions)
    unit_elems[-1] = 1.0
    for row, layer in enumerate(table.network.layers):
        operands = [owners[tensor] for tensor in table.network.operands(layer.name)]
        first, out = operands[0], owners[layer.name]
        placing = layer.operator.placing
        if placing in ("aligns", "carries", "exchanges"):
            moved = _moved(layer, operands, out, nodes)
            if moved is not None:
                pairs[row], unit_elems[row] = moved
        elif table.mixes[row] and layer.groups > 1 and first is not None and out is not None:
            peers[row] = _even_peers(layer, first, nodes, whole)
            if not peers[row]:
                peers[row] = 1.0
                pairs[row] = _group_pairs(layer, first, out, nodes)
    pairs.update(_gathered(table, held_elems, replicated))

    counted = np.array(sorted(pairs), dtype=np.int64)
    gather = np.zeros((1, nodes))
    return Split(
        nodes=nodes,
        peers=peers,
        replicated_in=replicated[table.source],
        replicated_out=np.append(replicated[made], False),
        own_in=owned[table.source].T,
        own_out=np.concatenate([owned[made], gather]).T,
        live_elems=held_elems.T @ table.alive,
        even_live_elems=even_elems @ table.alive,
        counted=counted,
        needed=_stack([pairs[row][0] for row in counted], nodes),
        connected=_stack([pairs[row][1] for row in counted], nodes),
        unit_elems=unit_elems[counted],
    )


def _stack(matrices: list[Floats], nodes: int) -> Floats:
    return np.stack(matrices, axis=-1) if matrices else np.zeros((nodes, nodes, 0))


def _even_peers(layer: Layer, first: Owners, nodes: int, whole: bool) -> float:
    """P of model.md §1 for a grouped convolution, or 0 where the owners have to be counted."""
    if layer.kind == "depthwise":
        return 1.0
    alike = np.array_equal(first, contiguous(layer.in_features, nodes))  # type: ignore[arg-type]
    if whole or not alike:
        return 0.0
    if layer.groups >= nodes:
        return 1.0
    return 0.0 if nodes % layer.groups else nodes / layer.groups


def _group_pairs(layer: Layer, first: Owners, out: Owners, nodes: int) -> Pairs:
    """Features and connections between each pair of nodes, group by group."""
    inputs, outputs = _per_group(first, layer.groups, nodes), _per_group(out, layer.groups, nodes)
    return inputs.T @ (outputs > 0), inputs.T @ outputs


def _per_group(owners: Owners, groups: int, nodes: int) -> Floats:
    """(G, N): how many features of each group each node owns."""
    assert owners is not None
    counts = np.zeros((groups, nodes))
    np.add.at(counts, (np.arange(len(owners)) * groups // len(owners), owners), 1.0)
    return counts


def _moved(
    layer: Layer, operands: list[Owners], out: Owners, nodes: int
) -> tuple[Pairs, float] | None:
    """What an operator that mixes nothing reads of other nodes, and the elements of one unit.

    The unit is a feature of the operand that has the fewest positions among those that move.
    """
    everything = layer.operator.placing == "exchanges"
    if out is None or not (everything or layer.operator.reads):
        return None
    moves = []
    for number, (shape, owner) in enumerate(zip(layer.in_shapes, operands, strict=True)):
        if owner is None or owner is out:
            continue
        needed = np.zeros((nodes, nodes))
        if everything:
            active = np.bincount(out, minlength=nodes) > 0
            needed += np.outer(np.bincount(owner, minlength=nodes), active)
        else:
            np.add.at(needed, owner, wants(layer, number, out, len(owner), nodes))
        np.fill_diagonal(needed, 0.0)
        if needed.any():
            moves.append((float(prod(shape[1:])), needed))
    if not moves:
        return None
    unit = min(positions for positions, _ in moves)
    total = np.sum([needed * (positions / unit) for positions, needed in moves], axis=0)
    return (total, np.zeros_like(total)), unit


def wants(layer: Layer, operand: int, out: NDArray[np.int64], features: int, nodes: int) -> Floats:
    """Return (F, N): 1 where a node's part of the output needs a feature of an operand."""
    reads = layer.operator.reads
    assert reads is not None
    wanted = np.zeros((features, nodes))
    width = reads(layer, operand, np.arange(1)).size
    block = max(1, READS_AT_ONCE // width)
    for begin in range(0, len(out), block):
        made = np.arange(begin, min(begin + block, len(out)))
        wanted[reads(layer, operand, made), out[made, None]] = 1.0
    return wanted


def _gathered(table: LayerTable, held_elems: Floats, replicated: Bools) -> dict[int, Pairs]:
    """The output's elements on their way to node 0; what is replicated is there already."""
    nodes = held_elems.shape[1]
    needed = np.zeros((nodes, nodes))
    sinks = [t for t in table.outputs if not replicated[t]]
    needed[1:, 0] = held_elems[sinks, 1:].sum(0)
    return {len(table) - 1: (needed, np.zeros_like(needed))} if needed.any() else {}
