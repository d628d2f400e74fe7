"""`size`: the smallest cluster within limits, or what to give up."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Unpack

from discosim.configuration import Configuration
from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.given import Counting
from discosim.door.hardware import Every
from discosim.door.hardware import hardware as as_hardware
from discosim.door.hearing import command, note, progress
from discosim.door.text import parse_rate
from discosim.errors import DiscosimError
from discosim.explore.limits import Limits
from discosim.explore.own import in_turn_per_s
from discosim.explore.sizing import size as smallest
from discosim.graph.network import Network
from discosim.hardware import Hardware, load_profile, profile_names
from discosim.report import size as report
from discosim.report.summary import SPLITS
from discosim.report.tables import Cells
from discosim.simulate import Overlap
from discosim.timeline.joined import Joined
from discosim.units import parse_energy, parse_price, parse_time

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STRATEGIES = "single,pipeline,disco"
MOST_NODES = 16
NOTHING_TO_KEEP = (
    "nothing to keep; wanted a limit: --latency, --throughput, --memory, --accuracy, --price or "
    "--energy"
)
S_COMM = "0:0.99:0.01"
"""At S_comm 1 the nodes are independent branches, which no limit asks for by itself."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Sizes(Answer):
    """A row for each network, hardware and strategy: its smallest cluster, or the nearest."""

    rows: "pd.DataFrame"
    limits: Limits
    counted: str
    overlap: Overlap
    wire_s: float | None = None
    in_turn_per_s: float | None = None
    exact: "pd.DataFrame | None" = None
    nothing_sent: "pd.DataFrame | None" = None

    @property
    def _frame(self) -> "pd.DataFrame":
        """One row a combination, best first (docs/size.md)."""
        return self.rows

    @cached_property
    def lines(self) -> list[str]:
        """The limits, and for each network its smallest cluster or what to give up."""
        lines = report.summary(self.rows, self.limits)
        beside = [] if self.exact is None else report.unpruned(self.rows, self.exact)
        if self.nothing_sent is not None:
            beside += report.branches(self.nothing_sent)
        sent = report.as_sent(self.rows.iloc[0].to_dict(), self.wire_s)
        return [
            *lines[:2],
            *sent,
            *beside,
            *report.replicas(self.rows, self.in_turn_per_s),
            *lines[2:],
            self.counted,
        ]

    @cached_property
    def cells(self) -> Cells:
        """The combinations; what never differs is left out."""
        return report.show(self.rows)

    def plot(self) -> "Figure":
        """Return each cluster beside the limits."""
        from discosim.report.size_plot import draw_size

        return draw_size(self.rows, self.overlap)


@command
def size(
    network: given.Networks,
    hardware: given.Nodes | Every = given.DEFAULT,
    *,
    latency: float | str | None = None,
    throughput: float | str | None = None,
    memory: float | str | None = None,
    nodes: given.Counts | None = None,
    max_nodes: int | None = None,
    accuracy: float | None = None,
    price: float | str | None = None,
    energy: float | str | None = None,
    s_comm: given.Shares = S_COMM,
    strategies: given.Names = STRATEGIES,
    overlap: given.Names | None = None,
    jobs: int | None = None,
    **counting: Unpack[Counting],
) -> Sizes:
    """Return the smallest cluster within the limits, or what to give up.

    network, hardware: one or several, or "all"; nodes: those that there are, in place of
    max_nodes, 16 by default. Limits: latency in seconds or as "100ms", throughput a second or as
    "10/s", memory of a node, accuracy as published, price in USD and energy in joules. Raises
    DiscosimError.
    """
    counts, most = _counts(nodes, max_nodes)
    limits = Limits(
        latency=given.optional(latency, parse_time),
        throughput=given.optional(throughput, parse_rate),
        accuracy=accuracy,
        price=given.optional(price, parse_price),
        energy=given.optional(energy, parse_energy),
        nodes=most,
        counts=counts,
    )
    networks = given.the_networks(network)
    kinds = _kinds(hardware, limits)
    limits = _of_clusters(limits, kinds, by_default=nodes is None and max_nodes is None)
    kinds = [each if memory is None else as_hardware(each, memory=memory) for each in kinds]
    if not any(limits.of(node) for node in kinds):
        raise DiscosimError(NOTHING_TO_KEEP)
    chosen, tried = given.strategy_names(strategies), given.shares(s_comm)
    bases = _bases(networks, kinds[0], counting, given.overlap(overlap, counting))
    with progress("sizes") as shown:
        rows = smallest(
            bases,
            kinds,
            limits,
            strategies=chosen,
            s_comm=tried,
            jobs=jobs or os.cpu_count() or 1,
            progress=shown,
        )
    _tell_whole(bases, rows)
    by_default = tried == given.shares(S_COMM)
    given.tell_unused(chosen, None if by_default else s_comm, counting)
    given.tell_planned_once(chosen)
    how = f"Counted with {given.how_counted(bases[0], counting)}."
    answer = Sizes(rows=rows, limits=limits, counted=how, overlap=bases[0].overlap)
    return answer if bases[1:] else _beside(answer, bases[0], kinds, chosen, by_default)


def _as_it_is(answer: Sizes, base: Configuration, kinds: Sequence[Hardware]) -> Sizes:
    """The answer with what it takes as a program does it, and what whole nodes give in turn."""
    answer = replace(answer, wire_s=_wire_s(base, kinds, answer.rows))
    if answer.limits.throughput is None:
        return answer
    return replace(answer, in_turn_per_s=_in_turn_per_s(base, kinds))


def _in_turn_per_s(base: Configuration, kinds: Sequence[Hardware]) -> float | None:
    """How many inferences a second the nodes of a cluster give whole, in turn."""
    for each in kinds:
        if isinstance(each, Joined):
            return in_turn_per_s(base, [(node, 1) for node in each.nodes])
    return None


def _wire_s(base: Configuration, kinds: Sequence[Hardware], rows: "pd.DataFrame") -> float | None:
    """Seconds of the answer as a program does it; None for one node, and hardware of the paper."""
    row: dict[str, Any] = {str(name): value for name, value in rows.iloc[0].items()}
    node = next((each for each in kinds if each.name == row["hardware"]), None)
    if row["nodes"] == 1 or node is None or node.name in given.OF_THE_PAPER:
        return None
    return given.on_the_wire_s(base, node, row)


def _tell_whole(bases: Sequence[Configuration], rows: "pd.DataFrame") -> None:
    for base in bases:
        split = rows[(rows["model"] == base.model) & (rows["strategy"] != "pipeline")]
        given.tell_whole(base, dict.fromkeys(split["nodes"].tolist()))


def _beside(
    answer: Sizes,
    base: Configuration,
    kinds: Sequence[Hardware],
    chosen: Sequence[str],
    by_default: bool,
) -> Sizes:
    """The answer with exact splits beside sparse ones, and with nothing sent where all else fails.

    by_default: whether the values of S_comm are, among which there is no 1.
    """
    answer, others = _as_it_is(answer, base, kinds), partial(smallest, [base], kinds)
    names = [name for name in SPLITS if name not in chosen]
    best = answer.rows.iloc[0]
    if names and (best["s_comm"] > 0 or not best["feasible"]):
        most = int(best["nodes"]) if best["feasible"] else answer.limits.nodes
        exact = others(replace(answer.limits, nodes=most), strategies=names, nearest=False)
        answer = replace(answer, exact=exact)
    if by_default and "disco" in chosen and not answer.rows["feasible"].any():
        answer = replace(
            answer, nothing_sent=others(answer.limits, strategies=["disco"], s_comm=[1.0])
        )
    return answer


def _counts(nodes: given.Counts | None, most: int | None) -> tuple[tuple[int, ...] | None, int]:
    """The numbers of nodes that there are, if they are given, and the most of them."""
    if nodes is None:
        return None, MOST_NODES if most is None else most
    if most is not None:
        raise DiscosimError("give --nodes or --max-nodes: what there is, or how far to search")
    counts = tuple(given.counts(nodes))
    return counts, max(counts)


def _of_clusters(limits: Limits, kinds: Sequence[Hardware], *, by_default: bool) -> Limits:
    """The limits with the nodes that there are; raises DiscosimError for more of a cluster."""
    clusters = [each for each in kinds if isinstance(each, Joined)]
    for each in clusters:
        there = len(each.members)
        if by_default:
            limits = replace(limits, counts=(there,), nodes=there)
        elif limits.counts is None:
            limits = replace(limits, counts=tuple(range(2, min(there, limits.nodes) + 1)))
        elif limits.nodes > there:
            words = f"{limits.nodes} nodes of the cluster {each.name}, which has {there}"
            raise DiscosimError(words)
    return limits


def _bases(
    networks: Sequence[Network], hardware: Hardware, counting: Counting, overlap: Overlap
) -> list[Configuration]:
    """Each network on the first hardware, counted as asked."""
    bases = [given.configuration(each, hardware, counting) for each in networks]
    return [replace(base, overlap=overlap) for base in bases]


def _kinds(hardware: given.Nodes | Every, limits: Limits) -> Sequence[Hardware]:
    """The hardware; of every profile those that can be judged, each in a data type it has."""
    every = Every({}) if hardware == given.ALL else hardware
    if not isinstance(every, Every):
        return given.kinds_of_nodes(every)
    nodes: list[Hardware] = []
    lacking: list[Hardware] = []
    for name in profile_names():
        dtype = load_profile(name).dtypes[0] if every.lacks(name) else every.dtype
        if dtype != every.dtype:
            note(f"{name} has no {every.dtype} rate: taken in {dtype}")
        node = every.hardware(name, dtype)
        (lacking if _unknown(node, limits) else nodes).append(node)
    if lacking:
        names = ", ".join(node.name for node in lacking)
        note(f"left out, since they state no {_unknown(lacking[0], limits)}: {names}")
    if not nodes:
        raise DiscosimError("no profile states what the limits ask for; give it with --set")
    return nodes


def _unknown(node: Hardware, limits: Limits) -> str:
    if limits.price is not None and node.price_usd is None:
        return "price"
    return "energy" if limits.energy is not None and node.energy_per_mac_J is None else ""
