"""`breakeven`: from which bandwidth, latency, S_comm or N on splitting pays."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Unpack

import numpy as np

from discosim.configuration import Configuration
from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.given import CountedAs, Counting
from discosim.door.hearing import command
from discosim.door.network import NetworkLike
from discosim.door.sweep import tell_remarks
from discosim.errors import DiscosimError, UnknownNameError
from discosim.explore.breakeven import (
    MOST_NODES,
    BreakEven,
    break_even,
    check_strategy,
    speedups,
)
from discosim.explore.target import Reached, reach, reached_over, solved_for
from discosim.hardware import Hardware
from discosim.partition.collectives import Collective
from discosim.report import breakeven as report
from discosim.report import target as target_report
from discosim.report.summary import node_text
from discosim.report.tables import Cells
from discosim.report.titles import counted as titled
from discosim.strategies.strategy import STRATEGIES, Strategy
from discosim.timeline.joined import Joined
from discosim.units import parse_time

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

VERSUS = ("1", "N-1")
DECADES = 2.5
"""Of the link's number, drawn each way from the one of the hardware."""
POINTS, FEW_POINTS = 81, 21
"""Along each axis of a picture; few where each is played on unlike nodes."""

MOST_PANELS = 12
MOST_CURVES = 24
IN_WORDS = 8
"""Answers that have a sentence each; of more, the table tells."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SolvedFor(Answer):
    """What was solved for, for each hardware, N and S_comm, and what was asked."""

    found: Sequence[BreakEven] | Sequence[Reached]
    asked: Sequence[str]
    counted: str

    @property
    def value(self) -> float | None:
        """The one value in SI, None where there is none; raises DiscosimError of several."""
        if len(self.found) != 1:
            raise DiscosimError(f"{len(self.found)} values, not one: .frame has them all")
        return self.found[0].value

    @cached_property
    def lines(self) -> list[str]:
        """What was asked, and a few answers in words."""
        few = self._sentences() if len(self.found) <= IN_WORDS else []
        return [*self.asked, *few, f"Counted with {self.counted}."]

    @abstractmethod
    def _sentences(self) -> list[str]:
        """Each answer in words."""


@dataclass(frozen=True, eq=False, kw_only=True)
class BreakEvens(SolvedFor):
    """Where N nodes are as fast as one, for each hardware, N and S_comm."""

    found: Sequence[BreakEven]

    @cached_property
    def _frame(self) -> "pd.DataFrame":
        """One row a break-even (docs/breakeven.md)."""
        return report.to_frame(list(self.found))

    def _sentences(self) -> list[str]:
        return [report.sentence(each) for each in self.found]

    @cached_property
    def cells(self) -> Cells:
        """The break-evens."""
        return report.show(list(self.found))

    def plot(self) -> "Figure":
        """Return a panel for each N: how many times faster, over a link's number and S_comm."""
        contest, solve = self.found[0].contest, self.found[0].solve
        counts = list(dict.fromkeys(each.contest.nodes for each in self.found))
        check_plot(solve, counts, contest.configuration.strategy)
        latency = solve == "link-latency"
        name, unit = ("link_latency_s", "s") if latency else ("bandwidth_Bps", "B/s")
        at_hand = float(getattr(contest.configuration.hardware, name))
        middle = at_hand or 1e-4
        points = _points(contest.configuration)
        x = np.geomspace(middle / 10**DECADES, middle * 10**DECADES, points)
        near_one = 1 - np.geomspace(1e-3, 0.1, 20)  # where the line is nearly level
        s_comm = np.unique([*np.linspace(0.0, 1.0, points), *near_one[:: POINTS // points]])
        surfaces = []
        for count in counts:
            each = replace(contest, configuration=replace(contest.configuration, nodes=count))
            fewer = "one node less is" if each.previous else "one node is"
            times = speedups(each, s_comm, **{name: x})
            surfaces.append(report.Surface(f"{count} nodes against {each.versus}", fewer, times))
        label = "latency of a message" if latency else "bandwidth of a link"
        how = titled(counts, s_comm, [contest.configuration.overlap])
        title = f"{self.asked[0].removesuffix('.')}\n{how}"
        return report.draw_surfaces(surfaces, x, label, unit, at_hand, s_comm, title)


@dataclass(frozen=True, eq=False, kw_only=True)
class Targets(SolvedFor):
    """What gives a latency, for each hardware, N and S_comm."""

    found: Sequence[Reached]

    @cached_property
    def _frame(self) -> "pd.DataFrame":
        """One row an answer (docs/breakeven.md)."""
        return target_report.to_frame(self.found)

    def _sentences(self) -> list[str]:
        return [target_report.sentence(each) for each in self.found]

    @cached_property
    def cells(self) -> Cells:
        """The answers."""
        return target_report.show(self.found)

    def plot(self) -> "Figure":
        """Return the latency over each thing that was solved for, and the one wanted."""
        from discosim.report.target_plot import draw_targets

        if len(self.found) > MOST_CURVES:
            raise DiscosimError(f"--plot draws at most {MOST_CURVES} answers to --target")
        cases = [each.configuration for each in self.found]
        how = titled(
            (case.nodes for case in cases),
            (float(case.s_comm) for case in cases if case.strategy.has_knob),
            (case.overlap for case in cases),
        )
        asked = "; ".join(each.removesuffix(".") for each in self.asked)
        curves = [reached_over(each, _points(each.configuration)) for each in self.found]
        return draw_targets(curves, f"{asked}\n{how}")


def _points(case: Configuration) -> int:
    """How many points a picture has along an axis."""
    return FEW_POINTS if isinstance(case.hardware, Joined) else POINTS


def _to_target(
    cases: Sequence[Configuration],
    solve: str | None,
    target_s: float,
    asked: Sequence[str],
    counted: str,
) -> Targets:
    """What gives the latency, of each case; S_comm once, whatever S_comm a case has."""
    if not 0 < target_s < np.inf:
        raise DiscosimError(f"a latency of {target_s:g} s to reach; wanted more than 0")
    found: list[Reached] = []
    for case in cases:
        for sought in solved_for(solve, case):
            again = sought == "s-comm" and any(
                each.solve == sought
                and each.configuration.nodes == case.nodes
                and each.configuration.hardware is case.hardware
                for each in found
            )
            if not again:
                found.append(reach(sought, case, target_s))
    return Targets(found=found, asked=asked, counted=counted)


@command
def breakeven(
    network: NetworkLike,
    hardware: given.Nodes = given.DEFAULT,
    *,
    solve: str | None = None,
    nodes: given.Counts | None = None,
    strategy: str = "disco",
    s_comm: given.Shares | None = None,
    versus: str = "1",
    target: float | str | None = None,
    max_nodes: given.Counts | None = None,
    overlap: str | None = None,
    at: str = "",
    collective: str = "direct",
    **counted: Unpack[CountedAs],
) -> "BreakEvens | Targets":
    """Return the value of `solve` at which N nodes, 2 by default, are as fast as one.

    solve: bw (by default), link-latency, s-comm or nodes; target: a latency in seconds or text that
    is to be reached, in place of one node's, by each of the first three by default; strategy: how
    they are split, as `compare` has them; s_comm: 0.8 by default; versus: "1", or "N-1" for one
    node less; max_nodes: where solving for nodes ends; at, collective: as in `sweep`. Raises
    DiscosimError.
    """
    chosen = STRATEGIES[strategy]
    sought = solve or "bw"
    if target is None or solve is not None:
        check(sought, chosen, nodes, s_comm, max_nodes)
    if versus not in VERSUS:
        raise UnknownNameError("number of nodes to compare with", versus, VERSUS)
    found = given.the_network(network)
    kinds = given.kinds_of_nodes(hardware)
    base = given.configuration(found, kinds[0], counted)
    base = replace(base, at=at, collective=Collective(collective))
    base = replace(base, strategy=chosen, overlap=given.overlap(overlap, counted))
    counts = given.nodes_or_default(nodes, base, (2,))
    knob = _knob(chosen, s_comm)
    how = "" if chosen.name == "disco" else f"; {chosen.name} ({chosen.summary})"
    said = [f"{base.model} on {node_text(each)}{how}." for each in kinds]
    how_counted = given.how_counted(base, counted)
    axes = product(kinds, counts, knob)
    cases = [replace(base, hardware=each, nodes=n, s_comm=s).planned_here() for each, n, s in axes]
    if sought != "nodes":  # shares as balanced here, or equal, or by speed: whichever is best
        cases = [each.with_few_shares((each.nodes - 1, each.nodes)) for each in cases]
    if target is not None:
        return _to_target(cases, solve, given.quantity(target, parse_time), said, how_counted)
    last = _last(max_nodes, kinds)
    previous = versus == "N-1"
    answers = [
        answer
        for case in cases
        for answer in break_even(sought, case, previous=previous, most_nodes=last)
    ]
    contests = [answer.contest for answer in answers]
    if not chosen.staged:
        given.tell_whole(base, sorted({n for c in contests for n in (c.nodes, c.versus)}))
    tell_remarks(base, [chosen.name], sorted({c.nodes for c in contests}))
    gathering: Counting = {"at": at, "collective": collective}
    given.tell_unused([chosen.name], s_comm, gathering)
    return BreakEvens(found=answers, asked=said, counted=how_counted)


def _last(max_nodes: given.Counts | None, kinds: Sequence[Hardware]) -> int:
    """Up to which number of nodes solving for it goes: no more than a cluster has."""
    last = MOST_NODES if max_nodes is None else given.one("--max-nodes", given.counts(max_nodes))
    return min([last, *(len(each.members) for each in kinds if isinstance(each, Joined))])


def _knob(strategy: Strategy, s_comm: given.Shares | None) -> list[float]:
    """The S_comm to solve at."""
    if not strategy.has_knob:
        return [0.0]
    return given.shares_or_default(s_comm)


def check(solve: str, strategy: Strategy, nodes: object, s_comm: object, max_nodes: object) -> None:
    """Raise DiscosimError where what is solved for is given too, or needs something else."""
    check_strategy(solve, strategy)
    for given_value, solved in ((nodes, "nodes"), (s_comm, "s-comm")):
        if solve == solved and given_value is not None:
            flag = f"--{solved}"
            raise DiscosimError(f"{flag} is what --solve {solved} finds: leave {flag} out")
    if max_nodes is not None and solve != "nodes":
        raise DiscosimError("--max-nodes is for --solve nodes")


def check_plot(solve: str, nodes: Sequence[int], strategy: Strategy) -> None:
    """Raise DiscosimError for what has no picture."""
    if not strategy.has_knob:
        raise DiscosimError(f"--plot is over S_comm, which {strategy.name} has not: no picture")
    if len(nodes) > MOST_PANELS:
        raise DiscosimError(f"--plot has a panel for each of --nodes: at most {MOST_PANELS}")
    if solve == "nodes":
        raise DiscosimError("--plot draws given numbers of nodes: solve for bw, say, to see it")
