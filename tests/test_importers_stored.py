"""What is stored for a file or a module: parts, products, states and operands of any shape."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from discosim.errors import DiscosimError
from discosim.graph.counts import COSTED, remarks
from discosim.hardware.schema import DTYPES
from discosim.importers.sizes import NamedSizes
from discosim.importers.torch.trace import trace
from discosim.networks import build
from tests.importing import HEADER, model, ops, read, table

pytestmark = pytest.mark.extras

node = helper.make_node


def every_parameter(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


# Weights that are computed from parameters


def test_all_that_a_weight_is_computed_from_is_stored() -> None:
    """A norm for each of 8 filters, beside 8 x 27 weights and 8 biases: 232."""
    module = parametrizations.weight_norm(nn.Conv2d(3, 8, 3))
    network = trace(module, torch.zeros(1, 3, 6, 6))
    assert network.params == every_parameter(module) == 232
    assert network.macs == 16 * 216
    assert remarks(network) == []


def test_low_rank_additions_to_a_weight_are_stored(tmp_path: Path) -> None:
    """8 x 8, and 8 x 2 with 2 x 8: 96 of which a product of 64 is made; used twice, held once."""
    nodes = [
        node("MatMul", ["a", "b"], ["ab"]),
        node("Add", ["w", "ab"], ["sum"]),
        node("MatMul", ["x", "sum"], ["h"]),
        node("MatMul", ["h", "sum"], ["y"]),
    ]
    weights = {"a": (8, 2), "b": (2, 8), "w": (8, 8)}
    network = read(model(nodes, {"x": [1, 5, 8]}, {"y": None}, weights), tmp_path)
    assert network.params == 96
    assert network.macs == 2 * 5 * 64


def test_a_part_of_a_parameter_that_is_read_twice_is_in_memory_once(tmp_path: Path) -> None:
    """Halves of an 8 x 16 matrix: one of them read by two layers, and cut out twice."""
    nodes = [
        node("Slice", ["w", "zero", "eight", "one"], ["left"]),
        node("Slice", ["w", "zero", "eight", "one"], ["again"]),
        node("Slice", ["w", "eight", "sixteen", "one"], ["right"]),
        node("MatMul", ["x", "left"], ["a"]),
        node("MatMul", ["a", "again"], ["b"]),
        node("MatMul", ["b", "left"], ["c"]),
        node("MatMul", ["c", "right"], ["y"]),
    ]
    numbers = {"zero": [0], "eight": [8], "sixteen": [16], "one": [1]}
    graph = model(nodes, {"x": [1, 5, 8]}, {"y": None}, {"w": (8, 16)}, numbers)
    network = read(graph, tmp_path)
    assert network.params == 128
    assert network.macs == 4 * 5 * 64


def test_a_table_of_which_a_part_is_read_is_stored_whole() -> None:
    """Positions of 20 tokens, of which 5 are used: 20 x 8 beside the 50 x 8 of words."""

    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.places = nn.Embedding(50, 8), nn.Embedding(20, 8)
            self.out = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.words(x) + self.places.weight[: x.shape[1]])

    network = trace(Words(), torch.zeros(1, 5, dtype=torch.long))
    assert network.params == every_parameter(Words()) == 70 * 8 + 72


def test_a_kernel_that_is_no_parameter_is_told() -> None:
    """A blur of 9 numbers, repeated for 8 channels: 72 weights, and a line that says so."""

    class Blurred(nn.Module):
        def __init__(self, *, learned: bool) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 1)
            if learned:
                self.blur = nn.Parameter(torch.zeros(1, 1, 3, 3))
            else:
                self.register_buffer("blur", torch.zeros(1, 1, 3, 3))

        def forward(self, x: Tensor) -> Tensor:
            return F.conv2d(self.conv(x), self.blur.expand(8, 1, 3, 3), groups=8)

    for learned in (True, False):
        network = trace(Blurred(learned=learned), torch.zeros(1, 3, 6, 6))
        assert network.params == 32 + 72
        line, *more = remarks(network)
        assert "72 weights are constants, or made of fewer parameters" in line
        assert [" 9 numbers are in buffers" in each for each in more] == [True] * (not learned)


def test_parameters_that_nothing_reads_are_told() -> None:
    class Spare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.spare = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            return self.used(x)

    network = trace(Spare(), torch.zeros(1, 8))
    assert network.params == 72
    [line] = remarks(network)
    assert "72 parameters are read by nothing" in line
    assert "spare.weight" in line


# Operands of any shape


@pytest.mark.parametrize("shape", [(32,), (1, 32), (4, 1), (4, 32), (1,), ()])
def test_the_third_operand_of_gemm_is_stored_as_it_is(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    """Whatever repeats to 4 x 32; a single number is no parameter."""
    graph = model(
        [node("Gemm", ["x", "w", "c"], ["y"])],
        {"x": [4, 16]},
        {"y": None},
        {"w": (16, 32), "c": shape},
    )
    network = read(graph, tmp_path)
    held = prod(shape) if prod(shape) > 1 else 0
    assert network.params == 16 * 32 + held
    assert network.macs == 4 * 16 * 32


def test_an_operand_of_gemm_that_is_multiplied_by_nothing_is_none(tmp_path: Path) -> None:
    nodes = [node("Gemm", ["x", "w", "c"], ["y"], beta=0.0)]
    graph = model(nodes, {"x": [4, 16]}, {"y": None}, {"w": (16, 32), "c": (32,)})
    assert read(graph, tmp_path).params == 16 * 32


@pytest.mark.parametrize("spelling", ["initializer", "filled", "sliced"])
@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_a_state_of_zeros_is_no_parameter(
    op: str, gates: int, spelling: str, tmp_path: Path
) -> None:
    """torch.onnx writes zeros where no state is given: an operator without it begins so too."""
    zeros = onnx.numpy_helper.from_array(np.zeros((1, 1, 5), np.float32), "state")
    several = onnx.numpy_helper.from_array(np.zeros((3, 1, 5), np.float32), "states")
    made: list[Any] = []
    if spelling == "filled":
        value = helper.make_tensor("value", 1, [1], [0.0])
        made = [node("ConstantOfShape", ["sizes"], ["state"], value=value)]
    elif spelling == "sliced":
        made = [node("Slice", ["states", "one", "two", "zero"], ["state"])]
    names = ["x", "w", "r", "", "", "state", *(["state"] * (op == "LSTM"))]
    graph = model(
        [*made, node(op, names, ["", "h"], hidden_size=5)],
        {"x": [7, 1, 6]},
        {"h": None},
        {"w": (1, gates * 5, 6), "r": (1, gates * 5, 5)},
        {"sizes": [1, 1, 5], "zero": [0], "one": [1], "two": [2]},
    )
    if spelling == "initializer":
        graph.graph.initializer.append(zeros)
    elif spelling == "sliced":
        graph.graph.initializer.append(several)
    network = read(graph, tmp_path)
    assert network.params == gates * 5 * (6 + 5)
    assert network.macs == 7 * gates * 5 * (6 + 5)


def test_states_of_all_directions_are_features_in_either_layout(tmp_path: Path) -> None:
    """(batch, steps, directions, H) with layout 1: 2 x 5 features at 2 x 7 positions."""
    ways = {"hidden_size": 5, "layout": 1, "direction": "bidirectional"}
    nodes = [node("LSTM", ["x", "w", "r"], ["y"], **ways)]
    weights = {"w": (2, 20, 6), "r": (2, 20, 5)}
    network = read(model(nodes, {"x": [2, 7, 6]}, {"y": None}, weights), tmp_path)
    assert network.layers[0].out_features == 10
    assert network.macs == 2 * 7 * 2 * 20 * 11


# Outputs after the first


def test_the_statistics_of_a_norm_are_read(tmp_path: Path) -> None:
    """The mean and the inverse deviation of each position, which every node has."""
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("LayerNormalization", ["a", "g", "b"], ["n", "mean", "inverse"]),
        node("Mul", ["n", "inverse"], ["y"]),
    ]
    weights = {"w": (16, 32), "g": (32,), "b": (32,)}
    network = read(model(nodes, {"x": [1, 5, 16]}, {"y": None, "mean": None}, weights), tmp_path)
    assert ops(network) == ["linear", "layer_norm", "reduce", "reduce", "multiply"]
    assert network.params == 16 * 32 + 64
    assert len(network.outputs) == 2


def test_the_places_of_maxima_are_read(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["a"], kernel_shape=[1, 1]),
        node("MaxPool", ["a"], ["p", "i"], kernel_shape=[2, 2], strides=[2, 2]),
        node("MaxUnpool", ["p", "i"], ["u"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["u", "v"], ["y"], kernel_shape=[1, 1]),
    ]
    weights = {"w": (8, 3, 1, 1), "v": (4, 8, 1, 1)}
    network = read(model(nodes, {"x": [1, 3, 4, 4]}, {"y": None}, weights), tmp_path)
    assert ops(network) == ["conv", "pool", "side_output", "opaque", "conv"]
    assert network.macs == 16 * (24 + 32)


def test_one_hot_words_need_no_table(tmp_path: Path) -> None:
    nodes = [node("OneHot", ["x", "depth", "values"], ["o"]), node("MatMul", ["o", "w"], ["y"])]
    numbers = {"depth": [16]}
    graph = model(nodes, {"x": [1, 5]}, {"y": None}, {"w": (16, 32), "values": (2,)}, numbers)
    graph.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    network = read(graph, tmp_path)
    assert ops(network) == ["lookup", "linear"]
    assert network.params == 16 * 32


# Data types


def as_half(graph: onnx.ModelProto) -> onnx.ModelProto:
    for tensor in graph.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            tensor.data_type = onnx.TensorProto.FLOAT16
            tensor.raw_data = bytes(2 * prod(tensor.dims))
    return graph


def test_features_are_what_is_computed_not_what_enters(tmp_path: Path) -> None:
    """Converters keep inputs and outputs in fp32 and cast: all between is fp16."""
    nodes = [
        node("Cast", ["x"], ["half"], to=onnx.TensorProto.FLOAT16),
        node("Conv", ["half", "w"], ["a"], kernel_shape=[1, 1]),
        node("Conv", ["a", "v"], ["b"], kernel_shape=[1, 1]),
        node("Cast", ["b"], ["y"], to=onnx.TensorProto.FLOAT),
    ]
    weights = {"w": (64, 3, 1, 1), "v": (4, 64, 1, 1)}
    network = read(as_half(model(nodes, {"x": [1, 3, 4, 4]}, {"y": None}, weights)), tmp_path)
    assert network.dtype == "fp16"
    lines = remarks(network)
    assert any("give --dtype fp16" in line for line in lines)
    assert any(f"{16 * 71:,} in fp16, 64 in fp32" in line for line in lines)


def test_a_module_that_casts_has_the_features_that_it_computes() -> None:
    class Casting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 80).bfloat16()

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x).bfloat16())

    network = trace(Casting(), torch.zeros(1, 8))
    assert network.dtype == "bf16"
    assert any("88 in bf16, 8 in fp32" in line for line in remarks(network))


@pytest.mark.parametrize(
    ("kind", "dtype"), [("INT8", "int8"), ("INT16", "int16"), ("FLOAT8E4M3FN", "fp8")]
)
def test_features_are_quantised_to_what_the_file_says(
    kind: str, dtype: str, tmp_path: Path
) -> None:
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("MatMul", ["d", "w"], ["y"]),
    ]
    graph = model(nodes, {"x": [1, 5, 8]}, {"y": None}, {"w": (8, 8)}, opset=21)
    zero = helper.make_tensor("z", getattr(onnx.TensorProto, kind), [], [0])
    graph.graph.initializer.extend([helper.make_tensor("s", 1, [], [0.1]), zero])
    network = read(graph, tmp_path)
    assert network.dtype == dtype
    [line] = remarks(network)
    assert ("give --dtype" in line) == (dtype == "int8")


def test_scales_of_weights_are_not_learned(tmp_path: Path) -> None:
    """8 x 8 in int8 with a scale and a zero for each of 8 columns: 64."""
    nodes = [
        node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=1),
        node("MatMul", ["x", "w"], ["y"]),
    ]
    graph = model(nodes, {"x": [1, 5, 8]}, {"y": None}, {"s": (8,)})
    whole = [helper.make_tensor("q", 3, [8, 8], [1] * 64), helper.make_tensor("z", 3, [8], [0] * 8)]
    graph.graph.initializer.extend(whole)
    assert read(graph, tmp_path).params == 64


def test_the_data_types_that_are_offered_are_those_that_are_taken() -> None:
    assert set(COSTED) == set(DTYPES)


# Control flow, and data beside the file


def test_a_constant_in_the_body_of_a_loop_is_stored_once(tmp_path: Path) -> None:
    values = helper.make_tensor_value_info
    matrix = helper.make_tensor("matrix", 1, [8, 8], [1.0] * 64)
    body = helper.make_graph(
        [
            node("Constant", [], ["w"], value=matrix),
            node("MatMul", ["h", "w"], ["m"]),
            node("Identity", ["go"], ["on"]),
        ],
        "body",
        [values("i", 7, []), values("go", 9, []), values("h", 1, None)],
        [values("on", 9, []), values("m", 1, None)],
    )
    nodes = [node("Loop", ["count", "", "x"], ["y"], body=body)]
    graph = model(nodes, {"x": [1, 6, 8]}, {"y": None})
    graph.graph.initializer.append(helper.make_tensor("count", 7, [], [3]))
    network = read(graph, tmp_path)
    assert network.params == 64
    assert network.macs == 3 * 6 * 64


def beside(tensor: onnx.TensorProto) -> None:
    for field in ("raw_data", "int64_data", "float_data"):
        tensor.ClearField(field)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="numbers.bin")


def test_shapes_that_lie_beside_the_file_are_read(tmp_path: Path) -> None:
    """As onnx.save_model writes them where everything is external."""
    nodes = [node("Gemm", ["x", "w"], ["a"]), node("Reshape", ["a", "s"], ["b"])]
    nodes.append(node("MatMul", ["b", "v"], ["y"]))
    weights = {"w": (8, 40), "v": (10, 3)}
    graph = model(nodes, {"x": [1, 8]}, {"y": None}, weights, {"s": [1, 4, 10]})
    for tensor in graph.graph.initializer:
        beside(tensor)
    shape = next(tensor for tensor in graph.graph.initializer if tensor.name == "s")
    shape.external_data.add(key="length", value="24")
    with pytest.raises(DiscosimError, match=r"'s'.*put its external data beside it"):
        read(graph, tmp_path)
    (tmp_path / "numbers.bin").write_bytes(np.array([1, 4, 10], np.int64).tobytes())
    assert read(graph, tmp_path).macs == 8 * 40 + 4 * 10 * 3


def test_missing_data_of_a_constant_operator_is_told(tmp_path: Path) -> None:
    matrix = helper.make_tensor("matrix", 1, [8, 40], [1.0] * 320)
    nodes = [node("Constant", [], ["w"], value=matrix), node("Gemm", ["x", "w"], ["y"])]
    graph = model(nodes, {"x": [1, 8]}, {"y": None})
    beside(graph.graph.node[0].attribute[0].t)
    network = read(graph, tmp_path)
    assert network.params == 320
    assert any("'numbers.bin' is missing" in line for line in remarks(network))


# Tables


def test_one_filter_that_could_be_depthwise_is_told(tmp_path: Path) -> None:
    """7 x 7 over all of 256 channels, before 256: MobileFaceNet's is depthwise, and called so."""
    rows = (HEADER, "a,9,9,3,3,64,256,1,", "{},7,7,7,7,256,1,1,", "b,1,1,1,1,256,10,1,")
    network = table(tmp_path, *(row.format("whole") for row in rows))
    assert network.layers[1].out_features == 1
    line, edge = remarks(network)
    assert "whole" in line
    assert "a name with dw" in line
    assert "a layer reads the last one with as many features: b reads a" in edge
    network = table(tmp_path, *(row.format("depth_wise") for row in rows))
    assert network.layers[1].out_features == 256


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_cells_may_stand_between_other_characters(between: str, tmp_path: Path) -> None:
    lines = [line.replace(",", between) for line in (HEADER, "a,8,8,3,3,3,8,1,")]
    assert table(tmp_path, *lines).macs == 36 * 27 * 8


def test_edges_that_a_table_does_not_state_are_told(tmp_path: Path) -> None:
    """A shortcut of 8 channels around 4, and 5 that nobody makes."""
    rows = ("a,8,8,1,1,3,8,1,", "b,8,8,1,1,8,4,1,", "c,8,8,1,1,8,6,1,", "d,8,8,1,1,5,2,1,")
    first, second = remarks(table(tmp_path, HEADER, *rows))
    assert first.endswith("a layer reads the last one with as many features: c reads a")
    assert second.endswith("no layer makes what these read, which is placed anew: d")
    assert remarks(table(tmp_path, HEADER, *rows[:2])) == []


def test_products_of_a_table_say_what_they_are_taken_for(tmp_path: Path) -> None:
    [line] = remarks(table(tmp_path, "Layer, M, N, K", "scores, 128, 128, 64"))
    assert "K x N weights" in line


# Operators of ONNX Runtime's optimiser


def optimised(nodes: list[Any], weights: dict[str, tuple[int, ...]]) -> onnx.ModelProto:
    """Six tokens of 16 features, through operators of the domain com.microsoft among others."""
    graph = model(nodes, {"x": [1, 6, 16]}, {"y": None}, weights)
    graph.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return graph


def theirs(op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    return node(op, inputs, outputs, domain="com.microsoft", **attributes)


def test_fused_operators_are_those_that_they_stand_for(tmp_path: Path) -> None:
    """An encoder: attention of two heads, sums with norms, a bias with GELU, a matrix turned.

    By hand: 6 x (16 x 48 + 2 x 16 x 16 + 2 x 16 x 32) of the matrices, 2 x 6 x 6 x 16 of attention.
    """
    nodes = [
        theirs("Attention", ["x", "qkv", "b1"], ["a"], num_heads=2),
        node("MatMul", ["a", "o"], ["p"]),
        theirs("SkipLayerNormalization", ["p", "x", "g1", "s1", "b2"], ["n", "", "", "sum"]),
        node("MatMul", ["n", "up"], ["u"]),
        theirs("BiasGelu", ["u", "b3"], ["act"]),
        theirs("FusedMatMul", ["act", "down"], ["d"], transB=1),
        theirs("SkipSimplifiedLayerNormalization", ["d", "sum", "g2"], ["m"]),
        node("MatMul", ["m", "o"], ["y"]),
    ]
    vectors = {"b1": (48,), "b2": (16,), "b3": (32,), "g1": (16,), "s1": (16,), "g2": (16,)}
    matrices = {"qkv": (16, 48), "o": (16, 16), "up": (16, 32), "down": (16, 32)}
    network = read(optimised(nodes, {**vectors, **matrices}), tmp_path)
    assert network.macs == 6 * (16 * 48 + 2 * 16 * 16 + 2 * 16 * 32) + 2 * 6 * 6 * 16
    assert network.params == sum(prod(shape) for shape in (*vectors.values(), *matrices.values()))
    assert [op for op in ops(network) if op in ("attention", "layer_norm", "l2_norm")] == [
        "attention",
        "layer_norm",
        "l2_norm",
    ]
    assert remarks(network) == []


def test_what_is_not_known_of_other_domains_says_what_to_do(tmp_path: Path) -> None:
    past = [theirs("Attention", ["x", "w", "", "", "x"], ["y"], num_heads=2)]
    with pytest.raises(DiscosimError, match="as it was before a runtime's optimisation"):
        read(optimised(past, {"w": (16, 48)}), tmp_path)
    experts = [theirs("MoE", ["x", "w"], ["y"])]
    with pytest.raises(DiscosimError, match=r"MoE of domain 'com.microsoft'.*cut it before.*'y'"):
        read(optimised(experts, {"w": (16, 32)}), tmp_path)


# Vectors, and batches


@pytest.mark.parametrize(
    ("left", "right", "entering", "macs"),
    [
        ("w", "x", [6], 8 * 6),  # a matrix before a vector
        ("v", "x", [6, 10], 6 * 10),  # a vector before a matrix that enters
        ("x", "v", [10, 6], 6 * 10),
    ],
)
def test_products_with_vectors_are_layers(
    left: str, right: str, entering: list[int], macs: int, tmp_path: Path
) -> None:
    weights = {"w": (8, 6), "v": (6,)}
    used = {name: weights[name] for name in (left, right) if name in weights}
    nodes = [node("MatMul", [left, right], ["y"])]
    network = read(model(nodes, {"x": entering}, {"y": None}, used), tmp_path)
    assert ops(network)[-1] == "linear"
    assert network.macs == macs
    assert network.params == sum(prod(shape) for shape in used.values())


def test_an_open_batch_may_be_given_with_the_rest(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], ["y"])]
    graph = model(nodes, {"x": ["b", 5, 16]}, {"y": None}, {"w": (16, 32)})
    target = tmp_path / "net.onnx"
    target.write_bytes(graph.SerializeToString())
    network = build(str(target), NamedSizes((("x", (4, 5, 16)),)))
    assert network.macs == 4 * 5 * 16 * 32
