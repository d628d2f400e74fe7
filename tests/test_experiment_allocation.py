"""experiments/allocation.py: it goes on where it stopped, and compares at equal latency."""

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.split import on_one_thread

pytestmark = pytest.mark.extras

ROOT = Path(__file__).parents[1]
WHAT = ["--tasks", "upscaler", "--nodes", "2", "--budgets", "0.25", "--seeds", "0"]

one_thread = pytest.fixture(autouse=True)(on_one_thread)


@pytest.fixture
def allocation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A hundredth of the training, three random plans, few images to test on."""
    monkeypatch.syspath_prepend(str(ROOT / "experiments"))
    module = importlib.import_module("allocation")

    def few(task: Any) -> Any:
        def data(seed: int) -> Any:
            sets = task.data(seed)
            return replace(sets, test=sets.test.some(slice(0, 64)))

        return replace(task, base_batches=12, batches=10, data=data)

    monkeypatch.setattr(module, "TASKS", {name: few(task) for name, task in module.TASKS.items()})
    monkeypatch.setattr(module, "PLANS", 3)
    module.base.cache_clear()
    return module


def test_plans_are_compared_at_equal_latency_and_runs_go_on(
    allocation: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "allocation.jsonl"

    def run(*methods: str) -> list[dict[str, object]]:
        monkeypatch.setattr(sys, "argv", ["allocation.py", str(path), *WHAT, "--methods", *methods])
        allocation.main()
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    [uniform] = run("uniform")
    again, cut, ours, placed, rank = run(
        "uniform", "dense-then-split", "gauss-newton", f"uniform{allocation.SEARCHED}", "rank"
    )
    assert again == uniform
    for row in (uniform, cut, ours, placed):
        assert row["latency_s"] <= row["limit_s"] * (1 + 1e-9)
        assert row["limit_s"] == uniform["limit_s"]
    assert uniform["latency_s"] == pytest.approx(uniform["limit_s"])
    assert ours["divergence"] != uniform["divergence"]
    assert set(rank["with_quality"]) == set(allocation.RANKED)

    report = importlib.import_module("allocation_report")
    monkeypatch.setattr(sys, "argv", ["allocation_report.py", str(path)])
    report.main()
    assert "| gauss-newton |" in path.with_suffix(".md").read_text(encoding="utf-8")
    assert path.with_suffix(".png").stat().st_size > 5000


def test_a_cut_has_as_many_layers_dense_as_the_latency_allows(allocation: ModuleType) -> None:
    for method in allocation.CUTS:
        subject = allocation.Subject(allocation.Run("vit", 4, 0.3, method, 0))
        split = set(subject.cut())
        table = subject.base.table
        order = [name for name, mixes in zip(table.name, table.mixes, strict=True) if mixes]
        order = order if method == "dense-then-split" else order[::-1]
        dense = len(order) - len(split)
        assert 0 < dense < len(order)
        assert split == set(order[dense:])
        for more, fits in ((0, True), (1, False)):
            s_comm = dict.fromkeys(order[dense + more :], 1.0)
            cost = replace(subject.base, mask=subject.mask(s_comm, "l1")).cost()
            assert (cost.latency_s.item() <= subject.limit_s) == fits


def test_no_correlation_where_all_plans_are_alike(allocation: ModuleType) -> None:
    assert allocation.correlation([1.0, 2.0, 3.0], [5.0, 6.0, 7.0]) == 1
    assert allocation.correlation([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]) is None


def test_every_task_has_a_network_and_labels_of_its_output(allocation: ModuleType) -> None:
    for task in allocation.TASKS.values():
        if task.archive and not allocation.packaged.is_here(task.archive):
            continue  # it is fetched by hand
        network, sets = task.build(), task.data(0)
        [name] = network.outputs
        wanted = network.graph.nodes[name]["layer"].out_shape
        for part in (sets.train, sets.test):
            assert part.x.shape[1:] == network.input_shape
            if part.labels.dtype.kind == "f":
                assert part.labels.shape[1:] == wanted
            else:
                assert set(part.labels.tolist()) == set(range(wanted[0]))
