"""Costs of a box of configurations: by lookup where that is exact, else by blocked broadcasts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from discosim.configuration import Configuration
from discosim.explore.grid.coefficients import coefficients
from discosim.explore.grid.grid import AXES, Box, Place, boxes
from discosim.explore.grid.metrics import Amounts
from discosim.graph.table import Floats, Ints
from discosim.timeline.joined import Joined

PROBE = 512
"""Values of S_comm, times unlike nodes, laid out at once: more would leave the cache."""

BLOCK = 1 << 15
"""Configurations looked up at once: their latencies stay in the cache."""


@dataclass(frozen=True, eq=False)
class Block:
    """Amounts of a box of configurations; they broadcast with the box's shape."""

    place: Place
    box: Box
    amounts: Amounts

    @property
    def shape(self) -> tuple[int, ...]:
        """Configurations along each of AXES."""
        return tuple(part.stop - part.start for part in self.box)

    def numbers(self, flat: Ints) -> Ints:
        """Return the grid's numbers of the configurations at `flat` places of the box."""
        at = np.unravel_index(flat, self.shape)
        moved = [axis + part.start for axis, part in zip(at, self.box, strict=True)]
        inside: Ints = np.ravel_multi_index(moved, self.place.shape)
        return self.place.first + inside


def evaluate(place: Place, box: Box) -> Iterator[Block]:
    """Yield the costs of the configurations in `box`, in blocks that fit the cache."""
    given, step = place.configuration, max(1, PROBE // place.configuration.unlike)
    for start in range(box[0].start, box[0].stop, step):
        part = slice(start, min(start + step, box[0].stop))
        s_comm = place.axes["s_comm"][part]
        looked_up = None
        if not isinstance(given.hardware, Joined):
            looked_up = coefficients(given, _knob(s_comm))
        if looked_up is None:
            yield from _broadcast(place, (part, *box[1:]))
            continue
        found, cost = looked_up
        for inner in _parts((part, *box[1:]), BLOCK):
            chosen = slice(inner[0].start - start, inner[0].stop - start)
            numbers = _numbers(place, inner)
            times = found.at(chosen).times(1.0 / numbers[1], numbers[2], 1.0 / numbers[3])
            yield Block(place, inner, Amounts.of(given, numbers, *times, cost, chosen))


def _parts(box: Box, largest: int) -> Iterator[Box]:
    """Boxes of at most `largest` configurations that together are `box`."""
    for found in boxes([part.stop - part.start for part in box], largest):
        yield tuple(
            slice(part.start + whole.start, part.stop + whole.start)
            for part, whole in zip(found, box, strict=True)
        )


def _knob(s_comm: Floats) -> Floats:
    return np.where(np.isnan(s_comm), 0.0, s_comm)


def _numbers(place: Place, box: Box) -> list[Floats]:
    """Values along each of AXES in the box, each shaped to broadcast with the others."""
    return list(np.ix_(*(place.axes[name][part] for name, part in zip(AXES, box, strict=True))))


def _broadcast(place: Place, box: Box) -> Iterator[Block]:
    """The same by `simulate`, in blocks."""
    given = place.configuration.planned_here()
    for block in _parts(box, max(1, PROBE // given.unlike)):
        yield Block(place, block, amounts_at(given, _numbers(place, block)))


def amounts_at(given: Configuration, values: Sequence[Floats]) -> Amounts:
    """Return the amounts by `simulate` where AXES have these values; they broadcast, four axes."""
    given = given.planned_here()
    knob, *others = (each[..., None, None] for each in values)
    numbers: dict[str, Any] = dict(zip(AXES[1:], others, strict=True))
    node = replace(given.hardware, **numbers)
    cost = replace(given, hardware=node, s_comm=_knob(knob)).cost()
    return Amounts.of(given, values, cost.latency_s, cost.interval_s, cost, slice(None))
