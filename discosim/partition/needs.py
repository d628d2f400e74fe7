"""What each kind of split needs of its operands, and how it leaves its output (model.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod

import numpy as np

from discosim.graph.carry import is_fused
from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.graph.reach import read_at_all, rows_of, through
from discosim.graph.table import Bools, Ints
from discosim.partition.held import (
    Held,
    Need,
    ReadAtAll,
    all_rows,
    by_features,
    by_rows,
    everywhere,
    in_parts,
    on_one,
)
from discosim.partition.kinds import Choice, Kind
from discosim.partition.placement import Owners, contiguous, place_output
from discosim.partition.split import wants

Extents = Mapping[str, Ints]
"""Rows that nodes compute of some layers' outputs, (N, 2), where these are more than theirs."""

Named = Mapping[str, Bools]
"""Features of their operand that nodes compute some layers from, (N, F), where a mask says so."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """N nodes, and how they divide a network's tensors where nothing else is said.

    whole: features are not divided; owners: of each tensor's features, as splits by outputs place
    them; bounds: rows of each node, by the number of rows; extents, named: see there; apart:
    whether each reader of a tensor is sent what it reads for itself. alike: a number of each layer,
    the same of those that are split alike where their operands lie alike.
    """

    network: Network
    nodes: int
    whole: bool
    owners: Mapping[str, Owners]
    bounds: Mapping[int, Ints]
    extents: Extents
    apart: bool
    alike: Mapping[str, int]
    named: Named = field(default_factory=dict)

    @cached_property
    def sent(self) -> Named:
        """What comes before layers with named features: of a tensor that is sent once, for all."""
        if self.apart:
            return self.named
        of_tensor: dict[str, Bools] = {}
        for layer, features in self.named.items():
            tensor = self.network.operands(layer)[0]
            of_tensor[tensor] = features | of_tensor.get(tensor, False)
        return {layer: of_tensor[self.network.operands(layer)[0]] for layer in self.named}


def possible(on: Nodes, layer: Layer, operands: tuple[Held, ...], choice: Choice) -> Choice:
    """The choice, or what a layer that leaves one row of many comes to."""
    if choice.kind is not Kind.ROWS:
        return choice
    reach = layer.operator.reach
    if reach is None:
        return Choice(Kind.WHOLE)
    many = max(rows_of(shape) for shape in layer.in_shapes) > 1
    parts = layer.op == "flatten" or (layer.op == "pool" and layer.function != "max")
    if rows_of(layer.out_shape) > 1 or not many or parts:
        return choice
    rows = reach(layer, 0, np.array([0, 1]))
    rows = None if rows is None else through(layer.in_shape, operands[0].shape, rows)
    if rows is None:
        return Choice(Kind.WHOLE)
    bounds = own_rows(on, operands[0])
    holds = np.flatnonzero((bounds[:, 0] <= rows[0]) & (rows[1] <= bounds[:, 1]))
    return Choice(Kind.ONE, int(holds[0])) if len(holds) else Choice(Kind.WHOLE)


def output(
    on: Nodes, layer: Layer, operands: tuple[Held, ...], choice: Choice
) -> tuple[Held, Ints]:
    """How the output lies, and the rows of it that each node computes."""
    shape, nodes = layer.out_shape, on.nodes
    every = all_rows(shape, nodes)
    match choice.kind:
        case Kind.WHOLE:
            return everywhere(shape, nodes), every
        case Kind.ONE:
            held = on_one(shape, choice.node, nodes)
            return held, held.rows
        case Kind.INPUTS:
            adds = np.asarray(own_inputs(on, layer, operands[0]).any(axis=1))
            return in_parts(shape, adds, sparse=choice.sparse, s_comm=choice.s_comm), every
        case Kind.OUTPUTS:
            return by_features(shape, _output_owners(on, layer, operands), nodes), every
    bounds = on.bounds[rows_of(shape)]
    if rows_of(shape) == 1 and max(map(rows_of, layer.in_shapes)) > 1:
        own = own_rows(on, operands[0])
        if layer.op == "flatten":
            owner = np.repeat(np.arange(nodes), own[:, 1] - own[:, 0])
            row = np.arange(shape[0]) % (shape[0] // layer.in_features)
            return by_features(shape, owner[row // operands[0].row_elems], nodes), every
        return in_parts(shape, own[:, 1] > own[:, 0]), every
    computed = on.extents.get(layer.name, bounds)
    if choice.rows:
        computed = np.array(choice.rows)
        bounds = answered_for(bounds, computed)
    held = by_rows(shape, bounds, computed)
    return replace(held, everywhere=choice.everywhere), computed


def own_rows(on: Nodes, held: Held) -> Ints:
    """Return the rows that each node answers for where a tensor lies by rows, or would."""
    return held.rows if held.layout == "rows" else on.bounds[held.row_count]


def answered_for(bounds: Ints, computed: Ints) -> Ints:
    """Return the rows of each node, apart: `bounds` where it computes these, else the nearest.

    computed: (N, 2), which cover all rows, in the order of the nodes.
    """
    some = computed[:, 1] > computed[:, 0]
    own = np.zeros_like(computed)
    nodes = np.flatnonzero(some)
    if len(nodes):
        first, last = nodes[:-1], nodes[1:]
        between = np.maximum(bounds[last, 0], computed[last, 0])
        between = np.minimum(between, computed[first, 1])
        own[nodes, 0] = [computed[nodes[0], 0], *between]
        own[nodes, 1] = [*between, computed[nodes[-1], 1]]
    return own


def _output_owners(on: Nodes, layer: Layer, operands: tuple[Held, ...]) -> Owners:
    """As everything split by outputs would place them, or as the operands really lie."""
    names = on.network.operands(layer.name)
    anew = layer.operator.placing == "mixes" and layer.kind != "depthwise"
    alike = [_alike(h.owners, on.owners[t]) for h, t in zip(operands, names, strict=True)]
    if anew or all(alike):
        usual = on.owners[layer.name]
    else:
        lying = [  # what has to be moved anyway goes where it would have lain
            on.owners[t] if h.owners is None and h.layout != "whole" else h.owners
            for h, t in zip(operands, names, strict=True)
        ]
        usual = place_output(on.network, layer, lying, on.nodes)
    replicates = layer.operator.placing == "reduces" or all(h.layout == "whole" for h in operands)
    if usual is not None or (replicates and layer.operator.placing != "mixes"):
        return usual
    units = max(layer.groups, layer.heads)
    units = units if units > 1 else layer.out_features
    return np.repeat(contiguous(units, on.nodes), layer.out_features // units)


def own_inputs(on: Nodes, layer: Layer, held: Held) -> Bools:
    """Input features of each node, (N, F), of a layer split by inputs."""
    owners = held.owners
    if owners is None:
        owners = contiguous(layer.in_features, on.nodes)
    mine: Bools = owners == np.arange(on.nodes)[:, None]
    return mine


def needs_of(
    on: Nodes, layer: Layer, operand: int, held: Held, choice: Choice, out: Held, rows: Ints
) -> tuple[Need, ...]:
    """What nodes need of an operand, in the rows of its tensor.

    rows: (N, 2), or (..., N, 2) where `need_windows`.
    """
    features, every = held.features, all_rows(held.shape, on.nodes)
    if need_windows(layer, held, choice):
        low, high = (0, features) if layer.op != "slice" else _sliced(layer)
        return (Need(low, high, reached(layer, operand, held, rows)),)
    match choice.kind:
        case Kind.INPUTS:
            own = own_inputs(on, layer, held)
            return (Need(0, features, every, own, np.full(on.nodes, features / on.nodes)),)
        case Kind.OUTPUTS:
            return _for_outputs(on, layer, operand, held, choice, out)
    if layer.op in ("pool", "flatten") and rows_of(layer.out_shape) == 1 and held.row_count > 1:
        return (Need(0, features, own_rows(on, held)),)
    if choice.everywhere[1] > choice.everywhere[0]:
        return (Need(0, features, every),)
    queries = features // 3
    window = reached(layer, operand, held, rows)
    return (Need(0, queries, rows), Need(queries, features, window))


def need_windows(layer: Layer, held: Held, choice: Choice) -> bool:
    """Return whether nodes need just the rows of an operand that their rows of the output reach."""
    if choice.kind in (Kind.WHOLE, Kind.ONE):
        return True
    leaves_parts = layer.op in ("pool", "flatten") and rows_of(layer.out_shape) == 1
    if not choice.plain_rows or (leaves_parts and held.row_count > 1):
        return False
    return not (layer.op == "attention" and is_fused(layer) and held.features == layer.in_shape[0])


def reached(layer: Layer, operand: int, held: Held, rows: Ints) -> Ints:
    """Return the rows of an operand that output rows (..., 2) come from; all if nobody knows."""
    reach = layer.operator.reach
    found = None if reach is None else reach(layer, operand, rows)
    if found is not None:
        found = through(layer.in_shapes[operand], held.shape, found)
    if found is not None:
        return found
    some = (rows[..., 1] > rows[..., 0])[..., None]
    return np.where(some, [0, held.row_count], 0)


def rows_read(network: Network, name: str, computed: Mapping[str, Bools]) -> Bools:
    """Return which rows of a layer's output some layer reads, or are wanted of the network.

    computed: the rows of other layers that any node computes, where these are not all.
    """
    shape = network.graph.nodes[name]["layer"].out_shape
    read = np.full(rows_of(shape), name in network.outputs)
    for reader in network.graph.successors(name):
        layer: Layer = network.graph.nodes[reader]["layer"]
        count = np.arange(rows_of(layer.out_shape))
        each = np.stack([count, count + 1], axis=-1)[computed.get(reader, slice(None))]
        for operand, tensor in enumerate(network.operands(reader)):
            if tensor == name:
                for first, last in reached(layer, operand, everywhere(shape, 1), each).tolist():
                    read[first:last] = True
    return read


def _for_outputs(
    on: Nodes, layer: Layer, operand: int, held: Held, choice: Choice, out: Held
) -> tuple[Need, ...]:
    features = held.features
    active = np.ones(on.nodes, dtype=bool)
    if out.owners is not None and on.whole:
        active = np.bincount(out.owners, minlength=on.nodes) > 0
    rows = np.where(active[:, None], all_rows(held.shape, on.nodes), 0)
    if layer.name in on.sent:
        return (Need(0, features, rows, on.sent[layer.name], named=True),)
    placing, plain = layer.operator.placing, layer.groups == 1
    unknown = out.owners is None or placing in ("exchanges", "looks-up", "reduces")
    members = None
    if not (unknown or features != layer.in_shapes[operand][0] or (placing == "mixes" and plain)):
        members = members_of(layer, operand, np.asarray(out.owners), on.nodes)
    read = _read_of(layer, held) if on.apart else None
    if not choice.sparse or placing != "mixes":
        return (Need(0, features, rows, members, read=read),)
    own, even = own_inputs(on, layer, held), np.full(on.nodes, features / on.nodes)
    if members is None:
        remote = Need(0, features, rows, ~own, features - even, sparse=True, read=read)
        return Need(0, features, rows, own, even, read=read), remote
    remote = Need(0, features, rows, ~own & members, sparse=True, read=read)
    return Need(0, features, rows, own & members, read=read), remote


def _read_of(layer: Layer, held: Held) -> ReadAtAll | None:
    """What a layer's stride leaves of a tensor that lies by rows or on one node.

    Of one by features it is counted whole, as the paper counts its own exchanges.
    """
    if held.layout not in ("rows", "one") or layer.in_shape != held.shape:
        return None
    rows, *others = read_at_all(layer) or (np.ones(1, dtype=bool),)
    if rows.all() and all(each.all() for each in others):
        return None
    return ReadAtAll(rows, prod(int(each.sum()) for each in others))


def _sliced(layer: Layer) -> tuple[int, int]:
    return layer.start, layer.start + layer.out_features


def members_of(layer: Layer, operand: int, owners: Ints, nodes: int) -> Bools:
    """Return the features of an operand that each node's outputs depend on, (N, F)."""
    features = layer.in_shapes[operand][0]
    if layer.operator.placing == "mixes":
        group = np.arange(layer.out_features) * layer.groups // layer.out_features
        used = np.zeros((nodes, layer.groups), dtype=bool)
        used[owners, group] = True
        members: Bools = used[:, np.arange(features) * layer.groups // features]
        return members
    if layer.op == "attention" and is_fused(layer) and not operand:
        mine = owners == np.arange(nodes)[:, None]
        return np.tile(mine, (1, features // layer.out_features))
    if layer.operator.placing == "joins":
        start = sum(shape[0] for shape in layer.in_shapes[:operand])
        joined: Bools = owners[start : start + features] == np.arange(nodes)[:, None]
        return joined
    if layer.operator.reads is None:
        members = np.zeros((nodes, features), dtype=bool)
        members[owners, layer.operator.carry(layer, np.arange(layer.out_features))] = True
        return members
    needed: Bools = wants(layer, operand, owners, features, nodes).T > 0
    return needed


def _alike(one: Owners, other: Owners) -> bool:
    if one is None or other is None:
        return one is other
    return one is other or np.array_equal(one, other)
