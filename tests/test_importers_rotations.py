"""Transformers of today in torch, however they are spelled: rotations, shared heads, caches, ties.

A rotation by position (RoPE, https://arxiv.org/abs/2104.09864, equation 34) is written by halves
(GPT-NeoX, Llama in transformers), by pairs (GPT-J, RoFormer), or with complex numbers (Llama of its
authors); which of them, a network that is split costs the same.
"""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import discosim as ds
from discosim.graph.counts import remarks
from discosim.graph.network import Network
from discosim.importers.torch.trace import trace
from tests.importing import ops

pytestmark = pytest.mark.extras

WIDTH, HEADS, KEY_HEADS, SIZE, TOKENS = 32, 4, 2, 8, 6


def by_halves(x: Tensor, angles: Tensor) -> Tensor:
    whole = torch.cat((angles, angles), -1)
    first, second = x.chunk(2, -1)
    return x * whole.cos() + torch.cat((-second, first), -1) * whole.sin()


def by_pairs(x: Tensor, angles: Tensor) -> Tensor:
    first, second = x[..., ::2], x[..., 1::2]
    cos, sin = angles.cos(), angles.sin()
    return torch.stack((first * cos - second * sin, first * sin + second * cos), -1).flatten(-2)


def complex_pairs(x: Tensor, angles: Tensor) -> Tensor:
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)


def expanded(x: Tensor, times: int) -> Tensor:
    batch, heads, tokens, size = x.shape
    wide = x[:, :, None].expand(batch, heads, times, tokens, size)
    return wide.reshape(batch, heads * times, tokens, size)


def interleaved(x: Tensor, times: int) -> Tensor:
    return x.repeat_interleave(times, dim=1)


class Block(nn.Module):
    """Attention of four heads with two of keys, turned by position."""

    def __init__(
        self,
        turn: Callable[[Tensor, Tensor], Tensor],
        repeat: Callable[[Tensor, int], Tensor],
    ) -> None:
        super().__init__()
        self.turn, self.repeat = turn, repeat
        self.q = nn.Linear(WIDTH, WIDTH, bias=False)
        self.k = nn.Linear(WIDTH, KEY_HEADS * SIZE, bias=False)
        self.v = nn.Linear(WIDTH, KEY_HEADS * SIZE, bias=False)
        self.o = nn.Linear(WIDTH, WIDTH, bias=False)
        steps = 1 / 10_000 ** (torch.arange(0, SIZE, 2) / SIZE)
        self.register_buffer("angles", torch.outer(torch.arange(TOKENS), steps))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            made.view(1, TOKENS, -1, SIZE).transpose(1, 2)
            for made in (self.q(x), self.k(x), self.v(x))
        )
        q, k = self.turn(q, self.angles), self.turn(k, self.angles)
        k, v = (self.repeat(each, HEADS // KEY_HEADS) for each in (k, v))
        scores = (q @ k.transpose(-1, -2) / math.sqrt(SIZE)).softmax(-1)
        return self.o((scores @ v).transpose(1, 2).reshape(1, TOKENS, WIDTH))


def costs(network: Network) -> list[list[float]]:
    """What two, three and four nodes send and hold, and the latency, at two S_comm."""
    frame = ds.sweep(network, "splitnets-hmd", nodes=[2, 3, 4], s_comm=[0, 0.9]).frame
    return frame[["latency_s", "bytes_per_node", "node_bytes"]].to_numpy().tolist()


@pytest.mark.parametrize("repeat", [expanded, interleaved])
@pytest.mark.parametrize("turn", [by_halves, by_pairs, complex_pairs])
def test_a_rotation_costs_the_same_however_it_is_written(
    turn: Callable[[Tensor, Tensor], Tensor], repeat: Callable[[Tensor, int], Tensor]
) -> None:
    example = torch.zeros(1, TOKENS, WIDTH)
    network = trace(Block(turn, repeat), example)
    plain = trace(Block(lambda x, _: x, expanded), example)
    matrices = WIDTH * (2 * WIDTH + 2 * KEY_HEADS * SIZE)
    assert network.macs == TOKENS * matrices + 2 * TOKENS * TOKENS * WIDTH
    assert network.params == matrices
    assert not {"opaque", "exchange", "matmul"} & set(ops(network))
    for mine, theirs in zip(costs(network), costs(plain), strict=True):
        assert mine[:2] == pytest.approx(theirs[:2])


class Cached(nn.Module):
    """One token, put into a buffer of 24 keys and values, of which all are attended to."""

    def __init__(self, put: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.put = put
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)

    def forward(self, x: Tensor, at: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, ...]:
        q, k, v = (
            made.view(1, -1, HEADS, SIZE).transpose(1, 2) for made in self.qkv(x).chunk(3, -1)
        )
        keys, values = self.put(keys, at, k), self.put(values, at, v)
        return nn.functional.scaled_dot_product_attention(q, keys, values), keys, values


def copied(buffer: Tensor, at: Tensor, new: Tensor) -> Tensor:
    return buffer.index_copy(2, at, new)


def put(buffer: Tensor, at: Tensor, new: Tensor) -> Tensor:
    made = buffer.clone()
    made[:, :, at] = new
    return made


def sliced(buffer: Tensor, _: Tensor, new: Tensor) -> Tensor:
    return torch.cat((new, buffer[:, :, 1:]), 2)


@pytest.mark.parametrize("way", [copied, put, sliced])
def test_a_buffer_of_keys_is_written_at_places_that_enter(
    way: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> None:
    """32 x 96 of the matrix, and 24 keys and values with 32 features."""
    buffer = torch.zeros(1, HEADS, 24, SIZE)
    example = (torch.zeros(1, 1, WIDTH), torch.zeros(1, dtype=torch.int64), buffer, buffer)
    network = trace(Cached(way), example)
    assert network.macs == 32 * 96 + 2 * 24 * 32
    assert not {"opaque", "exchange", "matmul"} & set(ops(network))
    if way is not sliced:  # which does not read the place
        return
    others = [trace(Cached(each), example) for each in (copied, put)]
    assert all(costs(each) == costs(network) for each in others)


def test_a_tied_matrix_is_no_parameter_that_nothing_reads() -> None:
    """A table of 50 x 16, which makes the scores of the words too."""

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.head = nn.Embedding(50, 16), nn.Linear(16, 50, bias=False)
            self.head.weight = self.words.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.words(x))

    network = trace(Tied(), torch.zeros(1, 6, dtype=torch.int64))
    assert network.params == 50 * 16
    assert network.macs == 6 * 50 * 16
    assert remarks(network) == []


def test_what_torch_says_of_what_it_refuses_is_not_shown(
    capfd: pytest.CaptureFixture[str],
) -> None:
    class ByData(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(ds.DiscosimError, match="data-dependent"):
        trace(ByData(), torch.zeros(1, 8))
    assert capfd.readouterr() == ("", "")
