"""Plan files are run, measured and masked: what they say of each layer is what nodes do."""

from pathlib import Path

import numpy as np
import pytest

import discosim as ds
from discosim.errors import DiscosimError
from discosim.graph.table import tabulate
from discosim.networks import build
from discosim.partition.kinds import Kind
from discosim.partition.lay import Laid
from discosim.partition.plan_file import PlanFile, write_plan
from discosim.partition.splits import LayerSplit
from discosim.validate.splits import names_of, split_of

pytestmark = pytest.mark.extras

NETWORK = ds.network("resnet18/8", input="3x64x64")

MIXED = {
    "conv1": LayerSplit(Kind.ROWS, rows=((0, 19), (15, 32))),
    "bn1": LayerSplit(Kind.ROWS),
    "layer1.1.conv1": LayerSplit(Kind.ROWS, rows=((0, 5), (5, 16))),
    "layer2.0.conv1": LayerSplit(Kind.OUTPUTS),
    "layer2.1.conv1": LayerSplit(Kind.INPUTS),
    "layer2.1.bn1": LayerSplit(Kind.ROWS),
    "layer3.0.conv1": LayerSplit(Kind.WHOLE),
    "layer4.0.conv1": LayerSplit(Kind.ONE, node=1),
    "fc": LayerSplit(Kind.INPUTS),
}


def plan_of(splits: dict[str, LayerSplit], nodes: int = 2) -> PlanFile:
    """Return a plan of the network here."""
    return PlanFile("mixed", "resnet18/8", nodes, {}, "3x64x64", splits)


def test_all_five_splits_and_rows_of_all_kinds_run_as_predicted() -> None:
    ran = ds.run(NETWORK, plan=plan_of(MIXED))
    assert {split.kind for split in MIXED.values()} == set(Kind)
    assert ran.differences == []
    assert ran.off < 1e-5


def test_a_plan_that_was_found_runs(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    found = ds.plan(NETWORK, "rpi4-gigabit", nodes=3, exact_only=True, memory="1MB")
    found.save(path)
    assert ds.run(NETWORK, plan=path).differences == []


def test_a_plan_of_outputs_alone_runs_masked(tmp_path: Path) -> None:
    plan = PlanFile("outputs", "resnet18/8", 2, {"fc": 0.5}, "3x64x64")
    ran = ds.run(NETWORK, plan=plan)
    assert ran.differences == []
    assert "plan outputs" in ran.lines[0]


def test_what_a_run_cannot_do_is_told() -> None:
    sparse = MIXED | {"layer2.0.conv1": LayerSplit(Kind.OUTPUTS, 0.8)}
    with pytest.raises(DiscosimError, match=r"no run executes plan mixed: 3 of its layers leave"):
        ds.run(NETWORK, plan=plan_of(sparse))
    with pytest.raises(DiscosimError, match="is for 2 nodes, not for 3"):
        ds.run(NETWORK, plan=plan_of(MIXED), nodes=3)
    with pytest.raises(DiscosimError, match="is for resnet18/8, not for resnet18"):
        ds.run("resnet18", plan=plan_of(MIXED))
    with pytest.raises(DiscosimError, match="--plan says all of it"):
        ds.run(NETWORK, plan=plan_of(MIXED), strategy="rows")


def test_masks_are_of_the_sparse_layers() -> None:
    sparse = MIXED | {"layer2.0.conv2": LayerSplit(Kind.OUTPUTS, 0.9)}
    sparse["layer2.0.bn2"] = LayerSplit(Kind.OUTPUTS)
    frame = ds.mask(NETWORK, plan=plan_of(sparse)).frame.set_index("layer")
    kept = frame["s_comm"]
    assert kept["layer2.0.conv2"] == pytest.approx(0.9, abs=0.06)
    assert np.allclose(kept.drop("layer2.0.conv2").fillna(0.0), 0.0)


def test_a_plan_file_is_measured_as_a_strategy_is(tmp_path: Path) -> None:
    path = str(tmp_path / "plan.json")
    write_plan(path, plan_of(MIXED))
    network = build("resnet18/8", (3, 64, 64))
    laid = split_of(network, 2, path, 0.0)
    assert isinstance(laid, Laid)
    names, rows = names_of(network, 2, path)
    assert len(names) == len(rows) >= len(tabulate(network))
    with pytest.raises(DiscosimError, match="is for 2 nodes, not for 3"):
        ds.validate("resnet18/8", input=(3, 64, 64), nodes=3, plan=path)
    write_plan(path, plan_of({"fc": LayerSplit(Kind.INPUTS)}, nodes=4))  # none is remembered
    with pytest.raises(DiscosimError, match="is for 4 nodes, not for 2"):
        ds.validate("resnet18/8", input=(3, 64, 64), nodes=2, plan=path)
