"""Unfold and fold of torch: shapes, features and rows are those of torch's own results."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.graph.reach import read_at_all, rows_of
from discosim.importers.torch.trace import trace
from discosim.strategies.strategy import STRATEGIES
from tests.configurations import on

pytestmark = pytest.mark.extras

CHANNELS = 3
Pair = tuple[int, int]
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


def _sizes(size: Pair, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair) -> Pair:
    """PyTorch's documentation of nn.Unfold: how many windows there are on each axis."""
    return tuple(  # type: ignore[return-value]
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, pad, dilation, strict=True)
    )


class Windows(nn.Module):
    """Features that lie on the nodes, and their windows."""

    def __init__(self, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2, CHANNELS, 1)
        self.unfold = nn.Unfold(kernel, dilation, pad, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.unfold(self.mix(x))


class Sums(nn.Module):
    """Windows that lie on the nodes, and their sum at the places that they are of."""

    def __init__(self, size: Pair, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair) -> None:
        super().__init__()
        features = CHANNELS * kernel[0] * kernel[1]
        self.mix = nn.Conv1d(2, features, 1)
        self.fold = nn.Fold(size, kernel, dilation, pad, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.fold(self.mix(x))


def the(op: str, network: Network) -> Layer:
    [layer] = [layer for layer in network.layers if layer.op == op]
    return layer


def changed_by(compute: nn.Module, shape: tuple[int, ...], axis: int) -> list[Tensor]:
    """For each index of an axis of the input, which elements of the output hang on it."""
    x = torch.rand((1, *shape), dtype=torch.float64)
    before, found = compute(x), []
    for index in range(shape[axis]):
        other = x.clone()
        other.select(axis + 1, index).add_(1.0)
        found.append((compute(other) != before)[0])
    return found


def check(layer: Layer, compute: nn.Module, dilation: Pair) -> None:
    """Features come from, and rows reach, what torch's result hangs on."""
    assert (layer.macs, layer.params) == (0, 0)
    made = (layer.out_features, rows_of(layer.out_shape), -1)
    features, rows = (
        [compute_of.reshape(made) for compute_of in changed_by(compute, layer.in_shape, axis)]
        for axis in (0, 1)
    )
    carry, reads, reach = layer.operator.carry, layer.operator.reads, layer.operator.reach
    for feature in range(layer.out_features):
        own = np.array([feature])
        read = carry(layer, own) if reads is None else reads(layer, 0, own)[0]
        hangs = {f for f, changed in enumerate(features) if changed[feature].any()}
        assert hangs <= set(read.tolist())
        assert carry(layer, own)[0] in read
    assert reach is not None
    for row in range(rows_of(layer.out_shape)):
        reached = reach(layer, 0, np.array([row, row + 1]))
        hangs = {r for r, changed in enumerate(rows) if changed[:, row].any()}
        assert reached is not None
        assert hangs <= set(range(*reached.tolist()))
        if hangs and dilation[0] == 1:  # else a tap may be of the padding, and those between not
            assert (min(hangs), max(hangs) + 1) == tuple(reached.tolist())


@settings(max_examples=20)
@given(st.tuples(st.integers(4, 8), st.integers(4, 8)), pairs, pairs, pairs, pairs)
def test_unfold_is_a_gather_of_windows(
    size: Pair, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair
) -> None:
    pad = (pad[0] - 1, pad[1] - 1)
    windows = _sizes(size, kernel, stride, pad, dilation)
    assume(min(windows) > 0)
    module = Windows(kernel, stride, pad, dilation)
    layer = the("unfold", trace(module, torch.zeros(1, 2, *size)))
    made = F.unfold(torch.zeros(1, CHANNELS, *size), kernel, dilation, pad, stride)
    assert layer.out_shape == (made.shape[1], *windows)
    assert layer.out_elems == made.numel()
    assert layer.in_shape == (CHANNELS, *size)
    check(layer, module.unfold, dilation)


@settings(max_examples=20)
@given(st.tuples(st.integers(4, 8), st.integers(4, 8)), pairs, pairs, pairs, pairs)
def test_fold_is_the_sum_of_windows(
    size: Pair, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair
) -> None:
    pad = (pad[0] - 1, pad[1] - 1)
    windows = _sizes(size, kernel, stride, pad, dilation)
    assume(min(windows) > 0)
    module, count = Sums(size, kernel, stride, pad, dilation), windows[0] * windows[1]
    layer = the("fold", trace(module, torch.zeros(1, 2, count)))
    features = CHANNELS * kernel[0] * kernel[1]
    assert (layer.in_shape, layer.out_shape) == ((features, *windows), (CHANNELS, *size))

    class Folded(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = module.fold(x.reshape(1, features, count))
            return out

    check(layer, Folded(), dilation)


class Patches(nn.Module):
    """A convolution whose windows do not overlap, as a product of matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.unfold = nn.Unfold(4, stride=4)
        self.linear = nn.Linear(8 * 16, 32)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(self.unfold(self.first(x)).transpose(1, 2))
        return out


def test_windows_times_a_matrix_are_a_convolution() -> None:
    network = trace(Patches(), torch.zeros(1, 3, 16, 16))
    conv = trace(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 32, 4, 4)),
                 torch.zeros(1, 3, 16, 16))  # fmt: skip
    assert (network.macs, network.params) == (conv.macs, conv.params)
    assert [layer.op for layer in network.layers] == ["conv", "unfold", "linear"]


def test_windows_of_features_lie_where_the_features_lie() -> None:
    """Of features that a node has whole, it makes the windows: nothing is sent before them."""
    network = trace(Patches(), torch.zeros(1, 3, 16, 16))
    given = on(network, nodes=4, s_comm=0.0)
    received = given.cost().received_bytes.max(axis=-2)
    at = [layer.op for layer in network.layers].index("unfold")
    assert received[..., at] == 0
    assert received[..., at + 1] > 0


class Frames(nn.Module):
    """Windows along one axis of features that lie on the nodes, each times a matrix."""

    def __init__(self, size: int, step: int) -> None:
        super().__init__()
        self.size, self.step = size, step
        self.mix, self.linear = nn.Conv1d(2, CHANNELS, 1), nn.Linear(CHANNELS * size, 4)

    def frames(self, x: Tensor) -> Tensor:
        return x.unfold(2, self.size, self.step)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(self.frames(self.mix(x)).transpose(1, 2).flatten(2))
        return out


@settings(max_examples=15)
@given(st.integers(4, 20), st.integers(1, 4), st.integers(1, 4))
def test_frames_are_windows_along_one_axis(count: int, size: int, step: int) -> None:
    module = Frames(size, step)
    network = trace(module, torch.zeros(1, 2, count))
    made = module.frames(torch.zeros(1, CHANNELS, count)).shape
    assert {layer.op for layer in network.layers} <= {"conv", "unfold", "view", "linear"}
    assert network.layers[-1].in_shape == (CHANNELS * size, made[2])
    assert network.macs == 2 * CHANNELS * count + 4 * CHANNELS * size * made[2]
    if size == step and size * made[2] == count:  # a reshape, for which nothing is moved
        assert "unfold" not in [layer.op for layer in network.layers]
        return
    layer = the("unfold", network)
    assert layer.out_shape == made[1:]

    class Cut(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return module.frames(x)

    check(layer, Cut(), (1, 1))


def test_patches_that_do_not_overlap_are_a_reshape() -> None:
    class Patched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.linear = nn.Conv2d(3, 8, 1), nn.Linear(8 * 16, 8)

        def forward(self, x: Tensor) -> Tensor:
            y = self.first(x).unfold(2, 4, 4).unfold(3, 4, 4)
            out: Tensor = self.linear(y.permute(0, 2, 3, 1, 4, 5).reshape(1, 16, -1))
            return out

    network = trace(Patched(), torch.zeros(1, 3, 16, 16))
    assert [layer.op for layer in network.layers] == ["conv", "view", "linear"]
    assert network.layers[-1].in_shape == (8 * 16, 16)


@pytest.mark.parametrize("op", ["conv", "conv_transpose", "pool", "unfold"])
def test_windows_do_not_run_over_a_batch(op: str) -> None:
    """The rows of a batch of images are the images: each is made of its own."""
    module = {
        "conv": nn.Conv2d(4, 4, 3, 2, 1),
        "conv_transpose": nn.ConvTranspose2d(4, 4, 3, 2, 1),
        "pool": nn.MaxPool2d(3, 2, 1),
        "unfold": nn.Unfold(3, padding=1, stride=2),
    }[op]
    two = (nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1))
    network = trace(nn.Sequential(*two, module), torch.zeros(3, 3, 8, 8))
    layer = network.layers[-1]
    assert layer.op == op
    assert (rows_of(layer.in_shape), rows_of(layer.out_shape)) == (3, 3)
    assert layer.operator.reach is not None
    for row in range(3):
        reached = layer.operator.reach(layer, 0, np.array([row, row + 1]))
        assert reached is not None
        assert reached.tolist() == [row, row + 1]
    assert all(read.all() for read in read_at_all(layer))
    for name in STRATEGIES:
        cost = on(network, nodes=2, strategy=name, at=network.layers[0].block).cost()
        assert np.isfinite(cost.latency_s).all()
