"""Energy of what nodes do."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def idle_J(latency_s: Floats | float, nodes: int, power_W: Floats | float | None) -> Floats:
    """Return joules that all nodes take besides, until the last one is done (size.md)."""
    return np.asarray(latency_s * nodes * (0.0 if power_W is None else power_W))


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
