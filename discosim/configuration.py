"""One configuration: a network on hardware, split so; and the one road to its plan and its cost."""

from dataclasses import KW_ONLY, dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Self

import numpy as np

from discosim.errors import DiscosimError
from discosim.graph.network import Network
from discosim.graph.table import Floats, LayerTable, tabulate
from discosim.hardware import Hardware
from discosim.masks.mask_file import check_mask
from discosim.model.traffic import TOPOLOGIES
from discosim.partition.collectives import Collective
from discosim.partition.plan import CONVENTIONS, Conventions, Features, Objective, Plan
from discosim.partition.split import divides
from discosim.partition.worth import Worth
from discosim.simulate import NO_OVERLAP, Cost, Overlap, least_s, simulate
from discosim.strategies.cut import blocks, rows_of
from discosim.strategies.strategy import STRATEGIES, Strategy, check_nodes

if TYPE_CHECKING:
    from discosim.masks.mask import Mask
    from discosim.partition.plan_file import PlanFile

S_COMM = 0.8
"""The fraction of remote features that is not sent where none is given."""

HALF = 0.5
"""The average S_comm that a strategy with a cut comes nearest to where no block is given."""


@dataclass(frozen=True, eq=False)
class Configuration:
    """A network on hardware, split so; `dataclasses.replace` gives another one.

    s_comm: a number, or an array (..., 1, 1), or (..., 1, L) of each layer; numbers of `hardware`
    may be arrays (..., 1, 1) that broadcast with it.
    at: block of the strategies with a cut, "" for the one nearest to `target` S_comm.
    plan_file, mask: what strategies with the S_comm knob send, layer by layer or feature by
    feature; worth: of sending less, by which `fused-rows` joins layers, None for that of the
    hardware. Raises DiscosimError for what is not of this network.
    """

    network: Network
    hardware: Hardware
    _: KW_ONLY
    strategy: Strategy = field(default_factory=lambda: STRATEGIES["disco"])
    nodes: int = 2
    s_comm: float | Floats = 0.0
    overlap: Overlap = NO_OVERLAP
    conventions: Conventions = CONVENTIONS["paper"]
    at: str = ""
    target: float = HALF
    objective: Objective = Objective.MEMORY
    features: Features = Features.PEAK
    collective: Collective = Collective.DIRECT
    plan_file: "PlanFile | None" = None
    mask: "Mask | None" = None
    worth: Worth | None = None

    def __post_init__(self) -> None:
        """Check what names layers of the network; raises DiscosimError."""
        _check(self.network, self.at, self.plan_file, self.mask)

    @property
    def model(self) -> str:
        """The network's name."""
        return self.network.name

    @property
    def table(self) -> LayerTable:
        """The network's layers."""
        return tabulate(self.network)

    @property
    def knob(self) -> Floats:
        """S_comm as an array that broadcasts with (..., 1, L)."""
        return np.atleast_2d(np.asarray(self.s_comm, dtype=float))

    @property
    def weighed(self) -> Worth:
        """What it is worth to send less and compute more."""
        return worth_of(self.hardware) if self.worth is None else self.worth

    def planned_here(self) -> Self:
        """Return the same, whose plan stays what it is whatever numbers the hardware has."""
        fixed = self.strategy.planned_on
        strategy = self.strategy if fixed is None else fixed(self)
        return replace(self, worth=self.weighed, strategy=strategy)

    @property
    def fixed(self) -> bool:
        """Whether the strategy, a plan file or a mask leaves no choice of S_comm."""
        return not (self.strategy.has_knob and self.plan_file is None and self.mask is None)

    @property
    def unlike(self) -> int:
        """Nodes whose costs are kept apart."""
        planned = self.plan_file is not None and bool(self.plan_file.splits)
        whole = self.conventions.whole or not divides(self.table, self.nodes)
        return self.nodes if whole or planned or self.strategy.other_ways else 1

    def resolved(self) -> "Configuration":
        """Return the same with the nodes, S_comm, mask and cut that its strategy will have.

        Raises DiscosimError where the strategy, the plan file or the mask cannot have the nodes.
        """
        nodes, s_comm, mask = self.strategy.nodes or self.nodes, self.knob, None
        if nodes < 1:
            raise DiscosimError(f"{nodes} nodes; wanted a whole number from 1 up")
        check_nodes(self.table, nodes)
        if self.strategy.has_knob:
            if self.plan_file is not None:
                s_comm = self.plan_file.layer_s_comm(self.table, nodes)
            mask = self.mask
            if mask is not None and nodes != mask.nodes:
                raise DiscosimError(f"the mask is for {mask.nodes} nodes, not for {nodes}")
        at = self.at if self.strategy.has_cut else ""
        found = replace(self, nodes=nodes, s_comm=s_comm, mask=mask, at=at)
        if self.strategy.has_cut and not at:
            return replace(found, at=_nearest_cut(found))
        return found

    def plan(self) -> Plan:
        """Return who computes and sends what; raises DiscosimError for what cannot be."""
        found = self.resolved()
        return found.strategy.plan(found)

    def evaluate(self) -> tuple[Plan, Cost]:
        """Return the plan and its cost."""
        plan = self.plan()
        return plan, simulate(self.table, plan, self.hardware, self.overlap, self.features)

    def least_s(self) -> Floats:
        """Return seconds that no schedule of the plan is below, (...)."""
        return least_s(self.table, self.plan(), self.hardware)

    def cost(self) -> Cost:
        """Return what the plan costs, (...) or (..., R, L), and the layers with it."""
        return self.evaluate()[1]


def worth_of(hardware: Hardware) -> Worth:
    """Return what the hardware says of sending and computing, of numbers that are axes the middle.

    A MAC is that of a convolution.
    """
    topology = TOPOLOGIES[hardware.topology]
    bandwidth_Bps, latency_s, rate_macps = (
        _middle(np.asarray(number, dtype=float))
        for number in (hardware.bandwidth_Bps, hardware.link_latency_s, hardware.compute_macps)
    )
    return Worth(
        element_s=float(hardware.feature_elem_bytes) / bandwidth_Bps,
        message_s=latency_s,
        mac_s=1.0 / (rate_macps * hardware.efficiency.get("conv", 1.0)),
        one_medium=topology.one_medium,
    )


def _middle(values: Floats) -> float:
    """The median, without the masked arrays that `np.median` would import."""
    ordered = np.sort(values.ravel())
    count = len(ordered)
    return float((ordered[(count - 1) // 2] + ordered[count // 2]) / 2)


def _nearest_cut(configuration: Configuration) -> str:
    """The block at which the strategy comes nearest to an average S_comm of `target`."""
    averages = {
        at: float(configuration.strategy.plan(replace(configuration, at=at)).avg_s_comm.squeeze())
        for at in blocks(configuration.table)
    }
    return min(averages, key=lambda at: abs(averages[at] - configuration.target))


@lru_cache(maxsize=64)
def _check(network: Network, at: str, plan_file: "PlanFile | None", mask: "Mask | None") -> None:
    if at:
        rows_of(tabulate(network), at)
    if plan_file is not None:
        plan_file.check(tabulate(network))
    if mask is not None:
        check_mask(mask, network)
