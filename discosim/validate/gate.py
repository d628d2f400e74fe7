"""Samples of how long something takes, without those in which another program had the core."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SCHEDSTAT = Path("/proc/thread-self/schedstat")
MOST_DELAY = 0.02
"""Share of a sample's time that it may have waited for a core."""

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


def run_delay_s() -> float:
    """Return for how long this thread has waited for a core so far; 0 where nobody counts it.

    The second field of /proc/thread-self/schedstat, in nanoseconds (Linux, sched-stats.rst).
    """
    try:
        return int(SCHEDSTAT.read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


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
