"""Allocation of ResNet-50's 54 layers over 20 levels: the exact method against the fast one.

python benchmarks/allocate.py
Wanted: exact in under 5 s, at each of several latency limits.
"""

import statistics
import time

from discosim.configuration import Configuration
from discosim.explore.allocation.allocate import Limit, Method, allocate
from discosim.explore.allocation.layer_costs import LATENCY
from discosim.hardware import load_profile
from discosim.networks import build

SHARES = (0.1, 0.15, 0.2, 0.3, 0.5, 0.8)
BOUND_S = 5.0


def seconds(method: str, nodes: int, share: float) -> tuple[float, float, float]:
    node = load_profile("splitnets-hmd").hardware()
    limits = {LATENCY: Limit(share, of_dense=True)}
    begin = time.perf_counter()
    split = Configuration(build("resnet50"), node, nodes=nodes)
    found = allocate(split, limits, method=Method(method))
    return time.perf_counter() - begin, found.plan.total_loss, found.gap


def main() -> None:
    seconds("exact", 2, 0.5)  # import scipy
    times: dict[str, list[float]] = {"exact": [], "fast": []}
    for nodes in (2, 4, 8):
        for share in SHARES:
            (exact_s, least, _), (fast_s, loss, gap) = (
                seconds(method, nodes, share) for method in times
            )
            times["exact"].append(exact_s)
            times["fast"].append(fast_s)
            print(
                f"N = {nodes}, {share:.0%} of dense: exact {exact_s:.2f} s, fast {fast_s:.3f} s; "
                f"fast loses {loss / least - 1:.2e} more, certified {gap:.2e}"
            )
    worst = max(times["exact"])
    ratio = statistics.median(e / f for e, f in zip(times["exact"], times["fast"], strict=True))
    verdict = "met" if worst < BOUND_S else "MISSED"
    print(f"exact at worst {worst:.2f} s, wanted under {BOUND_S:.0f} s: {verdict}")
    print(f"the fast method is {ratio:.1f} times faster in the median")


if __name__ == "__main__":
    main()
