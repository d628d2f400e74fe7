"""Time of one layer on one node when communication and computation overlap (model.md §3).

`comm_s` is the exchange, `local_s` and `remote_s` the computation without and with what it brings.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def serial_s(comm_s: Floats, local_s: Floats, remote_s: Floats) -> Floats:
    """Nothing overlaps: comm + local + remote."""
    return comm_s + local_s + remote_s


def ideal_s(comm_s: Floats, local_s: Floats, remote_s: Floats) -> Floats:
    """Endlessly many free chunks: max(local + remote, comm)."""
    return np.maximum(local_s + remote_s, comm_s)


def chunked_s(comm_s: Floats, local_s: Floats, remote_s: Floats, chunks: Floats) -> Floats:
    """Exchange in K equal chunks: max(local + remote, comm/K + remote, comm + remote/K).

    `comm_s` contains the latency of all K rounds. Equal to the event-by-event schedule in which
    the local part, then each chunk that has arrived, is computed.
    """
    return np.maximum(
        local_s + remote_s, np.maximum(comm_s / chunks + remote_s, comm_s + remote_s / chunks)
    )


def best_chunks(time_s: Callable[[Floats], Floats], most: Floats) -> Floats:
    """Return the least whole K in 1..most at which `time_s` is least.

    `time_s` is convex in K, as `chunked_s` is (and its largest value over nodes): bisection on
    the sign of its difference.
    """
    low, high = np.ones_like(most), np.array(most)
    while (low < high).any():
        middle = np.floor((low + high) / 2)
        rises = time_s(np.minimum(middle + 1, most)) >= time_s(middle)
        high = np.where(rises, middle, high)
        low = np.where(rises, low, np.minimum(middle + 1, high))
    return low
