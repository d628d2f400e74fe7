"""Pipeline stages against trying every cut, and what is handed on."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT
from discosim.graph.table import LayerTable, tabulate
from discosim.hardware import Hardware, load_profile
from discosim.model.overlap import stage_s
from discosim.networks import build
from discosim.partition.plan import CONVENTIONS, Features, Objective
from discosim.simulate import NO_OVERLAP, Overlap, node_needs
from discosim.strategies.pipeline import Holding, staged_plan, stages
from discosim.strategies.strategy import STRATEGIES
from discosim.timeline.cluster import Cluster
from discosim.timeline.schedule import interval_s, schedule
from discosim.timeline.shares import balanced_shares
from discosim.timeline.stages import unlike_stages
from discosim.timeline.totals import energy_J, price_usd
from discosim.timeline.work import work_of
from tests.configurations import on, swept
from tests.strategies import tables

HMD = load_profile("splitnets-hmd").hardware()


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
    memory = stages(table, nodes, Objective.MEMORY, Holding(4.0, 4.0, features))
    best = min(_worst_bytes(table, stage, features) for stage in every)
    assert _worst_bytes(table, memory, features) == pytest.approx(best)
    latency = stages(table, nodes, Objective.LATENCY, Holding(4.0, 4.0, features))
    assert _handed(table, latency) == min(_handed(table, stage) for stage in every)


def test_more_stages_than_layers_are_refused() -> None:
    with pytest.raises(DiscosimError, match="resnet18 has 21"):
        stages(tabulate(build("resnet18")), 22, Objective.MEMORY, Holding(4.0, 4.0))


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


# A stream of items


def _played_s(
    work: np.ndarray, wire: np.ndarray, overlaps: bool, one_port: bool, items: int = 60
) -> float:
    """Seconds between items, from a stream of them played one after the other.

    A wire takes a message from stage r to r + 1, both of which it occupies: the whole node
    without overlap, only its port where one carries both directions, only the link otherwise.
    """
    stages = len(work)
    node, port = np.zeros(stages), np.zeros(stages)
    link = np.zeros(stages)
    ends = []
    for _ in range(items):
        at = 0.0
        for r in range(stages):
            if r:
                begin = max(at, link[r])
                if not overlaps:
                    begin = max(begin, node[r - 1], node[r])
                if one_port:
                    begin = max(begin, port[r - 1], port[r])
                at = link[r] = begin + wire[r - 1]
                if not overlaps:
                    node[r - 1] = node[r] = at
                if one_port:
                    port[r - 1] = port[r] = at
            at = node[r] = max(at, node[r]) + work[r]
        ends.append(at)
    return (ends[-1] - ends[len(ends) // 2]) / (len(ends) - 1 - len(ends) // 2)


@given(
    st.lists(st.integers(1, 20), min_size=2, max_size=5), st.data(), st.booleans(), st.booleans()
)
def test_the_slowest_stage_is_the_interval_of_a_stream(
    work: list[int], data: st.DataObject, overlaps: bool, half: bool
) -> None:
    count = len(work) - 1
    wire = data.draw(st.lists(st.integers(0, 20), min_size=count, max_size=count))
    stages_s = stage_s(
        np.array(work, dtype=float), np.array([0.0, *wire]), np.array([*wire, 0.0]),
        overlaps=overlaps, one_port=half,
    )  # fmt: skip
    played = _played_s(np.array(work), np.array(wire), overlaps, half and overlaps)
    if half and overlaps:  # ports that take turns can be busy one after the other
        assert played >= stages_s.max() - 1e-9
    else:
        assert played == pytest.approx(stages_s.max())


def test_deit_s_without_overlap_receives_computes_and_sends() -> None:
    """41.4 ms between two items on four nodes, played item by item; with overlap the longest."""
    network = build("deit-s")
    split = Configuration(network, HMD, strategy=STRATEGIES["pipeline"], nodes=4)
    assert split.cost().interval_s.item() == pytest.approx(41.36e-3, abs=5e-6)
    hidden = replace(split, overlap=Overlap("ideal")).cost().interval_s.item()
    ports = replace(HMD, topology="switch", duplex="half")
    shared = replace(split, overlap=Overlap("ideal"), hardware=ports).cost().interval_s.item()
    handed = split.table.cut_elems[1:][np.diff(split.plan().stage) > 0] * 4 / 37.5e6
    assert hidden == pytest.approx(max(handed.max(), split.cost().local_s.sum(-1).max()))
    assert shared == pytest.approx(max(hidden, (handed[1:] + handed[:-1]).max()))


def test_what_arrives_meanwhile_is_held_too() -> None:
    split = Configuration(build("resnet18"), HMD, strategy=STRATEGIES["pipeline"], nodes=3)
    plan = split.plan()
    arriving = 4 * plan.exchange.received.sum(-1)
    alone, hidden = (node_needs(split.table, plan, HMD, o) for o in (NO_OVERLAP, Overlap("ideal")))
    for features in (1, 2):  # held at once, and of all layers
        assert hidden[features] - alone[features] == pytest.approx(arriving)
    assert arriving[0] == 0 < arriving[1]


@pytest.mark.parametrize("nodes", [1, 3])
def test_a_tensor_of_two_readers_is_held_once_by_a_stage(nodes: int) -> None:
    """Under runtime conventions, as the single node counts it; ResNet's shortcuts are such."""
    table = tabulate(build("resnet18"))
    runtime = Configuration(
        table.network, HMD, strategy=STRATEGIES["pipeline"], nodes=nodes, features=Features.ALL,
        conventions=CONVENTIONS["runtime"],
    )  # fmt: skip
    plan = runtime.plan()
    for node in range(nodes):
        rows = [row for row in np.flatnonzero(plan.stage == node) if table.mixes[row]]
        sources = {int(table.source[row]) for row in rows}
        assert plan.stored_elems[node] == table.tensor_elems[sorted(sources)].sum()
    if nodes == 1:
        single = replace(runtime, strategy=STRATEGIES["single"])
        assert single.cost().node_bytes.item() == runtime.cost().node_bytes.item()


# Unlike nodes


def _node(macps: float, memory_bytes: float | None) -> Hardware:
    return replace(HMD, compute_macps=macps, memory_bytes=memory_bytes, bandwidth_Bps=1e15)


def _two_kinds_of_layers() -> LayerTable:
    """8 MMAC in convolutions of few weights, then 2 MMAC in matrices of many."""
    net = Builder("two-kinds", (10, 100, 20))
    x = INPUT
    for layer in range(8):
        x = net.conv(x, 10, (5, 1), f"conv{layer}")
    x = net.flatten(net.pool(x, 20, "pool", stride=20), "flatten")
    x = net.linear(net.linear(x, 1000, "wide"), 1950, "wider")
    net.linear(x, 1, "last")
    return tabulate(net.build())


def test_a_pipeline_over_unlike_nodes_is_cut_for_them() -> None:
    """A: 1 GMAC/s, 10 MB; B: 0.25 GMAC/s, 64 MB. 8 MMAC to A and 2 to B: 8 ms an item."""
    table = _two_kinds_of_layers()
    cluster = Cluster((_node(1e9, 10e6), _node(0.25e9, 64e6)))
    given = Configuration(table.network, cluster.nodes[0], strategy=STRATEGIES["pipeline"])
    work = work_of(given, cluster)
    assert interval_s(work, NO_OVERLAP) == pytest.approx(8e-3, rel=0.01)
    assert (work.node_bytes <= work.memory_bytes).all()
    alike = Cluster((_node(1e9, 10e6),) * 2)
    kept = work_of(given, alike).plan.stage
    assert kept.tolist() == given.plan().stage.tolist()


@given(tables(), st.integers(2, 3), st.data(), st.booleans())
def test_unlike_stages_are_the_best_of_all_cuts(
    table: LayerTable, nodes: int, data: st.DataObject, overlaps: bool
) -> None:
    """By trying each cut: first what fits, then the shortest interval, then the least latency."""
    if nodes > table.mixes.sum():
        return
    rates = data.draw(st.lists(st.integers(1, 9), min_size=nodes, max_size=nodes, unique=True))
    sizes = data.draw(st.lists(st.integers(2000, 9000), min_size=nodes, max_size=nodes))
    cluster = Cluster(
        tuple(
            replace(HMD, compute_macps=1e6 * rate, memory_bytes=float(size), bandwidth_Bps=1e6)
            for rate, size in zip(rates, sizes, strict=True)
        )
    )
    overlap = Overlap("ideal") if overlaps else NO_OVERLAP
    given_ = Configuration(
        table.network, cluster.nodes[0], strategy=STRATEGIES["pipeline"], nodes=nodes,
        overlap=overlap,
    )  # fmt: skip

    def judged(stage: np.ndarray) -> tuple[float, float, float]:
        plan = staged_plan(table, stage)
        times, full = np.zeros(nodes), 1.0
        handed = [4e-6 * table.cut_elems[row] for row in np.flatnonzero(np.diff(stage)) + 1]
        for node, hardware in enumerate(cluster.nodes):
            macs = table.macs[stage == node].sum()
            times[node] = macs / (1e6 * rates[node])
            weights, peak, _ = node_needs(table, plan, hardware, overlap)
            full = max(full, (weights + peak)[node] / sizes[node])
        arrive, leave = np.array([0.0, *handed]), np.array([*handed, 0.0])
        each = np.maximum(times, np.maximum(arrive, leave)) if overlaps else times + arrive + leave
        return full, each.max(), times.sum() + sum(handed)

    every = []
    for cuts in combinations(range(1, len(table)), nodes - 1):
        stage = np.searchsorted(np.array(cuts), np.arange(len(table)), side="right")
        if all(table.mixes[stage == node].any() for node in range(nodes)):
            every.append(judged(stage))
    assert judged(unlike_stages(given_, cluster)) == pytest.approx(min(every))


def test_unlike_nodes_cost_what_each_of_them_costs() -> None:
    """Energy and price are not the first node's: 8 MMAC at 1 nJ, 2 MMAC at 3 nJ, idle 1 and 2 W."""
    table = _two_kinds_of_layers()
    figures = {"energy_per_mac_J": (1e-9, 3e-9), "idle_power_W": (1.0, 2.0), "price_usd": (80, 35)}
    one, other = (
        replace(node, **{name: pair[number] for name, pair in figures.items()})
        for number, node in enumerate((_node(1e9, 10e6), _node(0.25e9, 64e6)))
    )
    given = Configuration(table.network, one, strategy=STRATEGIES["pipeline"])
    timeline = schedule(work_of(given, Cluster((one, other))))
    macs = [table.macs[timeline.work.plan.stage == node].sum() for node in (0, 1)]
    expected = 1e-9 * macs[0] + 3e-9 * macs[1] + 3.0 * timeline.latency_s
    assert energy_J(timeline) == pytest.approx(expected)
    assert price_usd(timeline.work.cluster.nodes) == 115
    silent = Cluster((one, replace(other, energy_per_mac_J=None, price_usd=None)))
    assert np.isnan(energy_J(schedule(work_of(given, silent))))
    assert np.isnan(price_usd(silent.nodes))


def test_balanced_shares_fit_the_memory_of_each_node() -> None:
    """The faster node has too little memory for what its speed asks for."""
    table = _two_kinds_of_layers()
    cluster = Cluster((_node(1e9, 3.5e6), _node(0.25e9, 64e6)))
    given = Configuration(table.network, cluster.nodes[0], s_comm=0.8)
    free = Cluster(tuple(replace(node, memory_bytes=None) for node in cluster.nodes))
    shares, unbounded = balanced_shares(given, cluster), balanced_shares(given, free)
    full, over = (work_of(given, cluster, each).fullness for each in (shares, unbounded))
    assert full <= 1 < over
    assert shares[0] < unbounded[0]


@pytest.mark.parametrize(
    ("topology", "duplex", "overlap", "seconds"),
    [  # stages of 0.4, 1.6 and 0.4 s; each hands 400 elements of 4 B on in 1.6 s
        ("full-mesh", "full", "none", 1.6 + 1.6 + 1.6),  # receives, computes, sends
        ("full-mesh", "full", "ideal", 1.6),
        ("switch", "half", "ideal", 2 * 1.6),  # the port in the middle does both in turn
        ("shared", "half", "ideal", 2 * 1.6),  # and so does the one medium
    ],
)
def test_the_interval_of_three_stages_by_hand(
    topology: str, duplex: str, overlap: str, seconds: float
) -> None:
    net = Builder("stages", (1, 10, 10))
    net.conv(net.conv(net.conv(INPUT, 4, 1, "one"), 4, 1, "two"), 1, 1, "three")
    node = replace(
        load_profile("splitnets-hmd").hardware(),
        topology=topology, duplex=duplex, bandwidth_Bps=1e3, compute_macps=1e3,
    )  # fmt: skip
    given = on(net.build(), hardware=node, strategy="pipeline", nodes=3, overlap=overlap)
    assert float(given.cost().interval_s.squeeze()) == pytest.approx(seconds)
