"""`discosim allocate`: data that add up, a plan that `sweep` reads, one line for what cannot be."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from discosim.cli.app import run
from discosim.errors import install_hint
from discosim.masks.weights import random_weights
from discosim.networks import build

pytestmark = pytest.mark.extras

FIRST = "allocate --model resnet50 --latency 100ms"


class Cli:
    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], folder: Path
    ) -> None:
        self.monkeypatch, self.capfd, self.folder = monkeypatch, capfd, folder

    def __call__(self, line: str) -> tuple[int, str, str]:
        self.monkeypatch.setattr(sys, "argv", ["discosim", *line.split()])
        code = run()
        sys.stdout.flush()
        return code, *self.capfd.readouterr()

    def records(self, line: str) -> list[dict[str, Any]]:
        code, out, err = self(f"{line} --format json")
        assert code == 0, err
        found: list[dict[str, Any]] = json.loads(out)  # a stray line would not be JSON
        return found


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    monkeypatch.chdir(tmp_path)
    return Cli(monkeypatch, capfd, tmp_path)


@pytest.mark.parametrize(
    ("limit", "column"),
    [
        ("--latency 30%", "latency_s"),
        ("--bytes 30%", "bytes_per_node"),
        ("--memory 80%", "node_bytes"),
    ],
)
@pytest.mark.parametrize(
    "rest", ["", "--conventions runtime --nodes 3 --overlap layer:2", "--no-resend --features all"]
)
def test_sweep_finds_that_the_plan_keeps_its_limit(
    limit: str, column: str, rest: str, cli: Cli
) -> None:
    *_, summary = cli.records(f"allocate --model resnet18 {limit} -o plan.json {rest}")
    [row] = cli.records(f"sweep --model resnet18 --plan plan.json {rest}")
    bound = summary[f"{column}_limit"]
    assert row[column] <= bound * (1 + 1e-11)
    for name in ("latency_s", "bytes_per_node", "node_bytes"):
        assert row[name] == pytest.approx(summary[name], rel=1e-12)
    assert row["avg_s_comm"] == pytest.approx(summary["s_comm"])


def test_records_of_the_layers_and_one_of_the_plan(cli: Cli) -> None:
    *layers, summary = cli.records(FIRST)
    assert len(layers) == 54
    assert all(isinstance(row["layer"], str) for row in layers)
    assert all(0 <= row["s_comm"] <= 0.95 for row in layers)
    assert summary["layer"] is None
    assert summary["loss"] == pytest.approx(sum(row["loss"] for row in layers))
    assert summary["loss_bound"] == pytest.approx(summary["loss"])
    assert summary["latency_s"] <= summary["latency_s_limit"] == 0.1
    assert summary["bytes_per_node_limit"] is None
    assert "surrogate" in summary["saliency"]
    [row] = cli.records(f"sweep --model resnet50 --nodes 2 --s-comm {summary['uniform_s_comm']}")
    assert row["latency_s"] == pytest.approx(0.1)
    assert summary["loss"] < summary["uniform_loss"]


def test_the_fast_method_prints_its_certified_gap(cli: Cli) -> None:
    *_, exact = cli.records(FIRST)
    *_, fast = cli.records(f"{FIRST} --method fast")
    assert fast["loss_bound"] <= exact["loss"] <= fast["loss"]
    code, out, _ = cli(f"{FIRST} --method fast")
    assert code == 0
    assert "certified gap" in out
    assert "surrogate" in out
    assert "certified gap" not in cli(FIRST)[1]


def test_csv_has_one_line_a_layer_and_one_on_the_plan(cli: Cli) -> None:
    _, out, _ = cli(f"{FIRST} --format csv")
    lines = out.splitlines()
    assert lines[0].startswith("layer,s_comm,loss,")
    assert len(lines) == 1 + 54 + 1


def test_the_picture_is_drawn(cli: Cli) -> None:
    code, _, err = cli(f"{FIRST} --plot plan.png --nodes 4")
    assert code == 0
    assert "wrote plan.png" in err
    assert (cli.folder / "plan.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("allocate --model resnet50", ["--latency", "--bytes", "--memory"]),
        (f"{FIRST[:-5]}5ms", ["the least is 14.1 ms", "0.99 everywhere", "--levels"]),
        (f"{FIRST[:-5]}0ms", ["0 s", "14.1 ms"]),
        (f"{FIRST} --levels 0.5", ["least is", "S_comm 0.5 everywhere"]),
        (f"{FIRST} --memory 1KiB", ["memory of a node", "the least is"]),
        (f"{FIRST} --memory 35MB --bytes 1kB", ["traffic of a node of 1 kB"]),
        (f"{FIRST} --bytes 0B", ["more than zero"]),
        (f"{FIRST} --bytes 5furlong", ["furlong"]),
        (f"{FIRST} --bytes -5%", ["0% or more"]),
        (f"{FIRST} --bytes x%", ["not a number"]),
        (f"{FIRST} --bytes nan%", ["not a number"]),
        (f"{FIRST} --bytes 1e99%", ["out of range"]),
        (f"{FIRST[:-5]}100", ["has no unit"]),
        (f"{FIRST} --nodes 1", ["nothing to allocate"]),
        (f"{FIRST} --nodes 2,4", ["one value"]),
        (f"{FIRST} --nodes 9999", ["2048 features"]),
        (f"{FIRST} --hw rpi4-wifi,rpi5-wifi", ["one value"]),
        (f"{FIRST} --levels 0:1:0.0001", ["10,001 levels"]),
        (f"{FIRST} --levels 1.5", ["1.5"]),
        (f"{FIRST} --method exakt", ["exact"]),
        (f"{FIRST} --criterion l1log", ["l1-log"]),
        (f"{FIRST} --criterion taylor", ["taylor needs weights", "--mask"]),
        (f"{FIRST} --weights w.pt --criterion taylor", ["taylor needs inputs", "discosim mask"]),
        (f"{FIRST} --weights w.pt --criterion random", ["random does not say", "l1-log"]),
        (f"{FIRST} --data inputs.npz", ["needs --weights"]),
        (f"{FIRST} --data inputs.npz --weights w.pt", ["inputs.npz", "no such file"]),
        (f"{FIRST} --overlap layr", ["layer:K"]),
        (f"{FIRST} --plan nowhere.json", ["nowhere.json", "No such file"]),
        (f"{FIRST} -o plan.csv", [".json"]),
        (f"{FIRST} -o nowhere/plan.json", ["nowhere/plan.json"]),
        (f"{FIRST} --plot plan.bmp", [".png"]),
        ("allocate --model resnet5 --latency 1s", ["resnet50"]),
    ],
)
def test_bad_input(line: str, words: list[str], cli: Cli) -> None:
    code, out, err = cli(line)
    assert (code, out) == (2, "")
    assert err.startswith("discosim: ")
    assert len(err.splitlines()) == 1, err
    for word in words:
        assert word in err, err
    assert not list(cli.folder.iterdir())


def test_a_checkpoint_takes_the_place_of_the_surrogate(cli: Cli) -> None:
    import torch

    weights = random_weights(build("resnet18/8"), seed=1)
    weights["layer3.0.conv2.weight"] *= 1e-6  # worth nothing by its norm: it goes first
    torch.save({name: torch.from_numpy(w) for name, w in weights.items()}, "w.pt")
    line = "allocate --model resnet18/8 --bytes 98% --weights w.pt"
    *layers, summary = cli.records(f"{line} --criterion l1")
    assert {row["layer"] for row in layers if row["s_comm"]} == {"layer3.0.conv2"}
    assert summary["saliency"].startswith("L1 norms of sub-rows of the weights of w.pt")
    code, _, err = cli("allocate --model resnet18 --bytes 98% --weights w.pt")
    assert code == 2
    assert "w.pt" in err
    assert len(err.splitlines()) == 1


def test_by_default_the_scale_of_a_layer_moves_nothing(cli: Cli) -> None:
    import torch

    weights = random_weights(build("resnet18/8"), seed=1)
    plans = []
    for factor in (1, 4):
        weights["layer3.0.conv2.weight"] *= factor
        torch.save({name: torch.from_numpy(w) for name, w in weights.items()}, "w.pt")
        plans.append(cli.records("allocate --model resnet18/8 --bytes 30% --weights w.pt"))
        assert plans[-1][-1]["criterion"] == "l1-log"
    assert [row["s_comm"] for row in plans[0]] == [row["s_comm"] for row in plans[1]]


JUDGED = "--model resnet18/8 --input 32 --weights w.pt"


@pytest.fixture
def measured(cli: Cli) -> Cli:
    """A mask that was measured on the first 8 of 20 inputs, on two nodes."""
    import numpy as np
    import torch

    from discosim.runtime.state import random_state

    torch.save(random_state(build("resnet18/8", (32,)), 2), "w.pt")
    x = np.random.default_rng(0).normal(size=(20, 3, 32, 32))
    np.savez("inputs.npz", inputs=x)
    np.savez("used.npz", inputs=x[:8])
    code, _, err = cli(
        f"mask {JUDGED} --criterion gauss-newton --data inputs.npz --samples 8 -o masks.npz"
    )
    assert code == 0, err
    return cli


def test_plans_are_judged_on_inputs_that_were_not_measured_on(measured: Cli) -> None:
    line = f"allocate {JUDGED} --mask masks.npz --bytes 20%"
    *layers, summary = measured.records(f"{line} --data inputs.npz")
    assert summary["criterion"] == "gauss-newton"
    assert "8 inputs" in summary["saliency"]
    assert summary["judged_on"] == 12
    for plan in ("", "uniform_", "l1_log_"):
        assert summary[f"{plan}divergence"] > 0
        assert 0 <= summary[f"{plan}agreement"] <= 1
    assert {"uniform_loss", "l1_log_s_comm"} <= set(layers[1])
    assert summary["uniform_loss"] == pytest.approx(sum(row["uniform_loss"] for row in layers))
    code, out, _ = measured(f"{line} --data inputs.npz")
    assert code == 0
    assert "on 12 inputs that were not measured on, before finetuning: plan" in out
    assert "still a proxy" in out
    code, _, err = measured(f"{line} --data used.npz")
    assert code == 2
    assert "all 8 inputs were measured on" in err


def test_a_plan_that_is_further_off_than_uniform_is_told(measured: Cli) -> None:
    """Curves that are upside down: what matters most goes first."""
    from dataclasses import replace

    from discosim.masks.mask_file import read_mask, write_mask

    mask = read_mask("masks.npz", build("resnet18/8", (32,)))
    worst = {name: curve[-1] - curve[::-1] for name, curve in mask.curves["gauss-newton"].items()}
    upside = {n: (1e-6 if "layer4" in n or n == "fc" else 1) * c for n, c in worst.items()}
    write_mask("bad.npz", replace(mask, curves=mask.curves | {"gauss-newton": upside}))
    line = f"allocate {JUDGED} --mask bad.npz --bytes 80% --data inputs.npz --format json"
    code, out, err = measured(line)
    assert code == 0
    *_, summary = json.loads(out)
    assert ("uniform S_comm comes closer" in err) == (
        summary["uniform_divergence"] < summary["divergence"]
    )
    assert "uniform S_comm comes closer" in err


def test_a_mask_without_the_curves_that_are_asked_for_is_one_line(measured: Cli) -> None:
    line = "allocate --model resnet18/8 --input 32 --mask masks.npz --bytes 20%"
    code, out, err = measured(f"{line} --criterion taylor")
    assert (code, out) == (2, "")
    assert "by l1, l1-log, gauss-newton, not by taylor" in err
    assert len(err.splitlines()) == 1
    code, _, err = measured(f"{line} --criterion branches")
    assert code == 2
    assert "branches does not say what layers lose" in err
    for criterion in ("l1", "l1-log", "gauss-newton"):
        *_, summary = measured.records(f"{line} --criterion {criterion}")
        assert summary["criterion"] == criterion


def test_a_measured_mask_is_read_without_torch(measured: Cli) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from discosim.cli.app import run\n"
        "sys.argv = 'discosim allocate --model resnet18/8 --input 32 --mask masks.npz "
        "--bytes 20%'.split()\nsys.exit(run())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "measured on 8 inputs" in done.stdout


def test_without_scipy_one_line_says_what_to_do(cli: Cli) -> None:
    cli.monkeypatch.setitem(sys.modules, "scipy", None)
    code, out, err = cli(f"{FIRST} --method exact")
    assert (code, out) == (2, "")
    assert install_hint("scipy") in err
    assert "--method fast" in err
    assert cli(f"{FIRST} --method fast")[0] == 0


def test_ctrl_c_does_not_wait_for_the_solver(tmp_path: Path) -> None:
    """A sleep of a minute stands for HiGHS at work."""
    code = (
        "import sys, time\n"
        "from discosim.explore.allocation import milp as m\n"
        "def work():\n"
        "    print('at work', file=sys.stderr, flush=True)\n"
        "    time.sleep(60)\n"
        "def slow(_):\n"
        "    return inner(work)\n"
        "inner, m._interruptible = m._interruptible, slow\n"
        "from discosim.cli import main\n"
        f"sys.argv = {['discosim', *FIRST.split()]}\n"
        "main()\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "at work\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert process.stderr.read() == "discosim: interrupted\n"
