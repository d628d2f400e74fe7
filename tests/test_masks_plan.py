"""The plan of a mask: what a mask that keeps alike costs, and what uneven counts change."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from discosim.errors import DiscosimError
from discosim.graph.network import Network
from discosim.graph.table import tabulate
from discosim.hardware import Hardware
from discosim.masks.mask import LayerMask, Mask
from discosim.masks.measure import figures, kept_pairs
from discosim.masks.plan import masked_plan
from discosim.masks.select import select
from discosim.masks.sent import sent_features
from discosim.masks.weights import random_weights
from discosim.networks import build
from discosim.partition.plan import CONVENTIONS, Plan, conventions
from discosim.simulate import simulate
from discosim.strategies.uniform import branches, dense, disco
from tests.configurations import on, swept
from tests.strategies import hardware, networks

NODES = st.integers(1, 4)
EXACT = conventions("paper", rounding="exact")
KINDS = st.sampled_from([EXACT, CONVENTIONS["runtime"]])


def _mask(network: Network, nodes: int, s_comm: float, per: str = "layer", seed: int = 0) -> Mask:
    return select(network, nodes, s_comm, random_weights(network, seed), per=per)


def _assert_alike(one: Plan, other: Plan, node: Hardware, network: Network) -> None:
    costs = [simulate(tabulate(network), plan, node) for plan in (one, other)]
    for field in fields(costs[0]):
        values = [getattr(cost, field.name) for cost in costs]
        if all(value is None for value in values):  # known of unlike nodes only
            continue
        np.testing.assert_allclose(*values, rtol=1e-9, atol=1e-12, err_msg=field.name)


@given(networks(), NODES, st.sampled_from([0.0, 0.25, 0.5, 0.8, 1.0]), hardware())
def test_alike_pairs_cost_what_the_fraction_costs(
    network: Network, nodes: int, s_comm: float, node: Hardware
) -> None:
    """But for a broadcast: of what overlaps, a fraction knows only the most, a mask the union."""
    assume(node.topology != "broadcast")
    mask = _mask(network, nodes, s_comm, "pair")
    request = on(network, nodes=nodes, s_comm=s_comm, conventions=EXACT)
    _assert_alike(disco(replace(request, mask=mask)), disco(request), node, network)


@given(networks(), NODES, KINDS, hardware())
def test_the_limits_are_dense_and_branches(
    network: Network, nodes: int, counted: object, node: Hardware
) -> None:
    request = on(network, nodes=nodes, conventions=counted)
    for s_comm, limit in ((0.0, dense), (1.0, branches)):
        mask = _mask(network, nodes, s_comm)
        _assert_alike(masked_plan(request.table, mask, counted), limit(request), node, network)


@given(networks(), NODES, KINDS, st.integers(0, 5))
def test_what_is_sent_is_received_and_counted_once(
    network: Network, nodes: int, counted: object, seed: int
) -> None:
    table, mask = tabulate(network), _mask(network, nodes, 0.6, seed=seed)
    plan = masked_plan(table, mask, counted)
    sent = sent_features(network, mask, resend=counted.resend)
    assert plan.exchange.sent.sum() == pytest.approx(plan.exchange.received.sum())
    for row, layer in enumerate(network.layers):
        if layer.name in mask.layers:
            elems = sent[layer.name].sum() * table.positions[row]
            assert plan.exchange.total[0, row] == pytest.approx(elems)
            union = sent[layer.name].any(0).sum() * table.positions[row]
            assert plan.exchange.total_union[0, row] == pytest.approx(union)


@given(networks(), NODES, KINDS)
def test_work_is_the_work_that_the_mask_leaves(
    network: Network, nodes: int, counted: object
) -> None:
    table, mask = tabulate(network), _mask(network, nodes, 0.7)
    plan = masked_plan(table, mask, counted)
    work = dict(zip(table.name, (plan.local + plan.remote).T, strict=True))
    for figure in figures(network, mask, random_weights(network)):
        assert work[figure.layer.name].sum() == pytest.approx(1 - figure.s_comp)


@given(networks(), NODES, st.sampled_from([0.25, 0.5, 0.8]))
def test_a_broadcast_carries_at_most_what_the_fraction_allows(
    network: Network, nodes: int, s_comm: float
) -> None:
    mask = _mask(network, nodes, s_comm, "pair")
    request = on(network, nodes=nodes, s_comm=s_comm, conventions=EXACT)
    masked, bound = (disco(each).exchange.union for each in (replace(request, mask=mask), request))
    assert (masked <= bound + 1e-9).all()


def test_the_largest_pair_and_the_busiest_node_decide() -> None:
    """Node 1 reads all of node 0 and nothing goes back: one link carries everything."""
    network = build("resnet18/8")
    even = _mask(network, 2, 0.5, "pair")
    lopsided = {}
    for name, each in even.layers.items():
        own = True if each.in_owner is None else each.in_owner == np.arange(2)[:, None]
        kept = np.array(own | (np.arange(2)[:, None] == 1)) | np.zeros_like(each.kept)
        lopsided[name] = LayerMask(name, kept, each.in_owner, each.out_owner)
    one_way = replace(even, layers=lopsided)
    rows = [swept(on("resnet18/8", mask=mask), nodes=[2]).iloc[0] for mask in (even, one_way)]
    assert rows[0]["avg_s_comm"] == pytest.approx(rows[1]["avg_s_comm"], abs=0.01)
    assert rows[1]["comm_s"] == pytest.approx(2 * rows[0]["comm_s"], rel=0.02)
    assert rows[1]["comp_s"] > rows[0]["comp_s"]


def test_two_readers_of_one_tensor_share_what_is_sent_once() -> None:
    network = build("resnet18/4")
    mask = _mask(network, 2, 0.8)
    plans = [
        masked_plan(tabulate(network), mask, replace(EXACT, resend=resend))
        for resend in (True, False)
    ]
    table = tabulate(network)
    rows = [table.name.index(f"layer2.0.{name}") for name in ("conv1", "downsample.0")]
    twice, once = (plan.exchange.total[0, rows] / table.positions[rows] for plan in plans)
    layers = [mask.layers[table.name[row]] for row in rows]
    assert twice.tolist() == [kept_pairs(layer).sum() for layer in layers]
    either = layers[0].kept | layers[1].kept
    own = layers[0].in_owner == np.arange(2)[:, None]
    assert once.tolist() == [(either & ~own).sum(), 0]


def test_a_study_refuses_the_mask_of_another() -> None:
    mask = _mask(build("resnet18/8"), 2, 0.5)
    with pytest.raises(DiscosimError, match="for resnet18/8, not for resnet18/4"):
        on("resnet18/4", mask=mask)
    with pytest.raises(DiscosimError, match="input 3x224x224, not for 3x64x64"):
        on("resnet18/8", (64,), mask=mask)
    with pytest.raises(DiscosimError, match="for 2 nodes, not for 4"):
        swept(on("resnet18/8", mask=mask), nodes=[4])


def test_strategies_without_the_knob_do_not_read_the_mask() -> None:
    mask = _mask(build("resnet18/8"), 2, 0.5)
    names = ["single", "dense", "branches", "pipeline"]
    rows = [
        swept(study, strategies=names, nodes=[2])["latency_s"]
        for study in (on("resnet18/8", mask=mask), on("resnet18/8"))
    ]
    assert rows[0].tolist() == rows[1].tolist()
