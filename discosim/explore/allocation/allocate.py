"""Per-layer S_comm that loses least saliency under limits on latency, traffic and memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec

import numpy as np
from numpy.typing import ArrayLike

from discosim.configuration import Configuration
from discosim.errors import DiscosimError, UnknownNameError
from discosim.explore.allocation import knapsack, milp
from discosim.explore.allocation.knapsack import Floats, Problem, Solution
from discosim.explore.allocation.layer_costs import (
    BYTES,
    LATENCY,
    MEMORY,
    LayerCosts,
    layer_costs,
    takes_s_comm,
)
from discosim.explore.allocation.masks import mask_curves
from discosim.explore.allocation.surrogate import STATED, Curves, he_normal_curves
from discosim.explore.allocation.within_plan import check_within, strategy_within, with_s_comm
from discosim.explore.axes import check_s_comm
from discosim.graph.network import shape_text
from discosim.graph.table import LayerTable
from discosim.masks.criteria import the_criterion
from discosim.masks.mask import Mask
from discosim.partition.plan import Conventions, Selection
from discosim.partition.plan_file import PlanFile
from discosim.partition.split import divides
from discosim.registry import Words
from discosim.simulate import Cost
from discosim.strategies.strategy import STRATEGIES, check_nodes
from discosim.units import format_quantity

DEFAULT_LEVELS = tuple(i / 20 for i in range(20))
FINE_LEVELS = tuple(i / 100 for i in range(100))
"""Where the uniform S_comm that meets the limits is not within COARSE."""

COARSE = (0.2, 0.9)
MOST_LEVELS = 1000


class Method(Words):
    """How the problem is solved: exactly, or fast with a certified gap."""

    EXACT = "exact"
    FAST = "fast"


FALLBACK = "l1-log"
"""The criterion where nothing was measured on inputs: a guess from the weights alone."""

SOLVERS = {Method.EXACT: milp.exact, Method.FAST: knapsack.fast}
LIMITS = {
    LATENCY: ("latency", "s"),
    BYTES: ("traffic of a node", "B"),
    MEMORY: ("memory of a node", "B"),
}
"""The quantities that can be limited, by column: what they are called, and their unit."""

UNIFORM_STEPS = 64
"""Halvings of the interval in which the uniform S_comm is sought."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit in SI units, or as a share of what dense takes on the same nodes."""

    value: float
    of_dense: bool = False


@dataclass(frozen=True, eq=False)
class Outcome:
    """S_comm of the network's layers, what is lost, and what it costs.

    loss: of each layer, as a share of all that can be lost; the sum is `total_loss`.
    """

    s_comm: Mapping[str, float]
    loss: Mapping[str, float]
    total_loss: float
    cost: Cost


@dataclass(frozen=True, eq=False)
class Allocation:
    """A plan, the bound that no plan is below, and what it is compared with.

    criterion: by which it loses least; limits: in SI units by column; uniform: the least S_comm of
    all layers within the limits, None where there is none up to the sparsest level; beside: plans
    that lose least by other criteria, what they lose by this one; dense: everything is sent;
    within: the plan that says how layers are split, None where all are by outputs.
    """

    configuration: Configuration
    method: Method
    criterion: str
    saliency: str
    limits: Mapping[str, float]
    plan: Outcome
    bound: float
    gap: float
    uniform: Outcome | None
    beside: Mapping[str, Outcome]
    dense: Outcome
    within: PlanFile | None = None

    def plan_file(self, path: str) -> PlanFile:
        """Return the plan as `sweep --plan` reads it."""
        network = self.configuration.network
        if self.within is not None:
            table = self.configuration.table
            return with_s_comm(self.within, table, self.plan.s_comm, path)
        shape = shape_text(network.input_shape)
        return PlanFile(path, network.name, self.configuration.nodes, self.plan.s_comm, shape)


@dataclass(frozen=True, eq=False)
class Lost:
    """What layers lose: the curves of a criterion, and in words where they come from.

    beside: curves of other criteria, whose plans are to stand beside.
    """

    curves: Curves
    criterion: str = "l1"
    said: str = STATED
    beside: Mapping[str, Curves] = field(default_factory=dict)


def allocate(
    base: Configuration,
    limits: Mapping[str, Limit],
    *,
    levels: ArrayLike | None = None,
    method: Method | None = None,
    lost: Lost | None = None,
    criterion: str | None = None,
) -> Allocation:
    """Return the S_comm of each layer, out of `levels`, that loses least within the limits.

    `limits` are of latency_s, bytes_per_node and node_bytes, the columns of a sweep. `lost` says
    what layers lose; without it, the curves of the mask by `criterion` (by default one that was
    measured on inputs, else l1-log), which gives nothing else, and without a mask a surrogate.
    levels: by default 0, 0.05, …, 0.95, or hundredths where nearly all or nothing is to be sent.
    Layers that read a tensor which is sent once share one S_comm, and where their selections are
    independent the limits hold for the most that is sent, so that any mask of the plan keeps them
    (per pair of nodes, as features are rounded). A plan file of `base` says how layers are split:
    those by outputs have S_comm, all else stays. Raises DiscosimError for what
    no plan meets, with the least that is possible.
    """
    method = default_method() if method is None else method
    if base.nodes == 1:
        raise DiscosimError("1 node sends nothing, so there is nothing to allocate; wanted 2 up")
    check_nodes(base.table, base.nodes)
    within = base.plan_file
    if within is not None:
        check_within(within, base.table, base.nodes)
    lost = lost or _what_is_lost(base, criterion)
    strategy = STRATEGIES["disco"] if within is None else strategy_within(within)
    base = replace(base, strategy=strategy, mask=None, plan_file=None)
    worst = replace(base, conventions=_at_most(base))
    bounds = _resolved(limits, replace(base, s_comm=0.0).cost())
    steps = _default_levels(worst, bounds) if levels is None else _checked_levels(levels)
    costs = layer_costs(worst, steps)
    if not costs.choices:
        raise DiscosimError(f"{base.model} on {base.nodes} nodes exchanges nothing to be chosen")
    _check_possible(costs, bounds)
    solution, s_comm = _solved(base, costs, lost.curves, bounds, method)
    others = {
        name: _outcome(base, costs, lost.curves, _solved(base, costs, curves, bounds, method)[1])
        for name, curves in lost.beside.items()
        if name != lost.criterion
    }
    return Allocation(
        configuration=base,
        method=method,
        criterion=lost.criterion,
        saliency=lost.said,
        limits=bounds,
        plan=_outcome(base, costs, lost.curves, s_comm),
        bound=max(0.0, solution.bound),
        gap=solution.gap,
        uniform=_uniform(base, worst, costs, lost.curves, bounds),
        beside=others,
        dense=_outcome(base, costs, lost.curves, np.zeros((1, len(base.table)))),
        within=within,
    )


def _solved(
    base: Configuration,
    costs: LayerCosts,
    curves: Curves,
    bounds: Mapping[str, float],
    method: Method,
) -> tuple[Solution, Floats]:
    """The least loss by some curves, and the S_comm of each row, (1, L), that has it."""
    table = base.table
    solution = SOLVERS[method](_problem(costs, _lost(costs, table, curves), bounds))
    s_comm = np.zeros((1, len(table)))
    for rows, level in zip(costs.choices, solution.choice, strict=True):
        s_comm[0, rows] = costs.levels[level]
    return solution, s_comm


def _what_is_lost(base: Configuration, criterion: str | None) -> Lost:
    """By the mask's curves, or the surrogate's where there is none."""
    if base.mask is not None:
        return _of_mask(base.mask, base.nodes, criterion)
    if criterion not in (None, "l1"):
        raise DiscosimError(
            f"criterion {criterion} needs weights: --weights, or --mask with its curves"
        )
    table, nodes = base.table, base.nodes
    whole = base.conventions.whole or not divides(table, nodes)
    return Lost(he_normal_curves(table, nodes, whole=whole))


def default_method() -> Method:
    """Return the exact one where scipy is installed, the fast one elsewhere."""
    return Method.EXACT if find_spec("scipy") else Method.FAST


def _at_most(base: Configuration) -> Conventions:
    """The same conventions, with the most instead of the expected number of features sent."""
    if base.conventions.selection is not Selection.INDEPENDENT:
        return base.conventions
    return replace(base.conventions, selection=Selection.APART)


def _of_mask(mask: Mask, nodes: int, criterion: str | None) -> Lost:
    """What its layers lose, and whose weights these are."""
    if nodes != mask.nodes:
        raise DiscosimError(f"the mask is for {mask.nodes} nodes, not for {nodes}")
    chosen = default_criterion(mask) if criterion is None else criterion
    curves = mask_curves(mask, chosen)
    beside = {name: mask_curves(mask, name) for name in (FALLBACK,) if name in mask.curves}
    measured = f", measured on {len(mask.used)} inputs" * the_criterion(chosen).measured
    said = f"{the_criterion(chosen).says}, the least go first; {mask.weights}{measured}"
    return Lost(curves, chosen, said, beside)


def default_criterion(mask: Mask) -> str:
    """Return one that was measured on inputs, else l1-log, else what there is."""
    measured = [name for name in mask.curves if the_criterion(name).measured]
    return next((name for name in (*measured, FALLBACK) if name in mask.curves), "l1")


def _default_levels(worst: Configuration, bounds: Mapping[str, float]) -> Floats:
    """Fine ones where nearly all or nearly nothing is to be sent."""
    little, much = (_met(replace(worst, s_comm=s).cost(), bounds) for s in COARSE)
    return np.array(DEFAULT_LEVELS if much and not little else FINE_LEVELS)


def _met(cost: Cost, bounds: Mapping[str, float]) -> bool:
    return all(
        getattr(cost, name).item() <= bound * (1 + knapsack.ROUNDING)
        for name, bound in bounds.items()
    )


def _checked_levels(levels: ArrayLike) -> Floats:
    steps = np.unique(check_s_comm(np.asarray(levels, dtype=float)))
    if not 1 <= len(steps) <= MOST_LEVELS:
        raise DiscosimError(f"{len(steps):,} levels of S_comm; wanted 1 to {MOST_LEVELS:,}")
    return steps


def _resolved(limits: Mapping[str, Limit], dense: Cost) -> dict[str, float]:
    """The limits in SI units; raises DiscosimError where there is none or one is not a number."""
    if not limits:
        raise DiscosimError("no limit is given: wanted --latency, --bytes or --memory")
    bounds = {}
    for name, limit in limits.items():
        if name not in LIMITS:
            raise UnknownNameError("limit", name, LIMITS)
        if not 0 <= limit.value < np.inf:
            raise DiscosimError(f"{LIMITS[name][0]} {limit.value}; wanted a number from 0 up")
        unit = float(getattr(dense, name).item()) if limit.of_dense else 1.0
        bounds[name] = limit.value * unit
    return bounds


def _lost(costs: LayerCosts, table: LayerTable, curves: Curves) -> Floats:
    """Loss of each choice at each level, (I, K), as a share of all that can be lost."""
    names = table.name
    missing = [names[row] for rows in costs.choices for row in rows if names[row] not in curves]
    if missing:
        raise DiscosimError(f"no saliency curve of layer {missing[0]}")
    lost = np.array(
        [sum(curves[names[row]].at(costs.levels) for row in rows) for rows in costs.choices]
    )
    return lost / _prunable(costs, table, curves)


def _prunable(costs: LayerCosts, table: LayerTable, curves: Curves) -> float:
    end = np.ones(1)
    total = sum(float(curves[table.name[row]].at(end)[0]) for rows in costs.choices for row in rows)
    return total or 1.0


def _outcome(base: Configuration, costs: LayerCosts, curves: Curves, s_comm: Floats) -> Outcome:
    """What S_comm of each row, (1, L), loses and costs."""
    table = base.table
    total = _prunable(costs, table, curves)
    rows = np.flatnonzero(takes_s_comm(base))
    chosen = set(np.concatenate(costs.choices).tolist())
    values = {table.name[row]: float(s_comm[0, row]) if row in chosen else 0.0 for row in rows}
    loss = {
        name: float(curves[name].at(np.array([value]))[0]) / total if value else 0.0
        for name, value in values.items()
    }
    return Outcome(values, loss, sum(loss.values()), replace(base, s_comm=s_comm).cost())


def _problem(costs: LayerCosts, lost: Floats, bounds: Mapping[str, float]) -> Problem:
    tallies = [costs.tallies[name] for name in bounds]
    limits = [bounds[name] - costs.tallies[name].fixed for name in bounds]
    cost = np.concatenate([tally.chosen for tally in tallies])
    return Problem.of(lost, cost, np.concatenate(limits))


def _check_possible(costs: LayerCosts, bounds: Mapping[str, float]) -> None:
    """Raise DiscosimError where a limit is below the least that any plan takes."""
    faults = []
    for name, bound in bounds.items():
        tally = costs.tallies[name]
        least = float((tally.fixed + tally.chosen.min(axis=-1).sum(axis=-1)).max())
        if least > bound * (1 + knapsack.ROUNDING):
            noun, unit = LIMITS[name]
            given, least_text = (format_quantity(value, unit, 4) for value in (bound, least))
            faults.append(f"{noun} of {given}: the least is {least_text}")
    if faults:
        sparsest = f"S_comm {costs.levels[-1]:g} everywhere, the sparsest level"
        more = "" if costs.levels[-1] == 1 else "; --levels can go up to 1"
        raise DiscosimError(f"no plan meets {', and '.join(faults)}, at {sparsest}{more}")


def _uniform(
    base: Configuration,
    worst: Configuration,
    costs: LayerCosts,
    curves: Curves,
    bounds: Mapping[str, float],
) -> Outcome | None:
    """The least S_comm of all layers at which `worst` keeps the limits, by bisection."""

    def met(s_comm: float) -> bool:
        return _met(replace(worst, s_comm=s_comm).cost(), bounds)

    low, high = 0.0, float(costs.levels[-1])
    if not met(high):
        return None
    if met(low):
        high = low
    for _ in range(UNIFORM_STEPS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (low, middle) if met(middle) else (middle, high)
    return _outcome(base, costs, curves, np.full((1, len(base.table)), high))
