"""Plans judged by what the network answers: the plan, uniform S_comm and others side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from discosim.errors import DiscosimError
from discosim.explore.allocation.allocate import Allocation
from discosim.masks.mask import Mask
from discosim.masks.select import select
from discosim.runtime.fidelity import Fidelity, fidelities

if TYPE_CHECKING:
    from torch import Tensor

    from discosim.runtime.inputs import Inputs

MOST = 128
"""Inputs that plans are judged on."""

PLAN, UNIFORM = "plan", "uniform"


@dataclass(frozen=True, eq=False)
class Judgement:
    """How near each plan comes to the dense network: `plan`, `uniform` and those beside, by name.

    inputs: how many, of which none was measured on.
    """

    inputs: int
    by_plan: Mapping[str, Fidelity]

    @property
    def closer(self) -> list[str]:
        """The other plans whose output is nearer to the dense one than the plan's."""
        own = self.by_plan[PLAN].divergence
        return [name for name, each in self.by_plan.items() if each.divergence < own]


def judge(
    found: Allocation, mask: Mask | None, state: "Mapping[str, Tensor]", inputs: "Inputs"
) -> Judgement:
    """Return how near the plans of an allocation come, as masks counted per pair of nodes.

    The plan's features are chosen by what the mask measured, all others by L1 norms. Inputs that
    the mask was measured on are left out; raises DiscosimError where none is left.
    """
    used = () if mask is None else mask.used
    others = inputs.without(used).some(slice(0, MOST))
    if not len(others):
        raise DiscosimError(
            f"all {len(inputs)} inputs were measured on; wanted others to judge plans on"
        )
    network, nodes = found.configuration.network, found.configuration.nodes
    weights = {name: tensor.float().numpy() for name, tensor in state.items()}
    scored = mask is not None and mask.scored_by == found.criterion
    plans = {PLAN: found.plan, UNIFORM: found.uniform, **found.beside}
    masks = {
        name: select(
            network,
            nodes,
            outcome.s_comm,
            weights,
            found.criterion if name == PLAN and scored else "l1",
            "pair",
            owners=None if mask is None else mask.owners,
            measured=mask.scores if mask is not None and name == PLAN and scored else None,
        )
        for name, outcome in plans.items()
        if outcome is not None
    }
    return Judgement(len(others), fidelities(network, state, masks, others))
