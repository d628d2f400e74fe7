"""The engine against one unblocked broadcast of the same model, and two processes against one.

python benchmarks/engine.py [--billion]
Wanted: latency, bytes and memory of ResNet-50 at least 20 times as many configurations a second
on one core; two processes at least 1.6 times one, judged on quiet cores only. --billion reduces
10^9 configurations to a Pareto front and prints what that took.
"""

import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from discosim.configuration import Configuration
from discosim.explore.grid.engine import reduce_grid
from discosim.explore.grid.evaluate import amounts_at, evaluate
from discosim.explore.grid.grid import AXES, Grid, Place
from discosim.explore.grid.reduce import Histogram, Pareto
from discosim.hardware import load_profile
from discosim.networks import build

ROUNDS = 5
SPEEDUP = 20.0
SCALING = 1.6
QUIET = 0.3
"""Load of other processes, in cores, up to which the scaling is judged."""


def grid(overlap: str, s_comm: int, bandwidths: int, rates: int) -> Grid:
    """ResNet-50 on four nodes."""
    node = replace(
        load_profile("splitnets-hmd").hardware(),
        bandwidth_Bps=np.geomspace(1e6, 1e9, bandwidths),
        compute_macps=np.geomspace(1e9, 1e12, rates),
    )
    base = Configuration(build("resnet50"), node)
    return Grid([base], [node], ["disco"], [4], np.linspace(0, 1, s_comm), [overlap])


def rate(work: Callable[[], int]) -> float:
    """Configurations a second."""
    begin = time.perf_counter()
    return work() / (time.perf_counter() - begin)


def by_engine(place: Place) -> int:
    whole = [slice(0, count) for count in place.shape]
    for block in evaluate(place, (whole[0], whole[1], whole[2], whole[3])):
        amounts = block.amounts
        assert np.isfinite(amounts.latency_s.sum() + amounts.bytes_per_node.sum())
        assert np.isfinite(amounts.node_bytes.sum())
    return place.size


def by_broadcast(place: Place) -> int:
    shaped = []
    for axis, name in enumerate(AXES):
        shape = [1, 1, 1, 1]
        shape[axis] = -1
        shaped.append(place.axes[name].reshape(shape))
    found = amounts_at(place.configuration, shaped)
    assert np.isfinite(found.latency_s.sum() + found.bytes_per_node.sum() + found.node_bytes.sum())
    return place.size


def compare(overlap: str) -> bool:
    [large] = grid(overlap, 50, 200, 200).places
    [small] = grid(overlap, 20, 50, 50).places
    by_engine(large), by_broadcast(small)  # fill the caches of both
    pairs = [
        (rate(lambda: by_engine(large)), rate(lambda: by_broadcast(small))) for _ in range(ROUNDS)
    ]
    ratio = statistics.median(engine / broadcast for engine, broadcast in pairs)
    engine, broadcast = (statistics.median(rates) for rates in zip(*pairs, strict=True))
    verdict = "met" if ratio >= SPEEDUP else "MISSED"
    print(
        f"overlap {overlap}: {engine / 1e6:.1f} M/s by the engine, {broadcast / 1e6:.2f} M/s in "
        f"one broadcast: {ratio:.0f} times, wanted {SPEEDUP:.0f}: {verdict}"
    )
    return ratio >= SPEEDUP


def busy_cores() -> float:
    """Cores that other processes keep busy, over half a second."""

    def used() -> float:
        first = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0]
        ticks = [int(word) for word in first.split()[1:9]]
        return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")

    before, begin = used(), time.perf_counter()
    time.sleep(0.5)
    return (used() - before) / (time.perf_counter() - begin)


def scaling() -> None:
    large = grid("ideal", 400, 500, 1000)
    load = [busy_cores()]

    def timed(jobs: int) -> float:
        speed = rate(lambda: reduce_grid(large, Histogram("latency"), jobs=jobs) and large.size)
        load.append(busy_cores())
        return speed

    pairs = [(timed(2), timed(1)) for _ in range(3)]
    ratio = statistics.median(two / one for two, one in pairs)
    quiet = max(load) <= QUIET
    verdict = "met" if ratio >= SCALING else "MISSED"
    print(
        f"two processes: {ratio:.2f} times one over {large.size:,} configurations, wanted "
        f"{SCALING}: "
        + (verdict if quiet else f"inconclusive, others keep up to {max(load):.1f} cores busy")
    )


def billion() -> None:
    huge = grid("ideal", 1000, 1000, 1000)
    begin = time.perf_counter()
    state = reduce_grid(huge, Pareto(("latency", "memory", "s_comm")))
    took = time.perf_counter() - begin
    peaks = [
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    print(
        f"{huge.size:,} configurations, {len(state['number']):,} on the front: {took:.0f} s, "
        f"{huge.size / took / 1e6:.1f} M/s; peak memory {peaks[0] / 1024:.0f} MiB, of a worker "
        f"{peaks[1] / 1024:.0f} MiB"
    )


def main() -> None:
    met = [compare(overlap) for overlap in ("none", "ideal", "layer")]
    scaling()
    if "--billion" in sys.argv:
        billion()
    sys.exit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
