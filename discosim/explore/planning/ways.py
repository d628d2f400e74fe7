"""The numbers of one layer, for each of its options and each way in which its operands may lie.

What is sent for several operands adds up: each is laid in all ways on its own.
"""

from dataclasses import dataclass, replace

import numpy as np

from discosim.configuration import Configuration
from discosim.explore.planning.alike import Alike, Lying
from discosim.explore.planning.meetings import Meetings
from discosim.explore.planning.options import Options
from discosim.explore.planning.readings import (
    Reader,
    Reading,
    along,
    joined,
    nothing,
    parts_made,
    reading,
    reading_of,
    stacked,
    windows_inside,
)
from discosim.graph.layer import Layer
from discosim.graph.table import Bools, Floats
from discosim.partition.collectives import Collective
from discosim.partition.effort import kept
from discosim.partition.held import Held
from discosim.partition.kinds import Kind
from discosim.partition.lay import read_one
from discosim.partition.mixed import as_owned


@dataclass(frozen=True, eq=False)
class WaysLaid:
    """Numbers of one layer, axes of operands and options last; rounds: (R, N, N, ...).

    usual: where the layer and its operands lie as if all were split by outputs, (K, ..., S).
    """

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
    usual: Bools

    @property
    def shape(self) -> tuple[int, ...]:
        """(K, ..., S), in how many ways operands lie, and options."""
        return self.at_home.shape[1:]


class Ways:
    """The numbers of each layer.

    floor: of a tensor that an earlier layer has been sent nothing is sent again, where it may be
    that this one finds it there.
    """

    def __init__(self, given: Configuration, options: Options, *, floor: bool) -> None:
        self.given, self.options, self.table = given, options, given.table
        self.on, self.floor = options.on, floor
        self._ones: dict[tuple[object, ...], Reading] = {}
        self.meetings = Meetings(given, options, floor=floor)

    def of(self, alike: Alike) -> WaysLaid:
        """Return the numbers of alike rows, for all ways in which their operands may lie."""
        row, readers = alike.row, alike.readers
        layer, count = self.given.network.layers[row], max(1, len(alike.axes))
        usual = np.array([self._usual(one) for one in readers])
        inside = np.ones((1, 1, *[1] * (count + 1)), dtype=bool)
        readings: list[Reading] = []
        for operand, again in enumerate(self.meetings.again(row)):
            lying = alike.lying(operand)
            one = self._reading(operand, lying, readers)
            owned, parts = self._told(layer, operand, lying)
            if again:
                one = self._sent_before(one, parts)
            windows = _windows(operand, lying, readers) | (one.missing <= 0)[:, None]
            inside = inside & along(windows, lying.axis, count)
            usual = usual & along(owned, lying.axis, count)
            readings.append(one.along(lying.axis, count))
        total = readings[0]
        for one in readings[1:]:
            total = total + one
        usual = usual & ~total.pairs[1:].any((0, 1, 2))  # in one round
        return self._numbers(alike, (readings[0], total), parts_made(inside, readers), usual)

    def _told(self, layer: Layer, operand: int, lying: Lying) -> tuple[Bools, Bools]:
        """Whether an operand lies as splits by outputs leave it, and in parts, (S, C) each."""
        owners = self.on.owners[self.given.network.operands(layer.name)[operand]]
        owned = np.array([as_owned(held, owners) for held in lying.every])
        parts = np.array([held.layout == "parts" for held in lying.every])
        shape = (-1, 1) if lying.by_state else (1, -1)
        return owned.reshape(shape), parts.reshape(shape)

    def _usual(self, reader: Reader) -> bool:
        """Whether a layer is split by outputs, or on every node where those leave it there."""
        owners = self.on.owners[reader.layer.name]
        return reader.choice.kind in (Kind.OUTPUTS, Kind.WHOLE) and as_owned(reader.out, owners)

    def _sent_before(self, one: Reading, parts: Bools) -> Reading:
        """The same, of which nothing is sent that an earlier layer may have been sent.

        parts: of ways to lie, (S, C) or such: a sum lies otherwise once it has been added up.
        """
        there = np.broadcast_to(parts | self.floor, one.missing.shape[1:])
        return replace(
            one,
            pairs=np.where(there, 0.0, one.pairs),
            sparse=np.where(there, 0.0, one.sparse),
            offered=np.where(there, 0.0, one.offered),
            missing=np.where(there, 0.0, one.missing),
        )

    def _reading(self, operand: int, lying: Lying, readers: list[Reader]) -> Reading:
        """What all readers take to come by an operand in all ways to lie."""
        every, wanted = lying.every, lying.wanted
        if wanted is None:
            each = zip(every, readers, strict=True)
            return joined([[self._one(operand, held, reader) for held, reader in each]])
        direct = self.given.collective is Collective.DIRECT or self.given.nodes == 2
        plain = [at for at, held in enumerate(every) if direct and held.layout != "parts"]
        several = [at for at in range(len(every)) if at not in plain]
        found = []
        if plain:
            ways = tuple(every[at] for at in plain)
            found.append(reading(self.on, operand, ways, readers, wanted[plain]))
        if several:
            none = nothing(self.given.nodes)
            ones = [
                [
                    self._one(operand, every[at], one) if useful else none
                    for one, useful in zip(readers, wanted[at], strict=True)
                ]
                for at in several
            ]
            found.append(joined(ones))
        order = np.argsort([*plain, *several], kind="stable")
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
        return reading_of(read, self.on.whole)

    def _numbers(
        self,
        alike: Alike,
        read: tuple[Reading, Reading],
        by_rows: Floats,
        usual: Bools,
    ) -> WaysLaid:
        """The numbers of rows from what they read first, and in all.

        by_rows: the part of a node's rows that is made from what is there, (N, ..., C).
        """
        first, total = read
        readers, whole = alike.readers, self.on.whole
        layer = readers[0].layer
        left = self._kept(alike).reshape(first.missing.shape)
        numbers = np.stack([reader.numbers for reader in readers], -1)  # (3, N, C)
        outputs = np.stack([one.out.elems(whole) for one in readers], -1) / layer.out_elems
        full = np.broadcast_shapes(total.missing.shape, first.missing.shape)[1:]
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
        plain = np.array([one.choice.plain_rows for one in readers])
        home = np.where(plain, by_rows, had if mixes else 0.0)
        total = self._with_statistics(total, readers, len(full))
        of = [made for made, _ in alike.options]
        density = np.array([1.0 - s_comm for _, s_comm in alike.options])
        return WaysLaid(
            row=alike.row,
            pairs=total.pairs[..., of],
            sparse=total.sparse[..., of],
            candidates=total.candidates[..., of],
            offered=total.offered[..., of],
            chunks=total.chunks[..., of],
            had=(total.had / max(1.0, self.table.in_elems[alike.row]))[..., of],
            numbers=np.stack([*wide(numbers), left, wide(outputs)])[..., of],
            at_home=np.where(lacks, home, 1.0)[..., of],
            density=np.broadcast_to(density, (1, *full[:-1], len(of))),
            usual=np.broadcast_to(usual, full)[..., of],
        )

    def _kept(self, alike: Alike) -> Floats:
        """What is left of a node's MACs where nothing sparse is sent, (N, S, C)."""
        layer, readers = self.given.network.layers[alike.row], alike.readers
        lying = alike.lying(0)
        if not lying.by_state:
            each = [
                kept(self.on, layer, held, one.choice, one.out)
                for held, one in zip(lying.every, readers, strict=True)
            ]
            return np.stack(each, -1)[:, None]
        found = np.ones((self.given.nodes, len(lying.every), len(readers)))
        for at, one in enumerate(readers):
            if not one.choice.sparse:
                continue
            for state, held in enumerate(lying.every):
                found[:, state, at] = kept(self.on, layer, held, one.choice, one.out)
        return found

    def _with_statistics(self, total: Reading, readers: list[Reader], axes: int) -> Reading:
        """The same with the scalars of norms in a round of their own, where they are counted."""
        if not self.given.conventions.service or all(one.statistics is None for one in readers):
            return total
        nodes = self.given.nodes
        none = np.zeros((nodes, nodes))
        pairs = [none if one.statistics is None else one.statistics.pairs for one in readers]
        scalars = np.stack(pairs, -1).reshape(1, nodes, nodes, *[1] * (axes - 1), -1)

        def with_round(each: Floats, more: Floats | float) -> Floats:
            return np.concatenate([each, np.broadcast_to(more, (1, *each.shape[1:]))])

        return replace(
            total,
            pairs=with_round(total.pairs, scalars),
            sparse=with_round(total.sparse, 0.0),
            candidates=with_round(total.candidates, 0.0),
            chunks=with_round(total.chunks, 0.0),
            offered=with_round(total.offered, scalars.max(2)),
        )


def _windows(operand: int, lying: Lying, readers: list[Reader]) -> Bools:
    """The output rows whose windows lie in what nodes have, (N, rows, S, C); one of a kind by rows.

    Where no reader is by rows nobody asks for them.
    """
    if not any(one.choice.plain_rows for one in readers):
        return np.zeros((1, 1, 1, 1), dtype=bool)
    inside = windows_inside(operand, lying.every, readers[0])
    return inside[..., None] if lying.by_state else inside[:, :, None]
