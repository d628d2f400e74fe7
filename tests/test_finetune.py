"""Prune and finetune: the schedule, masks that hold, going on, what is written, the experiment."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from discosim.errors import DiscosimError
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT, Network
from discosim.masks.measure import figures
from discosim.masks.select import select
from discosim.runtime.finetune import (
    Pruning,
    dense_state,
    effective_weights,
    prune_and_finetune,
    write_checkpoint,
)
from discosim.runtime.inputs import Inputs
from discosim.runtime.module import NetworkModule, dense_mask
from tests.split import on_one_thread

pytestmark = pytest.mark.extras

ROOT = Path(__file__).parents[1]

one_thread = pytest.fixture(autouse=True)(on_one_thread)


def small() -> Network:
    net = Builder("small", (3, 6, 6))
    with net.block("body"):
        x = net.activation(net.batch_norm(net.conv(INPUT, 8, 3, "conv1"), "bn1"), "relu")
        x = net.add(net.conv(x, 8, 3, "conv2", bias=True), x, "add")
    with net.block("head"):
        net.linear(net.flatten(net.global_pool(x, "pool"), "flatten"), 6, "fc")
    return net.build()


class Plain(nn.Module):
    """The same, as anyone would write it: only the names of its layers are agreed on."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.fc = nn.Linear(8, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn1(self.conv1(x)).relu()
        x = self.conv2(x) + x
        return self.fc(x.mean((2, 3)))


def train(module: nn.Module, step: int) -> None:
    """A few steps towards labels that follow from the images; the same for the same step."""
    draws = torch.Generator().manual_seed(step)
    x = torch.randn(32, 3, 6, 6, generator=draws)
    labels = x.mean((1, 2, 3)).mul(20).round().long() % 6
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2, weight_decay=0.1)
    module.train()
    for _ in range(5):
        loss = nn.functional.cross_entropy(module(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def fresh(kind: type[nn.Module] = Plain) -> nn.Module:
    torch.manual_seed(0)
    return NetworkModule(small()) if kind is NetworkModule else kind()


@given(st.floats(0, 1), st.floats(0.05, 1))
def test_each_step_prunes_a_fraction_of_what_is_left(s_comm: float, fraction: float) -> None:
    steps = Pruning(2, s_comm, fraction).steps
    assert steps[-1] == s_comm
    density = 1.0
    for before, step in zip((0.0, *steps), steps[:-1], strict=False):
        assert before < step < s_comm
        density *= 1 - fraction
        assert 1 - step == pytest.approx(density)


def test_layers_reach_their_own_s_comm() -> None:
    steps = Pruning(2, {"conv2": 0.6, "fc": 0.9}).steps
    assert steps == (
        {"conv2": 0.5, "fc": 0.5},
        {"conv2": 0.6, "fc": 0.75},
        {"conv2": 0.6, "fc": 0.875},
        {"conv2": 0.6, "fc": 0.9},
    )


@pytest.mark.parametrize("kind", [Plain, NetworkModule])
def test_what_is_pruned_stays_pruned_and_the_rest_is_trained(kind: type[nn.Module]) -> None:
    module, network = fresh(kind), small()
    first = effective_weights(module, network)
    kept: list[int] = []

    def watched(module: nn.Module, step: int) -> None:
        before = effective_weights(module, network)
        train(module, step)
        after = effective_weights(module, network)
        for name, weight in after.items():
            assert np.array_equal(weight == 0, before[name] == 0)
            assert not np.array_equal(weight, before[name])
        kept.append(sum(int((weight != 0).sum()) for weight in after.values()))

    mask = prune_and_finetune(module, network, Pruning(2, 0.8, 0.4), watched)
    assert kept == sorted(kept, reverse=True)
    assert len(set(kept)) > 2
    for name in mask.layers:
        zeros = effective_weights(module, network)[f"{name}.weight"] == 0
        whole = dense_mask(mask, network, name)
        assert np.array_equal(~zeros, np.broadcast_to(whole.T, zeros.T.shape).T)
    # the first step is the one-shot selection on the weights that it was given
    one = prune_and_finetune(fresh(kind), network, Pruning(2, 0.8, 1.0), lambda *_: None)
    shot = select(network, 2, 0.8, first)
    assert all(np.array_equal(one.layers[n].kept, shot.layers[n].kept) for n in shot.layers)


def test_at_zero_nothing_is_pruned() -> None:
    module, network = fresh(), small()
    before = effective_weights(module, network)
    prune_and_finetune(module, network, Pruning(2, 0.0), lambda *_: None)
    after = effective_weights(module, network)
    assert all(np.array_equal(after[name], before[name]) for name in before)


def _inputs(count: int, seed: int = 0) -> Inputs:
    draws = np.random.default_rng(seed)
    return Inputs(draws.normal(size=(count, 3, 6, 6)).astype(np.float32))


def test_a_plan_is_pruned_to_by_a_measured_criterion_and_goes_on(tmp_path: Path) -> None:
    network, path = small(), tmp_path / "run.pt"
    plan = {"conv2": 0.9, "fc": 0.5}
    pruning = Pruning(2, plan, criterion="gauss-newton", per="pair")
    whole = fresh()
    mask = prune_and_finetune(whole, network, pruning, train, inputs=_inputs(8))
    shares = {
        f.layer.name: f.s_comm for f in figures(network, mask, effective_weights(whole, network))
    }
    assert shares["fc"] == 0.5
    assert shares["conv2"] == 1.0  # no one of four features is a tenth
    assert not (effective_weights(whole, network)["conv1.weight"] == 0).all()

    def broken(module: nn.Module, step: int) -> None:
        if step == 2:
            raise KeyboardInterrupt
        train(module, step)

    with pytest.raises(KeyboardInterrupt):
        prune_and_finetune(fresh(), network, pruning, broken, inputs=_inputs(8), checkpoint=path)
    with pytest.raises(DiscosimError, match="of other inputs"):
        prune_and_finetune(fresh(), network, pruning, train, inputs=_inputs(8, 1), checkpoint=path)
    again = fresh()
    prune_and_finetune(again, network, pruning, train, inputs=_inputs(8), checkpoint=path)
    for name, tensor in dense_state(whole).items():
        assert torch.equal(dense_state(again)[name], tensor), name


def test_a_measured_criterion_without_inputs_is_refused() -> None:
    pruning = Pruning(2, 0.5, criterion="gauss-newton")
    with pytest.raises(DiscosimError, match="needs inputs"):
        prune_and_finetune(fresh(), small(), pruning, train)


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    network, pruning, path = small(), Pruning(2, 0.9), tmp_path / "run.pt"
    through = fresh()
    whole = prune_and_finetune(through, network, pruning, train)

    def broken(module: nn.Module, step: int) -> None:
        if step == 2:
            raise KeyboardInterrupt
        train(module, step)

    with pytest.raises(KeyboardInterrupt):
        prune_and_finetune(fresh(), network, pruning, broken, checkpoint=path)
    seen: list[tuple[int, int]] = []
    resumed = fresh()
    rest = prune_and_finetune(
        resumed, network, pruning, train, checkpoint=path, progress=lambda *at: seen.append(at)
    )
    assert seen == [(3, 4), (4, 4)]
    for name, tensor in dense_state(through).items():
        assert torch.equal(tensor, dense_state(resumed)[name])
    done = prune_and_finetune(fresh(), network, pruning, train, checkpoint=path)
    for mask in (rest, done):
        assert all(
            np.array_equal(mask.layers[name].kept, whole.layers[name].kept) for name in mask.layers
        )
        assert mask.criterion == whole.criterion


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    network, path = small(), tmp_path / "run.pt"
    prune_and_finetune(fresh(), network, Pruning(2, 0.5), lambda *_: None, checkpoint=path)
    with pytest.raises(DiscosimError, match=r"is of .* wanted"):
        prune_and_finetune(fresh(), network, Pruning(2, 0.9), train, checkpoint=path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DiscosimError, match="is damaged"):
        prune_and_finetune(fresh(), network, Pruning(2, 0.5), train, checkpoint=path)
    path.write_bytes(b"")
    with pytest.raises(DiscosimError, match="is damaged"):
        prune_and_finetune(fresh(), network, Pruning(2, 0.5), train, checkpoint=path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_what_is_written_loads_anywhere(tmp_path: Path, suffix: str) -> None:
    from safetensors.torch import load_file

    module, path = fresh(), tmp_path / f"pruned{suffix}"
    prune_and_finetune(module, small(), Pruning(2, 0.8), train)
    write_checkpoint(module, path)
    read = load_file(path) if suffix == ".safetensors" else torch.load(path, weights_only=True)
    x = torch.randn(4, 3, 6, 6)
    for other in (Plain(), NetworkModule(small())):
        other.load_state_dict(read)
        assert torch.allclose(other.eval()(x), module.eval()(x), atol=1e-6)
    with pytest.raises(DiscosimError, match=r"wanted a suffix of \.safetensors"):
        write_checkpoint(module, tmp_path / "pruned.h5")


def test_a_module_of_another_network_is_refused() -> None:
    module = fresh()
    del module.conv2
    module.fc = nn.Linear(8, 5)
    with pytest.raises(DiscosimError, match=r"missing: conv2\.weight 8x8x3x3; other shapes: fc"):
        prune_and_finetune(module, small(), Pruning(2, 0.5), train)


def test_weights_that_are_not_finite_are_refused() -> None:
    module = fresh()
    with torch.no_grad():
        module.conv2.weight[0, 0] = float("nan")
    with pytest.raises(DiscosimError, match=r"conv2\.weight of small has values that are NaN"):
        prune_and_finetune(module, small(), Pruning(2, 0.5), train)


@pytest.mark.parametrize("fraction", [0.0, -1.0, 1.5, float("nan")])
def test_a_fraction_is_more_than_nothing_and_at_most_all(fraction: float) -> None:
    with pytest.raises(DiscosimError, match="wanted more than 0, at most 1"):
        Pruning(2, 0.5, fraction)


def test_the_digits_experiment_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One seed, two settings, a hundredth of the training."""
    script, path = ROOT / "experiments" / "digits.py", tmp_path / "digits.jsonl"
    monkeypatch.syspath_prepend(str(script.parent))
    digits = importlib.import_module("digits")

    def run(*s_comm: str) -> list[dict[str, object]]:
        what = ["--networks", "vit", "--nodes", "2", "--seeds", "0", "--noise", "0"]
        what += ["--methods", "disco", "branches", "--budget", "0.01", "--s-comm", *s_comm]
        monkeypatch.setattr(sys, "argv", [str(script), str(path), *what])
        digits.main()
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    [first] = run("0.9")
    again, second = run("0.9", "1.0")
    assert again == first
    assert (first["method"], second["method"]) == ("disco", "branches")
    assert 0.1 < float(str(first["accuracy"])) <= 1.0
    assert first["avg_s_comm"] < second["avg_s_comm"]
