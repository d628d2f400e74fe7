"""What a machine that drifts does to the profiled level: laws on a made-up machine and clock."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from discosim.networks import build
from discosim.runtime.nodes import NodeProcesses
from discosim.validate.drift import MOST_MOVED, Drift, drift, reference_spread, run_spread
from discosim.validate.fit import Line
from discosim.validate.gate import MOST_ASTRAY
from discosim.validate.profiled import Wires, parts_of, predict
from discosim.validate.runs import ROUNDS, MeasuredNodes, Runs
from discosim.validate.timing import NodeRun, Order

USUAL_S = 2e-3
ROW_S = (0.010, 0.030, 0.020)
ORDERS = [Order(kind, 15, 0.5) for kind in ("profile", "serial", "overlapped")]

Speed = Callable[[float, Order], tuple[float, float, float]]
"""At a time and for an order: how many times as long work takes, the reference, and the wait."""


class Machine(MeasuredNodes):
    """Two nodes on a clock of their own, as fast as `speed` says; each run takes a while more."""

    def __init__(self, speed: Speed) -> None:
        super().__init__(build("resnet18/8", (32, 32)), NodeProcesses([]), None)
        self.speed, self.now_s = speed, 0.0

    def run(self, order: Order) -> Runs:
        """Take as many runs as ordered."""
        runs = []
        for _ in range(order.count):
            work, reference, waited = self.speed(self.now_s, order)
            begins = self.now_s + work * np.cumsum([0.0, *ROW_S])
            node = NodeRun(
                float(begins[0]), float(begins[-1]), waited, USUAL_S * reference, (),
                tuple(begins[:-1].tolist()),
            )  # fmt: skip
            runs.append((node, node))
            self.references_s += [USUAL_S * reference] * 2
            self.now_s = float(begins[-1]) + 0.02
        return Runs(order, tuple(runs), (), self.usual_s)


def judged(speed: Speed) -> tuple[float, Drift]:
    """How far the profiled level is off on such a machine, and what is said of its drift."""
    profile, serial, _ = Machine(speed).rounds(ORDERS)
    moved = drift(serial, [profile])
    parts = parts_of(profile, set(), list("abc")).slowed(moved.slowness)
    said = predict(parts, {}, Wires(Line(0, 1, 0)), serial=True, names=list("abc"))
    return said.latency_s / serial.samples.median_s - 1, moved


@given(st.floats(0.2, 5))
def test_a_machine_that_is_slower_throughout_changes_nothing(times: float) -> None:
    error, moved = judged(lambda _now, _order: (times, times, 0.0))
    assert error == pytest.approx(0)
    assert moved.slowness == pytest.approx([1, 1])
    assert moved.moved == pytest.approx(0)
    assert moved.conclusive


@given(st.lists(st.floats(0.5, 2), min_size=ROUNDS, max_size=ROUNDS))
def test_a_drift_that_run_profile_and_reference_share_is_divided_out(times: list[float]) -> None:
    seen: list[Order] = []

    def speed(_now: float, order: Order) -> tuple[float, float, float]:
        seen.append(order)
        turn = min(ROUNDS - 1, (len(seen) - 1) // (3 * len(ORDERS)))  # three runs of each in a turn
        return times[turn], times[turn], 0.0

    error, moved = judged(speed)
    assert error == pytest.approx(0)
    assert moved.conclusive
    assert moved.moved == pytest.approx(0)


@given(st.floats(MOST_MOVED + 0.01, 1) | st.floats(-0.5, -MOST_MOVED - 0.01))
def test_a_reference_that_moved_between_profile_and_run_makes_a_row_inconclusive(
    by: float,
) -> None:
    def speed(_now: float, order: Order) -> tuple[float, float, float]:
        times = 1.0 if order.kind == "profile" else 1.0 + by
        return times, times, 0.0

    error, moved = judged(speed)
    assert not moved.conclusive
    if abs(by) < MOST_ASTRAY - 0.01:  # the runs count, and what moved is divided out
        assert moved.moved == pytest.approx(by)
        assert error == pytest.approx(0)


@given(st.floats(-0.5, 1))
def test_what_the_reference_does_not_show_is_the_models_error(by: float) -> None:
    def speed(_now: float, order: Order) -> tuple[float, float, float]:
        return 1.0 if order.kind == "profile" else 1.0 + by, 1.0, 0.0

    error, moved = judged(speed)
    assert moved.conclusive
    assert error == pytest.approx(1 / (1 + by) - 1)


@given(st.floats(0.3, 3), st.floats(0.1, 0.9))
@example(1.0, 0.5)
def test_beside_a_load_that_comes_and_goes_what_is_conclusive_is_right(
    period_s: float, part: float
) -> None:
    def speed(now: float, _order: Order) -> tuple[float, float, float]:
        loaded = now % period_s < part * period_s
        return (1.9, 1.3, 0.05) if loaded else (1.0, 1.0, 0.0)

    error, moved = judged(speed)
    assert not moved.conclusive or error == pytest.approx(0)
    assert moved.conclusive or (period_s, part) != (1.0, 0.5)


def test_a_load_that_never_goes_leaves_no_conclusion() -> None:
    _, moved = judged(lambda _now, _order: (1.9, 1.3, 0.05))
    assert not moved.enough
    assert not moved.conclusive


@given(st.floats(0, 0.09), st.integers(0, 99))
def test_the_spread_of_the_reference_is_in_the_band(spread: float, seed: int) -> None:
    draw = np.random.default_rng(seed)
    machine = Machine(lambda _now, _order: (1.0, 1.0 + draw.uniform(-spread, spread), 0.0))
    profile, serial, _ = machine.rounds(ORDERS)
    moved = drift(serial, [profile])
    parts = run_spread(serial), reference_spread(serial), reference_spread(profile)
    assert moved.band == pytest.approx(np.sqrt(np.square(parts).sum()))
    assert run_spread(serial) == pytest.approx(0)
    assert moved.band <= 3 * spread + 1e-12
