"""The multiple-choice knapsack by mixed-integer programming: HiGHS, through scipy."""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Thread
from typing import Any

import numpy as np

from discosim.errors import DiscosimError, require
from discosim.explore.allocation.knapsack import Ints, Problem, Solution, dual

PATIENCE_S = 120.0
"""Then the best choice so far is taken, with the bound proven so far."""

LARGE = 1e6
"""Units of a limit and of the largest loss: HiGHS takes 1e-6 for zero."""

ALIKE = 15
"""Digits to which losses and costs of one kind agree."""

ATTEMPTS = 8


def exact(problem: Problem) -> Solution:
    """Return the best choice; its bound equals its loss to rounding, or says what is unproven.

    Raises DiscosimError where scipy is missing or no choice meets all limits.
    """
    require("--method exact", "scipy", otherwise="--method fast does without")
    from scipy.optimize import Bounds, LinearConstraint, milp  # type: ignore[import-untyped]

    free = dual(problem, np.zeros(len(problem.limit)))[1]
    if problem.meets(free):
        return Solution(free, problem.lost(free), problem.lost(free))
    first, alike, counts = _alike(problem)
    kinds, levels = len(first), problem.loss.shape[1]
    unit = float(np.ptp(problem.loss, axis=-1).max()) / LARGE or 1.0  # nothing may be lost
    of_each = np.kron(np.eye(kinds), np.ones(levels))
    cost = problem.cost[:, first].reshape(len(problem.limit), -1) * LARGE
    limit, bound = problem.limit * LARGE, -np.inf
    for _ in range(ATTEMPTS):
        solve = partial(
            milp,
            problem.loss[first].ravel() / unit,
            integrality=np.ones(kinds * levels),
            bounds=Bounds(0, np.repeat(counts, levels)),
            constraints=[
                LinearConstraint(of_each, counts, counts),
                LinearConstraint(cost, -np.inf, limit),
            ],
            options={"mip_rel_gap": 0.0, "time_limit": PATIENCE_S},
        )
        with _stdout_discarded():
            found = _interruptible(solve)
        if found.x is None:
            break
        bound = max(bound, float(found.mip_dual_bound) * unit)
        choice = _dealt(np.rint(found.x).astype(np.int64).reshape(kinds, levels), alike)
        loss = problem.lost(choice)
        over = (problem.used(choice) - problem.limit) * LARGE
        if (over <= 0).all():
            return Solution(choice, loss, min(bound, loss))
        limit = limit - 2 * np.maximum(0.0, over)  # by what HiGHS rounds off
    raise DiscosimError("no plan meets all limits at once; loosen one of them")


def _alike(problem: Problem) -> tuple[Ints, Ints, Ints]:
    """The first choice of each kind, the kind of each choice, and how many there are of each.

    Choices of equal losses and costs can change places: the solver takes how many take a level.
    """
    choices = len(problem.loss)
    rows = np.column_stack([problem.loss, *problem.cost]).round(ALIKE)
    _, first, kind, counts = np.unique(
        rows, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    return first, kind.reshape(choices), counts


def _dealt(counts: Ints, kind: Ints) -> Ints:
    """A level of each choice from how many of its kind take each level."""
    choice = np.empty(len(kind), dtype=np.int64)
    for each, of_level in enumerate(counts):
        choice[kind == each] = np.repeat(np.arange(len(of_level)), of_level)
    return choice


def _interruptible(work: Callable[[], Any]) -> Any:
    """Return what `work` returns; Ctrl-C need not wait for it, as it would for C called here."""
    results: list[Any] = []
    faults: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as fault:
            faults.append(fault)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    if faults:
        raise faults[0]
    return results[0]


@contextmanager
def _stdout_discarded() -> Iterator[None]:
    """Discard what a library writes on the process's standard output past Python."""
    try:
        kept = os.dup(1)
    except OSError:  # it is closed: nothing can get there
        yield
        return
    libc = ctypes.CDLL(None)
    libc.fflush(None)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        libc.fflush(None)  # before the output is back: C keeps lines in a buffer of its own
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
