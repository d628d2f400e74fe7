"""Modules of torch: what they store, what they return, and what enters them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from discosim.graph.network import INPUT, Network
from discosim.graph.table import tabulate
from discosim.importers.torch.trace import trace


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
