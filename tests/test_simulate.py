"""Laws of the whole model (model.md §3 to §6) on random networks, hardware and plans."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discosim.configuration import worth_of
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT
from discosim.graph.table import LayerTable, tabulate
from discosim.hardware import Hardware, load_profile
from discosim.networks import build
from discosim.partition.plan import CONVENTIONS
from discosim.partition.split import split
from discosim.simulate import Cost, unspent_share
from discosim.strategies.strategy import STRATEGIES
from tests.configurations import on, swept
from tests.strategies import hardware, sped_up, tables

NODES = st.integers(1, 5)
S_COMM = st.floats(0, 1)
CONVENTION = st.sampled_from(sorted(CONVENTIONS))
HMD = load_profile("splitnets-hmd").hardware()
FIG4 = load_profile("disco-fig4").hardware()


def _cost(
    table: LayerTable,
    node: Hardware,
    nodes: int,
    s_comm: float,
    overlap: str = "none",
    convention: str = "paper",
    strategy: str = "disco",
) -> Cost:
    at = "head" if STRATEGIES[strategy].has_cut else ""
    return on(
        table, hardware=node, nodes=nodes, s_comm=s_comm, overlap=overlap, conventions=convention,
        strategy=strategy, at=at,
    ).cost()  # fmt: skip


@given(tables(), hardware(alpha=False), NODES, S_COMM, CONVENTION, st.integers(1, 9))
def test_more_overlap_is_never_slower_without_latency(
    table: LayerTable, node: Hardware, nodes: int, s_comm: float, convention: str, chunks: int
) -> None:
    order = ["none", "layer", f"layer:{chunks}", "layer:best", "ideal"]
    costs = [_cost(table, node, nodes, s_comm, o, convention) for o in order]
    times = [cost.latency_s.item() for cost in costs]
    assert all(slow >= fast * (1 - 1e-9) for slow, fast in pairwise(times))
    least = max(costs[-1].total_comm_s.item(), costs[-1].total_comp_s.item())
    assert times[-1] >= least * (1 - 1e-9)


@given(tables(), hardware(), NODES, S_COMM, CONVENTION, st.integers(1, 30))
def test_the_best_number_of_chunks_is_best(
    table: LayerTable, node: Hardware, nodes: int, s_comm: float, convention: str, chunks: int
) -> None:
    best = _cost(table, node, nodes, s_comm, "layer:best", convention).latency_s.item()
    other = _cost(table, node, nodes, s_comm, f"layer:{chunks}", convention).latency_s.item()
    assert best <= other * (1 + 1e-9)


@given(tables(), hardware(), S_COMM, CONVENTION)
def test_one_node_is_the_single_node(
    table: LayerTable, node: Hardware, s_comm: float, convention: str
) -> None:
    single = _cost(table, node, 1, 0.0, strategy="single")
    for strategy in STRATEGIES:
        for overlap in ("none", "layer:3", "ideal"):
            cost = _cost(table, node, 1, s_comm, overlap, convention, strategy)
            assert cost.latency_s.item() == pytest.approx(single.latency_s.item()), strategy
            assert cost.node_bytes.item() == pytest.approx(single.node_bytes.item()), strategy
            assert cost.messages.item() == 0
            assert cost.bytes_per_node.item() == 0


@given(
    tables(), hardware(), NODES, S_COMM, CONVENTION, st.sampled_from(["none", "layer:4", "ideal"]),
    st.floats(0.1, 10), st.sampled_from(sorted(STRATEGIES)),
)  # fmt: skip
def test_faster_by_x_takes_one_xth(
    table: LayerTable,
    node: Hardware,
    nodes: int,
    s_comm: float,
    convention: str,
    overlap: str,
    x: float,
    strategy: str,
) -> None:
    if strategy == "pipeline":
        nodes = min(nodes, int(table.mixes.sum()))
    faster = sped_up(node, x)
    slow, fast = (
        _cost(table, each, nodes, s_comm, overlap, convention, strategy) for each in (node, faster)
    )
    assert fast.latency_s.item() * x == pytest.approx(slow.latency_s.item())
    assert fast.interval_s.item() * x == pytest.approx(slow.interval_s.item())


@given(tables(), hardware(memory=False), st.integers(1, 4), st.floats(0, 1), st.floats(1e-6, 1e-2))
def test_each_call_takes_its_overhead(
    table: LayerTable, node: Hardware, nodes: int, s_comm: float, call_s: float
) -> None:
    slower = replace(node, overhead_s={"conv": call_s})
    less, more = (_cost(table, each, nodes, s_comm, "none", "paper", "disco")
                  for each in (node, slower))  # fmt: skip
    convolutions = np.array([kind == "conv" for kind in table.kind])
    local, remote = (more.local_s - less.local_s, more.remote_s - less.remote_s)
    for added, part in ((local, less.local_s), (remote, less.remote_s)):
        assert np.all(added[..., ~convolutions] == 0)
        calls = (np.broadcast_to(part, added.shape) > 0) & convolutions
        assert added == pytest.approx(call_s * calls, abs=1e-9 * (1 + part.max()))


@given(tables(), hardware(), st.sampled_from(["conv", "add"]))
def test_an_efficiency_is_of_the_rate_or_of_the_memory_bandwidth(
    table: LayerTable, node: Hardware, kind: str
) -> None:
    plain = replace(node, efficiency={}, overhead_s={}, memory_Bps=1e6)
    half = replace(plain, efficiency={kind: 0.5})
    slowed = (replace(plain, compute_macps=node.compute_macps / 2) if kind == "conv"
              else replace(plain, memory_Bps=5e5))  # fmt: skip
    chosen = np.array([each == kind for each in table.kind])
    found, slow, usual = (
        _cost(table, each, 2, 0.5, "none", "paper", "disco").local_s
        for each in (half, slowed, plain)
    )
    assert found[..., chosen] == pytest.approx(slow[..., chosen])
    assert found[..., ~chosen] == pytest.approx(usual[..., ~chosen])


@given(tables(), hardware(memory=False), NODES)
def test_what_is_not_overlapped_adds_up(table: LayerTable, node: Hardware, nodes: int) -> None:
    arithmetic = _cost(table, node, nodes, 0.5).local_s
    traffic = _cost(table, replace(node, memory_Bps=1e6, compute_macps=np.inf), nodes, 0.5).local_s
    beside, after = (
        _cost(table, replace(node, memory_Bps=1e6, memory_overlap=word), nodes, 0.5).local_s
        for word in ("full", "none")
    )
    assert after == pytest.approx(beside + np.minimum(arithmetic, traffic), rel=1e-6, abs=1e-12)


def test_features_of_3x3_convolutions_that_are_transformed_pass_memory_so_many_times() -> None:
    once = replace(FIG4, memory_Bps=1e9, memory_overlap="none", bandwidth_Bps=np.inf)
    once = replace(once, compute_macps=np.inf)
    one, six = (
        on("resnet18", hardware=replace(once, transform=times), nodes=1).cost().local_s.squeeze()
        for times in (1.0, 6.0)
    )
    table = tabulate(build("resnet18"))
    features = np.array([
        4 * (row.in_elems + row.out_elems) * ("conv3x3" in row.classes) for row in table.rows
    ])  # fmt: skip
    assert features.any()
    assert six - one == pytest.approx(5 * features / 1e9, abs=1e-12)


def test_transformed_convolutions_are_computed_in_whole_tiles() -> None:
    once = replace(FIG4, memory_Bps=np.inf)
    plain, tiled = (
        on("resnet18", hardware=replace(once, transform=times), nodes=1).cost().local_s.squeeze()
        for times in (1.0, 6.0)
    )
    table = tabulate(build("resnet18"))
    times = np.divide(tiled, plain, out=np.ones_like(plain), where=plain > 0)
    sides = {56: 1.0, 28: 1.0, 14: (16 / 14) ** 2, 7: (8 / 7) ** 2}
    wanted = [sides[row.out_shape[1]] if "conv3x3" in row.classes else 1.0 for row in table.rows]
    assert times == pytest.approx(np.array(wanted))
    assert max(wanted) > 1.3


@pytest.mark.parametrize(
    ("features", "kernel", "groups", "classes"),
    [
        (3, 3, 1, ("stem", "conv")),
        (3, 1, 1, ("stem", "pointwise", "conv")),
        (8, 3, 8, ("depthwise",)),
        (8, 5, 8, ("wide_depthwise", "depthwise")),
    ],
)
def test_first_convolutions_and_wide_depthwise_kernels_are_classes_of_their_own(
    features: int, kernel: int, groups: int, classes: tuple[str, ...]
) -> None:
    net = Builder("one", (features, 8, 8))
    net.conv(INPUT, 8, kernel, "c", groups=groups)
    assert net.build().layers[0].classes == classes


def test_norms_fold_into_weights_and_relus_into_what_writes_features_anew() -> None:
    net = Builder("one", (8, 8, 8))
    x = net.activation(net.batch_norm(net.conv(INPUT, 8, 3, "c"), "bn"), "relu")
    added = net.activation(net.add(x, INPUT, "add"), "add.relu")
    joined = net.concat([added, x], "concat")
    y = net.activation(net.batch_norm(joined, "late"), "late.relu")
    net.activation(net.concat([y, x], "again"), "again.relu")
    table = tabulate(net.build())
    folded = {name for name, its in zip(table.name, table.folded, strict=True) if its}
    assert folded == {"bn", "relu", "add.relu", "late.relu", "output"}


@pytest.mark.parametrize(
    ("features", "kernel", "classes"),
    [
        (64, 3, ("conv3x3", "conv")),
        (126, 3, ("unaligned", "conv3x3", "conv")),
        (255, 1, ("unaligned", "pointwise", "conv")),
        (6, 5, ("unaligned", "conv")),
    ],
)
def test_convolutions_that_fill_no_vector_registers_are_of_a_class_of_their_own(
    features: int, kernel: int, classes: tuple[str, ...]
) -> None:
    net = Builder("one", (64, 8, 8))
    net.conv(INPUT, features, kernel, "c")
    assert net.build().layers[0].classes == classes


@given(tables(), hardware(), NODES)
def test_what_is_folded_costs_nothing(table: LayerTable, node: Hardware, nodes: int) -> None:
    folding = replace(node, folds=True, run_s=0.0, spill_Bps=None)
    cost = _cost(table, folding, nodes, 0.5)
    assert not np.any((cost.local_s + cost.remote_s)[..., table.folded & (table.macs == 0)])


@given(tables(), hardware(), NODES, st.floats(1e-6, 1))
def test_a_run_takes_its_overhead_of_each_node_once(
    table: LayerTable, node: Hardware, nodes: int, run_s: float
) -> None:
    less, more = (_cost(table, replace(node, run_s=each), nodes, 0.5) for each in (0.0, run_s))
    added = (more.local_s - less.local_s).sum(-1)
    assert added == pytest.approx(run_s * np.ones_like(added), rel=1e-6, abs=1e-9)


@given(tables(), hardware(memory=False), NODES, st.floats(0, 1))
def test_a_latency_an_exchange_is_that_of_one_message(
    table: LayerTable, node: Hardware, nodes: int, s_comm: float
) -> None:
    message, exchange = (
        _cost(table, replace(node, latency_per=per), nodes, s_comm).comm_s
        for per in ("message", "exchange")
    )
    silent = _cost(table, replace(node, link_latency_s=0.0), nodes, s_comm).comm_s
    assert np.all(exchange <= message * (1 + 1e-12))
    if node.topology != "switch":
        assert exchange == pytest.approx(message)
    else:
        alpha = node.link_latency_s * (silent > 0)
        assert exchange == pytest.approx(silent + alpha, rel=1e-6)
        assert np.all(message <= (silent + (nodes - 1) * alpha) * (1 + 1e-6))
        if nodes == 2:
            assert message == pytest.approx(exchange)


@given(tables(), hardware(memory=False), NODES, st.floats(0, 1), st.floats(1, 9))
def test_bytes_take_longer_where_more_send_than_the_links_keep_up_with(
    table: LayerTable, node: Hardware, nodes: int, s_comm: float, times: float
) -> None:
    free = replace(node, link_latency_s=0.0, congestion=1.0)
    one = _cost(table, free, nodes, s_comm).comm_s
    less, more = (
        _cost(table, replace(free, congestion=times, senders=few), nodes, s_comm).comm_s
        for few in (nodes, 0)
    )
    assert less == pytest.approx(one)
    assert more == pytest.approx(times * one)


def test_a_resnet_over_a_switch_pays_one_latency_an_exchange_in_place_of_three() -> None:
    node = replace(FIG4, topology="switch", link_latency_s=1e-3)
    message, exchange = (
        on("resnet18", hardware=replace(node, latency_per=per), nodes=4, s_comm=0.5).cost()
        for per in ("message", "exchange")
    )
    exchanges = int((message.comm_s > 0).sum())
    assert message.latency_s.item() - exchange.latency_s.item() == pytest.approx(2e-3 * exchanges)


def test_weights_that_fit_once_they_are_split_are_not_fetched() -> None:
    # Deep Compression's and Bochem et al.'s (arXiv 2412.04372) effect: more than N times faster.
    node = replace(FIG4, bandwidth_Bps=1e12, fast_bytes=30e6, spill_Bps=1e8)
    one, four = (on("resnet18", hardware=node, nodes=n, s_comm=1.0).cost() for n in (1, 4))
    assert one.latency_s.item() > 4 * four.latency_s.item()
    kept = replace(node, fast_bytes=1e9)
    whole = on("resnet18", hardware=kept, nodes=1).cost()
    spilled = 4 * build("resnet18").params - 30e6
    assert one.latency_s.item() - whole.latency_s.item() == pytest.approx(spilled / 1e8)


@settings(max_examples=20)
@given(st.sampled_from([2, 4]), st.floats(0.01, 1.5), st.floats(1e6, 1e9))
def test_splitting_pays_more_than_n_times_exactly_where_it_ends_a_spill(
    nodes: int, share: float, spill_Bps: float
) -> None:
    weights = float(on("resnet18", hardware=FIG4, nodes=1).cost().weight_bytes.item())
    node = replace(
        FIG4, bandwidth_Bps=1e18, link_latency_s=0.0, overhead_s={}, run_s=0.0, memory_Bps=None,
        fast_bytes=share * weights, spill_Bps=spill_Bps,
    )  # fmt: skip
    one, split = (on("resnet18", hardware=node, nodes=n, s_comm=0.0).cost() for n in (1, nodes))
    speedup = one.latency_s.item() / split.latency_s.item()
    without = (
        on("resnet18", hardware=replace(node, spill_Bps=None), nodes=n, s_comm=0.0).cost()
        for n in (1, nodes)
    )
    computed = next(without).latency_s.item() / next(without).latency_s.item()
    assert computed <= nodes * (1 + 1e-9)
    if share >= 1:
        assert speedup == pytest.approx(computed)
    else:
        assert speedup > computed
        assert spill_Bps > 3e7 or share < 0.3 or speedup > nodes


def test_a_convolution_has_the_figure_of_its_narrowest_class() -> None:
    table = tabulate(build("resnet18"))
    half = replace(FIG4, efficiency={"conv": 0.5, "conv3x3": 0.25}, overhead_s={"call": 1e-3})
    plain, slowed = (on("resnet18", hardware=each, nodes=1).cost() for each in (FIG4, half))
    ratio = {"conv": 2.0, "conv3x3": 4.0, "pointwise": 2.0, "stem": 2.0}
    for row, classes in enumerate(table.classes[:-1]):  # the last one only gathers
        expected = plain.local_s[..., row] * ratio.get(classes[0], 1.0) + 1e-3
        assert slowed.local_s[..., row] == pytest.approx(expected)


@given(tables(), hardware(), NODES, CONVENTION, st.floats(0, 1), st.floats(0, 1))
def test_sending_less_is_never_slower(
    table: LayerTable, node: Hardware, nodes: int, convention: str, one: float, other: float
) -> None:
    more, less = (_cost(table, node, nodes, s, "none", convention) for s in sorted((one, other)))
    assert less.latency_s.item() <= more.latency_s.item() * (1 + 1e-9)
    assert less.node_bytes.item() <= more.node_bytes.item() * (1 + 1e-9)
    assert less.bytes_per_node.item() <= more.bytes_per_node.item() * (1 + 1e-9)


@given(tables(), hardware(memory=False), NODES, S_COMM, st.floats(1e3, 1e9))
def test_a_memory_limit_never_makes_faster(
    table: LayerTable, node: Hardware, nodes: int, s_comm: float, memory_Bps: float
) -> None:
    bound = replace(node, memory_Bps=memory_Bps)
    free, limited = (_cost(table, each, nodes, s_comm) for each in (node, bound))
    assert (limited.layer_s >= free.layer_s * (1 - 1e-9)).all()
    idle = np.array([op == "activation" for op in table.op])
    assert (limited.layer_s[..., idle] > 0).all()


@given(tables(), hardware(), NODES, S_COMM, CONVENTION)
def test_memory_adds_up(
    table: LayerTable, node: Hardware, nodes: int, s_comm: float, convention: str
) -> None:
    cost = _cost(table, node, nodes, s_comm, "none", convention)
    parts = cost.weight_bytes + cost.peak_feature_bytes
    assert cost.node_bytes.item() == pytest.approx(parts.item())
    params = float(table.params.sum()) * 4
    assert cost.weight_bytes.item() <= params * (1 + 1e-9)
    if s_comm == 0 and convention == "paper":
        whole = cost.weight_bytes.item() * nodes
        assert whole >= params * (1 - 1e-9)
        uneven = split(table, nodes, False).counted < len(table) - 1  # groups that N does not fit
        if not uneven.any():
            assert whole == pytest.approx(params)


def test_peak_against_walking_through_the_network() -> None:
    """A second route to the live elements: free each tensor after its last reader."""
    table = tabulate(build("resnet18"))
    network = table.network
    readers = {t: set(network.graph.successors(t)) for t in network.graph}
    shapes = {layer.name: layer.out_elems for layer in network.layers}
    live, peak = {"input": int(np.prod(network.input_shape))}, 0
    for layer in network.layers:
        operands = network.operands(layer.name)
        last = [t for t in operands if not readers[t] - {layer.name}]
        taken = live[last[0]] if layer.operator.in_place and last else 0
        live[layer.name] = shapes[layer.name]
        peak = max(peak, sum(live.values()) - taken)
        for tensor in operands:
            readers[tensor].discard(layer.name)
            if not readers[tensor]:
                live.pop(tensor, None)
    assert table.live_elems.max() == peak


def test_speedup_of_the_abstract() -> None:
    """4.7 times against dense: two nodes, S_comm 0.8, B 37.5 MB/s, C 125 GOP/s (abstract)."""
    frame = swept("resnet50", nodes=[2], s_comm=[0.8]).iloc[0]
    assert frame["speedup_vs_dense"] == pytest.approx(4.7, abs=0.05)
    assert frame["speedup_vs_single"] < 1
    assert frame["latency_s"] == pytest.approx(0.1222, abs=5e-5)  # model.md §6
    single = swept("resnet50", strategies=["single"]).iloc[0]
    assert single["latency_s"] == pytest.approx(0.0327, abs=5e-5)


def test_overhead_of_figure_4() -> None:
    """5.35 % over ResNet50/8 with communication hidden, N = 8, S = 0.99; far more without."""
    small = swept("resnet50/8", FIG4, strategies=["single"]).iloc[0]["latency_s"]
    split = swept("resnet50", FIG4, nodes=[8], s_comm=[0.99], overlaps=["ideal", "none"])
    ideal, serial = split["latency_s"] / small - 1
    assert ideal == pytest.approx(0.0535, abs=0.0005)
    assert serial > 2 * ideal


@settings(max_examples=15)
@given(st.sampled_from(sorted(STRATEGIES)), CONVENTION, st.data())
def test_an_array_of_configurations_equals_one_call_each(
    strategy: str, convention: str, data: st.DataObject
) -> None:
    table = tabulate(build("resnet18"))
    size = data.draw(st.integers(1, 4))
    draw = lambda low, high: np.array(  # noqa: E731
        [data.draw(st.floats(low, high)) for _ in range(size)]
    )
    bandwidth, compute, alpha = draw(1e6, 1e9), draw(1e9, 1e12), draw(0, 1e-2)
    s_comm = draw(0, 1)
    overlap = data.draw(st.sampled_from(["none", "layer:3", "layer:best", "ideal"]))

    def cost(s: np.ndarray, b: object, c: object, a: object) -> Cost:
        at = "layer2" if STRATEGIES[strategy].has_cut else ""
        node = replace(HMD, bandwidth_Bps=b, compute_macps=c, link_latency_s=a)
        return on(
            table, hardware=node, nodes=3, s_comm=s, overlap=overlap, conventions=convention,
            strategy=strategy, at=at, worth=worth_of(HMD),
        ).cost()  # fmt: skip

    together = cost(*(v[:, None, None] for v in (s_comm, bandwidth, compute, alpha)))
    for i in range(size):
        alone = cost(s_comm[i, None, None], bandwidth[i], compute[i], alpha[i])
        for name in ("latency_s", "interval_s", "bytes_per_node", "node_bytes", "messages"):
            values = np.broadcast_to(getattr(together, name), (size,))
            assert values[i] == pytest.approx(getattr(alone, name).item(), rel=1e-12), name


def test_rows_without_macs_leave_none_uncomputed() -> None:
    """A search prices rows a few at a time, on many nodes those without MACs by themselves."""
    given = on("alexnet", nodes=2, strategy="dense")
    table = replace(given.table, macs=np.zeros(len(given.table)))
    assert unspent_share(table, given.plan()) == 0
