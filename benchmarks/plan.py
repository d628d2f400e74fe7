"""The plan of every registered network against each exact strategy within the same memory.

python benchmarks/plan.py [NODES [HARDWARE [NETWORKS]]]      2,3,4,8 and four profiles by default
Wanted: none worse; the fast method under 1 s each. Seconds are of the process, on one core, of the
second call, when the network is laid out.
"""

import sys
import time
from dataclasses import replace

import numpy as np

import discosim as ds
from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.explore.planning.plan import plan
from discosim.networks import NETWORKS
from discosim.strategies.strategy import STRATEGIES

NODES = "2,3,4,8"
HARDWARE = "splitnets-hmd,rpi4-gigabit,rpi4-wifi,rpi5-gigabit"
SAME = 1 + 1e-9


def worse(given: Configuration) -> tuple[float, float, float]:
    """Return the latency over the best strategy's, free and within the median memory, and s."""
    exact = [STRATEGIES[n] for n in STRATEGIES if STRATEGIES[n].exact]
    costs = []
    for each in exact:
        try:
            costs.append(replace(given, strategy=each).cost())
        except DiscosimError:  # fewer layers than stages
            continue
    latency = np.array([float(cost.latency_s.squeeze()) for cost in costs])
    needs = np.array([float(cost.node_bytes.squeeze()) for cost in costs])
    middle = float(np.median(needs)) * SAME
    begin = time.process_time()
    free = plan(given, s_comm=())
    seconds = time.process_time() - begin
    within = plan(given, s_comm=(), memory=middle)
    return (
        free.best.latency_s / latency.min(),
        within.best.latency_s / latency[needs <= middle].min(),
        seconds,
    )


def main() -> None:
    nodes, hardware = (
        (sys.argv[place] if len(sys.argv) > place else text).split(",")
        for place, text in ((1, NODES), (2, HARDWARE))
    )
    names = sys.argv[3].split(",") if len(sys.argv) > 3 else list(NETWORKS)
    ratios, seconds = [], []
    for name in names:
        network = ds.network(name)
        for node in hardware:
            for count in map(int, nodes):
                free, within, took = worse(Configuration(network, ds.hardware(node), nodes=count))
                ratios += [free, within]
                seconds.append(took)
                if max(free, within) > SAME:
                    print(f"WORSE {name} on {count} nodes of {node}: {free:.6f}, {within:.6f}")
        print(
            f"{name}: {np.min(ratios[-2 * len(hardware) * len(nodes) :]):.3f} at best", flush=True
        )
    print(
        f"{len(ratios)} plans, the worst {max(ratios):.6f} of the best strategy, wanted at most 1"
    )
    print(f"seconds: {np.median(seconds):.2f} in the median, {max(seconds):.2f} at most")


if __name__ == "__main__":
    main()
