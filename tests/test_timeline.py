"""The schedule event by event against the closed forms, and laws of its own (model.md §3)."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT
from discosim.graph.table import LayerTable, tabulate
from discosim.hardware import Hardware, load_profile
from discosim.masks.select import select
from discosim.model.exchange import PairExchange
from discosim.networks import build
from discosim.partition.layout import lay_out
from discosim.partition.plan import CONVENTIONS, Conventions, Plan
from discosim.partition.uneven import blocks_of, place_by_share, split_by_share
from discosim.partition.within_layer import within_layer
from discosim.simulate import Cost, Overlap
from discosim.strategies.strategy import STRATEGIES
from discosim.timeline import schedule as schedule_module
from discosim.timeline.cluster import Cluster
from discosim.timeline.links import counted_before, messages_before, tournament
from discosim.timeline.schedule import Event, Timeline, parse_overlap, schedule
from discosim.timeline.shares import balanced_shares, shares_by_speed
from discosim.timeline.work import Work, work_of
from tests.configurations import on
from tests.strategies import hardware, sped_up, tables

NODES = st.integers(1, 5)
S_COMM = st.floats(0, 1)
CONVENTION = st.sampled_from(sorted(CONVENTIONS))
BARRED = st.sampled_from(["none", "layer", "layer:4", "layer:best", "ideal"])
ANY = st.sampled_from(["none", "layer:4", "ideal", "stream", "stream:4"])
HMD = load_profile("splitnets-hmd").hardware()
PI4, PI5 = (load_profile(f"rpi{i}-gigabit").hardware() for i in (4, 5))


def _given(
    table: LayerTable, nodes: int, s_comm: float, convention: str, strategy: str = "disco"
) -> Configuration:
    at = "head" if STRATEGIES[strategy].has_cut else ""
    return on(
        table, nodes=nodes, s_comm=s_comm, conventions=convention, strategy=strategy, at=at
    ).resolved()


def _work(given: Configuration, node: Hardware) -> Work:
    return work_of(given, Cluster((node,) * given.nodes))


def _schedule(work: Work, overlap: str) -> Timeline:
    return schedule(work, parse_overlap(overlap))


def _cost(given: Configuration, node: Hardware, overlap: str) -> Cost:
    return replace(given, hardware=node, overlap=Overlap.parse(overlap)).cost()


# Against the closed forms


@given(tables(), hardware(), NODES, S_COMM, CONVENTION, BARRED, st.sampled_from(sorted(STRATEGIES)))
def test_the_schedule_equals_the_closed_form(
    table: LayerTable,
    node: Hardware,
    nodes: int,
    s_comm: float,
    convention: str,
    overlap: str,
    strategy: str,
) -> None:
    if strategy == "pipeline":
        nodes = min(nodes, int(table.mixes.sum()))
    split = _given(table, nodes, s_comm, convention, strategy)
    split = replace(split, overlap=Overlap.parse(overlap), hardware=node)  # both decide on plans
    cost = _cost(split, node, overlap)
    timeline = _schedule(_work(split, node), overlap)
    closed = cost.latency_s.item()
    if node.topology == "switch":  # its closed form divides what whole messages cannot
        assert timeline.latency_s >= closed * (1 - 1e-9)
    else:
        assert timeline.latency_s == pytest.approx(closed, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("topology", ["full-mesh", "switch", "shared", "broadcast", "ring"])
@pytest.mark.parametrize("overlap", ["none", "layer:3", "layer:best", "ideal"])
@pytest.mark.parametrize("nodes", [2, 3, 4, 6])
def test_a_switch_is_exact_where_all_send_equally_much(
    topology: str, overlap: str, nodes: int
) -> None:
    node = replace(HMD, topology=topology, link_latency_s=1e-4, memory_Bps=5e9)
    split = _given(tabulate(build("resnet18")), nodes, 0.8, "paper")
    timeline = _schedule(_work(split, node), overlap)
    assert timeline.latency_s == pytest.approx(_cost(split, node, overlap).latency_s, rel=1e-9)


@given(tables(), st.integers(2, 5), S_COMM, CONVENTION, st.booleans(), st.booleans())
def test_messages_add_up_to_the_exchange(
    table: LayerTable, nodes: int, s_comm: float, convention: str, whole: bool, resend: bool
) -> None:
    service = CONVENTIONS[convention].service
    layout = lay_out(table, nodes, Conventions(resend=resend, whole=whole, service=service))
    exchange = within_layer(layout, np.full((1, 1), 1 - s_comm)).exchange
    elems = exchange.between.reshape(nodes, nodes, len(table))
    zeros = np.zeros((nodes, len(table)))
    assert elems.sum(1) == pytest.approx(exchange.sent + zeros)
    assert elems.sum(0) == pytest.approx(exchange.received + zeros)
    assert elems.sum((0, 1)) == pytest.approx((exchange.total + zeros)[0])
    assert elems.max((0, 1)) == pytest.approx((exchange.pair + zeros)[0])
    assert (elems + elems.swapaxes(0, 1)).max((0, 1)) == pytest.approx((exchange.link + zeros)[0])
    assert (elems > 0).sum((0, 1)) == pytest.approx((exchange.total_messages + zeros)[0])
    for name in ("ring", "ring_both", "ring_steps"):
        routed = getattr(PairExchange(elems, np.inf), name)
        if exchange.sent.shape[0] > 1 or table.groups.max() < 2:  # groups of neighbours: elsewhere
            assert routed[0] == pytest.approx((getattr(exchange, name) + zeros)[0]), name


@given(tables(), st.integers(2, 5), S_COMM, CONVENTION, st.sampled_from(sorted(STRATEGIES)))
def test_the_density_that_a_plan_carries_is_the_strategys(
    table: LayerTable, nodes: int, s_comm: float, convention: str, strategy: str
) -> None:
    assume(strategy not in ("pipeline", "single"))
    split = _given(table, nodes, s_comm, convention, strategy)
    theirs = split.plan()
    assume(theirs.density is not None)
    ours = within_layer(lay_out(table, nodes, split.conventions), theirs.density)
    for name in ("local", "remote", "in_share", "out_share", "live_elems", "stored_elems"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name)), name
    assert ours.exchange.sent == pytest.approx(theirs.exchange.sent)


@given(tables(), st.integers(2, 4), S_COMM, hardware(), st.sampled_from(["none", "layer:4"]))
def test_a_masks_messages_are_those_of_its_plan(
    table: LayerTable, nodes: int, s_comm: float, node: Hardware, overlap: str
) -> None:
    mask = select(table.network, nodes, s_comm, None, "random")
    split = replace(_given(table, nodes, 0.0, "runtime"), mask=mask)
    work = _work(split, node)
    zeros = np.zeros((nodes, len(table)))
    sent, received = work.message_bytes.sum(1), work.message_bytes.sum(0)
    assert sent == pytest.approx(4 * work.plan.exchange.sent + zeros)
    assert received == pytest.approx(4 * work.plan.exchange.received + zeros)
    closed = _cost(split, node, overlap).latency_s.item()
    latency_s = _schedule(work, overlap).latency_s
    if node.topology != "switch":
        assert latency_s == pytest.approx(closed, rel=1e-9, abs=1e-15)
    with pytest.raises(DiscosimError, match="no --shares"):
        work_of(split, work.cluster, (1 / nodes,) * nodes)


# Stream


def _chain(widths: list[int]) -> LayerTable:
    net = Builder("chain", (3, 6, 6))
    x = INPUT
    for index, width in enumerate(widths):
        x = net.conv(x, width, 3, f"conv{index}")
    return tabulate(net.build())


def _recurrence(
    comm: np.ndarray, local: np.ndarray, remote: np.ndarray, chunks: list[int]
) -> float:
    """model.md §3: start = max(previous end + local, comm end); end = start + remote; ..."""
    end = comm_end = 0.0
    for row in range(len(comm)):
        start = max(end + local[row], comm_end)
        end = start + remote[row]
        if row + 1 < len(comm):
            k, next_s = chunks[row + 1], comm[row + 1]
            comm_end = max(start + remote[row] / k + next_s, start + remote[row] + next_s / k)
    return end


@given(
    st.lists(st.sampled_from([4, 8, 12, 16, 24]), min_size=1, max_size=6), hardware(),
    st.integers(1, 4), st.floats(0, 0.9), st.integers(1, 6),
)  # fmt: skip
def test_stream_on_a_chain_is_the_recurrence(
    widths: list[int], node: Hardware, nodes: int, s_comm: float, k: int
) -> None:
    assume(not (node.topology == "switch" and node.duplex == "half" and nodes % 2))
    # whole messages on a medium arrive one by one, the recurrence's at once
    assume(nodes <= 2 or node.topology in ("full-mesh", "ring"))
    assume(nodes == 1 or node.topology not in ("shared", "broadcast"))
    table = _chain(widths)
    split = _given(table, nodes, s_comm, "paper")
    cost = _cost(split, node, "none")
    plan = split.plan()
    one = replace(node, link_latency_s=0.0)
    volume = _cost(split, one, "none").comm_s[0, :-1]
    most = np.floor(np.broadcast_to(plan.most_chunks, (1, len(table)))[0])
    chunks = [int(min(k, m)) for m in most[:-1]]
    comm = volume + np.array(chunks) * (cost.comm_s[0, :-1] - volume)
    local, remote = cost.local_s[0, :-1].copy(), cost.remote_s[0, :-1].copy()
    if nodes == 1:  # without an exchange outputs are finished all along
        local, remote = np.zeros_like(local), local + remote
    else:
        local[0], remote[0] = 0.0, local[0] + remote[0]
    timeline = _schedule(_work(split, node), f"stream:{k}")
    expected = _recurrence(comm, local, remote, chunks)
    assert timeline.latency_s == pytest.approx(expected, rel=1e-9, abs=1e-15)


@given(tables(), hardware(alpha=False), NODES, S_COMM, CONVENTION, st.integers(1, 8))
def test_stream_is_between_its_limits(
    table: LayerTable, node: Hardware, nodes: int, s_comm: float, convention: str, k: int
) -> None:
    work = _work(_given(table, nodes, s_comm, convention), node)
    streamed, barred = (_schedule(work, overlap) for overlap in (f"stream:{k}", "layer"))
    assert streamed.latency_s <= barred.latency_s * (1 + 1e-9)
    assert streamed.latency_s >= (work.local_s + work.remote_s).sum(-1).max() * (1 - 1e-9)
    busy = _busy(streamed)
    assert streamed.latency_s >= max(busy.values(), default=0.0) * (1 - 1e-9)


# Every schedule


def _busy(timeline: Timeline) -> dict[str, float]:
    busy: dict[str, float] = {}
    for event in timeline.events:
        busy[event.track] = busy.get(event.track, 0.0) + event.end_s - event.begin_s
    return busy


@given(tables(), hardware(), hardware(), NODES, S_COMM, CONVENTION, ANY)
def test_no_track_does_two_things_at_once_and_nothing_is_lost(
    table: LayerTable,
    node: Hardware,
    other: Hardware,
    nodes: int,
    s_comm: float,
    convention: str,
    overlap: str,
) -> None:
    wiring = ("topology", "duplex", "latency_per", "senders", "congestion")
    other = replace(other, **{each: getattr(node, each) for each in wiring})
    cluster = Cluster(tuple((node, other)[i % 2] for i in range(nodes)))
    split = _given(table, nodes, s_comm, convention)
    work = work_of(split, cluster)
    timeline = _schedule(work, overlap)
    tracks: dict[str, list[Event]] = {}
    for event in timeline.events:
        assert -1e-15 <= event.begin_s <= event.end_s <= timeline.latency_s * (1 + 1e-9)
        tracks.setdefault(event.track, []).append(event)
    for events in tracks.values():
        ordered = sorted(events, key=lambda e: (e.begin_s, e.end_s))
        assert all(b.begin_s >= a.end_s * (1 - 1e-9) for a, b in pairwise(ordered))
    busy = _busy(timeline)
    for index in range(nodes):
        done = (work.local_s + work.remote_s)[index].sum()
        assert busy.get(f"node {index}", 0.0) == pytest.approx(done, rel=1e-9, abs=1e-12)
    if node.topology not in ("broadcast", "ring"):
        carried = sum(e.nbytes for e in timeline.events)
        assert carried == pytest.approx(work.message_bytes.sum())


@given(tables(), hardware(), NODES, S_COMM, ANY, st.floats(0.1, 10))
def test_faster_by_x_takes_one_xth(
    table: LayerTable, node: Hardware, nodes: int, s_comm: float, overlap: str, x: float
) -> None:
    faster = sped_up(node, x)
    split = _given(table, nodes, s_comm, "runtime")
    slow, fast = (_schedule(_work(split, each), overlap).latency_s for each in (node, faster))
    assert fast * x == pytest.approx(slow)


# Unlike nodes


@given(tables(), st.integers(1, 5), S_COMM, st.booleans(), st.booleans())
def test_equal_shares_are_the_ordinary_plan(
    table: LayerTable, nodes: int, s_comm: float, resend: bool, service: bool
) -> None:
    chosen = Conventions(resend=resend, whole=True, service=service)
    usual = lay_out(table, nodes, chosen)
    shared = replace(usual, split=split_by_share(table, (1 / nodes,) * nodes))
    density = np.full((1, len(table)), 1 - s_comm)
    plans: list[Plan] = [within_layer(layout, density) for layout in (usual, shared)]
    for name in ("local", "remote", "in_share", "out_share", "live_elems", "stored_elems"):
        one, other = (getattr(plan, name) for plan in plans)
        assert one == pytest.approx(other), name
    for name in ("between", "union"):
        one, other = (getattr(plan.exchange, name) for plan in plans)
        assert one == pytest.approx(other), name


@pytest.mark.parametrize("model", ["resnet18", "mobilenetv2", "deit-ti"])
@pytest.mark.parametrize("overlap", ["none", "layer:4", "stream:4"])
@pytest.mark.parametrize("nodes", [2, 3])
def test_equal_nodes_given_as_unlike_ones_take_as_long(
    model: str, overlap: str, nodes: int
) -> None:
    split = _given(tabulate(build(model)), nodes, 0.8, "runtime")
    unlike = Cluster(tuple(replace(PI4, name=f"board {i}") for i in range(nodes)))
    assert not unlike.alike
    shared = work_of(split, unlike, (1 / nodes,) * nodes)
    alike = _work(split, PI4)
    one, other = (_schedule(each, overlap).latency_s for each in (shared, alike))
    assert one == pytest.approx(other, rel=1e-9)


@given(tables(), hardware(), st.floats(1, 10), S_COMM, ANY)
def test_a_slower_node_never_makes_faster(
    table: LayerTable, node: Hardware, x: float, s_comm: float, overlap: str
) -> None:
    slower = replace(
        node,
        compute_macps=node.compute_macps / x,
        bandwidth_Bps=node.bandwidth_Bps / x,
        link_latency_s=node.link_latency_s * x,
    )
    split = _given(table, 2, s_comm, "runtime")
    fast, mixed = (
        _schedule(work_of(split, Cluster(nodes)), overlap).latency_s
        for nodes in ((node, node), (node, slower))
    )
    assert mixed >= fast * (1 - 1e-9)


@given(st.integers(1, 300), st.lists(st.floats(0.01, 1), min_size=1, max_size=6))
def test_blocks_are_whole_and_nearest_to_the_shares(units: int, amounts: list[float]) -> None:
    shares = tuple(a / sum(amounts) for a in amounts)
    owners = blocks_of(units, shares)
    assert len(owners) == units
    assert (np.diff(owners) >= 0).all()
    sizes = np.bincount(owners, minlength=len(shares))
    assert (np.abs(sizes - units * np.array(shares)) < 1 + 1e-6).all()


@given(tables(), st.integers(2, 4), st.floats(0.5, 1), S_COMM)
def test_uneven_shares_do_all_the_work(
    table: LayerTable, nodes: int, first: float, s_comm: float
) -> None:
    rest = (1 - first * 0.9) / (nodes - 1)
    shares = (first * 0.9, *(rest,) * (nodes - 1))
    work = work_of(
        _given(table, nodes, s_comm, "paper", "dense"),
        Cluster((HMD,) * nodes),
        tuple(s / sum(shares) for s in shares),
    )
    done = (work.plan.local + work.plan.remote) @ table.macs
    assert done.sum() == pytest.approx(table.macs.sum())
    assert place_by_share(table.network, shares).keys() == {INPUT, *table.name[:-1]}


@pytest.mark.parametrize("overlap", ["none", "stream:4"])
@pytest.mark.parametrize("nodes", [(PI4, PI5), (PI4, PI5, PI5)])
def test_balanced_shares_are_better_than_equal_ones(
    overlap: str, nodes: tuple[Hardware, ...]
) -> None:
    cluster = Cluster(nodes)
    split = _given(tabulate(build("resnet18")), len(nodes), 0.9, "paper")
    shares = balanced_shares(replace(split, overlap=parse_overlap(overlap)), cluster)
    equal = (1 / len(nodes),) * len(nodes)
    balanced_s, equal_s, by_speed_s = (
        _schedule(work_of(split, cluster, each), overlap).latency_s
        for each in (shares, equal, shares_by_speed(split, cluster))
    )
    assert balanced_s <= by_speed_s
    assert balanced_s < 0.9 * equal_s
    assert shares[1] > shares[0]
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("nodes", range(1, 10))
def test_a_tournament_is_all_pairs_disjoint_as_long_as_can_be(nodes: int) -> None:
    pairs = tournament(nodes)
    assert len(set(pairs)) == len(pairs) == nodes * (nodes - 1) // 2
    for start in range(0, len(pairs), max(1, nodes // 2)):
        seats = [seat for pair in pairs[start : start + nodes // 2] for seat in pair]
        assert len(set(seats)) == len(seats)


# What is refused


@given(tables(), hardware(), NODES, S_COMM, CONVENTION, st.sampled_from(sorted(STRATEGIES)))
def test_messages_are_counted_as_they_are_made(
    table: LayerTable, node: Hardware, nodes: int, s_comm: float, convention: str, strategy: str
) -> None:
    if strategy == "pipeline":
        nodes = min(nodes, int(table.mixes.sum()))
    work = _work(_given(table, nodes, s_comm, convention, strategy), node)
    made = [sum(map(len, messages_before(work, row))) for row in range(len(table))]
    assert counted_before(work).tolist() == made


def test_too_many_events_are_refused_before_they_are_made() -> None:
    """A thousand nodes are a million pairs, before each layer."""
    split = _given(_chain([1000, 1000, 1000, 1000]), 1000, 0.0, "paper")
    with pytest.raises(DiscosimError, match=r"^\d,\d+,\d+ events .* 2,000,000 at most"):
        _schedule(_work(split, HMD), "none")


@pytest.mark.parametrize("text", ["stream:0", "streams", "stream:x", "", "layer:0"])
def test_unknown_overlaps_name_the_known_ones(text: str) -> None:
    with pytest.raises(DiscosimError, match=r"wanted none, layer.*stream:K"):
        parse_overlap(text)


def test_nodes_that_cannot_be_joined_are_refused() -> None:
    for changes in ({"topology": "ring"}, {"duplex": "half"}, {"dtype": "fp16"}):
        with pytest.raises(DiscosimError, match="nodes of different"):
            Cluster((HMD, replace(HMD, **changes)))


@pytest.mark.parametrize("shares", [(0.5, 0.5, 0.0), (1.0,), (0.5, 0.6), (0.9999, 0.0001)])
def test_shares_that_cannot_be_are_refused(shares: tuple[float, ...]) -> None:
    split = _given(_chain([4, 4]), 2, 0.5, "paper")
    with pytest.raises(DiscosimError, match="shares"):
        work_of(split, Cluster((PI4, PI5)), shares)


def test_a_pipeline_has_no_shares_and_too_many_events_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    split = _given(_chain([4, 4]), 2, 0.5, "paper", "pipeline")
    with pytest.raises(DiscosimError, match="no --shares"):
        work_of(split, Cluster((PI4, PI5)), (0.5, 0.5))
    monkeypatch.setattr(schedule_module, "MOST_EVENTS", 3)
    with pytest.raises(DiscosimError, match="too many for a timeline"):
        _schedule(_work(split, HMD), "none")


@pytest.mark.parametrize(
    ("unlike", "seconds"),
    [  # 1,024 B each way: four features of 8x8; 3,072 MACs a node
        ({"bandwidth_Bps": 1e5}, 1024 / 1e5 + 3072 / 1e9),
        ({"link_latency_s": 0.5}, 1024 / 1e6 + 0.5 + 3072 / 1e9),
        ({"efficiency": {"conv": 0.5}}, 1024 / 1e6 + 2 * 3072 / 1e9),
        ({"compute_macps": 5e8}, 1024 / 1e6 + 2 * 3072 / 1e9),
    ],
)
def test_each_node_has_its_own_end_of_a_link_and_its_own_rate(
    unlike: dict[str, object], seconds: float
) -> None:
    """By hand: the slower end of a link and the slower node decide."""
    net = Builder("pair", (4, 8, 8))
    net.conv(net.conv(INPUT, 8, 1, "one"), 8, 1, "two")
    one = replace(HMD, bandwidth_Bps=1e6, compute_macps=1e9)
    other = replace(one, name="other", **unlike)
    given = on(net.build(), strategy="dense", nodes=2)
    line = _schedule(work_of(given, Cluster((one, other)), (0.5, 0.5)), "none")
    assert line.latency_s == pytest.approx(seconds)
