"""`mask`: which features each node needs, chosen from the weights, or from what inputs show."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike, fspath
from typing import TYPE_CHECKING

import numpy as np

from discosim.configuration import Configuration
from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.hardware import hardware as as_hardware
from discosim.door.hearing import command, note, progress
from discosim.door.network import NetworkLike
from discosim.errors import DiscosimError, require
from discosim.explore.allocation.masks import mask_rows
from discosim.explore.executed import sparse_layers
from discosim.explore.sweep import sweep
from discosim.graph.network import Network
from discosim.graph.table import tabulate
from discosim.masks.criteria import Wants, the_criterion
from discosim.masks.mask import Mask
from discosim.masks.mask_file import write_mask
from discosim.masks.measure import figures, retained_share
from discosim.masks.saliency import saliency_curves
from discosim.masks.select import Knob, check_choice, check_heads, layer_s_comm, select
from discosim.masks.sub_rows import Floats, masked_layers
from discosim.masks.weights import Weights, random_weights
from discosim.partition.placement import Owners, place
from discosim.partition.plan_file import PlanFile
from discosim.report import mask as report
from discosim.report.tables import Cells
from discosim.strategies.strategy import STRATEGIES, check_nodes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from discosim.runtime.inputs import Inputs

SAMPLES = 64
"""Inputs that a criterion is measured on."""

FROM_WEIGHTS = ("l1", "l1-log")
"""Criteria whose curves every mask file has."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Masked(Answer):
    """A mask, and what it keeps of each layer; plan: one that says how layers are split."""

    network: Network
    mask: Mask
    weights: Weights
    measured: Mapping[str, Floats] | None
    s_comm: Knob
    chosen_by: str
    in_blocks: Mask | None
    layer: str | None
    plan: PlanFile | None = None

    @cached_property
    def _frame(self) -> "pd.DataFrame":
        """One row a layer (docs/masks.md)."""
        return mask_rows(figures(self.network, self.mask, self.weights))

    @cached_property
    def lines(self) -> list[str]:
        """What was chosen from what, and what it keeps and saves in all."""
        base = Configuration(self.network, as_hardware(given.DEFAULT), mask=self.mask)
        if self.plan is not None:
            base = replace(base, mask=None, plan_file=self.plan)
        cost = sweep(base, nodes=[self.mask.nodes]).iloc[0]
        lines = report.mask_findings(self.mask, cost, self._retained(self.mask))
        if self.plan is not None:
            lines.append(report.plan_finding(cost, self.plan.path))
        else:
            lines.append(report.promise_finding(cost, self._promised_s()))
        if self.in_blocks is not None:
            lines.append(report.search_finding(self._retained(self.in_blocks)))
        return lines

    def _promised_s(self) -> float:
        """The latency where each pair of nodes sends what S_comm says, to fractions."""
        base = Configuration(self.network, as_hardware(given.DEFAULT), nodes=self.mask.nodes)
        table = tabulate(self.network)
        of_layer = {e.name: layer_s_comm(self.s_comm, e) for e in masked_layers(self.network)}
        s_comm = np.array([[of_layer.get(name, 0.0) for name in table.name]])
        plan = replace(base, strategy=STRATEGIES["disco"], s_comm=s_comm)
        return float(plan.cost().latency_s.item())

    def _retained(self, mask: Mask) -> float:
        return retained_share(figures(self.network, mask, self.weights))

    @cached_property
    def cells(self) -> Cells:
        """The least and the most that an ordered pair of nodes keeps, layer by layer."""
        return report.show_masks(self._frame)

    def plot(self) -> "Figure":
        """Return the mask matrix of a layer."""
        return report.draw_mask(self.network, self.mask, self.layer)

    def save(self, path: "str | PathLike[str]") -> None:
        """Write the mask to an .npz file, which `mask=` takes; raises DiscosimError."""
        says = the_criterion(self.chosen_by).wants is not Wants.NOTHING
        by = dict.fromkeys([*FROM_WEIGHTS, *([self.chosen_by] if says else [])])
        curves = {
            criterion: saliency_curves(
                self.network,
                self.mask.nodes,
                self.weights,
                owners=self.mask.owners,
                criterion=criterion,
                measured=self.measured,
            )
            for criterion in by
        }
        write_mask(fspath(path), replace(self.mask, curves=curves))


@command
def mask(
    network: NetworkLike,
    *,
    nodes: given.Counts | None = None,
    s_comm: given.Shares | None = None,
    plan: "str | PathLike[str] | PlanFile | None" = None,
    weights: "str | PathLike[str] | None" = None,
    seed: int = 0,
    criterion: str = "l1",
    data: "str | Inputs | None" = None,
    samples: int = SAMPLES,
    per: str | None = None,
    search: bool = False,
    layer: str | None = None,
) -> Masked:
    """Return which features each node needs: the sub-rows of the weights that are worth most.

    nodes: 2 and s_comm: 0.8 by default, or those of the plan; weights: a checkpoint, random ones
    of `seed` without; criterion: l1, l1-log, l2, taylor, gauss-newton, sensitivity, random or
    branches; data: of criteria that are measured on inputs, inputs.npz or package.module:loader,
    of which the first `samples`; per: who competes, pair (the
    default: each pair of nodes sends as much), layer (of a search) or network; search: choose which
    features live together; layer: the one that is drawn, by default
    the nearest to 256 x 256. Raises DiscosimError.
    """
    per = per or ("layer" if search else "pair")
    check_choice(criterion, per)
    found = given.the_network(network)
    said = given.the_plan(plan)
    share, count = _knob(found, nodes, s_comm, said)
    check_heads(found, count)
    inputs = _inputs(found, criterion, data, samples)
    read = _parameters(found, weights, seed, whole=inputs is not None)
    task = _Task(found, count, share, read, criterion, per, seed, inputs)
    chosen, measured = task.choose(None)
    in_blocks = chosen
    if search:
        from discosim.masks.search import search_placement

        with progress("placement search") as shown:
            owners = search_placement(found, count, share, read.weights, shown)
        chosen, measured = task.choose(owners)
    if layer is not None:
        report.drawn_layer(chosen, layer)
    if read.noted:
        note(read.noted)
    return Masked(
        network=found,
        mask=chosen,
        weights=read.weights,
        measured=measured,
        s_comm=share,
        chosen_by=criterion,
        in_blocks=in_blocks if search else None,
        layer=layer,
        plan=said if said is not None and said.splits else None,
    )


@dataclass(frozen=True, eq=False)
class _Task:
    """What is to be chosen, wherever features live."""

    network: Network
    nodes: int
    s_comm: Knob
    read: "Parameters"
    criterion: str
    per: str
    seed: int
    inputs: "Inputs | None"

    def choose(self, owners: Mapping[str, Owners] | None) -> tuple[Mask, dict[str, Floats] | None]:
        """The mask, and what was measured for it."""
        measured = self._measured(place(self.network, self.nodes) if owners is None else owners)
        mask = select(
            self.network,
            self.nodes,
            self.s_comm,
            self.read.weights,
            self.criterion,
            self.per,
            self.seed,
            owners,
            self.read.source,
            measured,
        )
        if measured is None or self.inputs is None:
            return mask, measured
        said = f"{mask.criterion}, measured on {len(self.inputs)} inputs"
        slopes = {} if self.criterion == "sensitivity" else measured
        by = self.criterion if slopes else ""
        used = tuple(self.inputs.digests())
        return replace(mask, criterion=said, scores=slopes, scored_by=by, used=used), measured

    def _measured(self, owners: Mapping[str, Owners]) -> dict[str, Floats] | None:
        if self.inputs is None or self.read.state is None:
            return None
        from discosim.runtime.measure import measure
        from discosim.runtime.module import loaded

        module = loaded(self.network, self.read.state)
        with progress(f"measuring {self.criterion}") as shown:
            return measure(
                self.criterion,
                module,
                self.network,
                self.nodes,
                owners,
                self.inputs,
                self.seed,
                shown,
            )


def _inputs(
    network: Network, criterion: str, data: "str | Inputs | None", samples: int
) -> "Inputs | None":
    """The inputs that the criterion is measured on, None where it is not."""
    if not the_criterion(criterion).measured:
        if data is not None:
            note(f"--data has no effect: criterion {criterion} is not measured on inputs")
        return None
    require(f"criterion {criterion}", "torch", "safetensors")
    if data is None:
        raise DiscosimError(
            f"criterion {criterion} needs {the_criterion(criterion).wants}: --data inputs.npz or "
            "--data package.module:loader"
        )
    if samples < 1:
        raise DiscosimError(f"{samples} samples; wanted a whole number from 1 up")
    from discosim.runtime.inputs import checked, read_inputs

    if isinstance(data, str):
        found = read_inputs(data, network)
    else:
        found = checked(data, network, "the data")
    return found.some(slice(0, samples))


def _knob(
    network: Network,
    nodes: given.Counts | None,
    s_comm: given.Shares | None,
    plan: PlanFile | None,
) -> tuple[float | dict[str, float], int]:
    """S_comm, of all layers or of each, and the number of nodes."""
    table = tabulate(network)
    default = 2 if plan is None else plan.nodes
    count = given.one("--nodes", given.counts(default if nodes is None else nodes))
    check_nodes(table, count)
    if plan is None:
        return given.one("--s-comm", given.shares_or_default(s_comm)), count
    if s_comm is not None:
        raise DiscosimError("give one of --s-comm and --plan: each says what is sent")
    plan.check(table)
    plan.layer_s_comm(table, count)  # of as many nodes
    if plan.splits:
        sparse = sparse_layers(table.network, plan)
        told = f"{len(sparse)} layers by outputs are sparse, the others keep everything"
        note(f"plan {plan.path}: {told}")
        return sparse, count
    return dict(plan.s_comm), count


@dataclass(frozen=True, eq=False)
class Parameters:
    """Weights of a network: where from, what is to be noted, and all parameters if `state`."""

    weights: Weights
    source: str
    noted: str
    state: "Mapping[str, Tensor] | None" = None


def _parameters(
    network: Network, weights: "str | PathLike[str] | None", seed: int, *, whole: bool
) -> Parameters:
    """The weights of the checkpoint or random ones; norms and biases too where it is to run."""
    source = (
        f"He-normal weights, seed {seed}" if weights is None else f"weights of {fspath(weights)}"
    )
    noted = f"no --weights: {source}" if weights is None else ""
    other_names = f"{source} have other names: taken by order{', kind' * whole} and shape"
    if whole:
        from discosim.runtime.state import any_checkpoint_state, random_state

        if weights is None:
            state, renamed = random_state(network, seed), False
        else:
            state, renamed = any_checkpoint_state(fspath(weights), network)
        held = {name: tensor.float().numpy() for name, tensor in state.items()}
        return Parameters(held, source, other_names if renamed else noted, state)
    if weights is None:
        return Parameters(random_weights(network, seed), source, noted)
    from discosim.runtime.checkpoint import read_weights

    read, renamed = read_weights(fspath(weights), network)
    return Parameters(read, source, other_names * renamed)
