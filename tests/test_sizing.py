"""Sizing: an answer is the smallest, its neighbours fail, and what to give up is enough."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discosim.errors import DiscosimError
from discosim.explore.accuracy import NODES, TABLES, published_accuracy
from discosim.explore.limits import Limits
from discosim.explore.sizing import NAMES, STEPS, size
from discosim.hardware import Hardware, load_profile, profile_names
from discosim.networks import NETWORKS
from discosim.paper import tab1, tab2, tab3, tab4, tab5
from discosim.published import of_section
from discosim.strategies.strategy import STRATEGIES
from tests.configurations import on, swept

MODEL = "resnet18/4"
INPUT = (64,)
STEP = np.array([0.0, 0.2, 0.5, 0.8, 0.9, 0.99, 1.0])


def node(**changes: Any) -> Hardware:
    return replace(load_profile("rpi4-gigabit").hardware(), price_usd=35.0, **changes)


def kept(row: Any, hardware: Hardware, limits: Limits) -> dict[str, bool]:
    """Which limits a row of `sweep` keeps: a second route, from the columns."""
    amounts = {
        "latency": row["latency_s"] <= (limits.latency or np.inf),
        "throughput": 1 / row["interval_s"] >= (limits.throughput or 0.0),
        "memory": row["node_bytes"] <= float(np.asarray(hardware.memory_bytes or np.inf)),
        "price": 35.0 * row["nodes"] <= (limits.price or np.inf),
        "nodes": row["nodes"] <= limits.nodes,
    }
    return {name: bool(value) for name, value in amounts.items()}


def _swept(hardware: Hardware, strategy: str, nodes: int, s_comm: Any) -> list[Any]:
    frame = swept(on(MODEL, INPUT), hardware, strategies=[strategy], nodes=[nodes], s_comm=s_comm)
    return frame.to_dict("records")


@st.composite
def questions(draw: st.DrawFn) -> tuple[Hardware, Limits]:
    def scale(low: float, high: float) -> Any:
        return draw(st.none() | st.floats(np.log(low), np.log(high)).map(np.exp))

    hardware = node(memory_bytes=scale(2e4, 2e7), memory_Bps=None)
    limits = Limits(
        latency=scale(1e-4, 1.0),
        throughput=scale(1.0, 1e4),
        price=scale(30.0, 400.0),
        nodes=draw(st.integers(1, 6)),
    )
    return hardware, limits


@given(questions(), st.sampled_from(["single", "pipeline", "disco"]))
@settings(max_examples=40)
def test_an_answer_is_the_smallest_and_its_neighbours_fail(
    question: tuple[Hardware, Limits], strategy: str
) -> None:
    hardware, limits = question
    if strategy == "pipeline" and limits.nodes == 1:
        return
    try:
        frame = size([on(MODEL, INPUT)], [hardware], limits, strategies=[strategy], s_comm=STEP)
    except DiscosimError:
        assert strategy != "single"
        assert limits.nodes == 1
        return
    [row] = frame.to_dict("records")
    nodes, most = row["nodes"], limits.nodes
    if not row["feasible"]:
        for count in range(2, most + 1) if strategy != "single" else [1]:
            for each in _swept(hardware, strategy, count, STEP):
                assert not all(kept(each, hardware, limits).values())
        check_given_up(row, hardware, limits, strategy)
        return
    s_comm = [0.0] if np.isnan(row["s_comm"]) else [row["s_comm"]]
    [answer] = _swept(hardware, strategy, nodes, s_comm)
    assert all(kept(answer, hardware, limits).values())
    assert answer["latency_s"] == pytest.approx(row["latency_s"], rel=1e-12)
    if not np.isnan(row["s_comm"]) and row["s_comm"] > 0:
        less = STEP[np.searchsorted(STEP, row["s_comm"]) - 1]
        [neighbour] = _swept(hardware, strategy, nodes, [less])
        broken = kept(neighbour, hardware, limits)
        assert not all(broken.values())
        assert not broken[row["binding"]]
    for fewer in range(2, nodes):
        for each in _swept(hardware, strategy, fewer, STEP):
            assert not all(kept(each, hardware, limits).values())


def check_given_up(row: Any, hardware: Hardware, limits: Limits, strategy: str) -> None:
    """The limits named, relaxed by the factor, make the row feasible; a little less does not."""
    assert row["give_up"] > 1
    for factor, enough in ((row["give_up"] * 1.000001, True), (row["give_up"] * 0.999, False)):
        changes: dict[str, Any] = {}
        for name in row["binding"].split("+"):
            if name == "memory":
                hardware = replace(hardware, memory_bytes=hardware.memory_bytes)
                memory = float(np.asarray(hardware.memory_bytes)) * factor
                relaxed_hardware = replace(hardware, memory_bytes=memory)
                continue
            old = getattr(limits, name)
            changes[name] = old / factor if name == "throughput" else old * factor
        if "nodes" in changes:
            changes["nodes"] = int(np.floor(changes["nodes"]))
        relaxed = replace(limits, **changes)
        board = relaxed_hardware if "memory" in row["binding"] else hardware
        again = size([on(MODEL, INPUT)], [board], relaxed, strategies=[strategy], s_comm=STEP)
        assert bool(again["feasible"].iloc[0]) == enough


def test_every_network_on_every_profile_has_an_answer() -> None:
    hardware = []
    for name in profile_names():
        profile = load_profile(name)
        hardware.append(profile.hardware(profile.dtypes[0]))
    names = ["squeezenet1-1", "mobilenetv2", "deit-ti"]
    assert set(names) <= set(NETWORKS)
    limits = Limits(latency=0.05, nodes=3)
    frame = size([on(name) for name in names], hardware, limits, s_comm=[0.0, 0.9, 1.0])
    answered = set(zip(frame["model"], frame["hardware"], frame["strategy"], strict=True))
    assert len(answered) == len(frame) == len(names) * len(hardware) * 3
    assert list(frame["model"].drop_duplicates()) == names
    alone = frame[frame["strategy"] == "single"]
    for row in alone.to_dict("records"):
        fits = np.isnan(row["memory_limit"]) or row["node_bytes"] <= row["memory_limit"]
        assert row["feasible"] == (row["latency_s"] <= 0.05 and fits)
    for name in NAMES:
        assert f"{name}_margin" in frame


def test_processes_give_the_same() -> None:
    studies = [on(MODEL, INPUT), on("resnet34/8", INPUT)]
    limits = Limits(latency=0.01, nodes=4)
    pd.testing.assert_frame_equal(
        size(studies, [node()], limits), size(studies, [node()], limits, jobs=2)
    )


def test_a_less_sparse_plan_keeps_no_limit_that_the_sparsest_misses() -> None:
    for convention in ("paper", "runtime"):
        study = on(MODEL, INPUT, conventions=convention)
        frame = swept(study, node(), nodes=[2, 3], s_comm=STEPS)
        for _, rows in frame.groupby("nodes"):
            for column in ("latency_s", "interval_s", "node_bytes"):
                assert (np.diff(rows[column]) <= 1e-12 * rows[column].max()).all()


# Accuracy


def test_published_accuracy_is_that_of_the_tables() -> None:
    tables = [each.TABLE for each in (tab1, tab2, tab3, tab4, tab5)]
    assert {table.model for table in tables} == set(TABLES)
    for model, table in TABLES.items():
        for row in of_section(table.section):
            if row.method in ("disco", "random-sparse") and row.id.endswith(".s_comm"):
                s_comm = np.array([float(row.setting) / 100])
                found = published_accuracy(model, STRATEGIES[row.method], NODES, s_comm)
                assert found == pytest.approx(row.accuracy_number)
    assert np.isnan(published_accuracy("resnet50", STRATEGIES["disco"], 3, np.array([0.5]))).all()
    assert np.isnan(published_accuracy("vgg16", STRATEGIES["disco"], 2, np.array([0.5]))).all()
    assert published_accuracy("resnet50", STRATEGIES["pipeline"], 5, np.zeros(1)) == [76.80]


def test_an_accuracy_limit_forbids_what_is_not_published() -> None:
    frame = size(
        [on("resnet50")],
        [node()],
        Limits(latency=0.3, accuracy=76.0, nodes=8),
        strategies=["disco"],
    )
    [row] = frame.to_dict("records")
    assert row["nodes"] == 2  # three nodes are not published
    assert row["accuracy"] >= 76.0
    assert row["feasible"]
    too_good = size(
        [on("resnet50")], [node()], Limits(accuracy=90.0, nodes=4), strategies=["disco"]
    )
    [row] = too_good.to_dict("records")
    assert not row["feasible"]
    assert row["binding"] == "accuracy"


# Refused


@pytest.mark.parametrize("name", ["latency", "throughput", "accuracy", "price", "energy", "nodes"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_an_absurd_limit_is_refused(name: str, value: float) -> None:
    with pytest.raises(DiscosimError, match=name):
        Limits(**{name: value})


def test_a_limit_on_what_is_not_stated_is_refused() -> None:
    study, hardware = on(MODEL, INPUT), replace(node(), price_usd=None, energy_per_mac_J=None)
    for limits, hint in (
        (Limits(price=100.0), "cost.price"),
        (Limits(energy=1.0), "cost.energy_per_mac"),
        (Limits(accuracy=70.0), "published are resnet50"),
    ):
        with pytest.raises(DiscosimError, match=hint):
            size([study], [hardware], limits)
    with pytest.raises(DiscosimError, match="nothing to size"):
        size([study], [], Limits(latency=1.0))


def test_sparser_plans_in_chunks_are_not_given_up() -> None:
    """8 nodes at S_comm 0.75 take 75.5 ms; 0.76 sends 1.92 features a message, no slower."""
    hmd = load_profile("splitnets-hmd").hardware()
    slow = replace(hmd, bandwidth_Bps=1e6, compute_macps=100e6)
    frame = size(
        [on("resnet18", INPUT, overlap="layer:2")],
        [slow],
        Limits(latency=76e-3, nodes=8),
        strategies=["disco"],
        s_comm=[0.70, 0.71, 0.72, 0.73, 0.74, 0.75, 0.76],
    )
    [row] = frame.to_dict("records")
    assert (row["feasible"], row["nodes"], row["s_comm"]) == (True, 8, 0.75)
    assert row["latency_s"] == pytest.approx(75.5e-3, abs=5e-5)
