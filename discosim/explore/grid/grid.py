"""A grid: named axes whose every combination is one configuration, numbered, and cut into tasks."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

import numpy as np

from discosim import __version__
from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.explore.axes import NUMBERS, arrays, check_s_comm, choices, numbers, variations
from discosim.graph.table import Floats, Ints
from discosim.hardware import Hardware

AXES = ("s_comm", "bandwidth_Bps", "link_latency_s", "compute_macps")
"""Axes of numbers that the lookup knows, in the order in which configurations are numbered."""

APART = tuple(name for name in NUMBERS if name not in AXES)
"""Numbers of the hardware that it does not know: each value is a place of its own."""

TASK = 1 << 20
"""Configurations of a task: what one worker is given, and what an interruption may lose."""

Box = tuple[slice, ...]
"""A range on each of AXES."""


@dataclass(frozen=True, eq=False)
class Place:
    """What stays while the numbers vary; `first` is the number of its first configuration."""

    configuration: Configuration
    first: int
    axes: dict[str, Floats]

    @classmethod
    def of(cls, configuration: Configuration, s_comm: Floats, first: int = 0) -> "Place":
        """Return the place of a configuration and the arrays of its hardware."""
        axes = {"s_comm": choices(configuration, s_comm), **numbers(configuration.hardware)}
        return cls(configuration, first, {name: axes[name] for name in AXES})

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each of AXES has here."""
        return tuple(len(self.axes[name]) for name in AXES)

    @property
    def size(self) -> int:
        """Configurations of this place."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Task:
    """A box of one place's configurations."""

    place: int
    box: Box

    @property
    def size(self) -> int:
        """Configurations of the task."""
        return prod(part.stop - part.start for part in self.box)


@dataclass(frozen=True, eq=False)
class Grid:
    """Every combination of networks, profiles, strategies, N, overlaps, S_comm and numbers.

    Those of axes.NUMBERS that are arrays in a Hardware are axes. A strategy that cannot have so
    many nodes is left out.
    """

    bases: Sequence[Configuration]
    hardware: Sequence[Hardware]
    strategies: Sequence[str]
    nodes: Sequence[int]
    s_comm: Sequence[float] | Floats
    overlaps: Sequence[str] = ("none",)

    @cached_property
    def places(self) -> list[Place]:
        """The places in order; raises DiscosimError where an axis is empty or nothing can be."""
        for name, axis in self._named().items():
            if not len(axis):
                raise DiscosimError(f"nothing to compute: the axis {name} is empty")
        found: list[Place] = []
        first = 0
        s_comm = check_s_comm(self.s_comm)
        for each in self._checked[0]:
            if not all(map(len, numbers(each.hardware).values())):
                raise DiscosimError("nothing to compute: an axis of the hardware is empty")
            for configuration in _apart(each):
                found.append(Place.of(configuration, s_comm, first))
                first += found[-1].size
        return found

    @cached_property
    def apart(self) -> list[str]:
        """Those of APART that have several values in the hardware."""
        return [name for name in APART if any(name in arrays(node) for node in self.hardware)]

    @property
    def size(self) -> int:
        """Configurations in all."""
        return sum(place.size for place in self.places)

    @property
    def left_out(self) -> list[str]:
        """What could not be, and why, a line each."""
        return self._checked[1]

    @cached_property
    def _checked(self) -> tuple[list[Configuration], list[str]]:
        possible: list[Configuration] = []
        reasons: dict[str, None] = {}
        refusals: list[DiscosimError] = []
        common: dict[str, Sequence[Any]] = {"hardware": self.hardware, "overlap": self.overlaps}
        for base, strategy, nodes in product(self.bases, self.strategies, self.nodes):
            axes: dict[str, Sequence[Any]] = {"nodes": [nodes], "strategy": [strategy]}
            try:
                chosen = list(variations(base, {**axes, **common}))
                for first in chosen[:1]:  # whether N is possible is not up to the hardware
                    first.plan()
            except DiscosimError as refusal:
                refusals.append(refusal)
                reasons[f"{base.model}, {strategy}, N = {nodes}: {refusal}"] = None
                continue
            if chosen[0].strategy.nodes is None or nodes == self.nodes[0]:
                possible += chosen
        if not possible and refusals:
            raise refusals[0]
        return possible, list(reasons)

    def _named(self) -> dict[str, Sequence[Any]]:
        return {
            "network": self.bases,
            "hardware": self.hardware,
            "strategy": self.strategies,
            "nodes": self.nodes,
            "overlap": self.overlaps,
            "s_comm": list(self.s_comm),
        }

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
            [_described(base) for base in self.bases],
            [asdict(hardware) for hardware in self.hardware],
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
    yield from product(*ranges)


def _apart(configuration: Configuration) -> Iterator[Configuration]:
    """The configuration at each combination of values of APART."""
    axes = {name: v for name, v in arrays(configuration.hardware).items() if name in APART}
    for values in product(*axes.values()):
        given: dict[str, Any] = {name: float(v) for name, v in zip(axes, values, strict=True)}
        yield replace(configuration, hardware=replace(configuration.hardware, **given))


def _described(base: Configuration) -> dict[str, Any]:
    network = base.network
    given = {field.name: getattr(base, field.name) for field in fields(base)}
    layers = [(layer, network.operands(layer.name)) for layer in network.layers]
    about = [network.name, network.inputs, network.outputs, repr(layers), *network.kept]
    return {**given, "network": about}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if callable(value):
        return value.__name__
    return list(value) if isinstance(value, (set, frozenset, tuple)) else repr(value)
