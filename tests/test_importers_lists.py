"""Sequences of tensors in ONNX files: each tensor stands for itself."""

from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

from discosim.cli.types import parse_input
from discosim.errors import DiscosimError
from discosim.graph.network import Network
from tests.importing import model, ops, read

pytestmark = pytest.mark.extras

node = helper.make_node
value = helper.make_tensor_value_info
sequence = helper.make_tensor_sequence_value_info
TOKENS = {"x": [1, 5, 8]}
FIRST = node("MatMul", ["x", "w"], ["a"])
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def read_list(
    folder: Path, nodes: list[Any], numbers: dict[str, list[int]] | None = None, **more: Any
) -> Network:
    """Five tokens of 8 features times 8 x 8, and what follows."""
    weights = {"w": (8, 8), **more.get("weights", {})}
    graph = model([FIRST, *nodes], TOKENS, {"y": None}, weights, numbers, more.get("opset", 17))
    graph.graph.input.extend(more.get("entering", ()))
    graph.graph.initializer.extend(more.get("constants", ()))
    return read(graph, folder, more.get("given"))


def test_tensors_of_a_sequence_are_joined_and_taken(tmp_path: Path) -> None:
    """Features of x and of its product side by side, 16, and the product again."""
    nodes = [
        node("SequenceConstruct", ["a", "x"], ["s"]),
        node("ConcatFromSequence", ["s"], ["j"], axis=-1),
        node("MatMul", ["j", "v"], ["b"]),
        node("SequenceAt", ["s", "last"], ["x_again"]),
        node("Add", ["b", "x_again"], ["y"]),
    ]
    network = read_list(tmp_path, nodes, {"last": [-1]}, weights={"v": (16, 8)})
    assert network.macs == 5 * (64 + 128)
    assert ops(network) == ["linear", "concat", "linear", "add"]
    assert network.operands(network.layers[-1].name) == [network.layers[2].name, "input"]


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize(
    ("sizes", "taken", "width"), [([3, 5], 1, 5), ([4, 4], -2, 4), (3, 2, 2), (8, 0, 8)]
)
def test_a_tensor_is_split_into_a_sequence(
    sizes: int | list[int], taken: int, width: int, opset: int, tmp_path: Path
) -> None:
    """Sizes, or one size of which the last part has what is left: 3, 3 and 2 of 8."""
    shape = [len(sizes)] if isinstance(sizes, list) else []
    flat = sizes if isinstance(sizes, list) else [sizes]
    nodes = [
        node("SplitToSequence", ["a", "sizes"], ["s"], axis=2),
        node("SequenceAt", ["s", "at"], ["b"]),
        node("MatMul", ["b", "v"], ["y"]),
    ]
    given = helper.make_tensor("sizes", INT64, shape, flat)
    made: dict[str, Any] = {"weights": {"v": (width, 4)}, "constants": [given], "opset": opset}
    network = read_list(tmp_path, nodes, {"at": [taken]}, **made)
    assert network.macs == 5 * (64 + width * 4)
    assert network.params == 64 + width * 4


def test_steps_one_by_one_and_side_by_side_again(tmp_path: Path) -> None:
    """A sequence of five tokens without their axis, its length, and all of them stacked."""
    nodes = [
        node("SplitToSequence", ["a"], ["s"], axis=1, keepdims=0),
        node("SequenceErase", ["s", "last"], ["four"]),
        node("SequenceLength", ["four"], ["count"]),
        node("SequenceAt", ["s", "count"], ["fifth"]),
        node("SequenceInsert", ["four", "fifth", "zero"], ["turned"]),
        node("ConcatFromSequence", ["turned"], ["y"], axis=1, new_axis=1),
    ]
    network = read_list(tmp_path, nodes, {"last": [-1], "zero": [0]})
    stacked = network.layers[-1]
    assert (stacked.op, stacked.out_shape) == ("stack", (8, 5))
    first, second, *_ = network.operands(stacked.name)
    order = [layer.name for layer in network.layers]
    assert order.index(first) > order.index(second)  # the fifth before the first


def test_a_loop_fills_a_sequence(tmp_path: Path) -> None:
    """Three times 8 x 8, one matrix; every state is kept."""
    body = helper.make_graph(
        [
            node("MatMul", ["h", "w"], ["m"]),
            node("SequenceInsert", ["all", "m"], ["more"]),
            node("Identity", ["go"], ["on"]),
        ],
        "body",
        [value("i", INT64, []), value("go", BOOL, []), value("h", FLOAT, None),
         sequence("all", FLOAT, None)],
        [value("on", BOOL, []), value("m", FLOAT, None), sequence("more", FLOAT, None)],
    )  # fmt: skip
    nodes = [
        node("SequenceEmpty", [], ["none"]),
        node("Loop", ["count", "", "a", "none"], ["last", "states"], body=body),
        node("ConcatFromSequence", ["states"], ["y"], axis=1),
    ]
    count = helper.make_tensor("count", INT64, [], [3])
    network = read_list(tmp_path, nodes, constants=[count])
    assert (network.macs, network.params) == (4 * 5 * 64, 64)
    assert network.layers[-1].out_shape == (8, 15)


def test_a_function_of_each_tensor_is_written_out(tmp_path: Path) -> None:
    """SequenceMap over two tensors with a matrix of its own, stored once."""
    body = helper.make_graph(
        [node("MatMul", ["t", "v"], ["m"])], "body", [value("t", FLOAT, None)],
        [value("m", FLOAT, None)],
    )  # fmt: skip
    nodes = [
        node("SequenceConstruct", ["a", "x"], ["s"]),
        node("SequenceMap", ["s"], ["t"], body=body),
        node("ConcatFromSequence", ["t"], ["y"], axis=1),
    ]
    network = read_list(tmp_path, nodes, weights={"v": (8, 4)})
    assert network.macs == 5 * (64 + 2 * 32)
    assert network.params == 64 + 32


def test_a_sequence_that_is_an_output_is_all_its_tensors(tmp_path: Path) -> None:
    nodes = [node("Relu", ["a"], ["b"]), node("SequenceConstruct", ["a", "b"], ["s"])]
    graph = model([FIRST, *nodes], TOKENS, {}, {"w": (8, 8)})
    graph.graph.output.append(sequence("s", FLOAT, None))
    assert read(graph, tmp_path).outputs == ("a", "b")


def test_a_place_that_is_not_known_is_set_or_cut(tmp_path: Path) -> None:
    nodes = [
        node("SequenceConstruct", ["a", "x"], ["s"]),
        node("SequenceAt", ["s", "at"], ["b"]),
        node("MatMul", ["b", "w"], ["y"]),
    ]
    entering = [value("at", INT64, [])]
    chosen = {"entering": entering, "given": parse_input("at=0")}
    assert read_list(tmp_path, nodes, **chosen).macs == 5 * 2 * 64
    with pytest.raises(DiscosimError, match=r"goes by 'at', an input.*--input at=1"):
        read_list(tmp_path, nodes, entering=entering)
    by_data = [
        node("ReduceMax", ["a"], ["most"], keepdims=0),
        node("Cast", ["most"], ["at"], to=INT64),
        *nodes,
    ]
    with pytest.raises(DiscosimError, match=r"cut the file.*before it at 'a', 'x', behind it at"):
        read_list(tmp_path, by_data)
    with pytest.raises(DiscosimError, match="SequenceAt 'b' goes to place 2 of 2 tensors"):
        read_list(tmp_path, nodes, entering=entering, given=parse_input("at=2"))


def test_a_sequence_that_enters_is_cut_off(tmp_path: Path) -> None:
    nodes = [node("SequenceAt", ["s", "zero"], ["b"]), node("MatMul", ["b", "w"], ["y"])]
    entering = [sequence("s", FLOAT, None)]
    with pytest.raises(DiscosimError, match=r"'s' is a sequence of tensors.*cut the file behind b"):
        read_list(tmp_path, nodes, {"zero": [0]}, entering=entering)
