"""Plans in which each layer is split in its own way, from a rule for layers."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from discosim.graph.network import Network
from discosim.graph.table import Floats, LayerTable
from discosim.partition.collectives import Collective
from discosim.partition.fused import fused
from discosim.partition.kinds import Rule
from discosim.partition.lay import Laid, lay
from discosim.partition.layout import lay_out
from discosim.partition.mixed import mixed_plan
from discosim.partition.plan import Conventions, Plan
from discosim.partition.remarks import remarks

if TYPE_CHECKING:
    from discosim.configuration import Configuration

RuleOf = Callable[[Network, Conventions], Rule]
"""The rule of a strategy for a network."""

KEPT = 64
"""Plans, and networks laid on nodes, that are kept for the next call."""


def layered_plan(given: "Configuration", rule_of: RuleOf, *, fuse: bool = False) -> Plan:
    """Return the plan in which layers are split by a rule; `fuse` joins those split by rows."""
    key = given.table, rule_of, given.nodes, given.conventions, given.collective, fuse
    if given.strategy.has_knob:
        return _plan(laid_by(*key), 1.0 - given.knob)
    return _exact_plan(*key)


@lru_cache(maxsize=KEPT)
def laid_by(
    table: LayerTable,
    rule_of: RuleOf,
    nodes: int,
    conventions: Conventions,
    collective: Collective,
    fuse: bool,
) -> Laid:
    """Return how `table` lies on the nodes, as index sets."""
    rule = rule_of(table.network, conventions)
    laid = lay(table, rule, nodes, conventions, collective=collective)
    if not fuse or nodes == 1:
        return laid
    return lay(table, rule, nodes, conventions, collective=collective, extents=fused(laid))


@lru_cache(maxsize=KEPT)
def _exact_plan(
    table: LayerTable,
    rule_of: RuleOf,
    nodes: int,
    conventions: Conventions,
    collective: Collective,
    fuse: bool,
) -> Plan:
    return _plan(laid_by(table, rule_of, nodes, conventions, collective, fuse), np.ones((1, 1)))


def _plan(laid: Laid, density: Floats) -> Plan:
    layout = lay_out(laid.table, laid.nodes, laid.conventions)
    return replace(mixed_plan(laid, layout, density), laid=laid, remarks=remarks(laid))
