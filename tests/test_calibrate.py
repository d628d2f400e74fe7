"""Fits on synthetic data, the gate on a made-up clock, and the profile that comes of them."""

import datetime
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from discosim.cli.app import run
from discosim.door.calibrate import WHOLE, Calibrated
from discosim.errors import DiscosimError, install_hint
from discosim.evidence.measured import read_measured
from discosim.graph.builder import Builder
from discosim.graph.layer import Layer
from discosim.graph.network import INPUT, Network
from discosim.hardware import load_profile, profile_names
from discosim.hardware.toml import to_toml
from discosim.networks import NETWORKS
from discosim.report.calibrate import (
    calibration_findings,
    calibration_frame,
    show_calibration,
)
from discosim.validate import gate
from discosim.validate.bench import Case, Passes, measure, touched_bytes
from discosim.validate.calibration import (
    MIXING,
    PLAIN,
    Calibration,
    calibrate,
    profile_file,
    residual,
    this_machine,
)
from discosim.validate.fit import fit_all, fit_line, mean_error
from discosim.validate.footprint import Footprint, feature_bytes, probe
from discosim.validate.gate import Samples, is_steady, reference, sample, usually
from discosim.validate.pingpong import SIZES, connect, echo, fit_link, listen, serve
from discosim.validate.probes import probes
from tests.configurations import on

POSITIVE = st.floats(1e-6, 1e6)
AMOUNTS = st.lists(st.floats(1.0, 1e6), min_size=2, max_size=8, unique=True)
RATES = {"conv": 40e9, "depthwise": 8e9, "linear": 50e9, "attention": 30e9}
SPEEDS = {"batch_norm": 2e9, "layer_norm": 5e8, "activation": 4e9, "add": 3e9, "pool": 1e9}
CALLS_S = {kind: 1e-6 * number for number, kind in enumerate((*RATES, *SPEEDS), start=2)}
LINK_BPS, ALPHA_S, BURST = 36.7e6, 78e-6, 3200
LAYERS = [layer for network in probes() for layer in network.layers if layer.kind in CALLS_S]
TODAY = datetime.date(2026, 11, 21)


def _exact(seconds: float, conclusive: bool = True) -> Samples:
    return Samples(np.full(5, seconds), 1, conclusive)


def _takes(layer: Layer) -> float:
    """What an operator takes on a made-up machine on which the model is exact."""
    if layer.kind in RATES:
        return CALLS_S[layer.kind] + layer.macs / RATES[layer.kind]
    return CALLS_S[layer.kind] + touched_bytes(layer) / SPEEDS[layer.kind]


@pytest.fixture
def calibration() -> Calibration:
    cases = [Case(layer, _exact(_takes(layer))) for layer in LAYERS]
    messages = {n: _exact(ALPHA_S + max(0, n - BURST) / LINK_BPS) for n in SIZES}
    return calibrate(cases, messages, BURST)


# Fits


@given(AMOUNTS, st.floats(0, 1e3), POSITIVE)
def test_a_line_is_found_exactly(amounts: list[float], constant: float, rate: float) -> None:
    amount = np.array(amounts)
    assume(np.ptp(amount) > 1e-3 * amount.max())
    assume(amount.max() / rate > 1e-3 * constant)
    assume(constant > 1e-3 * amount.min() / rate or constant == 0)
    line = fit_line(amount, constant + amount / rate)
    assert line.rate == pytest.approx(rate, rel=1e-5)
    assert line.constant_s == pytest.approx(constant, rel=1e-4, abs=1e-5 * amount.max() / rate)
    assert line.spread < 1e-5


@given(st.lists(st.tuples(st.floats(1, 1e6), POSITIVE), min_size=2, max_size=8))
def test_a_line_is_never_negative(pairs: list[tuple[float, float]]) -> None:
    amount, seconds = np.array(pairs).T
    assume(len(set(amount)) > 1)
    line = fit_line(amount, seconds)
    assert line.constant_s >= 0
    assert line.rate > 0
    assert line.spread == pytest.approx(mean_error(line.seconds(amount), seconds))


@given(st.lists(st.tuples(st.floats(1, 1e6), POSITIVE), min_size=2, max_size=8))
def test_a_line_through_all_of_them_takes_as_long_as_all(pairs: list[tuple[float, float]]) -> None:
    amount, seconds = np.array(pairs).T
    assume(len(set(amount)) > 1)
    line = fit_all(amount, seconds)
    assert line.seconds(amount).sum() == pytest.approx(seconds.sum())
    assert line.spread == pytest.approx(mean_error(line.seconds(amount), seconds))


def test_all_numbers_of_a_made_up_machine_are_found(calibration: Calibration) -> None:
    for kind, rate in (*RATES.items(), *SPEEDS.items()):
        line = {**calibration.rates, **calibration.speeds}[kind]
        assert line.rate == pytest.approx(rate, rel=1e-6), kind
        assert line.constant_s == pytest.approx(CALLS_S[kind], rel=1e-5), kind
    assert calibration.compute_macps == pytest.approx(max(RATES.values()), rel=1e-6)
    assert calibration.memory_Bps == pytest.approx(max(SPEEDS.values()), rel=1e-6)
    assert calibration.link.rate == pytest.approx(LINK_BPS, rel=1e-6)
    assert calibration.link.constant_s == pytest.approx(ALPHA_S, rel=1e-6)
    assert calibration.refused == len(LAYERS) + len(SIZES)
    assert calibration.inconclusive == 0


def test_what_is_inconclusive_is_left_out_where_others_are_enough() -> None:
    cases = [Case(layer, _exact(_takes(layer))) for layer in LAYERS]
    off = [Case(case.layer, _exact(9.0, conclusive=False)) for case in cases[:3]]
    messages = {n: _exact(1e-3 + n / 1e6) for n in SIZES}
    found = calibrate(off + cases[3:], messages)
    assert found.rates["conv"].rate == pytest.approx(RATES["conv"], rel=1e-6)
    assert found.inconclusive == 3
    assert any("3 measurements are inconclusive" in x for x in calibration_findings(found, "TCP"))


# The profile


def test_a_profile_of_a_busy_machine_is_written_by_force_alone_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsure = [Case(layer, _exact(_takes(layer), conclusive=False)) for layer in LAYERS]
    found = calibrate(unsure, {n: _exact(1e-3 + n / 1e6) for n in SIZES})
    assert found.unsure
    monkeypatch.setattr("discosim.door.calibrate.measure_footprint", lambda _: None)
    path = tmp_path / "mine.toml"
    busy = Calibrated(found=found, threads=1, where="TCP")
    with pytest.raises(DiscosimError, match=r"inconclusive, so .*mine\.toml is not written"):
        busy.save(path)
    assert not path.exists()
    replace(busy, force=True).save(path)
    assert "this machine was busy" in path.read_text(encoding="utf-8")


def test_the_profile_has_the_numbers(calibration: Calibration, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        profile_file(calibration, 2, "TCP between two processes", TODAY), encoding="utf-8"
    )
    profile = load_profile(str(path))
    node = profile.hardware()
    assert node.compute_macps == pytest.approx(max(RATES.values()), rel=1e-3)
    for kind, rate in RATES.items():
        assert node.efficiency[kind] * node.compute_macps == pytest.approx(rate, rel=1e-3)
    assert node.memory_Bps is not None
    for kind, speed in SPEEDS.items():
        assert node.efficiency[kind] * node.memory_Bps == pytest.approx(speed, rel=1e-3)
    assert node.overhead_s == pytest.approx(CALLS_S, rel=1e-3)
    assert node.bandwidth_Bps == pytest.approx(LINK_BPS, rel=1e-3)
    assert node.link_latency_s == pytest.approx(ALPHA_S, rel=1e-3)
    assert "2 threads" in profile.description
    for row in profile.figures():
        assert "2026-11-21" in row.reference, row


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_is_written_as_it_is_read(name: str, tmp_path: Path) -> None:
    known, path = load_profile(name), tmp_path / "again.toml"
    path.write_text(to_toml(known.document, ["a note"]), encoding="utf-8")
    assert load_profile(str(path)).document == known.document


def test_the_profile_says_what_the_runtime_takes(calibration: Calibration, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        profile_file(calibration, 1, "TCP", TODAY, Footprint(210_000_000, 1.834)), encoding="utf-8"
    )
    node = load_profile(str(path)).hardware()
    assert (node.runtime_bytes, node.workspace, node.attention) == (210e6, 1.83, "fused")
    path.write_text(profile_file(calibration, 1, "TCP", TODAY), encoding="utf-8")
    node = load_profile(str(path)).hardware()
    assert (node.runtime_bytes, node.workspace, node.attention) == (0.0, None, "written-out")


def test_the_probe_of_memory_holds_two_maps_at_once() -> None:
    """The second convolution reads one map of 32 features and makes another."""
    assert feature_bytes(probe(8)) == 2 * 4 * 32 * 64


def test_a_network_takes_on_the_profile_what_its_operators_took(
    calibration: Calibration, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(profile_file(calibration, 1, "TCP", TODAY), encoding="utf-8")
    node = replace(load_profile(str(path)).hardware(), memory_Bps=1e12)  # arithmetic decides
    node = replace(node, efficiency={k: v for k, v in node.efficiency.items() if k in RATES})
    for network in probes():
        took = on(network, hardware=node, strategy="single").cost().local_s
        assert took.size == len(network.layers) + 1  # the output's row
        for layer, seconds in zip(network.layers, took.ravel()[:-1], strict=True):
            if layer.kind in RATES:
                assert seconds == pytest.approx(_takes(layer), rel=1e-3), layer.name


def test_the_frame_says_what_was_measured_and_fitted(calibration: Calibration) -> None:
    frame = calibration_frame(calibration)
    assert len(frame) == len(LAYERS) + len(SIZES)
    free = frame[frame["kind"].isin([*RATES, "message", *SPEEDS])]
    bound = free["bytes"] / calibration.memory_Bps > free["fitted_s"] - 2 * max(CALLS_S.values())
    assert free.loc[~bound, "error"].abs().max() < 1e-5
    assert residual(calibration) < 0.5
    shown = show_calibration(calibration)
    assert list(shown["class"]) == [*MIXING, *PLAIN, "message"]


# The gate


class _Clock:
    """A clock on which work takes what it is told to, and waits for the core as often."""

    def __init__(self, takes: list[float], waits: list[float]) -> None:
        self.now = self.waited = 0.0
        self._takes, self._waits = iter(takes), iter(waits)

    def work(self) -> None:
        self.now += next(self._takes, 1.0)
        self.waited += next(self._waits, 0.0)


def _sample(clock: _Clock, seconds: float, most: int = 100) -> Samples:
    return sample(
        clock.work, seconds=seconds, most=most, clock=lambda: clock.now, delay=lambda: clock.waited
    )


def test_samples_that_waited_for_the_core_are_refused() -> None:
    clock = _Clock([9, 1, 5, 1, 5, 1, 1], [0, 0, 4, 0, 4, 0, 0])
    found = _sample(clock, 22.5)
    assert found.seconds.tolist() == [1, 1, 1, 1]
    assert found.refused == 2
    assert found.conclusive
    assert found.median_s == 1
    assert found.spread == 0


def test_with_too_few_samples_left_all_are_kept_and_nothing_is_said() -> None:
    found = _sample(_Clock([1, 1, 2, 3], [0, 1, 1, 0]), 6.5)
    assert sorted(found.seconds.tolist()) == [1, 2, 3]
    assert not found.conclusive


def test_short_work_is_repeated_within_a_sample() -> None:
    clock = _Clock([1e-5] * 1000, [])
    found = _sample(clock, 3.2e-3, most=3)
    assert found.seconds == pytest.approx([1e-5] * 3)


def test_at_least_one_sample_is_taken_and_no_more_than_asked_for() -> None:
    assert len(_sample(_Clock([], []), 0.0).seconds) == 1
    assert len(_sample(_Clock([], []), 1e9, most=4).seconds) == 4


def test_the_delay_of_this_thread_only_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    first = gate.run_delay_s()
    assert 0 <= first <= gate.run_delay_s()
    monkeypatch.setattr(gate, "SCHEDSTAT", Path("/nowhere"))
    assert gate.run_delay_s() == 0


@pytest.mark.extras
def test_what_is_steady_had_a_core_of_usual_speed() -> None:
    assert is_steady(1.0, 0.02, 1.09, 1.0)
    assert not is_steady(1.0, 0.03, 1.0, 1.0)
    assert not is_steady(1.0, 0.0, 1.2, 1.0)
    assert not is_steady(1.0, 0.0, 0.8, 1.0)
    assert usually([1.0, 1.0, 2.0, 9.0]) == 1.0
    assert reference()() > 0
    assert gate.cores() >= 1


# Operators and messages


def _tiny() -> Network:
    net = Builder("tiny", (4, 6, 6))
    net.activation(net.conv(INPUT, 8, 3, "conv"), "relu")
    return net.build()


@pytest.mark.extras
def test_every_operator_is_executed_and_timed() -> None:
    moments = iter(range(1000))
    told: list[tuple[int, int]] = []
    cases = measure(5.0, 1, lambda done, total: told.append((done, total)),
                    networks=[_tiny()], clock=lambda: float(next(moments)))  # fmt: skip
    assert [case.layer.name for case in cases] == ["conv", "relu"]
    assert all(case.samples.median_s > 0 for case in cases)
    assert told == sorted(told)
    assert all(done < total for done, total in told)


@pytest.mark.extras
def test_whole_networks_are_rows_that_evidence_reads(
    calibration: Calibration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("discosim.door.calibrate.WHOLE", ("resnet18/16", "squeezenet1-1/8"))
    monkeypatch.setattr("discosim.door.calibrate.WHOLE_S", 1e-3)
    path = tmp_path / "rows.csv"
    Calibrated(found=calibration, threads=1, where="TCP", force=True).save_rows(path)
    rows = read_measured(path)
    assert [row.network for row in rows] == ["resnet18/16", "squeezenet1-1/8"]
    assert all(row.seconds and row.seconds > 0 for row in rows)
    assert {row.device for row in rows} == {this_machine()}
    with pytest.raises(DiscosimError, match="often enough at a steady speed"):
        Calibrated(found=calibration, threads=1, where="TCP").save_rows(path)


@pytest.mark.parametrize("name", WHOLE)
def test_no_network_that_is_timed_whole_is_a_probe(name: str) -> None:
    assert name in NETWORKS
    assert name not in {network.name for network in probes()}


def test_only_steady_passes_count() -> None:
    rows = np.arange(8.0).reshape(4, 2)
    steady = np.array([True, False, True, True])
    one, other = Passes(_tiny(), rows, steady).cases()
    assert one.samples.seconds.tolist() == [0, 4, 6]
    assert (other.samples.refused, other.samples.conclusive) == (1, True)
    few, _ = Passes(_tiny(), rows, ~steady).cases()
    assert few.samples.seconds.tolist() == [0, 2, 4, 6]
    assert not few.samples.conclusive


def test_the_probes_have_every_class_at_several_sizes() -> None:
    networks = probes()
    assert not {network.name for network in networks} & set(NETWORKS)
    sizes: dict[str, set[float]] = {}
    for layer in LAYERS:
        sizes.setdefault(layer.kind, set()).add(float(layer.macs or touched_bytes(layer)))
    assert set(sizes) == {*MIXING, *PLAIN}
    assert all(len(some) > 1 for some in sizes.values())


def test_messages_go_there_and_back() -> None:
    with listen("127.0.0.1", 0) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        port = listener.getsockname()[1]
        for _ in range(2):  # one connection after the other
            with connect("127.0.0.1", port) as end:
                end.sendall((5).to_bytes(8, "big") + b"hello")
                assert end.recv(13, 256) == (5).to_bytes(8, "big") + b"hello"  # MSG_WAITALL


def test_another_process_answers_until_it_is_told_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []
    begin = subprocess.Popen

    def recorded(*words: object, **options: object) -> subprocess.Popen[str]:
        started.append(begin(*words, **options))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", recorded)
    with echo() as port, connect("127.0.0.1", port) as end:
        end.sendall((0).to_bytes(8, "big"))
        assert end.recv(8, 256) == bytes(8)
        assert started[0].poll() is None
    assert started[0].poll() == 0


def test_the_link_is_fitted_past_the_burst() -> None:
    messages = {n: _exact(1e-3 + max(0, n - 5000) / 1e6) for n in SIZES}
    line = fit_link(messages, 5000)
    assert (line.constant_s, line.rate) == pytest.approx((1e-3, 1e6))


# The command


@pytest.fixture
def answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["discosim", "calibrate", *words])
        code = run()
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.mark.extras
def test_the_command_writes_a_profile_that_loads(
    answer: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    code, out, err = answer(
        "--seconds", "0.1", "--force", "--hw-out", str(path), "--format", "json"
    )
    assert code == 0, err
    rows = json.loads(out)
    assert all(row["measured_s"] > 0 and row["fitted_s"] > 0 for row in rows)
    node = load_profile(str(path)).hardware()
    numbers = [node.compute_macps, node.bandwidth_Bps, node.memory_Bps, *node.efficiency.values()]
    assert all(number is not None and number > 0 for number in numbers)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--hw-out", "mine.tml"], "wanted a suffix of .toml"),
        (["--hw-out", "/nowhere/mine.toml"], "cannot write"),
        (["--connect", "here"], "wanted HOST:PORT"),
        (["--connect", "here:http"], "wanted HOST:PORT"),
        pytest.param(["--connect", "127.0.0.1:1"], "connection refused", marks=pytest.mark.extras),
        (["--connect", "127.0.0.1:99999"], "wanted HOST:PORT"),
        (["--listen", "1.2.3.4:7000"], "cannot listen on 1.2.3.4:7000"),
        (["--listen", "127.0.0.1:0", "--hw-out", "mine.toml"], "--listen only answers"),
        (["--seconds", "0"], "0.1<=x<=3600"),
        (["--threads", "0"], "--threads"),
    ],
)
def test_a_mistake_is_answered_in_one_line(
    answer: Callable[..., tuple[int, str, str]], words: list[str], says: str
) -> None:
    code, out, err = answer(*words)
    assert code == 2
    assert out == ""
    assert says in err
    assert err.count("\n") == 1


def test_without_torch_it_says_how_to_install_it(
    answer: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    code, _, err = answer("--seconds", "0.1")
    assert code == 2
    assert install_hint("torch") in err
