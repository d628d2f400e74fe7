"""How a network lies on nodes when each layer is split in its own way: exact, as index sets.

`lay` goes through the layers in order. Each says what it needs of its operands and how it leaves
its output; what is sent is what nodes need and have not (partition/held.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from discosim.graph.layer import Layer
from discosim.graph.network import INPUT, Network
from discosim.graph.reach import rows_of, through
from discosim.graph.table import Bools, Floats, Ints, LayerTable
from discosim.partition.bounds import even_shares, row_bounds
from discosim.partition.collectives import added, gathered
from discosim.partition.held import (
    Held,
    Need,
    Round,
    all_rows,
    by_features,
    by_rows,
    everywhere,
    exchange,
    in_parts,
    no_rows,
    on_one,
)
from discosim.partition.kinds import Choice, Kind, Rule
from discosim.partition.placement import Owners, contiguous, place, place_output
from discosim.partition.plan import Conventions
from discosim.partition.split import wants
from discosim.partition.uneven import place_by_share

GATHER = "output"
"""The row after the last layer, in which the output goes to node 0."""

Extents = Mapping[str, Ints]
"""Rows that nodes compute of some layers' outputs, (N, 2), where these are more than theirs."""


@dataclass(frozen=True, eq=False)
class Read:
    """How the nodes come by an operand: the rounds before the layer, and what lies there after.

    before, after: what nodes have; needs: what they compute from; keeps: whether what came stays
    until the last reader. missing: elements that each node lacked, (N,).
    """

    tensor: str
    before: Held
    needs: tuple[Need, ...]
    rounds: tuple[Round, ...]
    after: Held
    keeps: bool
    missing: Floats
    needed: Floats


@dataclass(frozen=True, eq=False)
class Part:
    """What becomes of one layer: how it is split, what is sent before it, how its output lies.

    rows: (N, 2), the output rows that each node computes; share: (N,), of the layer's work, with
    all that it needs; at_home: (N,), the part of a node's work for which nothing has to come;
    kept: (N,), the part of its MACs that is left where nothing sparse is sent; weights, biases:
    (N,), shares of the parameters.
    """

    layer: Layer
    choice: Choice
    reads: tuple[Read, ...]
    out: Held
    rows: Ints
    share: Floats
    at_home: Floats
    kept: Floats
    weights: Floats
    biases: Floats


@dataclass(frozen=True, eq=False)
class Laid:
    """A network on nodes: one Part a layer, then the gathering of the output on node 0."""

    table: LayerTable
    nodes: int
    conventions: Conventions
    parts: tuple[Part, ...]
    gathering: tuple[Read, ...]
    owners: Mapping[str, Owners]


def lay(
    table: LayerTable,
    rule: Rule,
    nodes: int,
    conventions: Conventions,
    *,
    collective: str = "direct",
    shares: tuple[float, ...] | None = None,
    extents: Extents | None = None,
) -> Laid:
    """Return how `table` lies on `nodes` nodes when `rule` says how each layer is split."""
    laying = _Laying(table.network, nodes, conventions, collective, shares, extents or {})
    parts = tuple(laying.part(layer, rule) for layer in table.network.layers)
    outputs = [table.network.layers[tensor - 1].name for tensor in table.outputs]
    return Laid(table, nodes, conventions, parts, laying.gathering(outputs), laying.owners)


@lru_cache(maxsize=64)
def _owners(network: Network, nodes: int, shares: tuple[float, ...] | None) -> Mapping[str, Owners]:
    return place(network, nodes) if shares is None else place_by_share(network, shares)


class _Laying:
    """Where the tensors lie that have been made so far."""

    def __init__(
        self,
        network: Network,
        nodes: int,
        conventions: Conventions,
        collective: str,
        shares: tuple[float, ...] | None,
        extents: Extents,
    ) -> None:
        self.network, self.nodes, self.conventions = network, nodes, conventions
        self.collective, self.extents = collective, extents
        self.owners = _owners(network, nodes, shares)
        self.whole = conventions.whole or shares is not None
        self.bounds = row_bounds(network, shares or even_shares(nodes))
        self.state = {INPUT: everywhere(network.input_shape, nodes)}

    def part(self, layer: Layer, rule: Rule) -> Part:
        """Return what becomes of `layer`, and note how its output lies."""
        operands = tuple(self.state[tensor] for tensor in self.network.operands(layer.name))
        choice = self._possible(layer, operands, rule(layer, operands))
        out, rows = self._output(layer, operands, choice)
        needs = [self._needs(layer, k, held, choice, out, rows) for k, held in enumerate(operands)]
        reads = tuple(
            self._read(tensor, need, self._home(layer, tensor, choice, out))
            for tensor, need in zip(self.network.operands(layer.name), needs, strict=True)
        )
        self.state[layer.name] = out
        share, weights, biases = self._shares(layer, operands, choice, out, rows)
        return Part(
            layer=layer,
            choice=choice,
            reads=reads,
            out=out,
            rows=rows,
            share=share,
            at_home=self._at_home(layer, choice, reads, rows),
            kept=self._kept(layer, operands[0], choice),
            weights=weights,
            biases=biases,
        )

    def gathering(self, outputs: list[str]) -> tuple[Read, ...]:
        """Return how the outputs come to node 0; only sums are counted without the service."""
        reads = []
        for tensor in outputs:
            held = self.state[tensor]
            rows = no_rows(self.nodes)
            rows[0] = 0, held.row_count
            needs = (Need(0, held.features, rows),)
            if self.conventions.service or held.layout == "parts":
                reads.append(self._read(tensor, needs, on_one(held.shape, 0, self.nodes)))
        return tuple(reads)

    def _possible(self, layer: Layer, operands: tuple[Held, ...], choice: Choice) -> Choice:
        """The choice, or what a layer that leaves one row of many comes to."""
        if choice.kind is not Kind.ROWS:
            return choice
        reach = layer.operator.reach
        if reach is None:
            return Choice(Kind.WHOLE)
        many = max(rows_of(shape) for shape in layer.in_shapes) > 1
        if rows_of(layer.out_shape) > 1 or not many or layer.op in ("pool", "flatten"):
            return choice
        rows = reach(layer, 0, np.array([0, 1]))
        rows = None if rows is None else through(layer.in_shape, operands[0].shape, rows)
        if rows is None:
            return Choice(Kind.WHOLE)
        bounds = self.bounds[operands[0].row_count]
        holds = np.flatnonzero((bounds[:, 0] <= rows[0]) & (rows[1] <= bounds[:, 1]))
        return Choice(Kind.ONE, int(holds[0])) if len(holds) else Choice(Kind.WHOLE)

    def _output(
        self, layer: Layer, operands: tuple[Held, ...], choice: Choice
    ) -> tuple[Held, Ints]:
        """How the output lies, and the rows of it that each node computes."""
        shape, nodes = layer.out_shape, self.nodes
        every = all_rows(shape, nodes)
        match choice.kind:
            case Kind.WHOLE:
                return everywhere(shape, nodes), every
            case Kind.ONE:
                held = on_one(shape, choice.node, nodes)
                return held, held.rows
            case Kind.INPUTS:
                summands = self._own_inputs(layer, operands[0]).any(1)
                return in_parts(shape, summands), every
            case Kind.OUTPUTS:
                return by_features(shape, self._output_owners(layer, operands), nodes), every
        bounds = self.bounds[rows_of(shape)]
        if rows_of(shape) == 1 and max(map(rows_of, layer.in_shapes)) > 1:
            own = self.bounds[operands[0].row_count]
            if layer.op == "flatten":
                owner = np.repeat(np.arange(nodes), own[:, 1] - own[:, 0])
                row = np.arange(shape[0]) % (shape[0] // layer.in_features)
                return by_features(shape, owner[row // operands[0].row_elems], nodes), every
            return in_parts(shape, own[:, 1] > own[:, 0]), every
        computed = self.extents.get(layer.name, bounds)
        held = by_rows(shape, bounds, computed)
        return replace(held, everywhere=choice.everywhere), computed

    def _output_owners(self, layer: Layer, operands: tuple[Held, ...]) -> Owners:
        """As everything split by outputs would place them, or as the operands really lie."""
        names = self.network.operands(layer.name)
        anew = layer.operator.placing == "mixes" and layer.kind != "depthwise"
        alike = [_alike(h.owners, self.owners[t]) for h, t in zip(operands, names, strict=True)]
        if anew or all(alike):
            usual = self.owners[layer.name]
        else:
            usual = place_output(
                self.network, layer, [held.owners for held in operands], self.nodes
            )
        replicates = layer.operator.placing == "reduces" or all(
            h.layout == "whole" for h in operands
        )
        if usual is not None or (replicates and layer.operator.placing != "mixes"):
            return usual
        units = max(layer.groups, layer.heads)
        units = units if units > 1 else layer.out_features
        return np.repeat(contiguous(units, self.nodes), layer.out_features // units)

    def _own_inputs(self, layer: Layer, held: Held) -> Bools:
        """Input features of each node, (N, F), of a layer split by inputs."""
        owners = held.owners
        if owners is None:
            owners = contiguous(layer.in_features, self.nodes)
        mine: Bools = owners == np.arange(self.nodes)[:, None]
        return mine

    def _needs(
        self, layer: Layer, operand: int, held: Held, choice: Choice, out: Held, rows: Ints
    ) -> tuple[Need, ...]:
        """What nodes need of an operand, in the rows of its tensor."""
        features, every = held.features, all_rows(held.shape, self.nodes)
        low, high = (0, features) if layer.op != "slice" else _sliced(layer)
        plain = features == layer.in_shapes[operand][0]
        match choice.kind:
            case Kind.WHOLE:
                return (Need(low, high, self._reached(layer, operand, held, rows)),)
            case Kind.ONE:
                return (Need(low, high, self._reached(layer, operand, held, rows)),)
            case Kind.INPUTS:
                own = self._own_inputs(layer, held)
                return (Need(0, features, every, own, self._even(features)),)
            case Kind.OUTPUTS:
                return self._for_outputs(layer, operand, held, choice, out)
        if layer.op in ("pool", "flatten") and rows_of(layer.out_shape) == 1 and held.row_count > 1:
            return (Need(0, features, self.bounds[held.row_count]),)
        if choice.everywhere[1] > choice.everywhere[0]:
            return (Need(0, features, every),)
        reached = self._reached(layer, operand, held, rows)
        if layer.op == "attention" and len(layer.in_shapes) == 1 and plain:
            queries = features // 3
            return (Need(0, queries, rows), Need(queries, features, reached))
        return (Need(low, high, reached),)

    def _reached(self, layer: Layer, operand: int, held: Held, rows: Ints) -> Ints:
        reach = layer.operator.reach
        reached = None if reach is None else reach(layer, operand, rows)
        if reached is not None:
            reached = through(layer.in_shapes[operand], held.shape, reached)
        if reached is not None:
            return reached
        some = (rows[:, 1] > rows[:, 0])[:, None]
        return np.where(some, all_rows(held.shape, len(rows)), 0)

    def _even(self, features: int) -> Floats:
        return np.full(self.nodes, features / self.nodes)

    def _for_outputs(
        self, layer: Layer, operand: int, held: Held, choice: Choice, out: Held
    ) -> tuple[Need, ...]:
        features = held.features
        active = np.ones(self.nodes, dtype=bool)
        if out.owners is not None:
            active = np.bincount(out.owners, minlength=self.nodes) > 0
        rows = np.where(active[:, None], all_rows(held.shape, self.nodes), 0)
        placing = layer.operator.placing
        if layer.operator.placing == "mixes" and layer.groups == 1:
            if not choice.sparse:
                return (Need(0, features, rows),)
            own = self._own_inputs(layer, held)
            return (
                Need(0, features, rows, own, self._even(features)),
                Need(0, features, rows, ~own, features - self._even(features), sparse=True),
            )
        if out.owners is None or placing in ("exchanges", "looks-up", "reduces"):
            return (Need(0, features, rows),)
        if features != layer.in_shapes[operand][0]:
            return (Need(0, features, rows),)
        members = _members(layer, operand, out.owners, self.nodes)
        return (Need(0, features, rows, members),)

    def _home(self, layer: Layer, tensor: str, choice: Choice, out: Held) -> Held | None:
        """Where a tensor in parts is added up, so that its reader finds it there."""
        shape = self.state[tensor].shape
        if choice.kind is Kind.ONE:
            return on_one(shape, choice.node, self.nodes)
        if choice.kind is Kind.ROWS and rows_of(shape) > 1:
            return by_rows(shape, self.bounds[rows_of(shape)])
        carries = layer.operator.placing in ("carries", "aligns")
        placed = out.owners is not None and len(out.owners) == shape[0]
        if choice.kind is Kind.OUTPUTS and carries and placed:
            return by_features(shape, out.owners, self.nodes)
        return None

    def _read(self, tensor: str, needs: tuple[Need, ...], home: Held | None) -> Read:
        before, whole = self.state[tensor], self.whole
        rounds: list[Round] = []
        lies = before
        if before.layout == "parts":
            rounds, lies = added(before, home, self.collective, whole)
        first, needed = exchange(lies, needs, whole), _amount(needs, before, whole)
        missing = first.pairs.sum(0) + first.sparse.sum(0)
        if missing.any():
            rounds += gathered(lies, needs, self.collective, whole)
        keeps = before.layout == "parts" or not self.conventions.resend
        after = lies.with_received(needs) if keeps else before
        self.state[tensor] = after
        if before.layout == "parts":
            missing = needed
        return Read(tensor, before, needs, tuple(rounds), after, keeps, missing, needed)

    def _shares(
        self, layer: Layer, operands: tuple[Held, ...], choice: Choice, out: Held, rows: Ints
    ) -> tuple[Floats, Floats, Floats]:
        """Shares (N,) of the work, of the weights and of the biases."""
        ones = np.ones(self.nodes)
        match choice.kind:
            case Kind.WHOLE:
                return ones, ones, ones
            case Kind.ONE:
                mine = (np.arange(self.nodes) == choice.node).astype(float)
                return mine, mine, mine
            case Kind.INPUTS:
                own = self._own_inputs(layer, operands[0]).sum(1) / layer.in_features
                own = own if self.whole else ones / self.nodes
                first = np.arange(self.nodes) == np.argmax(own > 0)
                return own, own, first.astype(float)
            case Kind.OUTPUTS:
                share = out.feature_counts(self.whole) / layer.out_features
                return share, share, share
        if rows_of(layer.out_shape) == 1 and out.layout in ("parts", "features"):
            rows = self.bounds[operands[0].row_count]
            count = operands[0].row_count
        else:
            count = rows_of(layer.out_shape)
        share = (rows[:, 1] - rows[:, 0]) / count
        low, high = choice.everywhere
        beside = (high - low) / layer.out_features
        share = share * (1 - beside) + beside
        some = (share > 0).astype(float)
        return share, some, some

    def _at_home(self, layer: Layer, choice: Choice, reads: tuple[Read, ...], rows: Ints) -> Floats:
        """The part of each node's work for which it has all operands without an exchange."""
        lacks = np.any([read.missing > 0 for read in reads], axis=0)
        if not lacks.any():
            return np.ones(self.nodes)
        if choice.kind is Kind.ROWS and choice.everywhere == (0, 0):
            return np.where(lacks, self._rows_at_home(layer, reads, rows), 1.0)
        read = reads[0]
        if layer.operator.placing != "mixes" or read.before.layout == "parts":
            return (~lacks).astype(float)
        had = 1.0 - np.divide(
            read.missing, read.needed, out=np.zeros(self.nodes), where=read.needed > 0
        )
        return np.where(lacks, had, 1.0)

    def _rows_at_home(self, layer: Layer, reads: tuple[Read, ...], rows: Ints) -> Floats:
        """The part of the rows that a node computes whose windows lie in what it has."""
        count = rows_of(layer.out_shape)
        each = np.stack([np.arange(count), np.arange(1, count + 1)], axis=-1)
        home = (rows[:, :1] <= each[:, 0]) & (each[:, 0] < rows[:, 1:])
        total = np.maximum(1, home.sum(1))
        for operand, read in enumerate(reads):
            held = read.before
            if not read.missing.any():
                continue
            if held.layout == "parts" or held.owners is not None:
                home &= ~(read.missing > 0)[:, None]
                continue
            reached = self._reached(layer, operand, held, each)
            inside = (held.held[:, :1] <= reached[:, 0]) & (reached[:, 1] <= held.held[:, 1:])
            home &= inside
        return home.sum(1) / total

    def _kept(self, layer: Layer, held: Held, choice: Choice) -> Floats:
        """The part of a node's MACs that does not hang on what S_comm leaves out."""
        if not choice.sparse or choice.kind is not Kind.OUTPUTS or layer.groups > 1:
            return np.ones(self.nodes)
        if held.layout == "whole":
            return np.ones(self.nodes)
        own = self._own_inputs(layer, held).sum(1) / layer.in_features
        return own if self.whole else np.full(self.nodes, 1.0 / self.nodes)


def _sliced(layer: Layer) -> tuple[int, int]:
    return layer.start, layer.start + layer.out_features


def _amount(needs: tuple[Need, ...], held: Held, whole: bool) -> Floats:
    """Elements that each node needs, those it has included, (N,)."""
    total = np.zeros(held.nodes)
    for need in needs:
        features = np.full(held.nodes, float(need.high - need.low))
        if need.members is not None:
            even = need.counts is not None and not whole
            features = need.counts if even else need.members.sum(1).astype(float)  # type: ignore[assignment]
        total += features * (need.rows[:, 1] - need.rows[:, 0]) * held.row_elems
    return total


def _members(layer: Layer, operand: int, owners: Ints, nodes: int) -> Bools:
    """Features of an operand that each node's outputs depend on, (N, F)."""
    features = layer.in_shapes[operand][0]
    if layer.operator.placing == "mixes":
        group = np.arange(layer.out_features) * layer.groups // layer.out_features
        used = np.zeros((nodes, layer.groups), dtype=bool)
        used[owners, group] = True
        return used[:, np.arange(features) * layer.groups // features]
    if layer.op == "attention" and len(layer.in_shapes) == 1:
        mine = owners == np.arange(nodes)[:, None]
        return np.tile(mine, (1, features // layer.out_features))
    if layer.operator.placing == "joins":
        start = sum(shape[0] for shape in layer.in_shapes[:operand])
        return owners[start : start + features] == np.arange(nodes)[:, None]
    if layer.operator.reads is None:
        members = np.zeros((nodes, features), dtype=bool)
        members[owners, layer.operator.carry(layer, np.arange(layer.out_features))] = True
        return members
    return wants(layer, operand, owners, features, nodes).T > 0


def _alike(one: Owners, other: Owners) -> bool:
    if one is None or other is None:
        return one is other
    return one is other or np.array_equal(one, other)
