"""A network on N nodes, before its S_comm is chosen."""

from dataclasses import dataclass

from discosim.explore.study import Study, strategy_named
from discosim.graph.table import Floats
from discosim.hardware import Hardware
from discosim.partition.plan import Plan
from discosim.simulate import Cost, Overlap, simulate


@dataclass(frozen=True, eq=False)
class Setting:
    """Everything but the S_comm of the layers; numbers of `hardware` may be arrays."""

    study: Study
    hardware: Hardware
    nodes: int
    overlap: str = "none"

    def evaluate(self, s_comm: Floats) -> tuple[Plan, Cost]:
        """Return the plan and its cost at S_comm (..., 1, 1) of all layers or (..., 1, L)."""
        chosen = strategy_named("disco")
        request = self.study.request(chosen, self.nodes, s_comm, self.hardware, "")
        plan = chosen.plan(request)
        overlapped = Overlap.parse(self.overlap)
        return plan, simulate(request.table, plan, self.hardware, overlapped, self.study.features)

    def cost(self, s_comm: Floats) -> Cost:
        """Return the cost alone."""
        return self.evaluate(s_comm)[1]
