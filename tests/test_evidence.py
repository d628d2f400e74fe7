"""Everybody's measurements: laws of the fit, tables, and that profiles and page are theirs."""

import csv
import datetime
import json
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import discosim as ds
from discosim.cli.app import run
from discosim.errors import DiscosimError, FaultsError
from discosim.evidence import names
from discosim.evidence.covariance import row_blocks, solved
from discosim.evidence.estimate import SHARED, Beliefs, MeasuredRows, Shared, estimate, predicted_s
from discosim.evidence.fitting import ASIDE, Fit, fit, fit_of, set_aside, shipped_fits, usable
from discosim.evidence.measured import COLUMNS, read_measured, shipped_table, written
from discosim.evidence.predict import fitted_boards, pairs_right, predict
from discosim.evidence.profiles import fitted_profile, kinds_like
from discosim.evidence.tokens import (
    DecoderSize,
    TokenTime,
    exchanged_s,
    gathered_bytes,
    sent_bytes,
    tried,
)
from discosim.evidence.work import AMOUNTS, amounts_of
from discosim.hardware import load_profile, profile_names
from discosim.networks import build
from discosim.report.evidence_page import (
    ALONE,
    REASONS,
    beyond,
    by_themselves,
    measured_twice,
    page,
)

ROOT = Path(__file__).parents[1]
BOARD = ("My board", "engine", "", "", "fp32", 2, 1, "", "latency", 0, "ms", "mine", "", "")
TODAY = datetime.date(2026, 11, 26)


@pytest.fixture(scope="module")
def shipped() -> Fit:
    return shipped_fits()[0]


def table(tmp_path: Path, *rows: dict[str, object], name: str = "mine.csv") -> Path:
    """A table of one board's rows; what a row does not say is as in BOARD."""
    path = tmp_path / name
    lines = [[row.get(c, usual) for c, usual in zip(COLUMNS, BOARD, strict=True)] for row in rows]
    path.write_text(written(lines), encoding="utf-8")
    return path


OWN = [
    {"network": "resnet18", "value": 60},
    {"network": "mobilenetv2-1.0", "input": "3x224x224", "value": 30},
    {"network": "VGG16", "value": 420},
    {"network": "squeezenet1-1", "value": 20},
]


# Laws of the estimate


def synthetic(seed: int) -> MeasuredRows:
    """Three devices of one family, eight networks each, their times without noise."""
    rng = np.random.default_rng(seed)
    networks = ["resnet18", "vgg16", "mobilenetv2", "squeezenet1-1", "alexnet", "densenet121",
                "mnasnet-1.0", "resnet50"]  # fmt: skip
    amounts = np.stack([amounts_of(build(name), "fp32") for name in networks])
    numbers = np.exp(Beliefs().start + rng.normal(0, 1, (3, 1)))
    seconds = predicted_s(amounts, numbers)
    one, each = np.zeros(3, int), np.arange(3)
    groups = {"all": one, "family": one, "device": each, "place": each, "kind": each}
    return MeasuredRows(np.tile(amounts, (3, 1)), seconds.ravel(), np.repeat(each, 8),
                        np.tile(np.arange(8), 3), groups)  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_times_without_noise_are_given_back(seed: int) -> None:
    rows = synthetic(seed)
    found = estimate(rows, Beliefs())
    again = predicted_s(rows.amounts[:, None], found.seconds_each[rows.kind])[:, 0]
    assert again == pytest.approx(rows.seconds, rel=0.03)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.01, 100))
def test_a_device_that_is_x_times_slower_has_numbers_x_times_larger(x: float) -> None:
    rows = synthetic(0)
    free = Shared("kind", np.full((len(AMOUNTS), 1), 1000.0))
    one, other = (
        estimate(
            replace(rows, seconds=rows.seconds * each),
            replace(Beliefs(), shared=(*SHARED, free)),
        )
        for each in (1.0, x)
    )
    assert other.seconds_each == pytest.approx(one.seconds_each * x, rel=0.02)


@pytest.mark.parametrize("seed", range(3))
def test_rows_by_blocks_have_the_covariance_that_they_have_as_a_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 60
    groups = {"all": np.zeros(count, int), "family": rng.integers(0, 5, count)}
    groups["kind"] = 3 * groups["family"] + rng.integers(0, 3, count)
    near = {level: rng.normal(size=(count, 3)) for level in groups}
    noise, wanted = rng.uniform(0.1, 1, count), rng.normal(size=count)
    whole = np.diag(noise)
    for level, group in groups.items():
        whole += (near[level] @ near[level].T) * (group[:, None] == group)
    of = row_blocks(groups, dict.fromkeys(groups, 3))
    assert set(of.few) == {"all"}
    assert [len(same) for _, same in of.blocks] == [2] * 5
    assert solved(of, near, noise, wanted) == pytest.approx(np.linalg.solve(whole, wanted))


def test_without_rows_what_was_held_before_is_held() -> None:
    found = estimate(synthetic(0).chosen(np.zeros(24, dtype=bool)), Beliefs())
    assert np.log(found.seconds_each) == pytest.approx(np.tile(Beliefs().start, (3, 1)))


def test_a_network_that_is_left_out_changes_nothing() -> None:
    rows = [row for row in usable(read_measured(shipped_table())) if "5" in row.kind.device]
    without = fit(rows)
    lied = [replace(r, measured=replace(r.measured, seconds=9.0)) if r.name == "vgg16" else r
            for r in rows]  # fmt: skip
    with_lies = fit(lied)
    pairs = zip(without.rows, with_lies.rows, strict=True)
    lies = [(row, lie) for row, lie in pairs if row.name == "vgg16"]
    assert lies
    for row, lie in lies:
        assert with_lies.held_out_s(lie) == pytest.approx(without.held_out_s(row), rel=0.05)


def test_numbers_that_no_row_asks_for_are_their_familys(shipped: Fit) -> None:
    for kind in shipped.kinds:
        asked = sum(row.amounts for row in shipped.rows_of(kind)) > 0
        assert np.all(shipped.carried(kind)[~asked] < 0.01)


# Profiles are what is fitted


@pytest.mark.parametrize(
    "name", [name for name in profile_names() if load_profile(name).document.held_out_error]
)
def test_a_shipped_profile_is_the_fit_of_the_shipped_table(name: str) -> None:
    profile = load_profile(name)
    document = profile.document
    [kind] = [kind for kind, each in fitted_boards([name]).items() if each.name == name]
    found = next(each for each in shipped_fits() if kinds_like(each, kind))
    kinds = kinds_like(found, kind)
    again = fitted_profile(found, kinds, document, TODAY, document.clock)
    assert again.model_dump() == document.model_dump()
    assert document.held_out_error == round(found.held_out_error(kinds), 3)


def test_what_is_set_aside_changes_no_other_profile() -> None:
    main, *aside = shipped_fits()
    assert len(aside) == len(ASIDE)
    for number, each in enumerate(aside):
        others = {kind for kind in each.kinds if set_aside(kind) != number}
        assert others == set(main.kinds)
        assert all(fit_of(kind, shipped_fits()) is main for kind in others)
        assert all(fit_of(kind, shipped_fits()) is each for kind in set(each.kinds) - others)


def test_a_profile_predicts_what_the_fit_does() -> None:
    predictions = predict(read_measured(shipped_table()), fitted_boards(), shipped_fits)
    fitted = {row.measured.line: each.fitted_s(row)
              for each in reversed(shipped_fits()) for row in each.rows}  # fmt: skip
    found = [each for each in predictions if each.fitted]
    assert len(found) > 300
    for each in found:
        assert each.predicted_s == pytest.approx(fitted[each.measured.line], rel=5e-3)


def test_every_fitted_figure_names_rows_residual_and_date() -> None:
    for profile in fitted_boards().values():
        document = profile.document
        assert document.held_out_error is not None
        for row in profile.figures():
            if "discosim fit" in row.reference and row.kind == "source":
                assert "2026-11-26" in row.reference
                assert "residual" in row.reference or row.path == "memory.overlap"


def test_the_page_is_what_is_computed() -> None:
    assert (ROOT / "docs" / "evidence-hardware.md").read_text(encoding="utf-8") == page()


# What is promised of predictions of networks that were not fitted


def test_the_errors_are_within_what_the_readme_says() -> None:
    found = ds.evidence()
    assert found.lines[0] in (ROOT / "README.md").read_text(encoding="utf-8").replace("\n", " ")
    frame = found.frame
    said = frame[frame["reason"] == ""]
    assert said["held_out_error"].abs().median() < 0.12
    one_node = frame[frame["measured_s"].notna() & (frame["nodes"] == 1)]
    assert len(said) / len(one_node) > 0.95
    right, total = pairs_right([each for each in found.predictions if not each.reason])
    assert right / total > 0.95


def test_what_is_off_says_which_measurements_show_why() -> None:
    predictions = ds.evidence().predictions
    assert set(beyond(predictions)) <= set(REASONS)
    assert {each.measured.network for each in by_themselves(predictions)} == set(ALONE)


def test_rows_of_the_same_are_found_however_far_apart() -> None:
    twice = measured_twice(ds.evidence().predictions)
    assert {fast.measured.network for fast, _ in twice} == {"resnet18", "mobilenetv1-1.0"}
    assert all(fast.measured.seconds <= slow.measured.seconds for fast, slow in twice)  # type: ignore[operator]


# Several nodes


def test_what_is_in_the_model_of_links_lowered_the_error_and_what_is_not_did_not() -> None:
    found = tried(read_measured(shipped_table()))
    assert len(found) == 6
    for each in found:
        assert (each.error < each.without) == bool(each.kept), each


@given(st.integers(2, 8), st.floats(1e-6, 1e-2))
def test_a_root_pays_as_many_latencies_as_it_has_others_or_one(nodes: int, alpha_s: float) -> None:
    time = TokenTime("Raspberry Pi 5", "llama2-7b", nodes, 1.0, "1 GbE, a switch")
    message, exchange = (exchanged_s(time, alpha_s, per) for per in ("message", "exchange"))
    free = exchanged_s(time, 0.0, "message")
    assert message - free == pytest.approx((nodes - 1) * (exchange - free), rel=1e-6)
    assert exchange - free == pytest.approx(8 * 32 * alpha_s, rel=1e-6)


def test_bytes_of_a_token_by_hand() -> None:
    # a layer of a decoder of 32 features, 64 inner ones, 32 of keys on two nodes: the root sends
    # 3 x 32 + 64 and gathers half of 3 x 32 + 2 x 32 + 64, at 34 bytes for 32
    size = DecoderSize(1, 32, 64, 32)
    assert sent_bytes(size, 2) == pytest.approx(160 * 34 / 32)
    assert gathered_bytes(size, 2) == pytest.approx(0.5 * (32 * 5 + 64) * 34 / 32)
    assert sent_bytes(size, 1) == gathered_bytes(size, 1) == 0


# Tables


def test_all_faults_of_a_table_at_once(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        {"network": "resnet18", "value": -3},
        {"network": "resnet18", "value": "fast"},
        {"network": "resnet18", "value": 3, "unit": ""},
        {"network": "resnet18", "value": 3, "unit": "parsec"},
        {"network": "resnet18", "value": 3, "nodes": 0},
        {"network": "resnet18", "value": 3, "device": ""},
        {"network": "resnet18", "value": -3, "unit": ""},
    )
    with pytest.raises(FaultsError) as caught:
        read_measured(path)
    lines = caught.value.lines
    assert len(lines) == 8
    for line, word in zip(
        lines,
        (
            "above 0",
            "not a number",
            "no unit",
            "parsec",
            "'0' nodes",
            "no device",
            "above 0",
            "no unit",
        ),
        strict=True,
    ):
        assert word in line
        assert str(path) in line


def test_a_table_without_columns_or_rows_says_so(tmp_path: Path) -> None:
    path = tmp_path / "none.csv"
    path.write_text("device,netwrok\n", encoding="utf-8")
    with pytest.raises(FaultsError, match="did you mean netwrok"):
        read_measured(path)
    with pytest.raises(DiscosimError, match="no rows"):
        read_measured(table(tmp_path))
    with pytest.raises(DiscosimError, match="cannot be read"):
        read_measured(tmp_path / "absent.csv")
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(DiscosimError, match="is empty"):
        read_measured(path)
    path.write_text(f'{",".join(COLUMNS)}\n"{"x" * csv.field_size_limit()}x', encoding="utf-8")
    with pytest.raises(DiscosimError, match="is not a table"):
        read_measured(path)


@pytest.mark.parametrize("between", [";", "\t"])
def test_tables_of_spreadsheets_are_read(between: str, tmp_path: Path) -> None:
    path = table(tmp_path, *OWN)
    rows = read_measured(path)
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    lines = [head.title(), *lines, "," * (len(COLUMNS) - 1)]
    path.write_text("\n".join(lines).replace(",", between), encoding="utf-8-sig")
    assert read_measured(path) == rows


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("link", "value", "2 columns 'value'"),
        ("mine", "mine,yes", "line 2: 15 cells, the head has 14"),
        ("latency", "", "no metric"),
        ("resnet18", "", "no network"),
        (",60,", ',"60,5",', "has a point"),
        ("ms", "FPS", "a latency in 'FPS'"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(old: str, new: str, said: str, tmp_path: Path) -> None:
    path = table(tmp_path, OWN[0])
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(FaultsError, match=said) as caught:
        read_measured(path)
    assert len(caught.value.lines) == 1


def test_rates_count_as_latencies(tmp_path: Path) -> None:
    path = table(
        tmp_path, {"network": "resnet18", "metric": "throughput", "unit": "fps", "value": 5}
    )
    assert read_measured(path)[0].seconds == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Raspberry Pi 4B", "Raspberry Pi 4 Model B 4GB"),
        ("Jetson Nano 4GB", "NVIDIA Jetson Nano"),
        ("NVIDIA A100", "A100 SXM4 40GB"),
        ("Intel i9-10940X", "Intel Core i9-10940X"),
        ("Jetson Nano 4GB CPU", "Jetson Nano (CPU)"),
        ("Coral USB Accelerator (USB3)", "Google Coral USB Accelerator"),
    ],
)
def test_a_device_is_known_however_it_is_written(one: str, other: str) -> None:
    assert names.device_words(one) == names.device_words(other)


def test_devices_that_differ_are_told_apart() -> None:
    devices = ["Raspberry Pi 4B", "Raspberry Pi 5", "Jetson Nano 4GB", "Jetson Nano 4GB CPU",
               "Jetson Orin Nano 8GB", "Jetson Orin Nano 8GB Super"]  # fmt: skip
    assert len({names.device_words(each) for each in devices}) == len(devices)


def test_what_cannot_be_predicted_has_its_reason(tmp_path: Path) -> None:
    pi = {"device": "Raspberry Pi 4B", "runtime": "ncnn CPU", "threads": 4, "value": 5}
    path = table(
        tmp_path,
        {**pi, "network": "resnet18"},
        {**pi, "network": "resnet19000"},
        {**pi, "network": "resnet18", "runtime": "abacus"},
        {**pi, "network": "resnet18", "device": "Toaster"},
        {**pi, "network": "resnet18", "dtype": "fp8"},
        {**pi, "network": "resnet18", "threads": 3},
        {**pi, "network": "resnet18", "nodes": 2},
        {**pi, "network": "resnet18", "input": "wide"},
        {**pi, "network": "llama", "metric": "latency per token"},
    )
    frame = ds.evidence(measured=path).frame
    words = [
        "",
        "resnet19000",
        "abacus",
        "Toaster",
        "fp8",
        "3 threads",
        "2 nodes",
        "wide",
        "metric",
    ]
    for reason, word in zip(frame["reason"], words, strict=True):
        assert word in reason
        assert bool(reason) == bool(word)
    assert frame["predicted_s"].notna().tolist() == [True] + [False] * 8


def test_rows_of_several_nodes_that_say_how_they_split_are_predicted(tmp_path: Path) -> None:
    pi = {"device": "Raspberry Pi 4B", "runtime": "ncnn CPU", "threads": 4, "network": "resnet18"}
    note = "strategy disco; S_comm 0.5; overlap none"
    path = table(
        tmp_path,
        {**pi, "nodes": 2, "value": 100, "link": "11.8MB/s full-mesh", "note": note},
        {**pi, "nodes": 2, "value": 100, "link": "118MB/s switch", "note": note},
        {**pi, "nodes": 2, "value": 100, "note": "strategy nonesuch"},
    )
    slow, fast, unknown = ds.evidence(measured=path).predictions
    assert slow.predicted_s > fast.predicted_s > 0
    assert "nonesuch" in unknown.reason
    node = load_profile("rpi4-gigabit").hardware()
    given = ds.sweep("resnet18", replace(node, bandwidth_Bps=11.8e6), nodes=2, s_comm=0.5,
                     conventions="runtime")  # fmt: skip
    assert given.frame["latency_s"].item() == pytest.approx(slow.predicted_s)
    answer = ds.evidence(measured=path, device="Raspberry Pi 4B")
    assert any(line.startswith("Of several nodes: 2 rows") for line in answer.lines)
    assert "Covered: 0 of 0 rows of one node." in answer.lines
    assert answer.cells["nodes"] == ["2", "2", "2"]


def test_no_network_of_several_nodes_is_both_fitted_and_judged(
    tmp_path: Path, shipped: Fit
) -> None:
    pi = {"device": "Raspberry Pi 4B", "runtime": "ncnn CPU", "threads": 4, "network": "vgg16"}
    note = "strategy disco; S_comm 1; overlap none"
    path = table(tmp_path, {**pi, "nodes": 2, "value": 100, "link": "1GB/s switch", "note": note})
    [split] = ds.evidence(measured=path).predictions
    [row] = [row for row in shipped.rows_of(split.kind) if row.name == "vgg16"]
    times = shipped.held_out_s(row) / shipped.fitted_s(row)
    assert split.fitted
    assert abs(times - 1) > 0.05
    assert split.held_out_s / split.predicted_s == pytest.approx(times, rel=0.02)


def test_sizes_types_and_threads_are_read_as_others_write_them(tmp_path: Path) -> None:
    pi = {"device": "Raspberry Pi 4 Model B", "runtime": "ncnn", "network": "ResNet-18", "value": 5}
    path = table(
        tmp_path,
        {**pi, "threads": 4, "input": "3x224x224"},
        {**pi, "threads": "4 threads", "input": "1x3x224x224", "dtype": "float32"},
        {**pi, "threads": 4, "input": "224×224", "dtype": "FP32"},
        {**pi, "threads": 4, "input": "224", "unit": "s", "value": 0.005},
    )
    said = ds.evidence(measured=path).frame["predicted_s"]
    assert said.nunique() == 1


# From a table to a profile and back


def call(command: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    return run()


def test_a_table_becomes_a_profile_that_predicts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path, *OWN)
    command = 'discosim fit mine.csv --device "My board" --hw-out mine.toml'
    assert call(command, monkeypatch) == 0
    out = capsys.readouterr().out
    assert "4 rows of 4 networks" in out
    profile = load_profile("mine.toml")
    assert profile.measured_as == "My board, engine, 2 threads"
    assert profile.dtypes == ["fp32"]
    command = "discosim evidence --measured mine.csv --hw mine.toml --format json --plot pictures"
    assert call(command, monkeypatch) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(abs(row["error"]) < 0.5 for row in rows)
    assert (tmp_path / "pictures" / "evidence.png").stat().st_size > 1000


def test_the_steps_of_the_page_add_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "device.md").read_text(encoding="utf-8")
    [rows], [steps] = (re.findall(rf"```{kind}\n(.*?)```", text, re.S) for kind in ("csv", "text"))
    (tmp_path / "mine.csv").write_text(rows, encoding="utf-8")
    commands = steps.strip().splitlines()
    assert len(commands) == 4
    for command in commands:
        assert call(command, monkeypatch) == 0, command
    assert "My board, ncnn, 1.8 GHz, 4 threads" in capsys.readouterr().out
    answer = ds.evidence(measured="mine.csv", profiles="my-board.toml")
    assert [each.reason for each in answer.predictions] == [""] * 5
    assert all(abs(each.error) < 0.5 for each in answer.predictions)


def test_what_a_profile_was_fitted_to_is_not_judged_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path, *OWN)
    ds.fit("mine.csv", device="My board").save("mine.toml")
    document = load_profile("mine.toml").document
    assert document.fitted_to == "mobilenetv2, resnet18, squeezenet1-1, vgg16"
    assert document.memory.capacity is None  # that of another board
    seen = ds.evidence(measured="mine.csv", profiles="mine.toml")
    assert seen.frame["fitted"].all()
    assert seen.frame["held_out_error"].isna().all()
    assert seen.lines[0].startswith("Not judged, 4 of 4: networks that mine was fitted to")
    assert seen.cells["median error [%]"] == ["-"]
    table(tmp_path, {"network": "resnet34", "value": 90}, *OWN, name="more.csv")
    more = ds.evidence(measured="more.csv", profiles="mine.toml")
    assert more.lines[0].startswith("Over 1 published latencies of 1 device")
    assert more.frame["fitted"].tolist() == [False, *[True] * 4]
    assert more.plot() is not None


def test_rows_without_a_profile_are_predicted_by_the_others_of_their_table(tmp_path: Path) -> None:
    path = table(tmp_path, *OWN, {"device": "Toaster", "network": "resnet18", "value": 5})
    found = ds.evidence(measured=path)
    own = ds.fit(path, device="My board")
    frame = found.frame[found.frame["reason"] == ""]
    assert len(frame) == 4
    for column in ("held_out_s", "held_out_error"):
        assert frame[column].to_numpy() == pytest.approx(own.frame[column].to_numpy())
    assert set(frame["profile"]) == {"own rows: My board, engine, 2 threads"}
    assert found.predictions[-1].reason == "no profile of Toaster"
    assert any(line.startswith("Without a profile, 4 of 4") for line in found.lines)
    few = ds.evidence(measured=table(tmp_path, *OWN[:3], name="few.csv"))
    assert [each.reason for each in few.predictions] == ["no profile of My board"] * 3


def test_an_own_profile_of_a_shipped_device_is_not_judged_by_the_shipped_fit(
    tmp_path: Path,
) -> None:
    from discosim.hardware.toml import to_toml

    path = tmp_path / "rpi4-gigabit.toml"
    shipped = load_profile("rpi4-gigabit").document
    path.write_text(to_toml(shipped.model_copy(update={"fused": False})), encoding="utf-8")
    found = ds.evidence(device="Raspberry Pi 4B", profiles=str(path)).frame
    assert not found["fitted"].any()


def test_a_profile_that_says_nothing_of_a_device_is_refused() -> None:
    with pytest.raises(DiscosimError, match="splitnets-hmd states no device and runtime"):
        ds.evidence(profiles="splitnets-hmd")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"network": "resnet18000", "value": 3}, *OWN], ["resnet18"]),
        ([{**OWN[0], "note": "1.5 GHz"}, {**OWN[1], "note": "1.8 GHz"}], ["two clocks"]),
        (
            [{**OWN[0], "note": "CPU 1.5 GHz, GPU 900 MHz"}, {**OWN[1], "note": "1.5 GHz"}],
            ["1.5 GHz and 900 MHz (line 2)"],
        ),
        ([OWN[0]], ["fewer than the numbers"]),
        (
            [
                {"network": "nonesuch", "value": 3},
                {**OWN[0], "dtype": "q4"},
                {**OWN[1], "value": -1},
            ],
            ["nonesuch", "q4", "above 0"],
        ),
        (
            [
                {**OWN[0], "unit": "", "value": -1, "note": "1.5 GHz"},
                {"network": "resnet18000", "input": "wide", "note": "1.8 GHz", "value": 3},
            ],
            ["no unit", "above 0", "resnet18", "'wide'", "two clocks"],
        ),
        ([{**OWN[0], "unit": ""}], ["no unit", "fewer than the numbers"]),
        (
            [{**OWN[0], "runtime": "a", "value": 0}, {**OWN[1], "runtime": "b", "threads": 1}],
            ["2 runtimes", "above 0", "--threads"],
        ),
        ([{**OWN[0], "runtime": "a"}, {**OWN[1], "runtime": "b"}], ["2 runtimes"]),
        ([{**OWN[0], "threads": 1}, {**OWN[1], "threads": 2}], ["--threads"]),
    ],
)
def test_what_cannot_be_fitted_is_said_line_by_line(
    rows: list[dict[str, object]],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path, *rows)
    assert call('discosim fit mine.csv --device "My board"', monkeypatch) == 2
    said = capsys.readouterr().err.strip().splitlines()
    for line in said:
        assert line.startswith("discosim: ")
    for word in words:
        assert any(word in line for line in said)


def test_the_shipped_table_is_read_as_it_is_written() -> None:
    with shipped_table().open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    assert tuple(lines[0]) == COLUMNS
    assert len(read_measured(shipped_table())) == len(lines) - 1
    assert len(AMOUNTS) == len(set(AMOUNTS))


def test_what_a_change_moved_is_told_towards_or_away() -> None:
    import importlib.util

    path = ROOT / "benchmarks" / "evidence.py"
    spec = importlib.util.spec_from_file_location("benchmark_evidence", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    before = {"a": 0.5, "b": 0.1, "c": None, "d": 0.2, "e": 0.3}
    after = {"a": 0.2, "b": -0.4, "c": 0.1, "d": 0.2, "e": None}
    found = module.compare(before, after, 0.01)
    words = {each.row: each.word for each in found}
    assert words == {"a": "towards", "b": "away", "c": "covered", "e": "lost"}
    assert len(module.told(found)) == 4
    assert module.middle(before) == pytest.approx(0.25)
