"""`discosim mask`, and what reads its file."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from discosim.cli.app import run
from discosim.masks.mask_file import read_mask
from discosim.masks.weights import random_weights
from discosim.networks import build
from discosim.runtime.inputs import Inputs
from discosim.runtime.state import random_state

pytestmark = pytest.mark.extras

COLUMNS = [
    "layer",
    "op",
    "in_features",
    "out_features",
    "kept_pairs",
    "s_comm",
    "s_comp",
    "s_comp_worst",
    "retained_l1",
]
MASK = "mask --model resnet18/8 --input 64"


class Answer(NamedTuple):
    code: int
    out: str
    err: str


Cli = Callable[[str], Answer]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    monkeypatch.chdir(tmp_path)

    def call(line: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["discosim", *line.split()])
        code = run()
        return Answer(code, *capsys.readouterr())

    return call


def test_a_record_for_each_layer(cli: Cli) -> None:
    answer = cli(f"{MASK} --nodes 3 --s-comm 0.9 --per layer --format json")
    records = json.loads(answer.out)
    assert len(records) == 21
    assert answer.err == "note: no --weights: He-normal weights, seed 0\n"
    for record in records:
        assert list(record) == COLUMNS
        assert len(record["kept_pairs"]) == len(record["kept_pairs"][0]) == 3
        assert all(record["kept_pairs"][i][i] == 0 for i in range(3))
        assert 0 <= record["s_comp_worst"] <= 1
        assert 0 < record["retained_l1"] <= 1
    assert records[0]["s_comm"] == 0
    wide = next(record for record in records if record["layer"] == "layer4.1.conv2")
    assert wide["s_comm"] == pytest.approx(0.9, abs=0.01)
    assert wide["s_comp"] == pytest.approx(2 / 3 * wide["s_comm"], rel=0.02)
    assert sum(map(sum, wide["kept_pairs"])) == round(0.1 * 2 * 64)


def test_the_cost_of_equal_pairs_is_that_of_the_knob(cli: Cli) -> None:
    cli(f"{MASK} --nodes 2 --s-comm 0.75 -o masks.npz")
    sweep = "sweep --model resnet18/8 --input 64 --rounding exact --format json"
    masked, uniform = (
        json.loads(cli(f"{sweep} {knob}").out)[0]
        for knob in ("--mask masks.npz", "--nodes 2 --s-comm 0.75")
    )
    assert masked.pop("s_comm") is None
    assert uniform.pop("s_comm") == 0.75
    assert masked == pytest.approx(uniform)


@pytest.mark.parametrize(
    "command", ["sweep", "layers", "compare", "sweep --conventions runtime --topology broadcast"]
)
def test_a_mask_is_read_by_what_costs_something(command: str, cli: Cli) -> None:
    cli(f"{MASK} --nodes 4 -o masks.npz")
    answer = cli(f"{command} --model resnet18/8 --input 64 --mask masks.npz --format json")
    assert answer.code == 0
    records = json.loads(answer.out)
    assert all(record["nodes"] in (1, 4) for record in records if "nodes" in record)
    assert len(records) == {"layers": 21, "compare": 12}.get(command, 1)


def test_a_front_may_be_that_of_a_mask_or_a_plan(cli: Cli) -> None:
    cli(f"{MASK} --nodes 3 -o masks.npz")
    plan = {"version": 1, "model": "resnet18/8", "nodes": 3, "s_comm": {"fc": 0.5}}
    Path("plan.json").write_text(json.dumps(plan), encoding="utf-8")
    for knob in ("--mask masks.npz", "--plan plan.json"):
        pareto, sweep = (
            json.loads(cli(f"{line} --model resnet18/8 --input 64 {knob} --format json").out)
            for line in ("pareto --jobs 1 --strategy disco --reduce all", "sweep")
        )
        assert [row["nodes"] for row in pareto] == [3]
        assert pareto[0]["latency_s"] == pytest.approx(sweep[0]["latency_s"])


def test_an_allocation_loses_what_the_masks_weights_lose(cli: Cli) -> None:
    weights = random_weights(build("resnet18/8"))
    for name in weights:
        if name.startswith("layer3"):  # all but one feature in ten hardly matter there
            weights[name][:, np.arange(weights[name].shape[1]) % 10 > 0] *= 1e-3
    torch.save({name: torch.from_numpy(w) for name, w in weights.items()}, "w.pt")
    cli(f"{MASK} --nodes 4 --weights w.pt -o masks.npz")
    limits = "--input 64 --bytes 40% --levels 0,0.5,0.8 --format json"
    answer = cli(f"allocate --model resnet18/8 --mask masks.npz {limits}")
    *layers, plan = json.loads(answer.out)
    assert plan["saliency"].endswith("weights of w.pt")
    assert plan["criterion"] == "l1-log"
    assert plan["nodes"] == 4
    chosen = {row["layer"]: row for row in layers}
    weak = [row for name, row in chosen.items() if name.startswith("layer3")]
    assert all(row["s_comm"] >= 0.5 for row in weak)
    assert sum(row["loss"] for row in weak) < 0.001 < plan["loss"]
    by_norm, drawn = (
        json.loads(cli(f"allocate --model resnet18/8 {how} {limits}").out)[-1]
        for how in ("--mask masks.npz --criterion l1", "--nodes 4")
    )
    assert by_norm["criterion"] == drawn["criterion"] == "l1"
    assert by_norm["loss"] < drawn["loss"]
    refused = cli(f"allocate --model resnet18/8 --mask masks.npz --nodes 2 {limits}")
    assert "the mask is for 4 nodes, not for 2" in refused.err


def _data(count: int = 6, labels: bool = False) -> None:
    draws = np.random.default_rng(0)
    more = {"labels": draws.integers(0, 1000, count)} if labels else {}
    np.savez("inputs.npz", inputs=draws.normal(size=(count, 3, 64, 64)), **more)


@pytest.mark.parametrize("criterion", ["gauss-newton", "taylor", "sensitivity"])
def test_a_criterion_is_measured_on_the_first_inputs(criterion: str, cli: Cli) -> None:
    _data(labels=criterion == "taylor")
    by = f"--criterion {criterion} --data inputs.npz --samples 4"
    first, again = (cli(f"{MASK} {by} -o {name}.npz") for name in ("one", "two"))
    assert first.code == 0, first.err
    assert f"{criterion} per pair, S_comm 0.8, measured on 4 inputs" in first.out
    assert first.out == again.out
    assert Path("one.npz").read_bytes() == Path("two.npz").read_bytes()
    mask = read_mask("one.npz", build("resnet18/8", (64,)))
    assert list(mask.curves) == ["l1", "l1-log", criterion]
    with np.load("inputs.npz") as held:
        inputs = Inputs(held["inputs"].astype(np.float32))
    assert len(inputs.without(mask.used)) == 2
    assert bool(mask.scores) == (criterion != "sensitivity")


@pytest.mark.parametrize(
    ("criterion", "known"),
    [("l1", {"l1", "l1-log"}), ("l2", {"l1", "l1-log", "l2"}), ("random", {"l1", "l1-log"})],
)
def test_a_file_says_what_layers_lose_by_the_criterion_too(
    criterion: str, known: set[str], cli: Cli
) -> None:
    cli(f"{MASK} --criterion {criterion} -o masks.npz")
    assert set(read_mask("masks.npz", build("resnet18/8", (64,))).curves) == known


def test_parameters_are_taken_by_order_where_names_are_others(cli: Cli) -> None:
    _data()
    state = random_state(build("resnet18/8", (64,)), 3)
    torch.save(state, "ours.pt")
    torch.save({f"net.{name}": tensor for name, tensor in state.items()}, "others.pt")
    by = "--criterion gauss-newton --data inputs.npz"
    ours, others = (cli(f"{MASK} {by} --weights {name}.pt") for name in ("ours", "others"))
    assert "other names: taken by order, kind and shape" in others.err
    assert ours.out.replace("ours", "others") == others.out
    del state["bn1.running_mean"]
    torch.save(state, "less.pt")
    assert "missing: bn1.running_mean 8" in cli(f"{MASK} {by} --weights less.pt").err


def test_the_slowest_pair_decides_and_is_told(cli: Cli) -> None:
    """Counted per pair a mask takes what S_comm says, to a feature; per layer it takes longer."""
    told = {}
    for per in ("pair", "layer"):
        line = f"mask --model mobilenetv2-0.35 --input 96 --nodes 4 --per {per} -o {per}.npz"
        answer = cli(line)
        assert answer.code == 0, answer.err
        [found] = [text for text in answer.out.splitlines() if text.startswith("Latency on")]
        took, promised = re.findall(r"([\d.]+) ms", found)
        [row] = json.loads(
            cli(f"sweep --model mobilenetv2-0.35 --input 96 --mask {per}.npz --format json").out
        )
        assert float(took) == pytest.approx(1e3 * row["latency_s"], rel=1e-3)
        told[per] = float(took) / float(promised)
    assert told["pair"] < 1.2 < told["layer"]


def test_a_mask_without_effect_is_said(cli: Cli) -> None:
    cli(f"{MASK} -o masks.npz")
    for command in ("sweep", "layers"):
        line = f"{command} --model resnet18/8 --input 64 --mask masks.npz --strategy dense"
        assert "--mask" in cli(line).err


def test_real_weights_and_their_file_are_named_in_the_answer(cli: Cli) -> None:
    weights = random_weights(build("resnet18/8"), 3)
    torch.save({name: torch.from_numpy(w) for name, w in weights.items()}, "w.pt")
    answer = cli(f"{MASK} --weights w.pt -o masks.npz")
    assert answer.err == "wrote masks.npz\n"
    assert answer.out.startswith(
        "resnet18/8 at 3x64x64 on 2 nodes: l1 per pair, S_comm 0.8; weights of w.pt\nKept: "
    )
    torch.save({f"net.{name}": torch.from_numpy(w) for name, w in weights.items()}, "w.pt")
    renamed = cli(f"{MASK} --weights w.pt")
    assert renamed.out == answer.out
    assert "other names: taken by order and shape" in renamed.err


def test_a_plan_gives_each_layer_its_own(cli: Cli) -> None:
    plan = {"version": 1, "model": "resnet18/8", "nodes": 2, "s_comm": {"fc": 0.5}}
    Path("plan.json").write_text(json.dumps(plan), encoding="utf-8")
    records = json.loads(cli(f"{MASK} --plan plan.json --format json").out)
    assert {record["layer"]: record["s_comm"] for record in records if record["s_comm"]} == {
        "fc": 0.5
    }
    assert "give one of --s-comm and --plan" in cli(f"{MASK} --plan plan.json --s-comm 0.5").err
    assert "is for 2 nodes" in cli(f"{MASK} --plan plan.json --nodes 4").err


def test_search_says_what_it_gained(cli: Cli) -> None:
    blocks = json.loads(cli(f"{MASK} --per layer --format json").out)
    found = json.loads(cli(f"{MASK} --search --format json").out)
    kept = [sum(record["retained_l1"] for record in records) for records in (blocks, found)]
    assert kept[1] > kept[0]
    assert [r["s_comm"] for r in blocks] == [r["s_comm"] for r in found]
    answer = cli(f"{MASK} --search -o masks.npz")
    assert "Contiguous blocks instead of the searched placement would keep " in answer.out
    assert cli("sweep --model resnet18/8 --input 64 --mask masks.npz").code == 0


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_layer_is_drawn(suffix: str, cli: Cli) -> None:
    for option in ("", "--layer layer2.0.conv1"):
        answer = cli(f"{MASK} --nodes 3 {option} --plot m.{suffix}")
        assert answer.err.endswith(f"wrote m.{suffix}\n")
        assert Path(f"m.{suffix}").stat().st_size > 5000
        Path(f"m.{suffix}").unlink()
    assert "--layer has no effect" in cli(f"{MASK} --layer fc").err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--criterion l3", "unknown criterion 'l3'"),
        ("--criterion gauss-newton", "gauss-newton needs inputs: --data inputs.npz or --data"),
        ("--criterion taylor", "taylor needs inputs with labels: --data"),
        ("--criterion taylor --data none.npz", "no such file"),
        ("--criterion taylor --data x.npz --samples 0", "0"),
        ("--per row", "unknown value of per"),
        ("--s-comm 1.5", "S_comm 1.5"),
        ("--s-comm 0.1,0.2", "--s-comm takes one value"),
        ("--nodes 2,4", "--nodes takes one value"),
        ("--nodes 0", "0 nodes"),
        ("--nodes 100000", "wanted at most as many nodes"),
        ("--seed -1", "-1"),
        ("-o masks.csv", "wanted the suffix .npz"),
        ("-o none/masks.npz", "cannot write none/masks.npz"),
        ("--plot m.gif", ".png"),
        ("--plot m.png --layer conv1", "unknown layer with an exchange 'conv1'"),
        ("--weights none.pt", "no such file"),
        ("--weights w.onnx", ".safetensors"),
    ],
)
def test_what_cannot_be_is_one_line(options: str, words: str, cli: Cli) -> None:
    answer = cli(f"{MASK} {options}")
    assert (answer.code, answer.out) == (2, "")
    assert len(answer.err.splitlines()) == 1
    assert words in answer.err
    assert not list(Path().iterdir())


def test_a_node_without_a_head_is_refused(cli: Cli) -> None:
    answer = cli("mask --model deit-ti --input 32 --nodes 4")
    assert answer.code == 2
    assert len(answer.err.splitlines()) == 1
    assert "4 nodes, but block.0.attn of deit-ti has 3 heads" in answer.err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sweep --model resnet18/8 --mask masks.npz", "for input 3x64x64, not for 3x224x224"),
        ("sweep --model resnet18 --input 64 --mask masks.npz", "is for resnet18/8, not for"),
        ("sweep --model resnet18/8 --input 64 --mask masks.npz --nodes 4", "for 2 nodes, not"),
        ("layers --model resnet18/8 --input 64 --mask masks.npz --nodes 4", "for 2 nodes, not"),
        ("compare --model resnet18/8 --input 64 --mask masks.npz --nodes 4", "for 2 nodes, not"),
        ("sweep --model resnet18/8 --mask masks.npz --s-comm 0.5", "give one of --s-comm and"),
        ("sweep --model resnet18/8 --mask none.npz", "no such file"),
        ("sweep --model resnet18/8 --mask text.npz", "not a whole file"),
    ],
)
def test_a_mask_for_another_is_refused(line: str, words: str, cli: Cli) -> None:
    cli(f"{MASK} -o masks.npz")
    Path("text.npz").write_text("nothing", encoding="utf-8")
    answer = cli(line)
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err
    assert len(answer.err.splitlines()) == 1
