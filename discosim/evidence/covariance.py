"""Rows that have something in common, and the linear system of their covariance.

Times of rows deviate together at several levels. A level of few deviations in all comes in by
Woodbury's identity (Golub and Van Loan, Matrix Computations, 2.1.4); what the others join are
blocks, solved one by one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from discosim.graph.table import Floats, Ints

FEW = 5
"""Of as many rows as this, a level of few deviations has at most one."""


@dataclass(frozen=True, eq=False)
class RowBlocks:
    """Which rows are of one group, by level.

    few: the levels of few deviations, each row's group among as many, (N,) and G; blocks: the rows
    that the other levels join, each with whether two of them are of one group, (B, B) by level.
    """

    few: Mapping[str, tuple[Ints, int]]
    blocks: tuple[tuple[Ints, Mapping[str, Floats]], ...]


def row_blocks(groups: Mapping[str, Ints], widths: Mapping[str, int]) -> RowBlocks:
    """Return how rows hang together; groups: (N,) by level; widths: deviations of each group."""
    count = len(next(iter(groups.values())))
    numbers = {level: np.unique(each, return_inverse=True)[1] for level, each in groups.items()}
    few = {level: (each, int(each.max()) + 1) for level, each in numbers.items()
           if widths[level] * (each.max() + 1) * FEW <= count}  # fmt: skip
    other = {level: each for level, each in numbers.items() if level not in few}
    label = np.arange(count)
    while True:
        before = label
        for each in other.values():
            least = np.full(each.max() + 1, count)
            np.minimum.at(least, each, label)
            label = least[each]
        if np.array_equal(before, label):
            break
    blocks = [np.flatnonzero(label == each) for each in np.unique(label)]
    return RowBlocks(few, tuple(
        (rows, {level: (each[rows][:, None] == each[rows]).astype(float)
                for level, each in other.items()})
        for rows in blocks
    ))  # fmt: skip


def solved(of: RowBlocks, near: Mapping[str, Floats], noise: Floats, wanted: Floats) -> Floats:
    """Return what the covariance of rows times it is `wanted`, (N,).

    near: (N, D) by level, what a row takes of its group's deviations; noise: (N,), of rows alone.
    """
    sides = [wanted[:, None]]
    for level, (group, number) in of.few.items():
        spread = np.zeros((len(wanted), number, near[level].shape[1]))
        spread[np.arange(len(wanted)), group] = near[level]
        sides.append(spread.reshape(len(wanted), -1))
    given = np.concatenate(sides, axis=1)
    found = np.zeros_like(given)
    for rows, same in of.blocks:
        covariance = np.diag(noise[rows])
        for level, each in same.items():
            mine = near[level][rows]
            covariance += (mine @ mine.T) * each
        some = np.flatnonzero(given[rows].any(axis=0))  # groups that the block has none of are 0
        found[np.ix_(rows, some)] = np.linalg.solve(covariance, given[np.ix_(rows, some)])
    alone, others = found[:, 0], found[:, 1:]
    spread = given[:, 1:]
    small = np.eye(spread.shape[1]) + spread.T @ others
    result: Floats = alone - others @ np.linalg.solve(small, spread.T @ alone)
    return result
