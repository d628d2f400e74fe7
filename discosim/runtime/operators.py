"""What each operator computes, in torch: on all features of a tensor, or on those of one node.

Tensors are (batch, features, positions…). Nothing here depends on how many features there are,
so that a node can do the same with its own.
"""

from collections.abc import Callable, Mapping
from math import prod
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional

from discosim.errors import UnknownNameError
from discosim.graph.layer import Layer

BATCH_NORM_EPS = 1e-5
LAYER_NORM_EPS = 1e-6
L2_NORM_EPS = 1e-12
GROUP_NORM_EPS = 1e-5

Function = Callable[[Tensor, float, bool], Tensor]
"""An activation of x with its factor; the last argument allows it to overwrite x."""

FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "relu": lambda x, _, inplace: functional.relu(x, inplace),
        "relu6": lambda x, _, inplace: functional.relu6(x, inplace),
        "leaky_relu": lambda x, slope, inplace: functional.leaky_relu(x, slope, inplace),
        "silu": lambda x, _, inplace: functional.silu(x, inplace),
        "hardswish": lambda x, _, inplace: functional.hardswish(x, inplace),
        "hardsigmoid": lambda x, _, inplace: functional.hardsigmoid(x, inplace),
        "sigmoid": lambda x, _, inplace: x.sigmoid_() if inplace else x.sigmoid(),
        "tanh": lambda x, _, inplace: x.tanh_() if inplace else x.tanh(),
        "gelu": lambda x, _, inplace: torch.ops.aten.gelu_(x) if inplace else functional.gelu(x),
        "scale": lambda x, factor, inplace: x.mul_(factor) if inplace else x * factor,
    }
)

CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
MAX_POOLINGS = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
MEAN_POOLINGS: Mapping[int, Callable[..., Tensor]] = {
    1: functional.avg_pool1d,
    2: functional.avg_pool2d,
    3: functional.avg_pool3d,
}
GLOBAL_POOLINGS: Mapping[int, Callable[..., Tensor]] = {
    1: functional.adaptive_avg_pool1d,
    2: functional.adaptive_avg_pool2d,
    3: functional.adaptive_avg_pool3d,
}
INTERPOLATIONS = {("bilinear", 1): "linear", ("bilinear", 2): "bilinear"}


def activate(layer: Layer, x: Tensor, inplace: bool = False) -> Tensor:
    """Return the activation of `x`; raises UnknownNameError for a function that is not known."""
    if layer.function not in FUNCTIONS:
        raise UnknownNameError(f"activation of {layer.name}", layer.function, FUNCTIONS)
    return FUNCTIONS[layer.function](x, layer.factor, inplace)


def mix(layer: Layer, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int = 1) -> Tensor:
    """Return the convolution or matrix product of `x` with `weight`, which may be a part of it."""
    if layer.op == "linear":
        if x.dim() == 2:
            return functional.linear(x, weight, bias)
        rows, spread = x.flatten(2), weight.expand(x.shape[0], *weight.shape)
        y = spread @ rows if bias is None else torch.baddbmm(bias[:, None], spread, rows)
        return y.reshape(x.shape[0], -1, *x.shape[2:])
    convolve = CONVOLUTIONS[len(layer.kernel)]
    return convolve(x, weight, bias, layer.stride, layer.padding, layer.dilation, groups)


def mix_rows(
    layer: Layer, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int = 1
) -> Tensor:
    """Return the same where `x` has the rows that pad it; its other axes are padded here."""
    convolve, padding = CONVOLUTIONS[len(layer.kernel)], (0, *layer.padding[1:])
    return convolve(x, weight, bias, layer.stride, padding, layer.dilation, groups)


def pool(layer: Layer, x: Tensor) -> Tensor:
    """Return the maximum or mean over windows, or over all positions where there is no stride."""
    rank = len(layer.kernel)
    if not layer.stride:
        return GLOBAL_POOLINGS[rank](x, layer.out_shape[1:])
    if layer.function == "max":
        return MAX_POOLINGS[rank](
            x, layer.kernel, layer.stride, layer.padding, ceil_mode=rounds_up(layer)
        )
    return MEAN_POOLINGS[rank](x, layer.kernel, layer.stride, layer.padding, rounds_up(layer))


def rounds_up(layer: Layer) -> bool:
    """Return whether a pooling has windows that begin inside and end behind the padding."""
    spans = zip(layer.in_shape[1:], layer.padding, layer.kernel, layer.stride, strict=True)
    floor = tuple((size + 2 * pad - kernel) // stride + 1 for size, pad, kernel, stride in spans)
    return floor != layer.out_shape[1:]


def upsample(layer: Layer, x: Tensor) -> Tensor:
    """Return `x` interpolated to the positions of the output, corners not aligned."""
    mode = INTERPOLATIONS.get((layer.function, x.dim() - 2), layer.function)
    align = None if mode == "nearest" else False
    return functional.interpolate(x, layer.out_shape[1:], mode=mode, align_corners=align)


def embed(x: Tensor, token: Tensor | None, table: Tensor | None) -> Tensor:
    """Return the positions as tokens, learned ones in front, plus the position embedding."""
    y = x.flatten(2)
    if token is not None:
        y = torch.cat([token.expand(x.shape[0], -1, -1), y], dim=2)
    return y if table is None else y + table


def reshape(layer: Layer, x: Tensor) -> Tensor:
    """Return `x` with its positions rearranged, or the first of them where fewer are wanted."""
    positions = layer.out_shape[1:]
    return x.flatten(2)[..., : prod(positions)].reshape(*x.shape[:2], *positions)


def attend(layer: Layer, qkv: Tensor) -> Tensor:
    """Return softmax(q k^T / sqrt(d)) v of the heads in `qkv`, each d features wide."""
    queries, others = qkv.tensor_split((qkv.shape[1] // 3,), dim=1)
    return attend_to(layer, queries, others)


def attend_to(layer: Layer, queries: Tensor, others: Tensor) -> Tensor:
    """Return the same of queries, and of keys and values, at any positions each."""
    head_features = layer.out_features // layer.heads

    def heads(x: Tensor, parts: int) -> tuple[Tensor, ...]:
        shape = x.shape[0], parts, -1, head_features, prod(x.shape[2:])
        return x.reshape(shape).transpose(-1, -2).unbind(1)

    [q], (k, v) = heads(queries, 1), heads(others, 2)
    y = functional.scaled_dot_product_attention(q, k, v)
    return y.transpose(-1, -2).reshape(queries.shape)


def norm(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return the layer norm of `x`, or its L2 norm where there is no bias."""
    if bias is None:
        y = functional.normalize(x, dim=1, eps=L2_NORM_EPS)
        return y * along_features(weight, y)
    variance, mean = torch.var_mean(x, 1, correction=0)
    return normalize(x, mean, variance, weight, bias)


def normalize(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    weight: Tensor,
    bias: Tensor,
    inplace: bool = False,
) -> Tensor:
    """Return the layer norm of `x` from the statistics of each position."""
    rate = torch.rsqrt(variance + LAYER_NORM_EPS)[:, None]
    scale, shift = along_features(weight, x), along_features(bias, x)
    if inplace:
        return x.sub_(mean[:, None]).mul_(rate).mul_(scale).add_(shift)
    return torch.addcmul(shift, (x - mean[:, None]) * rate, scale)


def group_norm(layer: Layer, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """Return `x` normalised over each group of its features at all positions."""
    features = torch.arange(layer.out_features) * layer.groups // layer.out_features
    grouped = x.reshape(x.shape[0], layer.groups, -1)
    variance, mean = torch.var_mean(grouped, 2, correction=0)
    return normalize_groups(x, mean[:, features], variance[:, features], weight, bias)


def normalize_groups(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    inplace: bool = False,
) -> Tensor:
    """Return a group norm from the statistics of each feature's group, (features,) or batched."""
    rate = torch.rsqrt(variance + GROUP_NORM_EPS)
    factor = rate if weight is None else rate * weight
    shift = -mean * factor if bias is None else bias - mean * factor
    shape = (-1, x.shape[1], *(1,) * (x.dim() - 2))
    factor, shift = factor.reshape(shape), shift.reshape(shape)
    return x.mul_(factor).add_(shift) if inplace else torch.addcmul(shift, x, factor)


def scale(x: Tensor, weight: Tensor, bias: Tensor, inplace: bool = False) -> Tensor:
    """Return `x` times a weight and plus a bias of each feature: a batch norm, folded."""
    factor, shift = along_features(weight, x), along_features(bias, x)
    return x.mul_(factor).add_(shift) if inplace else torch.addcmul(shift, x, factor)


def along_features(vector: Tensor, x: Tensor) -> Tensor:
    """Return a value per feature in a shape that broadcasts with `x`."""
    return vector.reshape(1, -1, *(1,) * (x.dim() - 2))
