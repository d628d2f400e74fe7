"""Random small modules of torch: what is read of them is what torch itself counts.

Parameters and stored bytes from the module, MACs from torch's flop counter, and the memory of
features from a reference-counted walk over the exported graph.
"""

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from discosim.graph.network import Network
from discosim.graph.table import tabulate
from discosim.importers.torch.trace import trace
from tests.exported import exported_peak, joins

pytestmark = pytest.mark.extras

POINTS = 6
WIDTH = 8
SPELLINGS = ("fused", "products", "einsum", "batched")


class Attend(nn.Module):
    """Attention of two heads in one of four spellings."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.qkv, self.out = how, nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            each.reshape(1, POINTS, 2, WIDTH // 2).transpose(1, 2)
            for each in self.qkv(x).chunk(3, -1)
        )
        if self.how == "fused":
            y = F.scaled_dot_product_attention(q, k, v)
        elif self.how == "products":
            y = (q @ k.transpose(-1, -2) / 2).softmax(-1) @ v
        elif self.how == "einsum":
            scores = torch.einsum("bhqd,bhkd->bhqk", q, k) / 2
            y = torch.einsum("bhqk,bhkd->bhqd", scores.softmax(-1), v)
        else:
            q, k, v = (each.flatten(0, 1) for each in (q, k, v))
            y = torch.bmm(torch.bmm(q, k.transpose(1, 2)).softmax(-1), v)[None]
        return self.out(y.transpose(1, 2).flatten(2))


class Convolve(nn.Module):
    """A convolution over the positions of tokens."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(WIDTH, WIDTH, 3, padding=1, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x.transpose(1, 2)).transpose(1, 2)


class Scaled(nn.Module):
    """A scale and a shift that are computed."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.shift = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(1, keepdim=True)
        return F.layer_norm(x, (WIDTH,)) * self.scale(mean) + self.shift(mean)


MAKERS = {
    "linear": lambda: nn.Linear(WIDTH, WIDTH),
    "plain": lambda: nn.Linear(WIDTH, WIDTH, bias=False),
    "conv": lambda: Convolve(1),
    "grouped": lambda: Convolve(2),
    "depthwise": lambda: Convolve(WIDTH),
    "norm": lambda: nn.LayerNorm(WIDTH),
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "scaled": Scaled,
    **{how: lambda how=how: Attend(how) for how in SPELLINGS},
}


class Random(nn.Module):
    """Steps that each read one or two of the tensors before; some use a module again.

    Its outputs are what no step reads, and the last `outputs` tensors whoever reads them.
    """

    def __init__(self, steps: list[tuple[str, int, int, bool]], inputs: int, outputs: int) -> None:
        super().__init__()
        self.steps, self.outputs = steps, outputs
        self.reads: list[tuple[int, ...]] = []
        made: dict[str, int] = {}
        self.parts = nn.ModuleList()
        self.uses: list[int] = []
        for kind, one, other, again in steps:
            known = inputs + len(self.reads)
            self.reads.append((one % known, *([other % known] * (other % 3 == 0))))
            if not (again and kind in made):
                made[kind] = len(self.parts)
                self.parts.append(MAKERS[kind]())
            self.uses.append(made[kind])

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        known = list(inputs)
        for read, use in zip(self.reads, self.uses, strict=True):
            x = sum((known[at] for at in read[1:]), known[read[0]])
            known.append(self.parts[use](x))
        begin, read_by_some = len(inputs), {at for read in self.reads for at in read}
        last = len(known) - self.outputs
        return [
            x
            for at, x in enumerate(known)
            if at >= begin and (at not in read_by_some or at >= last)
        ]


STEPS = st.lists(
    st.tuples(st.sampled_from(sorted(MAKERS)), st.integers(0, 9), st.integers(0, 9), st.booleans()),
    min_size=1,
    max_size=6,
)


def counted_macs(module: nn.Module, examples: tuple[Tensor, ...]) -> int:
    """torch's own count: two operations a MAC."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*examples)
    return counter.get_total_flops() // 2


def stored(network: Network) -> int:
    """Elements of a network's parameters, by name where several layers read one."""
    held: dict[str, int] = {}
    for layer in network.layers:
        own = layer.params
        if layer.weight:
            held[layer.weight] = layer.weights
            own -= layer.weights
        for name, elems in layer.held:
            held[name] = elems
            own -= elems
        held[layer.name] = own
    return sum(held.values())


def check_peak(network: Network, module: nn.Module, examples: tuple[Tensor, ...]) -> None:
    """Hold the memory of features against the walk through what torch exports.

    A tensor that is added to a function of itself is one function, made where it is read: it may
    take less than the calls one by one, never more.
    """
    table = tabulate(network)
    peak = (table.live_elems + table.scratch_elems).max()
    program = torch.export.export(module.eval(), examples)
    walked = exported_peak(program)
    rows = sum(layer.op in ("add", "multiply") for layer in network.layers)
    assert peak <= walked
    if rows == joins(program):
        assert peak == walked


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(STEPS, st.integers(1, 2), st.integers(1, 2))
def test_what_is_read_is_what_torch_counts(steps: list[Any], inputs: int, outputs: int) -> None:
    module = Random(steps, inputs, outputs)
    examples = tuple(torch.zeros(1, POINTS, WIDTH) for _ in range(inputs))
    network = trace(module, examples)
    assert network.params == stored(network) == sum(p.numel() for p in module.parameters())
    assert network.macs == counted_macs(module, examples)
    check_peak(network, module, examples)
    assert {layer.op for layer in network.layers}.isdisjoint({"opaque", "exchange"})


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(STEPS)
def test_a_chain_has_the_macs_that_torch_counts(steps: list[Any]) -> None:
    chain = nn.Sequential(*(MAKERS[kind]() for kind, *_ in steps))
    example = torch.zeros(1, POINTS, WIDTH)
    network = trace(chain, example)
    assert network.macs == counted_macs(chain, (example,))
    assert network.params == sum(p.numel() for p in chain.parameters())


class ChannelAttention(nn.Module):
    """Wang et al., ECA-Net, CVPR 2020: a convolution over the channels' means weights them."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = (nn.Conv2d(c, 32, 3, padding=1) for c in (3, 32))
        self.near = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.before(x))
        means = x.mean((2, 3), keepdim=True)
        weights = self.near(means.squeeze(-1).transpose(-1, -2)).transpose(-1, -2).unsqueeze(-1)
        out: Tensor = self.after(x * torch.sigmoid(weights).expand_as(x))
        return out


class Separation(nn.Module):
    """Luo, Mesgarani, Conv-TasNet, 2019: a mask for each of two speakers over what both have."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.masks = nn.Conv1d(1, 64, 16, 8), nn.Conv1d(64, 128, 1)
        self.decoder = nn.ConvTranspose1d(64, 1, 16, 8)

    def forward(self, x: Tensor) -> Tensor:
        heard = F.relu(self.encoder(x))
        masks = torch.sigmoid(self.masks(heard)).view(1, 2, 64, -1)
        out: Tensor = self.decoder((heard.unsqueeze(1) * masks).view(2, 64, -1))
        return out.view(1, 2, -1)


@pytest.mark.parametrize(
    ("module", "size"), [(ChannelAttention(), (1, 3, 16, 16)), (Separation(), (1, 1, 1608))]
)
def test_what_is_apart_and_works_element_by_element_overwrites_what_ends(
    module: nn.Module, size: tuple[int, ...]
) -> None:
    example = torch.zeros(size)
    network = trace(module, example)
    assert "exchange" in [layer.op for layer in network.layers]
    table = tabulate(network)
    program = torch.export.export(module.eval(), (example,))
    assert (table.live_elems + table.scratch_elems).max() == exported_peak(program)
