"""Operators on some rows of a tensor: what they make of all rows, row by row of the output.

A row is an index of a tensor's first position axis. `x` has the rows that the wanted ones reach
(graph/reach.py), from `begins` on.
"""

from collections.abc import Callable
from functools import partial
from math import prod

import torch
from torch import Tensor
from torch.nn import functional

from discosim.errors import DiscosimError
from discosim.graph.layer import Layer
from discosim.graph.reach import row_elems, rows_of
from discosim.runtime import operators
from discosim.runtime.program import Range

Learned = tuple[Tensor | None, Tensor | None]


def operator(
    layer: Layer, begins: int, rows: Range, learned: Learned
) -> Callable[[Tensor], Tensor]:
    """Return what makes output rows `rows`; learned: tokens and positions of an embedding.

    Raises DiscosimError for an operator that no run splits by rows.
    """
    match layer.op:
        case "pool":
            return partial(pool, layer, begins, rows)
        case "upsample":
            return partial(upsample, layer, begins, rows)
        case "reshape":
            return partial(reshape, layer, begins, rows)
        case "embed":
            return partial(embed, layer, begins, rows, *learned)
    raise DiscosimError(f"{layer.name}: no run splits {layer.op!r} by rows")


def pool(layer: Layer, begins: int, rows: Range, x: Tensor) -> Tensor:
    """Return a pooling; where it has a stride, `x` has the rows that pad it."""
    rank = len(layer.kernel)
    if not layer.stride:
        return _pool_evenly(layer, begins, rows, x)
    padding, up = (0, *layer.padding[1:]), operators.rounds_up(layer)
    if layer.function == "max":
        pools = operators.MAX_POOLINGS[rank]
        return pools(x, layer.kernel, layer.stride, padding, ceil_mode=up)
    y = operators.MEAN_POOLINGS[rank](x, layer.kernel, layer.stride, padding, up)
    return y * _shortened(layer, rows, y) if up else y


def _shortened(layer: Layer, rows: Range, y: Tensor) -> Tensor:
    """What a window counts whole over what lies before the end of the padding."""
    kernel, stride, pad = layer.kernel[0], layer.stride[0], layer.padding[0]
    begins = torch.arange(*rows) * stride - pad
    inside = (rows_of(layer.in_shape) + pad - begins).clamp_max(kernel)
    return (kernel / inside).reshape(1, 1, -1, *(1,) * (y.dim() - 3))


def _pool_evenly(layer: Layer, begins: int, rows: Range, x: Tensor) -> Tensor:
    """Row o is of input rows from o n / m down to (o + 1) n / m up."""
    count, made = rows_of(layer.in_shape), rows_of(layer.out_shape)
    pools, size = operators.GLOBAL_POOLINGS[len(layer.kernel)], (1, *layer.out_shape[2:])
    each = [
        pools(x[:, :, row * count // made - begins : -(-(row + 1) * count // made) - begins], size)
        for row in range(*rows)
    ]
    return torch.cat(each, dim=2)


def part_of_mean(layer: Layer, begins: int, x: Tensor) -> Tensor:
    """Return what the rows in `x` add to the mean in the only output row."""
    if not layer.stride and prod(layer.out_shape[1:]) == 1:
        axes = tuple(range(2, x.dim()))
        return x.sum(axes, keepdim=True) / prod(layer.in_shape[1:])
    whole = torch.zeros((1, x.shape[1], *layer.in_shape[1:]))
    whole[:, :, begins : begins + x.shape[2]] = x
    return operators.pool(layer, whole)


def upsample(layer: Layer, begins: int, rows: Range, x: Tensor) -> Tensor:
    """Return an interpolation: of the rows first, then of the other positions.

    Raises DiscosimError for a function that no run splits by rows.
    """
    count, made = rows_of(layer.in_shape), rows_of(layer.out_shape)
    wanted = torch.arange(*rows)
    if layer.function == "nearest":
        y = x[:, :, wanted * count // made - begins]
    elif layer.function == "bilinear":
        at = ((wanted + 0.5) * (count / made) - 0.5).clamp_min(0.0)
        low = at.floor().long().clamp_max(count - 1)
        high = (low + 1).clamp_max(count - 1)
        share = (at - low).reshape(1, 1, -1, *(1,) * (x.dim() - 3))
        y = torch.lerp(x[:, :, low - begins], x[:, :, high - begins], share)
    else:
        raise DiscosimError(f"{layer.name}: no run splits {layer.function!r} by rows")
    if layer.out_shape[2:] == layer.in_shape[2:]:
        return y
    size = (y.shape[2], *layer.out_shape[2:])
    mode, align = layer.function, None if layer.function == "nearest" else False
    return functional.interpolate(y, size, mode=mode, align_corners=align)


def reshape(layer: Layer, begins: int, rows: Range, x: Tensor) -> Tensor:
    """Return positions in row-major order as other rows, the first of them where fewer are left."""
    width, positions = row_elems(layer.out_shape), layer.out_shape[1:]
    first = rows[0] * width - begins * row_elems(layer.in_shape)
    wanted = x.flatten(2)[..., first : first + (rows[1] - rows[0]) * width]
    shape = (rows[1] - rows[0], *positions[1:]) if positions else ()
    return wanted.reshape(*x.shape[:2], *shape).clone()


def embed(
    layer: Layer, begins: int, rows: Range, token: Tensor | None, table: Tensor | None, x: Tensor
) -> Tensor:
    """Return tokens `rows`: learned ones in front, then positions, plus their embedding."""
    front = layer.out_shape[1] - prod(layer.in_shape[1:])
    first, last = (max(0, row - front) for row in rows)
    offset = begins * row_elems(layer.in_shape)
    y = x.flatten(2)[..., first - offset : last - offset]
    if token is not None and rows[0] < front:
        y = torch.cat([token[None, :, rows[0] : min(front, rows[1])], y], dim=2)
    return y.clone() if table is None else y + table[:, rows[0] : rows[1]]
