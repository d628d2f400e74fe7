"""What becomes of a group of layers by each split, for each way in which what it reads may lie.

A split leaves its output as its operands lie: an addition by outputs leaves it on every node where
both operands are. So of one split there may be several variants, told apart by all that a reader
is; the prices of a variant are those of the ways to lie that lead to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from discosim.configuration import Configuration
from discosim.explore.planning.groups import Groups
from discosim.explore.planning.readings import Reader, reader_of
from discosim.graph.layer import Layer
from discosim.graph.reach import rows_of
from discosim.graph.table import Bools, Ints
from discosim.partition.held import Held, everywhere
from discosim.partition.kinds import Kind, Rule
from discosim.partition.lay import read_one
from discosim.partition.needs import Nodes
from discosim.partition.splits import LayerSplit, Splits
from discosim.strategies.by_layer import fits

States = list[dict[str, Held]]
"""How the tensors of a group lie, by name, in each of its states."""

Way = tuple[tuple[int, Held], ...]
"""How operands lie, by their place."""

NEVER = -1
"""In place of a variant: what no best plan has."""


@dataclass(frozen=True, eq=False)
class Variant:
    """What the layers of a group do, a reader each, by one split of theirs.

    inner: of each layer how its operands lie that the group or nobody makes.
    """

    split: int
    readers: tuple[Reader, ...]
    inner: tuple[Way, ...]

    @property
    def leaves(self) -> tuple[Held, ...]:
        """How the outputs of the layers lie."""
        return tuple(reader.out for reader in self.readers)


@dataclass(frozen=True, eq=False)
class Variants:
    """The variants of a group, and which comes of what lies how: (K, ..., splits), or NEVER."""

    every: tuple[Variant, ...]
    leads: Ints


@dataclass(frozen=True, eq=False)
class _Step:
    """One layer of a variant; read: how what it has read lies then, where that changes."""

    reader: Reader
    inner: Way
    read: dict[str, Held]


class Finder:
    """The variants of each group in turn; what lies alike is the same object."""

    def __init__(self, given: Configuration, on: Nodes, groups: Groups, by_rows: Rule) -> None:
        self.given, self.on, self.groups, self.by_rows = given, on, groups, by_rows
        self.network = on.network
        self.rows = {layer.name: row for row, layer in enumerate(self.network.layers)}
        self._lying: dict[tuple[object, ...], Held] = {}
        self._readers: dict[tuple[object, ...], Reader] = {}
        self._same: dict[tuple[object, ...], Reader] = {}
        self._groups: dict[tuple[object, ...], Variants] = {}
        self._numbers: dict[tuple[object, ...], int] = {}
        self._alike: dict[int, int] = {}
        self._steps: dict[object, dict[tuple[int, tuple[Held, ...]], _Step]] = {}
        self._told: dict[tuple[object, ...], tuple[list[int], Ints]] = {}
        self.entering = {
            name: self.one(everywhere(shape, on.nodes)) for name, shape in self.network.inputs
        }

    def one(self, held: Held) -> Held:
        """Return the same object for what lies alike."""
        return self._lying.setdefault(held.key, held)

    def alike(self, row: int) -> int:
        """Return the same number for layers that become the same where all they read lies alike."""
        if row not in self._alike:
            layer = self.network.layers[row]
            plain = rows_of(layer.out_shape) > 1 and fits(self.network, layer, Kind.ROWS)
            by_name = self.by_rows(layer, ()) if plain else None  # some layers are told by name
            key = by_name, self.on.alike[layer.name]
            self._alike[row] = self._numbers.setdefault(key, len(self._numbers))
        return self._alike[row]

    def of(
        self,
        group: int,
        splits: Splits,
        rules: list[Rule],
        states: dict[int, States],
    ) -> Variants:
        """Return the variants of a group; states: of each group that it reads, by tensor."""
        rows, reads = self.groups.rows(group), self.groups.reads[group]
        key: tuple[object, ...] = (group,)
        if len(rows) == 1:
            layer = self.network.layers[rows[0]]
            where = [
                (reads.index(int(self.groups.of[self.rows[t]])), self._tokens(states, t))
                if t in self.rows
                else t
                for t in self.network.operands(layer.name)
            ]
            key = (self.alike(rows[0]), splits, *where)
        if key not in self._groups:
            self._groups[key] = self._found(rows, reads, splits, rules, states)
        return self._groups[key]

    def _tokens(self, states: dict[int, States], tensor: str) -> tuple[int, ...]:
        return tuple(id(each[tensor]) for each in states[int(self.groups.of[self.rows[tensor]])])

    def _found(
        self,
        rows: Sequence[int],
        reads: tuple[int, ...],
        splits: Splits,
        rules: list[Rule],
        states: dict[int, States],
    ) -> Variants:
        counts = [len(states[each]) for each in reads]
        leads = np.full((*counts, len(splits)), NEVER)
        partly = self._partly_summed(rows, [states[each] for each in reads])
        every: dict[tuple[object, ...], int] = {}
        found: list[Variant] = []
        for at, (split, rule) in enumerate(zip(splits, rules, strict=True)):
            classes = [self._classes(rows, split, states[each]) for each in reads]
            table = np.full([len(firsts) for firsts, _ in classes], NEVER)
            for place in product(*map(range, table.shape)):
                lying: dict[str, Held] = {}
                for each, (firsts, _), number in zip(reads, classes, place, strict=True):
                    lying |= states[each][firsts[number]]
                if split.s_comm and split.kind is Kind.OUTPUTS and self._meets_sums(rows, lying):
                    continue
                variant = self._variant(rows, at, split, rule, lying)
                if self._as_whole(rows, split, variant, lying):
                    continue
                key = (at, *map(id, variant.readers))
                if key not in every:
                    every[key] = len(found)
                    found.append(variant)
                table[place] = every[key]
            if table.size > 1:
                table = table[np.ix_(*(of for _, of in classes))]
            leads[..., at] = table
            if split.kind not in (Kind.OUTPUTS, Kind.WHOLE):
                leads[..., at] = np.where(partly, NEVER, leads[..., at])
        return Variants(tuple(found), leads)

    def _meets_sums(self, rows: Sequence[int], lying: Mapping[str, Held]) -> bool:
        """Whether layers read a tensor that lies in parts which are not all added up."""
        names = (self.network.layers[row].name for row in rows)
        read = {tensor for name in names for tensor in self.network.operands(name)}
        return any(held.sparse for tensor, held in lying.items() if tensor in read)

    def _partly_summed(self, rows: Sequence[int], reads: list[States]) -> Bools:
        """Whether some of what a group reads lies in parts that are not all added up, (K, ...)."""
        partly = np.zeros(tuple(map(len, reads)), dtype=bool)
        for axis, states in enumerate(reads):
            these = [self._meets_sums(rows, each) for each in states]
            partly |= np.array(these).reshape([-1 if at == axis else 1 for at in range(len(reads))])
        return partly

    def _classes(
        self, rows: Sequence[int], split: LayerSplit, states: States
    ) -> tuple[list[int], Ints]:
        """Ways to lie that matter alike to a layer: the first of each class, and each one's class.

        To several layers together each way is a class of its own.
        """
        if len(rows) > 1:
            return list(range(len(states))), np.arange(len(states))
        layer = self.network.layers[rows[0]]
        if not _minds(layer, split):
            return [0], np.zeros(len(states), dtype=np.int64)
        tensors = [t for t in self.network.operands(layer.name) if t in states[0]]
        key = split.kind, tuple(state[tensor] for state in states for tensor in tensors)
        if key not in self._told:
            self._told[key] = self._told_apart(split, tensors, states)
        return self._told[key]

    def _told_apart(
        self, split: LayerSplit, tensors: list[str], states: States
    ) -> tuple[list[int], Ints]:
        seen: dict[object, int] = {}
        firsts: list[int] = []
        of: list[int] = []
        for number, state in enumerate(states):
            key = tuple(_matters(split, state[tensor]) for tensor in tensors)
            if key not in seen:
                seen[key] = len(firsts)
                firsts.append(number)
            of.append(seen[key])
        return firsts, np.array(of)

    def _variant(
        self, rows: Sequence[int], at: int, split: LayerSplit, rule: Rule, lying: dict[str, Held]
    ) -> Variant:
        every, lying = [], self.entering | lying
        known = self._steps.setdefault((rows[0], split), {})
        for row in rows:
            layer = self.network.layers[row]
            operands = tuple([lying[tensor] for tensor in self.network.operands(layer.name)])
            key = row, operands
            if key not in known:
                known[key] = self._step(rows, row, operands, split, rule)
            step = known[key]
            every.append(step)
            lying[layer.name] = step.reader.out
            lying |= step.read
        return Variant(
            at, tuple([step.reader for step in every]), tuple([step.inner for step in every])
        )

    def _step(
        self,
        rows: Sequence[int],
        row: int,
        operands: tuple[Held, ...],
        split: LayerSplit,
        rule: Rule,
    ) -> "_Step":
        """What becomes of one of the layers of a group where its operands lie so."""
        layer = self.network.layers[row]
        tensors = self.network.operands(layer.name)
        key = (self.alike(row), split, *operands)
        if key not in self._readers:
            self._readers[key] = self._reader(row, layer, operands, rule)
        reader = self._readers[key]
        outside = {tensor for tensor in tensors if self.rows.get(tensor, row) not in rows}
        inner = tuple((k, h) for k, h in enumerate(operands) if tensors[k] not in outside)
        return _Step(reader, inner, self._read(reader, tensors, operands) if rows[1:] else {})

    def _read(
        self, reader: Reader, tensors: list[str], operands: tuple[Held, ...]
    ) -> dict[str, Held]:
        """How operands lie once a layer has read them, where that changes how they do."""
        given, found = self.given, {}
        made = reader.choice, reader.out, reader.rows
        for operand, (tensor, held) in enumerate(zip(tensors, operands, strict=True)):
            if held.layout == "parts" or not given.conventions.resend:
                read = read_one(
                    self.on, reader.layer, operand, held, made, given.conventions,
                    given.collective,
                )  # fmt: skip
                found[tensor] = self.one(read.after)
        return found

    def _reader(self, row: int, layer: Layer, operands: tuple[Held, ...], rule: Rule) -> Reader:
        """What becomes of a layer; readers that are the same in all are the same object."""
        found = reader_of(self.on, layer, operands, rule)
        found = replace(found, out=self.one(found.out))
        same = (
            self.alike(row), found.choice, found.out, found.rows.tobytes(),
            found.numbers.tobytes(),
            None if found.statistics is None else found.statistics.pairs.tobytes(),
        )  # fmt: skip
        return self._same.setdefault(same, found)

    def _as_whole(
        self, rows: Sequence[int], split: LayerSplit, variant: Variant, lying: dict[str, Held]
    ) -> bool:
        """Whether it is what `whole` is, which is among the splits: nothing to mix, all there."""
        if len(rows) > 1 or split.kind is not Kind.OUTPUTS or variant.leaves[0].layout != "whole":
            return False
        layer = self.network.layers[rows[0]]
        there = all(
            tensor not in lying or lying[tensor].layout == "whole"
            for tensor in self.network.operands(layer.name)
        )
        return there and layer.operator.placing != "mixes"


def _minds(layer: Layer, split: LayerSplit) -> bool:
    """Whether what a layer becomes by a split follows from how its operands lie."""
    if split.kind is Kind.ROWS:
        return rows_of(layer.out_shape) == 1
    return split.kind in (Kind.OUTPUTS, Kind.INPUTS)


def _matters(split: LayerSplit, held: Held) -> object:
    """What of a way to lie a reader follows from (see `reader_of`)."""
    owners = None if held.owners is None else np.asarray(held.owners).tobytes()
    match split.kind:
        case Kind.OUTPUTS:
            return owners, held.layout == "whole", held.sparse
        case Kind.INPUTS:
            return owners
    return held
