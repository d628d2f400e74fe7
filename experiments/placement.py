"""How much a searched placement keeps, on random weights and on trained ones.

python experiments/placement.py experiments/measured/placement.jsonl

The networks of digits.py, trained as there on scikit-learn's handwritten digits. One JSON line
for each network, number of nodes, S_comm and seed: the share of the weights' L1 norm that is kept
with contiguous blocks and with the searched placement, for the weights before and after training,
and the accuracy of the trained network with each mask laid over it, without finetuning. Needs the
extra `evidence`.
"""

import argparse
import json
import sys
from itertools import product
from pathlib import Path

import torch
from digits import RECIPES, accuracy, base, data

from discosim.graph.builder import Network
from discosim.masks.finetune import effective_weights
from discosim.masks.mask import Mask
from discosim.masks.measure import figures, retained_share
from discosim.masks.module import NetworkModule, apply_mask
from discosim.masks.search import search_placement
from discosim.masks.select import select
from discosim.masks.weights import Weights

NODES = (2, 4)
S_COMM = (0.8, 0.9, 0.95, 0.99, 1.0)
SEEDS = (0, 1, 2, 3, 4)
NOISE = 0.6


def masks(network: Network, nodes: int, s_comm: float, weights: Weights) -> dict[str, Mask]:
    """Return the masks in contiguous blocks and on the searched placement."""
    owners = search_placement(network, nodes, s_comm, weights)
    return {
        "blocks": select(network, nodes, s_comm, weights),
        "searched": select(network, nodes, s_comm, weights, owners=owners),
    }


def measure(name: str, nodes: int, s_comm: float, seed: int, budget: float) -> dict[str, object]:
    """Return what is kept before and after training, and the accuracies without finetuning."""
    network = RECIPES[name].build()
    torch.manual_seed(seed)
    module = NetworkModule(network)
    row: dict[str, object] = {"network": name, "nodes": nodes, "s_comm": s_comm, "seed": seed}
    for state in ("random", "trained"):
        if state == "trained":
            module.load_state_dict(base(name, seed, NOISE, budget))
            row["dense_accuracy"] = round(accuracy(module, data(seed, NOISE)), 4)
        weights = effective_weights(module, network)
        for placed, mask in masks(network, nodes, s_comm, weights).items():
            kept = retained_share(figures(network, mask, weights))
            row[f"{state}_{placed}_l1"] = round(kept, 4)
            if state == "trained":
                masked = NetworkModule(network)
                masked.load_state_dict(module.state_dict())
                apply_mask(masked, mask, network)
                row[f"{placed}_accuracy"] = round(accuracy(masked, data(seed, NOISE)), 4)
    return row


def main() -> None:
    """Do the runs that the file does not hold yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="file of JSON lines, made or continued")
    parser.add_argument("--budget", type=float, default=1.0, help="share of the batches")
    given = parser.parse_args()
    torch.set_num_threads(1)
    held = given.path.read_text().splitlines() if given.path.exists() else []
    keys = ("network", "nodes", "s_comm", "seed")
    done = {tuple(json.loads(line)[key] for key in keys) for line in held}
    for run in product(RECIPES, NODES, S_COMM, SEEDS):
        if run not in done:
            row = measure(*run, given.budget)
            with given.path.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(json.dumps(row), file=sys.stderr)


if __name__ == "__main__":
    main()
