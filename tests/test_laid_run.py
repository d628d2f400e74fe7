"""Networks split in every way run as the plan says: same output, bytes and messages exact."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from discosim.door.run import run
from discosim.errors import DiscosimError
from discosim.explore.executed import planned, the_laid
from discosim.explore.run import predicted, run_split
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT, Network
from discosim.graph.table import LayerTable
from discosim.networks import build
from discosim.partition.collectives import Collective
from discosim.partition.lay import lay
from discosim.partition.layout import lay_out
from discosim.partition.mixed import mixed_plan
from discosim.partition.plan import CONVENTIONS, Plan
from discosim.partition.synced import leaves_out
from discosim.runtime import laid_overlap
from discosim.runtime.laid_program import row_names, table_rows
from discosim.runtime.replicas import replica_outputs
from discosim.runtime.state import largest_difference, random_state, whole_outputs
from tests.split import ThreadRun, laid_on_threads, on_one_thread
from tests.strategies import tables
from tests.test_splits import ALGORITHMS, RULES
from tests.test_splits_run import grouped, mobile, tokens, upsampling

pytestmark = pytest.mark.extras

RUNTIME = CONVENTIONS["runtime"]
LAID = ["rows", "fused-rows", "tokens-kv", "paired"]
NETWORKS = [  # rows that do not divide, few of them, and heads that do not
    ("resnet18/8", (33,), 2),
    ("resnet18/8", (33,), 3),
    ("resnet50/8", (33,), 4),
    ("mobilenetv2/4", (33,), 3),
    ("deit-ti", (32,), 2),
    ("deit-ti", (64,), 4),
    ("squeezenet1-1/4", (65,), 3),
]

one_thread = pytest.fixture(autouse=True)(on_one_thread)


@pytest.fixture(autouse=True)
def _few_rows_are_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are few rows, some of them are computed while messages are under way, too."""
    monkeypatch.setattr(laid_overlap, "LEAST", 0.25)


@lru_cache
def wanted(network: Network) -> tuple[dict[str, torch.Tensor], np.ndarray, tuple[np.ndarray, ...]]:
    """Parameters, an input, and what the network makes of it on one process."""
    x = np.random.default_rng(0).standard_normal(network.input_shape, dtype=np.float32)
    state = random_state(network, 1)
    return state, x, whole_outputs(network, state, x)


def check(network: Network, plan: Plan) -> ThreadRun:
    """The run's output, and its messages and bytes by row and node, are what they should be."""
    state, x, outputs = wanted(network)
    laid = the_laid(plan)
    if leaves_out(laid):
        outputs = replica_outputs(laid, state, x)
    run = laid_on_threads(laid, state, x)
    for got, right in zip(run.outputs, outputs, strict=True):
        scale = max(1e-3, float(np.abs(right).max()))
        np.testing.assert_allclose(got, right, atol=1e-5 * scale, rtol=0)
    rows = dict(zip(row_names(laid), table_rows(laid), strict=True))
    sent, messages = np.zeros((2, plan.nodes, len(network.layers) + 1))
    for message in run.messages:
        at = message.sender, rows[message.layer]
        sent[at] += message.nbytes
        messages[at] += 1
    assert np.array_equal(sent, np.broadcast_to(4 * plan.exchange.sent, sent.shape))
    assert np.array_equal(messages, np.broadcast_to(plan.exchange.send_peers, sent.shape))
    frame = predicted(network, plan)
    for each in frame.itertuples():
        mine = [m for m in run.messages if (m.sender, m.kind) == (each.node, each.kind)]
        assert (len(mine), sum(m.nbytes for m in mine)) == (each.messages, each.sent_bytes)
    weights = [sum(tensor.nbytes for tensor in state.values()) for state in run.states]
    assert list(frame.groupby("node")["weight_bytes"].first()) == weights
    assert run.left_over == 0
    return run


@lru_cache
def named(name: str, shape: tuple[int, ...]) -> Network:
    return build(name, shape)


@lru_cache
def built(make: Callable[[], Network]) -> Network:
    return make()


@pytest.mark.parametrize("strategy", LAID)
@pytest.mark.parametrize(("name", "shape", "nodes"), NETWORKS)
def test_a_network_split_by_a_strategy(
    name: str, shape: tuple[int, ...], strategy: str, nodes: int
) -> None:
    network = named(name, shape)
    check(network, planned(network, strategy, nodes))


def dense_in_dense() -> Network:
    """A residual-in-residual dense block, then twice the resolution (ESRGAN)."""
    net = Builder("rrdb", (3, 11, 7))
    x = first = net.conv(INPUT, 8, 3, "first", bias=True)
    for block in range(2):
        parts = [x]
        for index in range(3):
            joined = net.concat(parts, f"{block}.concat{index}") if index else parts[0]
            y = net.conv(joined, 4 if index < 2 else 8, 3, f"{block}.conv{index}", bias=True)
            parts.append(net.activation(y, f"{block}.act{index}", "leaky_relu", 0.2))
        y = net.activation(parts[-1], f"{block}.scale", "scale", 0.2)
        x = net.add(y, x, f"{block}.add")
    x = net.upsample(net.add(x, first, "skip"), (22, 14), "up", "nearest")
    net.conv(net.conv(x, 8, 3, "wide", bias=True), 3, 3, "last", bias=True)
    return net.build()


@pytest.mark.parametrize("strategy", LAID)
@pytest.mark.parametrize(
    ("make", "nodes"),
    [
        *((upsampling, nodes) for nodes in (2, 3)),
        *((mobile, nodes) for nodes in (3, 4)),
        *((tokens, nodes) for nodes in (2, 3, 4)),
        *((dense_in_dense, nodes) for nodes in (2, 3)),
    ],
)
def test_kinds_of_networks(make: Callable[[], Network], strategy: str, nodes: int) -> None:
    network = built(make)
    check(network, planned(network, strategy, nodes))


@pytest.mark.parametrize("collective", ["ring", "root"])
@pytest.mark.parametrize("strategy", ["rows", "paired"])
def test_collectives(strategy: str, collective: str) -> None:
    for make in (mobile, tokens):
        network = built(make)
        check(network, planned(network, strategy, 4, collective))


@pytest.mark.parametrize(
    ("name", "shape", "nodes", "s_comm", "collective"),
    [
        ("resnet18/8", (33,), 2, 0.5, "direct"),
        ("resnet18/8", (33,), 4, 0.9, "ring"),
        ("resnet18/8", (33,), 3, 1.0, "direct"),
        ("deit-ti", (32,), 3, 0.8, "direct"),
        ("deit-ti", (32,), 3, 0.3, "root"),
    ],
)
def test_sums_that_leave_features_out(
    name: str, shape: tuple[int, ...], nodes: int, s_comm: float, collective: str
) -> None:
    network = named(name, shape)
    plan = planned(network, "partial-sync", nodes, collective, s_comm)
    run = check(network, plan)
    summed = sum(message.nbytes for message in run.messages if message.kind == "sum")
    assert leaves_out(the_laid(plan))
    assert (summed > 0) == (s_comm < 1)


def test_with_all_features_added_up_nothing_changes() -> None:
    network = named("resnet18/8", (33,))
    plan = planned(network, "partial-sync", 3, s_comm=0.0)
    assert not leaves_out(the_laid(plan))
    assert len(check(network, plan).messages) == len(
        check(network, planned(network, "paired", 3)).messages
    )


def test_what_is_left_out_is_each_node_s_own() -> None:
    """Two matrices and a third one, by hand: of the sum's four features the first of each two."""
    net = Builder("pairs", (2,))
    x = net.activation(net.linear(INPUT, 4, "first", bias=False), "relu")
    net.linear(net.linear(x, 4, "second", bias=False), 3, "third", bias=False)
    network = net.build()
    plan = planned(network, "partial-sync", 2, s_comm=0.5)
    state, given, _ = wanted(network)
    first, second, third = (state[f"{n}.weight"].numpy() for n in ("first", "second", "third"))
    made = np.maximum(first @ given, 0)
    halves = [second[:, :2] @ made[:2], second[:, 2:] @ made[2:]]
    total = sum(halves)
    seen = [np.where([True, False, True, False], total, half) for half in halves]
    owner = [0, 0, 1]
    right = [third[row] @ seen[node] for row, node in enumerate(owner)]
    outputs = laid_on_threads(the_laid(plan), state, given).outputs
    np.testing.assert_allclose(outputs[0], right, rtol=1e-5)


def pooled() -> Network:
    """Poolings of every kind: rounded up, overlapping, to a few rows, to one row."""
    net = Builder("pools", (3, 19, 8))
    x = net.pool(net.conv(INPUT, 4, 3, "conv", dilation=2), 3, "max", stride=2, ceil=True)
    x = net.pool(x, 2, "mean", stride=2, ceil=True, function="mean", padding=1)
    x = net.conv(x, 4, 3, "strided", stride=2)
    low = net.global_pool(x, "three", size=3)
    peak = net.pool(low, 3, "peak", stride=3)
    net.linear(net.flatten(low, "flat"), 5, "fc1")
    net.linear(net.flatten(peak, "flat_peak"), 5, "fc2")
    net.linear(net.flatten(net.pool(low, 3, "mean3", stride=3, function="mean"), "f"), 5, "fc3")
    return net.build()


@pytest.mark.parametrize("nodes", [2, 3, 4])
def test_poolings_by_rows(nodes: int) -> None:
    check(built(pooled), planned(built(pooled), "rows", nodes))
    check(built(pooled), planned(built(pooled), "fused-rows", nodes))


@pytest.mark.parametrize("strategy", LAID)
@pytest.mark.parametrize("nodes", [2, 3, 4])
def test_group_norms_share_mean_and_squares_of_common_groups(strategy: str, nodes: int) -> None:
    run = check(built(grouped), planned(built(grouped), strategy, nodes))
    assert "five" in {m.layer for m in run.messages if m.kind == "statistics"}


@settings(max_examples=15, deadline=None)
@given(tables(), RULES, st.integers(1, 4), ALGORITHMS)
def test_any_splits_of_a_random_network(
    table: LayerTable, make: Callable[[Network], object], nodes: int, algorithm: str
) -> None:
    laid = lay(table, make(table.network), nodes, RUNTIME, collective=Collective(algorithm))  # type: ignore[arg-type]
    plan = mixed_plan(laid, lay_out(table, nodes, RUNTIME), np.ones((1, 1)))
    check(table.network, replace(plan, laid=laid))


def test_what_is_received_is_used() -> None:
    network = built(mobile)
    state, x, outputs = wanted(network)
    laid = the_laid(planned(network, "rows", 2))
    spoilt = laid_on_threads(laid, state, x, change=torch.zeros_like)
    assert largest_difference(spoilt.outputs, outputs) > 1e-2


def test_processes_do_what_threads_do() -> None:
    network = named("resnet18/8", (33,))
    plan = planned(network, "rows", 3)
    frame, apart = run_split(network, plan, wanted(network)[0])
    assert apart < 1e-5
    for name in ("messages", "sent_bytes", "weight_bytes"):
        assert list(frame[name]) == list(frame[f"predicted_{name}"])
    assert {"halo", "all-gather", "gather"} <= set(frame.query("messages > 0")["kind"])


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"strategy": "pipeline"}, "no run executes pipeline; wanted one of disco, dense"),
        ({"strategy": "rosw"}, "did you mean rows"),
        (
            {"strategy": "rows", "s_comm": 0.5},
            "--s-comm is for strategies that have it: rows has none",
        ),
        ({"strategy": "partial-sync", "mask": "m.npz"}, "--mask is for strategy disco"),
        ({"strategy": "rows", "mask": "m.npz"}, "--mask is for strategy disco: rows has none"),
        ({"strategy": "rows", "collective": "rign"}, "did you mean ring"),
    ],
)
def test_what_cannot_be_run_is_one_line(asked: dict[str, object], told: str) -> None:
    with pytest.raises(DiscosimError, match=told):
        run(named("resnet18/8", (32,)), **asked)
