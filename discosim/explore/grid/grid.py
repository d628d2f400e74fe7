"""A grid: named axes whose every combination is one configuration, numbered, and cut into tasks."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from discosim import __version__
from discosim.errors import DiscosimError
from discosim.explore.points import Point, points
from discosim.explore.study import Study, check_s_comm
from discosim.graph.table import Floats, Ints
from discosim.hardware import Hardware

AXES = ("s_comm", "bandwidth_Bps", "link_latency_s", "compute_macps")
"""Axes of numbers, in the order in which a point's configurations are numbered."""

TASK = 1 << 20
"""Configurations of a task: what one worker is given, and what an interruption may lose."""

Box = tuple[slice, slice, slice, slice]
"""A range on each of AXES."""


@dataclass(frozen=True, eq=False)
class Place:
    """A point in its grid: `first` is the number of its first configuration."""

    point: Point
    first: int
    axes: dict[str, Floats]

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each of AXES has here."""
        return tuple(len(self.axes[name]) for name in AXES)

    @property
    def size(self) -> int:
        """Configurations of this point."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Task:
    """A box of one point's configurations."""

    place: int
    box: Box

    @property
    def size(self) -> int:
        """Configurations of the task."""
        return prod(part.stop - part.start for part in self.box)


@dataclass(frozen=True, eq=False)
class Grid:
    """Every combination of networks, profiles, strategies, N, overlaps, S_comm, B, alpha and C.

    `bandwidth_Bps`, `link_latency_s` and `compute_macps` of a Hardware may be arrays: each is
    an axis. A strategy that cannot have so many nodes is left out.
    """

    studies: Sequence[Study]
    hardware: Sequence[Hardware]
    strategies: Sequence[str]
    nodes: Sequence[int]
    s_comm: Sequence[float] | Floats
    overlaps: Sequence[str] = ("none",)

    @cached_property
    def places(self) -> list[Place]:
        """The points in order; raises DiscosimError where an axis is empty or nothing can be."""
        for name, axis in self._named().items():
            if not len(axis):
                raise DiscosimError(f"nothing to compute: the axis {name} is empty")
        found: list[Place] = []
        first = 0
        for point in self._possible:
            place = Place(point, first, self._values(point))
            if not place.size:
                raise DiscosimError("nothing to compute: an axis of the hardware is empty")
            found.append(place)
            first += place.size
        return found

    @property
    def size(self) -> int:
        """Configurations in all."""
        return sum(place.size for place in self.places)

    @property
    def left_out(self) -> list[str]:
        """What could not be, and why, a line each."""
        return self._checked[1]

    @property
    def _possible(self) -> list[Point]:
        return self._checked[0]

    @cached_property
    def _checked(self) -> tuple[list[Point], list[str]]:
        possible: list[Point] = []
        reasons: dict[str, None] = {}
        refusals: list[DiscosimError] = []
        for study in self.studies:
            for strategy in self.strategies:
                for nodes in self.nodes:
                    try:
                        chosen = list(
                            points(study, self.hardware, [strategy], [nodes], self.overlaps)
                        )
                        _try(chosen)
                    except DiscosimError as refusal:
                        refusals.append(refusal)
                        reasons[f"{study.model}, {strategy}, N = {nodes}: {refusal}"] = None
                        continue
                    fixed = chosen[0].strategy.nodes is not None
                    if not (fixed and nodes != self.nodes[0]):
                        possible += chosen
        if not possible and refusals:
            raise refusals[0]
        return possible, list(reasons)

    def _named(self) -> dict[str, Sequence[Any]]:
        return {
            "network": self.studies,
            "hardware": self.hardware,
            "strategy": self.strategies,
            "nodes": self.nodes,
            "overlap": self.overlaps,
            "s_comm": list(self.s_comm),
        }

    def _values(self, point: Point) -> dict[str, Floats]:
        knob = point.knob(check_s_comm(np.asarray(self.s_comm)))
        return {"s_comm": knob, **{n: point.axis(n) for n in AXES[1:]}}

    def tasks(self, largest: int = TASK) -> list[Task]:
        """Return boxes of at most `largest` configurations that together are the grid."""
        return [
            Task(number, box)
            for number, place in enumerate(self.places)
            for box in boxes(place.shape, largest)
        ]

    def place_of(self, indices: Ints) -> Ints:
        """Return the number of the place in which each configuration lies."""
        firsts = [place.first for place in self.places]
        found: Ints = np.searchsorted(firsts, indices, side="right") - 1
        return found

    def fingerprint(self, *more: object) -> str:
        """Return a digest of all that decides the results, and of `more`."""
        described = [
            __version__,
            [_described(study) for study in self.studies],
            [_described(hardware) for hardware in self.hardware],
            list(self.strategies),
            list(self.nodes),
            list(self.overlaps),
            np.asarray(self.s_comm).tolist(),
            *more,
        ]
        text = json.dumps(described, default=_plain, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def boxes(shape: Sequence[int], largest: int) -> Iterator[Box]:
    """Yield boxes of at most `largest` cells that together are `shape`; the last axes stay whole.

    Where the inner axes alone are larger, they are cut too.
    """
    steps = []
    room = largest
    for count in reversed(shape):
        step = max(1, min(count, room))
        steps.append(step)
        room //= step
    ranges = [
        [slice(start, min(start + step, count)) for start in range(0, count, step)]
        for count, step in zip(shape, reversed(steps), strict=True)
    ]
    for first in ranges[0]:
        for second in ranges[1]:
            for third in ranges[2]:
                for fourth in ranges[3]:
                    yield first, second, third, fourth


def _try(chosen: Sequence[Point]) -> None:
    """Lay the first point out once: whether N is possible does not depend on the hardware."""
    for point in chosen[:1]:
        request = point.study.request(
            point.strategy, point.nodes, np.zeros((1, 1)), point.hardware, point.at
        )
        point.strategy.plan(request)


def _described(value: Any) -> dict[str, Any]:
    return asdict(value)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return list(value) if isinstance(value, (set, frozenset, tuple)) else repr(value)
