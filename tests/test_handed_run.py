"""Tensors that are handed on, on nodes that run: the same outputs, and the bytes that were said."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import discosim as ds
from discosim.graph.table import LayerTable
from discosim.partition.kinds import Kind
from discosim.partition.plan_file import PlanFile, write_plan
from discosim.partition.splits import LayerSplit
from tests.split import on_one_thread
from tests.strategies import tables
from tests.test_handed import HANDED, SEEDS, laid_with, plan_of
from tests.test_laid_run import check
from tests.test_splits_run import same_as_on_one_node

pytestmark = pytest.mark.extras

one_thread = pytest.fixture(autouse=True)(on_one_thread)


@settings(max_examples=15, deadline=None)
@given(tables(), SEEDS, st.integers(2, 4))
def test_nodes_have_all_that_they_compute_from(table: LayerTable, seed: int, nodes: int) -> None:
    same_as_on_one_node(table.network, laid_with(table, seed, nodes)[1])


@settings(max_examples=15, deadline=None)
@given(tables(), SEEDS, st.integers(2, 4))
def test_a_run_sends_what_is_said(table: LayerTable, seed: int, nodes: int) -> None:
    check(table.network, plan_of(laid_with(table, seed, nodes)[1]))


def test_a_pipeline_found_by_plan_runs(tmp_path: Path) -> None:
    path = str(tmp_path / "plan.json")
    names = [layer.name for layer in ds.network("resnet18/8").layers]
    at = names.index("layer2.0.conv2")
    splits = {names[0]: LayerSplit(Kind.ONE, node=1), names[at]: LayerSplit(Kind.ONE, node=0)}
    write_plan(path, PlanFile(path, "resnet18/8", 2, {}, None, splits, HANDED))
    ran = ds.run("resnet18/8", plan=path)
    assert ran.differences == []
    assert ran.off < 1e-5
    # node 0 has no input: its features are those that it makes and is sent, with copies of these
    first = ran.frame.groupby("node")[["peak_bytes", "predicted_peak_bytes"]].first().loc[0]
    assert first["peak_bytes"] <= 2 * first["predicted_peak_bytes"]
