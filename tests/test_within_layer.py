"""Laws of the within-layer plans, and the paper's averages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discosim.graph.table import LayerTable, tabulate
from discosim.networks import build
from discosim.partition.layout import lay_out
from discosim.partition.plan import CONVENTIONS, Conventions, Plan, Selection
from discosim.partition.within_layer import within_layer
from tests.configurations import on
from tests.strategies import tables

RESNET50 = tabulate(build("resnet50"))
CONVENTION = st.sampled_from([Conventions(*bits) for bits in np.ndindex(2, 2, 2)]).map(
    lambda c: Conventions(bool(c.resend), bool(c.whole), bool(c.service))
)
EXCHANGE = (
    "sent", "received", "union", "send_peers", "recv_peers", "pair", "link", "total",
    "total_union", "total_messages", "senders", "ring", "ring_both", "ring_steps",
)  # fmt: skip


def _plan(table: LayerTable, nodes: int, density: float, conventions: Conventions) -> Plan:
    return within_layer(lay_out(table, nodes, conventions), np.full((1, 1), density))


def _total(values: np.ndarray, nodes: int) -> float:
    return float(values.sum() * (nodes / values.shape[-2]))


@given(tables(), st.integers(1, 7), st.floats(0, 1), CONVENTION)
def test_what_is_sent_is_received(
    table: LayerTable, nodes: int, density: float, conventions: Conventions
) -> None:
    plan = _plan(table, nodes, density, conventions)
    exchange = plan.exchange
    total = float(np.sum(exchange.total))
    if plan.local.shape[-2] == nodes or not conventions.service:  # the gathering has one sink
        assert _total(np.asarray(exchange.sent), nodes) == pytest.approx(total)
        assert _total(np.asarray(exchange.received), nodes) == pytest.approx(total)
    assert (np.asarray(exchange.pair) <= np.asarray(exchange.total) + 1e-9).all()
    assert (np.asarray(exchange.union) <= np.asarray(exchange.sent) + 1e-9).all()


@given(tables(), st.integers(1, 7), CONVENTION)
def test_dense_does_all_the_work_once(
    table: LayerTable, nodes: int, conventions: Conventions
) -> None:
    plan = _plan(table, nodes, 1.0, conventions)
    shares = (plan.local + plan.remote).sum(-2) * (nodes / plan.local.shape[-2])
    rows = table.macs > 0
    assert np.allclose(shares[rows], 1.0)
    assert plan.avg_s_comm.item() == pytest.approx(0.0, abs=1e-12)


@given(tables(), st.integers(2, 7), CONVENTION)
def test_density_zero_sends_no_features(
    table: LayerTable, nodes: int, conventions: Conventions
) -> None:
    plan = _plan(table, nodes, 0.0, conventions)
    assert not np.asarray(plan.exchange.total)[..., table.mixes].any()
    assert not plan.remote[..., table.mixes].any()


@given(st.sampled_from([2, 4, 8, 16]), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.booleans())
def test_even_and_owned_agree_where_everything_divides(
    nodes: int, density: float, resend: bool
) -> None:
    even, owned = (
        _plan(RESNET50, nodes, density, Conventions(resend, whole, False, Selection.COMMON))
        for whole in (False, True)
    )
    rows = RESNET50.mixes & (RESNET50.out_features % nodes == 0)
    for name in EXCHANGE:
        left, right = (np.asarray(getattr(plan.exchange, name)) for plan in (even, owned))
        assert np.allclose(left[..., rows], right[..., rows]), name
    for name in ("local", "remote", "in_share", "out_share", "live_elems", "buffer_elems"):
        left, right = getattr(even, name), getattr(owned, name)
        assert np.allclose(left[..., rows], right[..., rows]), name


def test_resnet50_sends_shared_tensors_once_or_per_reader() -> None:
    """10.66 M elements per reader, 9.06 M once (model.md §1), the image among them."""
    image = 3 * 224 * 224
    for resend, elems in ((True, 10_664_448), (False, 9_058_816)):
        plan = _plan(RESNET50, 2, 1.0, Conventions(resend, False, False))
        assert float(plan.exchange.total.sum()) + image == elems


def test_uniform_sparsity_averages_less_than_its_knob() -> None:
    """S = 0.8 averages 78.9 and 38.8 % with a dense first layer (model.md §5)."""
    plan = _plan(RESNET50, 2, 0.2, CONVENTIONS["paper"])
    assert plan.avg_s_comm.item() == pytest.approx(0.789, abs=0.0005)
    spent = 2 * ((plan.local + plan.remote) @ RESNET50.macs).item() / RESNET50.macs.sum()
    assert 1 - spent == pytest.approx(0.388, abs=0.0005)


@given(st.integers(1, 16), st.floats(0, 1))
def test_s_comp_of_a_plain_layer(nodes: int, s_comm: float) -> None:
    """S_comp = (N-1)/N S_comm (Section III)."""
    plan = _plan(RESNET50, nodes, 1 - s_comm, CONVENTIONS["paper"])
    row = RESNET50.name.index("layer2.1.conv2")
    spent = nodes * float((plan.local + plan.remote)[0, row])
    assert 1 - spent == pytest.approx((nodes - 1) / nodes * s_comm, abs=1e-12)


@pytest.mark.parametrize(
    ("strategy", "at", "published"),
    [
        ("dense-then-split", "layer4", (8, 10)),
        ("dense-then-split", "layer3", (32, 28)),
        ("dense-then-split", "layer2", (68, 40)),
        ("split-then-aggregate", "layer1", (30, 8)),
        ("split-then-aggregate", "layer2", (67, 21)),
        ("split-then-aggregate", "layer3", (91, 39)),
    ],
)
def test_table_1(strategy: str, at: str, published: tuple[int, int]) -> None:
    """The twelve percentages of DISCO's Table I, each within half a point."""
    plan = on("resnet50", strategy=strategy, at=at).plan()
    spent = 2 * ((plan.local + plan.remote) @ RESNET50.macs).item() / RESNET50.macs.sum()
    computed = 100 * plan.avg_s_comm.item(), 100 * (1 - spent)
    assert computed == pytest.approx(published, abs=0.5)
