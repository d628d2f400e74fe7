"""Time of one layer on one node when communication and computation overlap (model.md §3).

`comm_s` is the exchange, `local_s` and `remote_s` the computation without and with what it brings,
`node_s` both together. No time falls where one of these grows: where all nodes wait for the same
exchange, the slowest one's time is that of the longest `node_s` and the longest `remote_s`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def serial_s(comm_s: Floats, local_s: Floats, remote_s: Floats) -> Floats:
    """Nothing overlaps: comm + local + remote."""
    return comm_s + local_s + remote_s


def ideal_s(comm_s: Floats, node_s: Floats) -> Floats:
    """Endlessly many free chunks: max(node, comm)."""
    return np.maximum(node_s, comm_s)


def chunked_s(
    comm_s: Floats,
    node_s: Floats,
    remote_s: Floats,
    chunks: Floats,
    alpha_s: Floats | float = 0.0,
) -> Floats:
    """Exchange in K equal chunks: max(node, comm/K + remote, comm + remote/K).

    `comm_s` contains the latency of all rounds, `alpha_s` each. K may be a fraction, as 1.92: then
    the last chunk is the rest, 0.92 of a whole one. Equal to the event-by-event schedule in which
    the local part, then each chunk that has arrived, is computed.
    """
    rounds = np.ceil(chunks)
    if (rounds == chunks).all():
        return np.maximum(
            node_s, np.maximum(comm_s / chunks + remote_s, comm_s + remote_s / chunks)
        )
    first_s = (comm_s - rounds * alpha_s) / chunks + alpha_s
    rest = remote_s * (1.0 - (rounds - 1.0) / chunks)
    last_but_one = np.where(rounds > 1, (rounds - 1) * first_s + remote_s / chunks + rest, 0.0)
    ends = np.maximum(first_s + remote_s, comm_s + rest)
    return np.maximum(node_s, np.maximum(ends, last_but_one))


def stage_s(
    work_s: Floats, receive_s: Floats, send_s: Floats, *, overlaps: bool, one_port: bool
) -> Floats:
    """Time that a pipeline's stage takes for each item of a stream (model.md section 5).

    Without overlap it receives, computes and sends one after the other; with it, the longest of
    the three decides, or receiving and sending together where they share one half-duplex port.
    """
    if not overlaps:
        return receive_s + work_s + send_s
    wire_s = receive_s + send_s if one_port else np.maximum(receive_s, send_s)
    return np.maximum(work_s, wire_s)


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
