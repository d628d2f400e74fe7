"""Where closed forms end: every feature, group and head followed one by one, in exact fractions."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from math import floor, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discosim.configuration import Configuration
from discosim.graph.builder import Builder
from discosim.graph.layer import Layer
from discosim.graph.network import INPUT, Network
from discosim.graph.table import tabulate
from discosim.hardware import Hardware, load_profile
from discosim.masks.select import pruned_count, select
from discosim.model.rounding import kept_features
from discosim.networks import build
from discosim.partition.layout import lay_out
from discosim.partition.placement import place
from discosim.partition.plan import CONVENTIONS, Conventions, Selection
from discosim.partition.within_layer import within_layer
from discosim.simulate import Overlap
from discosim.strategies.strategy import STRATEGIES
from discosim.timeline.cluster import Cluster
from discosim.timeline.schedule import schedule
from discosim.timeline.work import work_of
from tests.configurations import on

HMD = load_profile("splitnets-hmd").hardware()
HUNDREDTHS = st.integers(0, 100).map(lambda i: Decimal(i) / 100)
HALF = Fraction(1, 2)


def _split(model: str, nodes: int, s_comm: float, kind: str = "paper", **more: object):
    return Configuration(
        build(model), HMD, nodes=nodes, s_comm=s_comm, conventions=CONVENTIONS[kind], **more
    )


# S_comm is a decimal


def test_counts_of_features_are_those_of_the_decimals() -> None:
    """All 101 hundredths and every number of features up to 600, ties upwards."""
    for hundredth in range(101):
        s_comm = hundredth / 100  # the float that is next to what a person writes
        features = np.arange(600.0)
        exact = [((100 - hundredth) * n + 50) // 100 for n in range(600)]
        assert kept_features(1.0 - s_comm, features).tolist() == exact, s_comm
        assert [n - pruned_count(n, s_comm) for n in range(600)] == exact, s_comm


def test_a_number_next_to_a_tie_is_no_tie() -> None:
    assert kept_features(1.0 - 0.5000000001, 1.0) == 0
    assert kept_features(1.0 - 0.4999999999, 1.0) == 1
    assert kept_features(1.0 - 0.90000001, 5.0) == 0


@pytest.mark.parametrize(
    ("model", "nodes", "milliseconds"),
    [("resnet18", 13, 2.527), ("mobilenetv2", 7, 4.752), ("vgg16", 13, 12.666)],
)
def test_half_features_are_kept_at_nine_tenths(model: str, nodes: int, milliseconds: float) -> None:
    """By an independent simulator in decimals; readers of a tensor select the same features."""
    runtime = replace(CONVENTIONS["runtime"], selection=Selection.COMMON)
    cost = Configuration(build(model), HMD, nodes=nodes, s_comm=0.9, conventions=runtime).cost()
    assert cost.latency_s.item() == pytest.approx(milliseconds / 1e3, abs=5e-7)


# Each feature on its own


def _reads(layer: Layer, feature: int, output: int) -> bool:
    """Whether an output depends on an input feature."""
    group = feature * layer.groups // layer.in_features
    return group == output * layer.groups // layer.out_features


class Played:
    """A split by features, played with sets of features and exact fractions."""

    def __init__(self, network: Network, nodes: int, s_comm: Decimal, kind: Conventions) -> None:
        self.network, self.nodes, self.kind = network, nodes, kind
        self.density = 1 - Fraction(s_comm)
        self.owners = place(network, nodes)
        self.mixing = [layer for layer in network.layers if layer.operator.placing == "mixes"]

    def needs(self, layer: Layer, node: int) -> set[int]:
        """Features of the input that a node's outputs depend on."""
        out = self.owners[layer.name]
        mine = [o for o in range(layer.out_features) if out[o] == node]
        return {f for f in range(layer.in_features) if any(_reads(layer, f, o) for o in mine)}

    def share(self, layer: Layer, sender: int, node: int) -> tuple[set[int], Fraction]:
        """What a node needs of another one, and which part of it is selected."""
        owner = self.owners[self.network.operands(layer.name)[0]]
        if owner is None or sender == node:
            return set(), Fraction(0)
        wanted = {f for f in self.needs(layer, node) if owner[f] == sender}
        if not wanted:
            return set(), Fraction(0)
        return wanted, Fraction(floor(self.density * len(wanted) + HALF), len(wanted))

    def sent(self, layer: Layer, sender: int, node: int) -> int:
        """Features that go from one node to another before a layer."""
        if self.kind.resend:
            wanted, share = self.share(layer, sender, node)
            return round(len(wanted) * share)
        source = self.network.operands(layer.name)[0]
        readers = [x for x in self.mixing if self.network.operands(x.name)[0] == source]
        away = [
            x for x in readers if any(
                self.share(x, i, j)[0] for i in range(self.nodes) for j in range(self.nodes)
            )
        ]  # fmt: skip
        if not away or away[0] is not layer:
            return 0
        missing: dict[int, Fraction] = {}
        for reader in away:
            wanted, share = self.share(reader, sender, node)
            for feature in wanted:
                before = missing.get(feature, Fraction(1))
                common = self.kind.selection is Selection.COMMON
                missing[feature] = min(before, 1 - share) if common else before * (1 - share)
        return floor(sum((1 - m for m in missing.values()), Fraction(0)) + HALF)

    def macs(self, layer: Layer, node: int) -> Fraction:
        """The part of a layer's products that a node computes."""
        owner, out = self.owners[self.network.operands(layer.name)[0]], self.owners[layer.name]
        mine = [o for o in range(layer.out_features) if out[o] == node]
        done = Fraction(0)
        for feature in range(layer.in_features):
            outputs = sum(_reads(layer, feature, o) for o in mine)
            sender = node if owner is None else int(owner[feature])
            done += outputs * (1 if sender == node else self.share(layer, sender, node)[1])
        return done / (layer.in_features // layer.groups * layer.out_features)


@st.composite
def grouped(draw: st.DrawFn) -> Network:
    """Few features, groups that divide by nothing, and tensors that several layers read."""
    net = Builder("grouped", (2, 4, 4))
    x = net.conv(INPUT, draw(st.sampled_from([6, 12])), 1, "first")
    for at in range(draw(st.integers(1, 3))):
        features = net.shape(x)[0]
        groups = draw(st.sampled_from([g for g in (1, 2, 3, 6) if features % g == 0]))
        others = draw(st.sampled_from([g for g in (1, 2, 3) if features % g == 0]))
        y = net.conv(x, draw(st.sampled_from([6, 12])), 1, f"left{at}", groups=groups)
        if draw(st.booleans()):
            z = net.conv(x, draw(st.sampled_from([2, 3, 6])), 1, f"right{at}", groups=1)
            w = net.conv(x, net.shape(y)[0], 1, f"third{at}", groups=others)
            x = net.concat([net.add(y, w, f"add{at}"), z], f"concat{at}")
            continue
        x = net.shuffle(y, groups, f"shuffle{at}") if groups > 1 else y
    net.conv(x, 5, 1, "last")
    return net.build()


@given(
    grouped(), st.integers(2, 5), HUNDREDTHS, st.booleans(),
    st.sampled_from([Selection.INDEPENDENT, Selection.COMMON]),
)  # fmt: skip
def test_every_message_and_every_product_followed_feature_by_feature(
    network: Network, nodes: int, s_comm: Decimal, resend: bool, selection: Selection
) -> None:
    kind = Conventions(resend=resend, whole=True, service=False, selection=selection)
    table = tabulate(network)
    plan = within_layer(lay_out(table, nodes, kind), np.array([[1.0 - float(s_comm)]]))
    played = Played(network, nodes, s_comm, kind)
    between = plan.exchange.between.reshape(nodes, nodes, len(table))
    work = (plan.local + plan.remote).reshape(nodes, len(table))
    for row, layer in enumerate(network.layers):
        if layer.operator.placing != "mixes" or layer.kind == "depthwise":
            continue
        for node in range(nodes):
            assert work[node, row] == pytest.approx(float(played.macs(layer, node)), abs=1e-12)
            for sender in range(nodes):
                elems = played.sent(layer, sender, node) * prod(layer.in_shape[1:])
                assert between[sender, node, row] == elems, (layer.name, sender, node)


# Groups and heads


def _one_grouped(features: int, groups: int) -> Network:
    net = Builder("one-grouped", (3, 8, 8))
    x = net.conv(INPUT, features, 1, "first")
    net.conv(x, features, 3, "grouped", groups=groups)
    return net.build()


@pytest.mark.parametrize("kind", ["paper", "runtime"])
@pytest.mark.parametrize(
    ("features", "groups", "nodes", "moved"),
    [(12, 3, 2, 2), (12, 4, 3, 3), (24, 4, 3, 6), (12, 6, 4, 4), (12, 12, 5, 0), (12, 6, 3, 0)],
)
def test_groups_that_do_not_divide_are_placed_whole(
    features: int, groups: int, nodes: int, moved: int, kind: str
) -> None:
    """12 channels of 8x8 in 3 groups on 2 nodes: the middle group's other half, 512 bytes.

    The features that lie on another node than their group, counted by hand from the two blocks.
    """
    conventions = replace(CONVENTIONS[kind], service=False)
    network = _one_grouped(features, groups)
    cost = Configuration(network, HMD, nodes=nodes, conventions=conventions).cost()
    row = tabulate(network).name.index("grouped")
    assert cost.sent_bytes[..., row].sum() == 4 * 64 * moved


@pytest.mark.parametrize(
    ("name", "nodes"),
    [("resnext", 3), ("resnext", 5), ("resnext", 6), ("shufflenet", 2), ("shufflenet", 5)],
)
def test_published_grouped_networks_exchange_alike_under_both_conventions(
    name: str, nodes: int
) -> None:
    """Dense, and counting alike, the two conventions are one plan where groups do not divide."""
    network = _resnext() if name == "resnext" else _shufflenet()
    paper, runtime = (
        Configuration(
            network, HMD, nodes=nodes, conventions=replace(CONVENTIONS[kind], resend=True,
            service=False),
        ).cost()
        for kind in ("paper", "runtime")
    )  # fmt: skip
    assert paper.sent_bytes.sum() == runtime.sent_bytes.sum() > 0
    assert paper.latency_s.item() == runtime.latency_s.item()


def _resnext() -> Network:
    """One block of ResNeXt-50 32x4d (Xie et al., Figure 1)."""
    net = Builder("resnext-block", (3, 8, 8))
    x = net.conv(INPUT, 256, 1, "stem")
    y = net.conv(net.conv(x, 128, 1, "reduce"), 128, 3, "grouped", groups=32)
    net.add(net.conv(y, 256, 1, "expand"), x, "add")
    return net.build()


def _shufflenet() -> Network:
    """One unit of ShuffleNet with three groups (Zhang et al., Figure 2b)."""
    net = Builder("shufflenet-unit", (3, 8, 8))
    x = net.conv(INPUT, 240, 1, "stem")
    y = net.shuffle(net.conv(x, 60, 1, "reduce", groups=3), 3, "shuffle")
    y = net.conv(y, 60, 3, "depthwise", groups=60)
    net.add(net.conv(y, 240, 1, "expand", groups=3), x, "add")
    return net.build()


def test_fewer_groups_than_nodes_are_shared_by_fractions() -> None:
    """Three groups on six nodes: each is shared by two, before and after a shuffle."""
    split = Configuration(_shufflenet(), HMD, nodes=6)
    table, plan = split.table, split.plan()
    work = (plan.local + plan.remote) * np.ones((6, 1))
    assert work[:, table.mixes] == pytest.approx(1 / 6)
    between = plan.exchange.between * np.ones((6, 6, 1))
    reduce, expand = (table.name.index(name) for name in ("reduce", "expand"))
    pairs = np.kron(np.eye(3), 1 - np.eye(2)) * 240 / 6 * 64
    assert between[..., reduce] == pytest.approx(pairs)
    owner = [((f % 3) * 20 + f // 3) // 10 for f in range(60)]  # read across the grid of groups
    away = sum(owner[f] != node for node in range(6) for f in range(60) if f // 20 == node // 2)
    assert between[..., expand].sum() == pytest.approx(64 * away)


def test_heads_are_whole_by_default() -> None:
    """DeiT-Ti's 3 heads on 8 nodes: three nodes with one each, and one node alone is faster."""
    split, alone = _split("deit-ti", 8, 0.8), _split("deit-ti", 1, 0.0)
    latency_s = split.cost().latency_s.item()
    assert latency_s == pytest.approx(11.563e-3, abs=5e-7)
    assert alone.cost().latency_s.item() / latency_s == pytest.approx(0.867, abs=5e-4)
    exact = replace(split, conventions=replace(split.conventions, whole=True))
    assert exact.cost().latency_s.item() == latency_s
    attention = split.table.op.index("attention")
    shares = (split.plan().local + split.plan().remote)[:, attention]
    assert shares.tolist() == pytest.approx([1 / 3] * 3 + [0] * 5)


@pytest.mark.parametrize(("model", "nodes"), [("deit-s", 4), ("deit-s", 5), ("deit-ti", 2)])
def test_the_busiest_node_has_the_whole_heads_that_division_leaves(model: str, nodes: int) -> None:
    split = _split(model, nodes, 0.8)
    row = split.table.op.index("attention")
    heads = split.table.rows[row].heads
    busiest = (split.plan().local + split.plan().remote)[:, row].max()
    assert busiest == pytest.approx(-(-heads // nodes) / heads)


@pytest.mark.parametrize("kind", ["paper", "runtime"])
def test_one_head_is_on_one_node(kind: str) -> None:
    """Attention with one head of 8 on two nodes: node 0 has it, and gets half of q, k and v."""
    net = Builder("one-head", (8, 5))
    x = net.linear(net.linear(INPUT, 8, "embed"), 24, "qkv", heads=1)
    net.linear(net.attention(x, 1, "attention"), 8, "project")
    conventions = replace(CONVENTIONS[kind], service=False)
    split = Configuration(net.build(), HMD, nodes=2, conventions=conventions)
    row = split.table.op.index("attention")
    work = (split.plan().local + split.plan().remote)[:, row]
    assert work.tolist() == [1.0, 0.0]
    assert split.cost().sent_bytes[:, row].tolist() == [0.0, 4 * 5 * 12]


def test_heads_that_divide_stay_fractions() -> None:
    """Two nodes have three heads of DeiT-S each: Table II does not depend on whole heads."""
    plan = _split("deit-s", 2, 0.8).plan()
    assert plan.local.shape[-2] == 1


# Readers of one tensor


def test_two_independent_selections_are_sent_as_their_union() -> None:
    """ResNet-50 on two nodes: a drawn mask takes as long, common selections do not."""
    network = build("resnet50/4")
    runtime = CONVENTIONS["runtime"]
    split = Configuration(network, HMD, nodes=2, s_comm=0.8, conventions=runtime)
    drawn = [
        replace(split, mask=select(network, 2, 0.8, None, "random", "pair", seed)).cost()
        for seed in range(3)
    ]
    masked = np.mean([cost.sent_bytes.sum() for cost in drawn])
    assert split.cost().sent_bytes.sum() == pytest.approx(masked, rel=0.01)
    totals = [
        replace(split, conventions=replace(runtime, selection=s)).cost().sent_bytes.sum()
        for s in (Selection.COMMON, Selection.INDEPENDENT, Selection.APART)
    ]
    assert totals == sorted(totals)
    assert totals[0] < 0.95 * masked < masked < totals[2]


def test_nodes_without_outputs_in_the_first_reader_get_what_the_second_reads() -> None:
    """resnet50/32: layers of 2 channels read tensors of 8 on 8 nodes; all of it is needed."""
    cost = _split("resnet50/32", 8, 0.0, "runtime").cost()
    assert cost.bytes_per_node.item() == 1_017_180


@pytest.mark.parametrize("nodes", [3, 5, 8])
def test_idle_readers_get_nothing_over_half_duplex_links(nodes: int) -> None:
    """Four features to a layer of two: nodes 0 and 1 read, and swap; nobody answers the others."""
    net = Builder("narrow", (3, 4, 4))
    net.conv(net.conv(INPUT, 8, 1, "first"), 2, 1, "second")
    half = replace(HMD, duplex="half")
    kind = replace(CONVENTIONS["runtime"], service=False)
    cost = Configuration(net.build(), half, nodes=nodes, conventions=kind).cost()
    blocks = [8 // nodes + (i < 8 % nodes) for i in range(nodes)]
    swapped = max([blocks[0] + blocks[1], *blocks[2:]])
    assert cost.comm_s[0, 1] == 4 * 16 * swapped / 37.5e6


# A density is carried


def _unlike(*rates: float) -> Cluster:
    return Cluster(tuple(replace(HMD, compute_macps=rate) for rate in rates))


@pytest.mark.parametrize("strategy", ["disco", "branches"])
def test_a_timeline_sends_what_the_sweep_says(strategy: str) -> None:
    network = _resnext()
    split = Configuration(
        network, HMD, strategy=STRATEGIES[strategy], nodes=5, s_comm=0.99,
        conventions=CONVENTIONS["runtime"],
    )  # fmt: skip
    played = schedule(work_of(split, _unlike(*[125e9] * 5)))
    assert played.latency_s == pytest.approx(split.cost().latency_s.item(), rel=1e-9)


def _resnext50() -> Network:
    """ResNeXt-50 32x4d (Xie et al., Table 1), as far as it costs something."""
    net = Builder("resnext50-32x4d", (3, 224, 224))
    x = net.pool(net.conv(INPUT, 64, 7, "conv1", stride=2), 3, "pool", stride=2, padding=1)
    for stage, (width, depth) in enumerate([(128, 3), (256, 4), (512, 6), (1024, 3)], start=1):
        for block in range(depth):
            at, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = net.conv(net.conv(x, width, 1, f"{at}.conv1"), width, 3, f"{at}.conv2",
                         stride=stride, groups=32)  # fmt: skip
            y = net.conv(y, 2 * width, 1, f"{at}.conv3")
            if block == 0:
                x = net.conv(x, 2 * width, 1, f"{at}.downsample", stride=stride)
            x = net.add(y, x, f"{at}.add")
    net.linear(net.flatten(net.global_pool(x, "mean"), "flatten"), 1000, "fc")
    return net.build()


def test_resnext_on_five_nodes_takes_what_an_independent_simulator_says() -> None:
    """4.06 ms at S_comm 0.99, readers of a tensor selecting alike; the norms take no time here."""
    runtime = replace(CONVENTIONS["runtime"], selection=Selection.COMMON)
    split = Configuration(_resnext50(), HMD, nodes=5, s_comm=0.99, conventions=runtime)
    assert split.table.macs.sum() == 4_230_479_872
    played = schedule(work_of(split, _unlike(*[125e9] * 5)))
    assert played.latency_s == pytest.approx(4.06e-3, abs=5e-6)
    shared = schedule(work_of(split, _unlike(*[125e9] * 5), (0.2,) * 5))
    assert shared.latency_s == pytest.approx(split.cost().latency_s.item(), rel=1e-9)


def test_unlike_nodes_send_no_grouped_features_at_s_comm_one() -> None:
    network = _resnext()
    kind = replace(CONVENTIONS["runtime"], service=False)
    split = Configuration(network, HMD, nodes=3, s_comm=1.0, conventions=kind)
    work = work_of(split, _unlike(125e9, 125e9, 60e9), (0.4, 0.4, 0.2))
    mixing = tabulate(network).mixes
    assert not work.message_bytes[..., mixing].any()


# A ring


def _gathered(nodes: int, hardware: Hardware) -> float:
    """Seconds in which one output's parts come to node 0."""
    net = Builder("gathered", (3, 8, 8))
    net.conv(INPUT, 8 * nodes, 1, "first")
    kind = CONVENTIONS["runtime"]
    cost = Configuration(net.build(), hardware, nodes=nodes, conventions=kind).cost()
    return float(cost.comm_s[0, -1])


@pytest.mark.parametrize(("nodes", "parts"), [(2, 1), (3, 1), (4, 1.5), (5, 2), (8, 3.5)])
@pytest.mark.parametrize("duplex", ["full", "half"])
def test_gathering_on_a_ring_comes_from_both_sides(nodes: int, parts: float, duplex: str) -> None:
    """(N - 1) / 2 parts pass the last link of each side, not a full exchange."""
    ring = replace(HMD, topology="ring", duplex=duplex)
    assert _gathered(nodes, ring) == pytest.approx(parts * 8 * 64 * 4 / 37.5e6)


def test_deeplab_gathers_its_map_on_a_ring() -> None:
    """21 classes of 513x513 from eight nodes: 0.295 s by routing each message."""
    split = _split("deeplabv3plus-resnet50", 8, 0.9, "runtime")
    cost = replace(split, hardware=replace(HMD, topology="ring")).cost()
    assert cost.comm_s[..., -1].item() == pytest.approx(0.295, abs=5e-4)


def test_replicated_outputs_are_gathered_already() -> None:
    """A mean over features is on every node: nothing is left to send, with fractions too."""
    net = Builder("mean", (3, 8, 8))
    net.append("reduce", "mean", [net.conv(INPUT, 8, 1, "first")], (1, 8, 8))
    for whole in (False, True):
        kind = replace(CONVENTIONS["runtime"], whole=whole)
        cost = Configuration(net.build(), HMD, nodes=2, conventions=kind).cost()
        assert not cost.sent_bytes[..., -1].any()


# Chunks, and what an addition moves


@given(st.integers(2, 8), st.integers(1, 6), HUNDREDTHS, HUNDREDTHS, st.booleans())
def test_a_sparser_plan_is_never_slower_in_chunks(
    nodes: int, chunks: int, one: Decimal, other: Decimal, whole: bool
) -> None:
    """With fractions of features too: 1.92 of them go in as many chunks as 2."""
    kind = Conventions(resend=True, whole=whole, service=False)
    split = Configuration(
        build("resnet18/8", (32,)), HMD, nodes=nodes, conventions=kind,
        overlap=Overlap("layer", chunks),
    )  # fmt: skip
    less, more = (
        replace(split, s_comm=float(s)).cost().latency_s.item() for s in sorted((one, other))
    )
    assert more <= less * (1 + 1e-12)


def test_an_operand_that_an_addition_moves_is_in_the_peak() -> None:
    """Shuffled features added to ordered ones: the other half of a tensor arrives, and is held."""
    net = Builder("moved", (4, 4, 4))
    x = net.conv(INPUT, 8, 1, "left")
    y = net.shuffle(net.conv(INPUT, 8, 1, "right"), 4, "shuffle")
    net.conv(net.add(x, y, "add"), 8, 1, "last")
    table = tabulate(net.build())
    row = table.name.index("add")
    for resend in (True, False):
        kind = Conventions(resend=resend, whole=True, service=False)
        plan = within_layer(lay_out(table, 2, kind), np.ones((1, 1)))
        arriving = plan.exchange.received[:, row]
        assert (arriving > 0).all()
        assert plan.buffer_elems[:, row].tolist() == arriving.tolist()


@pytest.mark.parametrize(
    ("selection", "features"),
    [("independent", 7), ("common", 4), ("apart", 8)],  # of eight: 8 (1 - 1/8), 4, min(8, 12)
)
def test_what_three_readers_of_a_tensor_select(selection: str, features: int) -> None:
    """Each selects half of the eight features of the other node, on 4x4 positions."""
    net = Builder("readers", (4, 4, 4))
    x = net.conv(INPUT, 16, 1, "first")
    one, two, three = (net.conv(x, 16, 1, f"reader{number}") for number in range(3))
    net.add(net.add(one, two, "sum"), three, "sums")
    chosen = Conventions(resend=False, whole=True, service=False, selection=Selection(selection))
    plan = on(net.build(), nodes=2, s_comm=0.5, conventions=chosen).plan()
    assert plan.exchange.sent.sum(-1).max() == features * 16


@pytest.mark.parametrize("nodes", [3, 4, 5, 6])
def test_gathering_on_a_ring_takes_half_of_all_parts(nodes: int) -> None:
    """(N - 1) / 2 of N parts pass the busiest link; opposite nodes send half either way."""
    net = Builder("gathered", (4, 4, 4))
    net.conv(INPUT, 60, 1, "only")
    ring = replace(
        load_profile("splitnets-hmd").hardware(), topology="ring", bandwidth_Bps=1.0,
        compute_macps=np.inf,
    )  # fmt: skip
    given = on(net.build(), hardware=ring, strategy="dense", nodes=nodes, conventions="runtime")
    wanted = (nodes - 1) / 2 * 60 / nodes * 16 * 4
    assert float(given.cost().latency_s.squeeze()) == pytest.approx(wanted)


def test_the_busiest_node_has_two_of_six_heads() -> None:
    """On four nodes, of the attention and of the matrix before it: ceil(6 / 4) of 6."""
    net = Builder("heads", (12, 5))
    net.linear(net.attention(net.linear(INPUT, 36, "qkv", heads=6), 6, "attention"), 12, "out")
    given = on(net.build(), strategy="dense", nodes=4)
    cost = given.cost()
    busiest = (cost.local_s + cost.remote_s).max(-2)[..., :2].ravel() * given.hardware.compute_macps
    assert busiest == pytest.approx(given.table.macs[:2] * 2 / 6)
