"""Rows of an operand that rows of the output are made of, operator by operator.

A row is an index of a tensor's first position axis: a row of an image, a token of a sequence; a
tensor without positions has one. Rows are half-open ranges, (..., 2) of whole numbers; an empty
range reaches nothing.
"""

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from discosim.graph.carry import is_fused

if TYPE_CHECKING:
    from discosim.graph.layer import Layer

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Shape = tuple[int, ...]

Reach = Callable[["Layer", int, Ints], Ints | None]
"""(layer, operand, rows of the output) -> rows of the operand; None where nobody knows them."""


def rows_of(shape: Shape) -> int:
    """Return how many rows a tensor has."""
    return shape[1] if len(shape) > 1 else 1


def row_elems(shape: Shape) -> int:
    """Return the elements of one feature in one row."""
    return prod(shape[2:])


def clipped(first: Ints, last: Ints, rows: Ints, limit: int) -> Ints:
    """Return [first, last) within [0, limit), and nothing where `rows` are empty."""
    some = rows[..., 1] > rows[..., 0]
    low = np.minimum(np.maximum(first, 0), limit)
    high = np.maximum(np.minimum(last, limit), low)
    found: Ints = np.empty((*np.shape(some), 2), dtype=np.int64)
    found[..., 0], found[..., 1] = low * some, high * some
    return found


def everything(layer: "Layer", operand: int, rows: Ints) -> Ints:
    """All rows: what looks at every position."""
    limit = rows_of(layer.in_shapes[operand])
    return clipped(np.zeros_like(rows[..., 0]), np.full_like(rows[..., 1], limit), rows, limit)


def same(layer: "Layer", operand: int, rows: Ints) -> Ints | None:
    """The same rows, or the only one there is; unknown where their numbers differ."""
    count = rows_of(layer.in_shapes[operand])
    if count == rows_of(layer.out_shape):
        return clipped(rows[..., 0], rows[..., 1], rows, count)
    return everything(layer, operand, rows) if count == 1 else None


def windows(layer: "Layer", operand: int, rows: Ints) -> Ints | None:
    """Output row o: input rows from o s - p on, one every t of (k - 1) t + 1.

    Without a stated padding, what the shapes leave for it lies half in front.
    """
    if not layer.kernel or len(layer.in_shape) < 2 or _untouched(layer):
        return same(layer, operand, rows)
    count, stride = rows_of(layer.in_shape), layer.stride[0] if layer.stride else 1
    spread = (layer.kernel[0] - 1) * layer.dilation
    pad = layer.padding[0] if layer.padding else _padding(layer, count, stride, spread)
    first, last = rows[..., 0] * stride - pad, (rows[..., 1] - 1) * stride - pad + spread + 1
    return clipped(first, last, rows, count)


def _untouched(layer: "Layer") -> int:
    """The position axes before those that windows run over: those of a batch."""
    return max(0, len(layer.in_shape) - 1 - len(layer.kernel))


def _padding(layer: "Layer", count: int, stride: int, spread: int) -> int:
    return max(0, (rows_of(layer.out_shape) - 1) * stride + spread + 1 - count) // 2


def read_at_all(layer: "Layer") -> tuple[Bools, ...]:
    """Return which indices of each position axis of its input some window of a layer reads.

    Strides longer than kernels pass over some; of an operator without windows it is all of them.
    """
    sizes, made = layer.in_shape[1:], layer.out_shape[1:]
    if layer.operator.reach is not windows or not layer.kernel or len(sizes) != len(made):
        return tuple(np.ones(size, dtype=bool) for size in sizes)
    batch = _untouched(layer)
    found = [np.ones(size, dtype=bool) for size in sizes[:batch]]
    over = zip(sizes[batch:], made[batch:], layer.kernel, strict=True)
    for axis, (size, outputs, kernel) in enumerate(over):
        stride = layer.stride[axis] if layer.stride else 1
        spread = (kernel - 1) * layer.dilation
        pad = max(0, (outputs - 1) * stride + spread + 1 - size) // 2
        pad = layer.padding[axis] if layer.padding else pad
        taps = np.arange(0, spread + 1, layer.dilation)
        at = np.arange(outputs)[:, None] * stride - pad + taps
        read = np.zeros(size, dtype=bool)
        read[at[(at >= 0) & (at < size)]] = True
        found.append(read)
    return tuple(found)


def transposed_windows(layer: "Layer", operand: int, rows: Ints) -> Ints | None:
    """Input row i adds to the output rows from i s - p on: the inverse of `windows`."""
    if not layer.kernel or len(layer.in_shape) < 2 or _untouched(layer):
        return same(layer, operand, rows)
    count, stride = rows_of(layer.in_shape), layer.stride[0] if layer.stride else 1
    spread = (layer.kernel[0] - 1) * layer.dilation
    grown = (count - 1) * stride + spread + 1
    pad = layer.padding[0] if layer.padding else max(0, grown - rows_of(layer.out_shape)) // 2
    first = -((spread - pad - rows[..., 0]) // stride)  # ceil((a + p - spread) / s)
    return clipped(first, (rows[..., 1] - 1 + pad) // stride + 1, rows, count)


def pooling(layer: "Layer", operand: int, rows: Ints) -> Ints | None:
    """Windows where there is a stride; otherwise as many equal ranges as there are outputs."""
    if layer.stride:
        return windows(layer, operand, rows)
    count, made = rows_of(layer.in_shape), rows_of(layer.out_shape)
    return clipped(rows[..., 0] * count // made, -(-rows[..., 1] * count // made), rows, count)


def interpolation(layer: "Layer", operand: int, rows: Ints) -> Ints | None:
    """The nearest rows, or the two between which an output row lies, corners not aligned.

    Of a function that is not known, the two on either side, wherever the corners are.
    """
    count, made = rows_of(layer.in_shapes[operand]), rows_of(layer.out_shape)
    if operand or count == made:
        return same(layer, operand, rows)
    low, high = rows[..., 0], rows[..., 1] - 1
    if layer.function == "nearest":
        return clipped(low * count // made, high * count // made + 1, rows, count)
    # (2 o + 1) count / (2 made) - 1/2, in whole numbers
    first, last = (((2 * o + 1) * count - made) // (2 * made) for o in (low, high))
    margin = 0 if layer.function == "bilinear" else 2
    return clipped(np.minimum(first, count - 1) - margin, last + 2 + margin, rows, count)


def sampled(layer: "Layer", operand: int, rows: Ints) -> Ints | None:
    """Anywhere in what is sampled; the same rows of a grid that says where."""
    return everything(layer, operand, rows) if operand == 0 else same(layer, operand, rows)


def padding(layer: "Layer", _: int, rows: Ints) -> Ints:
    """The rows that lie there however the padding is divided between front and back."""
    count = rows_of(layer.in_shape)
    added = max(0, rows_of(layer.out_shape) - count)
    return clipped(rows[..., 0] - added, rows[..., 1], rows, count)


def tokens(layer: "Layer", _: int, rows: Ints) -> Ints:
    """Positions in row-major order behind learned tokens."""
    front = rows_of(layer.out_shape) - prod(layer.in_shape[1:])
    return _flat(layer, rows - front, rows)


def rearranged(layer: "Layer", _: int, rows: Ints) -> Ints:
    """Positions in row-major order, the first of them where fewer are left."""
    return _flat(layer, rows * row_elems(layer.out_shape), rows)


def _flat(layer: "Layer", positions: Ints, rows: Ints) -> Ints:
    width, count = row_elems(layer.in_shape), rows_of(layer.in_shape)
    return clipped(positions[..., 0] // width, -(-positions[..., 1] // width), rows, count)


def attention(layer: "Layer", operand: int, rows: Ints) -> Ints | None:
    """Queries: their own rows; keys and values: all, or those of the same window.

    Where one operand holds queries, keys and values, this is what keys and values need.
    """
    if layer.terms and row_elems(layer.out_shape) == layer.terms:
        return same(layer, operand, rows)
    queries = operand == 0 and not is_fused(layer)
    return same(layer, operand, rows) if queries else everything(layer, operand, rows)


def shuffled(layer: "Layer", operand: int, rows: Ints) -> Ints | None:
    """Rows stay, or each becomes, or comes from, a whole number of rows (pixel shuffle)."""
    before, after = layer.in_shape[1:], layer.out_shape[1:]
    if before == after and not layer.inner:
        return same(layer, operand, rows)
    if len(before) != len(after) or len(before) < 2:
        return None
    count, made = before[0], after[0]
    if all(a % b == 0 for a, b in zip(after, before, strict=True)):
        return clipped(rows[..., 0] * count // made, -(-rows[..., 1] * count // made), rows, count)
    if all(b % a == 0 for a, b in zip(after, before, strict=True)):
        times = count // made
        return clipped(rows[..., 0] * times, rows[..., 1] * times, rows, count)
    return None


def through(seen: Shape, shape: Shape, rows: Ints) -> Ints | None:
    """Return the rows of a tensor of `shape` that a reader which sees it as `seen` means.

    Positions in row-major order may be seen as one axis, or one axis as several; None otherwise.
    """
    if seen[1:] == shape[1:]:
        return rows
    if prod(seen[1:]) != prod(shape[1:]) or min(len(seen), len(shape)) > 2:
        return None
    positions, width = rows * row_elems(seen), row_elems(shape)
    return clipped(positions[..., 0] // width, -(-positions[..., 1] // width), rows, rows_of(shape))
