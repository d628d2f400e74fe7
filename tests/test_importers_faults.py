"""What files and modules hold that is easily lost: axes, operands, outputs, types, unknown work."""

import warnings
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn
from torch.nn import functional as F

import discosim as ds
from discosim.errors import DiscosimError
from discosim.graph.counts import counts, remarks
from discosim.graph.network import Network
from discosim.graph.table import tabulate
from discosim.importers.nodelink import read_json, to_json
from discosim.importers.torch.trace import trace
from discosim.networks import build
from tests.configurations import on, swept
from tests.importing import HEADER, model, ops, read, table

pytestmark = pytest.mark.extras

node = helper.make_node


def exchanged_elems(network: Network, nodes: int) -> float:
    """What all nodes receive with whole features, the gathering of the output left out."""
    [row] = swept(network, nodes=[nodes], s_comm=[0.0]).to_dict("records")
    return float(row["bytes_per_node"]) * nodes / 4


def every_parameter(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


# Which axis features lie on


def test_features_of_tokens_are_what_the_layers_mix() -> None:
    """50 tokens of 128 features: the second matrix needs the half of 6,400 that a node lacks."""
    module = nn.Sequential(nn.LayerNorm(128), nn.Linear(128, 128), nn.Linear(128, 128))
    network = trace(module, torch.zeros(1, 50, 128))
    assert ops(network) == ["layer_norm", "linear", "linear"]
    assert network.params == every_parameter(module)
    assert network.macs == 2 * 50 * 128 * 128
    assert exchanged_elems(network, 2) * 4 == 25_600


@pytest.mark.parametrize(
    "first",
    [nn.LayerNorm(16), nn.ReLU(), nn.Identity(), nn.Softmax(-1), nn.Dropout(0.1)],
    ids=lambda module: type(module).__name__,
)
def test_whatever_reads_the_input_first_its_mixers_say_where_features_lie(
    first: nn.Module,
) -> None:
    module = nn.Sequential(first, nn.Linear(16, 12), nn.Linear(12, 8))
    network = trace(module, torch.zeros(1, 9, 16))
    assert network.macs == 9 * (16 * 12 + 12 * 8)
    assert "mix_positions" not in ops(network)
    assert exchanged_elems(network, 2) == 9 * 12


def test_a_cut_tail_of_a_transformer_keeps_its_class_token() -> None:
    class Tail(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.place = (
                nn.Parameter(torch.zeros(1, 1, 16)),
                nn.Parameter(torch.zeros(1, 10, 16)),
            )
            self.norm, self.out = nn.LayerNorm(16), nn.Linear(16, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.norm(torch.cat([self.token, x], 1) + self.place)[:, 0])

    network = trace(Tail(), torch.zeros(1, 9, 16))
    assert ops(network) == ["embed", "layer_norm", "reshape", "linear"]
    assert network.params == every_parameter(Tail())


def test_a_sound_of_one_channel_has_one_feature() -> None:
    network = trace(nn.Sequential(nn.Conv1d(1, 8, 3), nn.ReLU()), torch.zeros(1, 1, 50))
    assert network.input_shape == (1, 50)
    assert trace(nn.Linear(50, 4), torch.zeros(1, 1, 50)).input_shape == (50, 1)


def test_an_image_with_its_channels_last() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(((x - 0.5) / 0.2).permute(0, 3, 1, 2))

    network = trace(Last(), torch.zeros(1, 8, 6, 3))
    assert network.layers[0].out_shape == (3, 8, 6)
    assert network.macs == 3 * 8 * 48


def test_behind_an_unknown_operator_the_mixers_say_too(tmp_path: Path) -> None:
    """Hann windows of a spectrum, say: (1, 9, 16) of which a matrix mixes the last axis."""
    nodes = [
        node("Conv", ["x", "c"], ["a"], kernel_shape=[1]),
        node("ReverseSequence", ["a", "n"], ["r"], batch_axis=0, time_axis=1),
        node("MatMul", ["r", "w"], ["y"]),
    ]
    weights = {"c": (9, 3, 1), "w": (16, 5)}
    graph = model(nodes, {"x": [1, 3, 16]}, {"y": None}, weights, {"n": [9]})
    network = read(graph, tmp_path)
    assert ops(network) == ["conv", "opaque", "linear"]
    assert network.layers[1].out_shape == (16, 9)
    assert network.macs == 9 * 3 * 16 + 9 * 16 * 5


# Operands after the first


class Masked(nn.Module):
    """Attention with a learned mask, four spellings of it."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.first, self.qkv, self.out = nn.Linear(32, 32), nn.Linear(32, 96), nn.Linear(32, 32)
        self.mask = nn.Parameter(torch.zeros(32, 32))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            each.view(1, 32, 2, 16).transpose(1, 2) for each in self.qkv(self.first(x)).chunk(3, -1)
        )
        if self.how == "fused":
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask)
        elif self.how == "products":
            y = (q @ k.transpose(-1, -2) / 4 + self.mask).softmax(-1) @ v
        elif self.how == "einsum":
            scores = torch.einsum("bhqd,bhkd->bhqk", q, k) / 4 + self.mask
            y = torch.einsum("bhqk,bhkd->bhqd", scores.softmax(-1), v)
        else:
            q, k, v = (each.flatten(0, 1) for each in (q, k, v))
            scores = torch.baddbmm(self.mask.expand(2, 32, 32), q, k.transpose(1, 2))
            y = torch.bmm(scores.softmax(-1), v)[None]
        return self.out(y.transpose(1, 2).flatten(2))


@pytest.mark.parametrize("how", ["fused", "products", "einsum", "batched"])
def test_a_learned_mask_is_a_parameter(how: str) -> None:
    """32 x 32 + 32, 32 x 96 + 96, 32 x 32 + 32 of the layers and 32 x 32 of the mask: 6,304."""
    network = trace(Masked(how), torch.zeros(1, 32, 32))
    assert network.params == every_parameter(Masked(how)) == 6_304
    assert "attention" in ops(network)
    assert network.macs == 32 * (32 * 32 + 32 * 96 + 32 * 32) + 2 * 32 * 32 * 32


def test_a_mask_that_is_computed_is_read() -> None:
    class Keyed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)

        def forward(self, x: Tensor, kept: Tensor) -> Tensor:
            q, k, v = (z.view(1, 6, 2, 8).transpose(1, 2) for z in self.qkv(x).chunk(3, -1))
            scores = (q @ k.transpose(-1, -2)).masked_fill(kept[:, None, None] == 0, -1e9)
            return self.out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))

    network = trace(Keyed(), (torch.zeros(1, 6, 16), torch.ones(1, 6)))
    [attention] = [layer for layer in network.layers if layer.op == "attention"]
    mask = network.operands(attention.name)[1]
    assert network.operands(mask) == [network.inputs[1][0]]
    assert attention.macs == 2 * 6 * 6 * 16


def test_a_constant_mask_of_a_file_is_no_parameter(tmp_path: Path) -> None:
    """0 and one other number: causal. A table of biases of the same size is learned."""

    def attending(bias: np.ndarray) -> Network:
        nodes = [
            node("MatMul", ["x", "w"], ["p"]),
            node("Reshape", ["p", "parted"], ["r"]),
            node("Transpose", ["r"], ["t"], perm=[2, 0, 3, 1, 4]),
            node("Split", ["t"], ["q5", "k5", "v5"], axis=0),
            *(node("Squeeze", [f"{n}5", "zero"], [n]) for n in "qkv"),
            node("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
            node("MatMul", ["q", "kt"], ["s"]),
            node("Add", ["s", "bias"], ["b"]),
            node("Softmax", ["b"], ["a"]),
            node("MatMul", ["a", "v"], ["y"]),
        ]
        numbers = {"parted": [1, 6, 3, 2, 8], "zero": [0]}
        graph = model(nodes, {"x": [1, 6, 16]}, {"y": None}, {"w": (16, 48)}, numbers)
        graph.graph.initializer.append(onnx.numpy_helper.from_array(bias, "bias"))
        return read(graph, tmp_path)

    causal = np.triu(np.full((6, 6), -1e9, np.float32), 1)
    learned = np.linspace(-1, 1, 36, dtype=np.float32).reshape(6, 6)
    assert attending(causal).params == 16 * 48
    assert attending(learned).params == 16 * 48 + 36


def test_scores_that_somebody_else_reads_are_computed_once() -> None:
    """Attention that hands out its weights: 4 linear maps, q k^T, and its product with v."""

    class Weighed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attend = nn.MultiheadAttention(16, 4, batch_first=True)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            both: tuple[Tensor, Tensor] = self.attend(x, x, x)
            return both

    network = trace(Weighed(), torch.zeros(1, 10, 16))
    assert network.macs == 10 * 16 * (48 + 16) + 2 * 10 * 10 * 16
    assert len(network.outputs) == 2


def test_a_norm_has_the_parameters_that_it_has() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8, affine=False))
    assert trace(module, torch.zeros(1, 3, 6, 6)).params == every_parameter(module) == 32


def test_a_residual_as_third_operand_of_a_product(tmp_path: Path) -> None:
    """addmm(h, relu(h), w): an addition of 4 x 32, and no bias of 32."""

    class Added(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.weight = nn.Linear(16, 32), nn.Parameter(torch.zeros(32, 32))

        def forward(self, x: Tensor) -> Tensor:
            h = self.first(x)
            return torch.addmm(h, F.relu(h), self.weight)

    network = trace(Added(), torch.zeros(4, 16))
    assert ops(network) == ["linear", "activation", "linear", "add"]
    assert network.params == every_parameter(Added())
    nodes = [
        node("Gemm", ["x", "a"], ["h"]),
        node("Relu", ["h"], ["r"]),
        node("Gemm", ["r", "b", "h"], ["y"]),
    ]
    weights = {"a": (16, 32), "b": (32, 32)}
    again = read(model(nodes, {"x": [4, 16]}, {"y": None}, weights), tmp_path)
    assert ops(again) == ops(network)
    peak = tabulate(again).live_elems.max() * 4
    assert peak == 3 * 4 * 32 * 4 / 2 * 2  # h, relu(h) and their product: 1,536 = 3 x 512


def test_a_grid_that_is_computed_is_read() -> None:
    class Warped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.flow, self.out = (nn.Conv2d(3, n, 1) for n in (8, 2, 4))
            self.out = nn.Conv2d(8, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            grid = self.flow(x).permute(0, 2, 3, 1)
            return self.out(F.grid_sample(self.conv(x), grid, align_corners=False))

    network = trace(Warped(), torch.zeros(1, 3, 8, 8))
    [sample] = [layer for layer in network.layers if layer.op == "sample"]
    assert network.operands(sample.name) == ["conv", "flow"]
    assert network.outputs == ("out",)
    # on 2 nodes each lacks one of the flow's two features, then half of the samples' eight
    assert exchanged_elems(network, 2) == 64 * (2 * 1 + 2 * 4)


def test_computed_scale_and_shift_are_read(tmp_path: Path) -> None:
    """Adaptive instance normalisation, as one operator of a file."""
    nodes = [
        node("Conv", ["x", "c"], ["a"], kernel_shape=[1, 1]),
        node("Gemm", ["z", "s"], ["scale"]),
        node("Gemm", ["z", "t"], ["shift"]),
        node("Reshape", ["scale", "flat"], ["scale1"]),
        node("Reshape", ["shift", "flat"], ["shift1"]),
        node("InstanceNormalization", ["a", "scale1", "shift1"], ["n"]),
        node("Relu", ["n"], ["y"]),
    ]
    weights = {"c": (8, 3, 1, 1), "s": (4, 8), "t": (4, 8)}
    inputs = {"x": [1, 3, 5, 5], "z": [1, 4]}
    network = read(model(nodes, inputs, {"y": None}, weights, {"flat": [8]}), tmp_path)
    assert ops(network).count("linear") == 2
    assert {"multiply", "add"} <= set(ops(network))
    assert len(network.outputs) == 1
    assert network.params == 24 + 32 + 32


def test_the_larger_of_two_tensors_reads_both() -> None:
    class Larger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 8, 1), nn.Conv2d(3, 8, 1)

        def forward(self, x: Tensor) -> Tensor:
            return torch.max(self.a(x), self.b(x))

    network = trace(Larger(), torch.zeros(1, 3, 4, 4))
    assert network.params == every_parameter(Larger())
    assert network.outputs == ("max_1",)


def test_positions_that_are_computed_are_read() -> None:
    class Chosen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.score, self.b = nn.Linear(8, 8), nn.Linear(8, 1), nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            h = self.a(x)
            return self.b(h[:, self.score(h)[0, :, 0].argsort()[:3]])

    network = trace(Chosen(), torch.zeros(1, 6, 8))
    [sample] = [layer for layer in network.layers if layer.op == "sample"]
    assert len(network.operands(sample.name)) == 2
    assert network.macs == 6 * 64 + 6 * 8 + 3 * 64


# Work


@pytest.mark.parametrize(
    ("make", "gates"),
    [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)],
    ids=["lstm", "gru", "rnn"],
)
@pytest.mark.parametrize("both", [False, True], ids=["one way", "both ways"])
def test_recurrent_layers_count_their_products(
    make: Callable[..., nn.Module], gates: int, both: bool
) -> None:
    """T x directions x gates x H (I + H), by layer; the second reads what both directions make."""

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = make(12, 20, num_layers=2, bidirectional=both)

        def forward(self, x: Tensor) -> Tensor:
            return self.layers(x)[0]

    network = trace(Recurrent(), torch.zeros(7, 1, 12))
    directions = 1 + both
    expected = 7 * directions * gates * 20 * ((12 + 20) + (20 * directions + 20))
    assert network.macs == expected
    assert network.params == every_parameter(Recurrent())
    assert ops(network) == ["recurrent", "recurrent"]
    assert any("not how their features are placed" in line for line in remarks(network))


@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_a_recurrent_layer_with_all_its_outputs_is_one_row(
    op: str, gates: int, tmp_path: Path
) -> None:
    """Its input of 50 x 32 is exchanged once: 12,800 bytes where each of two nodes has half."""
    names = ["y", "h", *(["c"] * (op == "LSTM"))]
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node("MatMul", ["t", "m"], ["a"]),
        node(op, ["a", "w", "r"], names, hidden_size=24),
    ]
    weights = {"m": (16, 32), "w": (1, gates * 24, 32), "r": (1, gates * 24, 24)}
    outputs: dict[str, Any] = dict.fromkeys(names)
    network = read(model(nodes, {"x": [1, 50, 16]}, outputs, weights), tmp_path)
    assert ops(network)[:2] == ["linear", "recurrent"]
    assert ops(network)[2:] == ["side_output"] * (len(names) - 1)
    assert network.macs == 50 * 16 * 32 + 50 * gates * 24 * (32 + 24)
    assert exchanged_elems(network, 2) * 4 == 50 * 32 * 4 * 2 / 2
    assert network.params == 16 * 32 + gates * 24 * (32 + 24)


def test_several_outputs_of_any_operator_are_one_row(tmp_path: Path) -> None:
    nodes = [
        node("Gemm", ["x", "w"], ["a"]),
        node("TopK", ["a", "k"], ["v", "i"]),
        node("Gemm", ["v", "u"], ["y"]),
    ]
    weights = {"w": (8, 16), "u": (4, 3)}
    graph = model(nodes, {"x": [1, 8]}, {"y": None, "i": None}, weights, {"k": [4]})
    network = read(graph, tmp_path)
    assert sorted(ops(network)) == ["exchange", "linear", "linear", "side_output"]
    # each node lacks half of the sixteen, and of the four that were chosen
    assert exchanged_elems(network, 2) == 16 + 4


EQUATIONS = {
    # letters, shapes, and the products by hand
    "...d,de->...e": (((1, 6, 16), None), 6 * 16 * 24),
    "btd,df,fe->bte": (((1, 6, 16), None, None), 6 * 16 * 8 + 6 * 8 * 24),
    "bij,bjk->bik": (((2, 6, 16), (2, 16, 5)), 2 * 6 * 16 * 5),
    "bhqd,bhkd->bhqk": (((1, 2, 6, 8), (1, 2, 6, 8)), 2 * 6 * 6 * 8),
    "...qd,...kd->...qk": (((1, 2, 6, 8), (1, 2, 6, 8)), 2 * 6 * 6 * 8),
    "bi,bj->bij": (((1, 6), (1, 5)), 0),
    "bij->bji": (((1, 6, 5),), 0),
    "bij->bi": (((1, 6, 5),), 0),
    "bqd,bkd,bkv->bqv": (((1, 6, 8), (1, 7, 8), (1, 7, 5)), 6 * 7 * 8 + 6 * 7 * 5),
}
LEARNED = {"...d,de->...e": [(16, 24)], "btd,df,fe->bte": [(16, 8), (8, 24)]}


@pytest.mark.parametrize("equation", EQUATIONS)
def test_every_equation_counts_its_products(equation: str, tmp_path: Path) -> None:
    """As torch multiplies them: two operands at a time, from the left."""
    shapes, macs = EQUATIONS[equation]
    weights = {f"w{n}": shape for n, shape in enumerate(LEARNED.get(equation, ()))}
    inputs = {f"x{n}": list(shape) for n, shape in enumerate(s for s in shapes if s)}
    made = [node("Relu", [name], [f"{name}r"]) for name in inputs]
    operands = [*(f"{name}r" for name in inputs), *weights]
    nodes = [*made, node("Einsum", operands, ["y"], equation=equation)]
    network = read(model(nodes, inputs, {"y": None}, weights), tmp_path)
    assert network.macs == macs
    assert network.params == sum(prod(shape) for shape in weights.values())
    assert counts(network)["unknown_ops"] == 0


def test_a_deformable_convolution_counts_as_one(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "c"], ["a"], kernel_shape=[1, 1]),
        node("Conv", ["x", "o"], ["offset"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("DeformConv", ["a", "w", "offset", "b"], ["y"], kernel_shape=[3, 3], pads=[1] * 4),
    ]
    weights = {"c": (8, 3, 1, 1), "o": (18, 3, 3, 3), "w": (16, 8, 3, 3), "b": (16,)}
    network = read(model(nodes, {"x": [1, 3, 6, 6]}, {"y": None}, weights, opset=19), tmp_path)
    deformed = network.layers[-1]
    assert deformed.macs == 36 * 16 * 8 * 9
    assert network.params == sum(prod(shape) for shape in weights.values())
    assert set(network.operands(deformed.name)) == {network.layers[0].name, network.layers[1].name}


def test_weights_that_are_computed_count_their_products() -> None:
    class Dynamic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.make = nn.Conv2d(3, 8, 1), nn.Linear(4, 16 * 8 * 9)

        def forward(self, x: Tensor, z: Tensor) -> Tensor:
            return F.conv2d(self.conv(x), self.make(z).view(16, 8, 3, 3), padding=1)

    network = trace(Dynamic(), (torch.zeros(1, 3, 8, 8), torch.zeros(1, 4)))
    assert network.macs == 64 * 3 * 8 + 4 * 1152 + 64 * 16 * 8 * 9


def test_what_is_not_known_is_no_share_of_a_sum_without_it(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["a"], kernel_shape=[1, 1]),
        node("Det", ["a"], ["y"], name="odd"),
    ]
    network = read(model(nodes, {"x": [1, 3, 4, 4]}, {"y": None}, {"w": (8, 3, 1, 1)}), tmp_path)
    [line] = remarks(network)
    assert "MACs are not known and in no sum, time or verdict" in line
    assert "136 elements (544 bytes in fp32, 43.59% of all) and hold 0 parameters" in line


def test_verdicts_that_rest_on_unknown_work_say_so(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["a"], kernel_shape=[1, 1]),
        node("Det", ["a"], ["y"], name="odd"),
    ]
    network = read(model(nodes, {"x": [1, 3, 4, 4]}, {"y": None}, {"w": (8, 3, 1, 1)}), tmp_path)
    said = "Without the work of 1 operators, which is not known (Det)"
    for answer in (
        ds.sweep(network, nodes=2, s_comm=0.5),
        ds.breakeven(network),
        ds.layers(network),
        ds.timeline(network),
    ):
        assert said in answer.text()
        assert said in answer.to_html()
    assert said not in ds.inspect(network).text()


# Data types


def typed(kind: int, folder: Path, nodes: list[Any] | None = None) -> Network:
    """A convolution whose tensors are all of one type."""
    graph = model(
        nodes or [node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1])],
        {"x": [1, 3, 4, 4]},
        {"y": None},
        {"w": (8, 3, 1, 1)},
    )
    for value in (*graph.graph.input, *graph.graph.output):
        value.type.tensor_type.elem_type = kind
    for tensor in graph.graph.initializer:
        tensor.data_type = kind
    return read(graph, folder)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        (TensorProto.FLOAT, ""),
        (TensorProto.FLOAT16, "fp16"),
        (TensorProto.BFLOAT16, "bf16"),
        (TensorProto.DOUBLE, "fp64"),
    ],
)
def test_the_data_type_of_a_file_is_told(kind: int, dtype: str, tmp_path: Path) -> None:
    network = typed(kind, tmp_path)
    assert network.dtype == dtype
    assert any(f"holds {dtype}" in line for line in remarks(network)) == bool(dtype)


@pytest.mark.parametrize(
    ("dtype", "name"), [(torch.float16, "fp16"), (torch.bfloat16, "bf16"), (torch.float64, "fp64")]
)
def test_the_data_type_of_a_module_is_told(dtype: torch.dtype, name: str) -> None:
    module = nn.Sequential(nn.Linear(8, 8), nn.ReLU()).to(dtype)
    assert trace(module, torch.zeros(1, 8, dtype=dtype)).dtype == name


def test_dynamic_quantisation_has_narrow_weights_alone(tmp_path: Path) -> None:
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        node("MatMulInteger", ["q", "w", "z"], ["i"]),
        node("Cast", ["i"], ["f"], to=1),
        node("Mul", ["f", "s"], ["y"]),
    ]
    graph = model(nodes, {"x": [1, 16]}, {"y": None}, {"w": (16, 8)})
    [weight] = graph.graph.initializer
    weight.data_type, weight.raw_data = TensorProto.INT8, bytes(128)
    network = read(graph, tmp_path)
    assert network.dtype == ""
    assert network.macs == 128
    assert any("give --weight-dtype int8" in line for line in remarks(network))


def test_mixed_weights_are_told(tmp_path: Path) -> None:
    nodes = [
        node("Gemm", ["x", "a"], ["h"]),
        node("Cast", ["b"], ["b32"], to=1),
        node("Gemm", ["h", "b32"], ["y"]),
    ]
    graph = model(nodes, {"x": [1, 16]}, {"y": None}, {"a": (16, 32), "b": (32, 8)})
    graph.graph.initializer[1].data_type = TensorProto.FLOAT16
    graph.graph.initializer[1].raw_data = bytes(2 * 32 * 8)
    network = read(graph, tmp_path)
    assert any("256 in fp16 of 768 elements" in line for line in remarks(network))


# Control flow


def choosing(condition: list[Any]) -> onnx.ModelProto:
    """A squeeze as torch writes it: by a condition, of shapes or of an input."""

    def branch(name: str, nodes: list[Any], out: str) -> onnx.GraphProto:
        value = helper.make_tensor_value_info(out, TensorProto.FLOAT, None)
        return helper.make_graph(nodes, name, [], [value])

    then = branch("then", [node("Squeeze", ["a", "one"], ["narrow"])], "narrow")
    other = branch("else", [node("Identity", ["a"], ["wide"])], "wide")
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        *condition,
        node("If", ["flag"], ["z"], name="choice", then_branch=then, else_branch=other),
        node("Relu", ["z"], ["y"]),
    ]
    return model(
        nodes,
        {"x": [4, 1, 8]},
        {"y": None},
        {"w": (8, 6)},
        {"one": [1]},
    )


def test_a_branch_that_follows_from_shapes_is_taken(tmp_path: Path) -> None:
    condition = [
        node("Shape", ["a"], ["s"]),
        node("Gather", ["s", "one"], ["size"]),
        node("Equal", ["size", "one"], ["flag"]),
    ]
    network = read(choosing(condition), tmp_path)
    assert network.macs == 4 * 8 * 6
    assert ops(network) == ["linear", "activation"]


def test_a_branch_by_an_initializer_is_taken(tmp_path: Path) -> None:
    graph = choosing([])
    graph.graph.initializer.append(helper.make_tensor("flag", TensorProto.BOOL, [], [False]))
    assert read(graph, tmp_path).macs == 4 * 8 * 6


def test_a_branch_by_data_is_refused_with_where_to_cut(tmp_path: Path) -> None:
    condition = [
        node("ReduceSum", ["a"], ["sum"], keepdims=0),
        node("Greater", ["sum", "zero"], ["flag"]),
    ]
    graph = choosing(condition)
    graph.graph.initializer.append(helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]))
    with pytest.raises(DiscosimError, match=r"goes by 'flag'.*cut the file.*'a'.*behind it at 'z'"):
        read(graph, tmp_path)


def looping(count: int) -> onnx.ModelProto:
    """h = relu(h w), `count` times, and all of them side by side."""
    values = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            node("MatMul", ["h", "w"], ["m"]),
            node("Relu", ["m"], ["next"]),
            node("Identity", ["next"], ["each"]),
            node("Identity", ["go"], ["on"]),
        ],
        "body",
        [
            values("i", TensorProto.INT64, []),
            values("go", TensorProto.BOOL, []),
            values("h", TensorProto.FLOAT, None),
        ],
        [
            values("on", TensorProto.BOOL, []),
            values("next", TensorProto.FLOAT, None),
            values("each", TensorProto.FLOAT, None),
        ],
    )
    nodes = [node("Loop", ["count", "", "x"], ["y", "all"], name="loop", body=body)]
    graph = model(nodes, {"x": [1, 8]}, {"y": None, "all": None}, {"w": (8, 8)})
    graph.graph.initializer.append(helper.make_tensor("count", TensorProto.INT64, [], [count]))
    return graph


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_loop_of_constant_count_is_written_out(count: int, tmp_path: Path) -> None:
    """Its matrix is multiplied with each time and stored once."""
    network = read(looping(count), tmp_path)
    assert network.macs == count * 64
    assert network.params == 64


def test_a_loop_whose_count_is_an_input_runs_as_often_as_it_is_set(tmp_path: Path) -> None:
    from discosim.importers.sizes import NamedSizes

    graph = looping(1)
    del graph.graph.initializer[-1]
    graph.graph.input.append(helper.make_tensor_value_info("count", TensorProto.INT64, []))
    assert read(graph, tmp_path, NamedSizes((("count", (3,)),))).macs == 3 * 64
    with pytest.raises(DiscosimError, match=r"goes by 'count'.*--input count=1"):
        read(graph, tmp_path)


def test_a_scan_is_written_out(tmp_path: Path) -> None:
    values = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            node("MatMul", ["part", "w"], ["m"]),
            node("Add", ["m", "state"], ["next"]),
            node("Identity", ["next"], ["each"]),
        ],
        "body",
        [values("state", TensorProto.FLOAT, [8]), values("part", TensorProto.FLOAT, [8])],
        [values("next", TensorProto.FLOAT, [8]), values("each", TensorProto.FLOAT, [8])],
    )
    nodes = [node("Scan", ["start", "x"], ["last", "all"], num_scan_inputs=1, body=body)]
    graph = model(nodes, {"x": [5, 8], "start": [8]}, {"all": None}, {"w": (8, 8)})
    network = read(graph, tmp_path)
    assert network.macs == 5 * 64
    assert network.params == 64


# Weights beside the file


def test_weights_that_are_not_there_count_all_the_same(tmp_path: Path) -> None:
    graph = model([node("Gemm", ["x", "w"], ["y"])], {"x": [1, 8]}, {"y": None}, {"w": (8, 40)})
    [weight] = graph.graph.initializer
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="weights.bin")
    network = read(graph, tmp_path)
    assert network.macs == network.params == 320
    [line] = remarks(network)
    assert "'weights.bin' is missing beside the file; weights are not read" in line
    saved = tmp_path / "net.json"
    saved.write_text(to_json(network), encoding="utf-8")
    assert read_json(str(saved), None).notes == network.notes


def test_weights_that_are_cut_short_are_told(tmp_path: Path) -> None:
    graph = model([node("Gemm", ["x", "w"], ["y"])], {"x": [1, 8]}, {"y": None}, {"w": (8, 40)})
    [weight] = graph.graph.initializer
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="weights.bin")
    weight.external_data.add(key="length", value="1280")
    (tmp_path / "weights.bin").write_bytes(bytes(100))
    assert "is cut short" in remarks(read(graph, tmp_path))[0]


# Tables


def test_a_fully_connected_layer_of_one_output_is_not_depthwise(tmp_path: Path) -> None:
    """256 -> 1 reads 256 features and makes one, whatever follows."""
    network = table(
        tmp_path, HEADER, "a,1,1,1,1,64,256,1,", "b,1,1,1,1,256,1,1,", "c,1,1,1,1,256,8,1,"
    )
    assert [layer.kind for layer in network.layers if layer.macs] == ["conv"] * 3
    assert network.macs == 64 * 256 + 256 + 256 * 8
    whole = table(tmp_path, HEADER, "a,7,7,7,7,256,1,1,", "b,1,1,1,1,256,8,1,")
    assert whole.layers[0].macs == 49 * 256
    assert whole.layers[0].out_shape == (1, 1, 1)


def test_a_name_that_says_depthwise_decides(tmp_path: Path) -> None:
    network = table(tmp_path, HEADER, "conv_dw,7,7,7,7,256,1,1,", "b,1,1,1,1,256,8,1,")
    assert network.layers[0].out_shape == (256, 1, 1)
    assert any("depthwise" in line and "conv_dw" in line for line in remarks(network))


def test_a_table_of_products_is_read(tmp_path: Path) -> None:
    """M x K times K x N, the first row of a language model's: M tokens of K features."""
    network = table(tmp_path, "Layer, M, N, K,", "qkv, 128, 2304, 768,", "out, 128, 768, 768,")
    assert [layer.op for layer in network.layers if layer.macs] == ["linear", "linear"]
    assert network.macs == 128 * (2304 + 768) * 768
    assert network.input_shape == (768, 128)
    assert swept(network, nodes=[2], s_comm=[0.0])["latency_s"].iloc[0] > 0


def test_a_column_of_sparsity_is_told(tmp_path: Path) -> None:
    network = table(tmp_path, f"{HEADER}Sparsity,", "a,8,8,3,3,3,8,1,2:4,")
    assert network.macs == 36 * 27 * 8
    assert any("'Sparsity' is not used" in line for line in remarks(network))
    products = table(tmp_path, "Layer, M, N, K, Sparsity Ratio", "a, 4, 8, 16, 1:2")
    assert products.macs == 4 * 8 * 16
    assert any("'Sparsity Ratio' is not used" in line for line in remarks(products))


def test_nothing_is_said_of_a_plain_network() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert remarks(build("resnet18")) == []


# Norms over groups of features that lie on several nodes


@pytest.mark.parametrize(
    ("groups", "nodes", "by_features", "by_rows"),
    [  # 12 features: two scalars a group, from each node that has some to each other one
        (1, 2, 2 * 2 * 1, 2 * 2 * 1),
        (1, 3, 6 * 2 * 1, 6 * 2 * 1),
        (2, 2, 0, 2 * 2 * 2),
        (2, 3, 4 * 2, 6 * 2 * 2),  # the node in the middle has half of either group
        (3, 2, 2 * 2, 2 * 2 * 3),  # one of three groups lies on both
        (12, 3, 0, 6 * 2 * 12),  # an instance norm
    ],
)
def test_group_norms_send_the_statistics_of_groups_that_are_spread(
    groups: int, nodes: int, by_features: int, by_rows: int
) -> None:
    module = nn.Sequential(nn.Conv2d(3, 12, 1), nn.GroupNorm(groups, 12), nn.Conv2d(12, 4, 1))
    network = trace(module, torch.zeros(1, 3, 6, 6))
    row = ops(network).index("group_norm")
    for strategy, scalars in (("dense", by_features), ("rows", by_rows)):
        sent = {
            convention: on(network, strategy=strategy, nodes=nodes, conventions=convention)
            .plan()
            .exchange.total[..., row]
            .sum()
            for convention in ("paper", "runtime")
        }
        assert sent == {"paper": 0, "runtime": scalars}
