"""Sums of maxima of two straight lines over layers, looked up instead of computed layer by layer.

With everything but one number of the hardware fixed, a network's latency is such a sum: with
v = 1/C, sum over l of max(p_l v, q_l) is convex and piecewise linear in v and bends where
v = q_l / p_l. Sorted bends and running sums give it for many v at once.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEW = 4
"""Values up to which adding the layers up is faster than sorting their bends."""


def sum_of_maxima(p: Floats, q: Floats, v: Floats) -> Floats:
    """Return sum over l of max(p_l v, q_l), (G, n).

    p, q: (G, L), p not negative; v: (n,) in ascending order, positive.
    """
    if len(v) <= FEW or p.shape[-1] == 0:
        times = [np.maximum(p * value, q).sum(-1) for value in v]
        return np.stack(times, axis=-1) if times else np.zeros((len(p), 0))
    groups, count = len(p), len(v)
    with np.errstate(divide="ignore", invalid="ignore"):
        bends = np.where(p > 0, q / p, np.where(q > 0, np.inf, 0.0))
    first = np.searchsorted(v, bends)  # from this v on, p v is the larger
    width = count + 1
    place = (first + width * np.arange(groups)[:, None]).ravel()
    slope = _running(place, p, groups, width)
    passed = _running(place, q, groups, width)
    total = q.sum(-1, keepdims=True)
    slope *= v
    slope += total
    slope -= passed
    return slope


def _running(place: NDArray[np.int64], amounts: Floats, groups: int, width: int) -> Floats:
    """Running sums (G, n) of `amounts` put at their places; those past the last are left out."""
    steps = np.bincount(place, weights=amounts.ravel(), minlength=groups * width)
    sums: Floats = np.cumsum(steps.reshape(groups, width)[:, :-1], axis=-1)
    return sums
