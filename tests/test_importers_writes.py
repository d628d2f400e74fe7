"""What a module writes in place, and constants that are operands, against torch's own module."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from discosim.errors import DiscosimError
from discosim.graph.network import Network
from discosim.graph.table import tabulate
from discosim.importers.torch.trace import trace

pytestmark = pytest.mark.extras

Step = Callable[["Two", Tensor], Tensor]


class Two(nn.Module):
    """Two linear layers over six tokens, and what is done with them."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.a, self.b, self.step = nn.Linear(8, 8), nn.Linear(8, 8), step
        self.learned = nn.Parameter(torch.zeros(1, 6, 8))
        self.register_buffer("cache", torch.zeros(1, 6, 8))

    def forward(self, x: Tensor) -> Tensor:
        return self.step(self, x)


def traced(step: Step) -> Network:
    return trace(Two(step), torch.zeros(1, 6, 8))


def joined(module: Two, x: Tensor) -> Tensor:
    out = torch.zeros(1, 6, 16)
    out[..., :8] = module.a(x)
    out[..., 8:] = module.b(x)
    return out


def put(at: Any) -> Step:
    def step(module: Two, x: Tensor) -> Tensor:
        out = module.a(x).clone()
        out[at] = module.b(x)[at]
        return out

    return step


def through_a_view(module: Two, x: Tensor) -> Tensor:
    out = module.a(x)
    out[:, :3].add_(module.b(x)[:, :3])
    return out


def cached(module: Two, x: Tensor) -> Tensor:
    module.cache[:, 2:] = module.a(x)[:, 2:]
    return module.b(module.cache)


@pytest.mark.parametrize(
    "step",
    [
        joined, put((..., slice(2, 6))), put((slice(None), 2)), put((..., -1)),
        put((slice(None), slice(0, 6, 2))), through_a_view, cached,
    ],
    ids=["joined", "features", "position", "feature", "every second", "a view", "a buffer"],
)  # fmt: skip
def test_what_is_written_into_a_part_is_read(step: Step) -> None:
    """Both layers are in every one of these modules: 2 x 6 x 8 x 8 MACs."""
    network = traced(step)
    assert network.macs == 2 * 6 * 8 * 8
    layers = {layer.name for layer in network.layers}
    assert {"a", "b"} <= layers
    loose = {name for name in layers if not network.graph.out_degree(name)}
    assert loose == set(network.outputs)


def test_what_is_written_whole_is_one_row_as_ever() -> None:
    def step(module: Two, x: Tensor) -> Tensor:
        return module.b(F.relu_(module.a(x)))

    assert [layer.op for layer in traced(step).layers] == ["linear", "activation", "linear"]


def test_constants_beside_features_do_not_keep_the_input() -> None:
    """Conv 3 -> 8 halves 32 x 32: the input, 3,072, is gone when 10 x 256 are joined.

    By hand: b and the constants, 2,048 + 512, with what is made of them, 2,560.
    """

    class Beside(nn.Module):
        def __init__(self, how: str) -> None:
            super().__init__()
            self.how, self.a = how, nn.Conv2d(3, 8, 3, 2, 1)
            self.b, self.c = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(10, 4, 1)
            self.register_buffer("grid", torch.randn(1, 2, 16, 16))

        def forward(self, x: Tensor) -> Tensor:
            y = self.b(self.a(x))
            if self.how == "padded":
                return self.c(F.pad(y, (0, 0, 0, 0, 1, 1)))
            return self.c(torch.cat([y, self.grid], 1))

    for how in ("padded", "joined"):
        network = trace(Beside(how), torch.zeros(1, 3, 32, 32))
        assert tabulate(network).live_elems.max() == 3_072 + 2_048  # at the first layer
        row = tabulate(network).op.index("concat")
        assert tabulate(network).live_elems[row] == 2_048 + 512 + 2_560


class ByData(nn.Module):
    """A branch that the numbers of a tensor choose, between two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        y = torch.cond(h.sum() > 0, lambda z: z.relu(), lambda z: z.sigmoid(), (h,))
        return self.last(y)


def quantized() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is told that torchao does this in future
        return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(8, 8)), {nn.Linear})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (ByData, ["cond", "before it at gt, first", "behind it at last"]),
        (quantized, ["quantised already: 0 (Linear);", "--weight-dtype int8"]),
    ],
    ids=["control flow", "quantised"],
)
def test_what_cannot_be_exported_says_what_to_do(
    make: Callable[[], nn.Module], said: list[str]
) -> None:
    with pytest.raises(DiscosimError) as refusal:
        trace(make(), torch.zeros(1, 8))
    line = str(refusal.value)
    assert all(part in line for part in said), line
    assert "\n" not in line


def attends(queries: bool) -> Step:
    def step(module: Two, x: Tensor) -> Tensor:
        h = module.a(x)
        known = module.learned
        y = F.scaled_dot_product_attention(*((known, h, h) if queries else (h, known, known)))
        return module.b(y)

    return step


@pytest.mark.parametrize("queries", [True, False], ids=["queries", "keys and values"])
def test_attention_among_learned_tokens(queries: bool) -> None:
    """Without an axis of heads: 6 x 6 x 8 products twice, and 6 x 8 parameters more."""
    network = traced(attends(queries))
    assert network.macs == 2 * 6 * 8 * 8 + 2 * 6 * 6 * 8
    assert network.params == sum(p.numel() for p in Two(joined).parameters()) == 192
    assert [layer.op for layer in network.layers].count("attention") == 1
