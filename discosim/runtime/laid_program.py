"""The program of one node of a network whose layers are each split in their own way."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from discosim.graph.network import INPUT
from discosim.graph.table import Ints
from discosim.partition.lay import GATHER, Laid, Read
from discosim.partition.messages import Piece
from discosim.partition.mixed import reading
from discosim.partition.rounds import rounds_before
from discosim.runtime.holdings import Rectangle, Rectangles, all_of, slots_of
from discosim.runtime.laid_overlap import begin
from discosim.runtime.laid_steps import Begun, PartSteps
from discosim.runtime.pieces import check_runnable
from discosim.runtime.program import (
    AddTo,
    Alias,
    Excerpt,
    Fill,
    NodeProgram,
    ProgramRow,
    Range,
    Step,
    Trade,
    Unpack,
    Wait,
    made_by,
)

CLASSES = {"gather": "all-gather"}
"""What a round's messages are called on the wire, where a gather is the output's to node 0."""


Comes = dict[int, list[tuple[Read, Piece]]]
"""What comes in a round, by sender."""


def laid_program(laid: Laid, rank: int) -> NodeProgram:
    """Return what node `rank` does: it sends and receives what `laid` says, and nothing else.

    Raises DiscosimError for an operator that no run knows.
    """
    check_runnable(laid.table.network)
    return _LaidWriter(laid, rank).program()


def class_of(laid: Laid, row: int, number: int) -> str:
    """Return what the messages of a round before a row are for, as `wire.KINDS` names it."""
    gathers = row == len(laid.parts)
    reads = laid.gathering if gathers else laid.parts[row].sent
    rounds = [read.rounds[number] for read in reads if len(read.rounds) > number]
    kinds = [one.kind for one in rounds if one.pairs.any() or one.sparse.any()]
    if not kinds:
        return "statistics"
    if "sum" in kinds:
        return "sum"
    return "gather" if gathers else CLASSES.get(kinds[0], kinds[0])


def exchanges_before(laid: Laid, row: int) -> list[int]:
    """Return the rounds before a row in which nodes send something at some S_comm, by number."""
    return [number for number, one in enumerate(rounds_before(laid, row)) if one.takes_place]


def table_rows(laid: Laid) -> list[int]:
    """Return the row of the table, the gathering included, that each row of a program is of.

    A program's row has one exchange at most; where there are several before a layer, all but the
    last have rows of their own.
    """
    rows = range(len(laid.parts) + 1)
    return [row for row in rows for _ in range(max(1, len(exchanges_before(laid, row))))]


def row_names(laid: Laid) -> list[str]:
    """Return what the rows of a program are called: as layers, with the number of the exchange."""
    names = [*(part.layer.name for part in laid.parts), GATHER]
    return [
        name
        for row, name in enumerate(names)
        for name in [*_before(name, exchanges_before(laid, row)), name]
    ]


def _before(name: str, exchanges: list[int]) -> list[str]:
    """What the rows of all exchanges but the last are called."""
    return [f"{name}, exchange {number}" for number, _ in enumerate(exchanges[:-1], 1)]


class _LaidWriter:
    """Writes the steps row by row; knows which rectangles of every tensor are here."""

    def __init__(self, laid: Laid, rank: int) -> None:
        self.laid, self.rank = laid, rank
        network = laid.table.network
        shapes = {layer.name: layer.out_shape for layer in network.layers}
        self.here = Rectangles({INPUT: network.input_shape, **shapes})
        self.here.add(INPUT, Rectangle(INPUT, *all_of(network.input_shape)))
        self.steps: list[Step] = []
        self.rows: list[ProgramRow] = []
        self.slots: set[str] = {INPUT}

    def program(self) -> NodeProgram:
        """All rows, the gathering of the outputs last."""
        last = self._last_rows()
        for row, part in enumerate(self.laid.parts):
            dies = {tensor for tensor, at in last.items() if at == row}
            if self.rank != part.choice.node:
                dies |= {read.tensor for read in part.handed}
            steps = PartSteps(self.laid, part, self.rank, self.here, dies)
            begun = self._receive(row, part.layer.name, part.sent, steps)
            for one in steps.made(begun):
                self.here.add(part.layer.name, one)
            self.steps += steps.steps
            self._end_row(part.layer.name, dies)
        self._receive(len(self.laid.parts), GATHER, self.laid.gathering)
        results = () if self.rank else tuple(self._result(r.tensor) for r in self.laid.gathering)
        self.rows.append(ProgramRow(GATHER, tuple(self.steps), ()))
        takes = bool(reading(self.laid, INPUT)[self.rank])
        return NodeProgram(self.rank, tuple(self.rows), results, takes)

    def _last_rows(self) -> dict[str, int]:
        """In which row each tensor is read last, the outputs in the one after all layers."""
        last: dict[str, int] = {}
        for row, part in enumerate(self.laid.parts):
            last |= {read.tensor: row for read in part.reads}
        return last | dict.fromkeys((r.tensor for r in self.laid.gathering), len(self.laid.parts))

    def _end_row(self, name: str, dies: set[str]) -> None:
        """Forget tensors, and with the row the slots that nobody reads any more."""
        for tensor in dies:
            self.here.of.pop(tensor, None)
        self.slots |= made_by(self.steps)
        kept = slots_of(self.here.of.values())
        frees, self.slots = self.slots - kept, self.slots & kept
        self.rows.append(ProgramRow(name, tuple(self.steps), tuple(sorted(frees))))
        self.steps = []

    def _result(self, tensor: str) -> str:
        features, rows = all_of(self.here.shapes[tensor])
        return self.here.rectangle(self.steps, tensor, features, rows)

    def _receive(
        self, row: int, name: str, reads: tuple[Read, ...], steps: PartSteps | None = None
    ) -> Begun | None:
        """Send and receive what the layer's operands need, a row for each round but the last.

        While the last is under way, what can be is begun.
        """
        begun = None
        exchanges = exchanges_before(self.laid, row)
        early = dict(zip(exchanges, _before(name, exchanges), strict=False))
        for number in range(max((len(read.rounds) for read in reads), default=0)):
            sends: dict[int, list[Excerpt]] = defaultdict(list)
            comes: Comes = defaultdict(list)
            for read in reads:
                if len(read.rounds) <= number:
                    continue
                for piece in read.rounds[number].pieces():
                    if piece.source == self.rank:
                        rectangle = piece.features, (piece.first, piece.last)
                        cut = self.here.cut(self.steps, read.tensor, *rectangle)
                        sends[piece.sink].append(cut)
                    elif piece.sink == self.rank:
                        comes[piece.source].append((read, piece))
            if sends or comes:
                packed = self._trade(class_of(self.laid, row, number), sends, comes)
                if steps is not None and number not in early:
                    begun = begin(steps)
                    self.steps += steps.steps
                    steps.steps = []
                self._arrive(packed, comes, number)
            for read in reads:
                if _is_sum(read, number) and not _is_sum(read, number + 1):
                    self._settle(read)
            if number in early:
                self._end_row(early[number], set())
        return begun

    def _trade(self, kind: str, sends: Mapping[int, list[Excerpt]], comes: Comes) -> str:
        """Begin to exchange one message for each other node; return where they come."""
        packed = self.here.new_slot("received")
        sizes = {
            node: sum(int(np.prod(self._shape(*one))) for one in comes[node])
            for node in sorted(comes)
        }
        cuts = {node: tuple(each) for node, each in sends.items()}
        self.steps.append(Trade(kind, cuts, sizes, packed))
        return packed

    def _arrive(self, packed: str, comes: Comes, number: int) -> None:
        """Wait; what has come is noted, or added where it is a sum."""
        self.steps.append(Wait())
        at = 0
        for read, piece in (one for node in sorted(comes) for one in comes[node]):
            shape, slot = self._shape(read, piece), self.here.new_slot(read.tensor)
            self.steps.append(Unpack(packed, at, shape, slot))
            at += int(np.prod(shape))
            rectangle = piece.features, (piece.first, piece.last)
            if read.rounds[number].kind == "sum":
                self._add(read, slot, *rectangle)
            else:
                self.here.add(read.tensor, Rectangle(slot, *rectangle))

    def _shape(self, read: Read, piece: Piece) -> tuple[int, ...]:
        shape = self.here.shapes[read.tensor]
        rows = (piece.last - piece.first, *shape[2:]) if len(shape) > 1 else ()
        return (1, len(piece.features), *rows)

    def _add(self, read: Read, slot: str, features: Ints, rows: Range) -> None:
        """Add what has come to the node's own summand."""
        self._own_summand(read.tensor)
        self.steps.append(AddTo(slot, self.here.cut(self.steps, read.tensor, features, rows)))

    def _own_summand(self, tensor: str) -> None:
        """Have a summand here: of zeros on a node that computes none."""
        if not self.here.of.get(tensor):
            shape, into = self.here.shapes[tensor], self.here.new_slot(tensor)
            self.steps.append(Fill((1, *shape), (), 0.0, into))
            self.here.add(tensor, Rectangle(into, *all_of(shape)))

    def _settle(self, read: Read) -> None:
        """Of a sum, what this node has added up is all that it has, and what nobody adds up."""
        home, tensor = read.after, read.tensor
        features, rows = all_of(home.shape)
        mine = features >= 0 if home.owners is None else home.owners == self.rank
        own = int(home.rows[self.rank, 0]), int(home.rows[self.rank, 1])
        if own[1] <= own[0]:
            mine &= False
        if read.added is not None and (home.held[self.rank] == rows).all():
            self._own_summand(tensor)
            mine, own = mine | ~read.added, rows
        features = np.flatnonzero(mine)
        if not len(features) or own[1] <= own[0]:
            self.here.of[tensor] = []
            return
        if not self.here.of.get(tensor):  # nobody adds anything here
            if read.added is None:
                return
            self._own_summand(tensor)
        cut = self.here.cut(self.steps, tensor, features, own)
        if cut.at is None and cut.rows is None:
            self.here.of[tensor] = [Rectangle(cut.slot, features, own)]
            return
        slot = self.here.new_slot(tensor)
        self.steps.append(Alias(cut, slot))
        self.here.of[tensor] = [Rectangle(slot, features, own)]


def _is_sum(read: Read, number: int) -> bool:
    return number < len(read.rounds) and read.rounds[number].kind == "sum"
