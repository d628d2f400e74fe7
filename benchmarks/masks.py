"""Selection for ResNet-50 on 8 nodes against one absolute sum over its weights, alternated.

python benchmarks/masks.py [ROUNDS]
Wanted: at most 5. The weights are float32 in memory.
"""

import statistics
import sys
import time

import numpy as np

from discosim.masks.select import select
from discosim.masks.weights import random_weights
from discosim.networks import build

BOUND = 5.0


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    network = build("resnet50")
    weights = random_weights(network)
    ratios, sums = [], []
    for _ in range(rounds + 1):
        begin = time.perf_counter()
        sum(float(np.abs(weight).sum()) for weight in weights.values())
        middle = time.perf_counter()
        select(network, 8, 0.9, weights)
        end = time.perf_counter()
        sums.append(middle - begin)
        ratios.append((end - middle) / (middle - begin))
    ratio = statistics.median(ratios[1:])  # the first one warms up
    verdict = "met" if ratio <= BOUND else "MISSED"
    print(f"one absolute sum: {statistics.median(sums[1:]):.4f} s (median of {rounds})")
    print(f"selection: {ratio:.2f} times that, wanted at most {BOUND}: {verdict}")


if __name__ == "__main__":
    main()
