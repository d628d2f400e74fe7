"""Time of a layer's arithmetic on one node."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def arithmetic_s(macs: Floats, compute_macps: Floats | float, efficiency: Floats | float) -> Floats:
    """Seconds for `macs`: L_comp = MACs / C (the paper's Section V), C scaled by efficiency."""
    return macs / (compute_macps * efficiency)


def roofline_s(arithmetic: Floats, bytes_touched: Floats, memory_Bps: Floats | float) -> Floats:
    """Seconds of a layer that is bound by its arithmetic or by the bytes it reads and writes.

    Williams, Waterman, Patterson: Roofline, CACM 52(4), 2009.
    """
    return np.maximum(arithmetic, bytes_touched / memory_Bps)


def one_after_the_other_s(
    arithmetic: Floats, bytes_touched: Floats, memory_Bps: Floats | float
) -> Floats:
    """Seconds of a layer whose reading and writing does not overlap with its arithmetic."""
    return arithmetic + bytes_touched / memory_Bps


MEMORY_OVERLAP = {"full": roofline_s, "none": one_after_the_other_s}
"""How a layer's arithmetic and its traffic to memory lie in time."""


def spill_s(weight_bytes: Floats, fast_bytes: float, spill_Bps: float) -> Floats:
    """Seconds that weights beyond a fast memory take to come from a slower one, each inference."""
    return np.maximum(0.0, weight_bytes - fast_bytes) / spill_Bps


def once_s(works: Bools, run_s: Floats | float) -> Floats:
    """Seconds that a node takes once an inference, at the first row that it works at.

    works: (..., R, L); run_s: (..., R) or one number.
    """
    first = works & (np.cumsum(works, axis=-1) == 1)
    seconds: Floats = first * np.asarray(run_s)[..., None]
    return seconds


def calls_s(part: Floats, overhead_s: Floats) -> Floats:
    """Seconds of the calls of operators whatever their size, where there is a `part` to compute.

    What a layer makes of its own features is a call, what it makes of received ones another.
    """
    return overhead_s * (part > 0)
