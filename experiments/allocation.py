"""Which criterion keeps the quality? Plans and choices by each, judged at equal latency.

python experiments/allocation.py experiments/measured/allocation.jsonl

One JSON line a run is appended to the file; runs that it holds already are not done again, so
an interrupted experiment goes on where it stopped. experiments/allocation_report.py makes the table
and the picture. Needs the extra `evidence`.

Six tasks on real data: digits by a small ViT and a small MobileNetV2, places in photographs by a
small ResNet, super-resolution of photographs; where experiments/packaged.py finds its archives also
MNIST by the MobileNetV2 and CIFAR-10 by the ResNet. Every run begins with the same trained dense
network of its seed. The budget is what a uniform S_comm of 1 - budget takes on a mesh of
`splitnets-hmd` nodes: every plan meets that latency, features whole and counted per pair of nodes.
A plan with a cut has the most layers before (or after) it dense that meet it, and no communication
elsewhere. `one_shot` is the quality before, `quality` after the same short finetuning: accuracy in
percent, or PSNR in dB. `--finetuning 5` makes that five times as long, into a file of its own.
A run called `rank` correlates each criterion with the quality of random plans of that latency.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from itertools import product
from pathlib import Path

import digits
import numpy as np
import packaged
import torch
from scipy.stats import spearmanr
from sklearn.datasets import load_sample_images
from torch import Tensor, nn

from discosim.configuration import Configuration
from discosim.explore.allocation.allocate import Limit, Lost, Method, allocate
from discosim.explore.allocation.layer_costs import LATENCY
from discosim.explore.allocation.surrogate import Curve, Curves
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT, Network
from discosim.hardware import load_profile
from discosim.masks.criteria import LEVELS, the_criterion
from discosim.masks.mask import Mask
from discosim.masks.saliency import saliency_curves
from discosim.masks.search import search_placement
from discosim.masks.select import Knob, select
from discosim.masks.sub_rows import Floats
from discosim.networks import resnet
from discosim.networks.mobilenet import Stage, inverted_residual_features
from discosim.partition.placement import Owners, place
from discosim.partition.plan import conventions
from discosim.runtime.fidelity import compared
from discosim.runtime.finetune import Pruning, effective_weights, prune_and_finetune
from discosim.runtime.inputs import Inputs
from discosim.runtime.measure import measure
from discosim.runtime.module import NetworkModule, loaded
from discosim.strategies.strategy import STRATEGIES

NODES = (2, 4)
BUDGETS = (0.05, 0.1, 0.2, 0.4)
SEEDS = (0, 1, 2, 3, 4)
PLANS = 60
"""Random ones of a rank correlation."""

SAMPLES = 64
"""Training inputs that a criterion is measured on."""

PATCH = 16
PLACES = (2, 3)
"""Rows and columns that a photograph is cut into: a class each."""

METHODS = {
    "uniform": ("", "l1"),
    "uniform, random choice": ("", "random"),
    "uniform, gauss-newton choice": ("", "gauss-newton"),
    "l1": ("l1", "l1"),
    "l1-log": ("l1-log", "l1"),
    "taylor": ("taylor", "taylor"),
    "sensitivity": ("sensitivity", "l1"),
    "gauss-newton, l1 choice": ("gauss-newton", "l1"),
    "gauss-newton, random choice": ("gauss-newton", "random"),
    "gauss-newton": ("gauss-newton", "gauss-newton"),
}
"""Which criterion divides S_comm among the layers, none for the same in all, and which chooses."""

CUTS = ("dense-then-split", "split-then-aggregate")

SEARCHED = ", searched placement"
"""Behind a method: on the placement that keeps most norm at the budget instead of in blocks."""

WHOLE = ("dense", "branches")
RANKED = ("l1", "l1-log", "taylor", "sensitivity", "gauss-newton")
RANK = "rank"


@dataclass(frozen=True)
class Sets:
    """Inputs and labels (classes, or values of the output) to train with and to test on."""

    train: Inputs
    test: Inputs


@dataclass(frozen=True)
class Task(digits.Recipe):
    """A network, how it is trained, and its data by seed."""

    data: Callable[[int], Sets]
    archive: str = ""
    """That the data is in, of experiments/packaged.py."""


def photo_resnet(pixels: int = PATCH, classes: int = 2 * PLACES[0] * PLACES[1]) -> Network:
    """Return three basic blocks of 32, 64 and 128 channels on half the pixels and less."""
    net = Builder("photo-resnet", (3, pixels, pixels))
    with net.block("stem"):
        x = resnet.conv_norm(net, INPUT, 32, 3, "conv1", "bn1", stride=2)
        x = net.activation(x, "relu")
    x = resnet.stages(net, x, lambda width: width // 2, depths=(1, 1, 1), residual=resnet.basic)[-1]
    with net.block("head"):
        y = net.flatten(net.global_pool(x, "avgpool"), "flatten")
        net.linear(y, classes, "fc")
    return net.build()


def digits_mobilenet(pixels: int = digits.PIXELS) -> Network:
    """Return five inverted residuals of 16 to 32 features on half the pixels and less."""
    net = Builder("digits-mobilenet", (1, pixels, pixels))
    stages = (Stage(1, 3, 1, 16, 1), Stage(4, 3, 1, 24, 2), Stage(4, 3, 2, 32, 2))
    x = inverted_residual_features(net, lambda n: n, stem=16, stages=stages, last=128)
    with net.block("head"):
        x = net.flatten(net.global_pool(x, "avgpool"), "flatten")
        net.linear(x, digits.CLASSES, "classifier")
    return net.build()


def photo_upscaler() -> Network:
    """Return four residual blocks of 32 features, interpolation by two and two convolutions."""
    net = Builder("photo-upscaler", (3, PATCH // 2, PATCH // 2))
    with net.block("head"):
        x = net.conv(INPUT, 32, 3, "first", bias=True)
    for index in range(4):
        with net.block(f"block{index}"):
            y = net.activation(net.conv(x, 32, 3, f"conv{index}.0", bias=True), f"act{index}")
            x = net.add(net.conv(y, 32, 3, f"conv{index}.1", bias=True), x, f"add{index}")
    with net.block("tail"):
        x = net.upsample(x, PATCH, "up", "nearest")
        x = net.activation(net.conv(x, 32, 3, "wide", bias=True), "act")
        net.conv(x, 3, 3, "last", bias=True)
    return net.build()


def digit_sets(seed: int) -> Sets:
    """Return the images of experiments/digits.py, divided anew by each seed."""
    x, labels, test_x, test_labels = (each.numpy() for each in digits.data(seed, 0.0))
    return Sets(Inputs(x, labels), Inputs(test_x, test_labels))


@cache
def patches() -> tuple[np.ndarray, np.ndarray]:
    """Return patches side by side of scikit-learn's photographs, (B, 3, 16, 16), and places."""
    found, places = [], []
    for number, image in enumerate(load_sample_images().images):
        rows, columns = (size // PATCH for size in image.shape[:2])
        values = image[: rows * PATCH, : columns * PATCH].astype(np.float32) / 127.5 - 1
        tiles = values.reshape(rows, PATCH, columns, PATCH, 3).transpose(0, 2, 4, 1, 3)
        found.append(tiles.reshape(-1, 3, PATCH, PATCH))
        down, across = (np.arange(n) * k // n for n, k in zip((rows, columns), PLACES, strict=True))
        place_of = (number * PLACES[0] + down[:, None]) * PLACES[1] + across
        places.append(place_of.reshape(-1))
    return np.concatenate(found), np.concatenate(places)


def halves(inputs: Inputs, seed: int) -> Sets:
    """Return half of the inputs to train with, half to test on."""
    order = np.random.default_rng(seed).permutation(len(inputs))
    half = len(order) // 2
    return Sets(inputs.some(order[:half]), inputs.some(order[half:]))


def place_sets(seed: int) -> Sets:
    """Return patches and where in which photograph they are from."""
    return halves(Inputs(*patches()), seed)


def upscaling_sets(seed: int) -> Sets:
    """Return patches of half the size, and what bilinear interpolation lacks of the whole ones."""
    whole = torch.from_numpy(patches()[0])
    half = nn.functional.avg_pool2d(whole, 2)
    smooth = nn.functional.interpolate(half, scale_factor=2, mode="bilinear")
    return halves(Inputs(half.numpy(), (whole - smooth).numpy()), seed)


def mnist_sets(seed: int) -> Sets:
    """Return handwritten digits of MNIST."""
    return halves(Inputs(*packaged.mnist()), seed)


def cifar_sets(seed: int) -> Sets:
    """Return small photographs of CIFAR-10."""
    return halves(Inputs(*packaged.cifar10()), seed)


TASKS = {
    "vit": Task(digits.small_vit, 1400, 40, 32, 2e-3, 1e-3, 5e-2, digit_sets),
    "resnet": Task(photo_resnet, 600, 40, 64, 3e-3, 1e-3, 1e-2, place_sets),
    "mobilenet": Task(digits_mobilenet, 900, 40, 64, 3e-3, 1e-3, 1e-2, digit_sets),
    "upscaler": Task(photo_upscaler, 900, 40, 32, 1e-3, 5e-4, 0.0, upscaling_sets),
    "mnist": Task(
        partial(digits_mobilenet, 28), 900, 40, 64, 3e-3, 1e-3, 1e-2, mnist_sets, packaged.MNIST
    ),
    "cifar": Task(
        partial(photo_resnet, 32, 10), 800, 40, 64, 3e-3, 1e-3, 1e-2, cifar_sets, packaged.CIFAR
    ),
}


@dataclass(frozen=True)
class Run:
    """One quality to find, or the correlations of `rank`."""

    task: str
    nodes: int
    budget: float
    method: str
    seed: int


def loss(answer: Tensor, labels: Tensor) -> Tensor:
    """Return the cross entropy of classes, the squared error of values."""
    if labels.dtype.is_floating_point:
        return nn.functional.mse_loss(answer, labels)
    return nn.functional.cross_entropy(answer, labels)


def train(module: nn.Module, task: Task, sets: Sets, rates: list[float], seed: int) -> None:
    """Train for one batch per learning rate, with gradients of length 1 at most."""
    x, labels = torch.from_numpy(sets.train.x), torch.from_numpy(sets.train.labels)
    digits.train(module, task, x, labels, rates, seed, loss, most=1.0)


@torch.no_grad()
def answers(module: nn.Module, inputs: Inputs) -> Tensor:
    """Return what the module makes of inputs."""
    return torch.cat([module.eval()(part) for part in torch.from_numpy(inputs.x).split(256)])


def quality(answer: Tensor, inputs: Inputs) -> float:
    """Return the accuracy in percent, or the PSNR in dB of pixels that go from -1 to 1."""
    labels = torch.from_numpy(inputs.labels)
    if labels.dtype.is_floating_point:
        return float(10 * torch.log10(4 / nn.functional.mse_loss(answer, labels)))
    return 100 * float((answer.argmax(1) == labels).float().mean())


@cache
def base(name: str, seed: int) -> dict[str, Tensor]:
    """Return the state of the dense network that every run of a seed begins with."""
    task = TASKS[name]
    torch.manual_seed(seed)
    module = NetworkModule(task.build())
    rates = digits.cosine(task.rate, task.base_batches, task.base_batches // 10)
    train(module, task, task.data(seed), rates, seed)
    return {key: tensor.clone() for key, tensor in module.state_dict().items()}


class Subject:
    """A trained dense network on N nodes: what criteria say of it, and plans by each."""

    def __init__(self, run: Run) -> None:
        self.run, self.task = run, TASKS[run.task]
        self.network = self.task.build()
        self.sets = self.task.data(run.seed)
        self.inputs = self.sets.train.some(slice(0, SAMPLES))
        self.owners = self.placed()
        self.dense = answers(self.module(), self.sets.test)
        self.base = Configuration(
            self.network,
            load_profile("splitnets-hmd").hardware(),
            strategy=STRATEGIES["disco"],
            nodes=run.nodes,
            conventions=conventions("paper", rounding="exact"),
        )

    def placed(self) -> Mapping[str, Owners]:
        """Return where features live: in blocks, or where a search puts them."""
        nodes = self.run.nodes
        if not self.run.method.endswith(SEARCHED):
            return place(self.network, nodes)
        weights = effective_weights(self.module(), self.network)
        return search_placement(self.network, nodes, 1 - self.run.budget, weights)

    def module(self, mask: Mask | None = None) -> NetworkModule:
        """Return the dense network, trained, and masked where a mask is given."""
        return loaded(self.network, base(self.run.task, self.run.seed), mask)

    @cache  # noqa: B019
    def measured(self, criterion: str) -> dict[str, Floats] | None:
        """Return what a criterion wants of the dense network."""
        if not the_criterion(criterion).measured:
            return None
        nodes, seed = self.run.nodes, self.run.seed
        return measure(
            criterion, self.module(), self.network, nodes, self.owners, self.inputs, seed
        )

    @cache  # noqa: B019
    def curves(self, criterion: str) -> Curves:
        """Return what each layer loses by a criterion."""
        lost = saliency_curves(
            self.network,
            self.run.nodes,
            effective_weights(self.module(), self.network),
            owners=self.owners,
            criterion=criterion,
            measured=self.measured(criterion),
        )
        return {name: Curve(LEVELS, each) for name, each in lost.items()}

    @property
    def limit_s(self) -> float:
        """The latency of the uniform plan of the budget."""
        return float(replace(self.base, s_comm=1 - self.run.budget).cost().latency_s.item())

    def plan(self, curves: Curves, method: Method = Method.EXACT) -> Mapping[str, float]:
        """Return the S_comm of each layer that loses least at that latency."""
        limits = {LATENCY: Limit(self.limit_s)}
        found = allocate(self.base, limits, levels=LEVELS, lost=Lost(curves), method=method)
        return found.plan.s_comm

    def cut(self) -> Knob:
        """Return S_comm 1 on the split side of the cut: most layers dense at that latency."""
        table = self.base.table
        order = np.flatnonzero(table.mixes)[:: 1 if self.run.method == CUTS[0] else -1]
        for dense in reversed(range(len(order) + 1)):
            s_comm = np.isin(np.arange(len(table)), order[dense:]).astype(float)
            if replace(self.base, s_comm=s_comm[None]).cost().latency_s.item() <= self.limit_s:
                break
        return {table.name[row]: 1.0 for row in order[dense:]}

    def mask(self, s_comm: Knob, criterion: str) -> Mask:
        """Return the mask of a plan, chosen on the dense network."""
        weights = effective_weights(self.module(), self.network)
        return select(
            self.network, self.run.nodes, s_comm, weights, criterion, "pair", self.run.seed,
            self.owners, measured=self.measured(criterion),
        )  # fmt: skip

    def answer(self, mask: Mask) -> Tensor:
        """Return what the masked dense network makes of the test inputs."""
        return answers(self.module(mask), self.sets.test)


def knob_of(subject: Subject) -> tuple[Knob, str]:
    """Return the S_comm of a run and the criterion that chooses."""
    run = subject.run
    if run.method in WHOLE:
        return float(run.method == "branches"), "l1"
    if run.method in CUTS:
        return subject.cut(), "l1"
    divides, chooses = METHODS[run.method.removesuffix(SEARCHED)]
    return subject.plan(subject.curves(divides)) if divides else 1 - run.budget, chooses


def judged(run: Run, longer: float) -> dict[str, object]:
    """Return the quality of a run before and after finetuning, and what its mask takes."""
    subject, began = Subject(run), time.process_time()
    s_comm, chooses = knob_of(subject)
    mask = subject.mask(s_comm, chooses)
    answer = subject.answer(mask)
    near = compared([(answer,)], [(subject.dense,)])
    cost = replace(subject.base, mask=mask).cost()
    task, module = subject.task, subject.module()
    pruning = Pruning(run.nodes, s_comm, criterion=chooses, per="pair", seed=run.seed)
    rates = digits.cosine(task.finetune_rate, int(longer * task.batches))
    parts = digits.step_rates(rates, len(pruning.steps))

    def finetune(module: nn.Module, step: int) -> None:
        train(module, task, subject.sets, parts[step], 1000 * (run.seed + 1) + step)

    prune_and_finetune(
        module, subject.network, pruning, finetune, owners=subject.owners, inputs=subject.inputs
    )
    return {
        "dense": round(quality(subject.dense, subject.sets.test), 3),
        "one_shot": round(quality(answer, subject.sets.test), 3),
        "quality": round(quality(answers(module, subject.sets.test), subject.sets.test), 3),
        "divergence": round(near.divergence, 5),
        "agreement": None if near.agreement is None else round(near.agreement, 5),
        "latency_s": float(cost.latency_s.item()),
        "limit_s": subject.limit_s if run.budget else None,
        "bytes_per_node": float(cost.bytes_per_node.item()),
        "finetuning": longer,
        "cpu_s": round(time.process_time() - began, 2),
    }


def ranked(run: Run) -> dict[str, object]:
    """Return the rank correlation of what each criterion says is lost with what is, one-shot."""
    subject, draws = Subject(run), np.random.default_rng(run.seed)
    names = [name for name, curve in subject.curves("l1").items() if curve.lost[-1]]
    lost: dict[str, list[float]] = {criterion: [] for criterion in RANKED}
    worse, divergence = [], []
    zero = dict.fromkeys(subject.curves("l1"), Curve(LEVELS, 0 * LEVELS))
    for _ in range(PLANS):
        drawn = np.exp(draws.normal(size=len(names)))
        power = draws.uniform(1, 4, len(names))
        random = zero | {
            name: Curve(LEVELS, factor * LEVELS**each)
            for name, factor, each in zip(names, drawn, power, strict=True)
        }
        plan = subject.plan(random, Method.FAST)
        for criterion in RANKED:
            curves = subject.curves(criterion)
            lost[criterion].append(
                sum(float(curves[n].at(np.array([s]))[0]) for n, s in plan.items() if s)
            )
        answer = subject.answer(subject.mask(plan, "l1"))
        worse.append(-quality(answer, subject.sets.test))
        divergence.append(compared([(answer,)], [(subject.dense,)]).divergence)
    return {
        "plans": PLANS,
        "with_quality": {c: correlation(each, worse) for c, each in lost.items()},
        "with_divergence": {c: correlation(each, divergence) for c, each in lost.items()},
    }


def correlation(lost: list[float], worse: list[float]) -> float | None:
    """Return Spearman's, or none where all plans are as bad: at chance, say."""
    if len(set(lost)) == 1 or len(set(worse)) == 1:
        return None
    return round(float(spearmanr(lost, worse)[0]), 4)


def runs(given: argparse.Namespace) -> Iterator[Run]:
    """Yield the runs that are asked for, seed by seed; those without a budget once."""
    first = given.budgets[0]
    for seed, task, nodes in product(given.seeds, given.tasks, given.nodes):
        for method, budget in product(given.methods, given.budgets):
            if method not in WHOLE or budget == first:
                yield Run(task, nodes, 0.0 if method in WHOLE else budget, method, seed)


def main() -> None:
    """Do the runs that the file does not hold yet."""
    searched = [f"{name}{SEARCHED}" for name in ("uniform", "gauss-newton")]
    every = [*WHOLE, *CUTS, *METHODS, *searched, RANK]
    here = [
        name for name, task in TASKS.items() if not task.archive or packaged.is_here(task.archive)
    ]
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("path", type=Path, help="file of JSON lines, made or continued")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=here)
    parser.add_argument("--nodes", nargs="+", type=int, default=list(NODES))
    parser.add_argument("--budgets", nargs="+", type=float, default=list(BUDGETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--methods", nargs="+", choices=every, default=every)
    parser.add_argument("--finetuning", type=float, default=1.0, help="times a task's batches")
    given = parser.parse_args()
    torch.set_num_threads(1)
    done = digits.held(given.path, Run)
    wanted = [run for run in runs(given) if run not in done]
    for index, run in enumerate(wanted, start=1):
        row = {
            **asdict(run),
            **(ranked(run) if run.method == RANK else judged(run, given.finetuning)),
        }
        with given.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{index} of {len(wanted)}: {json.dumps(row)}", file=sys.stderr)


if __name__ == "__main__":
    main()
