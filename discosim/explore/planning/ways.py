"""The numbers of one layer, for each of its splits and each way in which its operands may lie.

What is sent for several operands adds up: each is laid in all ways while the others lie as is best.
"""

from dataclasses import dataclass

import numpy as np

from discosim.configuration import Configuration
from discosim.explore.planning.options import Options
from discosim.explore.planning.readings import (
    Reader,
    Reading,
    joined,
    reader_of,
    reading,
    reading_of,
    stacked,
    with_more_rows,
)
from discosim.graph.table import Bools, Floats
from discosim.partition.collectives import Collective
from discosim.partition.effort import kept
from discosim.partition.held import Held, everywhere
from discosim.partition.lay import nodes_for, read_one


@dataclass(frozen=True, eq=False)
class WaysLaid:
    """Numbers of one layer, axes of operands and options last; rounds: (R, N, N, ...)."""

    row: int
    pairs: Floats
    sparse: Floats
    candidates: Floats
    offered: Floats
    chunks: Floats
    had: Floats
    numbers: Floats
    at_home: Floats
    density: Floats
    useful: Bools

    @property
    def shape(self) -> tuple[int, ...]:
        """(K, ..., S), in how many ways operands lie, and options."""
        return self.at_home.shape[1:]


class Ways:
    """The numbers of each layer."""

    def __init__(self, given: Configuration, options: Options) -> None:
        self.given, self.options, self.table = given, options, given.table
        self.on = nodes_for(given.table, given.nodes, given.conventions)
        self.entering = {
            name: everywhere(shape, given.nodes) for name, shape in given.network.inputs
        }
        self._ones: dict[tuple[object, ...], Reading] = {}

    def of(self, row: int) -> WaysLaid:
        """Return the numbers of a row, for all ways in which its operands may lie."""
        options, layer = self.options, self.given.network.layers[row]
        group, others = int(options.groups.of[row]), options.others(row)
        count = max(1, len(others))
        made = self._made(row)
        readers = [reader for reader, _ in made]
        readings = []
        for operand, tensor in enumerate(self.given.network.operands(layer.name)):
            maker = options.makers[row].get(tensor)
            of = group if maker is None else int(options.groups.of[maker])
            if maker is None or of == group:
                lying = [each[operand] for _, each in made]
                one = joined([[self._one(operand, held, reader) for held, reader in
                               zip(lying, readers, strict=True)]])  # fmt: skip
                readings.append(one.along(0, count))
            else:
                one = self._reading(operand, options.held[maker], readers)
                readings.append(one.along(others.index(of), count))
        total = readings[0]
        for one in readings[1:]:
            total = total + one
        return self._numbers(row, made, readings[0], total)

    def _made(self, row: int) -> list[tuple[Reader, tuple[Held, ...]]]:
        """The row split so that its output lies in each way, and how its operands then best lie."""
        made: list[tuple[Reader, tuple[Held, ...]]] = []
        for state, split in enumerate(self.options.leaving[int(self.options.groups.of[row])]):
            if split.rows:  # as with the usual rows, which come before
                usual, lying = made[0]
                out = self.options.held[row][state]
                made.append((with_more_rows(self.on, usual, lying, out), lying))
            else:
                made.append(self._reader(row, state))
        return made

    def _reader(self, row: int, state: int) -> tuple[Reader, tuple[Held, ...]]:
        """The same of one way."""
        options, groups, layer = self.options, self.options.groups, self.given.network.layers[row]
        own, operands = int(groups.of[row]), []
        split = options.leaving[own][state]
        for tensor in self.given.network.operands(layer.name):
            maker = options.makers[row].get(tensor)
            if maker is None:
                operands.append(self.entering[tensor])
                continue
            of = int(groups.of[maker])
            lies = state if of == own else options.like(of, split)
            operands.append(options.held[maker][lies])
        lying = tuple(operands)
        return reader_of(self.on, layer, lying, options.rule(split)), lying

    def _reading(self, operand: int, lying: tuple[Held, ...], readers: list[Reader]) -> Reading:
        """What all readers take to come by an operand in all ways to lie."""
        direct = self.given.collective is Collective.DIRECT or self.given.nodes == 2
        plain = [at for at, held in enumerate(lying) if direct and held.layout != "parts"]
        several = [at for at in range(len(lying)) if at not in plain]
        found = []
        if plain:
            found.append(reading(self.on, operand, tuple(lying[at] for at in plain), readers))
        if several:
            found.append(
                joined([[self._one(operand, lying[at], one) for one in readers] for at in several])
            )
        order = np.argsort([*plain, *several])
        return found[0] if len(found) == 1 else stacked(found, order)

    def _one(self, operand: int, held: Held, reader: Reader) -> Reading:
        """What a reader takes to come by an operand that lies in one way; kept for those alike."""
        alike = self.on.alike[reader.layer.name]
        key = alike, operand, reader.choice, reader.out.key, held
        if key not in self._ones:
            self._ones[key] = self._read(operand, held, reader)
        return self._ones[key]

    def _read(self, operand: int, held: Held, reader: Reader) -> Reading:
        made = reader.choice, reader.out, reader.rows
        read = read_one(
            self.on, reader.layer, operand, held, made, self.given.conventions,
            self.given.collective,
        )  # fmt: skip
        if read.rounds or held.layout == "parts":
            return reading_of(read)
        return reading(self.on, operand, (held,), [reader])

    def _numbers(
        self, row: int, made: list[tuple[Reader, tuple[Held, ...]]], first: Reading, total: Reading
    ) -> WaysLaid:
        """The numbers of a row from all that it reads; first: of its first operand.

        Splits that leave the output lying alike differ in S_comm alone.
        """
        readers = [reader for reader, _ in made]
        layer, whole = readers[0].layer, self.on.whole
        left = self._kept(row, made).reshape(self.given.nodes, *first.chunks.shape)
        numbers = np.stack([reader.numbers for reader in readers], -1)  # (3, N, C)
        outputs = np.stack([one.out.elems(whole) for one in readers], -1) / layer.out_elems
        full = np.broadcast_shapes(total.chunks.shape, first.chunks.shape)
        left = np.broadcast_to(left, (self.given.nodes, *full))

        def wide(array: Floats) -> Floats:
            leading = array.shape[:-1]
            flat = array.reshape(*leading, *[1] * (len(full) - 1), array.shape[-1])
            return np.broadcast_to(flat, (*leading, *full))

        lacks = total.missing > 0
        mixes = layer.operator.placing == "mixes"
        had = 1.0 - np.divide(
            first.missing, first.needed, out=np.zeros(first.needed.shape), where=first.needed > 0
        )
        by_rows = np.array([one.choice.plain_rows for one in readers])
        home = np.where(by_rows, total.rows, had if mixes else 0.0)
        pairs, sparse, candidates = total.pairs, total.sparse, total.candidates
        offered = total.offered
        if self.given.conventions.service and any(one.statistics is not None for one in readers):
            scalars = self._statistics(readers, len(full))
            pairs, sparse, candidates, offered = (
                np.concatenate([each, np.broadcast_to(more, (1, *each.shape[1:]))])
                for each, more in (
                    (pairs, scalars[0]),
                    (sparse, 0.0),
                    (candidates, 0.0),
                    (offered, scalars[1]),
                )
            )
        group = int(self.options.groups.of[row])
        lies = self.options.lies[group]
        density = np.array([1.0 - split.s_comm for split in self.options.splits[group]])
        return WaysLaid(
            row=row,
            pairs=pairs[..., lies],
            sparse=sparse[..., lies],
            candidates=candidates[..., lies],
            offered=offered[..., lies],
            chunks=np.broadcast_to(total.chunks, full)[None][..., lies],
            had=((total.needed - total.missing) / max(1.0, self.table.in_elems[row]))[..., lies],
            numbers=np.stack([*wide(numbers), left, wide(outputs)])[..., lies],
            at_home=np.where(lacks, home, 1.0)[..., lies],
            density=np.broadcast_to(density, (1, *full[:-1], len(lies))),
            useful=self.options.useful(row)[None],
        )

    def _kept(self, row: int, made: list[tuple[Reader, tuple[Held, ...]]]) -> Floats:
        """What is left of a node's MACs where nothing sparse is sent, (N, S, C)."""
        options, layer = self.options, self.given.network.layers[row]
        tensor = self.given.network.operands(layer.name)[0]
        maker, group = options.makers[row].get(tensor), int(options.groups.of[row])
        if maker is None or int(options.groups.of[maker]) == group:
            each = [kept(self.on, layer, lying[0], one.choice, one.out) for one, lying in made]
            return np.stack(each, -1)[:, None]
        found = np.ones((self.given.nodes, len(options.held[maker]), len(made)))
        for at, (one, _) in enumerate(made):
            if not one.choice.sparse:
                continue
            for state, held in enumerate(options.held[maker]):
                found[:, state, at] = kept(self.on, layer, held, one.choice, one.out)
        return found

    def _statistics(self, readers: list[Reader], axes: int) -> tuple[Floats, Floats]:
        nodes = self.given.nodes
        none = np.zeros((nodes, nodes))
        pairs = [none if one.statistics is None else one.statistics.pairs for one in readers]
        stacked_ = np.stack(pairs, -1).reshape(1, nodes, nodes, *[1] * (axes - 1), -1)
        return stacked_, stacked_.max(2)
