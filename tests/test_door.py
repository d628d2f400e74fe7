"""From Python: every natural call answers, in the words and the numbers of the command line."""

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import discosim as ds
from discosim.cli.app import COMMANDS, run
from discosim.hardware import load_profile

ROOT = Path(__file__).parents[1]
NET = ds.network("resnet18/8", input=64)
PI = ds.hardware("rpi4-gigabit")


def test_five_lines() -> None:
    net = ds.network("resnet50")
    pi = ds.hardware("rpi4-gigabit", bandwidth="300Mbit/s")
    answer = ds.sweep(net, pi, nodes=[2, 4, 8], s_comm=0.9)
    assert answer.frame["nodes"].tolist() == [2, 4, 8]
    assert "<table>" in answer._repr_html_()
    assert isinstance(answer.plot(), Figure)
    value = ds.breakeven(net, pi, nodes=4).value
    assert value is not None
    at_break_even = ds.hardware("rpi4-gigabit", bandwidth=value)
    there = ds.sweep(net, at_break_even, nodes=4, s_comm=0.8).frame
    assert there["speedup_vs_single"].item() == pytest.approx(1)
    sizes = ds.size(net, ["rpi4-gigabit", "rpi5-gigabit"], latency="100ms", s_comm=0.9, jobs=1)
    assert sizes.frame["feasible"].any()


# What is offered


def test_the_package_completes_its_commands_and_little_else() -> None:
    offered = set(dir(ds))
    assert set(COMMANDS) - {"hardware"} <= offered
    assert {"network", "hardware", "Answer", "DiscosimError"} <= offered
    assert len(offered) <= 26
    assert all(callable(getattr(ds, name)) for name in ds.__all__)


def test_rooms_do_not_hide_the_functions_that_are_called_as_they_are() -> None:
    code = (
        "import discosim.hardware.profile, discosim.timeline.schedule, discosim.validate\n"
        "import discosim as ds\n"
        "assert all(map(callable, (ds.hardware, ds.timeline, ds.validate)))\n"
        "from discosim.timeline.schedule import Timeline\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_keywords_complete_by_their_names() -> None:
    import inspect

    names = list(inspect.signature(ds.sweep).parameters)
    assert names[:2] == ["network", "hardware"]
    assert {"nodes", "s_comm", "conventions", "plan", "mask"} <= set(names)


CALLS: dict[str, Callable[[], object]] = {
    "names": lambda: ds.sweep("resnet18/8", "rpi4-gigabit", nodes=2, s_comm=0.5),
    "one kind of node by default": lambda: ds.sweep(NET, nodes=2, s_comm=0.5),
    "several kinds": lambda: ds.sweep(NET, ["rpi4-gigabit", "rpi5-gigabit"], nodes=2),
    "a tuple of kinds": lambda: ds.sweep(NET, (PI, "rpi5-gigabit"), nodes=2),
    "a profile": lambda: ds.sweep(NET, load_profile("rpi4-gigabit"), nodes=2),
    "hardware of hardware": lambda: ds.sweep(NET, ds.hardware(PI, topology="ring"), nodes=2),
    "a number of nodes": lambda: ds.sweep(NET, PI, nodes=4),
    "numbers of nodes as text": lambda: ds.sweep(NET, PI, nodes="2:4"),
    "an array of S_comm": lambda: ds.sweep(NET, PI, nodes=2, s_comm=np.linspace(0, 1, 3)),
    "S_comm as text": lambda: ds.sweep(NET, PI, nodes=2, s_comm="0:1:0.5"),
    "a strategy": lambda: ds.sweep(NET, PI, nodes=2, strategies="dense"),
    "strategies": lambda: ds.sweep(NET, PI, nodes=2, strategies=["dense", "disco"]),
    "an overlap": lambda: ds.sweep(NET, PI, nodes=2, overlap="layer:best", band=True),
    "conventions": lambda: ds.sweep(NET, PI, nodes=2, conventions="runtime", rounding="exact"),
    "an axis of bandwidths": lambda: ds.sweep(
        NET, ds.hardware("rpi4-gigabit", bandwidth=[1e6, 1e7]), nodes=2
    ),
    "layers": lambda: ds.layers(NET, PI, nodes=4, s_comm=0.9),
    "compare": lambda: ds.compare(NET, PI),
    "breakeven": lambda: ds.breakeven(NET, PI, solve="s-comm", nodes=[2, 4]),
    "size": lambda: ds.size(NET, PI, latency=0.1, memory="1MB", s_comm=[0, 0.9], jobs=1),
    "pareto": lambda: ds.pareto([NET, "resnet18/4"], PI, nodes=2, by="latency,s_comm"),
    "best": lambda: ds.pareto(NET, PI, nodes=2, reduce="best", count=3),
    "allocate": lambda: ds.allocate(NET, PI, bytes="30%", method="fast"),
    "timeline": lambda: ds.timeline(NET, [PI, "rpi5-gigabit"], shares=[1, 2]),
    "mask": lambda: ds.mask(NET, nodes=2, s_comm=0.9),
    "inspect": lambda: ds.inspect(NET),
    "networks": lambda: ds.networks("resnet18"),
    "profiles": lambda: ds.profiles(),
    "reproduce": lambda: ds.reproduce("tab1"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_natural_call_answers(call: str) -> None:
    answer = CALLS[call]()
    assert isinstance(answer, ds.Answer)
    assert isinstance(answer.frame, pd.DataFrame)
    assert len(answer.frame) > 0
    assert all(isinstance(line, str) for line in answer.lines)
    text = str(answer)
    assert all(line in text for line in answer.lines)
    assert answer.to_html().count("<tr>") == 1 + len(next(iter(answer.cells.values())))


@pytest.mark.parametrize("call", ["layers", "compare", "breakeven", "pareto", "timeline", "mask"])
def test_an_answer_draws_itself(call: str) -> None:
    answer = CALLS[call]()
    assert isinstance(answer, ds.Answer)
    assert answer.plot().axes


def test_what_has_no_picture_says_so() -> None:
    with pytest.raises(ds.DiscosimError, match="no picture"):
        ds.networks("resnet18").plot()


# The same as the command line


def _printed(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["discosim", *line.split()])
    code = run()
    out, err = capsys.readouterr()
    return code, out, err


SAME: dict[str, Callable[[], ds.Answer]] = {
    "sweep --model resnet18/8 --input 64 --hw rpi4-gigabit --nodes 2,4 --s-comm 0,0.9": (
        lambda: ds.sweep(NET, "rpi4-gigabit", nodes=[2, 4], s_comm=[0, 0.9])
    ),
    "compare --model resnet18/8 --input 64": lambda: ds.compare(NET),
    "breakeven --model resnet18/8 --input 64 --hw splitnets-hmd --link-latency 1ms --nodes 2,4": (
        lambda: ds.breakeven(NET, ds.hardware("splitnets-hmd", link_latency=1e-3), nodes=[2, 4])
    ),
    "timeline --model resnet18/8 --input 64 --hw rpi4-gigabit,rpi5-gigabit": (
        lambda: ds.timeline(NET, ["rpi4-gigabit", "rpi5-gigabit"])
    ),
    "mask --model resnet18/8 --input 64 --s-comm 0.9": lambda: ds.mask(NET, s_comm=0.9),
    "inspect resnet18/8 --input 64 --nodes 4": lambda: ds.inspect(NET, nodes=4),
    "layers --model resnet18/8 --input 64 --hw splitnets-hmd --compute 1GMAC/s": (
        lambda: ds.layers(NET, ds.hardware("splitnets-hmd", compute=1e9))
    ),
}


@pytest.mark.parametrize("line", SAME)
def test_an_answer_is_what_the_command_prints(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = SAME[line]()
    code, out, err = _printed(line, monkeypatch, capsys)
    assert (code, out) == (0, answer.text())
    assert err == "".join(f"note: {note}\n" for note in answer.notes)
    _, data, _ = _printed(f"{line} --format csv", monkeypatch, capsys)
    assert data == answer.frame.to_csv(index=False)


REFUSED: dict[str, Callable[[], object]] = {
    "sweep --model resnet5": lambda: ds.sweep("resnet5"),
    "sweep --model resnet18 --hw rpi": lambda: ds.sweep("resnet18", "rpi"),
    "sweep --model resnet18 --nodes 2000": lambda: ds.sweep("resnet18", nodes=2000),
    "sweep --model resnet18 --strategy d": lambda: ds.sweep("resnet18", strategies="d"),
    "sweep --model resnet18 --overlap half": lambda: ds.sweep("resnet18", overlap="half"),
    "sweep --model resnet18 --plan no.json": lambda: ds.sweep("resnet18", plan="no.json"),
    "sweep --model resnet18 --s-comm 0 --plan no.json": (
        lambda: ds.sweep("resnet18", s_comm=0, plan="no.json")
    ),
    "sweep --model resnet18 --topology star": (
        lambda: ds.hardware("splitnets-hmd", topology="star")
    ),
    "layers --model resnet18 --nodes 2,4": lambda: ds.layers("resnet18", nodes=[2, 4]),
    "size --model resnet18": lambda: ds.size("resnet18"),
    "breakeven --model resnet18 --solve nodes --nodes 2": (
        lambda: ds.breakeven("resnet18", solve="nodes", nodes=2)
    ),
    "pareto --model resnet18 --by speed": lambda: ds.pareto("resnet18", by="speed"),
    "timeline --model resnet18 --shares a": lambda: ds.timeline("resnet18", shares="a"),
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_cannot_be_is_said_in_the_same_words(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ds.DiscosimError) as refusal:
        REFUSED[line]()
    code, _, err = _printed(line, monkeypatch, capsys)
    assert (code, err) == (2, f"discosim: {refusal.value}\n")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ds.sweep(NET, PI, node=4), "unknown keyword of sweep 'node'; did you mean nodes"),
        (lambda: ds.sweep(NET, hw=PI), "unknown keyword of sweep 'hw'; did you mean hardware?"),
        (lambda: ds.plan(NET, bw=1e6), "hardware=ds.hardware('splitnets-hmd', bandwidth=...)"),
        (lambda: ds.layers(NET, PI, bandwidth=1e6), "'bandwidth'; it is the hardware's"),
        (lambda: ds.hardware("rpi4-gigabit", bw=1e6), "'bw'; did you mean bandwidth?"),
        (lambda: ds.sweep(), "missing a required argument: 'network'"),
        (lambda: ds.sweep(3), "network 3; wanted a name, a file, a Network or a torch module"),
        (lambda: ds.sweep(NET, 3), "hardware 3; wanted a profile's name, a .toml file"),
        (lambda: ds.sweep(NET, []), "no hardware; wanted a profile's name"),
        (lambda: ds.sweep(NET, PI, nodes=2.5), "2.5 nodes; wanted whole numbers"),
        (lambda: ds.sweep(NET, PI, s_comm=1.5), "S_comm 1.5 is outside 0"),
        (lambda: ds.hardware("rpi4-gigabit", bandwidth="30"), "has no unit"),
        (lambda: ds.hardware("rpi4-gigabit", bandwidth=-1), "must be more than zero"),
        (lambda: ds.hardware(PI, dtype="int8"), "was read in fp32"),
        (lambda: ds.hardware("rpi4-gigabit", bandwidth=1j), "wanted a number in SI or a text"),
        (lambda: ds.hardware("rpi4-gigabit", bandwidth=True), "wanted a number in SI or a text"),
        (lambda: ds.hardware("rpi4-gigabit", settings="efficiency.conv=1"), "wanted them as {"),
        (lambda: ds.sweep(NET, PI, strategies=3), "strategies 3; wanted a text or several texts"),
        (lambda: ds.sweep(NET, PI, strategies=["disco", 3]), "wanted a text or several texts"),
        (lambda: ds.sweep(NET, PI, overlap=4), "overlap 4; wanted a text"),
        (lambda: ds.sweep(NET, PI, band="yes"), "band 'yes'; wanted True or False"),
        (lambda: ds.sweep(NET, PI, conventions=1), "conventions 1; wanted a text"),
        (lambda: ds.sweep(NET, PI, plan=3), "plan 3; wanted a file"),
        (lambda: ds.sweep(NET, PI, mask={}), "mask {}; wanted a file"),
        (lambda: ds.sweep(NET, PI, 2), "too many positional arguments; wanted sweep(network,"),
        (lambda: ds.layers(NET, PI, top=-1), "top -1; wanted a whole number from 1 up"),
        (lambda: ds.layers(NET, PI, top=2.5), "top 2.5; wanted a whole number from 1 up"),
        (lambda: ds.pareto(NET, PI, reduce="best", count=0), "count 0; wanted a whole number"),
        (lambda: ds.pareto(NET, PI, by=3), "by 3; wanted a text or several texts"),
        (lambda: ds.size(NET, PI, latency=1, max_nodes=2.5), "max_nodes 2.5; wanted a whole"),
        (lambda: ds.size(NET, PI, latency=1, jobs=0), "jobs 0; wanted a whole number from 1"),
        (lambda: ds.size(NET, PI, accuracy="70"), "accuracy '70'; wanted a number"),
        (lambda: ds.breakeven(NET, PI, versus=2), "versus 2; wanted a text"),
        (lambda: ds.breakeven(NET, PI, target=0), "a latency of 0 s to reach; wanted more than 0"),
        (lambda: ds.cluster(3), "cluster 3; wanted rpi5-gigabit,3xrpi4-gigabit or a list"),
        (lambda: ds.network("resnet18", input=64.5), "'64.5' is not an input size"),
        (lambda: ds.network("resnet18", np.zeros(3)), "a name takes input="),
        (lambda: ds.profiles("x"), "too many positional arguments; wanted profiles()"),
    ],
)
def test_a_mistake_says_what_is_wanted(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ds.DiscosimError) as refusal:
        call()
    assert words in str(refusal.value)


def test_numbers_of_numpy_and_lists_are_taken() -> None:
    """What a loop over an array gives is as good as what is typed."""
    assert ds.network("resnet18/8", input=np.int64(64)) is ds.network("resnet18/8", input=64)
    assert ds.network("resnet18/8", input=[3, 64, 64]).inputs == NET.inputs
    mine = ds.layers(NET, PI, nodes=np.int64(2), s_comm=np.float32(0.5), top=np.int64(3))
    assert mine.frame.equals(ds.layers(NET, PI, nodes=2, s_comm=0.5, top=3).frame)
    several = ds.sweep(NET, PI, nodes=np.array([2, 4]), strategies=np.array(["disco", "dense"]))
    assert set(several.frame["strategy"]) == {"disco", "dense"}


@pytest.mark.parametrize("name", ["sweep", "layers", "size", "breakeven", "pareto", "timeline"])
def test_help_can_be_read(name: str) -> None:
    """A line of keywords with plain types, and what those mean that all commands share."""
    function = getattr(ds, name)
    signature = str(inspect.signature(function))
    assert "Union" not in signature
    assert "discosim.hardware" not in signature
    assert "conventions: str | None = None" in signature
    assert "rounding: none or exact" in function.__doc__


# Hardware


def test_a_quantity_is_a_number_in_si_or_a_text() -> None:
    text = ds.hardware("rpi4-gigabit", bandwidth="300Mbit/s", link_latency="2ms", memory="1KiB")
    number = ds.hardware("rpi4-gigabit", bandwidth=37.5e6, link_latency=2e-3, memory=1024)
    assert text == number
    assert ds.hardware(PI, bandwidth="300Mbit/s") == ds.hardware(
        "rpi4-gigabit", bandwidth="300Mbit/s"
    )
    several = ds.hardware("rpi4-gigabit", bandwidth=["1MB/s", "10MB/s"])
    assert np.asarray(several.bandwidth_Bps).tolist() == [1e6, 1e7]
    assert ds.hardware("rpi4-gigabit", settings={"efficiency.conv": 0.5}).efficiency["conv"] == 0.5


def test_a_profile_takes_the_same_overrides_as_its_name() -> None:
    for given in ({"compute": "1GOP/s"}, {"topology": "ring"}, {"dtype": "int8", "compute": 1e9}):
        named = ds.hardware("splitnets-hmd", **given)
        assert ds.hardware(load_profile("splitnets-hmd"), **given) == named


# Files, torch, notebook, types


def test_what_is_saved_is_taken(tmp_path: Path) -> None:
    plan = ds.allocate(NET, PI, bytes="30%", method="fast")
    plan.save(tmp_path / "plan.json")
    rows = ds.sweep(NET, PI, plan=tmp_path / "plan.json").frame
    assert rows["bytes_per_node"].item() == plan.frame["bytes_per_node"].iloc[-1]
    mask = ds.mask(NET, s_comm=0.9)
    mask.save(tmp_path / "mask.npz")
    by_file = ds.sweep(NET, PI, mask=tmp_path / "mask.npz").frame
    assert by_file.equals(ds.sweep(NET, PI, mask=mask.mask).frame)


@pytest.mark.extras
def test_a_module_of_torch_is_a_network() -> None:
    import torch

    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 16, 3, padding=1)
    )
    net = ds.network(module, torch.zeros(1, 3, 16, 16), name="mine")
    answer = ds.sweep(net, PI, nodes=2, s_comm=[0.0, 1.0])
    assert set(answer.frame["model"]) == {"mine"}
    dense = 4 * 8 / 2 * 16 * 16  # the second convolution reads half of 8 channels from the peer
    gathered = answer.frame["bytes_per_node"].iloc[1]
    assert answer.frame["bytes_per_node"].iloc[0] == pytest.approx(dense + gathered)
    with pytest.raises(ds.DiscosimError, match="an example of its input"):
        ds.sweep(module, PI)


def test_the_notebook_runs() -> None:
    notebook = json.loads((ROOT / "docs" / "python.ipynb").read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            exec("".join(cell["source"]), names)


CALLER = """
from pathlib import Path

import numpy as np

import discosim as ds

net = ds.network(Path("net.onnx"))
pi = ds.hardware("rpi4-gigabit", bandwidth="300Mbit/s", memory=1e9)
answer: ds.Answer = ds.sweep(net, [pi, "rpi5-gigabit"], nodes=[2, 4], rounding="exact")
value: float | None = ds.breakeven(net, pi, nodes=4).value
lines = [len(line) for line in ds.size("resnet50", pi, latency="100ms").lines]
ds.timeline(net, pi, shares=[0.5, 0.5]).save("trace.json")
ds.pareto(["resnet50"], ds.hardware("rpi4-gigabit", bandwidth=np.geomspace(1e6, 1e9, 7)))
"""

MISTAKEN = """
import discosim as ds

ds.sweep("resnet50", node=4)
ds.sweep("resnet50", rounding=3)
"""


@pytest.mark.extras
def test_a_caller_is_checked_by_mypy(tmp_path: Path) -> None:
    (tmp_path / "caller.py").write_text(CALLER, encoding="utf-8")
    (tmp_path / "mistaken.py").write_text(MISTAKEN, encoding="utf-8")
    options = ["--strict", "--config-file", str(ROOT / "pyproject.toml")]
    options += ["--cache-dir", str(ROOT / ".mypy_cache")]  # shared with a check of the package
    files = [str(tmp_path / name) for name in ("caller.py", "mistaken.py")]
    # in a process of its own: it raises Python's limit of recursion
    words = [sys.executable, "-m", "mypy", *options, *files]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", cwd=ROOT)
    assert (done.returncode, done.stderr) == (1, "")
    errors = [line for line in done.stdout.splitlines() if "error:" in line]
    assert len(errors) == 2, done.stdout
    assert all("mistaken.py" in line for line in errors)
