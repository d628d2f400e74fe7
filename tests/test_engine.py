"""The engine: lookups equal the model, reductions equal a plain one, however the work is cut."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discosim.errors import DiscosimError
from discosim.explore.grid import reduce
from discosim.explore.grid.coefficients import coefficients
from discosim.explore.grid.engine import TaskWork, reduce_grid
from discosim.explore.grid.evaluate import amounts_at, evaluate
from discosim.explore.grid.executors import on_cores, serially
from discosim.explore.grid.front import dominated, pareto_front
from discosim.explore.grid.grid import AXES, Grid, boxes
from discosim.explore.grid.metrics import METRICS
from discosim.explore.grid.records import records, with_axes
from discosim.explore.grid.reduce import All, Best, Histogram, Pareto, Reduction, State
from discosim.graph.table import LayerTable
from discosim.hardware import Hardware, load_profile
from discosim.model.compute import MEMORY_OVERLAP
from discosim.model.lookup import sum_of_maxima
from tests.configurations import on, swept
from tests.strategies import hardware, tables


def small_grid(**changes: Any) -> Grid:
    node = replace(
        load_profile("rpi4-gigabit").hardware(),
        bandwidth_Bps=np.geomspace(1e6, 1e9, 7),
        compute_macps=np.geomspace(1e8, 1e12, 5),
        link_latency_s=np.array([0.0, 1e-4]),
        price_usd=35.0,
    )
    grid = Grid(
        [on("resnet18/8", (32,))],
        [node],
        ["disco", "single", "pipeline"],
        [2, 3],
        np.linspace(0, 1, 6),
        ["none", "ideal", "layer", "layer:2"],
    )
    return replace(grid, **changes)


REDUCTIONS: list[Reduction] = [
    Pareto(("latency", "memory")),
    Pareto(("latency", "bandwidth", "memory", "nodes")),
    Pareto(("throughput", "bytes", "s_comm")),
    Best("energy", 3),
    Histogram("latency"),
    All(),
]


def equal(a: State, b: State) -> bool:
    return a.keys() == b.keys() and all(
        np.array_equal(a[name], b[name], _nan(a[name])) for name in a
    )


def _nan(array: np.ndarray) -> bool:
    return array.dtype.kind == "f"


def close(a: State, b: State) -> None:
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-12)


# Lookup


@given(st.integers(0, 6), st.integers(1, 9), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_a_lookup_is_the_sum_of_maxima(layers: int, groups: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.choice([0.0, 1.0, 2.5, 1e3], (groups, layers)) * rng.random((groups, layers))
    q = rng.choice([0.0, -1.0, 1.0, 1e3], (groups, layers)) * rng.random((groups, layers))
    v = np.sort(rng.choice([1e-3, 1.0, 40.0], count) * rng.random(count) + 1e-9)
    expected = np.maximum(p[:, None, :] * v[:, None], q[:, None, :]).sum(-1)
    size = np.abs(q).sum(-1, keepdims=True) + p.sum(-1, keepdims=True) * v
    assert (np.abs(sum_of_maxima(p, q, v) - expected) <= 1e-12 * size).all()


@given(
    tables(),
    hardware(),
    st.sampled_from(
        [
            "disco",
            "dense",
            "branches",
            "single",
            "pipeline",
            "dense-then-split",
            "rows",
            "paired",
            "partial-sync",
        ]
    ),
    st.sampled_from(["none", "ideal", "layer", "layer:3", "layer:best"]),
    st.sampled_from(["paper", "runtime"]),
    st.integers(1, 4),
    st.booleans(),
)
def test_a_block_costs_what_simulate_says(
    table: LayerTable,
    node: Hardware,
    strategy: str,
    overlap: str,
    conventions: str,
    nodes: int,
    wide: bool,
) -> None:
    around = np.geomspace(0.1, 10.0, 6 if wide else 2)
    node = replace(
        node,
        bandwidth_Bps=np.asarray(node.bandwidth_Bps) * around,
        compute_macps=np.asarray(node.compute_macps) * np.geomspace(10.0, 0.1, 5),
        link_latency_s=np.array([0.0, 1e-4]),
    )
    base = on(table, conventions=conventions)
    try:
        places = Grid(
            [base], [node], [strategy], [nodes], np.array([0.0, 0.3, 1.0]), [overlap]
        ).places
    except DiscosimError:
        return  # more stages than layers
    for place in places:
        seen = np.zeros(place.shape, dtype=int)
        whole = [slice(0, count) for count in place.shape]
        for block in evaluate(place, (whole[0], whole[1], whole[2], whole[3])):
            seen[block.box] += 1
            cost = amounts_at(
                place.configuration, [_along(place.axes, block.box, i) for i in range(4)]
            )
            for name, expected in {
                "latency_s": cost.latency_s,
                "interval_s": cost.interval_s,
                "bytes_per_node": cost.bytes_per_node,
                "node_bytes": cost.node_bytes,
                "avg_s_comm": cost.avg_s_comm,
            }.items():
                found = np.broadcast_to(getattr(block.amounts, name), block.shape)
                np.testing.assert_allclose(
                    found, np.broadcast_to(expected, block.shape), rtol=1e-12, atol=1e-30
                )
        assert (seen == 1).all()


@pytest.mark.parametrize("overlap", ["none", "ideal", "layer"])
@pytest.mark.parametrize("strategy", ["disco", "rows", "fused-rows", "paired", "partial-sync"])
@pytest.mark.parametrize("memory", sorted(MEMORY_OVERLAP))
def test_what_one_exchange_a_layer_costs_is_looked_up(
    memory: str, strategy: str, overlap: str
) -> None:
    """Calls, memory beside or after the arithmetic, and nodes with more or fewer rows included."""
    node = replace(load_profile("rpi4-gigabit").hardware(), memory_overlap=memory)
    [place] = Grid(
        [on("resnet18/8", (32,))], [node], [strategy], [3], np.array([0.0, 0.5]), [overlap]
    ).places
    assert coefficients(place.configuration, np.array([0.0, 0.5])) is not None


def _along(axes: dict[str, np.ndarray], box: tuple[slice, ...], axis: int) -> np.ndarray:
    shape = [1, 1, 1, 1]
    shape[axis] = -1
    return axes[AXES[axis]][box[axis]].reshape(shape)


# Fronts


@given(st.integers(0, 60), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_a_front_holds_all_that_nobody_dominates(count: int, metrics: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 5, (count, metrics)).astype(float)
    front = pareto_front(values)
    no_worse = (values[:, None] <= values[None]).all(-1)
    better = no_worse & (values[:, None] < values[None]).any(-1)
    free = np.flatnonzero(~better.any(0))
    assert {tuple(values[i]) for i in free} == {tuple(values[i]) for i in front}
    first = {tuple(values[i]): i for i in free[::-1]}
    assert sorted(front) == sorted(first.values())
    np.testing.assert_array_equal(dominated(values, values), better.any(0))


# Reductions


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=repr)
def test_a_reduction_does_not_depend_on_how_the_work_is_cut(reduction: Reduction) -> None:
    whole = reduce_grid(small_grid(), reduction)
    for task in (1000, 37):
        close(whole, reduce_grid(small_grid(), reduction, task=task))


@pytest.mark.parametrize("reduction", REDUCTIONS[:5], ids=repr)
def test_a_streamed_reduction_is_that_of_all_rows(reduction: Reduction) -> None:
    grid = small_grid()
    rows = reduce_grid(grid, All())
    assert np.array_equal(rows["number"], np.arange(grid.size))
    state = reduce_grid(grid, reduction)
    if isinstance(reduction, Histogram):
        logs = np.floor(np.log10(rows["latency_s"].astype(float)) * 10) + 150
        expected = np.bincount(logs.astype(int), minlength=360)
        assert np.array_equal(state["counts"], expected)
        return
    names = reduction.metrics if isinstance(reduction, Pareto) else (reduction.metric,)
    values = np.stack(
        [(-1 if METRICS[n].most else 1) * rows[METRICS[n].column].astype(float) for n in names], -1
    )
    if isinstance(reduction, Best):
        expected = np.argsort(values[:, 0], kind="stable")[: reduction.count]
    else:
        expected = pareto_front(values)
    np.testing.assert_array_equal(state["number"], expected)


def test_records_are_the_rows_of_sweep() -> None:
    grid = small_grid(strategies=["disco"], overlaps=["none"])
    found = records(grid, np.arange(grid.size))
    rows = with_axes(grid, dict(reduce_grid(grid, All())))
    rows_of_sweep = swept(grid.bases[0], grid.hardware, nodes=grid.nodes, s_comm=grid.s_comm)
    axes = ["nodes", *AXES]
    frames = (found, rows, rows_of_sweep)
    found, rows, expected = (f.sort_values(axes).reset_index(drop=True) for f in frames)
    for name in [*axes, "latency_s", "bytes_per_node", "node_bytes", "avg_s_comm"]:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)
        np.testing.assert_allclose(rows[name], expected[name], rtol=1e-12)
    assert list(found["strategy"]) == ["disco"] * grid.size


@given(st.lists(st.integers(1, 6), min_size=4, max_size=4), st.integers(1, 50))
def test_boxes_cover_a_grid_once(shape: list[int], largest: int) -> None:
    seen = np.zeros(shape, dtype=int)
    for box in boxes(shape, largest):
        assert seen[box].size <= largest
        seen[box] += 1
    assert (seen == 1).all()


def test_energy_is_macs_and_idle_nodes() -> None:
    node = replace(
        load_profile("rpi4-gigabit").hardware(), energy_per_mac_J=1e-9, energy_per_byte_J=1e-6
    )
    grid = small_grid(hardware=[node], strategies=["dense"], nodes=[2], overlaps=["none"])
    [row] = records(grid, np.array([0])).to_dict("records")
    macs = grid.bases[0].table.macs.sum()
    sent = 2 * row["bytes_per_node"]
    assert node.idle_power_W is not None
    idle = 2 * float(np.asarray(node.idle_power_W)) * row["latency_s"]
    assert row["energy_J"] == pytest.approx(macs * 1e-9 + sent * 1e-6 + idle, rel=1e-12)


# Left out, refused


def test_what_cannot_be_is_left_out_and_said() -> None:
    grid = small_grid(nodes=[2, 5000])
    assert {place.configuration.nodes for place in grid.places} == {1, 2}
    assert any("N = 5000" in line for line in grid.left_out)
    with pytest.raises(DiscosimError, match="5000 nodes"):
        _ = small_grid(nodes=[5000], strategies=["disco"]).places


@pytest.mark.parametrize("axis", ["bases", "hardware", "strategies", "nodes", "s_comm"])
def test_an_empty_axis_is_refused(axis: str) -> None:
    empty = np.zeros(0) if axis == "s_comm" else []
    with pytest.raises(DiscosimError, match="empty"):
        reduce_grid(small_grid(**{axis: empty}), Best("latency"))


def test_a_front_that_is_nearly_all_of_the_grid_is_refused(monkeypatch: Any) -> None:
    monkeypatch.setattr(reduce, "MOST", 3)
    with pytest.raises(DiscosimError, match="fewer metrics"):
        reduce_grid(small_grid(), Pareto(("latency", "bandwidth", "compute")))


# Processes


def test_two_processes_find_the_same() -> None:
    reduction = Pareto(("latency", "memory", "bytes"))
    alone = reduce_grid(small_grid(), reduction, task=200)
    assert equal(alone, reduce_grid(small_grid(), reduction, jobs=2, task=200))


@dataclass(frozen=True)
class Deadly:
    """Work whose process dies at the first task, once."""

    work: TaskWork
    mark: Path

    def __call__(self, task: Any) -> State:
        if not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.work(task)


def test_a_process_that_dies_loses_nothing(tmp_path: Path) -> None:
    work = TaskWork(small_grid(), Histogram("latency"))
    tasks = dict(enumerate(work.grid.tasks(200)))
    expected = dict(serially(work, tasks))
    found = dict(on_cores(Deadly(work, tmp_path / "died"), tasks, 2))
    assert (tmp_path / "died").exists()
    assert found.keys() == expected.keys()
    assert all(equal(found[number], expected[number]) for number in found)


# Resuming


class Stop(BaseException):
    """Somebody presses Ctrl-C."""


def stopped(path: Path, reduction: Reduction, after: int, **keep: Any) -> None:
    calls: Iterator[int] = iter(range(after))

    def progress(_done: int, _total: int) -> None:
        if next(calls, None) is None:
            raise Stop

    with pytest.raises(Stop):
        reduce_grid(small_grid(), reduction, task=100, progress=progress, **keep)
    assert path.exists()


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=repr)
@pytest.mark.parametrize("option", ["resume", "keep_as"])
def test_an_interrupted_run_goes_on(tmp_path: Path, reduction: Reduction, option: str) -> None:
    path = tmp_path / "kept"
    stopped(path, reduction, 5, **{option: str(path)})
    seen: list[int] = []
    state = reduce_grid(
        small_grid(),
        reduction,
        task=100,
        resume=str(path),
        progress=lambda done, _: seen.append(done),
    )
    assert equal(state, reduce_grid(small_grid(), reduction, task=100))
    assert seen[0] > 400  # what was done is not done again
    seen.clear()
    again = reduce_grid(
        small_grid(),
        reduction,
        task=100,
        resume=str(path),
        progress=lambda done, _: seen.append(done),
    )
    assert not seen
    assert equal(state, again)


@pytest.mark.parametrize("keep", [0, 10, 300, -1])
def test_a_damaged_resume_file_is_refused_and_left_alone(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "kept"
    stopped(path, Best("latency"), 3, resume=str(path))
    damaged = path.read_bytes()[:keep]
    path.write_bytes(damaged)
    with pytest.raises(DiscosimError, match="no resume file, or damaged"):
        reduce_grid(small_grid(), Best("latency"), resume=str(path))
    assert path.read_bytes() == damaged


def test_a_resume_file_of_another_question_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    stopped(path, Best("latency"), 3, resume=str(path))
    before = path.read_bytes()
    for grid, reduction in (
        (small_grid(nodes=[2]), Best("latency")),
        (small_grid(), Best("memory")),
        (small_grid(bases=[on("resnet34/8", (32,))]), Best("latency")),
    ):
        with pytest.raises(DiscosimError, match="another question"):
            reduce_grid(grid, reduction, task=100, resume=str(path))
    assert path.read_bytes() == before
