"""Plans in which each layer is split in its own way, from a rule for layers."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from discosim.graph.network import Network
from discosim.graph.table import Floats, LayerTable
from discosim.partition.collectives import Collective
from discosim.partition.fused import joined
from discosim.partition.kinds import Rule
from discosim.partition.lay import Laid, lay
from discosim.partition.layout import lay_out
from discosim.partition.mixed import mixed_plan
from discosim.partition.plan import Conventions, Plan
from discosim.partition.remarks import remarks
from discosim.partition.worth import Worth

if TYPE_CHECKING:
    from discosim.configuration import Configuration

RuleOf = Callable[[Network, Conventions], Rule]
"""The rule of a strategy for a network."""

KEPT = 64
"""Plans, and networks laid on nodes, that are kept for the next call."""


def layered_plan(given: "Configuration", rule_of: RuleOf, *, fuse: bool = False) -> Plan:
    """Return the plan in which layers are split by a rule; `fuse` joins those split by rows."""
    worth = given.weighed if fuse else None
    key = given.table, rule_of, given.nodes, given.conventions, given.collective, worth
    laid = laid_by(*key)
    if not given.strategy.has_knob:
        return _plan(laid, (1.0,), (1, 1))
    density = 1.0 - given.knob
    return _plan(laid, tuple(density.ravel().tolist()), density.shape)


def plan_of(laid: Laid, density: Floats) -> Plan:
    """Return the plan; density: (..., 1, L) or less, 1 - S_comm of what sparse choices receive."""
    plan = mixed_plan(laid, lay_out(laid.table, laid.nodes, laid.conventions), density)
    return replace(plan, laid=laid, remarks=remarks(laid))


@lru_cache(maxsize=KEPT)
def laid_by(
    table: LayerTable,
    rule_of: RuleOf,
    nodes: int,
    conventions: Conventions,
    collective: Collective,
    worth: Worth | None,
) -> Laid:
    """Return how `table` lies on the nodes, as index sets; worth: of joining layers, or None."""
    rule = rule_of(table.network, conventions)
    if worth is None:
        return lay(table, rule, nodes, conventions, collective=collective)
    apart = laid_by(table, rule_of, nodes, conventions, collective, None)
    return joined(apart, worth)


@lru_cache(maxsize=KEPT)
def _plan(laid: Laid, density: tuple[float, ...], shape: tuple[int, ...]) -> Plan:
    return plan_of(laid, np.reshape(density, shape))
