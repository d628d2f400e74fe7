"""A study: which network, laid out how, under which conventions; the part of a sweep that stays.

Text and defaults of the command line end here: what leaves is a Request for a strategy.
"""

from dataclasses import dataclass, field

import numpy as np

from discosim.errors import DiscosimError, UnknownNameError
from discosim.graph.table import Floats, LayerTable, tabulate
from discosim.hardware import Hardware
from discosim.masks.mask import Mask
from discosim.masks.mask_file import check_mask
from discosim.networks import build
from discosim.partition.plan import CONVENTIONS, Conventions
from discosim.partition.plan import conventions as conventions
from discosim.partition.plan_file import PlanFile
from discosim.strategies.cut import nearest_cut, rows_of
from discosim.strategies.strategy import OBJECTIVES, STRATEGIES, Request, Strategy, check_nodes

FEATURES = ("peak", "all")
HALF = 0.5
"""The average S_comm that a strategy with a cut comes nearest to where no block is given."""


@dataclass(frozen=True, eq=False)
class Study:
    """A network under given conventions.

    at: block of the strategies with a cut, "" for the one nearest to `target` S_comm.
    plan, mask: what strategies with the S_comm knob send, layer by layer or feature by feature.
    """

    model: str
    input_shape: tuple[int, ...] | None = None
    conventions: Conventions = field(default_factory=lambda: CONVENTIONS["paper"])
    at: str = ""
    target: float = HALF
    objective: str = "memory"
    features: str = "peak"
    plan: PlanFile | None = None
    mask: Mask | None = None

    def __post_init__(self) -> None:
        """Check the words; raises DiscosimError."""
        for kind, given, known in (
            ("objective", self.objective, OBJECTIVES),
            ("memory of features", self.features, FEATURES),
        ):
            if given not in known:
                raise UnknownNameError(kind, given, known)
        if self.at:
            rows_of(self.table, self.at)
        if self.plan is not None:
            self.plan.check(self.table)
        if self.mask is not None:
            check_mask(self.mask, self.table.network)

    @property
    def table(self) -> LayerTable:
        """The network's layers."""
        return tabulate(build(self.model, self.input_shape))

    def request(
        self, strategy: Strategy, nodes: int, s_comm: Floats, hardware: Hardware, at: str
    ) -> Request:
        """Return what `strategy` has to lay out; raises DiscosimError for an impossible N."""
        if strategy.nodes is not None:
            nodes = strategy.nodes
        if nodes < 1:
            raise DiscosimError(f"{nodes} nodes; wanted a whole number from 1 up")
        check_nodes(self.table, nodes)
        if strategy.has_knob and self.plan is not None:
            s_comm = self.plan.layer_s_comm(self.table, nodes)
        mask = self.mask if strategy.has_knob else None
        if mask is not None and nodes != mask.nodes:
            raise DiscosimError(f"the mask is for {mask.nodes} nodes, not for {nodes}")
        return Request(
            table=self.table,
            nodes=nodes,
            s_comm=s_comm,
            conventions=self.conventions,
            at=at,
            objective=self.objective,
            features=self.features,
            feature_elem_bytes=float(hardware.feature_elem_bytes),
            weight_elem_bytes=float(hardware.weight_elem_bytes),
            mask=mask,
        )

    def cut(self, strategy: Strategy, nodes: int, hardware: Hardware) -> str:
        """Return the block at which `strategy` cuts, "" for one without a cut."""
        request = self.request(strategy, nodes, np.zeros((1, 1)), hardware, self.at)
        if not strategy.has_cut:
            return ""
        return self.at or nearest_cut(request, strategy, self.target)


def strategy_named(name: str) -> Strategy:
    """Return the strategy called `name`; raises UnknownNameError with the nearest names."""
    return STRATEGIES[name]


def check_s_comm(values: Floats) -> Floats:
    """Return S_comm as a flat array; raises DiscosimError where one is not within 0 to 1."""
    flat = np.atleast_1d(np.asarray(values, dtype=float)).ravel()
    outside = flat[~((flat >= 0) & (flat <= 1))]
    if len(outside):
        raise DiscosimError(f"S_comm {outside[0]:g}; wanted 0 (all is sent) to 1 (nothing is)")
    return flat
