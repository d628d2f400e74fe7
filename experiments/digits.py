"""Does DISCO keep the accuracy? Table I's methods on scikit-learn's handwritten digits.

python experiments/digits.py experiments/measured/digits.jsonl

One JSON line a run is appended to the file; runs that it holds already are not done again, so
an interrupted experiment goes on where it stopped. experiments/digits_report.py makes the table
and the picture. Needs the extra `evidence`.

Every run begins with the same trained dense network of its seed and finetunes it for the same
number of batches with the same learning rates, whatever the method: dense too.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import cache, partial
from itertools import pairwise, product
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from discosim.configuration import Configuration
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT, Network
from discosim.graph.table import LayerTable, tabulate
from discosim.hardware import load_profile
from discosim.masks.select import Knob
from discosim.networks import deit, resnet
from discosim.partition.plan import Plan
from discosim.runtime.finetune import Pruning, prune_and_finetune
from discosim.runtime.module import NetworkModule
from discosim.strategies.cut import blocks, rows_of
from discosim.strategies.strategy import STRATEGIES

PIXELS = 16
CLASSES = 10
TRAIN = 898  # half of the 1,797 images
S_COMM = (0.80, 0.90, 0.95, 0.99)
NODES = (2, 4)
NOISE = (0.0,)  # with 0.6 even the dense network errs in one of ten
SEEDS = (0, 1, 2, 3, 4)
METHODS = (
    "dense",
    "disco",
    "random",
    "branches",
    "dense-then-split",
    "split-then-aggregate",
)
STRATEGY = {"random": "random-sparse"}
RAW = argparse.RawDescriptionHelpFormatter
STEP_SHARE = 0.1  # of the batches, finetuned after each step of pruning but the last


def small_resnet() -> Network:
    """Return three basic blocks of 64, 128 and 256 channels on 8x8 pixels and less."""
    net = Builder("digits-resnet", (1, PIXELS, PIXELS))
    with net.block("stem"):
        x = resnet.conv_norm(net, INPUT, 64, 3, "conv1", "bn1", stride=2)
        x = net.activation(x, "relu")
    x = resnet.stages(net, x, lambda width: width, depths=(1, 1, 1), residual=resnet.basic)[-1]
    with net.block("head"):
        net.linear(net.flatten(net.global_pool(x, "avgpool"), "flatten"), CLASSES, "fc")
    return net.build()


def small_vit() -> Network:
    """Return four pre-norm blocks of four heads and 64 features on 4x4 patches of 4x4 pixels."""
    net = Builder("digits-vit", (1, PIXELS, PIXELS))
    features, heads, tokens = 64, 4, 17
    with net.block("embed"):
        x = net.conv(INPUT, features, 4, "patch_embed", stride=4, padding=0, bias=True)
        x = net.embed(x, tokens, features + tokens * features, "pos_embed")
    for index in range(4):
        with net.block(f"block.{index}"):
            x = deit.block(net, x, heads, 2 * features, f"block.{index}")
    with net.block("head"):
        x = net.reshape(net.layer_norm(x, "norm"), (), "class_token")
        net.linear(x, CLASSES, "head")
    return net.build()


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained; batches are those of the base and of each run."""

    build: Callable[[], Network]
    base_batches: int
    batches: int
    batch: int
    rate: float
    finetune_rate: float
    decay: float


RECIPES = {
    "resnet": Recipe(small_resnet, 280, 84, 64, 3e-3, 1e-3, 1e-2),
    "vit": Recipe(small_vit, 1400, 252, 32, 2e-3, 1e-3, 5e-2),
}


@dataclass(frozen=True)
class Run:
    """One accuracy to find: s_comm is the same in all layers, or where the cut `at` leaves 1."""

    network: str
    nodes: int
    method: str
    s_comm: float
    at: str
    seed: int
    noise: float


Case = TypeVar("Case")


def held(path: Path, kind: type[Case]) -> set[Case]:
    """Return the cases of that dataclass that lie in a file of JSON lines, which need not exist."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {kind(**{name: json.loads(line)[name] for name in names}) for line in lines}


def runs(seed: int, noise: float, network: str, nodes: int) -> Iterator[Run]:
    """Yield dense (the same for any N), and each method at each of its settings."""
    new = partial(Run, network, nodes, seed=seed, noise=noise)
    if nodes == NODES[0]:
        yield new(method="dense", s_comm=0.0, at="")
    for s_comm in S_COMM:
        yield new(method="disco", s_comm=s_comm, at="")
        yield new(method="random", s_comm=s_comm, at="")
    yield new(method="branches", s_comm=1.0, at="")
    names = [block for block in blocks(tabulate(RECIPES[network].build())) if "." in block]
    for at in [*names[1:], "head"][-3:]:
        yield new(method="dense-then-split", s_comm=1.0, at=at)
    for at in names[:3]:
        yield new(method="split-then-aggregate", s_comm=1.0, at=at)


Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Data = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


@cache
def data(seed: int, noise: float) -> Data:
    """Return train images and labels, test images and labels; each seed divides them anew.

    Pixels go from -1 to 1, and noise of that deviation is on each before the enlarging.
    """
    pixels, labels = load_digits(return_X_y=True)
    images = torch.tensor(pixels / 8 - 1, dtype=torch.float32).reshape(-1, 1, 8, 8)
    draws = np.random.default_rng(seed)
    order = torch.from_numpy(draws.permutation(len(images)))
    grain = torch.from_numpy(draws.standard_normal(tuple(images.shape), np.float32))
    images = nn.functional.interpolate(images + noise * grain, (PIXELS, PIXELS), mode="bilinear")
    images, target = images[order], torch.from_numpy(labels)[order]
    return images[:TRAIN], target[:TRAIN], images[TRAIN:], target[TRAIN:]


def train(
    module: nn.Module,
    recipe: Recipe,
    x: torch.Tensor,
    labels: torch.Tensor,
    rates: list[float],
    seed: int,
    loss: Loss = nn.functional.cross_entropy,
    most: float = math.inf,
) -> None:
    """Train for one batch per learning rate, with AdamW; gradients are at most `most` long."""
    draws = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(module.parameters(), weight_decay=recipe.decay)
    module.train()
    order = torch.empty(0, dtype=torch.long)
    for rate in rates:
        if len(order) < recipe.batch:
            order = torch.randperm(len(x), generator=draws)
        chosen, order = order[: recipe.batch], order[recipe.batch :]
        for group in optimizer.param_groups:
            group["lr"] = rate
        value = loss(module(x[chosen]), labels[chosen])
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(module.parameters(), most)
        optimizer.step()


@torch.no_grad()
def accuracy(module: nn.Module, sets: Data) -> float:
    """Return the share of the test images that are told right."""
    return float((module.eval()(sets[2]).argmax(1) == sets[3]).float().mean())


def cosine(rate: float, batches: int, warmup: int = 0) -> list[float]:
    """Return learning rates that rise to `rate` and fall to almost nothing."""
    rising = [rate * (i + 1) / warmup for i in range(warmup)]
    left = np.arange(batches - warmup)
    return rising + list(rate / 2 * (1 + np.cos(np.pi * left / len(left))))


def step_rates(rates: list[float], steps: int) -> list[list[float]]:
    """Return the learning rates of each step: the same in all, divided among the steps."""
    each = min(int(STEP_SHARE * len(rates)), len(rates) // steps)
    cuts = [each * step for step in range(steps)] + [len(rates)]
    return [rates[begin:end] for begin, end in pairwise(cuts)]


@cache
def base(network: str, seed: int, noise: float, budget: float) -> dict[str, torch.Tensor]:
    """Return the state of the dense network that every run of a seed begins with."""
    recipe = RECIPES[network]
    torch.manual_seed(seed)
    module = NetworkModule(recipe.build())
    batches = int(budget * recipe.base_batches)
    sets = data(seed, noise)
    train(module, recipe, *sets[:2], cosine(recipe.rate, batches, batches // 10), seed)
    print(
        f"{network}, seed {seed}, noise {noise:g}: {accuracy(module, sets):.4f} dense",
        file=sys.stderr,
    )
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def s_comm_by_layer(run: Run, table: LayerTable) -> Knob:
    """Return the S_comm of a run: of all layers, or 1 in those on the split side of its cut."""
    if not run.at:
        return run.s_comm
    inside, index = np.flatnonzero(rows_of(table, run.at)), np.arange(len(table))
    after = run.method == "dense-then-split"
    split = index >= inside[0] if after else index <= inside[-1]
    return {table.name[row]: run.s_comm for row in np.flatnonzero(split & table.mixes)}


def measure(run: Run, budget: float) -> dict[str, object]:
    """Return the run with its accuracy, the average S_comm and S_comp of its cost, its seconds."""
    recipe = RECIPES[run.network]
    network = recipe.build()
    table = tabulate(network)
    module = NetworkModule(network)
    module.load_state_dict(base(run.network, run.seed, run.noise, budget))
    began = time.process_time()
    sets, rates = (
        data(run.seed, run.noise),
        cosine(recipe.finetune_rate, int(budget * recipe.batches)),
    )
    criterion = "random" if run.method == "random" else "l1"
    knob = s_comm_by_layer(run, table)
    pruning = Pruning(run.nodes, knob, criterion=criterion, seed=run.seed)
    parts = step_rates(rates, len(pruning.steps))

    def finetune(module: nn.Module, step: int) -> None:
        train(module, recipe, *sets[:2], parts[step], 1000 * (run.seed + 1) + step)

    prune_and_finetune(module, network, pruning, finetune)
    plan = Configuration(
        network,
        load_profile("splitnets-hmd").hardware(),
        strategy=STRATEGIES[STRATEGY.get(run.method, run.method)],
        nodes=run.nodes,
        s_comm=run.s_comm,
        at=run.at,
    ).plan()
    return {
        **asdict(run),
        "accuracy": round(accuracy(module, sets), 6),
        "avg_s_comm": round(float(plan.avg_s_comm.squeeze()), 4),
        "avg_s_comp": round(avg_s_comp(table, plan), 4),
        "budget": budget,
        "cpu_s": round(time.process_time() - began, 2),
    }


def avg_s_comp(table: LayerTable, plan: Plan) -> float:
    """Return 1 - MACs of all nodes / MACs of the network."""
    alike = plan.nodes / plan.local.shape[-2]
    spent = float(((plan.local + plan.remote) @ table.macs).sum()) * alike
    return max(0.0, 1.0 - spent / float(table.macs.sum()))


def main() -> None:
    """Do the runs that the file does not hold yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RAW)
    parser.add_argument("path", type=Path, help="file of JSON lines, made or continued")
    parser.add_argument("--networks", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--nodes", nargs="+", type=int, default=list(NODES))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--noise", nargs="+", type=float, default=list(NOISE))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--s-comm", nargs="+", type=float, default=[0.0, *S_COMM, 1.0])
    parser.add_argument("--budget", type=float, default=1.0, help="share of the batches")
    given = parser.parse_args()
    torch.set_num_threads(1)
    done = held(given.path, Run)
    wanted = [
        run
        for setting in product(given.seeds, given.noise, given.networks, given.nodes)
        for run in runs(*setting)
        if run.method in given.methods and run.s_comm in given.s_comm and run not in done
    ]
    for index, run in enumerate(wanted, start=1):
        row = measure(run, given.budget)
        with given.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{index} of {len(wanted)}: {json.dumps(row)}", file=sys.stderr)


if __name__ == "__main__":
    main()
