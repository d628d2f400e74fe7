"""Allocation: costs add up over layers, limits hold, and it loses no more than uniform S_comm."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from discosim.configuration import Configuration
from discosim.errors import DiscosimError, UnknownNameError
from discosim.explore.allocation.allocate import DEFAULT_LEVELS, FINE_LEVELS, Limit, Lost, Method
from discosim.explore.allocation.allocate import allocate as allocate_by
from discosim.explore.allocation.layer_costs import (
    BYTES,
    LATENCY,
    MEMORY,
    layer_costs,
    takes_s_comm,
)
from discosim.explore.allocation.surrogate import Curve, he_normal_curves, lost_share
from discosim.explore.allocation.weight_curves import weight_curves
from discosim.explore.allocation.within_plan import strategy_within
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT, Network
from discosim.graph.table import LayerTable, tabulate
from discosim.hardware import Hardware, load_profile
from discosim.masks.criteria import CRITERIA, LEVELS, the_criterion
from discosim.masks.saliency import saliency_curves
from discosim.masks.select import select
from discosim.masks.weights import random_weights
from discosim.networks import build
from discosim.partition.kinds import Kind
from discosim.partition.placement import place
from discosim.partition.plan_file import PlanFile
from discosim.partition.splits import LayerSplit
from discosim.simulate import Cost
from tests.configurations import allocated, on
from tests.strategies import hardware, tables

HMD = load_profile("splitnets-hmd").hardware()
COLUMNS = (LATENCY, BYTES, MEMORY)
OVERLAPS = ("none", "layer", "layer:3", "layer:best", "ideal")


a_setting = given(
    tables(), hardware(), st.integers(2, 5), st.sampled_from(OVERLAPS),
    st.sampled_from(["paper", "runtime"]), st.sampled_from(["peak", "all"]), st.data(),
)  # fmt: skip
"""A network on nodes, and how it is counted."""


def _number(cost: Cost, column: str) -> float:
    return float(getattr(cost, column).item())


@a_setting
def test_the_sum_over_layers_is_what_simulate_says_of_a_mixed_plan(
    table: LayerTable,
    node: Hardware,
    nodes: int,
    overlap: str,
    convention: str,
    features: str,
    data: st.DataObject,
) -> None:
    setting = on(
        table,
        hardware=node,
        nodes=nodes,
        overlap=overlap,
        conventions=convention,
        features=features,
    )
    levels = np.array([0.0, 0.3, 0.7, 1.0])
    costs = layer_costs(setting, levels)
    assume(costs.choices)
    choice = np.array([data.draw(st.integers(0, 3)) for _ in costs.choices])
    s_comm = np.full((1, len(table)), data.draw(st.floats(0, 1)))  # no matter, where none is chosen
    for rows, level in zip(costs.choices, choice, strict=True):
        s_comm[0, rows] = levels[level]
    cost = replace(setting, s_comm=s_comm).cost()
    for column in COLUMNS:
        assert costs.tallies[column].of(choice) == pytest.approx(_number(cost, column)), column


@settings(max_examples=40)
@a_setting
def test_the_sum_over_layers_by_outputs_is_what_simulate_says_of_a_plan(
    table: LayerTable,
    node: Hardware,
    nodes: int,
    overlap: str,
    convention: str,
    features: str,
    data: st.DataObject,
) -> None:
    setting = on(
        table, hardware=node, nodes=nodes, overlap=overlap, conventions=convention,
        features=features,
    )  # fmt: skip
    kinds = [data.draw(st.sampled_from([Kind.OUTPUTS, *Kind])) for _ in table.network.layers]
    _check_sum_within(setting, kinds, data)


@settings(max_examples=60)
@a_setting
def test_the_sum_is_exact_where_nodes_begin_at_different_rows(
    table: LayerTable,
    node: Hardware,
    nodes: int,
    overlap: str,
    convention: str,
    features: str,
    data: st.DataObject,
) -> None:
    """One node has the first layers; what a run takes once, and what spills, others have later."""
    far = {"spill_Bps": data.draw(st.floats(1e2, 1e5)), "fast_bytes": data.draw(st.floats(0, 2e3))}
    once = {**far, "run_s": data.draw(st.sampled_from([0.0, 0.1]))}
    setting = on(
        table, hardware=replace(node, **once), nodes=nodes, overlap=overlap,
        conventions=convention, features=features,
    )  # fmt: skip
    count = len(table.network.layers)
    alone = data.draw(st.integers(1, max(1, count // 2)))
    rest = [data.draw(st.sampled_from([Kind.OUTPUTS, Kind.OUTPUTS, *Kind]))
            for _ in range(count - alone)]  # fmt: skip
    _check_sum_within(setting, [Kind.ONE] * alone + rest, data)


def _check_sum_within(setting: Configuration, kinds: list[Kind], data: st.DataObject) -> None:
    """Hold the tallies of a plan against what `simulate` says of it, at levels that are drawn."""
    table = setting.table
    splits = {
        layer.name: LayerSplit(kind)
        for layer, kind in zip(table.network.layers, kinds, strict=True)
    }
    plan_file = PlanFile("drawn", table.network.name, setting.nodes, {}, None, splits)
    setting = replace(setting, strategy=strategy_within(plan_file))
    levels = np.array([0.0, 0.4, 1.0])
    costs = layer_costs(setting, levels)
    assume(costs.choices)
    assert all(takes_s_comm(setting)[rows].all() for rows in costs.choices)
    choice = np.array([data.draw(st.integers(0, 2)) for _ in costs.choices])
    s_comm = np.zeros((1, len(table)))
    for rows, level in zip(costs.choices, choice, strict=True):
        s_comm[0, rows] = levels[level]
    cost = replace(setting, s_comm=s_comm).cost()
    for column in COLUMNS:
        assert costs.tallies[column].of(choice) == pytest.approx(_number(cost, column)), column


def test_within_a_plan_only_its_layers_by_outputs_have_s_comm() -> None:
    base = on("resnet18/8", (64,))
    splits = {
        "conv1": LayerSplit(Kind.ROWS),
        "layer3.0.conv1": LayerSplit(Kind.OUTPUTS, 0.8),
        "layer4.0.conv1": LayerSplit(Kind.INPUTS),
        "layer4.0.bn1": LayerSplit(Kind.OUTPUTS),
    }
    plan_file = PlanFile("mixed.json", "resnet18/8", 2, {}, "3x64x64", splits)
    given = replace(base, plan_file=plan_file)
    found = allocate_by(given, {BYTES: Limit(0.8, of_dense=True)}, method=Method.FAST)
    assert {name.split(".")[0] for name in found.plan.s_comm} == {"layer3", "layer4", "fc"}
    written = found.plan_file("found.json")
    before, after = (each.every_split(base.table) for each in (plan_file, written))
    assert [one.kind for one in before] == [one.kind for one in after]
    cost = replace(base, plan_file=written).cost()
    for column in COLUMNS:
        assert _number(cost, column) == pytest.approx(_number(found.plan.cost, column), rel=1e-12)
    alone = PlanFile("alone.json", "resnet18/8", 2, {"fc": 0.5})
    with pytest.raises(DiscosimError, match=r"plan alone\.json says S_comm alone"):
        allocate_by(replace(base, plan_file=alone), {BYTES: Limit(1e9)})
    with pytest.raises(DiscosimError, match="is for 2 nodes, not for 3"):
        allocate_by(replace(given, nodes=3), {BYTES: Limit(1e9)})


@pytest.mark.extras
@settings(max_examples=15)
@given(tables(), hardware(), st.integers(2, 4), st.floats(0.05, 1), st.sampled_from(COLUMNS))
def test_plans_keep_their_limit_and_lose_no_more_than_a_uniform_one(
    table: LayerTable, node: Hardware, nodes: int, share: float, column: str
) -> None:
    levels = np.linspace(0, 1, 5)
    setting = on(table, hardware=node, nodes=nodes)
    costs = layer_costs(setting, levels)
    assume(costs.choices)
    most, least = (_number(replace(setting, s_comm=s).cost(), column) for s in (0, 1))
    limit = Limit(least + share * (most - least))
    found = {
        method: allocated(table, node, {column: limit}, nodes=nodes, levels=levels, method=method)
        for method in ("exact", "fast")
    }
    for allocation in found.values():
        assert _number(allocation.plan.cost, column) <= limit.value * (1 + 1e-11)
        assert allocation.bound <= allocation.plan.total_loss + 1e-15
    least = found["exact"].plan.total_loss
    assert found["fast"].bound <= least + 1e-9
    assert found["fast"].plan.total_loss >= least - 1e-9
    names = [table.name[row] for rows in costs.choices for row in rows]
    curves = [he_normal_curves(table, nodes)[name] for name in names]
    total = sum(float(curve.lost[-1]) for curve in curves)
    for level in levels:
        if _number(replace(setting, s_comm=level).cost(), column) <= limit.value:
            assert least <= sum(float(curve.at(level)) for curve in curves) / total + 1e-9


@pytest.mark.parametrize("convention", ["paper", "runtime"])
def test_layers_that_read_one_tensor_share_its_s_comm_where_it_is_sent_once(
    convention: str,
) -> None:
    setting = on("resnet50", conventions=convention)
    choices = layer_costs(setting, np.array([0.0, 0.5])).choices
    names = [[setting.table.name[row] for row in rows] for rows in choices]
    pair = ["layer2.0.conv1", "layer2.0.downsample.0"]
    together = [sorted(group) for group in names if len(group) > 1]
    assert len([name for group in names for name in group]) == 53  # 54, the first sends nothing
    assert (pair in together) == (convention == "runtime")
    assert len(together) == (4 if convention == "runtime" else 0)


@pytest.mark.extras
def test_resnet50_with_54_layers_and_20_levels_by_two_methods() -> None:
    assert len(DEFAULT_LEVELS) == 20
    limit = {LATENCY: Limit(0.1)}
    exact, fast = (allocated("resnet50", HMD, limit, method=name) for name in ("exact", "fast"))
    assert len(exact.plan.s_comm) == 54
    assert exact.gap < 1e-9
    assert fast.bound <= exact.plan.total_loss + 1e-12
    assert exact.plan.total_loss <= fast.plan.total_loss + 1e-12
    assert fast.gap < 0.01
    assert exact.uniform is not None
    assert exact.plan.total_loss < exact.uniform.total_loss
    assert _number(exact.uniform.cost, LATENCY) == pytest.approx(0.1)  # it uses the limit up
    assert sum(exact.plan.loss.values()) == pytest.approx(exact.plan.total_loss)


@pytest.mark.extras
def test_several_limits_lose_at_least_what_each_alone_does() -> None:
    limits = {LATENCY: Limit(0.3, True), MEMORY: Limit(0.8, True)}
    both = allocated("resnet18", HMD, limits)
    for name, limit in limits.items():
        alone = allocated("resnet18", HMD, {name: limit})
        assert both.plan.total_loss >= alone.plan.total_loss - 1e-12
        assert _number(both.plan.cost, name) <= both.limits[name] * (1 + 1e-11)


@pytest.mark.extras
def test_a_limit_that_does_not_bind_keeps_everything() -> None:
    for method in Method:
        found = allocated("resnet18", HMD, {LATENCY: Limit(1.0, True)}, method=method)
        assert set(found.plan.s_comm.values()) == {0.0}
        assert (found.plan.total_loss, found.gap) == (0, 0)
        assert found.uniform is not None
        assert found.uniform.total_loss == 0


@pytest.mark.extras
def test_curves_of_real_masks_take_the_place_of_the_surrogate() -> None:
    """A layer whose sub-rows are worth nothing goes first."""
    table = tabulate(build("resnet18"))
    points = np.linspace(0, 1, 11)
    worth = {name: float(name != "layer1.0.conv1") for name in table.name}
    curves = {name: Curve(points, value * points**2) for name, value in worth.items()}
    lost = Lost(curves, said="given")
    found = allocated("resnet18", HMD, {BYTES: Limit(0.9, True)}, lost=lost)
    assert found.plan.s_comm["layer1.0.conv1"] == 0.99
    assert found.saliency == "given"
    del curves["layer2.0.conv1"]
    with pytest.raises(DiscosimError, match=r"layer2\.0\.conv1"):
        allocated("resnet18", HMD, {BYTES: Limit(0.9, True)}, lost=lost)


@pytest.mark.extras
@pytest.mark.parametrize("criterion", sorted(CRITERIA))
def test_exact_fast_and_bound_hold_for_every_criterion(criterion: str) -> None:
    """Whatever the curves: a third route goes through all plans."""
    network, nodes, levels = small(), 2, np.array([0.0, 0.5, 1.0])
    owners, weights = place(network, nodes), random_weights(network)
    chosen, found = the_criterion(criterion), None
    if chosen.measured:
        from discosim.runtime.inputs import Inputs
        from discosim.runtime.measure import measure
        from discosim.runtime.module import NetworkModule

        x = np.random.default_rng(0).normal(size=(4, *network.input_shape)).astype(np.float32)
        inputs = Inputs(x, np.arange(4) % 4)
        found = measure(criterion, NetworkModule(network), network, nodes, owners, inputs)
    lost = saliency_curves(network, nodes, weights, criterion=criterion, measured=found)
    curves = {name: Curve(LEVELS, each) for name, each in lost.items()}
    base = on(network, nodes=nodes)
    limit = {BYTES: Limit(0.45, of_dense=True)}
    exact, fast = (
        allocate_by(base, limit, levels=levels, method=m, lost=Lost(curves, criterion))
        for m in Method
    )
    names = [name for name, each in exact.dense.s_comm.items() if lost[name].any()]
    total = sum(float(curve.lost[-1]) for curve in curves.values()) or 1.0
    best = np.inf
    for plan in product(levels, repeat=len(names)):
        knob = dict(zip(names, plan, strict=True))
        s_comm = np.array([[knob.get(name, 0.0) for name in base.table.name]])
        cost = replace(base, s_comm=s_comm).cost()
        if _number(cost, BYTES) <= exact.limits[BYTES] * (1 + 1e-12):
            at = [float(curves[name].at(np.array([s]))[0]) for name, s in knob.items()]
            best = min(best, sum(at) / total)
    if names:
        assert exact.plan.total_loss == pytest.approx(best)
    assert fast.bound <= exact.plan.total_loss + 1e-12
    assert exact.plan.total_loss <= fast.plan.total_loss + 1e-12
    assert exact.criterion == criterion


def small() -> Network:
    net = Builder("small", (3, 6, 6))
    x = net.conv(INPUT, 8, 3, "conv0")
    for index in range(4):
        x = net.activation(net.conv(x, 8, 3, f"conv{index + 1}"), f"act{index + 1}")
    net.linear(net.flatten(net.global_pool(x, "pool"), "flatten"), 4, "fc")
    return net.build()


@pytest.mark.parametrize(("share", "fine"), [(0.96, True), (0.3, False), (0.04, True)])
def test_levels_are_finer_where_nearly_all_or_nothing_is_sent(share: float, fine: bool) -> None:
    found = allocated("resnet18", HMD, {BYTES: Limit(share, True)}, method="fast")
    chosen = set(found.plan.s_comm.values())
    assert chosen <= set(FINE_LEVELS) | set(DEFAULT_LEVELS)
    assert (chosen <= set(DEFAULT_LEVELS)) == (not fine)
    assert found.uniform is not None


def test_plans_of_other_criteria_stand_beside_and_meet_the_same_limits() -> None:
    network = build("resnet18/8", (64,))
    weights = random_weights(network)
    weights["layer2.0.conv2.weight"] *= 4
    by = {c: weight_curves(network, 2, weights, c) for c in ("l1", "l1-log")}
    found = allocated(
        network, HMD, {BYTES: Limit(0.3, True)}, method="fast",
        lost=Lost(by["l1"], "l1", "given", {"l1-log": by["l1-log"]}),
    )  # fmt: skip
    other = found.beside["l1-log"]
    assert other.s_comm != found.plan.s_comm
    assert _number(other.cost, BYTES) <= found.limits[BYTES] * (1 + 1e-11)
    assert other.total_loss >= found.bound


@pytest.mark.parametrize("nodes", [2, 4])
def test_the_surrogate_is_what_drawn_weights_lose(nodes: int) -> None:
    """A second route: He-normal weights, drawn, their sub-rows' norms sorted and summed."""
    network = build("resnet18")
    drawn = weight_curves(network, nodes, random_weights(network))
    stated = he_normal_curves(tabulate(network), nodes, whole=True)
    assert set(drawn) == set(stated)
    s_comm = np.linspace(0, 1, 21)
    for name, curve in stated.items():
        found, wanted = drawn[name].at(s_comm), curve.at(s_comm)
        assert np.abs(found - wanted).max() <= 0.02 * wanted[-1], name


def test_curves_of_weights_are_those_of_the_masks() -> None:
    network = build("resnet18/4")
    weights = random_weights(network)
    curves, s_comm = weight_curves(network, 2, weights), np.array([0.0, 0.25, 0.5, 1.0])
    shares = saliency_curves(network, 2, weights, s_comm)  # of a layer's whole norm
    for name, curve in curves.items():
        if curve.lost[-1]:
            expected = shares[name] / shares[name][-1]
            assert curve.at(s_comm) / curve.lost[-1] == pytest.approx(expected), name


@pytest.mark.parametrize("weights", [1, 2, 5, 20, 200])
def test_the_lost_share_against_drawn_weights(weights: int) -> None:
    """A second route: the L1 norms of 20,000 drawn sub-rows, sorted; gamma is off below 5."""
    draws = np.random.default_rng(weights).normal(size=(20_000, weights))
    norms = np.sort(np.abs(draws).sum(axis=1))
    s_comm = np.linspace(0.05, 0.95, 19)
    drawn = np.cumsum(norms)[(s_comm * len(norms)).astype(int) - 1] / norms.sum()
    computed = lost_share(s_comm, np.array([weights]))[0]
    assert np.abs(drawn - computed).max() < (0.02 if weights < 5 else 0.004)


@given(st.floats(1, 1e6))
def test_the_lost_share_is_convex_from_nothing_to_all(weights: float) -> None:
    s_comm = np.linspace(0, 1, 101)
    share = lost_share(s_comm, np.array([weights]))[0]
    assert share[0] == 0
    assert share[-1] == pytest.approx(1)
    assert (np.diff(share) >= 0).all()
    assert (np.diff(share, 2) >= -1e-12).all()
    assert (share <= s_comm + 1e-12).all()  # the least go first


@pytest.mark.parametrize(
    ("limits", "changed", "words"),
    [
        ({}, {}, "no limit"),
        ({"latency": Limit(1.0)}, {}, "latency_s"),
        ({LATENCY: Limit(0.0)}, {}, r"least is 14\.1 ms, at S_comm 0\.99 everywhere"),
        ({LATENCY: Limit(0.0)}, {"levels": [0, 0.95]}, r"least is 36\.85 ms, at S_comm 0\.95"),
        ({LATENCY: Limit(1.0)}, {"criterion": "l1-log"}, "l1-log needs weights: --weights"),
        ({LATENCY: Limit(0.001), MEMORY: Limit(1.0)}, {}, "latency .* and memory"),
        ({LATENCY: Limit(float("nan"))}, {}, "from 0 up"),
        ({LATENCY: Limit(1.0)}, {"nodes": 1}, "nothing to allocate"),
        ({LATENCY: Limit(1.0)}, {"levels": []}, "0 levels"),
        ({LATENCY: Limit(1.0)}, {"levels": np.linspace(0, 1, 1001)}, "1,001 levels"),
        ({LATENCY: Limit(1.0)}, {"levels": [2.0]}, "S_comm 2"),
        ({LATENCY: Limit(1.0)}, {"method": "exakt"}, "exact"),
    ],
)
def test_what_cannot_be_is_one_line(limits: dict, changed: dict, words: str) -> None:
    with pytest.raises((DiscosimError, UnknownNameError), match=words) as caught:
        allocated("resnet50", HMD, limits, **changed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("limit", [0.3, 0.6])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_mask_of_the_plan_keeps_the_limits(limit: float, seed: int) -> None:
    """Whatever the readers of a tensor select, it is no more than the plan has counted."""
    network = build("resnet50/16", (64,))
    given = on(network, nodes=3, conventions="runtime")
    limits = {BYTES: Limit(limit, of_dense=True), LATENCY: Limit(1.5 * limit, of_dense=True)}
    found = allocated(network, HMD, limits, nodes=3, conventions="runtime")
    mask = select(network, 3, found.plan.s_comm, None, "random", "pair", seed)
    masked = replace(given, mask=mask).cost()
    dense = replace(given, s_comm=0.0).cost()
    for column, most in found.limits.items():
        assert _number(masked, column) <= most * (1 + 1e-9) <= _number(dense, column)
