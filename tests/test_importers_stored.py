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

from discosim.graph.counts import remarks
from discosim.graph.network import Network
from discosim.importers.torch.trace import trace
from discosim.networks import build
from tests.importing import model

pytestmark = pytest.mark.extras

node = helper.make_node


def read(graph: onnx.ModelProto, folder: Path) -> Network:
    target = folder / "net.onnx"
    target.write_bytes(graph.SerializeToString())
    return build(str(target))


def ops(network: Network) -> list[str]:
    return [layer.op for layer in network.layers]


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
        [line] = remarks(network)
        assert "72 weights are constants, or made of fewer parameters" in line


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
