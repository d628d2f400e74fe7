"""Measured runs: the schedule of the profiled level, the judgement, and a run from end to end."""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import discosim as ds
from discosim.cli.app import run
from discosim.door.validate import Validated
from discosim.errors import DiscosimError
from discosim.evidence.fitting import split_of
from discosim.evidence.measured import read_measured
from discosim.hardware import load_profile
from discosim.hardware.toml import to_toml
from discosim.networks import build
from discosim.report.validate import draw_validation
from discosim.runtime.nodes import NodeProcesses
from discosim.runtime.wire import SentMessage
from discosim.validate import link as link_module
from discosim.validate import probes as probes_module
from discosim.validate import runs as runs_module
from discosim.validate.calibration import RUNTIME, this_machine
from discosim.validate.compare import validate
from discosim.validate.fit import Line
from discosim.validate.judge import counts_exact, held_out, mean_error, order_right
from discosim.validate.levels import LEVELS, Question
from discosim.validate.link import NoLinkError, links_between, shaped_links
from discosim.validate.profiled import (
    Parts,
    Wires,
    between,
    measured_events,
    parts_of,
    predict,
    traffic_of,
)
from discosim.validate.records import MeasuredRecord, ValidationFile
from discosim.validate.runs import ROUNDS, TRIES, MeasuredNodes, Runs, measured_nodes, row_parts
from discosim.validate.timing import NodeRun, Order
from discosim.validate.wires import Mark, NoWire, Paced, Watched
from tests.test_link import started, until_started
from tests.test_timeline_trace import _check_format

pytestmark = pytest.mark.extras

TIMES = st.floats(0, 10)
MEASURED = sorted((Path(__file__).parents[1] / "experiments/measured").glob("validate-*.json"))
SMALL = ["--model", "resnet18/8", "--input", "32", "--runs", "3"]


# The schedule of the profiled level


@st.composite
def parts(draw: st.DrawFn, nodes: int = 2, rows: int = 4, runs: int = 1) -> Parts:
    def times() -> np.ndarray:
        flat = np.array([[[draw(TIMES)] * rows] * nodes] * runs)
        return flat + np.arange(rows) * draw(TIMES)

    return Parts(times(), times(), times())


@given(parts(), st.lists(st.floats(0, 1e6), min_size=4, max_size=4), st.floats(0, 1))
def test_alike_nodes_follow_the_closed_form(work: Parts, sent: list[float], alpha: float) -> None:
    traffic = {row: {(0, 1): n, (1, 0): n} for row, n in enumerate(sent)}
    wires, names = Wires(Line(alpha, 1e5, 0.0)), list("abcd")
    comm = alpha + np.array(sent) / 1e5
    front, beside, after = (each[0, 0] for each in (work.front_s, work.beside_s, work.after_s))
    serial, overlapped = (
        predict(work, traffic, wires, serial=serial, names=names) for serial in (True, False)
    )
    assert serial.latency_s == pytest.approx((front + comm + beside + after).sum())
    assert overlapped.latency_s == pytest.approx((front + np.maximum(comm, beside) + after).sum())
    assert serial.row_s == pytest.approx(front + comm + beside + after)
    assert overlapped.row_s.sum() == pytest.approx(overlapped.latency_s)
    carried = sum(event.nbytes for event in serial.events)
    assert carried == pytest.approx(2 * sum(sent))


@given(parts(nodes=3), st.booleans())
def test_without_messages_there_is_only_computation(work: Parts, serial: bool) -> None:
    wires = Wires(Line(1.0, 1.0, 0.0), drag=2.0)
    found = predict(work, {}, wires, serial=serial, names=list("abcd"))
    total = work.front_s + work.beside_s + work.after_s
    assert found.latency_s == pytest.approx(total.sum(-1).max())


def _one_row(beside: float, nbytes: float, wires: Wires, serial: bool = False) -> float:
    none = np.zeros((1, 2, 1))
    traffic = {0: {(0, 1): nbytes, (1, 0): nbytes}}
    parts = Parts(none, none + beside, none)
    return predict(parts, traffic, wires, serial=serial, names=["a"]).latency_s


@given(st.floats(0, 10), st.floats(0, 10), st.floats(1, 5))
def test_messages_slow_down_what_is_computed_beside_them(
    beside: float, comm: float, drag: float
) -> None:
    took = _one_row(beside, comm, Wires(Line(0.0, 1.0, 0.0), drag=drag))
    if beside * drag <= comm:
        assert took == pytest.approx(comm)
    else:  # the same work: some of it slowly, the rest not
        assert comm / drag + (took - comm) == pytest.approx(beside)
    assert _one_row(beside, comm, Wires(Line(0.0, 1.0, 0.0), drag=drag), True) == pytest.approx(
        beside + comm
    )


@given(st.floats(0, 30), st.floats(0, 30), st.floats(0, 20))
def test_a_bucket_lets_pass_what_has_flown_in(first: float, second: float, pause: float) -> None:
    burst, rate = 10, 2.0
    front = np.zeros((1, 2, 2))
    front[0, :, 1] = pause
    none = np.zeros_like(front)
    traffic = {0: {(0, 1): first}, 1: {(0, 1): second}}
    wires = Wires(Line(0.0, rate, 0.0), burst)
    found = predict(Parts(front, none, none), traffic, wires, serial=True, names=["a", "b"])
    one, other = [(e.begin_s, e.end_s) for e in found.events if e.kind == "message"]
    assert one[1] == pytest.approx(max(0, first - burst) / rate)
    left = max(0.0, burst - first)
    had = min(burst, left + rate * (other[0] - one[1]))
    assert other[1] - other[0] == pytest.approx(max(0.0, second - had) / rate)


@given(parts(runs=3))
def test_the_median_run_is_told(work: Parts) -> None:
    found = predict(work, {}, Wires(Line(0, 1, 0)), serial=True, names=list("abcd"))
    totals = (work.front_s + work.beside_s + work.after_s).sum(-1).max(-1)
    assert found.latency_s == pytest.approx(np.median(totals))


@given(parts(runs=2), parts(runs=3), st.floats(0, 1))
def test_between_two_profiles_lie_straight_lines(low: Parts, high: Parts, s_comm: float) -> None:
    profiles = {0.0: low, 1.0: high}
    for s, known in profiles.items():
        assert between(profiles, s, set()).beside_s == pytest.approx(known.beside_s[:2])
    line = between(profiles, s_comm, set())
    assert line.after_s == pytest.approx((1 - s_comm) * low.after_s + s_comm * high.after_s[:2])


def _constant(value: float, exchanges: frozenset[int] = frozenset()) -> Parts:
    return Parts(*[np.full((1, 2, 2), value)] * 3, exchanges)


def test_the_nearest_two_profiles_count() -> None:
    three = {s: _constant(v) for s, v in ((0, 8.0), (0.9, 2), (1, 1))}
    assert between(three, 0.45, set()).front_s[0, 0, 0] == pytest.approx(5)
    assert between(three, 0.95, set()).front_s[0, 0, 0] == pytest.approx(1.5)


def test_a_row_with_an_exchange_is_like_those_with_one() -> None:
    one = frozenset({1})
    three = {0.0: _constant(11.0, one), 0.9: _constant(2.0, one), 1.0: _constant(0.1)}
    plain, exchanges = between(three, 0.95, {1}).beside_s[0, 0]
    assert plain == pytest.approx(1.05)  # between 0.9 and 1
    assert exchanges == pytest.approx(1.5)  # on the line through 0 and 0.9
    assert between(three, 0.95, set()).beside_s[0, 0].tolist() == pytest.approx([1.05, 0.1])
    assert between(three, 1.0, {1}).beside_s.min() >= 0


# Runs


USUAL_S = 2e-3


def _run(begin: float, marks: list[Mark], delay: float, reference_s: float) -> NodeRun:
    """Three rows, of one second, of two, and of the rest up to six."""
    moved = tuple(Mark(m.row, *(begin + t for t in m[1:])) for m in marks)
    return NodeRun(begin, begin + 6, delay, reference_s, moved, (begin, begin + 1, begin + 3))


MARKS = [Mark(1, 1.25, 1.5, 2.0, 2.75)]


def _runs(
    delays: list[float], marks: list[Mark] | None = None, slower: dict[int, float] | None = None
) -> Runs:
    chosen = MARKS if marks is None else marks
    runs = tuple(
        (
            _run(10.0 * i, chosen, delay, USUAL_S),
            _run(10.0 * i, chosen, 0.0, USUAL_S * (slower or {}).get(i, 1.0)),
        )
        for i, delay in enumerate(delays)
    )
    sent = (("features", 0, 1, 7), ("features", 1, 0, 9), ("gather", 0, 1, 1))
    messages = tuple(SentMessage("b", *each) for each in sent)
    return Runs(Order("serial", len(delays), 0.5), runs, messages, USUAL_S)


def test_a_row_is_divided_by_its_exchange() -> None:
    front, beside, waits, after = row_parts(_runs([0]).runs[0][0]).tolist()
    assert front == [0, 0.25, 0]
    assert beside == [0, 0.5, 0]
    assert waits == [0, 1.0, 0]
    assert after == [1, 0.25, 3]


def test_a_row_that_keeps_nothing_needs_nothing() -> None:
    runs = _runs([0, 0, 0], [])
    work = parts_of(replace(runs, messages=()), {1}, list("abc"))
    assert work.exchanges == frozenset()
    assert parts_of(runs, {1}, list("abc")).exchanges == {1}
    assert work.after_s.tolist() == [[[1, 0, 3]] * 2] * 3
    assert work.beside_s.tolist() == [[[0, 2, 0]] * 2] * 3


def test_runs_that_waited_for_a_core_are_refused() -> None:
    runs = _runs([0, 1, 0, 0, 2])
    assert runs.quiet == [True, False, True, True, False]
    assert (runs.samples.refused, runs.samples.conclusive) == (2, True)
    assert len(runs.counted) == 3
    busy = _runs([1, 1, 0])
    assert not busy.samples.conclusive
    assert len(busy.counted) == len(busy.samples.seconds) == 3


def test_runs_at_an_unusual_speed_are_refused() -> None:
    runs = _runs([0] * 5, slower={1: 1.2, 3: 0.85, 4: 1.05})
    assert runs.quiet == [True, False, True, False, True]


def test_rounds_go_on_until_enough_runs_are_steady() -> None:
    steady, busy = Order("serial", 6, 0.5), Order("serial", 6, 0.9)
    asked: list[tuple[float, int]] = []

    class Made(MeasuredNodes):
        def run(self, order: Order) -> Runs:
            asked.append((order.s_comm, order.count))
            delay = 0.0 if order.s_comm == 0.5 else 1.0
            self.references_s.append(USUAL_S)
            return replace(_runs([delay] * order.count), order=order)

    steps: list[tuple[int, int]] = []
    found = Made(build("resnet18/8", (32, 32)), NodeProcesses([]), None).rounds(
        [steady, busy], lambda *done: steps.append(done)
    )
    assert [runs.order for runs in found] == [steady, busy]
    assert len(found[0].runs) == 6
    assert len(found[1].runs) == 6 * TRIES
    turns = [(s, count) for count in (1, 1, 1, 1, 2) for s in (0.5, 0.9)]
    assert asked[: 2 * ROUNDS] == turns
    assert asked[2 * ROUNDS :] == [turn for turn in turns if turn[0] == 0.9] * (TRIES - 1)
    assert steps[0] == (1, 2 * ROUNDS)
    assert steps[2 * ROUNDS] == (2 * ROUNDS + 1, (1 + TRIES) * ROUNDS)
    assert steps[-1] == ((1 + TRIES) * ROUNDS,) * 2
    assert [runs.samples.conclusive for runs in found] == [True, False]


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
    wire = Watched(_Slow(clock), serial=serial, clock=lambda: clock[0])
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


def test_where_there_are_no_namespaces_the_nodes_hold_messages_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_module, "TOOLS", ("no-such-tool",))
    with pytest.raises(NoLinkError), shaped_links(2, 1e6):
        pass
    network = build("resnet18/8", (32, 32))
    with links_between(2, 1e6) as links, measured_nodes(network, 2, links) as nodes:
        assert "held back" in links.how
        messages, run = nodes.run(Order("messages", 1, size=50_000)), nodes.run(Order("serial", 1))
    assert messages.seconds.min() >= 0.05
    assert run.seconds.min() >= sum(message.nbytes for message in run.messages) / 2 / 1e6
    assert 0 < run.off < 1e-5


# The judgement


def _records(
    pairs: list[tuple[float, float]],
    held: bool = True,
    spread: float = 0.0,
    conclusive: bool = True,
) -> list[MeasuredRecord]:
    what = {"level": "paper", "held_out": held, "spread": spread, "conclusive": conclusive}
    return [MeasuredRecord.model_construct(measured_s=m, predicted_s=p, **what) for m, p in pairs]


@pytest.mark.parametrize("path", MEASURED, ids=lambda path: path.stem)
def test_what_is_kept_is_read_and_written_as_it_was(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ValidationFile.model_validate_json(text).to_json() == text


def test_the_order_is_judged_where_it_can_be() -> None:
    records = _records([(1.0, 1.1), (2.0, 2.2), (2.05, 1.9), (4.0, 1.0)])
    assert mean_error(records, "paper") == pytest.approx((0.1 + 0.1 + 0.15 / 2.05 + 0.75) / 4)
    right, total = order_right(records, "paper")
    assert total == 5  # 2.0 and 2.05 are too near to tell
    assert right == 2
    assert np.isnan(mean_error(records, "profiled"))
    assert held_out([*records, *_records([(1, 1)], held=False)]) == records


def test_inconclusive_records_are_left_out_where_others_are_not() -> None:
    sure, unsure = _records([(1.0, 1.1), (2.0, 2.2)]), _records([(4.0, 1.0)], conclusive=False)
    assert mean_error([*sure, *unsure], "paper") == pytest.approx(0.1)
    assert order_right([*sure, *unsure], "paper") == (1, 1)
    assert mean_error(unsure, "paper") == pytest.approx(0.75)


def test_pairs_whose_order_the_runs_do_not_tell_are_not_judged() -> None:
    pairs = [(1.0, 1.0), (1.1, 1.0)]
    assert order_right(_records(pairs, spread=0.01), "paper") == (0, 1)
    assert order_right(_records(pairs, spread=0.06), "paper") == (0, 0)


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=6))
def test_a_perfect_prediction_orders_all_right(times: list[float]) -> None:
    right, total = order_right(_records([(t, t) for t in times]), "paper")
    assert right == total


# From end to end


@pytest.fixture(scope="module")
def small() -> Any:
    """One turn, no patience, few and small probes: what was measured says nothing here."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"TRIES": 1, "ROUNDS": 1, "PATIENCE_S": 0.0}.items():
            patch.setattr(runs_module, name, value)
        patch.setattr(probes_module, "STAGES", ((56, 4), (28, 8)))
        patch.setattr(probes_module, "WIDTHS", ((16, 2), (32, 2)))
        return validate(
            Question(
                "resnet18/8",
                (32, 32),
                2,
                37.5e6,
                (0.5, 1.0),
                ("none", "layer"),
                3,
                ("disco", "single", "paired"),
            )
        )


def test_bytes_and_messages_are_the_models(small: Any) -> None:
    assert counts_exact(small.records)
    assert {r.bytes for r in small.records if r.s_comm == 0.5} != {0}
    assert {r.bytes for r in small.records if r.strategy == "single"} == {0}
    assert 0 not in {r.bytes for r in small.records if r.strategy == "paired"}
    off = {record.output_error for record in small.records}
    assert 0 < max(off) < 1e-5
    wrong = [r.model_copy(update={"bytes": r.bytes + 1}) for r in small.records]
    assert not counts_exact(wrong)


def test_every_configuration_is_predicted_at_three_levels(small: Any) -> None:
    assert len(small.records) == (2 + 2) * 2 * len(LEVELS)
    for record in small.records:
        assert record.measured_s > 0
        assert record.predicted_s > 0
        assert record.held_out == (record.s_comm == 0.5)
        assert record.error == pytest.approx(record.predicted_s / record.measured_s - 1)
    assert {row.layer for row in small.rows} >= {"conv1", "layer1.0.conv1", "fc"}


def _frame(records: Any) -> pd.DataFrame:
    return pd.DataFrame([record.model_dump() for record in records])


def test_the_picture_shows_all_records(small: Any) -> None:
    figure = draw_validation(_frame(small.records), _frame(small.rows), "a title")
    left, right = figure.axes
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    named = {f"{what}, {how}" for what in (*LEVELS, "layers") for how in ("serial", "overlapped")}
    assert named <= set(words)
    assert "predicted" in left.get_ylabel()
    assert len(right.get_lines()) == 3


def test_the_command_writes_what_it_measured(
    small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("discosim.door.validate.validated", lambda *_: small)
    paths = {flag: tmp_path / name for flag, name in
             (("-o", "a.json"), ("--trace", "t.json"), ("--plot", "p.png"))}  # fmt: skip
    words = ["discosim", "validate", *SMALL, "--s-comm", "0.5"]
    monkeypatch.setattr(sys, "argv", [*words, *(str(w) for pair in paths.items() for w in pair)])
    assert run() == 0
    out = capsys.readouterr().out
    assert "on the wire are the model's, exactly" in out
    document = json.loads(paths["-o"].read_text(encoding="utf-8"))
    assert document["command"].startswith("discosim validate --model resnet18/8")
    fields = {"model", "nodes", "s_comm", "overlap", "level", "measured_s", "predicted_s", "error"}
    assert all(fields <= set(record) for record in document["records"])
    assert {"refused", "counted", "conclusive"} <= set(document["records"][0])
    assert _check_format(json.loads(paths["--trace"].read_text(encoding="utf-8")))
    assert paths["--plot"].stat().st_size > 10_000


def test_nothing_is_left_of_a_command_that_is_ended() -> None:
    """The program, a server and a tracker of multiprocessing, two nodes; maybe links as well."""
    with started("-m", "discosim", "validate", *SMALL, "--runs", "1000") as (process, mark):
        until_started(process, mark, 5)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()  # until all have ended
        assert process.wait() == 130


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--overlap", "ideal"], "wanted none or layer"),
        (["--nodes", "1"], "has 2 or more"),
        (["--nodes", "2,3"], "--nodes takes one value"),
        (["--nodes", "40"], "wanted 2 to 16"),
        (["-o", "out.txt"], "wanted a suffix of .json, .csv"),
        (["--trace", "out.txt"], "wanted a suffix of .json"),
        (["--plot", "out.txt"], "wanted a suffix"),
        (["--bw", "37.5"], "has no unit"),
        (["--bw", "10B/s"], "over 10 B/s the messages of all runs take"),
        (["--runs", "1"], "3<=x<=1000"),
        (["--model", "resnet5"], "did you mean"),
        (["--strategy", "rosw"], "did you mean rows"),
        (["--strategy", "rows,pipeline"], "no run executes pipeline; wanted one of disco"),
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
    with (
        links_between(2, 37.5e6) as links,
        measured_nodes(build("resnet18/8", (32, 32)), 2, links) as nodes,
    ):
        os.kill(nodes.processes.pids[1], signal.SIGKILL)
        with pytest.raises(DiscosimError, match=r"node 1 .* was ended by SIGKILL"):
            nodes.run(Order("serial", 1, 0.5))


def test_times_are_rows_that_evidence_predicts(small: Any, tmp_path: Path) -> None:
    sure = [r.model_copy(update={"conclusive": r.s_comm != 1.0}) for r in small.records]
    question = Question("resnet18/8", (32, 32), 2, 37.5e6, (0.5, 1.0), ("none", "layer"), 3)
    path = tmp_path / "times.csv"
    Validated(question=question, found=replace(small, records=tuple(sure))).save(path)
    rows = read_measured(path)
    assert [split_of(row) for row in rows] == [
        (r.strategy, r.s_comm, r.overlap) for r in sure if r.level == LEVELS[0] and r.conclusive
    ]
    assert {(row.device, row.nodes, row.dtype) for row in rows} == {(this_machine(), 2, "fp32")}
    mine = load_profile("rpi4-gigabit").document.model_copy(
        update={"device": this_machine(), "runtime": RUNTIME, "threads": 1}
    )
    (tmp_path / "mine.toml").write_text(to_toml(mine), encoding="utf-8")
    found = ds.evidence(measured=path, profiles=str(tmp_path / "mine.toml")).frame
    assert found["reason"].tolist() == [""] * len(rows)
    assert (found["predicted_s"] > 0).all()
    none = tuple(r.model_copy(update={"conclusive": False}) for r in sure)
    unsure = Validated(question=question, found=replace(small, records=none))
    with pytest.raises(DiscosimError, match=r"none\.csv is not written"):
        unsure.save(tmp_path / "none.csv")
