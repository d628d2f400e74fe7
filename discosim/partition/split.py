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
from discosim.partition.readers import Readers, readers_of

READS_AT_ONCE = 1 << 20
ALWAYS, SERVICE, ONCE = "always", "service", "once"


@dataclass(frozen=True, eq=False)
class CountedRow:
    """The exchange of one row, pair by pair; arrays (N, N) and distinct (N,), see Split.

    when: whether it holds always, only where service is counted, or where tensors are sent once.
    """

    needed: Floats
    connected: Floats
    distinct: Floats
    unit_elems: float
    when: str = ALWAYS


@dataclass(frozen=True, eq=False)
class Split:
    """How the rows of a table lie on N nodes: (L,), (N, L), or (N, N, K) for K counted rows.

    peers: nodes among which a row's features are exchanged, itself included; 1 is no exchange.
    own_in, own_out: features of a row's input and output on each node; `replicated` ones on all.
    live_elems: elements of the tensors that each node holds while a row is executed;
    even_live_elems: the same if every feature were divided evenly.
    counted: rows whose exchange is uneven, given pair by pair from the owners, and when it holds.
    needed[i, j]: features of node i that node j reads; connected[i, j]: pairs of such a feature
    and an output of node j; distinct[i]: features of node i that others read, (N, K);
    unit_elems: elements that stand for one feature.
    readers: of each tensor that several layers read from other nodes.
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
    when: tuple[str, ...]
    needed: Floats
    connected: Floats
    distinct: Floats
    unit_elems: Floats
    readers: tuple[Readers, ...]


@lru_cache(maxsize=1024)
def undivided(table: LayerTable, nodes: int) -> str:
    """Return, in words, the first layer whose heads or groups `nodes` do not share equally.

    "" where there is none. Fewer groups than nodes may be shared evenly, heads may not
    (model.md section 1).
    """
    for layer in table.network.layers:
        grouped = layer.operator.placing == "mixes" and layer.kind != "depthwise"
        if grouped and layer.groups > 1 and layer.groups % nodes and nodes % layer.groups:
            return f"{layer.name} has {layer.groups} groups"
        if (layer.heads > 1 or layer.op == "attention") and layer.heads % nodes:
            return f"{layer.name} has {layer.heads} head{'s' * (layer.heads > 1)}"
    return ""


def divides(table: LayerTable, nodes: int) -> bool:
    """Return whether heads and groups need no node to have more of them than another."""
    return not undivided(table, nodes)


@lru_cache(maxsize=128)
def split(table: LayerTable, nodes: int, whole: bool) -> Split:
    """Return how `table` lies on `nodes` nodes, in contiguous blocks.

    `whole`: the groups of a grouped convolution are never divided; otherwise N divides evenly
    what it can, as the fractional features of `rounding none` do.
    """
    return split_as_placed(table, place(table.network, nodes, shared=not whole), nodes, whole)


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
    counted: dict[int, CountedRow] = {}
    readers = readers_of(table, owners, nodes, whole)
    unlike = {row for each in readers if not each.alike for row in each.rows.tolist()}
    for row, layer in enumerate(table.network.layers):
        operands = [owners[tensor] for tensor in table.network.operands(layer.name)]
        peers[row] = _peers(layer, operands[0], owners[layer.name], peers[row], nodes, whole)
        found = _counted(table, row, operands, owners[layer.name], peers[row], nodes, whole)
        if found is None and row in unlike:
            found = _mixed(layer, operands[0], owners[layer.name], nodes, ONCE)
        if found is not None:
            counted[row] = found
        if not peers[row]:
            peers[row] = 1.0
    counted.update(_gathered(table, held_elems, replicated))

    rows = sorted(counted)
    each = [counted[row] for row in rows]
    gather = np.zeros((1, nodes))
    return Split(
        nodes=nodes,
        peers=peers,
        replicated_in=replicated[table.source],
        replicated_out=np.append(replicated[made], False),
        own_in=owned[table.source].T,
        own_out=np.concatenate([owned[made], gather]).T,
        live_elems=table.held(held_elems.T),
        even_live_elems=table.held(even_elems),
        counted=np.array(rows, dtype=np.int64),
        when=tuple(one.when for one in each),
        needed=_stack([one.needed for one in each], (nodes, nodes)),
        connected=_stack([one.connected for one in each], (nodes, nodes)),
        distinct=_stack([one.distinct for one in each], (nodes,)),
        unit_elems=np.array([one.unit_elems for one in each]),
        readers=readers,
    )


def _peers(
    layer: Layer, first: Owners, out: Owners, peers: float, nodes: int, whole: bool
) -> float:
    """P of model.md section 1, or 0 where the owners have to be counted."""
    if layer.operator.placing != "mixes" or layer.groups == 1 or first is None or out is None:
        return peers
    if layer.kind == "depthwise":
        return 1.0
    alike = np.array_equal(first, contiguous(layer.in_features, nodes))
    if whole or not alike:
        return 0.0
    if layer.groups % nodes == 0:
        return 1.0
    return 0.0 if nodes % layer.groups else nodes / layer.groups


def _counted(
    table: LayerTable,
    row: int,
    operands: list[Owners],
    out: Owners,
    peers: float,
    nodes: int,
    whole: bool,
) -> CountedRow | None:
    """The exchange of a row that has no closed form."""
    layer, first = table.rows[row], operands[0]
    if layer.operator.placing in ("aligns", "carries", "exchanges"):
        moved = _moved(layer, operands, out, nodes)
        if moved is not None:
            return moved
    if layer.operator.row_statistics and first is not None:
        return _of_groups(layer, first, nodes)
    if not whole and peers:
        return None
    if table.mixes[row] and first is not None and layer.kind != "depthwise":
        idle = out is not None and len(np.unique(out)) < nodes
        return _mixed(layer, first, out, nodes, ALWAYS) if idle or not peers else None
    if table.statistics[row] and first is not None and len(np.unique(first)) < nodes:
        has = (np.bincount(first, minlength=nodes) > 0) * table.statistics[row]
        needed = np.outer(has, has > 0)
        return CountedRow(needed, np.zeros_like(needed), has, float(table.positions[row]), SERVICE)
    return None


def _of_groups(layer: Layer, first: Owners, nodes: int) -> CountedRow | None:
    """The scalars of a norm over groups of features that lie on several nodes."""
    needed = layer.operator.row_statistics * shared_groups(layer, first, nodes)
    if not needed.any():
        return None
    return CountedRow(needed, np.zeros_like(needed), needed.max(1), 1.0, SERVICE)


def shared_groups(layer: Layer, owners: Owners, nodes: int) -> Floats:
    """Return how many groups of a layer's features lie on both of two nodes, (N, N)."""
    has = (_per_group(owners, layer.groups, nodes) > 0).astype(float)
    shared: Floats = has.T @ has
    np.fill_diagonal(shared, 0.0)
    return shared


def _mixed(layer: Layer, first: Owners, out: Owners, nodes: int, when: str) -> CountedRow:
    """Features and connections between each pair of nodes, group by group."""
    inputs, outputs = _per_group(first, layer.groups, nodes), _per_group(out, layer.groups, nodes)
    active = (outputs > 0).astype(float)
    elsewhere = (active.sum(1, keepdims=True) - active) > 0
    distinct = (inputs * elsewhere).sum(0)
    positions = float(prod(layer.in_shape[1:]))
    return CountedRow(inputs.T @ active, inputs.T @ outputs, distinct, positions, when)


def _stack(arrays: list[Floats], shape: tuple[int, ...]) -> Floats:
    return np.stack(arrays, axis=-1) if arrays else np.zeros((*shape, 0))


def _per_group(owners: Owners, groups: int, nodes: int) -> Floats:
    """(G, N): how many features of each group each node owns."""
    assert owners is not None
    counts = np.zeros((groups, nodes))
    np.add.at(counts, (np.arange(len(owners)) * groups // len(owners), owners), 1.0)
    return counts


def _moved(layer: Layer, operands: list[Owners], out: Owners, nodes: int) -> CountedRow | None:
    """What an operator that mixes nothing reads of other nodes.

    The unit is a feature of the operand that has the fewest positions among those that move.
    """
    everything = layer.operator.placing == "exchanges"
    if out is None or not (everything or layer.operator.reads):
        return None
    moves = []
    for number, (shape, owner) in enumerate(zip(layer.in_shapes, operands, strict=True)):
        if owner is None or owner is out:
            continue
        if everything:
            active = np.bincount(out, minlength=nodes) > 0
            wanted = np.broadcast_to(active.astype(float), (len(owner), nodes))
        else:
            wanted = wants(layer, number, out, len(owner), nodes)
        wanted = np.where(owner[:, None] == np.arange(nodes), 0.0, wanted)
        if wanted.any():
            needed, distinct = np.zeros((nodes, nodes)), np.zeros(nodes)
            np.add.at(needed, owner, wanted)
            np.add.at(distinct, owner, wanted.any(1).astype(float))
            moves.append((float(prod(shape[1:])), needed, distinct))
    if not moves:
        return None
    unit = min(positions for positions, *_ in moves)
    needed = np.sum([each * (positions / unit) for positions, each, _ in moves], axis=0)
    distinct = np.sum([each * (positions / unit) for positions, _, each in moves], axis=0)
    return CountedRow(needed, np.zeros_like(needed), distinct, unit)


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


def _gathered(table: LayerTable, held_elems: Floats, replicated: Bools) -> dict[int, CountedRow]:
    """The output's elements on their way to node 0; what is replicated is there already."""
    nodes = held_elems.shape[1]
    needed = np.zeros((nodes, nodes))
    sinks = [t for t in table.outputs if not replicated[t]]
    needed[1:, 0] = held_elems[sinks, 1:].sum(0)
    if not needed.any():
        return {}
    return {len(table) - 1: CountedRow(needed, np.zeros_like(needed), needed[:, 0], 1.0, SERVICE)}
