"""10^5 configurations in one call of `sweep` against one call each.

python benchmarks/sweep.py
Wanted: at least 200 times faster. The single calls are timed on a sample.
"""

import statistics
import time

import numpy as np

from discosim.configuration import Configuration
from discosim.explore.sweep import sweep
from discosim.hardware import load_profile
from discosim.networks import build

BASE = Configuration(build("resnet50"), load_profile("splitnets-hmd").hardware())
NODES = (2, 4, 8, 16)
S_COMM = np.linspace(0.0, 1.0, 25_000)
SAMPLE = 200
ROUNDS = 3
BOUND = 200.0


def seconds_each() -> float:
    rng = np.random.default_rng(0)
    times = []
    for nodes, s_comm in zip(rng.choice(NODES, SAMPLE), rng.choice(S_COMM, SAMPLE), strict=True):
        begin = time.perf_counter()
        sweep(BASE, nodes=[int(nodes)], s_comm=[float(s_comm)])
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def seconds_together() -> float:
    begin = time.perf_counter()
    frame = sweep(BASE, nodes=NODES, s_comm=S_COMM)
    assert len(frame) == len(NODES) * len(S_COMM)
    return time.perf_counter() - begin


def main() -> None:
    sweep(BASE, nodes=NODES)  # fill the caches of both
    pairs = [(seconds_each(), seconds_together()) for _ in range(ROUNDS)]
    count = len(NODES) * len(S_COMM)
    ratio = statistics.median(each * count / together for each, together in pairs)
    each, together = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"one call each: {1e3 * each:.2f} ms; {count:,} in one call: {together:.2f} s")
    verdict = "met" if ratio >= BOUND else "MISSED"
    print(f"{ratio:.0f} times faster, wanted at least {BOUND:.0f}: {verdict}")


if __name__ == "__main__":
    main()
