"""How much a searched placement keeps, on random weights and on trained ones.

cd experiments/measured && python ../placement.py placement.jsonl > placement.md

The networks of digits.py, trained as there on scikit-learn's handwritten digits. One JSON line
for each network, number of nodes, S_comm and seed: the share of the weights' L1 norm that is kept
with contiguous blocks and with the searched placement, for the weights before and after training,
and the accuracy of the trained network with each mask laid over it, without finetuning. Runs that
the file holds are not done again. Prints the means as a table. Needs the extra `evidence`.
"""

import argparse
import json
import sys
from itertools import product
from pathlib import Path

import pandas as pd
import torch
from digits import RECIPES, accuracy, base, data

from discosim.graph.network import Network
from discosim.masks.mask import Mask
from discosim.masks.measure import figures, retained_share
from discosim.masks.search import search_placement
from discosim.masks.select import select
from discosim.masks.weights import Weights
from discosim.report.frames import as_cells
from discosim.report.tables import to_markdown
from discosim.runtime.finetune import effective_weights
from discosim.runtime.module import NetworkModule, apply_mask

NODES = (2, 4)
S_COMM = (0.8, 0.9, 0.95, 0.99, 1.0)
SEEDS = (0, 1, 2, 3, 4)
NOISE = 0.6
KEYS = ["network", "nodes", "s_comm", "seed"]


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


def table(rows: pd.DataFrame) -> str:
    """Return means over the seeds, in percent, as Markdown; the spread is in the gains."""
    for state in ("random", "trained"):
        rows[f"{state} gain"] = rows[f"{state}_searched_l1"] - rows[f"{state}_blocks_l1"]
    rows["accuracy gain"] = rows["searched_accuracy"] - rows["blocks_accuracy"]
    groups = (100 * rows.set_index(KEYS).drop(columns="dense_accuracy")).groupby(level=KEYS[:3])
    mean, spread = groups.mean(), groups.std()
    cells = pd.DataFrame({"network": mean.index.get_level_values(0)}, index=mean.index)
    cells["N"], cells["S_comm"] = (mean.index.get_level_values(i).map(str) for i in (1, 2))
    for name in ("random", "trained"):
        cells[f"{name}: blocks"] = mean[f"{name}_blocks_l1"].map("{:.2f}".format)
        cells[f"{name}: gain"] = _with_spread(mean[f"{name} gain"], spread[f"{name} gain"])
    cells["accuracy: blocks"] = mean["blocks_accuracy"].map("{:.1f}".format)
    cells["accuracy: gain"] = _with_spread(mean["accuracy gain"], spread["accuracy gain"])
    lines = [
        "Share of the weights' L1 norm that is kept, and accuracy without finetuning, both in %",
        f"means over {rows['seed'].nunique()} seeds ± their standard deviation",
        "made by experiments/placement.py from placement.jsonl beside this file",
    ]
    return to_markdown(as_cells(cells), lines)


def _with_spread(mean: pd.Series, spread: pd.Series) -> list[str]:
    return [f"{m:+.2f} ± {s:.2f}" for m, s in zip(mean, spread, strict=True)]


def main() -> None:
    """Do the runs that the file does not hold yet, and print the table of all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="file of JSON lines, made or continued")
    parser.add_argument("--networks", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--nodes", nargs="+", type=int, default=list(NODES))
    parser.add_argument("--s-comm", nargs="+", type=float, default=list(S_COMM))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--budget", type=float, default=1.0, help="share of the batches")
    given = parser.parse_args()
    torch.set_num_threads(1)
    held = given.path.read_text(encoding="utf-8").splitlines() if given.path.exists() else []
    rows = [json.loads(line) for line in held]
    done = {tuple(row[key] for key in KEYS) for row in rows}
    for run in product(given.networks, given.nodes, given.s_comm, given.seeds):
        if run not in done:
            rows.append(measure(*run, given.budget))
            with given.path.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(json.dumps(rows[-1]), file=sys.stderr)
    print(table(pd.DataFrame(rows)), end="")


if __name__ == "__main__":
    main()
