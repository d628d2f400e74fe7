"""Measured runs: the schedule of the profiled level, the judgement, and a run from end to end."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discosim.cli.app import run
from discosim.errors import DiscosimError
from discosim.report.validate_plot import draw_validation
from discosim.validate.compare import LEVELS, Question, validate
from discosim.validate.fit import Line
from discosim.validate.judge import counts_exact, held_out, mean_error, order_right
from discosim.validate.link import NoLinkError, link_between, shaped_link
from discosim.validate.profiled import (
    Parts,
    between,
    measured_events,
    parts_of,
    predict,
    traffic_of,
)
from discosim.validate.runs import NodeRun, Runs, median_rows
from discosim.validate.wires import Mark, NoWire, Paced, Watched
from discosim.validate.worker import Order
from tests.test_link import MARK, PATIENCE_S, _processes, _wait
from tests.test_timeline_trace import _check_format

TIMES = st.floats(0, 10)
SMALL = ["--model", "resnet18/8", "--input", "32", "--runs", "3", "--seconds", "0.2"]


# The schedule of the profiled level


@st.composite
def parts(draw: st.DrawFn, nodes: int = 2, rows: int = 4) -> Parts:
    def times() -> np.ndarray:
        return np.array([[draw(TIMES)] * rows] * nodes) + np.arange(rows) * draw(TIMES)

    return Parts(times(), times(), times())


@given(parts(), st.lists(st.floats(0, 1e6), min_size=4, max_size=4), st.floats(0, 1))
def test_alike_nodes_follow_the_closed_form(work: Parts, sent: list[float], alpha: float) -> None:
    traffic = {row: {(0, 1): n, (1, 0): n} for row, n in enumerate(sent)}
    link, names = Line(alpha, 1e5, 0.0), list("abcd")
    comm = alpha + np.maximum(0, np.array(sent) - 100) / 1e5
    front, beside, after = (each[0] for each in (work.front_s, work.beside_s, work.after_s))
    serial, overlapped = (
        predict(work, traffic, link, 100, serial=serial, names=names) for serial in (True, False)
    )
    assert serial.latency_s == pytest.approx((front + comm + beside + after).sum())
    assert overlapped.latency_s == pytest.approx((front + np.maximum(comm, beside) + after).sum())
    assert serial.row_s == pytest.approx(front + comm + beside + after)
    assert overlapped.row_s.sum() == pytest.approx(overlapped.latency_s)
    carried = sum(event.nbytes for event in serial.events)
    assert carried == pytest.approx(2 * sum(sent))


@given(parts(nodes=3), st.booleans())
def test_without_messages_there_is_only_computation(work: Parts, serial: bool) -> None:
    found = predict(work, {}, Line(1.0, 1.0, 0.0), 0, serial=serial, names=list("abcd"))
    total = work.front_s + work.beside_s + work.after_s
    assert found.latency_s == pytest.approx(total.sum(-1).max())


@given(parts(), parts(), st.floats(0, 1))
def test_between_two_profiles_lie_straight_lines(low: Parts, high: Parts, s_comm: float) -> None:
    profiles = {0.0: low, 1.0: high}
    for s, known in profiles.items():
        assert between(profiles, s).beside_s == pytest.approx(known.beside_s)
    line = between(profiles, s_comm)
    assert line.after_s == pytest.approx((1 - s_comm) * low.after_s + s_comm * high.after_s)


def test_the_nearest_two_profiles_count() -> None:
    three = {s: Parts(*[np.full((2, 1), value)] * 3) for s, value in ((0, 8.0), (0.9, 2), (1, 1))}
    assert between(three, 0.45).front_s[0, 0] == pytest.approx(5)
    assert between(three, 0.95).front_s[0, 0] == pytest.approx(1.5)


# Runs


def _run(begin: float, marks: list[Mark], delay: float = 0.0) -> NodeRun:
    """Three rows, of one second, of two, and of the rest up to six."""
    moved = tuple(Mark(m.row, *(begin + t for t in m[1:])) for m in marks)
    return NodeRun(begin, begin + 6, delay, moved, (begin, begin + 1, begin + 3))


MARKS = [Mark(1, 1.25, 1.5, 2.0, 2.75)]


def _runs(delays: list[float], marks: list[Mark] | None = None) -> Runs:
    chosen = MARKS if marks is None else marks
    runs = tuple((_run(10.0 * i, chosen, d), _run(10.0 * i, chosen)) for i, d in enumerate(delays))
    messages = (("b", "features", 0, 1, 7), ("b", "features", 1, 0, 9), ("b", "x", 0, 1, 1))
    return Runs(Order("serial", 0.5, len(delays)), runs, messages)


def test_a_row_is_divided_by_its_exchange() -> None:
    rows = median_rows([run[0] for run in _runs([0, 0, 0]).runs])
    assert rows.exchanges == {1}
    assert rows.front_s.tolist() == [0, 0.25, 0]
    assert rows.beside_s.tolist() == [0, 0.5, 0]
    assert rows.waits_s.tolist() == [0, 1.0, 0]
    assert rows.after_s.tolist() == [1, 0.25, 3]
    assert rows.total_s.tolist() == [1, 2, 3]


def test_a_row_that_keeps_nothing_needs_nothing() -> None:
    work = parts_of(_runs([0, 0, 0], []), {1})
    assert work.after_s.tolist() == [[1, 0, 3]] * 2
    assert work.beside_s.tolist() == [[0, 2, 0]] * 2


def test_runs_that_waited_for_a_core_are_refused() -> None:
    runs = _runs([0, 1, 0, 0, 2])
    assert runs.quiet == [True, False, True, True, False]
    assert (runs.samples.refused, runs.samples.conclusive) == (2, True)
    assert len(runs.counted) == 3
    busy = _runs([1, 1, 0])
    assert not busy.samples.conclusive
    assert len(busy.counted) == len(busy.samples.seconds) == 3


def test_measured_events_fill_the_run() -> None:
    events = measured_events(_runs([0, 0, 0]), list("abc"))
    assert traffic_of(_runs([0]), list("abc")) == {1: {(0, 1): 8.0, (1, 0): 9.0}}
    for node in range(2):
        own = [e for e in events if e.track == f"node {node}"]
        assert sum(e.end_s - e.begin_s for e in own) == pytest.approx(5.0)  # 1 s of waiting
        assert all(b.begin_s >= a.end_s for a, b in pairwise(own))
    assert sum(e.nbytes for e in events) == 17


class _Slow:
    """A wire on which an exchange takes until it is waited for."""

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock

    def exchange(self, row: int, sends: Any, receives: Any) -> Callable[[], None]:
        self.clock[0] += 1

        def wait() -> None:
            self.clock[0] += 10

        return wait


@pytest.mark.parametrize(
    ("serial", "mark"), [(True, Mark(4, 0, 11, 14, 14)), (False, Mark(4, 0, 1, 4, 14))]
)
def test_a_watched_wire_says_when_it_waited(serial: bool, mark: Mark) -> None:
    clock = [0.0]
    wire = Watched(_Slow(clock), lambda: clock[0])
    wire.serial = serial
    wait = wire.exchange(4, {}, {})
    clock[0] += 3  # computes
    wait()
    assert wire.marks == [mark]


def test_without_a_network_what_is_received_is_finite() -> None:
    import torch

    buffer = torch.full((2, 3), float("nan"))
    NoWire().exchange(0, {}, {1: buffer})()
    assert torch.isfinite(buffer).all()


class _Loopback:
    """Both ends of a wire: what is sent to a node is what is received from it, at once."""

    def exchange(self, row: int, sends: Any, receives: Any) -> Callable[[], None]:
        for node, buffer in receives.items():
            buffer.copy_(sends[node])
        return lambda: None


def test_a_paced_message_takes_what_the_bandwidth_asks() -> None:
    import torch

    clock: list[float] = [100.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    wire = Paced(_Loopback(), 1000.0, lambda: clock[0], sleep)
    data, buffer = torch.ones(250), torch.zeros(250)  # 1000 bytes: a second
    wait = wire.exchange(0, {1: data}, {1: buffer})
    clock[0] += 0.25
    wait()
    assert slept == [pytest.approx(0.75)]
    assert buffer.equal(data)
    first = wire.exchange(1, {1: data}, {1: buffer})
    second = wire.exchange(2, {1: data}, {1: buffer})
    first()
    second()
    assert clock[0] == pytest.approx(103.0)  # one behind the other
    wire.exchange(3, {}, {})()
    assert clock[0] == pytest.approx(103.0)


def test_without_namespaces_the_nodes_hold_messages_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("discosim.validate.link.TOOLS", ("no-such-tool",))
    with pytest.raises(NoLinkError), shaped_link(2, 1e6):
        pass
    asked = Question("resnet18/8", (32, 32), 2, 1e6, (0.5,), ("none",), 3, 0.3)
    found = validate(asked)
    assert "held back" in found.about["link"]
    assert counts_exact(found.records)
    sent = found.records[0]["bytes"] / 2
    assert found.records[0]["measured_s"] > 0.9 * sent / 1e6


# The judgement


def _records(pairs: list[tuple[float, float]], held: bool = True) -> list[dict[str, Any]]:
    return [
        {"level": "paper", "measured_s": m, "predicted_s": p, "error": p / m - 1, "held_out": held}
        for m, p in pairs
    ]


def test_the_order_is_judged_where_it_can_be() -> None:
    records = _records([(1.0, 1.1), (2.0, 2.2), (2.05, 1.9), (4.0, 1.0)])
    assert mean_error(records, "paper") == pytest.approx((0.1 + 0.1 + 0.15 / 2.05 + 0.75) / 4)
    right, total = order_right(records, "paper")
    assert total == 5  # 2.0 and 2.05 are too near to tell
    assert right == 2
    assert np.isnan(mean_error(records, "profiled"))
    assert held_out([*records, *_records([(1, 1)], held=False)]) == records


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=6))
def test_a_perfect_prediction_orders_all_right(times: list[float]) -> None:
    right, total = order_right(_records([(t, t) for t in times]), "paper")
    assert right == total


# From end to end


@pytest.fixture(scope="module")
def small() -> Any:
    return validate(
        Question("resnet18/8", (32, 32), 2, 37.5e6, (0.5, 1.0), ("none", "layer"), 3, 0.3)
    )


def test_bytes_and_messages_are_the_models(small: Any) -> None:
    assert counts_exact(small.records)
    assert {r["bytes"] for r in small.records if r["s_comm"] == 0.5} != {0}
    wrong = [dict(record, bytes=record["bytes"] + 1) for record in small.records]
    assert not counts_exact(wrong)


def test_every_configuration_is_predicted_at_three_levels(small: Any) -> None:
    assert len(small.records) == 2 * 2 * len(LEVELS)
    for record in small.records:
        assert record["measured_s"] > 0
        assert record["predicted_s"] > 0
        assert record["held_out"] == (record["s_comm"] == 0.5)
        assert record["error"] == pytest.approx(record["predicted_s"] / record["measured_s"] - 1)
    assert {row["layer"] for row in small.rows} >= {"conv1", "layer1.0.conv1", "fc"}


def test_the_picture_shows_all_records(small: Any) -> None:
    figure = draw_validation(
        pd.DataFrame(list(small.records)), pd.DataFrame(list(small.rows)), "a title"
    )
    left, right = figure.axes
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len([w for w in words if "serial" in w or "overlapped" in w]) == 2 * len(LEVELS)
    assert "predicted" in left.get_ylabel()
    assert len(right.get_lines()) == 3


def test_the_command_writes_what_it_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {flag: tmp_path / name for flag, name in
             (("-o", "a.json"), ("--trace", "t.json"), ("--plot", "p.png"))}  # fmt: skip
    words = ["discosim", "validate", *SMALL, "--s-comm", "0.5"]
    monkeypatch.setattr(sys, "argv", [*words, *(str(w) for pair in paths.items() for w in pair)])
    assert run() == 0
    out = capsys.readouterr().out
    assert "on the wire are the model's, exactly" in out
    document = json.loads(paths["-o"].read_text())
    assert document["command"].startswith("discosim validate --model resnet18/8")
    fields = {"model", "nodes", "s_comm", "overlap", "level", "measured_s", "predicted_s", "error"}
    assert all(fields <= set(record) for record in document["records"])
    assert {"refused", "counted", "conclusive"} <= set(document["records"][0])
    assert _check_format(json.loads(paths["--trace"].read_text()))
    assert paths["--plot"].stat().st_size > 10_000


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_of_a_run_that_is_ended(ending: signal.Signals) -> None:
    mark = uuid.uuid4().hex
    words = [sys.executable, "-m", "discosim", "validate", *SMALL, "--seconds", "60"]
    process = subprocess.Popen(
        words, env={**os.environ, MARK: mark}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        assert _wait(lambda: len(_processes(mark)) >= 4)  # the keeper, the nodes, the echo
        time.sleep(0.1)
        process.send_signal(ending)
        _, said = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == (130 if ending == signal.SIGINT else -ending)
        assert b"Traceback" not in said
        assert _wait(lambda: not _processes(mark)), "processes are left"
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--overlap", "ideal"], "wanted none or layer"),
        (["--nodes", "1"], "has 2 or more"),
        (["--nodes", "2,3"], "--nodes takes one value"),
        (["--nodes", "40"], "wanted 2 to 16"),
        (["-o", "out.csv"], "wanted a suffix of .json"),
        (["--trace", "out.txt"], "wanted a suffix of .json"),
        (["--plot", "out.txt"], "wanted a suffix"),
        (["--bw", "37.5"], "has no unit"),
        (["--runs", "1"], "3<=x<=1000"),
        (["--model", "resnet5"], "did you mean"),
    ],
)
def test_a_mistake_is_answered_in_one_line(
    words: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["discosim", "validate", *SMALL, *words])
    assert run() == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err
    assert captured.err.count("\n") == 1


def test_a_node_that_dies_is_an_error_and_not_a_hang() -> None:
    from discosim.validate.runs import split_network

    with link_between(2, 37.5e6) as link, split_network("resnet18/8", 2, link, (32, 32)) as nodes:
        nodes.processes[1].kill()
        nodes.processes[1].wait()
        with pytest.raises(DiscosimError, match=r"node [01]"):
            nodes.run(Order("serial", 0.5, 1))
