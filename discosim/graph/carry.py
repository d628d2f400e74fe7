"""Which features of an operand each output feature comes from, and which others it needs."""

from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from discosim.graph.layer import Atom, Layer

Ints = NDArray[np.int64]


def strided(start: int, runs: "tuple[Atom, ...]") -> Ints:
    """Return the indices that nested runs of (size, stride) from `start` on go through."""
    index: Ints = np.array([start])
    for size, stride in runs:
        index = (index[:, None] + stride * np.arange(size)).ravel()
    return index


def is_fused(layer: "Layer") -> bool:
    """Whether attention reads q, k and v in one tensor; masks come after them."""
    return len(layer.in_shapes) < 3


def all_of(layer: "Layer", operand: int, features: Ints) -> Ints:
    """All features of an operand, for each of those given."""
    count = layer.in_shapes[operand][0]
    whole: Ints = np.broadcast_to(np.arange(count), (len(features), count))
    return whole


def flattened(layer: "Layer", features: Ints) -> Ints:
    """Flatten: the positions of a feature become features side by side."""
    return features // prod(layer.in_shape[1:])


def unfolded(layer: "Layer", features: Ints) -> Ints:
    """Unfold: what a window reads of a feature becomes features side by side."""
    return features // (layer.out_features // layer.in_features)


def folded(layer: "Layer", features: Ints) -> Ints:
    """Fold: a feature lies where the first of those that it is the sum of lies."""
    return features * (layer.in_features // layer.out_features)


def fold_reads(layer: "Layer", _: int, features: Ints) -> Ints:
    """Fold: all that a window has of the feature."""
    return folded(layer, features)[:, None] + np.arange(layer.in_features // layer.out_features)


def shuffled(layer: "Layer", features: Ints) -> Ints:
    """Channel shuffle: the groups x (C/groups) grid of channels, read the other way."""
    row, column = features % layer.groups, features // layer.groups
    return row * (layer.in_features // layer.groups) + column


def sliced(layer: "Layer", features: Ints) -> Ints:
    """Slice: features from `start` on."""
    return layer.start + features


def viewed(layer: "Layer", features: Ints) -> Ints:
    """View: the features that its runs of indices go through."""
    return strided(layer.start, layer.view)[features]


def view_reads(layer: "Layer", _: int, features: Ints) -> Ints:
    """View: those, each with its inner run."""
    return viewed(layer, features)[:, None] + strided(0, layer.inner)


def broadcast_reads(layer: "Layer", operand: int, features: Ints) -> Ints:
    """Feature by feature; fewer features stand for equal runs of the output's."""
    return (features * layer.in_shapes[operand][0] // layer.out_features)[:, None]


def of_queries(layer: "Layer", features: Ints) -> Ints:
    """Head h of the output lies where head h of the queries begins, the first of q, k and v."""
    if not is_fused(layer):
        return of_heads(layer, features)
    per_head = layer.out_features // layer.heads
    return features // per_head * per_head


def of_heads(layer: "Layer", features: Ints) -> Ints:
    """Head h of a product lies where head h of its first operand begins."""
    per_head, first = layer.out_features // layer.heads, layer.in_features // layer.heads
    return features // per_head * first


def whole_head_reads(layer: "Layer", operand: int, features: Ints) -> Ints:
    """All features of the head, of either operand."""
    width = layer.in_shapes[operand][0] // layer.heads
    head = features // (layer.out_features // layer.heads)
    return head[:, None] * width + np.arange(width)


def head_reads(layer: "Layer", operand: int, features: Ints) -> Ints:
    """All features of the head, and of masks; keys and values may serve several heads."""
    if operand >= (1 if is_fused(layer) else 3):
        return all_of(layer, operand, features)
    width = layer.in_features // layer.heads
    if is_fused(layer):  # q, k and v side by side
        per_head = layer.out_features // layer.heads
        part = np.arange(3)[:, None] * layer.out_features + np.arange(per_head)
        return (features // per_head * per_head)[:, None] + part.ravel()
    if operand == 2:
        width = layer.out_features // layer.heads
    heads = layer.in_shapes[operand][0] // width
    head = features // (layer.out_features // layer.heads) * heads // layer.heads
    return head[:, None] * width + np.arange(width)


def sample_reads(layer: "Layer", operand: int, features: Ints) -> Ints:
    """Feature by feature of what is sampled, and all of what says where."""
    return features[:, None] if operand == 0 else all_of(layer, operand, features)


def window_reads(layer: "Layer", _: int, features: Ints) -> Ints:
    """The neighbours of each feature, `kernel` of them with itself in their middle."""
    near = np.arange(layer.kernel[0]) - layer.kernel[0] // 2
    window: Ints = np.clip(features[:, None] + near, 0, layer.out_features - 1)
    return window
