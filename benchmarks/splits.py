"""Grids over the ways to split a layer against grids over disco's, and what planning them takes.

python benchmarks/splits.py [ROUNDS]
Wanted: each strategy at least half as many configurations a second as disco, warm, under the same
overlap on the same hardware. Cold, a plan of ResNet-50 is made once for each N.
"""

import statistics
import sys
import time
from dataclasses import replace

import numpy as np

from discosim.configuration import Configuration
from discosim.explore.grid.evaluate import evaluate
from discosim.explore.grid.grid import Grid, Place
from discosim.hardware import load_profile
from discosim.networks import build
from discosim.strategies.strategy import STRATEGIES

NAMES = ("disco", "rows", "fused-rows", "tokens-kv", "paired", "partial-sync")
SETTINGS = (("splitnets-hmd", "none"), ("splitnets-hmd", "layer"), ("rpi4-gigabit", "none"),
            ("rpi4-gigabit", "layer"), ("rpi4-gigabit", "layer:3"))  # fmt: skip
LOSS = 2.0
RATES = 250
"""Values of the compute rate; of bandwidth and S_comm together about as many for each strategy."""


def place(name: str, profile: str, overlap: str, values: int) -> Place:
    """ResNet-50 on four nodes over bandwidths, compute rates and, where there is one, S_comm."""
    knob = 25 if STRATEGIES[name].has_knob else 1
    node = replace(
        load_profile(profile).hardware(),
        bandwidth_Bps=np.geomspace(1e6, 1e9, max(2, values // knob)),
        compute_macps=np.geomspace(1e9, 1e12, RATES if values > 100 else 10),
    )
    base = Configuration(build("resnet50"), node)
    [found] = Grid([base], [node], [name], [4], np.linspace(0, 1, knob), [overlap]).places
    return found


def rate(found: Place) -> float:
    """Configurations a second."""
    whole = [slice(0, count) for count in found.shape]
    begin = time.perf_counter()
    for block in evaluate(found, (whole[0], whole[1], whole[2], whole[3])):
        assert np.isfinite(block.amounts.latency_s.sum())
    return found.size / (time.perf_counter() - begin)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    base = Configuration(build("resnet50"), load_profile("splitnets-hmd").hardware())
    for name in NAMES:
        begin = time.perf_counter()
        replace(base, strategy=STRATEGIES[name], nodes=4).plan()
        print(f"{name}: the first plan in {1e3 * (time.perf_counter() - begin):.0f} ms")
    met = True
    for profile, overlap in SETTINGS:
        values = 50 if overlap == "layer:3" else 2500  # several chunks are never looked up
        every = {name: place(name, profile, overlap, values) for name in NAMES}
        rates: dict[str, list[float]] = {name: [rate(each)] for name, each in every.items()}
        for _ in range(rounds):
            for name, each in every.items():
                rates[name].append(rate(each))
        usual = {name: statistics.median(each[1:]) for name, each in rates.items()}
        for name in NAMES:
            ratio = usual["disco"] / usual[name]
            met &= ratio <= LOSS
            verdict = "" if name == "disco" else f", disco {ratio:.2f} times that"
            missed = " MISSED" if ratio > LOSS else ""
            print(f"{profile}, {overlap}, {name}: {usual[name] / 1e6:.2f} M/s{verdict}{missed}")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
