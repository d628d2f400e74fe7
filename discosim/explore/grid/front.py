"""Pareto fronts: the rows of which no other is at least as good in all and better in one."""

from bisect import bisect_right

import numpy as np

from discosim.graph.table import Bools, Floats, Ints

STEP = 512
"""Rows compared with each other at once."""


def pareto_front(values: Floats) -> Ints:
    """Return which rows of `values` (n, d), less being better, are on the front, in lexical order.

    Of equal rows the first is kept.
    """
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort(values.T[::-1])  # stable: of equal rows the first comes first
    ranked = values[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (ranked[1:] != ranked[:-1]).any(-1)
    order, ranked = order[new], ranked[new]
    if values.shape[1] == 1:
        return order[:1]
    if values.shape[1] == 2:
        least = np.minimum.accumulate(ranked[:, 1])
        kept = np.ones(len(order), dtype=bool)
        kept[1:] = ranked[1:, 1] < least[:-1]
        return order[kept]
    if values.shape[1] == 3:
        return order[_staircase(ranked)]
    front = np.zeros((0, values.shape[1]))
    found = []
    for start in range(0, len(order), STEP):  # who comes later dominates nobody before
        part, at = ranked[start : start + STEP], order[start : start + STEP]
        free = ~dominated(part, front)
        part, at = part[free], at[free]
        free = ~dominated(part, part)
        front = np.concatenate([front, part[free]])
        found.append(at[free])
    return np.concatenate(found)


def _staircase(ranked: Floats) -> Bools:
    """Which of different rows (n, 3) in lexical order no earlier one dominates.

    In the first number none is better than one before it; the least of the other two, so far, are
    steps down, looked up by bisection. Kung, Luccio, Preparata: On Finding the Maxima of a Set of
    Vectors, JACM 22(4), 1975.
    """
    kept = np.zeros(len(ranked), dtype=bool)
    across: list[float] = []
    down: list[float] = []
    for row, (second, third) in enumerate(zip(*ranked[:, 1:].T.tolist(), strict=True)):
        at = bisect_right(across, second)
        if at and down[at - 1] <= third:
            continue
        kept[row] = True
        first = at - 1 if at and across[at - 1] == second else at
        last = first
        while last < len(down) and down[last] >= third:
            last += 1
        across[first:last], down[first:last] = [second], [third]
    return kept


def dominated(values: Floats, by: Floats) -> Bools:
    """Return which rows of `values` (n, d) some row of `by` (m, d) dominates."""
    result = np.zeros(len(values), dtype=bool)
    for start in range(0, len(by), STEP):
        left = np.flatnonzero(~result)
        rows, others = values[left, None, :], by[None, start : start + STEP, :]
        no_worse = (others <= rows).all(-1)
        result[left] = (no_worse & (others < rows).any(-1)).any(-1)
    return result
