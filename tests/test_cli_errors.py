"""Bad input: one clear line on stderr, exit code 2, no traceback, nothing on stdout."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from discosim import errors
from discosim.cli.app import run
from discosim.errors import install_hint

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
    assert err.startswith("discosim: ")
    assert err.endswith("\n")
    assert len(err.splitlines()) == 1, err
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sweep --model resnet5", ["resnet50"]),
        ("sweep", ["--model"]),
        ("layers", ["--model"]),
        ("compare", ["--model"]),
        ("sweep --model", ["--model"]),
        ("sweep --model=", ["network"]),
        ("hardware show", ["NAME"]),
        ("fit measured.csv", ["--device"]),
        ("--bogus", ["--bogus"]),
        ("sweep --modle resnet50", ["--model"]),
        ("swep --model resnet50", ["sweep"]),
        (f"{SWEEP} --hw rpi44", ["did you mean rpi4-gigabit"]),
        (f"{SWEEP} --strategy disko", ["disco"]),
        (f"{SWEEP} --strategy ,", ["empty name"]),
        ("compare --model resnet50 --strategy disko", ["disco"]),
        ("layers --model resnet50 --strategy disko", ["disco"]),
        (f"{SWEEP} --strategy disco,", ["empty name"]),
        (f"{SWEEP} --strategy=", ["empty name"]),
        (f"{SWEEP} --hw ,", ["empty name"]),
        (f"{SWEEP} --overlap ,", ["empty name"]),
        (f"{SWEEP} extra", ["extra"]),
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
        (f"{SWEEP} --nodes -1", ["whole numbers"]),
        (f"{SWEEP} --nodes=", ["2,4,8"]),
        (f"{SWEEP} --nodes 100000", ["layer4.0.conv3", "2048 features"]),
        (f"{SWEEP} --nodes 1e30", ["2048 features"]),
        (f"{SWEEP} --nodes 1e999999", ["out of range"]),
        (f"{SWEEP} --nodes 2:1e9", ["values"]),
        (f"{SWEEP} --nodes 2049", ["2048 features"]),
        (f"{SWEEP} --nodes 60 --strategy pipeline", ["54"]),
        (f"{SWEEP} --s-comm 1.5", ["1.5"]),
        (f"{SWEEP} --s-comm -0.1", ["-0.1"]),
        (f"{SWEEP} --s-comm nan", ["nan"]),
        (f"{SWEEP} --s-comm text", ["'text'", "0:1:0.1"]),
        (f"{SWEEP} --s-comm=", ["0:1:0.1"]),
        (f"{SWEEP} --s-comm 50%%", ["50%%"]),
        (f"{SWEEP} --s-comm 0:1:1e-9", ["values"]),
        (f"{SWEEP} --s-comm 0:1:-0.1", ["ascend"]),
        (f"{SWEEP} --s-comm 0:1:1e-99999999999", ["out of range"]),
        (f"{SWEEP} --s-comm 0:1:0.1:2", ["from:to:step"]),
        (f"{SWEEP} --s-comm 0:1:0.0001 --strategy disco,random-sparse --nodes 2:512", ["rows"]),
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
        (f"{SWEEP} --input 1x2x3x4", ["224x320"]),
        ("sweep --model vgg16 --input 8", ["too small", "3x8x8"]),
        ("sweep --model alexnet --input 8", ["too small", "3x8x8"]),
        ("networks --model alexnet --input 8", ["too small"]),
        ("sweep --model alexnet --input 20", ["too small"]),
        ("sweep --model resnet50/0.5", ["from 1 up"]),
        ("sweep --model resnet50/x", ["'x'"]),
        ("sweep --model resnet50/inf", ["inf"]),
        (f"{SWEEP} --set cost.prize=3USD", ["cost.price"]),
        (f"{SWEEP} --set cost.price", ["PATH=VALUE"]),
        (f"{SWEEP} --set link.bandwith=3MB/s", ["link.bandwidth"]),
        (f"{SWEEP} --set link.bandwidth=3furlong", ["furlong"]),
        (f"{SWEEP} --set efficiency.conv=2", ["efficiency.conv"]),
        (f"{SWEEP} --set efficiency.conv=x", ["efficiency.conv"]),
        (f"{SWEEP} --hw nowhere.toml", ["nowhere.toml"]),
        (f"{SWEEP} --hw .", ["."]),
        (f"{SWEEP} --hw edgetpu-usb", ["int8"]),
        ("layers --model resnet50 --nodes 2,4", ["one value"]),
        ("layers --model resnet50 --s-comm 0,1", ["one value"]),
        ("layers --model resnet50 --hw rpi4-wifi,rpi5-wifi", ["one value"]),
        ("compare --model resnet50 --nodes 5000", ["2048 features"]),
        ("networks --model resnet51", ["resnet50"]),
        ("networks --input 64", ["--model"]),
        ("hardware show splitnets", ["splitnets-hmd"]),
        ("hardware shw x", ["show"]),
        ("hardware show nope", ["rpi4-wifi"]),
        ("hardware --format json show rpi4-wifi", ["--format", "show"]),
        ("hardware -o x.csv show rpi4-wifi", ["-o", "show"]),
        ("hardware -o x.xlsx", [".csv"]),
        ("networks -o x.xlsx", [".csv"]),
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
    path.write_text(FOUR_FAULTS, encoding="utf-8")
    message = _refusal([*SWEEP.split(), "--hw", str(path)], monkeypatch, capsys)
    assert "4 faults" in message
    for fault in ("link.bandwidth", "link.latency", "link.topology", "compute.fp33"):
        assert fault in message


@pytest.mark.parametrize(
    "name", ["resnet\n50", "resnet50\x1b[31m", "réseau\t", "\u2028", "a b", "/"]
)
def test_any_name_stays_on_one_line(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("--model", "--strategy", "--hw", "--overlap", "--at", "--topology", "--dtype"):
        arguments = ["sweep", "--model", "resnet18", option, name]
        assert _refusal(arguments, monkeypatch, capsys).rstrip("\n").isprintable()


PLAN = {"version": 1, "model": "resnet50", "nodes": 2, "s_comm": {"fc": 0.5}}


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ("", ["not JSON"]),
        ("{", ["not JSON"]),
        ("[" * 100_000, ["not JSON"]),
        ([], ["version"]),
        ({**PLAN, "model": "resnet18"}, ["not for resnet50"]),
        ({**PLAN, "s_comm": {"fd": 1}}, ["fc"]),
        ({**PLAN, "s_comm": {"fc": 1.5}}, ["1.5"]),
        ({**PLAN, "s_comm": {"fc": float("nan")}}, ["nan"]),
        ({**PLAN, "s_comm": {"fc": True}}, ["True"]),
        ({**PLAN, "nodes": 0}, ["nodes is 0"]),
        ({**PLAN, "nodes": 4096}, ["2048 features"]),
        ({**PLAN, "input": "3x8x8"}, ["3x8x8"]),
        ({"nods": 2}, ["'nods'", "version", "model", "nodes", "s_comm"]),
    ],
)
def test_bad_plans(
    plan: Any,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(plan if isinstance(plan, str) else json.dumps(plan), encoding="utf-8")
    for command in ("sweep", "layers", "compare"):
        arguments = [command, "--model", "resnet50", "--plan", str(path)]
        message = _refusal(arguments, monkeypatch, capsys)
        for word in [*words, "plan"] if "features" not in words[0] else words:
            assert word in message


def test_a_plan_and_other_numbers_disagree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(PLAN), encoding="utf-8")
    for name in ("sweep", "layers", "compare"):
        command = [name, "--model", "resnet50", "--plan", str(path)]
        assert "--s-comm" in _refusal([*command, "--s-comm", "0.5"], monkeypatch, capsys)
        assert "2 nodes" in _refusal([*command, "--nodes", "4"], monkeypatch, capsys)


@pytest.mark.parametrize("command", ["sweep", "layers", "compare"])
@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("-o nowhere/x.csv", "no such file or directory"),
        ("-o folder.csv", "it is a directory"),
        ("-o file.csv/x.csv", "not a directory"),
        ("-o x.xlsx", "suffix"),
        ("-o x.csv --format json", "disagree"),
        ("--plot nowhere/x.png", "no such file or directory"),
        ("--plot folder.png", "it is a directory"),
        ("--plot x.bmp", "suffix"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_work_starts(
    command: str,
    option: str,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the work has started")

    for work in (
        "discosim.networks.build",
        "discosim.door.network.build",
        "discosim.hardware.profile._read",
    ):
        module, _, name = work.rpartition(".")
        monkeypatch.setattr(import_module(module), name, never)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file.csv").write_text("kept", encoding="utf-8")
    line = f"{command} --model resnet50 {option}"
    assert reason in _refusal(line.split(), monkeypatch, capsys)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["file.csv", "folder.csv", "folder.png"]
    assert (tmp_path / "file.csv").read_text(encoding="utf-8") == "kept"


def test_what_fails_while_it_is_written_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "x.csv"
    path.write_text("kept", encoding="utf-8")
    monkeypatch.setattr(Path, "replace", full)
    message = _refusal(f"networks --model resnet18 -o {path}".split(), monkeypatch, capsys)
    assert "No space left on device" in message
    assert path.read_text(encoding="utf-8") == "kept"
    assert list(tmp_path.iterdir()) == [path]


HIDING = """
import contextlib, io, json, sys
for package in ("torch", "safetensors", "onnx", "scipy", "pyarrow", "distributed"):
    sys.modules[package] = None
from discosim.cli.app import run
answers = {}
for line in json.load(sys.stdin):
    sys.argv = ["discosim", *line.split()]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        with contextlib.redirect_stderr(io.StringIO()) as err:
            code = run()
    answers[line] = code, out.getvalue(), err.getvalue()
print(json.dumps(answers))
"""
"""One process for all of them: what is imported already cannot be hidden again."""

NEEDS = {
    "run --model resnet18": ["torch", "safetensors"],
    "validate --model resnet18": ["torch"],
    "calibrate --seconds 1": ["torch"],
    "mask --model resnet18 --weights weights.pt": ["torch"],
    "inspect torch:a.b:c": ["torch"],
    "inspect net.onnx": ["onnx"],
    "allocate --model resnet18 --latency 100ms --method exact": ["scipy"],
    "pareto --model resnet18 -o front.parquet": ["pyarrow"],
    "pareto --model resnet18 --scheduler tcp://127.0.0.1:8786": ["distributed"],
}
ALLOCATE = "allocate --model resnet18 --latency 100ms"

Answers = dict[str, tuple[int, str, str]]


@pytest.fixture(scope="module")
def without_extras(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Exit code, stdout and stderr of each line where no extra is installed."""
    folder = tmp_path_factory.mktemp("without-extras")
    for name in ("weights.pt", "net.onnx"):
        (folder / name).write_bytes(b"\0" * 100)
    lines = json.dumps([*NEEDS, ALLOCATE, f"{ALLOCATE} --method fast"])
    words = [sys.executable, "-c", HIDING]
    done = subprocess.run(
        words, input=lines, capture_output=True, encoding="utf-8", cwd=folder, check=True
    )
    assert done.stderr == ""
    return {line: (code, out, err) for line, (code, out, err) in json.loads(done.stdout).items()}


@pytest.mark.parametrize(("line", "packages"), NEEDS.items())
def test_without_a_package_it_says_how_to_install_it(
    line: str, packages: list[str], without_extras: Answers
) -> None:
    code, out, err = without_extras[line]
    assert (code, out) == (2, "")
    assert f"needs {' and '.join(packages)}: {install_hint(*packages)}" in err
    assert err.startswith("discosim: ")
    assert len(err.splitlines()) == 1


def test_without_scipy_allocate_takes_the_fast_method_and_says_so(without_extras: Answers) -> None:
    fast = without_extras[f"{ALLOCATE} --method fast"]
    code, out, err = without_extras[ALLOCATE]
    assert fast[0] == code == 0
    assert out == fast[1] != ""
    assert err.startswith("note: by the fast method")
    assert install_hint("scipy") in err
    assert "fast method" not in fast[2]


@pytest.mark.parametrize(
    ("prefix", "pip", "says"),
    [
        ("/opt/my venvs/x", True, "'/opt/my venvs/x/bin/python' -m pip install torch onnx"),
        ("/opt/x", False, "uv pip install --python /opt/x/bin/python torch onnx"),
        ("/home/me/.local/share/pipx/venvs/discosim", True, "pipx inject discosim torch onnx"),
    ],
)
def test_the_hint_is_the_command_of_this_environment(
    prefix: str, pip: bool, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", prefix)
    monkeypatch.setattr(sys, "executable", f"{prefix}/bin/python")
    monkeypatch.setattr(errors, "find_spec", lambda _name: object() if pip else None)
    assert install_hint("torch", "onnx") == says
