"""Plan files: S_comm layer by layer, read and written."""

import json
from pathlib import Path

import numpy as np
import pytest

from discosim.errors import DiscosimError
from discosim.graph.table import tabulate
from discosim.hardware import load_profile
from discosim.networks import build
from discosim.partition.kinds import Kind, RowRanges
from discosim.partition.plan_file import PlanFile, read_plan, write_plan
from discosim.partition.splits import LayerSplit, Throughout, named_splits
from discosim.strategies.by_layer import with_their_rows
from tests.configurations import on, swept

TABLE = tabulate(build("resnet18"))
LAYERS = [name for name, mixes in zip(TABLE.name, TABLE.mixes, strict=True) if mixes]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = str(tmp_path / "plan.json")
    plan = PlanFile(path, "resnet18", 3, {"fc": 0.25, "layer1.0.conv1": 1.0}, "3x224x224")
    write_plan(path, plan)
    again = read_plan(path)
    assert (again.model, again.nodes, again.s_comm, again.input) == (
        plan.model,
        plan.nodes,
        plan.s_comm,
        plan.input,
    )


def test_a_uniform_plan_is_the_knob() -> None:
    plan = PlanFile("uniform", "resnet18", 4, dict.fromkeys(LAYERS, 0.7))
    planned = swept(on("resnet18", plan_file=plan), nodes=[4]).iloc[0]
    uniform = swept("resnet18", nodes=[4], s_comm=[0.7]).iloc[0]
    for name in ("latency_s", "node_bytes", "avg_s_comm", "avg_s_comp", "bytes_per_node"):
        assert planned[name] == pytest.approx(uniform[name]), name
    assert planned.isna()["s_comm"]


def test_layers_left_out_send_everything() -> None:
    empty = PlanFile("empty", "resnet18", 2, {})
    planned = swept(on("resnet18", plan_file=empty), nodes=[2]).iloc[0]
    assert planned["speedup_vs_dense"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], ["object"]),
        ({}, ["version", "model", "nodes", "s_comm"]),
        ({"version": 3, "nodes": 2, "joined": 1}, ["plan.json: version is 3, wanted 1 or 2"]),
        ({"version": [2], "model": "m"}, ["plan.json: version is [2], wanted 1 or 2"]),
        ({"version": 2, "model": "m", "nodes": 2, "splits": {}}, ["splits is missing"]),
        (
            {"version": 2, "model": "m", "nodes": 2, "splits": {"a": {"split": "row"}}},
            ["split of a", "rows"],
        ),
        (
            {
                "version": 2,
                "model": "m",
                "nodes": 2,
                "joined_rows": 1,
                "splits": {
                    "a": {"split": "rows", "s_comm": 0.5},
                    "b": {"split": "one", "node": 2},
                    "c": {"split": "outputs", "s_com": 1},
                    "d": {"split": "outputs", "node": 1},
                },
            },
            [
                *("joined_rows", "s_comm of a is 0.5", "node of b is 2", "did you mean s_comm"),
                "node of d is 1, wanted 0 to one less than there are nodes, of one",
            ],
        ),
        (
            {
                "version": 2,
                "model": 3,
                "nodes": 2,
                "splits": {
                    "a": {"split": "rows", "rows": [[0, 1.5], [1, 4]]},
                    "b": {"split": "one", "rows": [[0, 4], [1, 4]]},
                    "c": {"split": "one", "node": True},
                    "d": {"s_comm": float("nan")},
                    "e": "rows",
                },
            },
            [
                "model is 3, wanted a network",
                *("rows of a is 1.5", "rows of b is [[0, 4]", "node of c is True, wanted 0 to"),
                *("split of d is missing", "s_comm of d is nan, wanted 0 to 1", "split of e is 'r"),
            ],
        ),
        ({"version": 1, "model": "m", "nodes": 0, "s_comm": {"a": 2}}, ["nodes is 0", "of a is 2"]),
        ({"version": 1, "model": "m", "nodes": 2, "s_com": {}}, ["did you mean s_comm"]),
        ({"version": 1, "model": "m", "nodes": True, "s_comm": {"a": "x"}}, ["is True", "'x'"]),
    ],
)
def test_every_fault_is_reported_in_one_line(
    document: object, words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DiscosimError) as error:
        read_plan(str(path))
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_a_plan_for_something_else_is_refused() -> None:
    good = PlanFile("p", "resnet18", 2, {"fc": 0.5})
    with pytest.raises(DiscosimError, match="is for resnet18, not for resnet34"):
        on("resnet34", plan_file=good)
    with pytest.raises(DiscosimError, match="is for 2 nodes, not for 4"):
        swept(on("resnet18", plan_file=good), nodes=[4])
    with pytest.raises(DiscosimError, match="did you mean fc"):
        on("resnet18", plan_file=PlanFile("p", "resnet18", 2, {"fd": 0.5}))
    with pytest.raises(DiscosimError, match="is for input 3x32x32"):
        on("resnet18", plan_file=PlanFile("p", "resnet18", 2, {}, "3x32x32"))


def test_rows_of_each_node_are_written_and_read(tmp_path: Path) -> None:
    path = str(tmp_path / "plan.json")
    rows = ((0, 30), (26, 56))
    named = {"conv1": LayerSplit(Kind.ROWS), "layer1.0.conv1": LayerSplit(Kind.ROWS, rows=rows)}
    write_plan(path, PlanFile(path, "resnet18", 2, {}, None, named))
    again = read_plan(path)
    assert again.splits == named
    every = dict(zip(TABLE.name, again.every_split(TABLE), strict=False))
    assert every["layer1.0.bn1"].rows == rows
    assert every["layer2.0.conv1"].rows == ()  # which has other rows


@pytest.mark.parametrize(
    "rows",
    [
        ((0, 56), (26, 50)),
        ((0, 20), (26, 56)),
        ((0, 56),),
        ((1, 30), (26, 56)),
        ((30, 56), (0, 30)),
    ],
)
def test_rows_that_cannot_be_are_told_in_one_line(rows: RowRanges) -> None:
    named = {"layer1.0.conv1": LayerSplit(Kind.ROWS, rows=rows)}
    with pytest.raises(DiscosimError, match=r"rows of layer1.0.conv1 .* cover 0-56"):
        on("resnet18", plan_file=PlanFile("p", "resnet18", 2, {}, None, named))


def test_rows_that_are_written_are_those_that_were_joined() -> None:
    """On the hardware for which they are best, whatever hardware reads them."""
    every = (LayerSplit(Kind.ROWS),) * len(TABLE.network.layers)
    plan_file = PlanFile(
        "rows", "resnet18", 3, {}, None, {"conv1": every[0]}, Throughout(joined=True)
    )
    here, there = (load_profile(name).hardware() for name in ("rpi4-gigabit", "splitnets-hmd"))
    joined = on("resnet18", hardware=here, nodes=3, plan_file=plan_file).plan()
    assert joined.laid is not None
    said = named_splits(TABLE, with_their_rows(joined.laid, every))
    assert any(split.rows for split in said.values())
    written = PlanFile("written", "resnet18", 3, {}, None, said)
    written.check(TABLE)
    again = on("resnet18", hardware=there, nodes=3, plan_file=written).plan()
    for amounts in ("sent", "received", "send_peers"):
        np.testing.assert_array_equal(
            getattr(joined.exchange, amounts), getattr(again.exchange, amounts)
        )
    np.testing.assert_array_equal(joined.local + joined.remote, again.local + again.remote)


def test_rows_that_nobody_reads_need_not_be_computed() -> None:
    """Of 112 rows after conv1, and 56 after a pooling, a node may have none."""
    first = LayerSplit(Kind.ROWS, rows=((0, 112), (112, 112)))
    on("resnet18", plan_file=PlanFile("p", "resnet18", 2, {}, None, {"conv1": first})).plan()
    strided = {
        "layer1.0.conv1": LayerSplit(Kind.ROWS),
        "layer1.1.bn2": LayerSplit(Kind.ROWS, rows=((0, 30), (26, 55))),
    }
    with pytest.raises(DiscosimError, match=r"rows of layer1.1.bn2 are 0-30, 26-55, wanted 2"):
        on("resnet18", plan_file=PlanFile("p", "resnet18", 2, {}, None, strided))
