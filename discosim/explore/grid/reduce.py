"""Reductions: what is kept of a grid while it streams by; its size does not grow with the grid's.

Each turns the blocks of a task into a state, a few arrays by name, and several states into one.
The order in which tasks end does not matter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from discosim.errors import DiscosimError
from discosim.explore.grid.evaluate import Block
from discosim.explore.grid.front import dominated, pareto_front
from discosim.explore.grid.metrics import METRICS
from discosim.graph.table import Floats, Ints
from discosim.units import format_quantity

State = dict[str, NDArray[np.generic]]


class Reduction(Protocol):
    """A way to reduce a grid; frozen, and sent to where the work is done."""

    def of_blocks(self, blocks: Iterable[Block]) -> State:
        """Return the state of some blocks."""
        ...

    def merged(self, states: Sequence[State]) -> State:
        """Return the state of all that the states stand for."""
        ...


def signed(block: Block, metric: str) -> Floats:
    """A metric of a block in which less is better; what is missing is infinite."""
    values = METRICS[metric].of(block.amounts)
    values = -values if METRICS[metric].most else values
    return np.where(np.isnan(values), np.inf, values)


ENOUGH = 4096
"""Candidates of a front that are compared with each other at once."""

MOST = 50_000
"""Configurations of a front; beyond, nearly all are on it."""


@dataclass(frozen=True)
class Pareto:
    """The front over several metrics: `number` (F,) of each configuration, `values` (F, d).

    Of configurations that are equal in all metrics, the first is kept.
    """

    metrics: tuple[str, ...]

    def of_blocks(self, blocks: Iterable[Block]) -> State:
        """Return the front of some blocks."""
        state, waiting, room = self._empty(), [self._empty()], ENOUGH
        for block in blocks:
            number, values = self._candidates(block, state["values"].astype(float))
            if len(number):
                waiting.append({"number": number, "values": values})
                room -= len(number)
            if room < 0:
                state, waiting = self.merged([state, *waiting]), []
                room = max(ENOUGH, len(state["number"]))
        return self.merged([state, *waiting])

    def merged(self, states: Sequence[State]) -> State:
        """Return the front of several fronts."""
        states = [self._empty(), *states]
        number = np.concatenate([state["number"] for state in states])
        values = np.concatenate([state["values"] for state in states])
        first = np.argsort(number, kind="stable")
        front = first[pareto_front(values[first].astype(float))]
        if len(front) > MOST:
            raise DiscosimError(
                f"the front over {', '.join(self.metrics)} has over {MOST:,} configurations, which "
                "shows nothing; wanted fewer metrics (--by), or fewer values on the axes"
            )
        return {"number": number[front], "values": values[front]}

    def _empty(self) -> State:
        return {
            "number": np.zeros(0, dtype=np.int64),
            "values": np.zeros((0, len(self.metrics))),
        }

    def _candidates(self, block: Block, front: Floats) -> tuple[Ints, Floats]:
        """Those configurations of a block that may be on the front, at least all that are."""
        arrays = [signed(block, metric) for metric in self.metrics]
        varying = [
            [i for i, values in enumerate(arrays) if values.shape[axis] > 1] for axis in range(4)
        ]
        flat = np.zeros((1, 1, 1, 1), dtype=np.int64)
        for i, values in enumerate(arrays):  # along axes where the others are equal: only its best
            own = tuple(axis for axis in range(4) if varying[axis] == [i])
            if own:
                arrays[i], places = _least(values, own, block.shape)
                flat = flat + places
        for axis in range(4):
            if len(varying[axis]) > 1:
                flat = flat + _along(axis, block.shape)
        return self._unbeaten(block, flat, arrays, front)

    def _unbeaten(
        self, block: Block, flat: Ints, arrays: list[Floats], front: Floats
    ) -> tuple[Ints, Floats]:
        shape = np.broadcast_shapes(flat.shape, *(values.shape for values in arrays))
        values = np.stack([np.broadcast_to(v, shape).ravel() for v in arrays], axis=-1)
        flat = np.broadcast_to(flat, shape).ravel()
        kept = np.isfinite(values).all(-1)
        lines = values.reshape(-1, shape[-1], values.shape[-1])
        if len(front) and shape[-1] > 1:  # a line whose best corner is beaten has nothing to offer
            hopeful = ~dominated(lines.min(1), front)
            kept &= np.repeat(hopeful, shape[-1])
        values, flat = values[kept], flat[kept]
        kept = ~dominated(values, front)
        return block.numbers(flat[kept]), values[kept]


def _along(axis: int, shape: Sequence[int]) -> Ints:
    """Flat places of a box's cells along one axis, shaped to broadcast with the box."""
    stride = int(np.prod(shape[axis + 1 :]))
    steps = np.arange(shape[axis]) * stride
    return steps.reshape([-1 if other == axis else 1 for other in range(len(shape))])


def _least(values: Floats, axes: tuple[int, ...], shape: Sequence[int]) -> tuple[Floats, Ints]:
    """The least of `values` along `axes`, and its flat place along them in a box of `shape`."""
    places = sum((_along(axis, shape) for axis in axes), np.zeros((1,) * len(shape), np.int64))
    others = [axis for axis in range(len(shape)) if axis not in axes]
    lines = values.transpose(*others, *axes).reshape(*(values.shape[a] for a in others), -1)
    best = lines.argmin(-1)
    least = np.take_along_axis(lines, best[..., None], -1)[..., 0]
    return np.expand_dims(least, axes), np.expand_dims(places.ravel()[best], axes)


@dataclass(frozen=True)
class Best:
    """The `count` configurations that are best in one metric, the best first."""

    metric: str
    count: int = 10

    def of_blocks(self, blocks: Iterable[Block]) -> State:
        """Return the best of some blocks."""
        state = self.merged([])
        for block in blocks:
            values = np.broadcast_to(signed(block, self.metric), block.shape).ravel()
            kept = np.asarray(state["values"], dtype=float)
            worst = kept[-1] if len(kept) == self.count else np.inf
            flat = np.flatnonzero((values <= worst) & np.isfinite(values))
            if len(flat):
                found: State = {"number": block.numbers(flat), "values": values[flat]}
                state = self.merged([state, found])
        return state

    def merged(self, states: Sequence[State]) -> State:
        """Return the best of several."""
        number = np.concatenate([np.zeros(0, np.int64), *(state["number"] for state in states)])
        values = np.concatenate([np.zeros(0), *(state["values"] for state in states)])
        best = np.lexsort((number, values))[: self.count]
        return {"number": number[best], "values": values[best]}


PER_DECADE = 10
DECADES = (-15, 21)


@dataclass(frozen=True)
class Histogram:
    """How many configurations have a metric within each tenth of a decade.

    counts: (360,), from 1e-15 to 1e21; none: (1,), those that are zero, missing or beyond.
    """

    metric: str

    def of_blocks(self, blocks: Iterable[Block]) -> State:
        """Return the counts of some blocks."""
        bins = (DECADES[1] - DECADES[0]) * PER_DECADE
        states: list[State] = []
        for block in blocks:
            values = METRICS[self.metric].of(block.amounts)
            alike = np.prod(block.shape) // values.size
            with np.errstate(divide="ignore", invalid="ignore"):
                places = np.floor(np.log10(values.ravel()) * PER_DECADE) - DECADES[0] * PER_DECADE
            inside = (places >= 0) & (places < bins)
            found = np.bincount(places[inside].astype(np.int64), minlength=bins)
            states.append({"counts": alike * found, "none": np.array([alike * np.sum(~inside)])})
        return self.merged(states)

    def merged(self, states: Sequence[State]) -> State:
        """Return the counts added up."""
        bins = (DECADES[1] - DECADES[0]) * PER_DECADE
        added = {"counts": np.zeros(bins, dtype=np.int64), "none": np.zeros(1, dtype=np.int64)}
        for state in states:
            added = {name: total + state[name].astype(np.int64) for name, total in added.items()}
        return {**added}


ROW_BYTES = 300
MOST_ROWS = 10_000_000


def check_size(rows: int) -> None:
    """Raise DiscosimError where so many configurations are too many to keep all of them."""
    if rows > MOST_ROWS:
        raise DiscosimError(
            f"{rows:,} configurations take about {format_quantity(rows * ROW_BYTES, 'B')}; wanted "
            f"at most {MOST_ROWS:,}, or --reduce pareto, best or histogram, which keep little"
        )


@dataclass(frozen=True)
class All:
    """Every configuration: `number`, a column for each of METRICS, and the average S_comm."""

    metrics: tuple[str, ...] = tuple(METRICS)

    def of_blocks(self, blocks: Iterable[Block]) -> State:
        """Return the columns of some blocks."""
        return self.merged([self._columns(block) for block in blocks])

    def merged(self, states: Sequence[State]) -> State:
        """Return the columns one after the other, in the order of the grid."""
        states = [self._empty(), *states]
        number = np.concatenate([state["number"] for state in states])
        order = np.argsort(number, kind="stable")
        names = list(states[0])
        return {name: np.concatenate([s[name] for s in states])[order] for name in names}

    def _empty(self) -> State:
        names = [*(METRICS[metric].column for metric in self.metrics), "avg_s_comm"]
        return {"number": np.zeros(0, dtype=np.int64), **{name: np.zeros(0) for name in names}}

    def _columns(self, block: Block) -> State:
        size = int(np.prod(block.shape))
        found = {METRICS[each].column: METRICS[each].of(block.amounts) for each in self.metrics}
        found["avg_s_comm"] = block.amounts.avg_s_comm
        columns = {name: np.broadcast_to(each, block.shape).ravel() for name, each in found.items()}
        return {"number": block.numbers(np.arange(size)), **columns}
