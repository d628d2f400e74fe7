"""Strategies: how a network is laid out on the nodes, as arrays over layers.

Each is a function from a Configuration to a Plan, registered by its name in a file of this package.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from discosim.errors import DiscosimError
from discosim.graph.table import LayerTable
from discosim.partition.plan import Plan
from discosim.registry import Registry

if TYPE_CHECKING:
    from discosim.configuration import Configuration


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to lay a network out.

    has_knob: S_comm changes the plan; has_cut: `at` does; nodes: the only N there is, or None;
    staged: layers are placed whole, so that consecutive inputs overlap; exact: the network is
    computed as it was trained, nothing pruned; weighs: the plan goes by the numbers of the
    hardware; split: of its layers (partition/kinds.py); planned_on: the same strategy, planned on
    the hardware of a configuration whatever numbers vary later, where `worth` does not say it all.
    """

    name: str
    summary: str
    plan: "Planner"
    has_knob: bool = False
    has_cut: bool = False
    nodes: int | None = None
    staged: bool = False
    exact: bool = False
    weighs: bool = False
    split: str = "outputs"
    planned_on: "Callable[[Configuration], Strategy] | None" = None

    @property
    def other_ways(self) -> bool:
        """Whether layers are split by other things than outputs: not in stages, not on one node."""
        return self.split not in ("outputs", "whole", "one")


STRATEGIES: Registry[Strategy] = Registry("strategy", __package__)
STRATEGIES.elsewhere("best", "discosim.explore.planning.best")  # which takes a search

Planner = Callable[["Configuration"], Plan]


def strategy(
    name: str,
    summary: str,
    *,
    has_knob: bool = False,
    has_cut: bool = False,
    nodes: int | None = None,
    staged: bool = False,
    exact: bool = False,
    weighs: bool = False,
    split: str = "outputs",
) -> Callable[[Planner], Planner]:
    """Return a decorator that registers a function from a Configuration to a Plan under `name`."""

    def enter(planner: Planner) -> Planner:
        STRATEGIES.register(name)(
            Strategy(name, summary, planner, has_knob, has_cut, nodes, staged, exact, weighs, split)
        )
        return planner

    return enter


def check_nodes(table: LayerTable, nodes: int) -> None:
    """Raise DiscosimError where no layer has features for `nodes` nodes."""
    if not table.mixes.any():
        raise DiscosimError(
            f"{table.network.name} has no convolution or linear layer: nothing to split over nodes"
        )
    features = np.maximum(table.in_features, table.out_features)[table.mixes]
    widest = int(features.argmax())
    if nodes > features[widest]:
        layer = np.array(table.name)[table.mixes][widest]
        raise DiscosimError(
            f"{nodes} nodes, but the widest layer of {table.network.name}, {layer}, has "
            f"{features[widest]:.0f} features; wanted at most as many nodes"
        )
