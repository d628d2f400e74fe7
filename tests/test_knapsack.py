"""The multiple-choice knapsack: three methods, one truth."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import product

import numpy as np
import pytest

from discosim.errors import DiscosimError
from discosim.explore.allocation.knapsack import Problem, Solution, dual, fast
from discosim.explore.allocation.milp import exact
from tests.dynamic import dynamic

pytestmark = pytest.mark.extras

INSTANCES = range(200)


def _instance(seed: int, costs: int = 1) -> tuple[Problem, int]:
    """A random problem with whole costs, and its limit in steps beyond the least cost."""
    rng = np.random.default_rng(seed)
    choices, levels = rng.integers(1, 9), rng.integers(2, 8)
    loss = np.sort(rng.random((choices, levels)), axis=-1)
    cost = np.sort(rng.integers(0, 50, (costs, choices, levels)).astype(float))[..., ::-1]
    if seed % 4 == 0:  # more is not always dearer
        rng.shuffle(cost, axis=-1)
    least, most = cost.min(-1).sum(-1), cost.max(-1).sum(-1)
    room = np.floor(rng.random(costs) * (most - least)) + 1
    return Problem.of(loss, cost, least + room), int(room[0])


def _check(solution: Solution, problem: Problem) -> None:
    assert problem.meets(solution.choice)
    assert solution.loss == pytest.approx(problem.lost(solution.choice))
    assert solution.bound <= solution.loss


@pytest.mark.parametrize("seed", INSTANCES)
def test_exact_equals_dynamic_programming_and_the_certified_gap_holds_it(seed: int) -> None:
    problem, steps = _instance(seed)
    by_milp, by_steps, by_price = exact(problem), dynamic(problem, steps), fast(problem)
    for solution in (by_milp, by_steps, by_price):
        _check(solution, problem)
    assert by_milp.loss == pytest.approx(by_steps.loss, abs=1e-9)
    assert by_steps.bound == pytest.approx(by_steps.loss, abs=1e-12)  # whole steps: exact
    assert by_milp.gap < 1e-9
    assert by_price.bound <= by_milp.loss + 1e-12
    assert by_price.loss >= by_milp.loss - 1e-9


@pytest.mark.parametrize("seed", range(30))
def test_several_limits_against_trying_everything(seed: int) -> None:
    rng = np.random.default_rng(seed)
    loss, cost = rng.random((5, 4)), rng.random((3, 5, 4))
    limit = cost.min(-1).sum(-1) + rng.random(3) * 1.5
    problem = Problem.of(loss, cost, limit)
    rows = np.arange(5)
    within = [
        loss[rows, choice].sum()
        for choice in product(range(4), repeat=5)
        if (cost[:, rows, choice].sum(-1) <= limit).all()
    ]
    if not within:
        with pytest.raises(DiscosimError, match="limits"):
            exact(problem)
        return
    best = exact(problem)
    assert (cost[:, rows, best.choice].sum(-1) <= limit).all()
    assert best.loss == pytest.approx(min(within))
    with suppress(DiscosimError):  # it may find none, and says so
        quick = fast(problem)
        _check(quick, problem)
        assert quick.bound <= min(within) + 1e-12
        assert quick.loss >= min(within) - 1e-12


@pytest.mark.parametrize("seed", range(20))
def test_any_price_bounds_the_least_loss(seed: int) -> None:
    problem, steps = _instance(seed)
    truth = dynamic(problem, steps).loss
    for price in np.random.default_rng(seed).exponential(size=(20, len(problem.limit))):
        assert dual(problem, price)[0] <= truth + 1e-12


@pytest.mark.parametrize("seed", range(20))
def test_costs_between_two_steps_are_held_between_rounding_up_and_down(seed: int) -> None:
    rng = np.random.default_rng(seed)
    loss, cost = np.sort(rng.random((6, 5))), np.sort(rng.random((1, 6, 5)))[..., ::-1]
    problem = Problem.of(loss, cost, cost.min(-1).sum(-1) + 1.0)
    coarse, truth = dynamic(problem, 40), exact(problem).loss
    _check(coarse, problem)
    assert coarse.bound <= truth + 1e-9
    assert coarse.loss >= truth - 1e-9


@pytest.mark.parametrize("method", [exact, fast, dynamic])
def test_limits_at_the_ends(method: Callable[[Problem], Solution]) -> None:
    loss, cost = np.array([[0.0, 1.0], [0.0, 2.0]]), np.array([[[3.0, 1.0], [5.0, 2.0]]])
    solve = partial(dynamic, steps=20_000) if method is dynamic else method
    assert solve(Problem.of(loss, cost, np.array([8.0]))).loss == 0  # does not bind
    tight = Problem.of(loss, cost, np.array([3.0]))  # the least there is
    assert list(solve(tight).choice) == [1, 1]
    assert solve(Problem.of(loss, cost, np.array([7.0]))).loss == 1.0
    with pytest.raises(ValueError, match="limit"):
        Problem.of(loss, cost, np.array([2.9]))


def test_costs_that_cannot_bind_and_repeated_ones_are_left_out() -> None:
    rng = np.random.default_rng(0)
    loss, cost = rng.random((4, 3)), rng.random((1, 4, 3))
    limit = cost.min(-1).sum(-1) + 0.3
    many = np.concatenate([cost, cost, 0.5 * cost])
    problem = Problem.of(loss, many, np.concatenate([limit, limit, limit]))
    assert len(problem.limit) == 1
    assert exact(problem).loss == pytest.approx(exact(Problem.of(loss, cost, limit)).loss)


def test_what_highs_prints_stays_off_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    """Also below Python, and what is printed before and after gets through."""
    print("before", flush=True)
    for seed in range(20):
        exact(_instance(seed)[0])
    print("after", flush=True)
    assert capfd.readouterr() == ("before\nafter\n", "")


def test_a_line_that_c_keeps_in_a_buffer_stays_off_stdout_too() -> None:
    code = (
        "import ctypes; from discosim.explore.allocation.milp import _stdout_discarded\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.puts(b'kept')\n"
        "with _stdout_discarded(): libc.puts(b'stray')\n"
        "libc.puts(b'kept')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert run.stdout == "kept\nkept\n"


def test_without_scipy_the_fast_method_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(DiscosimError, match=r"install scipy; --method fast does without"):
        exact(_instance(1)[0])
