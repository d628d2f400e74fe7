"""Commands on one cluster of nodes that may be unlike: what equals the timeline, and the sweep."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import discosim as ds
from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.explore.sweep import sweep
from discosim.graph.network import Network
from discosim.hardware import TOPOLOGIES, Hardware, load_profile
from discosim.simulate import Overlap
from discosim.strategies.strategy import STRATEGIES
from discosim.timeline.cluster import Cluster
from discosim.timeline.joined import PUSHED, Joined, joined
from discosim.timeline.latency import latency_of, row_times
from discosim.timeline.links import messages_before
from discosim.timeline.on_cluster import OnCluster
from discosim.timeline.schedule import exchange_s, schedule
from discosim.timeline.shares import balanced_shares, shares_by_speed
from discosim.timeline.work import even_shares_of, work_of
from tests.strategies import hardware, networks

BARRED = st.sampled_from(["none", "layer", "layer:3", "layer:best", "ideal"])
NAMES = st.sampled_from(["disco", "dense", "rows", "paired", "pipeline", "fused-rows"])
PI4, PI5 = (load_profile(f"rpi{i}-gigabit").hardware() for i in (4, 5))
SMALL = ds.network("resnet18/8", input=64)


@st.composite
def clusters(draw: st.DrawFn, most: int = 4) -> Joined:
    """Nodes of one or two kinds on one network."""
    first, second = draw(hardware()), draw(hardware())
    second = replace(
        first,
        name="b",
        compute_macps=second.compute_macps,
        bandwidth_Bps=second.bandwidth_Bps,
        link_latency_s=second.link_latency_s,
        memory_bytes=second.memory_bytes,
    )
    kinds = draw(st.lists(st.sampled_from([first, second]), min_size=2, max_size=most))
    return joined(kinds)


def _on(network: Network, cluster: Hardware, **more: object) -> OnCluster:
    count = len(cluster.members) if isinstance(cluster, Joined) else 2
    return OnCluster(network, cluster, nodes=count, **more)  # type: ignore[arg-type]


def _possible(asked: Configuration) -> None:
    try:
        asked.plan()
    except DiscosimError:
        assume(False)


# The schedule without its events


@given(networks(), clusters(), st.floats(0, 1), NAMES, BARRED)
def test_it_takes_as_long_as_its_events(
    network: Network, cluster: Joined, s_comm: float, name: str, overlap: str
) -> None:
    nodes = Cluster(cluster.nodes)
    asked = _on(network, cluster, s_comm=s_comm, strategy=STRATEGIES[name])
    _possible(asked)
    asked = replace(asked, overlap=Overlap.parse(overlap))
    work = work_of(asked.on_mean(), nodes)
    assert latency_of(work, asked.overlap) == pytest.approx(
        schedule(work, asked.overlap).latency_s, rel=1e-9
    )
    if overlap == "none":
        for row, seconds in enumerate(row_times(work, asked.overlap).comm_s):
            assert seconds == pytest.approx(exchange_s(messages_before(work, row)), rel=1e-9)


# Alike nodes are the ordinary sweep, unlike ones the timeline


@given(networks(), hardware(), st.integers(1, 4), st.floats(0, 1), NAMES, BARRED)
def test_a_cluster_of_alike_nodes_is_the_ordinary_sweep(
    network: Network, node: Hardware, nodes: int, s_comm: float, name: str, overlap: str
) -> None:
    cluster = joined([node] * nodes)
    base = Configuration(network, node, strategy=STRATEGIES[name], nodes=nodes)
    _possible(base)
    same = {"strategies": [name], "nodes": [nodes], "s_comm": [0.0, s_comm], "overlaps": [overlap]}
    ordinary = sweep(base, **same)
    found = sweep(_on(network, cluster), hardware=[cluster], **same)
    pd.testing.assert_frame_equal(
        found.drop(columns=["hardware", "shares"]),
        ordinary.drop(columns="hardware"),
        check_exact=True,
    )


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("shares", ["balanced", "even", "speed", (5, 2, 1)])
def test_a_sweep_equals_the_timeline(topology: str, shares: str | tuple[float, ...]) -> None:
    cluster = ds.cluster("rpi5-gigabit,2xrpi4-gigabit", topology=topology, shares=shares)
    for name, overlap in (("disco", "none"), ("disco", "layer:best"), ("rows", "none")):
        rows = ds.sweep(SMALL, cluster, s_comm=0.9, strategies=name, overlap=overlap).frame
        played = ds.timeline(
            SMALL, cluster, s_comm=0.9, strategy=name, overlap=overlap, shares=shares
        )
        assert rows.latency_s.item() == pytest.approx(played.timeline.latency_s, rel=1e-9)
        held = played.timeline.work.node_bytes
        fullest = int((held / played.timeline.work.memory_bytes).argmax())
        assert rows.node_bytes.item() == pytest.approx(held[fullest])
        assert rows.memory_bytes.item() == cluster.nodes[fullest].memory_bytes


@given(networks(), clusters(), st.floats(0, 1), BARRED)
@settings(max_examples=25)
def test_balanced_shares_are_never_worse_and_alike_nodes_have_equal_ones(
    network: Network, cluster: Joined, s_comm: float, overlap: str
) -> None:
    asked = _on(network, cluster, s_comm=s_comm, overlap=Overlap.parse(overlap)).resolved()
    _possible(asked)
    nodes, plain = Cluster(cluster.nodes), asked.on_mean()
    assume(not nodes.alike)
    shares = balanced_shares(plain, nodes)
    judged = [
        (max(1.0, work.fullness), latency_of(work, asked.overlap))
        for each in (shares, even_shares_of(len(nodes)), shares_by_speed(plain, nodes))
        for work in [work_of(plain, nodes, each)]
    ]
    assert judged[0] == min(judged)
    for places, _ in nodes.kinds(len(nodes)):
        assert np.ptp([shares[place] for place in places]) == pytest.approx(0, abs=1e-12)
    best = asked.cost()
    assert float(best.latency_s) == pytest.approx(judged[0][1], rel=1e-9)
    assert float(asked.least_s()) <= float(best.latency_s) * (1 + 1e-9)


# What a cluster is


def test_the_slowest_link_the_least_memory_and_the_mean_rate_are_those_of_the_cluster() -> None:
    cluster = joined([PI5, PI4, PI4])
    assert cluster.name == "rpi5-gigabit,2xrpi4-gigabit"
    assert cluster.memory_bytes == PI4.memory_bytes
    assert cluster.compute_macps == pytest.approx((PI5.compute_macps + 2 * PI4.compute_macps) / 3)
    assert cluster.nodes == (PI5, PI4, PI4)


@pytest.mark.parametrize("name", PUSHED)
def test_a_number_that_is_replaced_is_that_of_every_node(name: str) -> None:
    other = replace(joined([PI5, PI4]), **{name: 12345.0})  # type: ignore[arg-type]
    assert [getattr(node, name) for node in other.nodes] == [12345.0, 12345.0]


def test_an_axis_of_the_hardware_is_that_of_every_node() -> None:
    cluster = ds.cluster("rpi5-gigabit,rpi4-gigabit", bandwidth=["10MB/s", "1GB/s"])
    rows = ds.sweep(SMALL, cluster, s_comm=[0.5, 0.9]).frame
    for _, row in rows.iterrows():
        at = ds.cluster("rpi5-gigabit,rpi4-gigabit", bandwidth=row.bandwidth_Bps)
        alone = ds.sweep(SMALL, at, s_comm=row.s_comm).frame
        assert alone.latency_s.item() == pytest.approx(row.latency_s)
    assert len(rows) == 4


def test_nodes_are_the_first_of_the_cluster_and_no_more() -> None:
    cluster = ds.cluster("2xrpi5-gigabit,rpi4-gigabit")
    rows = ds.sweep(SMALL, cluster, nodes=[2, 3], s_comm=0.9).frame
    two = ds.sweep(SMALL, "rpi5-gigabit", nodes=2, s_comm=0.9).frame
    assert rows.latency_s[0] == two.latency_s[0]
    assert ds.sweep(SMALL, cluster, s_comm=0.9).frame.nodes.tolist() == [3]
    with pytest.raises(DiscosimError, match="which has 3"):
        ds.sweep(SMALL, cluster, nodes=4)


def test_one_node_is_the_fastest_that_holds_the_network() -> None:
    slow, fast = replace(PI4, name="slow"), replace(PI5, name="fast")
    both = _on(SMALL, joined([slow, fast]))
    assert both.alone().name == "fast"
    small = replace(fast, memory_bytes=1e3)
    assert _on(SMALL, joined([slow, small])).alone().name == "slow"
    alone = ds.sweep(SMALL, fast, strategies="single", nodes=1).frame.latency_s.item()
    rows = ds.sweep(SMALL, joined([slow, fast]), strategies=["single", "disco"], s_comm=0.5).frame
    assert rows.latency_s[0] == alone
    assert rows.speedup_vs_single[1] == pytest.approx(alone / rows.latency_s[1])


def test_a_row_fits_where_every_node_holds_its_part() -> None:
    tight = replace(PI4, name="tight", memory_bytes=2e5)
    for share in (0.5, 0.95):
        cluster = joined([PI5, tight], ((share, 1 - share),))
        rows = ds.sweep(SMALL, cluster, s_comm=[0.0, 0.9]).frame
        asked = _on(SMALL, cluster, s_comm=0.0)
        work = asked.work()
        assert bool(rows.fits[0]) == bool((work.node_bytes <= [PI5.memory_bytes, 2e5]).all())
    assert set(rows.fits) == {True}


@pytest.mark.parametrize(
    ("nodes", "shares", "words"),
    [
        ("0xrpi4-gigabit", None, "none of a node"),
        ("rpi4-gigabit,", None, "empty name"),
        ("rpi4-gigabit,rpi4-wifi", None, "different topologies"),
        ("2xrpi4-gigabit", "0.2,0.3,0.5", "3 shares for 2 nodes"),
        ("2xrpi4-gigabit", "evn", "wanted even, balanced, speed"),
        ("3x", None, "names no node"),
        ("2xnonsense", None, "unknown hardware profile 'nonsense'"),
    ],
)
def test_what_is_no_cluster_is_refused(nodes: str, shares: str | None, words: str) -> None:
    with pytest.raises(DiscosimError, match=words):
        ds.cluster(nodes, shares=shares)


def test_what_is_no_kind_of_node_or_too_much_for_unlike_ones_is_refused() -> None:
    with pytest.raises(DiscosimError, match="one cluster, --cluster 3xrpi4"):
        ds.sweep(SMALL, "3xrpi4")
    with pytest.raises(DiscosimError, match="1 nodes against one"):
        ds.breakeven(SMALL, ds.cluster("rpi5-gigabit"))
    cluster = ds.cluster("rpi5-gigabit,rpi4-gigabit", bandwidth=np.geomspace(1e6, 1e9, 2000))
    for asked in (ds.sweep, ds.pareto):
        with pytest.raises(DiscosimError, match="played by itself; wanted at most 1,000"):
            asked(SMALL, cluster)


@pytest.mark.parametrize("name", ["rpi6", "raspberrypi6", "Pi6"])
def test_a_board_that_there_is_not_is_answered_with_those_that_there_are(name: str) -> None:
    with pytest.raises(DiscosimError, match="did you mean rpi5-gigabit or rpi4-gigabit"):
        ds.cluster(f"3x{name}")
