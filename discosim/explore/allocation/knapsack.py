"""The multiple-choice knapsack: one level of each choice, least loss, within every limit.

Sinha, Zoltners: The Multiple-Choice Knapsack Problem, Operations Research 27(3), 1979. The exact
solution by mixed-integer programming is in `milp`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discosim.errors import DiscosimError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROUNDING = 1e-12
"""Relative: sums in another order differ by less."""

BISECTIONS = 200
SUBGRADIENTS = 600
REPAIRS = 30
"""Subgradient steps from one repaired choice to the next."""
PATIENCE = 15
"""Subgradient steps without a better bound before the step is halved."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Loss (I, K) and costs (C, I, K) of K levels of I choices, and a limit on each cost, (C,)."""

    loss: Floats
    cost: Floats
    limit: Floats

    @classmethod
    def of(cls, loss: Floats, cost: Floats, limit: Floats) -> "Problem":
        """Return the problem with each cost counted from its least level, limits brought to 1.

        Costs that cannot exceed their limit, or only after another one does, are left out.
        Raises ValueError where a limit is below the sum of least costs.
        """
        least = cost.min(axis=-1, keepdims=True)
        over, room = cost - least, limit - least.sum(axis=(-2, -1))
        slack = ROUNDING * np.abs(limit)
        if (room < -slack).any():
            raise ValueError("a limit is below the sum of least costs")
        room = np.maximum(room, 0.0)
        unit = np.where(room > slack, room, np.where(limit > 0, np.abs(limit), 1.0))
        binds = over.max(axis=-1).sum(axis=-1) > room + slack
        bounds = np.where(room > slack, 1.0, 0.0) + slack / unit
        kept = _undominated((over / unit[:, None, None])[binds], bounds[binds])
        return cls(loss, (over / unit[:, None, None])[binds][kept], bounds[binds][kept])

    def used(self, choice: Ints) -> Floats:
        """Return what a choice of levels, (I,), costs, (C,)."""
        costs: Floats = self.cost[:, np.arange(len(choice)), choice].sum(axis=-1)
        return costs

    def lost(self, choice: Ints) -> float:
        """Return the loss of a choice of levels, (I,)."""
        return float(self.loss[np.arange(len(choice)), choice].sum())

    def meets(self, choice: Ints) -> bool:
        """Return whether a choice of levels is within every limit."""
        return bool((self.used(choice) <= self.limit).all())


@dataclass(frozen=True, eq=False)
class Solution:
    """A level of each choice, (I,), its loss, and a bound that no choice can be below."""

    choice: Ints
    loss: float
    bound: float

    @property
    def gap(self) -> float:
        """How far the loss can be above the least, as a fraction of itself."""
        return max(0.0, self.loss - self.bound) / self.loss if self.loss > 0 else 0.0


def _undominated(cost: Floats, limit: Floats) -> list[int]:
    """Costs (C, I, K) of which no other one is at least as large everywhere, for its limit."""
    if not len(cost):
        return []
    flat = np.column_stack([cost.reshape(len(cost), -1), -np.round(limit)])
    _, first = np.unique(flat, axis=0, return_index=True)
    kept: list[int] = []
    for row in first[np.argsort(-flat[first].sum(axis=1), kind="stable")]:
        if not any((flat[row] <= flat[other]).all() for other in kept):
            kept.append(int(row))
    return sorted(kept)


def dual(problem: Problem, price: Floats) -> tuple[float, Ints]:
    """Return the Lagrangian bound at `price` of the costs, (C,), and the levels that give it.

    min over levels of loss + price (cost - limit): never above the least loss within the limits.
    """
    priced = problem.loss + np.tensordot(price, problem.cost, axes=1)
    choice = priced.argmin(axis=-1)
    bound = priced[np.arange(len(choice)), choice].sum() - float(price @ problem.limit)
    return float(bound), choice


def fast(problem: Problem) -> Solution:
    """Return a good choice and its certified bound by Lagrangian relaxation.

    One limit: its price by bisection. Several: by subgradients with Polyak's step. Each priced
    choice is repaired and then improved level by level. Raises DiscosimError where repair finds
    nothing that meets several limits at once.
    """
    bound, choice = dual(problem, np.zeros(len(problem.limit)))
    if problem.meets(choice):
        return Solution(choice, problem.lost(choice), problem.lost(choice))
    search = _bisect if len(problem.limit) == 1 else _subgradients
    best, bound = search(problem, bound)
    if best is None:
        raise DiscosimError("the fast method finds no plan within all limits; try --method exact")
    loss = problem.lost(best)
    return Solution(best, loss, min(bound, loss))


def _bisect(problem: Problem, bound: float) -> tuple[Ints | None, float]:
    low, high = 0.0, 1.0
    best = dual(problem, np.array([high]))[1]
    while not problem.meets(best) and high < 1e300:
        low, high = high, 2.0 * high
        best = dual(problem, np.array([high]))[1]
    nearly = best
    for _ in range(BISECTIONS):
        price = (low + high) / 2
        if price in (low, high):
            break
        value, choice = dual(problem, np.array([price]))
        bound = max(bound, value)
        if problem.meets(choice):
            high, best = price, choice
        else:
            low, nearly = price, choice
    return _better(problem, _improved(problem, best), nearly), bound


def _subgradients(problem: Problem, bound: float) -> tuple[Ints | None, float]:
    best = _better(problem, None, problem.cost.sum(axis=0).argmin(axis=-1))
    price, at, scale, since = np.zeros(len(problem.limit)), np.zeros(len(problem.limit)), 1.0, 0
    for turn in range(SUBGRADIENTS):
        value, choice = dual(problem, price)
        if turn % REPAIRS == 0:
            best = _better(problem, best, choice)
        since += 1
        if value > bound:
            bound, at, since = value, price, 0
        elif since > PATIENCE:
            scale, price, since = scale / 2, at, 0
            value, choice = dual(problem, price)
        over = problem.used(choice) - problem.limit
        over = np.where((price > 0) | (over > 0), over, 0.0)
        if best is None or not over.any():
            break
        step = scale * (problem.lost(best) - value) / float(over @ over)
        price = np.maximum(0.0, price + step * over)
    return _better(problem, best, dual(problem, at)[1]), bound


def _better(problem: Problem, best: Ints | None, choice: Ints) -> Ints | None:
    """The better of `best` and of `choice`, repaired and improved."""
    repaired = _repaired(problem, choice)
    if repaired is None:
        return best
    improved = _improved(problem, repaired)
    if best is None or problem.lost(improved) < problem.lost(best):
        return improved
    return best


def _repaired(problem: Problem, choice: Ints) -> Ints | None:
    """Take the level that adds least loss per excess removed, until every limit is met."""
    choice = choice.copy()
    while not problem.meets(choice):
        used, gain = _changes(problem, choice)
        excess = np.maximum(0.0, used - problem.limit[:, None, None]).sum(axis=0)
        now = np.maximum(0.0, problem.used(choice) - problem.limit).sum()
        removed = now - excess
        if not (removed > ROUNDING).any():
            return None
        rate = np.full(removed.shape, np.inf)
        np.divide(-gain, removed, out=rate, where=removed > ROUNDING)
        row, level = np.unravel_index(rate.argmin(), rate.shape)
        choice[row] = level
    return choice


def _improved(problem: Problem, choice: Ints) -> Ints:
    """Take the change of one level that saves most, as long as one keeps the limits."""
    choice = choice.copy()
    while True:
        used, gain = _changes(problem, choice)
        gain = np.where((used <= problem.limit[:, None, None]).all(axis=0), gain, 0.0)
        row, level = np.unravel_index(gain.argmax(), gain.shape)
        if gain[row, level] <= 0:
            return choice
        choice[row] = level


def _changes(problem: Problem, choice: Ints) -> tuple[Floats, Floats]:
    """Costs (C, I, K) and loss saved (I, K) if one choice alone takes another level."""
    rows = np.arange(len(choice))
    now, lost = problem.cost[:, rows, choice], problem.loss[rows, choice]
    used = problem.used(choice)[:, None, None] + problem.cost - now[..., None]
    return used, lost[:, None] - problem.loss
