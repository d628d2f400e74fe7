"""Where on a node the tensors lie: rectangles of features times rows, each in a slot."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from discosim.graph.layer import Shape
from discosim.graph.reach import rows_of
from discosim.graph.table import Ints
from discosim.runtime.pieces import positions
from discosim.runtime.program import Alias, Excerpt, Fill, Placed, Range, Step


@dataclass(frozen=True, eq=False)
class Rectangle:
    """A slot that has `features` of a tensor, in this order, on rows first..last."""

    slot: str
    features: Ints
    rows: Range

    def has(self, features: Ints, rows: Range) -> bool:
        """Return whether all of a rectangle lies in this one."""
        inside = self.rows[0] <= rows[0] and rows[1] <= self.rows[1]
        return inside and bool(np.isin(features, self.features).all())


@dataclass(frozen=True)
class Pad:
    """Rows that are added in front of and behind a rectangle, full of `value`."""

    before: int = 0
    after: int = 0
    value: float = 0.0


NO_PAD = Pad()


@dataclass(eq=False)
class Rectangles:
    """The blocks of every tensor on one node, and the steps by which rectangles are had of them.

    fresh: slots that share their memory with no other one.
    """

    shapes: dict[str, Shape]
    of: dict[str, list[Rectangle]] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=count)

    def new_slot(self, about: str) -> str:
        """Return a name that no slot has."""
        return f"{next(self._numbers)} {about}"

    def add(self, tensor: str, block: Rectangle) -> None:
        """Note a block; those that lie in it are not needed any more."""
        rest = [one for one in self.of.get(tensor, []) if not block.has(one.features, one.rows)]
        self.of[tensor] = [block, *rest]

    def cut(self, steps: list[Step], tensor: str, features: Ints, rows: Range) -> Excerpt:
        """Return a rectangle as a cut of one slot; steps put it together if need be."""
        flat = len(self.shapes[tensor]) < 2
        for block in self.of.get(tensor, []):
            if block.has(features, rows):
                return _cut(block, features, None if flat else rows)
        return Excerpt(self.filled(steps, tensor, features, rows))

    def rectangle(
        self, steps: list[Step], tensor: str, features: Ints, rows: Range, pad: Pad = NO_PAD
    ) -> str:
        """Return a slot that has exactly these features and rows, and its padding."""
        if pad.before or pad.after:
            return self.filled(steps, tensor, features, rows, pad)
        cut = self.cut(steps, tensor, features, rows)
        if cut.at is None and cut.rows is None:
            return cut.slot
        into = self.new_slot(tensor)
        steps.append(Alias(cut, into))
        return into

    def filled(
        self, steps: list[Step], tensor: str, features: Ints, rows: Range, pad: Pad = NO_PAD
    ) -> str:
        """Return a new slot with a rectangle; without padding it is the tensor's from then on."""
        shape, into = self.shapes[tensor], self.new_slot(tensor)
        placed, whole = _placed(self.of.get(tensor, []), features, rows, len(shape) < 2, pad.before)
        assert whole, f"{tensor}: features or rows that a node needs are not there"
        height = rows[1] - rows[0] + pad.before + pad.after
        made = (1, len(features), *((height, *shape[2:]) if len(shape) > 1 else ()))
        value = pad.value if pad.before or pad.after else None
        steps.append(Fill(made, placed, value, into))
        self.fresh.add(into)
        if value is None and (np.diff(features) > 0).all():
            self.add(tensor, Rectangle(into, features, rows))
        return into


def _placed(
    blocks: Sequence[Rectangle], features: Ints, rows: Range, flat: bool, before: int
) -> tuple[tuple[Placed, ...], bool]:
    """Cuts that cover a rectangle, and whether they do."""
    lacks = np.ones((len(features), rows[1] - rows[0]), dtype=bool)
    placed = []
    for block in blocks:
        low, high = max(rows[0], block.rows[0]), min(rows[1], block.rows[1])
        mine = np.isin(features, block.features)
        if low >= high or not lacks[mine, low - rows[0] : high - rows[0]].any():
            continue
        while low < high and not lacks[mine, low - rows[0]].any():
            low += 1
        while low < high and not lacks[mine, high - 1 - rows[0]].any():
            high -= 1
        lacks[mine, low - rows[0] : high - rows[0]] = False
        cut = _cut(block, features[mine], None if flat else (low, high))
        at = None if mine.all() else np.flatnonzero(mine)
        placed.append(Placed(cut, at, low - rows[0] + before))
    return tuple(placed), not lacks.any()


def _cut(block: Rectangle, features: Ints, rows: Range | None) -> Excerpt:
    """Features and rows of a block as a cut of its slot, all of them where that is so."""
    every = np.array_equal(features, block.features)
    at = None if every else positions(block.features, features)
    if rows is None or rows == block.rows:
        return Excerpt(block.slot, at)
    return Excerpt(block.slot, at, (rows[0] - block.rows[0], rows[1] - block.rows[0]))


def all_of(shape: Shape) -> tuple[Ints, Range]:
    """Return all features and rows of a tensor."""
    return np.arange(shape[0]), (0, rows_of(shape))


def slots_of(blocks: Iterable[Sequence[Rectangle]]) -> set[str]:
    """Return the slots of all blocks."""
    return {block.slot for some in blocks for block in some}
