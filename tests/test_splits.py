"""Layers split by rows, inputs, outputs, whole or on one node: laws of what is sent and held."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from discosim.configuration import worth_of
from discosim.graph.builder import Builder
from discosim.graph.layer import Layer
from discosim.graph.network import INPUT, Network
from discosim.graph.table import LayerTable, tabulate
from discosim.hardware import load_profile
from discosim.networks import build
from discosim.partition.bounds import row_bounds
from discosim.partition.collectives import Collective
from discosim.partition.fused import fused, joined, shared_out
from discosim.partition.held import Held
from discosim.partition.kinds import Choice, Kind, Rule, follow
from discosim.partition.lay import Laid, Read, lay
from discosim.partition.layout import lay_out
from discosim.partition.messages import Round
from discosim.partition.mixed import mixed_plan
from discosim.partition.plan import CONVENTIONS, Conventions, Plan
from discosim.partition.repeated import NOTHING, repeated
from discosim.partition.split import divides
from discosim.partition.within_layer import within_layer
from discosim.partition.worth import Worth
from discosim.strategies.paired import paired_rule
from discosim.strategies.rows import rows_rule
from discosim.strategies.strategy import STRATEGIES
from tests.configurations import on
from tests.strategies import tables

PAPER, RUNTIME = CONVENTIONS["paper"], CONVENTIONS["runtime"]
DENSE = np.ones((1, 1))
MB = 1e6 / 4
"""Elements of 4 B in a megabyte."""


def by_rows(network: Network) -> Rule:
    return rows_rule(network, repeated(network, resend=True))


def by_pairs(network: Network) -> Rule:
    return paired_rule(network, sparse=False)


def by_outputs(_: Network) -> Rule:
    return lambda *_: Choice(Kind.OUTPUTS)


def at_random(seed: int) -> Callable[[Network], Rule]:
    """Any split of every layer that mixes; what follows follows."""

    def make(_: Network) -> Rule:
        draws = np.random.default_rng(seed)
        kinds = [Kind.OUTPUTS, Kind.ROWS, Kind.INPUTS, Kind.WHOLE, Kind.ONE]

        def rule(layer: Layer, operands: tuple[Held, ...]) -> Choice:
            if layer.operator.placing != "mixes":
                return follow(layer, operands)
            kind = kinds[draws.integers(len(kinds))]
            grouped = kind is Kind.INPUTS and layer.groups > 1
            return Choice(Kind.OUTPUTS if grouped else kind, node=0)

        return rule

    return make


RULES = st.sampled_from([by_rows, by_pairs, by_outputs]) | st.integers(0, 99).map(at_random)
NODES = st.integers(1, 5)
WORTHS = st.builds(
    Worth, st.sampled_from([1e-9, 1e-7, 1e-5]), st.sampled_from([0.0, 1e-4]),
    st.sampled_from([1e-12, 1e-9]), st.booleans(),
)  # fmt: skip
ALGORITHMS = st.sampled_from(["direct", "ring", "root"])


def planned(table: LayerTable, make: Callable[[Network], Rule], nodes: int, **rest: object) -> Plan:
    laid = lay(table, make(table.network), nodes, PAPER, **rest)
    return mixed_plan(laid, lay_out(table, nodes, PAPER), DENSE)


def sent_per_node(plan: Plan) -> float:
    sent, received = plan.exchange.sent.sum(-1), plan.exchange.received.sum(-1)
    return float(np.maximum(sent, received).max())


def reads_of(laid: Laid) -> list[Read]:
    return [read for part in laid.parts for read in part.reads] + list(laid.gathering)


def has(held: Held) -> np.ndarray:
    """Which elements each node has, (N, F, R)."""
    nodes, rows = held.nodes, np.arange(held.row_count)
    within = [(low <= rows) & (rows < high) for low, high in held.held]
    found = np.zeros((nodes, held.features, held.row_count), dtype=bool)
    for node in range(nodes):
        found[node, :, within[node]] = True
        found[node, slice(*held.everywhere)] = True
        if held.owners is not None:
            low, high = held.rows[node]
            found[node, held.owners == node, low:high] = True
    return found


def wanted(read: Read) -> np.ndarray:
    held = read.before
    found = np.zeros((held.nodes, held.features, held.row_count), dtype=bool)
    for need in read.needs:
        for node, (low, high) in enumerate(need.rows):
            members = slice(need.low, need.high)
            block = found[node, members, low:high]
            block |= True if need.members is None else need.members[node][:, None]
    return found


def carried(nodes: int, one: Round, held: Held) -> tuple[np.ndarray, np.ndarray]:
    """Elements from node to node, and which ones arrive where, (N, F, R), by the pieces."""
    pairs = np.zeros((nodes, nodes))
    arrived = np.zeros((nodes, held.features, held.row_count), dtype=int)
    for piece in one.pieces():
        assert piece.source != piece.sink
        pairs[piece.source, piece.sink] += len(piece.features) * (piece.last - piece.first)
        arrived[piece.sink, piece.features, piece.first : piece.last] += 1
    return pairs * held.row_elems, arrived


def check_coverage(laid: Laid) -> None:
    """Pieces are the pair matrices, no node gets what it has, and all get what they need."""
    for read in reads_of(laid):
        have = has(read.before)
        sums = any(one.kind == "sum" for one in read.rounds)
        for one in read.rounds:
            pairs, arrived = carried(laid.nodes, one, read.before)
            np.testing.assert_array_equal(pairs, one.pairs + one.sparse)
            if not sums and laid.collective is Collective.DIRECT:
                assert not (have & (arrived > 0)).any()
                assert arrived.max() <= 1
            have = have | (arrived > 0)
        if not sums:  # those are followed by a test of their own
            assert not (wanted(read) & ~have).any(), read.tensor


@settings(max_examples=25, deadline=None)
@given(tables(), RULES, NODES, ALGORITHMS)
def test_messages_are_the_pair_matrices_and_bring_what_is_needed(
    table: LayerTable, make: Callable[[Network], Rule], nodes: int, algorithm: str
) -> None:
    laid = lay(table, make(table.network), nodes, RUNTIME, collective=Collective(algorithm))
    check_coverage(laid)


@settings(max_examples=15, deadline=None)
@given(tables(), RULES, NODES, ALGORITHMS)
def test_a_sum_adds_every_summand_of_every_element_once(
    table: LayerTable, make: Callable[[Network], Rule], nodes: int, algorithm: str
) -> None:
    laid = lay(table, make(table.network), nodes, RUNTIME, collective=Collective(algorithm))
    for read in reads_of(laid):
        held = read.before
        if held.summands is None:
            continue
        # each node's summand is a bit; a node that adds knows the sum of the bits
        value = np.zeros((nodes, held.features, held.row_count), dtype=int)
        value += (held.summands * 2 ** np.arange(nodes))[:, None, None]
        for one in read.rounds:
            coming = np.zeros_like(value)
            for piece in one.pieces():
                at = piece.features, slice(piece.first, piece.last)
                if one.kind == "sum":
                    coming[piece.sink][at] += value[piece.source][at]
                else:
                    assert (
                        value[piece.source][at] == (held.summands * 2 ** np.arange(nodes)).sum()
                    ).all()
                    coming[piece.sink][at] += value[piece.source][at] - value[piece.sink][at]
            value += coming
        complete = value == (held.summands * 2 ** np.arange(nodes)).sum()
        assert not (wanted(read) & ~complete).any()


@settings(max_examples=20, deadline=None)
@given(tables(), RULES, st.integers(1, 5), st.sampled_from([PAPER, RUNTIME]))
def test_what_is_sent_is_received_and_one_node_sends_nothing(
    table: LayerTable, make: Callable[[Network], Rule], nodes: int, conventions: Conventions
) -> None:
    laid = lay(table, make(table.network), nodes, conventions)
    plan = mixed_plan(laid, lay_out(table, nodes, conventions), DENSE)
    every = (nodes, len(table))
    sent, received = (
        np.broadcast_to(x, every).sum(0) for x in (plan.exchange.sent, plan.exchange.received)
    )
    np.testing.assert_allclose(sent, received)
    np.testing.assert_allclose(np.broadcast_to(plan.exchange.total, (1, len(table)))[0], sent)
    if nodes == 1:
        assert not sent.any()
    work = np.broadcast_to(plan.local + plan.remote, every).sum(0)
    assert (work[:-1] >= 1 - 1e-9).all()


@settings(max_examples=20, deadline=None)
@given(tables(), st.integers(2, 5), st.floats(0, 1))
def test_the_closed_form_is_the_pair_matrix(table: LayerTable, nodes: int, density: float) -> None:
    """Every layer by outputs: what `within_layer` says, and what is counted from the rounds."""
    network = table.network

    def rule(layer: Layer, operands: tuple[Held, ...]) -> Choice:
        return Choice(Kind.OUTPUTS, sparse=layer.operator.placing == "mixes")

    wanted_density = np.full((1, 1), density)
    for conventions in (PAPER, RUNTIME):
        laid = lay(table, rule, nodes, conventions)
        layout = lay_out(table, nodes, conventions)
        closed = within_layer(layout, wanted_density)
        plan = mixed_plan(laid, layout, wanted_density)
        np.testing.assert_array_equal(plan.exchange.total, closed.exchange.total)
        np.testing.assert_array_equal(plan.remote, closed.remote)
    assume(divides(table, nodes))  # else features are whole, and counts of them rounded
    laid = lay(table, rule, nodes, PAPER)
    closed = within_layer(lay_out(table, nodes, PAPER), wanted_density)
    totals = np.broadcast_to(closed.exchange.total, (1, len(table)))[0]
    mixing = [
        (row, part)
        for row, part in enumerate(laid.parts)
        if part.layer.operator.placing == "mixes" and part.layer.groups == 1
    ]
    for row, part in mixing:
        counted = sum(
            float((one.pairs + density * one.sparse).sum())
            for read in part.reads
            for one in read.rounds
        )
        assert counted == pytest.approx(totals[row], abs=1e-6), part.layer.name
    assert network.layers


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 12), st.integers(2, 40), st.integers(1, 5))
def test_rows_at_kernel_one_send_nothing(features: int, rows: int, nodes: int) -> None:
    net = Builder("pointwise", (3, rows, 5))
    x = net.conv(INPUT, features, 1, "first")
    x = net.activation(net.batch_norm(x, "norm"), "relu")
    net.add(net.conv(x, features, 1, "second"), x, "add")
    assert sent_per_node(planned(tabulate(net.build()), by_rows, nodes)) == 0


@settings(max_examples=20, deadline=None)
@given(tables(), st.integers(1, 6))
def test_rows_of_all_nodes_are_all_rows(table: LayerTable, nodes: int) -> None:
    for count, bounds in row_bounds(table.network, (1 / nodes,) * nodes).items():
        assert (bounds[0, 0], bounds[-1, 1]) == (0, count)
        np.testing.assert_array_equal(bounds[1:, 0], bounds[:-1, 1])
        sizes = bounds[:, 1] - bounds[:, 0]
        assert sizes.min() >= 0
        assert sizes.max() <= -(-count // nodes) + 1


def test_rows_hold_all_weights_and_a_part_of_the_features() -> None:
    table = tabulate(build("vgg16", None))
    whole = mixed_plan(
        lay(table, by_rows(table.network), 1, PAPER), lay_out(table, 1, PAPER), DENSE
    )
    plan = planned(table, by_rows, 4)
    convolutions = np.array([op == "conv" for op in table.op])
    assert plan.weight_share is not None
    assert (plan.weight_share[:, convolutions] == 1).all()
    early = np.arange(len(table)) < 10
    live, all_of_it = plan.live_elems[:, early].max(0), whole.live_elems.max(0)[..., early]
    assert (live <= 0.3 * all_of_it + table.in_elems[0]).all()


def halo(rows: int, features: int, width: int) -> int:
    return rows * features * width


def test_a_halo_by_hand() -> None:
    """Two convolutions of 3x3 on 8 rows: the second needs one row of the other node."""
    net = Builder("halo", (3, 8, 10))
    net.conv(net.conv(INPUT, 4, 3, "one"), 5, 3, "two")
    plan = planned(tabulate(net.build()), by_rows, 2)
    np.testing.assert_array_equal(plan.exchange.sent[:, 1], halo(1, 4, 10))
    np.testing.assert_allclose(plan.local[:, 1], 3 / 8)
    np.testing.assert_allclose(plan.remote[:, 1], 1 / 8)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(0, 1), st.integers(6, 15),
    st.sampled_from([Kind.ROWS, Kind.ONE]), st.sampled_from([PAPER, RUNTIME]), st.booleans(),
)  # fmt: skip
def test_a_layer_by_outputs_is_sent_what_its_stride_reads_of_rows(
    kernel: int, stride: int, padding: int, size: int, before: Kind, conventions: Conventions,
    sparse: bool,
) -> None:  # fmt: skip
    """Counted element by element; all of it where one message serves all readers."""
    net, width = Builder("strided", (3, size, 7)), 7
    net.conv(net.conv(INPUT, 4, 3, "one"), 6, kernel, "two", stride=stride, padding=padding)

    def rule(layer: Layer, _: tuple[Held, ...]) -> Choice:
        return Choice(before) if layer.name == "one" else Choice(Kind.OUTPUTS, sparse=sparse)

    laid = lay(tabulate(net.build()), rule, 2, conventions)
    [read] = laid.parts[1].reads
    lacking = [set(range(size)) - set(range(*read.before.held[node].tolist())) for node in range(2)]

    def taken(count: int, axis: int) -> set[int]:
        made = laid.parts[1].layer.out_shape[axis]
        every = {o * stride - padding + tap for o in range(made) for tap in range(kernel)}
        return set(range(count)) & every if conventions.resend else set(range(count))

    columns = len(taken(width, 2))
    sent = sum(one.pairs.sum(0) + one.sparse.sum(0) for one in read.rounds)
    for node in range(2):
        assert sent[node] == 4 * len(lacking[node] & taken(size, 1)) * columns
    assert read.needed.sum() == 2 * 4 * len(taken(size, 1)) * columns


@pytest.mark.parametrize(
    ("model", "least", "most"),
    [
        ("resnet50", 0.2, 0.33),
        ("deit-s", 1.8, 1.9),
        ("esrgan", 23.1 * 0.98, 23.1 * 1.02),
        ("vgg16", 0.5, 0.65),
        ("mobilenetv2", 0.3, 0.46),
    ],
)
def test_rows_of_two_nodes(model: str, least: float, most: float) -> None:
    """Megabytes counted by hand from the shapes: two rows a convolution, x of each token."""
    table = tabulate(build(model, None))
    assert least <= sent_per_node(planned(table, by_rows, 2)) / MB <= most


def test_pairs_in_deit() -> None:
    table = tabulate(build("deit-s", None))
    sums = 12 * 2 * 197 * 384  # two all-reduces a block, 2 (N - 1) / N of all elements each
    assert sent_per_node(planned(table, by_pairs, 2)) == sums


def block(tokens: int, features: int) -> Network:
    """One pre-norm transformer block on tokens that every node has."""
    net = Builder("block", (features, tokens))
    y = net.linear(net.layer_norm(INPUT, "norm1"), 3 * features, "qkv", heads=4)
    y = net.linear(net.attention(y, 4, "attention"), features, "proj")
    x = net.add(y, INPUT, "add1")
    y = net.activation(net.linear(net.layer_norm(x, "norm2"), 4 * features, "fc1"), "act", "gelu")
    net.add(net.linear(y, features, "fc2"), x, "add2")
    return net.build()


def blocks(count: int, tokens: int, features: int, *, placed: bool = False) -> Network:
    """Blocks one after the other; `placed`: behind a layer that leaves tokens on the nodes."""
    net = Builder("blocks", (features, tokens))
    x = net.linear(INPUT, features, "embed") if placed else INPUT
    for index in range(count):
        y = net.linear(net.layer_norm(x, f"{index}.norm1"), 3 * features, f"{index}.qkv", heads=8)
        y = net.linear(net.attention(y, 8, f"{index}.attention"), features, f"{index}.proj")
        x = net.add(y, x, f"{index}.add1")
        y = net.linear(net.layer_norm(x, f"{index}.norm2"), 4 * features, f"{index}.fc1")
        y = net.linear(net.activation(y, f"{index}.act", "gelu"), features, f"{index}.fc2")
        x = net.add(y, x, f"{index}.add2")
    return net.build()


@pytest.mark.parametrize("nodes", [2, 3, 4])
def test_voltage_sends_a_quarter_of_megatron(nodes: int) -> None:
    """Hu and Li, ICDCS 2024: one all-gather a block in place of two all-reduces."""
    table = tabulate(blocks(3, 24, 16, placed=True))
    tokens, paired = (planned(table, make, nodes) for make in (by_rows, by_pairs))
    assert tokens.exchange.total.sum() * 4 == paired.exchange.total.sum()


@pytest.mark.parametrize(("nodes", "kib"), [(2, 2048), (4, 6144), (8, 14336)])
def test_bytes_of_a_decoder_for_each_token(nodes: int, kib: int) -> None:
    """2 (N - 1) L 2 d b bytes, as distributed-llama prints them for L = 32, d = 4096, fp32."""
    layers, features = 32, 4096
    table = tabulate(blocks(layers, 1, features))
    total = planned(table, by_pairs, nodes).exchange.total.sum() * 4
    assert total == 2 * (nodes - 1) * layers * 2 * features * 4 == kib * 1024


@pytest.mark.parametrize("algorithm", ["direct", "ring"])
def test_a_sum_sends_as_much_by_either_algorithm(algorithm: str) -> None:
    table = tabulate(blocks(1, 8, 16))
    plan = planned(table, by_pairs, 4, collective=Collective(algorithm))
    np.testing.assert_allclose(plan.exchange.sent.sum(-1), 2 * 2 * 3 / 4 * 8 * 16)


def test_through_a_root_everything_goes_twice() -> None:
    table = tabulate(blocks(1, 8, 16))
    plan = planned(table, by_pairs, 4, collective=Collective.ROOT)
    sums = 2 * 8 * 16
    np.testing.assert_allclose(plan.exchange.sent.sum(-1), [3 * sums, sums, sums, sums])


def test_keys_and_values_are_sent_where_they_are_fewer_than_their_input() -> None:
    table = tabulate(build("deit-s", None))
    kv = lay(table, rows_rule(table.network, NOTHING), 2, PAPER)
    plan = mixed_plan(kv, lay_out(table, 2, PAPER), DENSE)
    assert sent_per_node(plan) > 1.9 * sent_per_node(planned(table, by_rows, 2))
    spent = (plan.local + plan.remote).sum(0) @ table.macs
    assert spent == pytest.approx(table.macs.sum())


def test_more_nodes_than_rows_leave_some_idle() -> None:
    net = Builder("low", (3, 2, 6))
    net.conv(net.conv(INPUT, 4, 3, "one"), 4, 3, "two")
    plan = planned(tabulate(net.build()), by_rows, 4)
    work = (plan.local + plan.remote)[:, 1]
    assert sorted(work.tolist()) == [0.0, 0.0, 0.5, 0.5]
    assert plan.weight_share is not None
    assert plan.weight_share[:, 1].sum() == 2


@settings(max_examples=10, deadline=None)
@given(tables(), st.integers(2, 4), st.sampled_from([PAPER, RUNTIME]))
def test_fused_rows_of_groups_of_one_are_rows(
    table: LayerTable, nodes: int, conventions: Conventions
) -> None:
    rule = by_rows(table.network)
    laid = lay(table, rule, nodes, conventions)
    own = {part.layer.name: part.rows for part in laid.parts if part.choice.kind is Kind.ROWS}
    again = lay(table, rule, nodes, conventions, extents=own)
    one, other = (
        mixed_plan(each, lay_out(table, nodes, conventions), DENSE) for each in (laid, again)
    )
    np.testing.assert_array_equal(one.exchange.between, other.exchange.between)
    np.testing.assert_array_equal(one.local, other.local)


@settings(max_examples=10, deadline=None)
@given(tables(), st.integers(2, 4), st.sampled_from([PAPER, RUNTIME]), WORTHS)
def test_fused_groups_are_worth_their_repeated_work(
    table: LayerTable, nodes: int, conventions: Conventions, worth: Worth
) -> None:
    """By the measure of the dynamic program, which counts no group that it does not take."""
    rule = by_rows(table.network)
    laid = lay(table, rule, nodes, conventions)
    groups = joined(laid, worth)
    apart, together = (
        mixed_plan(each, lay_out(table, nodes, conventions), DENSE) for each in (laid, groups)
    )

    def measure(plan: Plan) -> float:
        work = np.broadcast_to(plan.local + plan.remote, (nodes, len(table))).sum(0)
        messages = plan.exchange.total_messages.sum()
        sent = plan.exchange.total.sum() * worth.element_s + worth.message_s * messages
        waiting = nodes if worth.one_medium else 1
        return float(sent * waiting + (work @ table.macs) * worth.mac_s)

    assert measure(together) <= measure(apart) * (1 + 1e-9)
    if conventions.whole:
        check_coverage(groups)


def test_a_group_of_two_convolutions_by_hand() -> None:
    """On 8 rows, two 3x3 convolutions at once: a node computes one row of the first again.

    Cut before both, nothing is sent: the input is everywhere.
    """
    net = Builder("group", (3, 8, 10))
    net.conv(net.conv(INPUT, 40, 3, "one"), 5, 3, "two")
    table = tabulate(net.build())
    laid = lay(table, by_rows(table.network), 2, PAPER)
    extents = fused(laid, worth_of(load_profile("splitnets-hmd").hardware()))
    np.testing.assert_array_equal(extents["one"], [[0, 5], [3, 8]])
    plan = mixed_plan(
        lay(table, laid.rule, 2, PAPER, extents=extents), lay_out(table, 2, PAPER), DENSE
    )
    assert plan.exchange.total.sum() == 0
    np.testing.assert_allclose(plan.local[:, 0], 5 / 8)


def test_shares_divide_rows_too() -> None:
    table = tabulate(build("vgg16", None))
    laid = lay(table, by_rows(table.network), 2, PAPER, shares=(0.75, 0.25))
    first = laid.parts[0]
    np.testing.assert_array_equal(first.rows, [[0, 168], [168, 224]])
    np.testing.assert_allclose(first.share, [0.75, 0.25])


def test_whole_features_of_a_sum_are_whole_messages() -> None:
    """Of ten features of a sum on two nodes, five each, a tenth is one of each (rounded up)."""
    net = Builder("pair", (4,))
    net.linear(net.linear(net.linear(INPUT, 8, "first"), 10, "second"), 6, "third")
    table = tabulate(net.build())
    rule = paired_rule(table.network, sparse=True)
    sent = {}
    for name, conventions in CONVENTIONS.items():
        laid = lay(table, rule, 2, conventions)
        plan = mixed_plan(laid, lay_out(table, 2, conventions), 1.0 - np.array([[[0.9]], [[0.7]]]))
        sent[name] = plan.exchange.total[..., 0, 2]
    # each node sends the other its summands, then what it has added up
    assert list(sent["runtime"]) == [4 * 1, 4 * 2]
    np.testing.assert_allclose(sent["paper"], [4 * 0.1 * 5, 4 * 0.3 * 5])


def test_what_is_sent_and_what_is_repeated_follow_the_hardware() -> None:
    """Over a slow link more is repeated and less is sent; where sending is free nothing is."""
    given = on("mobilenetv2", strategy="fused-rows", nodes=3)
    sent, work = [], []
    for bandwidth_Bps in (1e5, 1e8, 1e10, np.inf):
        node = replace(given.hardware, bandwidth_Bps=bandwidth_Bps)
        plan = replace(given, hardware=node).plan()
        sent.append(plan.exchange.total.sum())
        work.append((plan.local + plan.remote).sum(0) @ given.table.macs)
    assert sent == sorted(sent)
    assert work == sorted(work, reverse=True)
    assert sent[0] < sent[-1]
    rows = replace(given, strategy=STRATEGIES["rows"]).plan()
    assert sent[-1] == rows.exchange.total.sum()


def test_groups_are_found_anew_for_unlike_shares() -> None:
    """Equal shares give the groups of equal nodes, unlike ones groups of their own, not rows."""
    given = on("mobilenetv2", strategy="fused-rows", nodes=2, conventions="runtime")
    laid = given.plan().laid
    assert laid is not None
    even, uneven = (shared_out(laid, shares) for shares in ((0.5, 0.5), (0.75, 0.25)))
    for one, other in zip(laid.parts, even.parts, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
    apart = lay(laid.table, laid.rule, 2, RUNTIME, shares=(0.75, 0.25))
    check_coverage(uneven)
    sums = [sum(one.pairs.sum() for r in reads_of(each) for one in r.rounds)
            for each in (uneven, apart)]  # fmt: skip
    assert sums[0] < sums[1]
