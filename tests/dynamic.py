"""The multiple-choice knapsack by dynamic programming: a second route to the same number."""

import numpy as np

from discosim.explore.allocation.knapsack import Floats, Ints, Problem, Solution, fast


def dynamic(problem: Problem, steps: int) -> Solution:
    """Return the best choice by dynamic programming over one cost, in whole steps of its limit.

    Costs are rounded up, so the limit is met; the bound is that of costs rounded down. With costs
    that are whole steps both are exact.
    """
    if len(problem.limit) == 0:
        return fast(problem)
    assert len(problem.limit) == 1
    room, slack = (1.0, 1e-9) if problem.limit[0] > 0.5 else (0.0, 0.0)
    exactly = problem.cost[0] * steps
    up = np.ceil(exactly - slack).astype(np.int64)
    down = np.floor(exactly + slack).astype(np.int64)
    size = int(room * steps)
    choice = _least_loss(problem.loss, up, size)
    bound = problem.lost(_least_loss(problem.loss, down, size))
    return Solution(choice, problem.lost(choice), min(bound, problem.lost(choice)))


def _least_loss(loss: Floats, steps: Ints, size: int) -> Ints:
    """Levels of the least loss whose `steps`, (I, K) whole numbers, sum to `size` at most."""
    best = np.zeros(size + 1)  # by the steps left
    taken = np.zeros((len(loss), size + 1), dtype=np.int64)
    for row, (losses, needs) in enumerate(zip(loss, steps, strict=True)):
        totals = np.full((len(losses), size + 1), np.inf)
        for level, (lost, need) in enumerate(zip(losses, needs, strict=True)):
            if need <= size:
                totals[level, need:] = best[: size + 1 - need] + lost
        taken[row] = totals.argmin(axis=0)
        best = totals.min(axis=0)
    choice, left = np.zeros(len(loss), dtype=np.int64), size
    for row in reversed(range(len(loss))):
        choice[row] = taken[row, left]
        left -= steps[row, choice[row]]
    return choice
