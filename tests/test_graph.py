"""Layers and the builder: what holds for any network, and counts against a brute-force loop."""

from itertools import product
from math import prod

import networkx as nx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from discosim.errors import DiscosimError
from discosim.graph.builder import Builder
from discosim.graph.layer import OPERATORS, Layer
from discosim.graph.network import INPUT, Network
from discosim.networks import build
from tests.subjects import every_network

small = st.integers(1, 4)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Small networks of every shape-changing operator, with skips and branches."""
    net = Builder("random", (draw(small), draw(st.integers(4, 12)), draw(st.integers(4, 12))))
    x = net.conv(INPUT, 2 * draw(small), 3, "first")
    for step in range(draw(st.integers(1, 8))):
        at = f"op{step}"
        features, *positions = net.shape(x)
        kind = draw(st.sampled_from(["conv", "depthwise", "pool", "skip", "branch", "gate", "cut"]))
        if kind == "conv":
            x = net.conv(x, 2 * draw(small), draw(st.sampled_from([1, 3, 5])), at, bias=True)
        elif kind == "depthwise":
            x = net.conv(x, features, 3, at, groups=features)
        elif kind == "pool":
            x = net.pool(x, 2, at, stride=draw(st.integers(1, 2)), ceil=True, padding=1)
        elif kind == "skip":
            x = net.add(net.batch_norm(x, f"{at}.norm"), x, at)
        elif kind == "branch":
            left = net.slice(x, 0, features // 2, f"{at}.slice")
            right = net.shuffle(net.activation(x, f"{at}.act"), 2, f"{at}.shuffle")
            x = net.concat([left, right, x], at)
            x = net.conv(x, 4, 1, f"{at}.project")
        elif kind == "gate":
            gate = net.conv(net.global_pool(x, f"{at}.pool"), features, 1, f"{at}.gate")
            x = net.multiply(x, gate, at)
        else:
            x = net.upsample(x, (positions[0] + 1, positions[1]), at)
    net.linear(net.flatten(x, "flatten"), 3, "last")
    return net.build()


def check(network: Network) -> None:
    """Laws of every network: a DAG in execution order whose shapes chain."""
    assert nx.is_directed_acyclic_graph(network.graph)
    order = {name: index for index, name in enumerate(network.graph)}
    assert order[INPUT] == 0
    assert all(order[tensor] < order[reader] for tensor, reader in network.graph.edges())
    assert nx.is_weakly_connected(network.graph)

    shapes = {INPUT: network.input_shape}
    for layer in network.layers:
        operands = network.operands(layer.name)
        assert operands
        assert layer.in_shapes == tuple(shapes[tensor] for tensor in operands)
        assert layer.in_shape == layer.in_shapes[0]
        assert layer.in_elems == sum(map(prod, layer.in_shapes))
        assert min(layer.out_shape) > 0
        check_features(layer)
        shapes[layer.name] = layer.out_shape
    assert network.params == sum(layer.weights + layer.biases for layer in network.layers)
    assert network.macs == sum(layer.macs for layer in network.layers)


def check_features(layer: Layer) -> None:
    features = [shape[0] for shape in layer.in_shapes]
    match layer.operator.placing:
        case "joins":
            assert layer.out_features == sum(features)
            assert {shape[1:] for shape in layer.in_shapes} == {layer.out_shape[1:]}
        case "aligns":
            assert set(features) <= {1, layer.out_features}
            assert layer.out_shape == layer.in_shape
        case "carries":
            carry = layer.operator.carry
            assert all(0 <= carry(layer, f) < features[0] for f in range(layer.out_features))
        case "mixes":
            assert layer.weights > 0
            assert layer.in_features % layer.groups == layer.out_features % layer.groups == 0
            read = layer.op == "conv_transpose"  # every input meets all weights of its feature
            positions = (layer.in_shape if read else layer.out_shape)[1:]
            assert layer.macs == layer.weights * prod(positions)


@given(network=networks())
def test_any_network_is_a_dag_whose_shapes_chain(network: Network) -> None:
    check(network)


@pytest.mark.parametrize("name", every_network())
def test_every_registered_network_is_a_dag_whose_shapes_chain(name: str) -> None:
    check(build(name))


def test_a_built_network_is_frozen() -> None:
    with pytest.raises(nx.NetworkXError):
        build("resnet18").graph.add_edge("conv1", "fc")


def starts(size: int, reach: int, stride: int, padding: int, *, ceil: bool) -> list[int]:
    """Where windows begin, found by walking: whole ones, with `ceil` one that hangs over."""
    found, begin, end = [], -padding, size + padding
    while begin + reach < end:
        found.append(begin)
        begin += stride
    covered = begin - stride + reach + 1
    if ceil and covered < end and begin < size:
        found.append(begin)
    return found


Sides = tuple[int, int]
windows = st.tuples(  # size, kernel, stride, padding: two sides each
    *(st.tuples(sides, sides) for sides in (st.integers(1, 12), small, st.integers(1, 3))),
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
)


@given(window=windows, dilation=st.integers(1, 3), groups=small, inputs=small, outputs=small)
def test_convolution_counts_equal_a_brute_force_loop(
    window: tuple[Sides, Sides, Sides, Sides], dilation: int, groups: int, inputs: int, outputs: int
) -> None:
    size, kernel, stride, padding = window
    reach = [dilation * (k - 1) for k in kernel]
    assume(all(s + 2 * p > r for s, p, r in zip(size, padding, reach, strict=True)))
    net = Builder("brute", (inputs * groups, *size))
    net.conv(
        INPUT,
        outputs * groups,
        kernel,
        "conv",
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=True,
    )
    (layer,) = net.build().layers

    places = [
        starts(s, r, t, p, ceil=False)
        for s, r, t, p in zip(size, reach, stride, padding, strict=True)
    ]
    weights, macs = set(), 0
    for _, out in product(product(*places), range(outputs * groups)):
        group = out // outputs
        for member, *tap in product(range(inputs), *map(range, kernel)):
            weights.add((out, group * inputs + member, *tap))
            macs += 1
    assert layer.out_shape == (outputs * groups, *map(len, places))
    assert layer.weights == len(weights)
    assert layer.biases == outputs * groups
    assert layer.macs == macs


@given(window=windows, ceil=st.booleans())
def test_pooling_windows_equal_a_walk(
    window: tuple[Sides, Sides, Sides, Sides], ceil: bool
) -> None:
    size, kernel, stride, padding = window
    assume(all(2 * p <= k <= s + 2 * p for s, p, k in zip(size, padding, kernel, strict=True)))
    net = Builder("walk", (3, *size))
    net.pool(INPUT, kernel, "pool", stride=stride, padding=padding, ceil=ceil)
    (layer,) = net.build().layers
    places = [
        starts(s, k - 1, t, p, ceil=ceil)
        for s, k, t, p in zip(size, kernel, stride, padding, strict=True)
    ]
    assert layer.out_shape == (3, *map(len, places))
    assert layer.params == layer.macs == 0


@given(size=st.integers(1, 64), kernel=st.sampled_from([1, 3, 5, 7]), dilation=st.integers(1, 6))
def test_a_convolution_without_padding_given_keeps_the_size(
    size: int, kernel: int, dilation: int
) -> None:
    net = Builder("same", (2, size, size))
    net.conv(INPUT, 2, kernel, "conv", dilation=dilation)
    assert net.shape("conv") == (2, size, size)


@given(tokens=st.integers(1, 50), heads=small, features=small)
def test_attention_products_equal_a_brute_force_loop(
    tokens: int, heads: int, features: int
) -> None:
    width = heads * features
    net = Builder("attention", (width, tokens))
    net.attention(net.linear(INPUT, 3 * width, "qkv", heads=heads), heads, "attention")
    macs = 0
    for _head, _query, _key in product(range(heads), range(tokens), range(tokens)):
        macs += features  # the score of one query and one key
        macs += features  # the key's value, weighted
    assert net.build().layers[-1].macs == macs
    assert net.shape("attention") == (width, tokens)


@given(size=st.integers(1, 40), pooled=st.integers(1, 8))
def test_pooling_to_a_size_gives_that_size(size: int, pooled: int) -> None:
    net = Builder("pool", (2, size, size))
    assert net.shape(net.global_pool(INPUT, "all")) == (2, 1, 1)
    assert net.shape(net.global_pool(INPUT, "some", size=pooled)) == (2, pooled, pooled)
    everything = net.build().layers[0]
    assert everything.kernel == (size, size)


@given(groups=small, members=small)
def test_a_shuffle_there_and_back_changes_nothing(groups: int, members: int) -> None:
    net = Builder("shuffle", (groups * members, 1, 1))
    net.shuffle(net.shuffle(INPUT, groups, "there"), members, "back")
    there, back = net.build().layers
    carry = OPERATORS["shuffle"].carry
    features = range(groups * members)
    assert [carry(there, carry(back, f)) for f in features] == list(features)


def test_norms_and_embeddings_count_as_biases() -> None:
    """Two a feature for a norm, one for an L2 norm's scale, the embedding as it was given."""
    net = Builder("norms", (8, 4, 4))
    x = net.l2_norm(net.batch_norm(INPUT, "batch"), "l2")
    net.layer_norm(net.embed(x, 17, 8 + 17 * 8, "embed"), "layer")
    counts = {layer.name: (layer.weights, layer.biases) for layer in net.build().layers}
    assert counts == {"batch": (0, 16), "l2": (0, 8), "embed": (0, 144), "layer": (0, 16)}


def test_kind_tells_depthwise_from_other_convolutions() -> None:
    net = Builder("kinds", (4, 8, 8))
    x = net.conv(INPUT, 4, 3, "depthwise", groups=4)
    x = net.conv(x, 4, 3, "grouped", groups=2)
    net.conv(x, 4, 3, "plain")
    assert [layer.kind for layer in net.build().layers] == ["depthwise", "conv", "conv"]


@settings(max_examples=30)
@given(size=st.integers(1, 8), kernel=st.integers(2, 12))
def test_a_window_larger_than_the_input_is_refused_by_name(size: int, kernel: int) -> None:
    assume(kernel > size)
    net = Builder("tiny", (3, size, size))
    with pytest.raises(DiscosimError, match=f"tiny: its input 3x{size}x{size} .* at narrow$"):
        net.conv(INPUT, 4, kernel, "narrow", padding=0)
    with pytest.raises(DiscosimError, match=r"at narrow$"):
        net.pool(INPUT, kernel, "narrow", stride=1)


def test_what_does_not_fit_is_refused_in_one_line() -> None:
    net = Builder("mine", (4, 8, 8))
    net.conv(INPUT, 6, 3, "wide")
    net.conv(INPUT, 4, 3, "half", stride=2)
    net.global_pool("wide", "pooled")
    refusals = {
        "two layers": lambda: net.activation(INPUT, "wide"),
        "adds shapes": lambda: net.add(INPUT, "wide", "sum"),
        "multiplies shapes": lambda: net.multiply(INPUT, "pooled", "product"),
        "joins tensors": lambda: net.concat([INPUT, "half"], "joined"),
        "groups do not divide": lambda: net.conv(INPUT, 6, 3, "grouped", groups=4),
    }
    for text, attempt in refusals.items():
        with pytest.raises(DiscosimError, match=text) as caught:
            attempt()
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith("mine: ")
    with pytest.raises(DiscosimError, match="multiplies"):
        net.multiply("wide", net.flatten("pooled", "flat"), "product")


def test_a_factor_may_be_one_wide() -> None:
    net = Builder("mine", (4, 8, 6))
    pooled = net.pool(INPUT, (1, 6), "pooled", stride=1)
    assert net.shape(net.multiply(INPUT, pooled, "product")) == (4, 8, 6)


def test_blocks_nest_and_end() -> None:
    net = Builder("blocks", (1, 4, 4))
    with net.block("outer"):
        with net.block("outer.inner"):
            net.activation(INPUT, "a")
        net.activation(INPUT, "b")
    net.activation(INPUT, "c")
    assert [layer.block for layer in net.build().layers] == ["outer.inner", "outer", ""]
