"""Strategies: how a network is laid out on the nodes, as arrays over layers.

Each is a function from a Request to a Plan, registered by its name in a file of this package.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from discosim.errors import DiscosimError
from discosim.graph.table import Floats, LayerTable
from discosim.partition.plan import CONVENTIONS, Conventions, Plan
from discosim.registry import Registry

if TYPE_CHECKING:
    from discosim.masks.mask import Mask

OBJECTIVES = ("memory", "latency")
"""Of a pipeline: the smallest worst node, or the least that is handed on from stage to stage."""


@dataclass(frozen=True, eq=False)
class Request:
    """What a strategy may need to know; s_comm is (..., 1, 1), or (..., 1, L) from a plan file.

    mask: the features that strategies with the S_comm knob send, in place of a fraction of them.
    at: the block at which strategies with a cut change from split to dense or back.
    features: "peak" or "all", what the memory of a node counts.
    """

    table: LayerTable
    nodes: int
    s_comm: Floats
    conventions: Conventions = CONVENTIONS["paper"]
    at: str = ""
    objective: str = "memory"
    features: str = "peak"
    feature_elem_bytes: float = 4.0
    weight_elem_bytes: float = 4.0
    mask: "Mask | None" = None


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to lay a network out.

    has_knob: S_comm changes the plan; has_cut: `at` does; nodes: the only N there is, or None;
    staged: layers are placed whole, so that consecutive inputs overlap.
    """

    name: str
    summary: str
    plan: Callable[[Request], Plan]
    has_knob: bool = False
    has_cut: bool = False
    nodes: int | None = None
    staged: bool = False


STRATEGIES: Registry[Strategy] = Registry("strategy", __package__)

_Planner = Callable[[Request], Plan]


def strategy(
    name: str,
    summary: str,
    *,
    has_knob: bool = False,
    has_cut: bool = False,
    nodes: int | None = None,
    staged: bool = False,
) -> Callable[[_Planner], _Planner]:
    """Return a decorator that registers a function from a Request to a Plan under `name`."""

    def enter(planner: _Planner) -> _Planner:
        STRATEGIES.register(name)(
            Strategy(name, summary, planner, has_knob, has_cut, nodes, staged)
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
