"""Attention and rotations that ONNX Runtime fuses, and ONNX's own rotation, counted by hand.

https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from discosim.cli.types import parse_input
from discosim.errors import DiscosimError
from discosim.graph.counts import remarks
from discosim.graph.network import INPUT, Network
from discosim.graph.table import tabulate
from tests.importing import model, ops, read

pytestmark = pytest.mark.extras

node = helper.make_node
PAST = [1, 2, 10, 4]
"""Ten keys of before in two heads of four."""
ANGLES = {"cos": (64, 2), "sin": (64, 2)}


def fused(op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> onnx.NodeProto:
    return node(op, inputs, outputs, domain="com.microsoft", **attributes)


def network_of(
    nodes: list[onnx.NodeProto],
    entering: dict[str, list[Any]],
    outputs: list[str],
    weights: dict[str, tuple[int, ...]],
    folder: Path,
    given: Any = None,
) -> Network:
    """A graph of opset 23 with operators of ONNX Runtime; lengths and positions are numbers."""
    graph = model(nodes, entering, dict.fromkeys(outputs), weights, opset=23)
    graph.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    for value in graph.graph.input:
        if value.name in ("lengths", "total", "places", "padding"):
            value.type.tensor_type.elem_type = TensorProto.INT32
    return read(graph, folder, given)


def projected(width: int = 16, key_width: int = 16) -> tuple[list[onnx.NodeProto], dict[str, Any]]:
    """Queries, keys and values of six tokens with 16 features."""
    widths = {"q": width, "k": key_width, "v": key_width}
    nodes = [node("MatMul", ["x", f"w{k}"], [k]) for k in widths]
    return nodes, {f"w{k}": (16, n) for k, n in widths.items()}


def same_rows(one: Network, other: Network) -> bool:
    """Whether two networks cost the same, row by row."""
    first, second = tabulate(one), tabulate(other)
    return ops(one) == ops(other) and all(
        (getattr(first, of) == getattr(second, of)).all() for of in ("in_elems", "macs", "params")
    )


def test_attention_of_several_heads_is_the_one_of_onnx(tmp_path: Path) -> None:
    """Four heads of 4: 3 x 6 x 256, and 2 x 6 x 6 x 16."""
    before, weights = projected()
    entering = {"x": [1, 6, 16]}
    mine = [*before, fused("MultiHeadAttention", [*"qkv"], ["y"], num_heads=4)]
    theirs = [*before, node("Attention", [*"qkv"], ["y"], q_num_heads=4, kv_num_heads=4)]
    network = network_of(mine, entering, ["y"], weights, tmp_path)
    assert network.macs == 3 * 6 * 256 + 2 * 6 * 6 * 16
    assert same_rows(network, network_of(theirs, entering, ["y"], weights, tmp_path))
    biased = [*before, fused("MultiHeadAttention", [*"qkv", "b"], ["y"], num_heads=4)]
    network = network_of(biased, entering, ["y"], weights | {"b": (48,)}, tmp_path)
    assert network.params == 3 * 256 + 48
    assert "exchange" not in ops(network)


@pytest.mark.parametrize(("shape", "of"), [((1, 6, 4, 3, 4), [""]), ((1, 6, 4, 2, 4), ["q", "p"])])
def test_packed_heads_are_taken_apart(
    shape: tuple[int, ...], of: list[str], tmp_path: Path
) -> None:
    """Queries, keys and values of each head one behind the other, or keys and values so."""
    [*_, count, _] = shape
    nodes = [
        node("MatMul", ["x", "w"], ["h"]),
        node("MatMul", ["x", "wq"], ["q"]),
        node("Reshape", ["h", "shape"], ["p"]),
        fused("MultiHeadAttention", of if of[0] else ["p"], ["y"], num_heads=4),
    ]
    weights = {"w": (16, 16 * count), "wq": (16, 16)}
    graph = model(nodes, {"x": [1, 6, 16]}, {"y": None}, weights, {"shape": list(shape)}, 23)
    graph.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    network = read(graph, tmp_path)
    assert network.macs == 3 * 6 * 256 + 2 * 6 * 6 * 16
    assert "exchange" not in ops(network)


@pytest.mark.parametrize("shape", [[1], [1, 6], [1, 6, 6]])
@pytest.mark.parametrize("bias", [True, False])
def test_masks_and_biases_are_read(shape: list[int], bias: bool, tmp_path: Path) -> None:
    before, weights = projected()
    entering: dict[str, list[Any]] = {"x": [1, 6, 16], "padding": shape}
    operands = [*"qkv", "", "padding"]
    if bias:
        entering["bias"] = [1, 4, 6, 6]
        operands.append("bias")
    nodes = [*before, fused("MultiHeadAttention", operands, ["y"], num_heads=4)]
    network = network_of(nodes, entering, ["y"], weights, tmp_path)
    assert network.macs == 3 * 6 * 256 + 2 * 6 * 6 * 16
    found = {each for layer in network.layers for each in network.operands(layer.name)}
    assert set(entering) - {"x"} <= found


def test_keys_and_values_of_another_network_enter_by_heads(tmp_path: Path) -> None:
    """Nine keys of a cross-attention, with values of 3 a head: 6 x 9 x 4 x (4 + 3)."""
    nodes = [
        node("MatMul", ["x", "w"], ["q"]),
        fused("MultiHeadAttention", ["q", "keys", "values"], ["y"], num_heads=4),
    ]
    entering = {"x": [1, 6, 16], "keys": [1, 4, 9, 4], "values": [1, 4, 9, 3]}
    network = network_of(nodes, entering, ["y"], {"w": (16, 16)}, tmp_path)
    assert network.macs == 6 * 256 + 6 * 9 * 4 * 7


@pytest.mark.parametrize("op", ["MultiHeadAttention", "GroupQueryAttention"])
def test_keys_and_values_of_before_are_joined_and_handed_out(op: str, tmp_path: Path) -> None:
    """One token after ten, in two heads of 4: all eleven keys and values count."""
    nodes = [node("MatMul", ["x", f"w{k}"], [k]) for k in "qkv"]
    entering: dict[str, list[Any]] = {"x": [1, 1, 8], "pk": [1, 2, "P", 4], "pv": [1, 2, "P", 4]}
    past, more = ["pk", "pv"], {"num_heads": 2}
    operands = [*"qkv", "", "", "", *past]
    if op == "GroupQueryAttention":
        entering |= {"lengths": [1], "total": [1]}
        operands, more = [*"qkv", *past, "lengths", "total"], {"num_heads": 2, "kv_num_heads": 2}
    nodes.append(fused(op, operands, ["y", "ak", "av"], **more))
    weights = {f"w{k}": (8, 8) for k in "qkv"}
    given = parse_input("pk=1x2x10x4")
    network = network_of(nodes, entering, ["y", "ak", "av"], weights, tmp_path, given)
    assert network.macs == 3 * 64 + 2 * 11 * 8
    assert tabulate(network).in_elems[-1] == 8 + 2 * 88
    assert "exchange" not in ops(network)
    assert any("key lengths" in line for line in remarks(network)) == ("total" in entering)


def test_few_heads_of_keys_packed_behind_the_queries(tmp_path: Path) -> None:
    """Four heads of 4, two of keys: 16 x (16 + 8 + 8); turned by angles, which are none learned."""
    nodes = [
        node("MatMul", ["x", "w"], ["h"]),
        fused(
            "GroupQueryAttention",
            ["h", "", "", "", "", "", "", "cos", "sin", "", "", "sink"],
            ["y"],
            num_heads=4,
            kv_num_heads=2,
            do_rotary=1,
        ),
    ]
    weights = {"w": (16, 32), **ANGLES, "sink": (4,)}
    network = network_of(nodes, {"x": [1, 6, 16]}, ["y"], weights, tmp_path)
    assert network.macs == 6 * 16 * 32 + 2 * 6 * 6 * 16
    assert network.params == 16 * 32 + 4
    assert "exchange" not in ops(network)
    assert any("cosines and sines" in line for line in remarks(network))


def test_fewer_heads_of_keys_are_those_of_onnx(tmp_path: Path) -> None:
    before, weights = projected(16, 8)
    entering = {"x": [1, 6, 16]}
    more = {"num_heads": 4, "kv_num_heads": 2}
    mine = [*before, fused("GroupQueryAttention", [*"qkv"], ["y"], **more)]
    theirs = [*before, node("Attention", [*"qkv"], ["y"], q_num_heads=4, kv_num_heads=2)]
    network = network_of(mine, entering, ["y"], weights, tmp_path)
    assert network.macs == 6 * 16 * 32 + 2 * 6 * 6 * 16
    assert same_rows(network, network_of(theirs, entering, ["y"], weights, tmp_path))


@pytest.mark.parametrize("shape", [[1, 6], [1]])
def test_rotations_are_functions_of_each_feature(shape: list[int], tmp_path: Path) -> None:
    """Of ONNX and of ONNX Runtime, whose operands stand otherwise: no MAC, and no exchange."""
    before, weights = projected()
    rotations = {
        "mine": [
            fused("RotaryEmbedding", [of, "places", "cos", "sin"], [f"r{of}"], num_heads=4)
            for of in "qk"
        ],
        "theirs": [
            node("RotaryEmbedding", [of, "cos", "sin", "places"], [f"r{of}"], num_heads=4)
            for of in "qk"
        ],
    }
    entering = {"x": [1, 6, 16], "places": shape}
    attention = node("Attention", ["rq", "rk", "v"], ["y"], q_num_heads=4, kv_num_heads=4)
    found = []
    for name, turned in rotations.items():
        if name == "theirs" and shape == [1]:  # which ONNX does not have
            continue
        nodes = [*before, *turned, attention]
        network = network_of(nodes, entering, ["y"], weights | ANGLES, tmp_path)
        assert network.macs == 3 * 6 * 256 + 2 * 6 * 6 * 16
        assert network.params == 3 * 256
        assert "exchange" not in ops(network)
        assert any("cosines and sines" in line for line in remarks(network))
        read_by_rows = {each for layer in network.layers for each in network.operands(layer.name)}
        assert {INPUT, "places"} <= read_by_rows
        found.append(network)
    assert all(same_rows(found[0], each) for each in found)


@pytest.mark.parametrize(
    ("op", "operands", "attributes"),
    [
        ("MultiHeadAttention", ["q", "k", "v"], {"num_heads": 3}),
        ("MultiHeadAttention", ["q"], {"num_heads": 4}),
        ("MultiHeadAttention", ["q", "k", "v", "", "", "", "past", "past"], {"num_heads": 4}),
        ("GroupQueryAttention", ["q", "k", "v"], {"num_heads": 4, "kv_num_heads": 3}),
        ("GroupQueryAttention", ["q"], {"num_heads": 4, "kv_num_heads": 3}),
    ],
)
def test_operands_that_do_not_fit_are_refused(
    op: str, operands: list[str], attributes: dict[str, int], tmp_path: Path
) -> None:
    before, weights = projected()
    entering = {"x": [1, 6, 16], "past": PAST}
    nodes = [*before, fused(op, operands, ["y"], **attributes)]
    with pytest.raises(DiscosimError, match=rf"{op}.*not known with such operands"):
        network_of(nodes, entering, ["y"], weights, tmp_path)


def test_angles_that_are_looked_up_by_position_are_read(tmp_path: Path) -> None:
    before, weights = projected()
    nodes = [
        *before,
        *(node("Gather", [of, "places"], [f"{of}_at"]) for of in ANGLES),
        *(node("RotaryEmbedding", [x, "cos_at", "sin_at"], [f"r{x}"], num_heads=4) for x in "qk"),
        node("Attention", ["rq", "rk", "v"], ["y"], q_num_heads=4, kv_num_heads=4),
    ]
    entering = {"x": [1, 6, 16], "places": [1, 6]}
    network = network_of(nodes, entering, ["y"], weights | ANGLES, tmp_path)
    assert network.macs == 3 * 6 * 256 + 2 * 6 * 6 * 16
    assert network.params == 3 * 256
    assert "exchange" not in ops(network)


def test_pairs_of_features_that_are_turned_stay_on_their_nodes(tmp_path: Path) -> None:
    """As exporters write it: of each pair a sum, beside each other, in a shape that is computed."""
    before, weights = projected()
    nodes = [*before, node("Reshape", ["v", "split"], ["vh"])]
    for of in "qk":
        nodes += [
            node("Reshape", [of, "split"], [f"{of}h"]),
            node("Slice", [f"{of}h", "zero", "four", "last", "two"], [f"{of}a"]),
            node("Slice", [f"{of}h", "one", "four", "last", "two"], [f"{of}b"]),
            node("Neg", [f"{of}b"], [f"{of}n"]),
            node("Unsqueeze", [f"{of}n", "behind"], [f"{of}nu"]),
            node("Unsqueeze", [f"{of}a", "behind"], [f"{of}au"]),
            node("Concat", [f"{of}nu", f"{of}au"], [f"{of}p"], axis=-1),
            node("Shape", [f"{of}p"], [f"{of}s"], end=3),
            node("Concat", [f"{of}s", "rest"], [f"{of}w"], axis=0),
            node("Reshape", [f"{of}p", f"{of}w"], [f"{of}r"]),
        ]
    perms = {"qr": [0, 2, 1, 3], "kr": [0, 2, 3, 1], "vh": [0, 2, 1, 3]}
    nodes += [node("Transpose", [of], [f"{of}t"], perm=perm) for of, perm in perms.items()]
    nodes += [
        node("MatMul", ["qrt", "krt"], ["scores"]),
        node("Softmax", ["scores"], ["soft"], axis=-1),
        node("MatMul", ["soft", "vht"], ["y"]),
    ]
    numbers = {"split": [1, 6, 4, 4], "zero": [0], "one": [1], "two": [2], "four": [4]}
    numbers |= {"last": [3], "behind": [4], "rest": [-1]}
    network = read(model(nodes, {"x": [1, 6, 16]}, {"y": None}, weights, numbers), tmp_path)
    assert network.macs == 3 * 6 * 256 + 2 * 6 * 6 * 16
    assert not {"exchange", "matmul"} & set(ops(network))


def test_a_stack_of_weights_is_multiplied_from_either_side(tmp_path: Path) -> None:
    """Three matrices of 4 x 8 times 8 x 5, and of 8 x 5 behind 4 x 8: a sum of 8 products each."""
    left = [node("MatMul", ["w", "x"], ["y"])]
    right = [node("MatMul", ["x", "w"], ["y"])]
    for nodes, entering, weight in ((left, [3, 8, 5], (3, 4, 8)), (right, [3, 4, 8], (3, 8, 5))):
        network = read(model(nodes, {"x": entering}, {"y": None}, {"w": weight}), tmp_path)
        assert network.macs == 3 * 4 * 5 * 8


def test_learned_queries_attend_head_by_head(tmp_path: Path) -> None:
    """Five queries of two heads with 4, to six keys, which are scaled by a number."""
    nodes = [
        node("MatMul", ["x", "wk"], ["k"]),
        node("MatMul", ["x", "wv"], ["v"]),
        node("Reshape", ["k", "heads"], ["kh"]),
        node("Reshape", ["v", "heads"], ["vh"]),
        node("Transpose", ["kh"], ["kt"], perm=[0, 2, 3, 1]),
        node("Transpose", ["vh"], ["vt"], perm=[0, 2, 1, 3]),
        node("Mul", ["kt", "scale"], ["ks"]),
        node("MatMul", ["q", "ks"], ["s"]),
        node("Softmax", ["s"], ["p"], axis=-1),
        node("MatMul", ["p", "vt"], ["y"]),
    ]
    weights = {"wk": (8, 8), "wv": (8, 8), "q": (1, 2, 5, 4), "scale": (1,)}
    numbers = {"heads": [1, 6, 2, 4]}
    network = read(model(nodes, {"x": [1, 6, 8]}, {"y": None}, weights, numbers), tmp_path)
    assert network.macs == 2 * 6 * 64 + 2 * 5 * 6 * 8
    assert "matmul" not in ops(network)


def test_a_shape_of_which_one_size_is_put_in_is_followed(tmp_path: Path) -> None:
    """As torch writes `index_copy`: the shape of the buffer with as many places as are given."""
    nodes = [
        node("Shape", ["x"], ["sx"]),
        node("Shape", ["u"], ["su"]),
        node("ScatterElements", ["sx", "one", "su"], ["s"]),
        node("Expand", ["u", "s"], ["e"]),
        node("MatMul", ["e", "w"], ["y"]),
    ]
    graph = model(nodes, {"x": [1, 6, 8], "u": [1]}, {"y": None}, {"w": (8, 4)}, {"one": [1]})
    assert read(graph, tmp_path).macs == 8 * 4


@pytest.mark.parametrize("reduction", ["none", "add"])
def test_keys_that_are_put_into_a_buffer_stay_by_heads(reduction: str, tmp_path: Path) -> None:
    """One token's keys and values in buffers of ten, in two heads of 4: all of ten are read."""
    nodes = [node("MatMul", ["x", f"w{k}"], [k]) for k in "qkv"]
    nodes += [node("Reshape", [of, "split"], [f"{of}s"]) for of in "qkv"]
    nodes += [node("Transpose", [f"{of}s"], [f"{of}h"], perm=[0, 2, 1, 3]) for of in "qkv"]
    nodes += [
        node("ScatterElements", [f"p{k}", "at", f"{k}h"], [f"b{k}"], axis=2, reduction=reduction)
        for k in "kv"
    ]
    nodes.append(node("Attention", ["qh", "bk", "bv"], ["y"]))
    entering = {"x": [1, 1, 8], "at": [1, 2, 1, 4], "pk": PAST, "pv": PAST}
    weights = {f"w{k}": (8, 8) for k in "qkv"}
    graph = model(nodes, entering, {"y": None}, weights, {"split": [1, 1, 2, 4]}, 23)
    for value in graph.graph.input:
        if value.name == "at":
            value.type.tensor_type.elem_type = TensorProto.INT64
    network = read(graph, tmp_path)
    assert network.macs == 3 * 64 + 2 * 10 * 8
    assert ("exchange" in ops(network)) == (reduction == "add")
