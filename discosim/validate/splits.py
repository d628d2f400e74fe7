"""What nodes hold and send in a measured run: a mask, or how a strategy lays a network."""

from functools import lru_cache

from discosim.explore.executed import planned, planned_by, the_laid
from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.graph.table import tabulate
from discosim.masks.mask import Mask
from discosim.partition.held import Held
from discosim.partition.kinds import Choice, Kind
from discosim.partition.lay import GATHER, Laid, lay
from discosim.partition.plan import CONVENTIONS
from discosim.partition.plan_file import PlanFile, read_plan
from discosim.runtime.laid_program import row_names, table_rows
from discosim.strategies.strategy import STRATEGIES
from discosim.validate.timing import mask_of

SPARSE, SINGLE = "disco", "single"

PLAN = ".json"
"""What the name of a plan file ends with, which stands for a strategy."""


@lru_cache(maxsize=16)
def split_of(network: Network, nodes: int, strategy: str, s_comm: float) -> Mask | Laid:
    """Return what `nodes` nodes execute; with `single` node 0 has all and the others nothing.

    Raises DiscosimError for a strategy that no run executes.
    """
    if strategy == SPARSE:
        return mask_of(network, nodes, s_comm)
    if strategy == SINGLE:
        return lay(tabulate(network), _on_one, nodes, CONVENTIONS["runtime"])
    if strategy.endswith(PLAN):
        return the_laid(planned_by(network, the_plan_file(strategy)))
    return the_laid(planned(network, strategy, nodes, s_comm=s_comm))


@lru_cache(maxsize=16)
def the_plan_file(path: str) -> PlanFile:
    """Return the plan that stands for a strategy."""
    return read_plan(path)


def forget_plans() -> None:
    """Have plan files read anew: since they were, others may have been written there."""
    split_of.cache_clear()
    the_plan_file.cache_clear()


def has_knob(strategy: str) -> bool:
    """Return whether a strategy is measured at several S_comm."""
    return strategy != SINGLE and not strategy.endswith(PLAN) and STRATEGIES[strategy].has_knob


def _on_one(_: Layer, __: tuple[Held, ...]) -> Choice:
    return Choice(Kind.ONE)


def names_of(network: Network, nodes: int, strategy: str) -> tuple[list[str], list[int]]:
    """Return what the rows of programs are called, and which row of the table each is of."""
    split = None if strategy == SPARSE else split_of(network, nodes, strategy, 0.0)
    if isinstance(split, Laid):
        return row_names(split), table_rows(split)
    names = [*(layer.name for layer in network.layers), GATHER]
    return names, list(range(len(names)))
