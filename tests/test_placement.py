"""Who owns which feature, and what that means for each layer."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discosim.graph.builder import Builder
from discosim.graph.network import INPUT, Network
from discosim.graph.table import LayerTable, tabulate
from discosim.networks import build
from discosim.partition.layout import lay_out
from discosim.partition.placement import contiguous, place
from discosim.partition.plan import CONVENTIONS
from discosim.partition.split import split
from discosim.partition.uneven import split_by_share
from discosim.partition.within_layer import within_layer
from tests.strategies import networks, tables

NODES = st.integers(1, 9)


@given(st.integers(1, 300), NODES)
def test_blocks_are_contiguous_and_differ_by_at_most_one(features: int, nodes: int) -> None:
    owners = contiguous(features, nodes)
    sizes = np.bincount(owners, minlength=nodes)
    assert sizes.sum() == features
    assert sizes.max() - sizes.min() <= 1
    assert (np.diff(owners) >= 0).all()


@given(networks(), NODES)
def test_every_feature_has_one_owner(network: Network, nodes: int) -> None:
    owners = place(network, nodes)
    assert owners[INPUT] is None
    for layer in network.layers:
        held = owners[layer.name]
        assert held is not None
        assert len(held) == layer.out_features
        assert held.min() >= 0
        assert held.max() < nodes


def _small() -> Builder:
    net = Builder("small", (3, 4, 4))
    net.conv(INPUT, 6, 3, "a")
    net.conv(INPUT, 4, 3, "b")
    return net


def test_concat_puts_placements_side_by_side() -> None:
    net = _small()
    net.concat(["a", "b"], "c")
    assert place(net.build(), 2)["c"].tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 1, 1]


def test_flatten_slice_shuffle_and_depthwise_follow_their_input() -> None:
    net = _small()
    net.flatten("b", "flat")
    net.slice("a", 2, 3, "slice")
    net.shuffle("a", 2, "shuffle")
    net.conv("a", 12, 3, "depthwise", groups=6)
    owners = place(net.build(), 2)
    assert owners["flat"].tolist() == [0] * 32 + [1] * 32
    assert owners["slice"].tolist() == [0, 1, 1]
    assert owners["shuffle"].tolist() == [0, 1, 0, 1, 0, 1]
    assert owners["depthwise"].tolist() == [0] * 6 + [1] * 6


def test_heads_are_whole_and_their_q_k_v_lie_together() -> None:
    """DeiT-S has 6 heads of 64: of 4 nodes the busiest has ceil(6/4) = 2."""
    network = build("deit-s")
    owners = place(network, 4)
    qkv = next(layer for layer in network.layers if layer.name.endswith("qkv"))
    parts = owners[qkv.name].reshape(3, 6, 64)
    assert (parts == parts[:1, :, :1]).all()
    assert np.bincount(parts[0, :, 0]).tolist() == [2, 2, 1, 1]


@given(tables(), NODES)
def test_counts_agree_with_the_owners(table: LayerTable, nodes: int) -> None:
    parts = split(table, nodes, True)
    placed = ~parts.replicated_in
    assert np.allclose(parts.own_in.sum(0)[placed], table.in_features[placed])
    assert np.allclose(parts.own_out.sum(0)[:-1], table.out_features[:-1])
    held = parts.live_elems.sum(0)
    assert (held >= table.live_elems - 1e-6).all()  # replicated tensors count on each node
    assert (parts.even_live_elems * nodes >= table.live_elems - 1e-6).all()


def test_groups_against_every_connection() -> None:
    """A grouped convolution, feature by feature."""
    net = Builder("grouped", (3, 4, 4))
    x = net.conv(INPUT, 12, 3, "first")
    net.conv(net.shuffle(x, 3, "shuffle"), 24, 3, "grouped", groups=4)
    table = tabulate(net.build())
    nodes, row = 3, table.name.index("grouped")
    owners = place(table.network, nodes)
    parts = split(table, nodes, True)
    index = parts.counted.tolist().index(row)
    needed, connected = np.zeros((nodes, nodes)), np.zeros((nodes, nodes))
    for feature, owner in enumerate(owners["shuffle"]):
        readers = set()
        for output, reader in enumerate(owners["grouped"]):
            if feature // 3 == output // 6:
                connected[owner, reader] += 1
                readers.add(int(reader))
        for reader in readers:
            needed[owner, reader] += 1
    assert np.array_equal(parts.needed[..., index], needed)
    assert np.array_equal(parts.connected[..., index], connected)


@pytest.mark.parametrize(("groups", "nodes", "peers"), [(1, 4, 4), (2, 4, 2), (8, 4, 1), (4, 4, 1)])
def test_a_grouped_layer_exchanges_within_its_groups(groups: int, nodes: int, peers: int) -> None:
    net = Builder("grouped", (3, 4, 4))
    net.conv(net.conv(INPUT, 16, 3, "first"), 16, 3, "conv", groups=groups)
    table = tabulate(net.build())
    assert split(table, nodes, False).peers[table.name.index("conv")] == peers


def test_adding_what_lies_elsewhere_moves_it() -> None:
    net = _small()
    net.concat(["b", "b"], "c")
    net.slice("c", 0, 6, "d")
    net.add("a", "d", "sum")
    table = tabulate(net.build())
    parts = split(table, 2, False)
    row = parts.counted.tolist().index(table.name.index("sum"))
    # a lies 0 0 0 1 1 1, d lies 0 0 1 1 0 0
    assert parts.needed[..., row].tolist() == [[0, 2], [1, 0]]


@pytest.mark.parametrize("model", ["regnety-200mf", "regnety-800mf/2"])
@pytest.mark.parametrize("shares", [(0.7, 0.3), (0.5, 0.3, 0.2), (0.2,) * 5])
def test_gates_lie_where_the_groups_lie_that_they_open(
    model: str, shares: tuple[float, ...]
) -> None:
    """At S_comm 1 squeeze-excite sends nothing, however the nodes share the features."""
    table = tabulate(build(model))
    nodes = len(shares)
    layout = lay_out(table, nodes, CONVENTIONS["paper"])
    for lies in (layout.split, split_by_share(table, shares)):
        plan = within_layer(replace(layout, split=lies), np.zeros((1, len(table))))
        assert plan.exchange.total.sum() == 0


def test_what_is_added_lies_alike_in_whole_groups() -> None:
    """Six features in three groups on two nodes: four and two, and so the plain one beside them."""
    net = Builder("tied", (4, 8, 8))
    x = net.conv(INPUT, 6, 1, "stem")
    grouped = net.activation(net.conv(x, 6, 3, "grouped", groups=3), "relu")
    net.conv(net.add(net.conv(x, 6, 1, "plain"), grouped, "sum"), 2, 1, "last")
    owners = place(net.build(), 2)
    assert list(owners["grouped"]) == [0, 0, 0, 0, 1, 1]
    assert list(owners["plain"]) == list(owners["sum"]) == list(owners["grouped"])
    assert list(owners["stem"]) == [0, 0, 0, 1, 1, 1]
