"""Files and modules of torch: what they store, what they return, and what enters them."""

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
from onnx import helper, save
from torch import Tensor, nn
from torch.nn import functional

from discosim.cli.types import parse_input
from discosim.errors import DiscosimError
from discosim.graph.network import INPUT, Network
from discosim.graph.table import tabulate
from discosim.importers import load
from discosim.importers.nodelink import to_json
from discosim.importers.torch.trace import trace
from discosim.networks import build
from tests.configurations import on, swept
from tests.holding import elems, peak, walked_peak
from tests.importing import model

pytestmark = pytest.mark.extras

node = helper.make_node


# Files


def onnx_network(tmp_path: Path, *parts: Any, sizes: Any = None, **more: Any) -> Network:
    path = tmp_path / "net.onnx"
    save(model(*parts, **more), str(path))
    return load(str(path), sizes)


def test_files_share_by_the_name_of_the_parameter(tmp_path: Path) -> None:
    """The head above in ONNX, then a batch norm, a PReLU and a layer norm used twice."""
    network = onnx_network(
        tmp_path,
        [
            node("Conv", ["x", "stem"], ["s"], pads=[1] * 4),
            node("MaxPool", ["s"], ["d"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Conv", ["s", "w", "b"], ["y"], pads=[1] * 4),
            node("Conv", ["d", "w", "b"], ["z"], pads=[1] * 4),
        ],
        {"x": [1, 3, 16, 16]},
        {"y": None, "z": None},
        {"stem": (64, 3, 3, 3), "w": (64, 64, 3, 3), "b": (64,)},
    )
    assert network.params == 38656
    twice = onnx_network(
        tmp_path,
        [
            node("Conv", ["x", "w0"], ["a"]),
            node("BatchNormalization", ["a", "g", "h", "m", "v"], ["b"]),
            node("PRelu", ["b", "p"], ["c"]),
            node("Conv", ["c", "w1"], ["d"]),
            node("BatchNormalization", ["d", "g", "h", "m", "v"], ["e"]),
            node("PRelu", ["e", "p"], ["f"]),
        ],
        {"x": [1, 3, 4, 4]},
        {"f": None},
        {"w0": (8, 3, 1, 1), "w1": (8, 8, 1, 1), "g": (8,), "h": (8,), "m": (8,), "v": (8,),
         "p": (8, 1, 1)},
    )  # fmt: skip
    assert twice.params == 24 + 64 + 16 + 8
    norms = onnx_network(
        tmp_path,
        [
            node("LayerNormalization", ["x", "g", "h"], ["n"]),
            node("MatMul", ["n", "w"], ["a"]),
            node("LayerNormalization", ["a", "g", "h"], ["m"]),
            node("MatMul", ["m", "w"], ["y"]),
        ],
        {"x": [1, 5, 8]},
        {"y": None},
        {"g": (8,), "h": (8,), "w": (8, 8)},
    )
    assert norms.params == 16 + 64


@pytest.mark.parametrize("nodes", [1, 2, 4])
def test_a_table_tied_to_the_last_layer_is_in_memory_once(tmp_path: Path, nodes: int) -> None:
    """A language model: 50 tokens of 16 features, looked up and multiplied with at the end."""
    path = tmp_path / "tied.onnx"
    made = model(
        [
            node("Gather", ["table", "tokens"], ["x"]),
            node("MatMul", ["x", "w"], ["y"]),
            node("Transpose", ["table"], ["turned"], perm=[1, 0]),
            node("MatMul", ["y", "turned"], ["z"]),
        ],
        {"tokens": [1, 6]},
        {"z": None},
        {"table": (50, 16), "w": (16, 16)},
    )
    made.graph.input[0].type.tensor_type.elem_type = 7
    save(made, str(path))
    network = load(str(path))
    assert network.params == 50 * 16 + 16 * 16
    union = 2 / nodes - 1 / nodes**2
    assert elems(network, "dense", nodes) == pytest.approx(800 * union + 256 / nodes)


def test_parts_of_a_parameter_are_each_their_own(tmp_path: Path) -> None:
    """Queries from one third of a matrix, keys and values from the rest, as cross-attention has."""
    network = onnx_network(
        tmp_path,
        [
            node("Conv", ["x", "first"], ["a"]),
            node("Flatten", ["a"], ["f"]),
            node("Split", ["w", "parts"], ["q", "kv"], axis=1),
            node("MatMul", ["f", "q"], ["y"]),
            node("MatMul", ["f", "kv"], ["z"]),
        ],
        {"x": [1, 3, 2, 2]},
        {"y": None, "z": None},
        {"first": (2, 3, 1, 1), "w": (8, 24)},
        {"parts": [8, 16]},
    )
    assert network.params == 6 + 8 * 24


def test_a_file_names_its_outputs(tmp_path: Path) -> None:
    network = onnx_network(
        tmp_path,
        [
            node("Conv", ["x", "w1"], ["p1"], pads=[1] * 4, strides=[2, 2]),
            node("Conv", ["p1", "w2"], ["p2"], pads=[1] * 4, strides=[2, 2]),
            node("Conv", ["p2", "w3"], ["p3"], pads=[1] * 4, strides=[2, 2]),
        ],
        {"x": [1, 3, 32, 32]},
        {"p1": None, "p2": None, "p3": None},
        {"w1": (32, 3, 3, 3), "w2": (64, 32, 3, 3), "w3": (128, 64, 3, 3)},
    )
    assert network.outputs == ("p1", "p2", "p3")
    assert tabulate(network).in_elems[-1] == 57344 / 4
    path = tmp_path / "net.json"
    path.write_text(to_json(network), encoding="utf-8")
    assert build(str(path)).outputs == network.outputs


def test_a_part_of_a_tensor_may_be_an_output(tmp_path: Path) -> None:
    """The first 4 of 16 features are wanted, and a map that is read on."""
    network = onnx_network(
        tmp_path,
        [
            node("Conv", ["x", "w1"], ["a"]),
            node("Conv", ["a", "w2"], ["b"]),
            node("Slice", ["b", "zero", "four", "one"], ["c"]),
        ],
        {"x": [1, 3, 8, 8]},
        {"a": None, "c": None},
        {"w1": (8, 3, 1, 1), "w2": (16, 8, 1, 1)},
        {"zero": [0], "four": [4], "one": [1]},
    )
    assert tabulate(network).in_elems[-1] == 8 * 64 + 4 * 64


def test_every_input_of_a_file_has_its_size(tmp_path: Path) -> None:
    parts = (
        [
            node("Conv", ["x", "w1"], ["a"], pads=[1] * 4),
            node("Conv", ["mask", "w2"], ["b"], strides=[4, 4]),
            node("Add", ["a", "b"], ["y"]),
        ],
        {"x": [1, 3, "h", "w"], "mask": [1, 1, "H", "W"]},
        {"y": None},
        {"w1": (8, 3, 3, 3), "w2": (8, 1, 4, 4)},
    )
    network = onnx_network(tmp_path, *parts, sizes=parse_input("x=3x64x64,mask=1x256x256"))
    assert network.inputs == ((INPUT, (3, 64, 64)), ("mask", (1, 256, 256)))
    assert peak(network) == 524288
    assert walked_peak(network) * 4 == 524288
    assert onnx_network(tmp_path, *parts, sizes=parse_input("x=64,mask=256")).inputs == (
        network.inputs
    )
    with pytest.raises(DiscosimError, match="no input 'msk'; did you mean mask"):
        onnx_network(tmp_path, *parts, sizes=parse_input("x=64,msk=256"))
    path = tmp_path / "net.json"
    path.write_text(to_json(network), encoding="utf-8")
    assert build(str(path)).inputs == network.inputs
    assert peak(build(str(path))) == 524288
    assert build(str(path), parse_input("mask=1x256x256")).inputs == network.inputs
    with pytest.raises(DiscosimError, match="cannot change"):
        build(str(path), parse_input("mask=1x64x64"))


def test_images_that_are_joined_are_a_tensor_of_their_own(tmp_path: Path) -> None:
    """An image and its mask side by side: 3 + 1 channels of 64 positions, read by one layer."""
    network = onnx_network(
        tmp_path,
        [node("Concat", ["x", "mask"], ["j"], axis=1), node("Conv", ["j", "w"], ["y"])],
        {"x": [1, 3, 8, 8], "mask": [1, 1, 8, 8]},
        {"y": None},
        {"w": (2, 4, 1, 1)},
    )
    assert peak(network) == 4 * walked_peak(network) == 4 * 2 * 4 * 64
    assert network.layers[-1].in_elems == 4 * 64


def test_past_keys_are_held_until_they_are_joined(tmp_path: Path) -> None:
    """One token of a decoder: 2 heads of 4, keys and values of 100 earlier positions enter."""
    nodes, past = [], {"k": "past_k", "v": "past_v"}
    for kind in ("q", "k", "v"):
        nodes += [
            node("MatMul", ["h", f"w{kind}"], [kind]),
            node("Reshape", [kind, "heads"], [f"{kind}4"]),
            node("Transpose", [f"{kind}4"], [f"{kind}h"], perm=[0, 2, 1, 3]),
        ]
        if kind in past:
            nodes.append(node("Concat", [past[kind], f"{kind}h"], [f"{kind}all"], axis=2))
    nodes += [
        node("Transpose", ["kall"], ["kt"], perm=[0, 1, 3, 2]),
        node("MatMul", ["qh", "kt"], ["s"]),
        node("Softmax", ["s"], ["p"]),
        node("MatMul", ["p", "vall"], ["o"]),
        node("Transpose", ["o"], ["ot"], perm=[0, 2, 1, 3]),
        node("Reshape", ["ot", "flat"], ["of"]),
        node("MatMul", ["of", "wo"], ["y"]),
    ]
    network = onnx_network(
        tmp_path,
        [node("MatMul", ["x", "w"], ["h"]), *nodes],
        {"x": [1, 1, 8], "past_k": [1, 2, "T", 4], "past_v": [1, 2, "T", 4]},
        {"y": None, "kall": None, "vall": None},
        {"w": (8, 8), "wq": (8, 8), "wk": (8, 8), "wv": (8, 8), "wo": (8, 8)},
        {"heads": [1, 1, 2, 4], "flat": [1, 1, 8]},
        sizes=parse_input("past_k=1x2x100x4,past_v=1x2x100x4"),
    )
    assert [prod(shape) for _, shape in network.inputs] == [8, 800, 800]
    [attends] = [layer for layer in network.layers if layer.op == "attention"]
    assert (attends.heads, attends.macs, attends.scratch) == (2, 101 * 16, 2 * 101)
    table = tabulate(network)
    assert table.in_elems[-1] == 8 + 2 * 8 * 101  # both caches are outputs
    at = table.name.index(network.operands(attends.name)[1])
    assert table.live_elems[at] >= 800 + 800 + 808  # past keys, past values, all keys


# Modules


class Levels(nn.Module):
    """One head on two levels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.head = nn.Conv2d(64, 64, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.stem(x)
        return self.head(y), self.head(functional.max_pool2d(y, 2))


class Thrice(nn.Module):
    """One matrix three times."""

    def __init__(self) -> None:
        super().__init__()
        self.again = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            x = torch.relu(self.again(x))
        return x


class Tied(nn.Module):
    """A table that is the last layer too, and a norm used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 16)
        self.place = nn.Parameter(torch.zeros(1, 6, 16))
        self.mix = nn.Linear(16, 16)
        self.norm = nn.LayerNorm(16)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens) + self.place
        return self.norm(self.mix(self.norm(x))) @ self.embed.weight.T


class Turned(nn.Module):
    """A matrix, and the same one transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 8)
        self.weight = nn.Parameter(torch.zeros(4, 8))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(functional.linear(self.first(x), self.weight), self.weight.t())


class Small(nn.Module):
    """Norms and activations with parameters, each used twice, and a kernel that is a view."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.act = nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.PReLU(8)
        self.gn, self.weight = nn.GroupNorm(2, 8), nn.Parameter(torch.zeros(8, 8))

    def forward(self, x: Tensor) -> Tensor:
        x = self.gn(self.act(self.bn(self.conv(x))))
        for _ in range(2):
            x = functional.conv2d(x, self.weight[:, :, None, None])
        return self.gn(self.act(self.bn(x)))


class Crossed(nn.Module):
    """Attention to another sequence: its matrices are parts of one parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.mha, self.f = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 8)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        attended: Tensor = self.mha(self.f(x), self.f(y), self.f(y), need_weights=False)[0]
        return attended


class Backbone(nn.Module):
    """Three maps, the first two read on."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 32, 3, 2, 1), nn.Conv2d(32, 64, 3, 2, 1)
        self.c = nn.Conv2d(64, 128, 3, 2, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        a = self.a(x)
        b = self.b(a)
        return {"a": a, "b": b, "c": self.c(b)}


class Two(nn.Module):
    """An image and a larger mask."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(1, 8, 4, 4)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return self.a(image) + self.b(mask)


IMAGE = torch.zeros(1, 3, 16, 16)
STORED: list[tuple[Callable[[], nn.Module], tuple[Tensor, ...]]] = [
    (Levels, (IMAGE,)),
    (Thrice, (torch.zeros(1, 8),)),
    (Tied, (torch.zeros(1, 6, dtype=torch.long),)),
    (Turned, (torch.zeros(1, 3),)),
    (Small, (IMAGE,)),
    (Crossed, (torch.zeros(1, 5, 8), torch.zeros(1, 7, 8))),
    (Backbone, (IMAGE,)),
]


@pytest.mark.parametrize(("made", "examples"), STORED, ids=lambda x: getattr(x, "__name__", ""))
def test_a_network_stores_what_its_module_does(
    made: Callable[[], nn.Module], examples: tuple[Tensor, ...]
) -> None:
    module = made()
    network = trace(module, examples)
    assert network.params == sum(each.numel() for each in module.parameters())
    assert tabulate(network).params.sum() == network.params


def test_a_module_returns_what_it_returns() -> None:
    network = trace(Backbone(), torch.zeros(1, 3, 32, 32))
    assert network.outputs == ("a", "b", "c")
    assert tabulate(network).in_elems[-1] == 57344 / 4


def test_all_that_enters_a_module_has_a_shape() -> None:
    """In the second convolution 32,768 + 65,536 + 32,768 elements are live."""
    network = trace(Two(), (torch.zeros(1, 3, 64, 64), torch.zeros(1, 1, 256, 256)))
    assert network.inputs == ((INPUT, (3, 64, 64)), ("mask", (1, 256, 256)))
    assert tabulate(network).live_elems.max() * 4 == 524288


class Attends(nn.Module):
    """Two heads of 16, spelled in five ways."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.q, self.k, self.v = (nn.Linear(32, 32) for _ in range(3))
        self.mha, self.qkv = nn.MultiheadAttention(32, 2, batch_first=True), nn.Linear(32, 96)

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "mha":
            attended: Tensor = self.mha(x, x, x, need_weights=False)[0]
            return attended
        batch, tokens, features = x.shape
        shape = (batch, tokens, 2, 16)
        q, k, v = (each(x).view(shape).transpose(1, 2) for each in (self.q, self.k, self.v))
        if self.how == "qkv":
            q, k, v = self.qkv(x).view(batch, tokens, 3, 2, 16).permute(2, 0, 3, 1, 4)
        if self.how in ("sdpa", "qkv"):
            y = functional.scaled_dot_product_attention(q, k, v)
        elif self.how == "einsum":
            scores = torch.einsum("bhtd,bhsd->bhts", q, k).softmax(-1)
            y = torch.einsum("bhts,bhsd->bhtd", scores, v)
        else:
            y = (q @ k.transpose(-1, -2) / 4).softmax(-1) @ v
        return y.transpose(1, 2).reshape(batch, tokens, features)


def attended(how: str, tokens: int) -> Network:
    return trace(Attends(how), torch.zeros(1, tokens, 32))


@pytest.mark.parametrize("how", ["mha", "qkv", "sdpa", "einsum", "plain"])
def test_every_spelling_of_attention_has_its_scores(how: str) -> None:
    """2 T^2 scores beside q, k and v, 3 x 32 T; T = 1024: 2,195,456 elements."""
    table = tabulate(attended(how, 1024))
    written_out = table.live_elems + table.scratch_elems
    assert written_out.max() == 2 * 1024**2 + 3 * 32 * 1024 == 2195456
    assert table.live_elems.max() == 4 * 32 * 1024 == 131072


class Read(nn.Module):
    """Gives its convolution, what reads it, and the convolution once more."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        y = self.conv(x)
        return (y, torch.relu(y), y)


def test_outputs_that_are_read_and_given_twice() -> None:
    """On 8x8: 256 elements of the convolution, not overwritten, there once; half lies elsewhere."""
    network = trace(Read(), torch.zeros(1, 3, 8, 8))
    [alone] = swept(network, strategies=["single"], nodes=[1]).to_dict("records")
    assert alone["peak_feature_bytes"] == 4 * (256 + 256)
    plan = on(network, strategy="dense", nodes=2, conventions="runtime").plan()
    assert plan.exchange.total[..., -1].sum() == 2 * 128
