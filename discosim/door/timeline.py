"""`timeline`: what each node and each link does when."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike, fspath
from typing import TYPE_CHECKING, Unpack

from discosim.configuration import Configuration
from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.cluster import read_shares
from discosim.door.given import Counting
from discosim.door.hearing import command, note
from discosim.door.network import NetworkLike
from discosim.hardware import Hardware
from discosim.report import timeline as report
from discosim.report.tables import Cells
from discosim.simulate import NO_OVERLAP
from discosim.strategies.strategy import STRATEGIES
from discosim.timeline.cluster import Cluster
from discosim.timeline.joined import Joined, joined
from discosim.timeline.joined import Shares as Parts
from discosim.timeline.latency import latency_of
from discosim.timeline.schedule import Timeline, parse_overlap, schedule
from discosim.timeline.shares import balanced_shares, shares_by_speed
from discosim.timeline.trace import to_chrome, trace_records
from discosim.timeline.work import even_shares_of, work_of
from discosim.units import format_quantity

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, kw_only=True)
class Schedule(Answer):
    """What each node and each link does when; `nodes` has a row a node."""

    timeline: Timeline
    serial_s: float
    title: str

    @cached_property
    def _frame(self) -> "pd.DataFrame":
        """One row an event (docs/timeline.md)."""
        return report.events_frame(self.timeline.events)

    @cached_property
    def nodes(self) -> "pd.DataFrame":
        """One row a node: what it holds, computes, waits for, sends and receives."""
        return report.nodes_frame(self.timeline)

    @cached_property
    def lines(self) -> list[str]:
        """The latency, what overlap saves, and what is busiest."""
        return [self.title, *report.timeline_findings(self.timeline, self.serial_s)]

    @cached_property
    def cells(self) -> Cells:
        """The nodes."""
        return report.show_nodes(self.nodes)

    @property
    def _names(self) -> list[str]:
        return [node.name for node in self.timeline.work.cluster.nodes]

    def plot(self) -> "Figure":
        """Return a row for each node and for each link, time to the right."""
        kinds = ", ".join(dict.fromkeys(self._names))
        title = f"{self.title} of {kinds}, overlap {self.timeline.overlap}"
        return report.draw_gantt(self.timeline.events, self._names, title)

    def save(self, path: "str | PathLike[str]") -> None:
        """Write a Chrome trace to a .json file; raises DiscosimError."""
        from discosim.files import write_text

        overlap = str(self.timeline.overlap)
        about = {"run": self.title, "overlap": overlap, "from": "predicted by discosim"}
        records = trace_records(self.timeline.events, self._names)
        write_text(fspath(path), to_chrome(records, about))


@command
def timeline(
    network: NetworkLike,
    hardware: given.Nodes = given.DEFAULT,
    *,
    nodes: given.Counts | None = None,
    s_comm: given.Shares | None = None,
    strategy: str = "disco",
    overlap: str | None = None,
    shares: str | Sequence[float] | None = None,
    **counting: Unpack[Counting],
) -> Schedule:
    """Return what each node and each link does when; nodes may be unlike.

    hardware: of all nodes, or several in turn; nodes: 2 by default, or one a profile; s_comm: 0.8
    by default; overlap: as `sweep`, or stream:K across layers; shares of the features: "even",
    "balanced" or one a node. Raises DiscosimError.
    """
    overlapped = parse_overlap(given.one("--overlap", given.overlaps(overlap, counting)))
    given.check_one_knob(s_comm, counting)
    found = given.the_network(network)
    kinds = given.kinds_of_nodes(hardware, in_place=True)
    base = replace(given.configuration(found, kinds[0], counting), overlap=overlapped)
    counts = given.nodes_or_default(nodes, base, (max(2, len(kinds)),))
    chosen, joint = STRATEGIES[strategy], _joined(kinds, given.one("--nodes", counts))
    base, count = replace(base, hardware=joint), chosen.nodes or counts[0]
    knob = given.one("--s-comm", given.shares_or_default(s_comm))
    given.tell_unused([chosen.name], s_comm, counting)
    asked = replace(base, strategy=chosen, nodes=count, s_comm=knob).resolved()
    cluster = Cluster(asked.nodes_used())
    if count == 1 and len(joint.members) > 1:
        note(f"one node is {cluster.nodes[0].name}, the fastest of them alone")
    if not chosen.staged:
        given.tell_whole(base, [count])
    if asked.at and not base.at:
        note(f"no --at: {chosen.name} cuts at {asked.at}")
    at = "" if asked.fixed else f" at S_comm {knob:g}"
    wanted = joint.shares if shares is None else read_shares(shares)
    line, serial_s = _scheduled(asked.on_mean(), cluster, wanted, by_default=shares is None)
    title = f"{asked.model}, {chosen.name}{at} on {count} nodes"
    return Schedule(timeline=line, serial_s=serial_s, title=title)


def _joined(kinds: Sequence[Hardware], nodes: int) -> Joined:
    """The nodes as one cluster: the one that is given, or so many of the kinds in turn."""
    if isinstance(kinds[0], Joined):
        cluster = given.one("--cluster", kinds)
        assert isinstance(cluster, Joined)
        return cluster
    found = joined(given.in_turn(kinds, nodes))
    given.tell_cluster(kinds)
    return found


def _scheduled(
    asked: Configuration, cluster: Cluster, wanted: str | tuple[Parts, ...], *, by_default: bool
) -> tuple[Timeline, float]:
    """The schedule asked for, and how long the same takes without overlap."""
    fixed = cluster.alike or asked.strategy.staged or asked.mask is not None
    if by_default and fixed:
        wanted = "even"
    shares: Parts | None = None
    if wanted == "balanced":
        shares = balanced_shares(asked, cluster)
        even = work_of(asked, cluster, even_shares_of(len(cluster)))
        note(
            "shares chosen to balance the nodes; equal ones would take "
            + format_quantity(latency_of(even, asked.overlap), "s")
        )
    elif wanted == "speed":
        shares = shares_by_speed(asked, cluster)
    elif not isinstance(wanted, str):
        [shares] = wanted
    work = work_of(asked, cluster, shares)
    if shares is not None and not asked.conventions.whole and len(cluster) > 1:
        note("shares are of whole features (--rounding exact)")
    return schedule(work, asked.overlap), float(latency_of(work, NO_OVERLAP))
