"""Plan files are run, measured and masked: what they say of each layer is what nodes do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import discosim as ds
from discosim.errors import DiscosimError
from discosim.explore.executed import planned_by, the_laid, with_named_features
from discosim.graph.table import tabulate
from discosim.masks.mask import Mask
from discosim.masks.of_plan import chosen_for_plan
from discosim.masks.plan import masked_plan
from discosim.masks.select import select
from discosim.masks.weights import random_weights
from discosim.networks import build
from discosim.partition.kinds import Kind
from discosim.partition.lay import Laid
from discosim.partition.plan import CONVENTIONS
from discosim.partition.plan_file import PlanFile, write_plan
from discosim.partition.splits import LayerSplit
from discosim.units import format_quantity
from discosim.validate.splits import forget_plans, names_of, split_of

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
    peak = ran.frame.groupby("node")[["peak_bytes", "predicted_peak_bytes"]].first()
    more = (peak["peak_bytes"] - peak["predicted_peak_bytes"]).tolist()
    # conv1's rows of the input once more, with their padding: 2 * 18 + 7 rows, and 2 * 16 + 7
    assert more == [4 * 3 * 64 * (2 * 18 + 7), 4 * 3 * 64 * (2 * 16 + 7)]


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


SPARSE = MIXED | {
    "layer2.0.conv1": LayerSplit(Kind.OUTPUTS, 0.8),
    "layer4.1.bn1": LayerSplit(Kind.OUTPUTS, 0.5),
}


@pytest.mark.parametrize("nodes", [2, 3])
def test_layers_that_leave_something_out_run_beside_all_others(nodes: int) -> None:
    rows = {name: replace(split, rows=()) for name, split in SPARSE.items()}
    ran = ds.run(NETWORK, plan=plan_of(SPARSE if nodes == 2 else rows, nodes))
    assert {split.kind for split in SPARSE.values()} == set(Kind)
    assert ran.differences == []
    assert ran.off < 1e-5
    assert "features" in ran.cells["kind"]
    assert "masked network" in ran.lines[1]


@pytest.mark.parametrize("s_comm", [0.6, 1.0])
@pytest.mark.parametrize(
    "name", ["shufflenetv2/4", "regnety-400mf/4", "deit-ti/3", "densenet121/8"]
)
def test_sparse_layers_of_every_kind_run_as_predicted(name: str, s_comm: float) -> None:
    """Groups, squeeze-excite, attention, and tensors that several sparse layers read."""
    network = ds.network(name, input="3x64x64")
    middle = network.layers[len(network.layers) // 3].name
    splits = {
        network.layers[0].name: LayerSplit(Kind.ROWS),
        middle: LayerSplit(Kind.OUTPUTS, s_comm),
    }
    ran = ds.run(network, plan=PlanFile("sparse", network.name, 2, {}, "3x64x64", splits))
    assert ran.differences == []


def test_a_tensor_goes_once_to_all_sparse_layers_that_read_it() -> None:
    """As under a mask of the whole network, where a plan splits all layers by outputs."""
    splits = {"conv1": LayerSplit(Kind.OUTPUTS, 0.7)}
    network = build("resnet18/8", (3, 64, 64))
    plan = planned_by(network, PlanFile("all", "resnet18/8", 2, {}, None, splits))
    sparse = {layer.name: 0.7 for layer in network.layers if layer.operator.placing == "mixes"}
    weights = random_weights(network, 3)
    masked = with_named_features(plan, chosen_for_plan(the_laid(plan), sparse, weights, "l1"))
    mask = select(network, 2, 0.7, weights, "l1", per="pair")
    alike = masked_plan(tabulate(network), mask, CONVENTIONS["runtime"])
    for name in ("sent", "received", "send_peers"):
        np.testing.assert_array_equal(
            getattr(masked.exchange, name), getattr(alike.exchange, name), name
        )
    np.testing.assert_allclose(masked.local + masked.remote, alike.local + alike.remote)


def test_a_mask_says_what_sparse_layers_of_a_plan_get(tmp_path: Path) -> None:
    path = tmp_path / "mask.npz"
    ds.mask(NETWORK, plan=plan_of(SPARSE), criterion="random", seed=5).save(path)
    ran = ds.run(NETWORK, plan=plan_of(SPARSE), mask=path)
    assert ran.differences == []
    assert "by random per pair, S_comm by layer, seed 5" in ran.lines[0]
    ds.mask(NETWORK, s_comm=0.5).save(path)
    with pytest.raises(DiscosimError, match=r"the mask leaves out features of .*, of which the"):
        ds.run(NETWORK, plan=plan_of(SPARSE), mask=path)
    ds.mask(NETWORK, s_comm=0.5, nodes=3).save(path)
    with pytest.raises(DiscosimError, match="the mask is for 3 nodes"):
        ds.run(NETWORK, plan=plan_of(SPARSE), mask=path)


def test_what_a_run_cannot_do_is_told() -> None:
    with pytest.raises(DiscosimError, match="is for 2 nodes, not for 3"):
        ds.run(NETWORK, plan=plan_of(MIXED), nodes=3)
    with pytest.raises(DiscosimError, match="is for resnet18/8, not for resnet18"):
        ds.run("resnet18", plan=plan_of(MIXED))
    with pytest.raises(DiscosimError, match="--plan says how each layer is split"):
        ds.run(NETWORK, plan=plan_of(MIXED), strategy="rows")


def test_masks_are_of_the_sparse_layers() -> None:
    sparse = MIXED | {"layer2.0.conv2": LayerSplit(Kind.OUTPUTS, 0.9)}
    sparse["layer2.0.bn2"] = LayerSplit(Kind.OUTPUTS)
    masked = ds.mask(NETWORK, plan=plan_of(sparse))
    kept = masked.frame.set_index("layer")["s_comm"]
    planned = ds.sweep(NETWORK, nodes=2, plan=plan_of(sparse)).frame.iloc[0]
    took = format_quantity(planned["latency_s"], "s", 4)
    assert f"{took}, split as plan mixed says." in "".join(masked.lines)
    assert kept["layer2.0.conv2"] == pytest.approx(0.9, abs=0.06)
    assert np.allclose(kept.drop("layer2.0.conv2").fillna(0.0), 0.0)


@pytest.mark.parametrize("strategy", ["dense", "branches"])
def test_what_a_mask_alone_describes_is_measured_too(strategy: str) -> None:
    network = build("resnet18/8", (3, 64, 64))
    mask = split_of(network, 2, strategy, 0.0)
    assert isinstance(mask, Mask)
    kept = {bool(own.kept.all()) for own in mask.layers.values() if own.in_owner is not None}
    assert kept == {strategy == "dense"}


def test_a_plan_file_is_measured_as_a_strategy_is(tmp_path: Path) -> None:
    path = str(tmp_path / "plan.json")
    write_plan(path, plan_of(MIXED))
    network = build("resnet18/8", (3, 64, 64))
    laid = split_of(network, 2, path, 0.0)
    assert isinstance(laid, Laid)
    write_plan(path, plan_of(SPARSE))
    forget_plans()
    sparse = split_of(network, 2, path, 0.0)
    assert isinstance(sparse, Laid)
    assert set(sparse.named) >= {"layer2.0.conv1", "layer2.0.conv2"}
    write_plan(path, PlanFile("one", "resnet18/8", 2, {"fc": 0.5}))
    forget_plans()
    assert isinstance(split_of(network, 2, path, 0.0), Mask)
    write_plan(path, plan_of(MIXED))
    forget_plans()
    names, rows = names_of(network, 2, path)
    assert len(names) == len(rows) >= len(tabulate(network))
    with pytest.raises(DiscosimError, match="is for 2 nodes, not for 3"):
        ds.validate("resnet18/8", input=(3, 64, 64), nodes=3, plan=path)
    write_plan(path, plan_of({"fc": LayerSplit(Kind.INPUTS)}, nodes=4))  # none is remembered
    with pytest.raises(DiscosimError, match="is for 4 nodes, not for 2"):
        ds.validate("resnet18/8", input=(3, 64, 64), nodes=2, plan=path)
