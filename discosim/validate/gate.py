"""Samples of how long something takes, without those in which another program had the core."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SCHEDSTAT = Path("/proc/thread-self/schedstat")
MOST_DELAY = 0.02
"""Share of a sample's time that it may have waited for a core."""

MOST_ASTRAY = 0.1
"""How far the machine may be from its usual speed, either way."""

REFERENCE = 1024
"""Rows of the matrices whose product says how fast the machine is: too large for a core's cache."""

FEWEST = 3
"""Samples below which a measurement says nothing."""

SHORTEST_S = 1e-3
"""A sample of shorter work is many runs of it."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Seconds of each sample that counts, and how many were refused.

    Where too few count to say anything, `seconds` are all of them and `conclusive` is false.
    """

    seconds: Floats
    refused: int
    conclusive: bool

    @property
    def median_s(self) -> float:
        """The median."""
        return float(np.median(self.seconds))

    @property
    def spread(self) -> float:
        """Half the range between the quartiles, as a fraction of the median."""
        low, high = np.percentile(self.seconds, [25, 75])
        return float((high - low) / 2 / self.median_s)


def gated(seconds: Floats, steady: Bools) -> Samples:
    """Return the samples that are steady; all of them, and inconclusive, where these are few."""
    conclusive = int(steady.sum()) >= FEWEST
    return Samples(seconds[steady] if conclusive else seconds, int((~steady).sum()), conclusive)


def run_delay_s() -> float:
    """Return for how long this thread has waited for a core so far; 0 where nobody counts it.

    The second field of /proc/thread-self/schedstat, in nanoseconds (Linux, sched-stats.rst).
    """
    try:
        return int(SCHEDSTAT.read_text(encoding="utf-8").split()[1]) / 1e9
    except OSError:
        return 0.0


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_steady(took_s: float, delay_s: float, reference_s: float, usual_s: float) -> bool:
    """Whether something that took that long had a core of its own, of a usual speed."""
    return delay_s <= MOST_DELAY * took_s and not is_astray(reference_s, usual_s)


def is_astray(reference_s: float, usual_s: float) -> bool:
    """Whether the machine is slower or faster than usual."""
    return abs(reference_s / usual_s - 1) > MOST_ASTRAY


def usually(references_s: Sequence[float]) -> float:
    """Return what the reference takes while nobody else slows the machine down.

    The lower quartile: there is one way to be undisturbed, and many to be disturbed.
    """
    return float(np.percentile(references_s, 25))


@cache
def reference() -> Callable[[], float]:
    """Return what times the same arithmetic each time: where that varies, so does the machine.

    Other guests of a host slow a core down without ever taking it away: no counter shows that.
    """
    import torch

    draw = torch.Generator().manual_seed(0)
    pair = torch.randn((2, REFERENCE, REFERENCE), generator=draw)
    narrow = torch.randn((REFERENCE, 64), generator=draw)

    def seconds() -> float:
        with torch.inference_mode():
            begin_s = time.perf_counter()
            for matrix in pair:
                matrix @ narrow
            return time.perf_counter() - begin_s

    return seconds


def sample(
    work: Callable[[], object],
    *,
    seconds: float,
    most: int = 1000,
    clock: Callable[[], float] = time.perf_counter,
    delay: Callable[[], float] = run_delay_s,
) -> Samples:
    """Return samples of `work`, taken for `seconds` or until there are `most`; one runs ahead.

    Work shorter than the clock reads well is repeated within a sample. A sample in which the
    thread waited for a core for more than MOST_DELAY of its time is refused.
    """
    begin = clock()
    work()
    repeats = max(1, round(SHORTEST_S / max(clock() - begin, 1e-7)))
    kept: list[float] = []
    refused: list[float] = []
    while not (kept or refused) or (clock() - begin < seconds and len(kept) < most):
        waited, start = delay(), clock()
        for _ in range(repeats):
            work()
        took = clock() - start
        late = delay() - waited > MOST_DELAY * took
        (refused if late else kept).append(took / repeats)
    conclusive = len(kept) >= FEWEST
    return Samples(np.array(kept if conclusive else kept + refused), len(refused), conclusive)
