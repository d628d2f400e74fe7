"""Points of a grid: all that stays the same while S_comm and the hardware's numbers vary."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from discosim.explore.study import Study, strategy_named
from discosim.graph.table import Floats
from discosim.hardware import Hardware
from discosim.simulate import Cost, Overlap, simulate
from discosim.strategies.strategy import Strategy

AXES = (
    "bandwidth_Bps",
    "link_latency_s",
    "compute_macps",
    "memory_Bps",
)
"""Numbers of the hardware that may be arrays: each is an axis of the sweep."""


@dataclass(frozen=True, eq=False)
class Point:
    """One strategy on one kind of node: what stays the same over a block of configurations."""

    study: Study
    hardware: Hardware
    strategy: Strategy
    nodes: int
    overlap: str
    at: str

    def cost(self, hardware: Hardware, s_comm: Floats) -> Cost:
        """Return the cost at each of `s_comm` (..., 1, 1) and of the hardware's numbers."""
        request = self.study.request(self.strategy, self.nodes, s_comm, hardware, self.at)
        plan = self.strategy.plan(request)
        overlapped = Overlap.parse(self.overlap)
        return simulate(request.table, plan, hardware, overlapped, self.study.features)

    def latency_s(self, strategy: str, hardware: Hardware) -> Floats:
        """Return the latency of a reference strategy on the same nodes."""
        reference = replace(self, strategy=strategy_named(strategy))
        return reference.cost(hardware, np.zeros((1, 1))).latency_s

    @property
    def fixed(self) -> bool:
        """Whether the strategy, a plan file or a mask leaves no choice of S_comm."""
        given = self.study.plan is not None or self.study.mask is not None
        return given or not self.strategy.has_knob

    def knob(self, s_comm: Floats) -> Floats:
        """Return the S_comm to choose from; NaN where there is no choice."""
        return np.array([np.nan]) if self.fixed and len(s_comm) else s_comm

    def axis(self, name: str) -> Floats:
        """Return the values of one of AXES, (n,); n = 1 where it is no array."""
        return np.ravel(np.asarray(getattr(self.hardware, name), dtype=float))

    @property
    def unlike(self) -> int:
        """Nodes whose costs are kept apart."""
        return self.nodes if self.study.conventions.whole else 1


def points(
    study: Study,
    hardware: Sequence[Hardware],
    strategies: Sequence[str],
    nodes: Sequence[int],
    overlaps: Sequence[str],
) -> Iterator[Point]:
    """Yield every combination but for the S_comm and the hardware's arrays, each once."""
    for each, name, overlap in product(hardware, strategies, overlaps):
        strategy = strategy_named(name)
        counts: Any = nodes if strategy.nodes is None else nodes[:1] and (strategy.nodes,)
        for count in counts:
            at = study.cut(strategy, int(count), each)
            yield Point(study, each, strategy, int(count), overlap, at)
