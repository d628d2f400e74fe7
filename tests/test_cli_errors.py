"""Bad input: one clear line on stderr, exit code 2, no traceback, nothing on stdout."""

import json
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discosim.cli import types
from discosim.cli.app import run
from discosim.errors import DiscosimError

SWEEP = "sweep --model resnet50"
FOUR_FAULTS = """
description = "four faults"
[link]
bandwidth = "37.5mb/s"
latency = "1 parsec"
topology = "mesh"
[compute]
fp33 = "1GMAC/s"
"""


def _refusal(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    monkeypatch.setattr(sys, "argv", ["discosim", *arguments])
    code = run()
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1, err
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sweep --model resnet5", ["resnet50"]),
        ("sweep", ["--model"]),
        ("sweep --modle resnet50", ["--model"]),
        ("swep --model resnet50", ["sweep"]),
        (f"{SWEEP} --hw rpi4", ["rpi4-wifi"]),
        (f"{SWEEP} --strategy disko", ["disco"]),
        (f"{SWEEP} --strategy ,", ["empty name"]),
        (f"{SWEEP} --strategy dense-then-split --at layr3", ["layer3"]),
        (f"{SWEEP} --at layer9", ["layer"]),
        (f"{SWEEP} --topology mesh", ["full-mesh"]),
        (f"{SWEEP} --dtype fp8", ["fp16"]),
        (f"{SWEEP} --weight-dtype int9", ["int8"]),
        (f"{SWEEP} --overlap layr", ["layer:K"]),
        (f"{SWEEP} --overlap layer:0", ["from 1 up"]),
        (f"{SWEEP} --conventions papr", ["paper"]),
        (f"{SWEEP} --rounding exakt", ["exact"]),
        (f"{SWEEP} --features pek", ["peak"]),
        (f"{SWEEP} --objective memori", ["memory"]),
        (f"{SWEEP} --bw 12furlong", ["furlong", "MB/s"]),
        (f"{SWEEP} --bw 37.5mb/s", ["millibits", "37.5MB/s"]),
        (f"{SWEEP} --bw 37.5", ["37.5", "MB/s"]),
        (f"{SWEEP} --bw 37.5MB", ["/s"]),
        (f"{SWEEP} --bw -5MB/s", ["more than zero"]),
        (f"{SWEEP} --bw 0MB/s", ["more than zero"]),
        (f"{SWEEP} --bw nanMB/s", ["nan"]),
        (f"{SWEEP} --compute 125GB/s", ["125GB/s"]),
        (f"{SWEEP} --memory 512", ["512", "KiB"]),
        (f"{SWEEP} --link-latency 1MB", ["1MB"]),
        (f"{SWEEP} --nodes 0", ["0 nodes"]),
        (f"{SWEEP} --nodes 2.5", ["whole numbers"]),
        (f"{SWEEP} --nodes x", ["'x'"]),
        (f"{SWEEP} --nodes 2049", ["2048 features"]),
        (f"{SWEEP} --nodes 60 --strategy pipeline", ["54"]),
        (f"{SWEEP} --s-comm 1.5", ["1.5"]),
        (f"{SWEEP} --s-comm -0.1", ["-0.1"]),
        (f"{SWEEP} --s-comm nan", ["nan"]),
        (f"{SWEEP} --s-comm 1:0:0.1", ["ascend"]),
        (f"{SWEEP} --s-comm 0:1:0", ["step"]),
        (f"{SWEEP} --s-comm 0:1", ["from:to:step"]),
        (f"{SWEEP} --s-comm 0:1:1e-12", ["values"]),
        (f"{SWEEP} -o nowhere/x.csv", ["nowhere/x.csv"]),
        (f"{SWEEP} -o .csv/", ["suffix"]),
        (f"{SWEEP} -o /proc/x.csv", ["/proc/x.csv"]),
        (f"{SWEEP} -o x.xlsx", [".csv, .json, .md, .txt"]),
        (f"{SWEEP} -o x.csv --format json", ["disagree"]),
        (f"{SWEEP} --format xml", ["xml"]),
        (f"{SWEEP} --plot x.bmp", [".png"]),
        (f"{SWEEP} --plot nowhere/x.png", ["nowhere/x.png"]),
        (f"{SWEEP} --plan nowhere.json", ["nowhere.json"]),
        (f"{SWEEP} --input 0", ["224"]),
        (f"{SWEEP} --input 1000000000", ["16384"]),
        (f"{SWEEP} --input axb", ["224x320"]),
        ("sweep --model alexnet --input 20", ["too small"]),
        ("sweep --model resnet50/0.5", ["from 1 up"]),
        ("sweep --model resnet50/x", ["'x'"]),
        ("sweep --model resnet50/inf", ["inf"]),
        (f"{SWEEP} --set cost.prize=3USD", ["cost.price"]),
        (f"{SWEEP} --set cost.price", ["PATH=VALUE"]),
        (f"{SWEEP} --hw edgetpu-usb", ["int8"]),
        ("layers --model resnet50 --nodes 2,4", ["one value"]),
        ("layers --model resnet50 --s-comm 0,1", ["one value"]),
        ("layers --model resnet50 --hw rpi4-wifi,rpi5-wifi", ["one value"]),
        ("compare --model resnet50 --nodes 5000", ["2048 features"]),
        ("networks --model resnet51", ["resnet50"]),
        ("networks --input 64", ["--model"]),
        ("hardware show splitnets", ["splitnets-hmd"]),
        ("hardware shw x", ["show"]),
    ],
)
def test_bad_input(
    line: str,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    message = _refusal(line.split(), monkeypatch, capsys)
    for word in words:
        assert word in message
    assert not list(tmp_path.iterdir())


def test_a_profile_with_four_faults_reports_all_four(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(FOUR_FAULTS)
    message = _refusal([*SWEEP.split(), "--hw", str(path)], monkeypatch, capsys)
    assert "4 faults" in message
    for fault in ("link.bandwidth", "link.latency", "link.topology", "compute.fp33"):
        assert fault in message


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "not JSON"),
        ('{"version": 1, "model": "resnet18", "nodes": 2, "s_comm": {}}', "not for resnet50"),
        ('{"version": 1, "model": "resnet50", "nodes": 2, "s_comm": {"fd": 1}}', "fc"),
    ],
)
def test_bad_plans(
    text: str,
    word: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    assert word in _refusal([*SWEEP.split(), "--plan", str(path)], monkeypatch, capsys)


def test_a_plan_and_other_numbers_disagree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plan.json"
    plan = {"version": 1, "model": "resnet50", "nodes": 2, "s_comm": {"fc": 0.5}}
    path.write_text(json.dumps(plan))
    command = [*SWEEP.split(), "--plan", str(path)]
    assert "--s-comm" in _refusal([*command, "--s-comm", "0.5"], monkeypatch, capsys)
    assert "2 nodes" in _refusal([*command, "--nodes", "4"], monkeypatch, capsys)


def test_an_unwritable_file_is_said_before_the_work_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the work has started")

    monkeypatch.setattr("discosim.cli.results.sweep", never)
    _refusal([*SWEEP.split(), "-o", "nowhere/x.csv"], monkeypatch, capsys)
    _refusal([*SWEEP.split(), "--plot", "nowhere/x.png"], monkeypatch, capsys)


def test_series_are_exact() -> None:
    assert types.parse_s_comm("0:1:0.1") == [i / 10 for i in range(11)]
    assert types.parse_s_comm("80%,0.8,0.9:1:0.04") == [0.8, 0.9, 0.94, 0.98]
    assert types.parse_nodes("2:4,8") == [2, 3, 4, 8]
    assert types.parse_nodes("2:9:3") == [2, 5, 8]
    assert types.parse_input("224X320") == (224, 320)


@pytest.mark.parametrize(
    "parse",
    [
        types.parse_s_comm,
        types.parse_nodes,
        types.parse_input,
        types.parse_names,
        types.parse_setting,
    ],
)
@given(text=st.text(st.characters(), max_size=12) | st.text("0123456789:.,%eE-x=", max_size=12))
def test_any_text_is_read_or_refused(parse: object, text: str) -> None:
    with suppress(DiscosimError):
        parse(text)
