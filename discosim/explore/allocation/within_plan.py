"""Allocation within a plan: S_comm of the layers that it splits by outputs, all else as it is."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from discosim.errors import DiscosimError
from discosim.graph.table import LayerTable
from discosim.partition.kinds import Kind
from discosim.partition.plan import Plan
from discosim.partition.plan_file import PlanFile
from discosim.partition.splits import named_splits
from discosim.strategies.by_layer import laid_by_layer
from discosim.strategies.layered import plan_of
from discosim.strategies.strategy import STRATEGIES, Strategy

if TYPE_CHECKING:
    from discosim.configuration import Configuration


def check_within(plan_file: PlanFile, table: LayerTable, nodes: int) -> None:
    """Raise DiscosimError for a plan of S_comm alone, and for one of other nodes."""
    if not plan_file.splits:
        raise DiscosimError(
            f"plan {plan_file.path} says S_comm alone, which is what allocate finds; wanted one "
            "that says how layers are split, as `discosim plan` writes"
        )
    plan_file.layer_s_comm(table, nodes)


def strategy_within(plan_file: PlanFile) -> Strategy:
    """Return the strategy that splits layers as a plan file does, S_comm not taken from it."""

    def plan(given: "Configuration") -> Plan:
        splits = plan_file.every_split(given.table)
        laid = laid_by_layer(
            given.table, splits, given.nodes, given.conventions, given.collective,
            plan_file.throughout, given.weighed, any_s_comm=True,
        )  # fmt: skip
        return plan_of(laid, 1.0 - given.knob)

    return replace(STRATEGIES["disco"], plan=plan)


def with_s_comm(
    plan_file: PlanFile, table: LayerTable, s_comm: Mapping[str, float], path: str
) -> PlanFile:
    """Return the plan file with that S_comm of its layers by outputs, by name; without, 0."""
    splits = tuple(
        replace(split, s_comm=s_comm.get(name, 0.0)) if split.kind is Kind.OUTPUTS else split
        for name, split in zip(table.name, plan_file.every_split(table), strict=False)
    )
    return replace(plan_file, path=path, splits=named_splits(table, splits))
