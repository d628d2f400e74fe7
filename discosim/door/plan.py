"""`plan`: the best split of each layer within a node's memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike, fspath
from typing import TYPE_CHECKING, Unpack

from discosim.configuration import Configuration
from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.given import CountedAs
from discosim.door.hearing import command, note
from discosim.door.network import NetworkLike
from discosim.errors import DiscosimError
from discosim.explore.allocation.allocate import Method
from discosim.explore.planning.plan import Planned
from discosim.explore.planning.plan import plan as planned
from discosim.explore.planning.prices import Aim
from discosim.explore.planning.unlike import UnlikePlanned, unlike_plan
from discosim.hardware import Hardware
from discosim.report import plan as report
from discosim.report import unlike as unlike_report
from discosim.report.tables import Cells
from discosim.timeline.cluster import Cluster
from discosim.units import parse_bytes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

DEFAULT_S_COMM = (0.0, 0.8, 0.9)


@dataclass(frozen=True, eq=False, kw_only=True)
class BestPlan(Answer):
    """The split of each layer, and what it costs beside one node and every strategy."""

    found: Planned
    convention: str
    counted: str

    @cached_property
    def frame(self) -> "pd.DataFrame":
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
        return report.draw_plan(self.found, self.lines[0])

    def save(self, path: "str | PathLike[str]") -> None:
        """Write the plan file that `plan=` takes; raises DiscosimError."""
        from discosim.partition.plan_file import write_plan

        write_plan(fspath(path), self.found.plan_file(fspath(path)))


@dataclass(frozen=True, eq=False, kw_only=True)
class UnlikePlan(Answer):
    """The split of each layer on nodes that differ, and their shares."""

    found: UnlikePlanned
    convention: str
    counted: str

    @cached_property
    def frame(self) -> "pd.DataFrame":
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
        return unlike_report.draw(self.found, self.lines[0])

    def save(self, path: "str | PathLike[str]") -> None:
        """Write the plan file that `plan=` takes; raises DiscosimError."""
        from discosim.partition.plan_file import write_plan

        write_plan(fspath(path), self.found.plan_file(fspath(path)))


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
    outputs, 0, 0.8 and 0.9 by default; exact_only: nothing that needs training. Raises
    DiscosimError where no plan that was found keeps the memory, with the least there is.
    """
    if exact_only and s_comm is not None:
        raise DiscosimError("give --s-comm or --exact-only: S_comm over 0 needs training")
    levels = DEFAULT_S_COMM[: 1 if exact_only else 3]
    levels = tuple(given.shares(s_comm)) if s_comm is not None else levels
    limit = None if memory is None else given.quantity(memory, parse_bytes)
    kinds = given.kinds_of_nodes(hardware, in_place=True)
    base = given.configuration(given.the_network(network), kinds[0], counted)
    base = replace(base, overlap=given.overlap(overlap, counted))
    default = (2,) if len(kinds) == 1 else (len(kinds),)
    asked = replace(base, nodes=given.one("--nodes", given.nodes_or_default(nodes, base, default)))
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
        raise DiscosimError(f"--objective energy: {node.name} states no energy of a MAC")
    best = planned(asked, s_comm=levels, memory=limit, aim=aim, method=Method(method))
    for line in best.best.plan.remarks:
        note(line)
    return BestPlan(found=best, convention=words, counted=how)


def _unlike(
    asked: Configuration, kinds: Sequence[Hardware], limit: float | None, levels: tuple[float, ...]
) -> UnlikePlanned:
    """The plan on one node a profile, in turn."""
    count = asked.nodes
    if count < len(kinds):
        raise DiscosimError(f"{len(kinds)} profiles for {count} nodes; wanted at most one each")
    every = [kinds[place % len(kinds)] for place in range(count)]
    if limit is not None:
        every = [replace(node, memory_bytes=limit) for node in every]
    return unlike_plan(asked, Cluster(tuple(every)), s_comm=levels)
