"""What a placement on N nodes means for each row of a table: who holds what, who needs what."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np

from discosim.graph.builder import INPUT
from discosim.graph.layer import Layer
from discosim.graph.placement import Owners, contiguous, place
from discosim.graph.table import Bools, Floats, Ints, LayerTable

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


@lru_cache(maxsize=32)
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
    tensors = [INPUT, *(layer.name for layer in table.network.layers)]
    replicated = np.array([owners[tensor] is None for tensor in tensors])
    features = np.array([table.network.input_shape[0], *table.out_features[:-1]])
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
    for row, layer in enumerate(table.network.layers):
        operands = [owners[tensor] for tensor in table.network.operands(layer.name)]
        first, out = operands[0], owners[layer.name]
        if layer.operator.placing == "aligns":
            pairs.update(_moved(row, operands, nodes))
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
        replicated_out=np.append(replicated[1:], False),
        own_in=owned[table.source].T,
        own_out=np.concatenate([owned[1:], gather]).T,
        live_elems=held_elems.T @ table.alive,
        even_live_elems=even_elems @ table.alive,
        counted=counted,
        needed=_stack([pairs[row][0] for row in counted], nodes),
        connected=_stack([pairs[row][1] for row in counted], nodes),
        unit_elems=np.array([_unit_elems(table.rows[row]) for row in counted], dtype=float),
    )


def _stack(matrices: list[Floats], nodes: int) -> Floats:
    return np.stack(matrices, axis=-1) if matrices else np.zeros((nodes, nodes, 0))


def _unit_elems(layer: Layer) -> int:
    """Elements of a feature that is sent before a row: it is the last operand that moves."""
    return 1 if layer.op == "gather" else prod(layer.in_shapes[-1][1:])


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


def _moved(row: int, operands: list[Owners], nodes: int) -> dict[int, Pairs]:
    """Features of the later operands that lie elsewhere than those of the first placed one."""
    placed = [operand for operand in operands if operand is not None]
    needed = np.zeros((nodes, nodes))
    for operand in placed[1:]:
        np.add.at(needed, (operand, placed[0]), 1.0)
    np.fill_diagonal(needed, 0.0)
    return {row: (needed, np.zeros_like(needed))} if needed.any() else {}


def _gathered(table: LayerTable, held_elems: Floats, replicated: Bools) -> dict[int, Pairs]:
    """The output's elements on their way to node 0; what is replicated is there already."""
    nodes = held_elems.shape[1]
    needed = np.zeros((nodes, nodes))
    sinks = [t for t in table.outputs if not replicated[t]]
    needed[1:, 0] = held_elems[sinks, 1:].sum(0)
    return {len(table) - 1: (needed, np.zeros_like(needed))} if needed.any() else {}
