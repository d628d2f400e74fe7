"""The best choice of a split for each group within a memory, by mixed-integer programming.

Of each group one option is taken; how its operands lie and what it does then is one column. A
tensor lies for its readers as its maker leaves it. HiGHS searches and bounds (Huangfu, Hall:
Parallelizing the dual revised simplex method, Math. Prog. Comp. 10, 2018), through scipy.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from discosim.errors import require
from discosim.explore.planning.prices import Prices
from discosim.graph.table import Floats, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_array  # type: ignore[import-untyped]

GAP = 1e-4
"""Relative gap at which the search ends."""


@dataclass(frozen=True, eq=False)
class Solved:
    """The options found, (G,), if any; no choice that keeps the memory has less than `bound`."""

    path: Ints | None
    bound: float


class _Program:
    """Columns and rows of the program as they are written down."""

    def __init__(self) -> None:
        self.cost: list[Floats] = []
        self.columns = 0
        self.entries: list[tuple[Ints, Ints, Floats]] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def take(self, cost: Floats) -> Ints:
        """Return new columns, one for each of `cost`."""
        self.cost.append(cost)
        self.columns += len(cost)
        return np.arange(self.columns - len(cost), self.columns)

    def row(self, low: float, high: float) -> int:
        self.low.append(low)
        self.high.append(high)
        return len(self.low) - 1

    def rows(self, count: int) -> Ints:
        """Return new rows that are to be zero."""
        return np.array([self.row(0.0, 0.0) for _ in range(count)])

    def put(self, rows: Ints, columns: Ints, values: Floats) -> None:
        shape = np.broadcast_shapes(rows.shape, columns.shape, values.shape)
        self.entries.append(
            tuple(np.broadcast_to(each, shape).ravel() for each in (rows, columns, values))  # type: ignore[arg-type]
        )

    def matrix(self) -> "csr_array":
        from scipy.sparse import coo_array

        rows, columns, values = (np.concatenate(each) for each in zip(*self.entries, strict=True))
        return coo_array((values, (rows, columns)), shape=(len(self.low), self.columns)).tocsr()


def solved(prices: Prices, memory: float, seconds: float) -> Solved:
    """Return the choice of least cost within `memory` bytes of each node, in at most `seconds`.

    Raises DiscosimError where scipy is missing.
    """
    require("--method exact", "scipy", otherwise="--method fast does without")
    from scipy.optimize import Bounds, LinearConstraint, milp  # type: ignore[import-untyped]

    scale = 1.0 / max(1e-30, _scale(prices))
    program, groups = _Program(), prices.groups
    options = [program.take(np.zeros(len(each))) for each in prices.options]
    whole = program.columns
    columns: list[tuple[Ints, tuple[Ints, ...]]] = []
    for group in range(len(groups)):
        one = program.row(1.0, 1.0)
        program.put(np.array(one), options[group], np.array(1.0))
        columns.append(_columns(program, prices, options, group, scale))
    if np.isfinite(memory):
        _within(program, prices, options, columns, memory)
    found = milp(
        np.concatenate(program.cost),
        integrality=np.arange(program.columns) < whole,
        bounds=Bounds(0.0, np.inf),
        constraints=LinearConstraint(
            program.matrix(), np.array(program.low), np.array(program.high)
        ),
        options={"time_limit": seconds, "mip_rel_gap": GAP},
    )
    bound = found.mip_dual_bound
    path = None
    if found.x is not None:
        path = np.array([int(found.x[each].argmax()) for each in options])
    return Solved(path, -np.inf if bound is None else float(bound) / scale)


def _scale(prices: Prices) -> float:
    return max(float(each[np.isfinite(each)].max()) for each in prices.aim)


def _columns(
    program: _Program,
    prices: Prices,
    options: list[Ints],
    group: int,
    scale: float,
) -> tuple[Ints, tuple[Ints, ...]]:
    """A column for what a group does where its operands lie so; they are those of its option."""
    aim = prices.aim[group]
    can = np.isfinite(aim)
    for place, read in enumerate(prices.groups.reads[group]):
        lies = np.isin(np.arange(aim.shape[place]), prices.lies[read])
        can = can & lies.reshape([-1 if axis == place else 1 for axis in range(aim.ndim)])
    at = np.nonzero(can)
    made = program.take(aim[at] * scale)
    own = program.rows(aim.shape[-1])
    program.put(own[at[-1]], made, np.array(1.0))
    program.put(own, options[group], np.array(-1.0))
    for place, read in enumerate(prices.groups.reads[group]):
        states = program.rows(aim.shape[place])
        program.put(states[at[place]], made, np.array(1.0))
        program.put(states[prices.lies[read]], options[read], np.array(-1.0))
    return made, at


def _within(
    program: _Program,
    prices: Prices,
    options: list[Ints],
    columns: list[tuple[Ints, tuple[Ints, ...]]],
    memory: float,
) -> None:
    """Weights and the most features at once of each node are within the memory."""
    unit = 1.0 / memory
    for node in range(len(prices.weights[0])):
        most = program.take(np.zeros(1))
        total = program.row(-np.inf, 1.0)
        program.put(np.array(total), most, np.array(1.0))
        for group, (made, at) in enumerate(columns):
            program.put(np.array(total), made, prices.weights[group][node][at] * unit)
            for held in prices.held[group]:
                row = np.array(program.row(-np.inf, -held.entering * unit))
                program.put(row, most, np.array(-1.0))
                program.put(row, made, held.taken[node][at] * unit)
                for each, lying in held.lying.items():
                    program.put(row, options[each], lying[node][prices.lies[each]] * unit)
