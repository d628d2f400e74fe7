"""The best exact split of each layer as a strategy: planned once for each N and hardware."""

from collections import OrderedDict
from dataclasses import fields, replace
from typing import Any

import numpy as np

from discosim.configuration import Configuration
from discosim.explore.planning.plan import plan as planned
from discosim.explore.planning.unlike import unlike_plan
from discosim.hardware import Hardware
from discosim.partition.plan import Plan
from discosim.strategies.strategy import STRATEGIES, Strategy
from discosim.timeline.cluster import Cluster
from discosim.timeline.joined import Joined
from discosim.units import format_quantity

KEPT = 128
"""Plans that are kept for the next call."""

_found: OrderedDict[tuple[object, ...], Plan] = OrderedDict()


def best_plan(given: Configuration) -> Plan:
    """Return the fastest exact plan within the memory of a node, or of the least memory.

    Where a number of the hardware has several values, it is planned at the middle one, and told.
    """
    if given.nodes == 1:
        return STRATEGIES["single"].plan(given)
    node, several = at_the_middle(given.hardware)
    alone = replace(given, hardware=node, s_comm=0.0, plan_file=None, mask=None)
    key = (
        alone.table, alone.nodes, alone.conventions, alone.collective, alone.overlap,
        alone.features, alone.objective, alone.weighed, repr(node),
    )  # fmt: skip
    if key not in _found:
        memory = None if node.memory_bytes is None else float(np.max(node.memory_bytes))
        if isinstance(node, Joined):
            cluster = Cluster(node.nodes[: given.nodes])
            _found[key] = unlike_plan(alone, cluster, s_comm=(0.0,)).plan()
        else:
            _found[key] = planned(alone, s_comm=(), memory=memory, strict=False).best.plan
        while len(_found) > KEPT:
            _found.popitem(last=False)
    plan = _found[key]
    if not several:
        return plan
    return replace(plan, remarks=(*plan.remarks, _said(node, several)))


def at_the_middle(hardware: Hardware) -> tuple[Hardware, tuple[str, ...]]:
    """Return the hardware with one value of each number, and the names of those with several."""
    single: dict[str, Any] = {}
    several = []
    for field in fields(hardware):
        value = getattr(hardware, field.name)
        if isinstance(value, np.ndarray) and value.ndim:
            flat = np.sort(value.ravel())
            single[field.name] = float(flat[len(flat) // 2])
            if len(flat) > 1:
                several.append(field.name)
    return replace(hardware, **single), tuple(several)


NUMBERS = {
    "bandwidth_Bps": ("B/s", ""),
    "link_latency_s": ("s", " a message"),
    "compute_macps": ("MAC/s", ""),
    "memory_Bps": ("B/s", " of memory"),
    "memory_bytes": ("B", " of memory"),
}
"""Units of the numbers of hardware that may have several values, and what is said behind them."""


def _said(node: Hardware, names: tuple[str, ...]) -> str:
    """The numbers at which it is planned."""
    told = []
    for name in names:
        unit, behind = NUMBERS.get(name, ("", f" {name}"))
        told.append(f"{format_quantity(float(getattr(node, name)), unit)}{behind}")
    return f"planned once, at {', '.join(told)}"


def _planned_on(given: Configuration) -> Strategy:
    """Return `best` planned on the hardware at hand, whatever numbers vary later."""
    node = given.hardware

    def fixed(other: Configuration) -> Plan:
        return best_plan(replace(other, hardware=node))

    return replace(BEST, plan=fixed, planned_on=None)


BEST = Strategy(
    "best",
    "the fastest split of each layer that changes nothing, within the memory (plan)",
    best_plan,
    exact=True,
    weighs=True,
    split="of each layer",
    planned_on=_planned_on,
)
STRATEGIES.register("best")(BEST)
