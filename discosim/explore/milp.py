"""The multiple-choice knapsack by mixed-integer programming: HiGHS, through scipy."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from discosim.errors import DiscosimError
from discosim.explore.knapsack import Problem, Solution, dual

PATIENCE_S = 120.0
"""Then the best choice so far is taken, with the bound proven so far."""

LARGE = 1e6
"""Units of a limit and of the largest loss: HiGHS takes 1e-6 for zero."""

ATTEMPTS = 8


def exact(problem: Problem) -> Solution:
    """Return the best choice; its bound equals its loss to rounding, or says what is unproven.

    Raises DiscosimError where scipy is missing or no choice meets all limits.
    """
    try:
        from scipy.optimize import (  # type: ignore[import-untyped]
            Bounds,
            LinearConstraint,
            milp,
        )
    except ImportError:
        raise DiscosimError(
            "--method exact needs scipy: pip install 'discosim[milp]', or use --method fast"
        ) from None
    choices, levels = problem.loss.shape
    free = dual(problem, np.zeros(len(problem.limit)))[1]
    if problem.meets(free):
        return Solution(free, problem.lost(free), problem.lost(free))
    unit = float(np.ptp(problem.loss, axis=-1).max()) / LARGE
    one_each = np.kron(np.eye(choices), np.ones(levels))
    cost = problem.cost.reshape(len(problem.limit), -1) * LARGE
    limit, bound = problem.limit * LARGE, -np.inf
    for _ in range(ATTEMPTS):
        with _stdout_discarded():
            found = milp(
                problem.loss.ravel() / unit,
                integrality=np.ones(choices * levels),
                bounds=Bounds(0, 1),
                constraints=[
                    LinearConstraint(one_each, 1, 1),
                    LinearConstraint(cost, -np.inf, limit),
                ],
                options={"mip_rel_gap": 0.0, "time_limit": PATIENCE_S},
            )
        if found.x is None:
            break
        bound = max(bound, float(found.mip_dual_bound) * unit)
        choice = found.x.reshape(choices, levels).argmax(axis=-1)
        loss = problem.lost(choice)
        over = (problem.used(choice) - problem.limit) * LARGE
        if (over <= 0).all():
            return Solution(choice, loss, min(bound, loss))
        limit = limit - 2 * np.maximum(0.0, over)  # by what HiGHS rounds off
    raise DiscosimError("no plan meets all limits at once; loosen one of them")


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
