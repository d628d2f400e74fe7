"""torch: our own networks as modules, read back by torch.export and by ONNX; public ones."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from discosim.cli.app import run
from discosim.errors import DiscosimError, install_hint
from discosim.graph.builder import Builder
from discosim.graph.counts import counts
from discosim.graph.network import INPUT, Network
from discosim.graph.table import LayerTable, tabulate
from discosim.importers.torch.trace import trace
from discosim.networks import build, esrgan, ssd
from discosim.partition.split import split
from tests.configurations import swept
from tests.zoo import ours
from tests.zoo.table import ZOO

pytestmark = pytest.mark.extras

COLUMNS = ("op", "in_elems", "out_elems", "weights", "biases", "macs", "groups", "in_features")
FRONT_ENDS = ("export", "onnx")
QUICK = ("shufflenetv2-x1-0", "googlenet", "mobilenetv3-large", "swin-t", "bert-base", "yolov3")


class Case(NamedTuple):
    module: Callable[[], nn.Module]
    built: Callable[[], Network]
    size: tuple[int, ...]


class Rrdb(nn.Module):
    """One block of ESRGAN."""

    def __init__(self) -> None:
        super().__init__()
        self.rdb = nn.ModuleList(ours.DenseBlock(64, 32) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for dense in self.rdb:
            y = dense(y)
        return y * 0.2 + x


def rrdb() -> Network:
    net = Builder("rrdb", (64, 16, 16))
    y = INPUT
    for dense in range(1, 4):
        y = esrgan._dense_block(net, y, 32, f"rdb{dense}")
    esrgan._scaled_add(net, y, INPUT, "out")
    return net.build()


class SsdHeads(ours.Ssd300):
    """What comes after the backbone: boxes and classes, which are not joined."""

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [F.relu(x)]
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        heads = zip(maps, self.loc, self.conf, strict=True)
        return [out for m, loc, conf in heads for out in (loc(m), conf(m))]


def ssd_heads() -> Network:
    net = Builder("heads", (1024, 38, 38))
    x = net.activation(INPUT, "relu")
    maps = [x, *ssd._extras(net, x, ssd.RESNET50_EXTRAS, lambda channels: channels, norm=True)]
    ssd._heads(net, maps, ssd.RESNET50_CLASSES)
    return net.build()


CASES = {
    "resnet50": Case(ours.ResNet, lambda: build("resnet50", (64,)), (3, 64, 64)),
    "deit-s": Case(ours.VisionTransformer, lambda: build("deit-s"), (3, 224, 224)),
    "deit-s, products": Case(
        lambda: ours.VisionTransformer(fused=False), lambda: build("deit-s"), (3, 224, 224)
    ),
    "efficientnet-b0": Case(
        lambda: ours.MobileNetV2(excite=True), lambda: build("efficientnet-b0", (64,)), (3, 64, 64)
    ),
    "mobilenetv2": Case(ours.MobileNetV2, lambda: build("mobilenetv2", (64,)), (3, 64, 64)),
    "rrdb": Case(Rrdb, rrdb, (64, 16, 16)),
    "ssd heads": Case(SsdHeads, ssd_heads, (1024, 38, 38)),
}


def untrained(make: Callable[[], nn.Module]) -> nn.Module:
    """The module with numbers that nobody has set, which is quick."""
    with torch.device("meta"):
        module = make()
    return module.to_empty(device="cpu")


def through_onnx(module: nn.Module, example: Tensor, path: Path) -> Network:
    """torch's exporter, in training mode: it would merge convolutions and norms otherwise."""
    target = str(path / "net.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.train(),
            (example,),
            target,
            dynamo=False,
            training=torch.onnx.TrainingMode.TRAINING,
            do_constant_folding=False,
            input_names=["x"],
            dynamic_axes={"x": {0: "batch"}},
        )
    return build(target)


def rows(table: LayerTable) -> list[tuple[object, ...]]:
    return list(zip(*(tuple(getattr(table, name)) for name in COLUMNS), strict=True))


@pytest.mark.parametrize("front_end", FRONT_ENDS)
@pytest.mark.parametrize("name", CASES)
def test_ours_come_back_as_they_are(name: str, front_end: str, tmp_path: Path) -> None:
    """Row by row: operator, elements, parameters, MACs; what moves between nodes too."""
    case = CASES[name]
    module = untrained(case.module)
    batch = 2 if (name, front_end) == ("ssd heads", "onnx") else 1  # norms in training want two
    example = torch.zeros(batch, *case.size)
    if front_end == "onnx":
        network = through_onnx(module, example, tmp_path)
    else:
        network = trace(module, example)
    ours_table, theirs = tabulate(case.built()), tabulate(network)
    assert rows(theirs) == rows(ours_table)
    assert network.remarks == ()
    for nodes in (2, 3):
        ours_split, their_split = (split(t, nodes, True) for t in (ours_table, theirs))
        for field in ("peers", "own_in", "own_out", "needed"):
            assert np.array_equal(getattr(ours_split, field), getattr(their_split, field)), field


@pytest.mark.parametrize("name", QUICK)
def test_public_architectures_have_their_published_parameters(name: str) -> None:
    """The others are in docs/architectures.md, which is made by the same code."""
    entry = ZOO[name]
    network = trace(untrained(entry.make), entry.example(), name)
    assert network.params == entry.published
    assert counts(network)["unknown_ops"] == 0
    assert network.remarks == ()


# Attention and placement


class Halves(nn.Module):
    """Queries and keys turned by their position, as Llama does."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = nn.Linear(16, 16), nn.Linear(16, 8), nn.Linear(16, 8)
        self.o = nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.o(x)
        q = self.q(x).view(1, 5, 4, 4).transpose(1, 2)
        k, v = (each(x).view(1, 5, 2, 4).transpose(1, 2) for each in (self.k, self.v))
        q = q * 0.5 + torch.cat([-q[..., 2:], q[..., :2]], -1)
        k, v = (y[:, :, None].expand(-1, -1, 2, -1, -1).reshape(1, 4, 5, 4) for y in (k, v))
        return self.o(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def test_turned_queries_and_shared_keys_stay_with_their_heads() -> None:
    network = trace(Halves(), torch.zeros(1, 5, 16))
    [attention] = [layer for layer in network.layers if layer.op == "attention"]
    assert attention.macs == 2 * 4 * 5 * 5 * 4
    assert [shape[0] for shape in attention.in_shapes] == [16, 8, 8]
    heads = {layer.name: layer.heads for layer in network.layers if layer.op == "linear"}
    assert (heads["q"], heads["k"], heads["v"]) == (4, 2, 2)
    table = tabulate(network)
    parts = split(table, 2, whole=True)
    assert {table.op[row] for row in parts.counted} == {"gather"}  # nothing moves but the output
    uneven = split(table, 4, whole=True)  # two nodes have a head of queries, but no keys
    assert "attention" in {table.op[row] for row in uneven.counted}


def test_positions_mixed_feature_by_feature_exchange_nothing() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.mix = nn.Linear(6, 8), nn.Linear(10, 20)

        def forward(self, x: Tensor) -> Tensor:
            return self.mix(self.embed(x).transpose(1, 2))

    network = trace(Tokens(), torch.zeros(1, 10, 6))
    mixed = network.layers[-1]
    assert (mixed.op, mixed.out_shape, mixed.macs) == ("mix_positions", (8, 20), 8 * 10 * 20)
    parts = split(tabulate(network), 2, whole=True)
    assert parts.peers[1] == 1
    assert len(parts.counted) == 1


def test_a_tied_matrix_counts_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(100, 8)

        def forward(self, index: Tensor) -> Tensor:
            return F.linear(self.table(index), self.table.weight)

    network = trace(Tied(), torch.zeros(1, 4, dtype=torch.int64))
    assert network.params == 800
    assert network.macs == 4 * 800


# Names


FACTORY = """
import torch
def net():
    return torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 1))
def tokens():
    return torch.nn.Embedding(10, 4), torch.zeros(1, 7, dtype=torch.int64)
def broken():
    raise RuntimeError("no weights here")
def number():
    return 7
def choosing():
    class Choosing(torch.nn.Module):
        def forward(self, x):
            return x * 2 if x.sum() > 0 else x
    return Choosing()
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "mynets.py").write_text(FACTORY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mynets", raising=False)
    return "torch:mynets"


def test_a_factory_serves_as_a_name(package: str) -> None:
    network = build(f"{package}:net", (32,))
    assert [layer.out_shape for layer in network.layers] == [(8, 30, 30), (8, 30, 30), (4, 30, 30)]
    assert build(f"{package}:tokens").params == 40
    frame = swept(f"{package}:net", nodes=[2], s_comm=[0.0])
    assert frame["model"].iloc[0] == f"{package}:net"


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (":nett", "has no 'nett'; did you mean net?"),
        (":broken", "RuntimeError: no weights here"),
        (":number", "returns int, wanted a torch.nn.Module"),
        (":choosing", "torch.export refuses it"),
        ("", "wanted torch:package.module:factory"),
    ],
)
def test_what_is_wrong_with_a_factory_is_one_line(package: str, rest: str, said: str) -> None:
    with pytest.raises(DiscosimError) as refusal:
        build(package + rest)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_a_library_that_is_missing_is_named(
    library: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setitem(sys.modules, f"{library}.models", None)
    monkeypatch.setattr(sys, "argv", ["discosim", "inspect", f"{library}:resnet50"])
    assert run() == 2
    error = capsys.readouterr().err
    assert f"{library}:resnet50 needs {library}: {install_hint(library)}" in error


def test_a_library_serves_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two calls that are made of them, with a stand-in for what does not install here."""

    class Library:
        @staticmethod
        def create_model(name: str, *, pretrained: bool) -> nn.Module:
            assert not pretrained
            return nn.Conv2d(3, len(name), 1)

        @staticmethod
        def get_model(name: str, *, weights: None) -> nn.Module:
            return nn.Conv2d(3, len(name), 1)

    monkeypatch.setitem(sys.modules, "timm", Library)
    monkeypatch.setitem(sys.modules, "torchvision", Library)
    monkeypatch.setitem(sys.modules, "torchvision.models", Library)
    for library in ("timm", "torchvision"):
        assert build(f"{library}:abcd", (8,)).layers[0].out_shape == (4, 8, 8)
