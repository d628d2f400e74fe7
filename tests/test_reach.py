"""The rows that an operator reaches are those whose change changes its output."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from discosim.errors import DiscosimError
from discosim.graph.builder import Builder
from discosim.graph.layer import Layer
from discosim.graph.network import INPUT
from discosim.graph.reach import read_at_all, rows_of, through
from discosim.runtime import operators

pytestmark = pytest.mark.extras

Compute = Callable[[torch.Tensor], torch.Tensor]


def reached(layer: Layer, row: int) -> set[int]:
    assert layer.operator.reach is not None
    rows = layer.operator.reach(layer, 0, np.array([row, row + 1]))
    assert rows is not None
    return set(range(*rows.tolist()))


def depends(compute: Compute, layer: Layer) -> list[set[int]]:
    """For each output row, the input rows whose change changes it."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand((1, *layer.in_shape), generator=generator, dtype=torch.float64)
    before = compute(x)
    found: list[set[int]] = [set() for _ in range(rows_of(layer.out_shape))]
    for row in range(rows_of(layer.in_shape)):
        changed = x.clone()
        changed[:, :, row] += 1.0
        differs = (compute(changed) != before).any(1)[0].reshape(len(found), -1).any(-1)
        for out in torch.nonzero(differs).ravel().tolist():
            found[out].add(row)
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.integers(5, 17), st.integers(1, 5), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2)
)
def test_convolution(rows: int, kernel: int, stride: int, padding: int, dilation: int) -> None:
    net = Builder("conv", (2, rows, 6))
    try:
        net.conv(INPUT, 2, (kernel, 1), "conv", stride=(stride, 1), padding=(padding, 0),
                 dilation=dilation)  # fmt: skip
    except DiscosimError:
        return  # nothing is left
    layer = net.layer("conv")
    weight = torch.ones((2, 2, kernel, 1), dtype=torch.float64)
    windows = depends(lambda x: operators.mix(layer, x, weight, None), layer)
    at_all, columns = read_at_all(layer)
    assert set(np.flatnonzero(at_all)) == set().union(*windows)
    assert columns.all()
    for row, found in enumerate(windows):
        window = reached(layer, row)
        assert found <= window
        if found:  # dilated windows skip rows between their first and last
            assert {min(found), max(found)} == {min(window), max(window)} or dilation > 1
        assert dilation > 1 or found == window


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 15), st.integers(2, 3), st.integers(1, 3), st.booleans())
def test_pooling(rows: int, kernel: int, stride: int, ceil: bool) -> None:
    net = Builder("pool", (2, rows, 6))
    net.pool(INPUT, (kernel, 1), "pool", stride=(stride, 1), padding=(kernel // 2, 0), ceil=ceil,
             function="mean")  # fmt: skip
    layer = net.layer("pool")
    for row, found in enumerate(depends(lambda x: operators.pool(layer, x), layer)):
        assert found == reached(layer, row)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pooling_to_a_size(size: int) -> None:
    net = Builder("pool", (2, 7, 5))
    net.global_pool(INPUT, "pool", size=(size, 1))
    layer = net.layer("pool")
    for row, found in enumerate(depends(lambda x: operators.pool(layer, x), layer)):
        assert found == reached(layer, row)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 9), st.integers(2, 20), st.sampled_from(["nearest", "bilinear"]))
def test_interpolation(rows: int, made: int, function: str) -> None:
    net = Builder("up", (2, rows, 3))
    net.upsample(INPUT, (made, 3), "up", function)
    layer = net.layer("up")
    for row, found in enumerate(depends(lambda x: operators.upsample(layer, x), layer)):
        assert found <= reached(layer, row)
        assert len(reached(layer, row)) <= (1 if function == "nearest" else 2)


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 9), st.integers(1, 4), st.integers(1, 3), st.integers(0, 1))
def test_transposed_convolution(rows: int, kernel: int, stride: int, padding: int) -> None:
    if padding >= kernel:
        return
    made = (rows - 1) * stride - 2 * padding + kernel
    net = Builder("up", (1, rows, 2))
    net.append("conv_transpose", "up", (INPUT,), (1, made, 2), kernel=(kernel, 1),
               stride=(stride, 1), padding=(padding, 0))  # fmt: skip
    layer = net.layer("up")
    weight = torch.ones((1, 1, kernel, 1), dtype=torch.float64)

    def compute(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv_transpose2d(x, weight, None, (stride, 1), (padding, 0))

    for row, found in enumerate(depends(compute, layer)):
        assert found == reached(layer, row)


def test_tokens_come_from_the_rows_of_their_patches() -> None:
    net = Builder("embed", (4, 3, 5))
    net.embed(INPUT, 16, 4, "embed")
    layer = net.layer("embed")
    token = torch.zeros((1, 4, 1), dtype=torch.float64)
    for row, found in enumerate(depends(lambda x: operators.embed(x, token, None), layer)):
        assert found == reached(layer, row)


def test_a_pixel_shuffle_takes_each_row_apart() -> None:
    net = Builder("shuffle", (8, 3, 4))
    net.append("view", "up", (INPUT,), (2, 6, 8), view=((2, 4),), inner=((2, 1), (2, 2)))
    net.append("view", "down", ("up",), (8, 3, 4), view=((2, 1), (4, 0)))
    assert [reached(net.layer("up"), row) for row in range(6)] == [{0}, {0}, {1}, {1}, {2}, {2}]
    assert [reached(net.layer("down"), row) for row in range(3)] == [{0, 1}, {2, 3}, {4, 5}]


def test_an_unknown_rearrangement_reaches_nobody_knows_what() -> None:
    net = Builder("view", (8, 6))
    net.append("view", "heads", (INPUT,), (4, 12), view=((4, 2),), inner=((2, 1),))
    layer = net.layer("heads")
    assert layer.operator.reach is not None
    assert layer.operator.reach(layer, 0, np.array([0, 1])) is None


def test_positions_seen_as_tokens() -> None:
    rows = np.array([[4, 9], [0, 0]])
    found = through((8, 15), (8, 3, 5), rows)
    assert found is not None
    np.testing.assert_array_equal(found, [[0, 2], [0, 0]])
    back = through((8, 3, 5), (8, 15), np.array([1, 2]))
    assert back is not None
    np.testing.assert_array_equal(back, [5, 10])
    assert through((8, 3, 4), (8, 2, 6), rows) is None


def test_windows_of_attention_stay_whole() -> None:
    net = Builder("windows", (12, 9, 49))
    net.append("attention", "attend", (INPUT,), (4, 9, 49), heads=2, terms=49)
    assert reached(net.layer("attend"), 3) == {3}
