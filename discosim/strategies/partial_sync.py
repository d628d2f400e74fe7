"""As `paired`, but only a fraction of the features is added up, the others stay a node's own.

Lamprecht et al.: CAAT-Net, NeurIPS 2025: a network trained so loses little accuracy.
"""

from typing import TYPE_CHECKING

from discosim.errors import DiscosimError
from discosim.graph.network import Network
from discosim.partition.kinds import Rule
from discosim.partition.plan import Conventions, Plan
from discosim.strategies.layered import layered_plan
from discosim.strategies.paired import paired_rule
from discosim.strategies.strategy import strategy

if TYPE_CHECKING:
    from discosim.configuration import Configuration


def partly_summed(network: Network, _: Conventions) -> Rule:
    """Return the rule by which S_comm of each sum's features are left out."""
    return paired_rule(network, sparse=True)


@strategy(
    "partial-sync",
    "as paired, 1 - S_comm of each sum's features added up",
    has_knob=True,
    split="outputs, inputs",
)
def partial_sync(given: "Configuration") -> Plan:
    """Return the plan in which each sum is of 1 - S_comm of its features.

    Raises DiscosimError for a mask, which says what `disco` sends, and for a plan that says how
    each layer is split.
    """
    if given.plan_file is not None and given.plan_file.splits:
        raise DiscosimError(
            f"plan {given.plan_file.path} says how each layer is split; partial-sync has its own"
        )
    if given.mask is not None:
        raise DiscosimError("a mask says which features disco sends; partial-sync has none")
    return layered_plan(given, partly_summed)
