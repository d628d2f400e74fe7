"""Pipeline stages against trying every cut, and what is handed on."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discosim.errors import DiscosimError
from discosim.graph.table import LayerTable, tabulate
from discosim.hardware import Hardware, load_profile
from discosim.networks import build
from discosim.strategies.pipeline import staged_plan, stages
from tests.configurations import swept
from tests.strategies import tables


def _worst_bytes(table: LayerTable, stage: np.ndarray, features: str) -> float:
    worst = 0.0
    for node in range(int(stage[-1]) + 1):
        rows = stage == node
        inputs = (table.in_elems * table.mixes)[rows].sum()
        kept = table.live_elems[rows].max() if features == "peak" else inputs
        worst = max(worst, 4 * float(table.params[rows].sum() + kept))
    return worst


def _handed(table: LayerTable, stage: np.ndarray) -> float:
    return float(table.cut_elems[1:][np.diff(stage) > 0].sum())


@given(tables(), st.integers(1, 3), st.sampled_from(["peak", "all"]))
def test_stages_are_the_best_of_all_cuts(table: LayerTable, nodes: int, features: str) -> None:
    rows = len(table)
    if nodes > table.mixes.sum():
        return
    every = []
    for cuts in combinations(range(1, rows), nodes - 1):
        stage = np.searchsorted(np.array(cuts), np.arange(rows), side="right")
        if all(table.mixes[stage == node].any() for node in range(nodes)):
            every.append(stage)
    memory = stages(table, nodes, "memory", 4.0, 4.0, features)
    best = min(_worst_bytes(table, stage, features) for stage in every)
    assert _worst_bytes(table, memory, features) == pytest.approx(best)
    latency = stages(table, nodes, "latency", 4.0, 4.0, features)
    assert _handed(table, latency) == min(_handed(table, stage) for stage in every)


def test_more_stages_than_layers_are_refused() -> None:
    with pytest.raises(DiscosimError, match="resnet18 has 21"):
        stages(tabulate(build("resnet18")), 22, "memory", 4.0, 4.0, "peak")


@pytest.mark.parametrize("nodes", [1, 2, 5])
def test_latency_is_one_node_and_the_hand_offs(nodes: int) -> None:
    frame = swept("resnet50", strategies=["pipeline"], nodes=[nodes]).iloc[0]
    single = swept("resnet50", strategies=["single"]).iloc[0]
    assert frame["latency_s"] == pytest.approx(single["latency_s"] + frame["comm_s"])
    assert frame["interval_s"] <= frame["latency_s"]
    assert frame["node_bytes"] <= single["node_bytes"]


def test_a_residual_that_crosses_a_cut_is_handed_on_too() -> None:
    table = tabulate(build("resnet18"))
    row = table.name.index("layer1.1.conv2")
    assert table.cut_elems[row] == 2 * 64 * 56 * 56
    stage = (np.arange(len(table)) >= row).astype(int)
    assert staged_plan(table, stage).exchange.total[0, row] == table.cut_elems[row]


def _on(topology: str) -> Hardware:
    return load_profile("splitnets-hmd", {"link.topology": topology}).hardware()


def test_stages_share_the_air() -> None:
    """On one medium the time between results is at least that of all hand-offs together."""
    switched, shared = (
        swept("resnet50", _on(topology), strategies=["pipeline"], nodes=[8]).iloc[0]
        for topology in ("switch", "shared")
    )
    assert shared["interval_s"] == pytest.approx(shared["comm_s"])
    assert switched["interval_s"] < shared["interval_s"]
