"""Energy of what nodes do."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def work_J(
    macs: Floats | float,
    sent_bytes: Floats | float,
    per_mac_J: Floats | float | None,
    per_byte_J: Floats | float | None,
) -> Floats:
    """Return joules of MACs and of bytes sent; what is not stated counts as nothing (size.md)."""
    mac_J = 0.0 if per_mac_J is None else per_mac_J
    byte_J = 0.0 if per_byte_J is None else per_byte_J
    return np.asarray(macs * mac_J + sent_bytes * byte_J)
