"""What nodes hold and send in a measured run: a mask, or how a strategy lays a network."""

from functools import lru_cache

from discosim.explore.executed import (
    MASKED,
    planned,
    planned_by,
    sparse_layers,
    the_laid,
    with_named_features,
)
from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.graph.table import tabulate
from discosim.masks.mask import Mask
from discosim.masks.of_plan import chosen_for_plan
from discosim.partition.held import Held
from discosim.partition.kinds import Choice, Kind
from discosim.partition.lay import GATHER, Laid, lay
from discosim.partition.plan import CONVENTIONS
from discosim.partition.plan_file import PlanFile, read_plan
from discosim.runtime.laid_program import row_names, table_rows
from discosim.strategies.strategy import STRATEGIES
from discosim.validate.timing import SEED, mask_of

SPARSE, SINGLE = "disco", "single"

PLAN = ".json"
"""What the name of a plan file ends with, which stands for a strategy."""


@lru_cache(maxsize=16)
def split_of(network: Network, nodes: int, strategy: str, s_comm: float) -> Mask | Laid:
    """Return what `nodes` nodes execute; with `single` node 0 has all and the others nothing.

    Raises DiscosimError for a strategy that no run executes.
    """
    if strategy == SINGLE:
        return lay(tabulate(network), _on_one, nodes, CONVENTIONS["runtime"])
    if strategy in MASKED:
        return mask_of(network, nodes, s_comm if has_knob(strategy) else MASKED[strategy])
    if strategy.endswith(PLAN):
        return split_by_plan(network, strategy)
    return the_laid(planned(network, strategy, nodes, s_comm=s_comm))


@lru_cache(maxsize=16)
def split_by_plan(network: Network, path: str) -> Mask | Laid:
    """Return what a plan file has nodes execute; its sparse layers get features at random."""
    plan_file = the_plan_file(path)
    if not plan_file.splits:
        return mask_of(network, plan_file.nodes, dict(plan_file.s_comm))
    plan, sparse = planned_by(network, plan_file), sparse_layers(network, plan_file)
    laid = the_laid(plan)
    named = chosen_for_plan(laid, sparse, None, "random", seed=SEED)
    return the_laid(with_named_features(plan, named))


@lru_cache(maxsize=16)
def the_plan_file(path: str) -> PlanFile:
    """Return the plan that stands for a strategy."""
    return read_plan(path)


def forget_plans() -> None:
    """Have plan files read anew: since they were, others may have been written there."""
    split_of.cache_clear()
    split_by_plan.cache_clear()
    the_plan_file.cache_clear()


def has_knob(strategy: str) -> bool:
    """Return whether a strategy is measured at several S_comm."""
    return strategy != SINGLE and not strategy.endswith(PLAN) and STRATEGIES[strategy].has_knob


def _on_one(_: Layer, __: tuple[Held, ...]) -> Choice:
    return Choice(Kind.ONE)


def names_of(network: Network, nodes: int, strategy: str) -> tuple[list[str], list[int]]:
    """Return what the rows of programs are called, and which row of the table each is of."""
    split = None if strategy in MASKED else split_of(network, nodes, strategy, 0.0)
    if isinstance(split, Laid):
        return row_names(split), table_rows(split)
    names = [*(layer.name for layer in network.layers), GATHER]
    return names, list(range(len(names)))
