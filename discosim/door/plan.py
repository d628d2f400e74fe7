"""`plan`: the best split of each layer within a node's memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Unpack

from discosim.configuration import Configuration
from discosim.door import given
from discosim.door.given import CountedAs
from discosim.door.hearing import command, note
from discosim.door.network import NetworkLike
from discosim.door.plan_answer import PlanAnswer
from discosim.errors import DiscosimError
from discosim.explore.allocation.allocate import Method
from discosim.explore.planning.plan import SECONDS, Planned
from discosim.explore.planning.plan import plan as planned
from discosim.explore.planning.prices import Aim
from discosim.explore.planning.unlike import UnlikePlanned, unlike_plan
from discosim.hardware import Hardware
from discosim.report import plan as report
from discosim.report import unlike as unlike_report
from discosim.report.tables import Cells
from discosim.report.titles import up_to
from discosim.timeline.cluster import Cluster
from discosim.timeline.joined import Joined
from discosim.units import parse_bytes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

DEFAULT_S_COMM = (0.0, 0.8, 0.9)


@dataclass(frozen=True, eq=False, kw_only=True)
class BestPlan(PlanAnswer):
    """The split of each layer, and what it costs beside one node and every strategy."""

    found: Planned

    @cached_property
    def _frame(self) -> "pd.DataFrame":
        """One row a layer (docs/plan.md)."""
        return report.to_frame(self.found)

    @cached_property
    def lines(self) -> list[str]:
        """The splits, what they cost, what binds, and what has to be trained."""
        said = report.findings(self.found, self.convention)
        return [*said, f"Counted with {self.counted}."]

    @cached_property
    def cells(self) -> Cells:
        """The plan beside the strategies."""
        return report.show(self.found)

    def plot(self) -> "Figure":
        """Return each layer's split, and the time up to each layer."""
        knob = up_to(self._frame["s_comm"])
        return report.draw_plan(self.found, self.lines[0] + knob)


@dataclass(frozen=True, eq=False, kw_only=True)
class UnlikePlan(PlanAnswer):
    """The split of each layer on nodes that differ, and their shares."""

    found: UnlikePlanned

    @cached_property
    def _frame(self) -> "pd.DataFrame":
        """One row a way to split and node (docs/plan.md)."""
        return unlike_report.to_frame(self.found)

    @cached_property
    def lines(self) -> list[str]:
        """The splits, the shares, and what they take."""
        said = unlike_report.findings(self.found, self.convention)
        return [*said, f"Counted with {self.counted}."]

    @cached_property
    def cells(self) -> Cells:
        """What was weighed."""
        return unlike_report.show(self.found)

    def plot(self) -> "Figure":
        """Return a bar for each way to split."""
        knob = up_to(split.s_comm for split in self.found.best.splits)
        return unlike_report.draw(self.found, self.lines[0] + knob)


@command
def plan(
    network: NetworkLike,
    hardware: given.Nodes = given.DEFAULT,
    *,
    nodes: given.Counts | None = None,
    memory: float | str | None = None,
    s_comm: given.Shares | None = None,
    exact_only: bool = False,
    objective: str = "latency",
    method: str = "fast",
    overlap: str | None = None,
    **counted: Unpack[CountedAs],
) -> BestPlan | UnlikePlan:
    """Return the split of each layer of least latency within the memory of a node.

    objective: what is least: latency, bytes (all that is sent) or energy; method: fast, or exact
    with scipy; hardware: of all nodes, or of each in turn; nodes: 2 by default, or one a
    profile; memory: bytes or text, that of the hardware by default; s_comm: of layers split by
    outputs and of sums, 0, 0.8 and 0.9 by default; exact_only: nothing that needs training. Raises
    DiscosimError where no plan that was found keeps the memory, with the least there is.
    """
    if exact_only and s_comm is not None:
        raise DiscosimError("give --s-comm or --exact-only: S_comm over 0 needs training")
    levels: tuple[float, ...] = DEFAULT_S_COMM[:1] if exact_only else DEFAULT_S_COMM
    if s_comm is not None:
        levels = tuple(given.shares(s_comm))
    limit = given.optional(memory, parse_bytes)
    kinds = given.kinds_of_nodes(hardware, in_place=True)
    base = given.configuration(given.the_network(network), kinds[0], counted)
    base = replace(base, overlap=given.overlap(overlap, counted))
    counts = given.nodes_or_default(nodes, base, (max(2, len(kinds)),))
    kinds = _nodes_of(kinds, given.one("--nodes", counts))
    asked = replace(base, nodes=counts[0], hardware=kinds[0])
    given.tell_whole(base, [asked.nodes])
    words = given.convention_words(base, counted)
    how = given.how_counted(base, counted)
    aim = Aim(objective)
    if len({node.name for node in kinds}) > 1:
        if aim is not Aim.LATENCY or method != "fast":
            raise DiscosimError("unlike nodes are planned for latency, by the fast method")
        found = _unlike(asked, kinds, limit, levels)
        return UnlikePlan(found=found, convention=words, counted=how)
    node = kinds[0]
    if limit is None and node.memory_bytes is not None:
        limit = float(given.one("memory", [node.memory_bytes]))
        note(f"no --memory: that of {node.name} is the limit")
    if aim is Aim.ENERGY and node.energy_per_mac_J is None:
        raise DiscosimError(
            f"--objective energy: {node.name} states no energy of a MAC; give "
            "--set cost.energy_per_mac=0.4nJ"
        )
    if Method(method) is Method.EXACT:
        note(f"--method exact goes on after the fast method for at most {SECONDS:g} s")
    best = planned(asked, s_comm=levels, memory=limit, aim=aim, method=Method(method))
    for line in best.best.plan.remarks:
        note(line)
    return BestPlan(found=best, convention=words, counted=how)


def _nodes_of(kinds: list[Hardware], nodes: int) -> list[Hardware]:
    """The nodes in their places: of a cluster the first ones, else as they are given."""
    if not isinstance(kinds[0], Joined):
        given.tell_cluster(kinds)
        return kinds
    cluster = given.one("--cluster", kinds)
    assert isinstance(cluster, Joined)
    return list(cluster.nodes[:nodes])


def _unlike(
    asked: Configuration, kinds: Sequence[Hardware], limit: float | None, levels: tuple[float, ...]
) -> UnlikePlanned:
    """The plan on one node a profile, in turn."""
    every = given.in_turn(kinds, asked.nodes)
    if limit is not None:
        every = tuple(replace(node, memory_bytes=limit) for node in every)
    return unlike_plan(asked, Cluster(every), s_comm=levels)
