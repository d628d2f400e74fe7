"""The best exact split of each layer as a strategy: planned once for each N and hardware."""

from collections import OrderedDict
from dataclasses import fields, replace
from typing import Any, TypeVar

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

C = TypeVar("C", bound=Configuration)

KEPT = 128
"""Plans that are kept for the next call."""

_found: OrderedDict[tuple[object, ...], Plan] = OrderedDict()


def best_plan(given: Configuration) -> Plan:
    """Return the fastest exact plan within the memory of a node, or of the least memory.

    Where a number of the hardware has several values, it is planned at the middle one, and told.
    """
    if given.nodes == 1:
        return STRATEGIES["single"].plan(given)
    node, many = at_the_middle(given.hardware)
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
    if not many:
        return plan
    said = f"is planned once, at {format_quantity(float(np.max(node.bandwidth_Bps)), 'B/s')}"
    return replace(plan, remarks=(*plan.remarks, said))


def at_the_middle(hardware: Hardware) -> tuple[Hardware, bool]:
    """Return the hardware with one value of each number, and whether there were several."""
    several: dict[str, Any] = {}
    for field in fields(hardware):
        value = getattr(hardware, field.name)
        if isinstance(value, np.ndarray) and value.ndim:
            flat = np.sort(value.ravel())
            several[field.name] = float(flat[len(flat) // 2])
    many = any(np.size(getattr(hardware, name)) > 1 for name in several)
    return replace(hardware, **several), many


def planned_at(given: C) -> C:
    """Return the same with `best` planned on the hardware at hand, whatever numbers vary later."""
    if given.strategy.name != BEST.name:
        return given
    node = given.hardware

    def fixed(other: Configuration) -> Plan:
        return best_plan(replace(other, hardware=node))

    return replace(given, strategy=replace(BEST, plan=fixed))


BEST = Strategy(
    "best",
    "the fastest split of each layer that changes nothing, within the memory (plan)",
    best_plan,
    exact=True,
    weighs=True,
    split="of each layer",
)
STRATEGIES.register("best")(BEST)
