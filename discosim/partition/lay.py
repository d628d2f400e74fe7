"""How a network lies on nodes when each layer is split in its own way: exact, as index sets.

`lay` goes through the layers in order. Each says what it needs of its operands and how it leaves
its output; what is sent is what nodes need and have not (partition/held.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.graph.reach import rows_of
from discosim.graph.table import Bools, Floats, Ints, LayerTable
from discosim.partition.bounds import even_shares, row_bounds
from discosim.partition.collectives import Collective, added, gathered
from discosim.partition.effort import at_home, kept, shares_of, statistics_of
from discosim.partition.held import (
    Held,
    Need,
    by_features,
    by_rows,
    everywhere,
    on_one,
)
from discosim.partition.kinds import Choice, Kind, Rule
from discosim.partition.messages import Round, exchange
from discosim.partition.needs import (
    Extents,
    Named,
    Nodes,
    needs_of,
    output,
    possible,
)
from discosim.partition.placement import Owners, parts_of, place
from discosim.partition.plan import Conventions
from discosim.partition.split import divides
from discosim.partition.uneven import place_by_share
from discosim.partition.worth import Worth

GATHER = "output"
"""The row after the last layer, in which the output goes to node 0."""

Handed = Mapping[str, tuple[str, ...]]
"""Tensors that go to the node of a layer on one node, by the layer."""

MOST_KNOWN = 20_000
"""Layers of a network that are kept as they were laid, for the next plans."""


@dataclass(frozen=True, eq=False)
class Read:
    """How the nodes come by an operand: the rounds before the layer, and what lies there after.

    before, after: what nodes have; needs: what they compute from; keeps: whether what came stays
    until the last reader. missing: elements that each node lacked, (N,). added: (F,), the features
    of a sum that are added up where not all are, the others stay each node's own summand.
    """

    tensor: str
    before: Held
    needs: tuple[Need, ...]
    rounds: tuple[Round, ...]
    after: Held
    keeps: bool
    missing: Floats
    needed: Floats
    added: Bools | None = None

    def of(self, tensor: str) -> "Read":
        """Return the same of another tensor."""
        return Read(
            tensor, self.before, self.needs, self.rounds, self.after, self.keeps, self.missing,
            self.needed, self.added,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Part:
    """What becomes of one layer: how it is split, what is sent before it, how its output lies.

    rows: (N, 2), the output rows that each node computes; share: (N,), of the layer's work, with
    all that it needs; at_home: (N,), the part of a node's work for which nothing has to come;
    kept: (N,), the part of its MACs that is left where nothing sparse is sent; weights, biases:
    (N,), shares of the parameters; statistics: scalars that nodes send each other to normalise
    over what lies on several of them. handed: tensors that go to its node with what it reads, for
    later layers (partition/handed.py).
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
    statistics: Round | None
    handed: tuple[Read, ...] = ()

    @property
    def sent(self) -> tuple[Read, ...]:
        """What is sent before the layer, for it and for later ones."""
        return (*self.reads, *self.handed)

    def of(self, layer: Layer, tensors: list[str]) -> "Part":
        """Return the same of a layer that is like this one and reads `tensors`."""
        reads = tuple(read.of(tensor) for read, tensor in zip(self.reads, tensors, strict=True))
        return Part(
            layer, self.choice, reads, self.out, self.rows, self.share, self.at_home, self.kept,
            self.weights, self.biases, self.statistics,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Laid:
    """A network on nodes: one Part a layer, then the gathering of the output on node 0.

    whole: whether features are, under these conventions or because heads or groups do not divide.
    shares: of unlike nodes; worth: by which layers are joined into groups, None where they are not;
    named: the features of its operand that each node computes a layer from, where a mask says so;
    handed: by layer, the tensors that go to its node for later ones.
    """

    table: LayerTable
    nodes: int
    conventions: Conventions
    whole: bool
    parts: tuple[Part, ...]
    gathering: tuple[Read, ...]
    owners: Mapping[str, Owners]
    rule: Rule
    collective: Collective
    shares: tuple[float, ...] | None
    worth: Worth | None
    named: Named = field(default_factory=dict)
    handed: Handed = field(default_factory=dict)


def lay(
    table: LayerTable,
    rule: Rule,
    nodes: int,
    conventions: Conventions,
    *,
    collective: Collective = Collective.DIRECT,
    shares: tuple[float, ...] | None = None,
    extents: Extents | None = None,
    worth: Worth | None = None,
    named: Named | None = None,
    handed: Handed | None = None,
) -> Laid:
    """Return how `table` lies on `nodes` nodes when `rule` says how each layer is split."""
    on = nodes_for(table, nodes, conventions, shares=shares, extents=extents, named=named)
    known = _known(table.network, nodes, conventions, collective, shares)
    laying = _Laying(on, conventions, collective, known)
    laying.enter()
    parts = tuple(
        laying.part(layer, rule, (handed or {}).get(layer.name, ()))
        for layer in table.network.layers
    )
    outputs = [table.network.layers[tensor - 1].name for tensor in table.outputs]
    return Laid(
        table=table,
        nodes=nodes,
        conventions=conventions,
        whole=on.whole,
        parts=parts,
        gathering=laying.gathering(outputs),
        owners=on.owners,
        rule=rule,
        collective=collective,
        shares=shares,
        worth=worth,
        named=on.named,
        handed=handed or {},
    )


def again(
    laid: Laid,
    *,
    shares: tuple[float, ...] | None = None,
    extents: Extents | None = None,
    worth: Worth | None = None,
    named: Named | None = None,
    handed: Handed | None = None,
) -> Laid:
    """Return the same network laid by the same rule, with what is given in place of its own.

    Rows that nodes compute besides (extents, and the worth by which they were found) are those that
    are given, if any.
    """
    return lay(
        laid.table,
        laid.rule,
        laid.nodes,
        laid.conventions,
        collective=laid.collective,
        shares=laid.shares if shares is None else shares,
        extents=extents,
        worth=worth,
        named=laid.named if named is None else named,
        handed=laid.handed if handed is None else handed,
    )


def nodes_for(
    table: LayerTable,
    nodes: int,
    conventions: Conventions,
    *,
    shares: tuple[float, ...] | None = None,
    extents: Extents | None = None,
    named: Named | None = None,
) -> Nodes:
    """Return `nodes` nodes, and how they divide the tensors of `table` if nothing else is said."""
    network = table.network
    whole = conventions.whole or shares is not None or not divides(table, nodes)
    owners = _owners(network, nodes, shares)
    bounds = row_bounds(network, shares or even_shares(nodes))
    return Nodes(
        network, nodes, whole, owners, bounds, extents or {}, conventions.resend,
        _alike(network, nodes, shares), named or {},
    )  # fmt: skip


def read_one(
    on: Nodes,
    layer: Layer,
    operand: int,
    held: Held,
    made: tuple[Choice, Held, Ints],
    conventions: Conventions,
    collective: Collective,
) -> Read:
    """Return how the nodes come by one operand of a layer; made: its choice, output and rows."""
    laying = _Laying(on, conventions, collective)
    tensor = on.network.operands(layer.name)[operand]
    laying.state = {tensor: held}
    choice, out, rows = made
    needs = needs_of(on, layer, operand, held, choice, out, rows)
    return laying.read(tensor, needs, laying.home(layer, tensor, choice, out))


def gather_one(
    on: Nodes, name: str, held: Held, conventions: Conventions, collective: Collective
) -> tuple[Read, ...]:
    """Return how the output called `name` comes to node 0 where it lies as `held` says."""
    laying = _Laying(on, conventions, collective)
    laying.state = {name: held}
    return laying.gathering([name])


@lru_cache(maxsize=64)
def _owners(network: Network, nodes: int, shares: tuple[float, ...] | None) -> Mapping[str, Owners]:
    return place(network, nodes) if shares is None else place_by_share(network, shares)


@lru_cache(maxsize=64)
def _alike(network: Network, nodes: int, shares: tuple[float, ...] | None) -> Mapping[str, int]:
    owners = _owners(network, nodes, shares)
    placed = {
        tensor: None if each is None else np.asarray(each).tobytes()
        for tensor, each in owners.items()
    }
    numbers: dict[tuple[object, ...], int] = {}
    found = {}
    for layer in network.layers:
        tensors = network.operands(layer.name)
        key = (
            network.kinds[layer.name],
            parts_of(network, layer),
            tuple(tensors.index(tensor) for tensor in tensors),
            tuple(placed[name] for name in (layer.name, *tensors)),
        )
        found[layer.name] = numbers.setdefault(key, len(numbers))
    return found


@dataclass(frozen=True, eq=False)
class _Known:
    """How tensors lie that were laid before, and layers, each by all that decides it."""

    lying: dict[tuple[object, ...], Held] = field(default_factory=dict)
    parts: dict[tuple[object, ...], Part] = field(default_factory=dict)


@lru_cache(maxsize=16)
def _known(*_: object) -> _Known:
    """What is known of the same network, nodes, conventions, collective and shares."""
    return _Known()


class _Laying:
    """Where the tensors lie that have been made so far."""

    def __init__(
        self,
        on: Nodes,
        conventions: Conventions,
        collective: Collective,
        known: _Known | None = None,
    ) -> None:
        self.on, self.resend, self.service = on, conventions.resend, conventions.service
        self.collective, self._known = collective, known or _Known()
        if len(self._known.parts) > MOST_KNOWN:
            self._known.parts.clear()
            self._known.lying.clear()
        self.state: dict[str, Held] = {}

    def enter(self) -> None:
        """Note that every node has the inputs."""
        for name, shape in self.on.network.inputs:
            self.state[name] = self._one(everywhere(shape, self.on.nodes))

    def part(self, layer: Layer, rule: Rule, handed: tuple[str, ...] = ()) -> Part:
        """Return what becomes of `layer`, and note how its output lies.

        handed: the tensors that go to its node besides, and then are there alone.

        Blocks of a network repeat, and so do layers from plan to plan: a layer like an earlier one
        whose operands lie alike is laid as that one is.
        """
        tensors = self.on.network.operands(layer.name)
        operands = tuple([self.state[tensor] for tensor in tensors])
        choice = possible(self.on, layer, operands, rule(layer, operands))
        key, known = self._key(layer, operands, choice), self._known.parts
        found = known.get((key, layer.name))
        if found is None:
            if key not in known:
                known[key] = self._laid(layer, tensors, operands, choice)
            found = known[key, layer.name] = known[key].of(layer, tensors)
        for read in found.reads:
            self.state[read.tensor] = read.after
        self.state[layer.name] = found.out
        return self._with_handed(found, handed) if handed else found

    def _with_handed(self, part: Part, tensors: tuple[str, ...]) -> Part:
        """Return the same with all of `tensors` sent at once, and note where they lie."""
        self.state |= {read.tensor: read.before for read in part.reads if read.tensor in tensors}
        handed = []
        for tensor in tensors:
            held = self.state[tensor]
            there = self._one(on_one(held.shape, part.choice.node, self.on.nodes))
            read = self.read(tensor, (Need(0, held.features, there.rows),), None)
            handed.append(replace(read, after=there, keeps=True))
            self.state[tensor] = there
        reads = (
            replace(read, rounds=()) if read.tensor in tensors else read for read in part.reads
        )
        return replace(part, reads=tuple(reads), handed=tuple(handed))

    def _key(self, layer: Layer, operands: tuple[Held, ...], choice: Choice) -> tuple[object, ...]:
        """All that decides what becomes of a layer."""
        told = [
            (number, of[layer.name].tobytes())
            for number, of in enumerate((self.on.extents, self.on.named, self.on.sent))
            if layer.name in of
        ]
        return self.on.alike[layer.name], choice, operands, *told

    def _one(self, held: Held) -> Held:
        """The same object for what lies alike."""
        return self._known.lying.setdefault(held.key, held)

    def _laid(
        self, layer: Layer, tensors: list[str], operands: tuple[Held, ...], choice: Choice
    ) -> Part:
        on = self.on
        out, rows = output(on, layer, operands, choice)
        out = self._one(out)
        needs = [needs_of(on, layer, k, h, choice, out, rows) for k, h in enumerate(operands)]
        reads = tuple(
            self.read(tensor, need, self.home(layer, tensor, choice, out))
            for tensor, need in zip(tensors, needs, strict=True)
        )
        share, weights, biases = shares_of(on, layer, operands, choice, out, rows)
        home = at_home(on, layer, choice, reads, rows)
        left = kept(on, layer, operands[0], choice, out)
        scalars = statistics_of(on, layer, choice, operands[0], out)
        return Part(layer, choice, reads, out, rows, share, home, left, weights, biases, scalars)

    def gathering(self, outputs: list[str]) -> tuple[Read, ...]:
        """Return how the outputs come to node 0; only sums are counted without the service."""
        reads = []
        for tensor in outputs:
            held = self.state[tensor]
            at_zero = on_one(held.shape, 0, self.on.nodes)
            needs = (Need(0, held.features, at_zero.rows),)
            if self.service or held.layout == "parts":
                reads.append(self.read(tensor, needs, at_zero))
        return tuple(reads)

    def home(self, layer: Layer, tensor: str, choice: Choice, out: Held) -> Held | None:
        """Return where a tensor in parts is added up, so that its reader finds it there."""
        shape = self.state[tensor].shape
        if choice.kind is Kind.ONE:
            return on_one(shape, choice.node, self.on.nodes)
        if choice.kind is Kind.ROWS and rows_of(shape) > 1:
            return by_rows(shape, self.on.bounds[rows_of(shape)])
        carries = layer.operator.placing in ("carries", "aligns")
        placed = out.owners is not None and len(out.owners) == shape[0]
        if choice.kind is Kind.OUTPUTS and carries and placed:
            return by_features(shape, out.owners, self.on.nodes)
        return None

    def read(self, tensor: str, needs: tuple[Need, ...], home: Held | None) -> Read:
        """Return how the nodes come by what they need, and note how the tensor lies then."""
        before, whole = self.state[tensor], self.on.whole
        rounds: list[Round] = []
        lies = before
        if before.layout == "parts":
            rounds, lies = added(before, home, self.collective, whole)
        needed, missing = amount(needs, before, whole), np.zeros(self.on.nodes)
        if lies.layout != "whole":
            direct = exchange(lies, needs, whole)
            missing = direct.pairs.sum(0) + direct.sparse.sum(0)
            rounds += gathered(direct, lies, needs, self.collective, whole) if missing.any() else []
        if before.sparse:
            rounds = [one.thinned(before.s_comm) for one in rounds]
        keeps = before.layout == "parts" or not self.resend
        after = self._one(lies.with_received(needs)) if keeps else before
        self.state[tensor] = after
        if before.layout == "parts":
            missing = needed
        return Read(tensor, before, needs, tuple(rounds), after, keeps, missing, needed)


def amount(needs: tuple[Need, ...], held: Held, whole: bool) -> Floats:
    """Return the elements that each node needs, those it has included, (..., N)."""
    total: Floats = np.zeros(held.nodes)
    for need in needs:
        features = np.full(held.nodes, float(need.high - need.low))
        if need.members is not None:
            features = need.members.sum(1, dtype=float)
        if need.counts is not None and not whole:
            features = need.counts
        total = total + features * need.row_counts() * need.row_elems(held)
    return total
