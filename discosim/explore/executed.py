"""The strategies that a run executes, and their plans."""

from dataclasses import replace

import numpy as np

from discosim.configuration import S_COMM, Configuration, worth_of
from discosim.errors import DiscosimError
from discosim.graph.network import Network
from discosim.graph.table import tabulate
from discosim.hardware import load_profile
from discosim.partition.collectives import Collective
from discosim.partition.fused import with_named
from discosim.partition.kinds import Kind
from discosim.partition.lay import Laid
from discosim.partition.needs import Named
from discosim.partition.plan import CONVENTIONS, Plan
from discosim.partition.plan_file import PlanFile
from discosim.partition.synced import synced
from discosim.partition.worth import Worth
from discosim.strategies.layered import plan_of
from discosim.strategies.strategy import STRATEGIES

MASKED = {"disco": S_COMM, "dense": 0.0, "branches": 1.0}
"""The strategies whose features a mask selects, and the S_comm that they have if none is given."""

HARDWARE = "splitnets-hmd"
"""By whose numbers `fused-rows` joins layers where nobody says; else a plan depends on none."""


def worth_of_a_run() -> Worth:
    """Return by what the layers are joined that run."""
    return worth_of(load_profile(HARDWARE).hardware())


def executed() -> list[str]:
    """Return the names of the strategies that a run executes on several nodes."""
    every = {name: STRATEGIES[name] for name in STRATEGIES}
    return [*MASKED, *(name for name, each in every.items() if each.other_ways)]


def check_executed(strategy: str) -> None:
    """Raise DiscosimError for a strategy that is not known, or that no run executes."""
    if STRATEGIES[strategy].name not in executed():
        raise DiscosimError(f"no run executes {strategy}; wanted one of {', '.join(executed())}")


def planned(
    network: Network,
    strategy: str,
    nodes: int,
    collective: str = "direct",
    s_comm: float = S_COMM,
) -> Plan:
    """Return the plan of a strategy that no mask describes; raises DiscosimError.

    s_comm: of a strategy that has it; which features it leaves out is said (partition/synced.py).
    """
    check_executed(strategy)
    chosen = STRATEGIES[strategy]
    plan = Configuration(
        network,
        load_profile(HARDWARE).hardware(),
        strategy=chosen,
        nodes=nodes,
        s_comm=s_comm,
        conventions=CONVENTIONS["runtime"],
        collective=Collective(collective),
    ).plan()
    return _synced(plan, s_comm) if chosen.has_knob else plan


def planned_by(network: Network, plan_file: PlanFile) -> Plan:
    """Return the plan of a plan file that says how each layer is split.

    Of its sparse layers by outputs it says how many features are sent, not which
    (`with_named_features`); of sums the first ones of each node's block are added up.
    Raises DiscosimError where it is for another network.
    """
    plan = Configuration(
        network,
        load_profile(HARDWARE).hardware(),
        nodes=plan_file.nodes,
        conventions=CONVENTIONS["runtime"],
        plan_file=plan_file,
    ).plan()
    return _synced(plan)


def _synced(plan: Plan, s_comm: float = 0.0) -> Plan:
    """Return the plan in which it is said which features of sums are added up."""
    return plan if plan.laid is None else replace(plan, laid=synced(plan.laid, s_comm))


def sparse_layers(network: Network, plan_file: PlanFile) -> dict[str, float]:
    """Return S_comm of the layers by outputs that a plan file has receive less than they read.

    By name; these are convolutions and linear layers.
    """
    table = tabulate(network)
    every = zip(table.rows, table.mixes, plan_file.every_split(table), strict=False)
    return {
        row.name: split.s_comm
        for row, mixes, split in every
        if mixes and split.s_comm and split.kind is Kind.OUTPUTS
    }


def with_named_features(plan: Plan, named: Named) -> Plan:
    """Return the plan in which layers are computed from the features that are named for them."""
    if not named:
        return plan
    return _synced(plan_of(with_named(the_laid(plan), named), np.ones((1, 1))))


def the_laid(plan: Plan) -> Laid:
    """Return what is computed and sent as index sets; raises DiscosimError where nobody says."""
    if plan.laid is None:
        raise DiscosimError("no run executes this plan: it does not say what nodes compute")
    return plan.laid
