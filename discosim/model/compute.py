"""Time of a layer's arithmetic on one node."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def arithmetic_s(macs: Floats, compute_macps: Floats | float, efficiency: Floats | float) -> Floats:
    """Seconds for `macs`: L_comp = MACs / C (the paper's Section V), C scaled by efficiency."""
    return macs / (compute_macps * efficiency)


def roofline_s(arithmetic: Floats, bytes_touched: Floats, memory_Bps: Floats | float) -> Floats:
    """Seconds of a layer that is bound by its arithmetic or by the bytes it reads and writes.

    Williams, Waterman, Patterson: Roofline, CACM 52(4), 2009.
    """
    return np.maximum(arithmetic, bytes_touched / memory_Bps)


def calls_s(part: Floats, overhead_s: Floats) -> Floats:
    """Seconds of the calls of operators whatever their size, where there is a `part` to compute.

    What a layer makes of its own features is a call, what it makes of received ones another.
    """
    return overhead_s * (part > 0)
