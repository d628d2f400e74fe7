"""Where N nodes take as long as one, or as N - 1: in bandwidth, link latency, S_comm or N."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from discosim.configuration import Configuration
from discosim.errors import DiscosimError, UnknownNameError
from discosim.explore.axes import check_s_comm
from discosim.explore.steps import between_steps, in_blocks
from discosim.graph.table import Floats
from discosim.simulate import NO_OVERLAP
from discosim.strategies.strategy import STRATEGIES, Strategy
from discosim.timeline.joined import Joined
from discosim.units import format_quantity

UNITS = {"bw": "B/s", "link-latency": "s", "s-comm": "1", "nodes": "nodes"}
"""What can be solved for, and the unit of its value."""

MOST_NODES = 64
CLOSED, BISECTED, COUNTED = "closed form", "bisection", "counting"

# Where a root is sought if there is no closed form: seconds per byte, seconds, S_comm. Each
# begins at zero; S_comm is fine towards 1, where break-even often is.
SLOWNESS = np.concatenate([[0.0], np.geomspace(1e-21, 1e6, 271)])
LATENCIES = np.concatenate([[0.0], np.geomspace(1e-15, 1e9, 241)])
S_COMM = np.unique(np.concatenate([np.linspace(0, 0.99, 100), 1 - np.geomspace(1e-9, 1, 91), [1]]))

SAME = 1e-9
"""Relative difference of two latencies that are equal."""


@dataclass(frozen=True, eq=False)
class Contest:
    """A configuration against the same on one node, or with `previous` on one node less."""

    configuration: Configuration
    previous: bool = False

    @property
    def nodes(self) -> int:
        """The number of nodes."""
        return self.configuration.nodes

    @property
    def versus(self) -> int:
        """The other number of nodes."""
        return self.nodes - 1 if self.previous else 1

    @property
    def linear(self) -> bool:
        """Whether a latency is a line over the numbers of the links."""
        given = self.configuration
        return given.overlap == NO_OVERLAP and not isinstance(given.hardware, Joined)

    def latency_s(self, nodes: int, s_comm: float | Floats | None = None, **numbers: Any) -> Floats:
        """Return the latency on `nodes` nodes; `numbers` of the hardware take other values.

        `s_comm` and `numbers` are scalars or arrays (...).
        """
        knob = self.configuration.s_comm if s_comm is None else s_comm
        shaped: dict[str, Any] = {
            name: np.asarray(value, dtype=float)[..., None, None] for name, value in numbers.items()
        }
        given = replace(
            self.configuration,
            hardware=replace(self.configuration.hardware, **shaped),
            nodes=nodes,
            s_comm=np.asarray(knob, dtype=float)[..., None, None],
        )
        return np.asarray(given.cost().latency_s, dtype=float)

    def difference_s(self, s_comm: float | Floats | None = None, **numbers: Any) -> Floats:
        """Return how much longer `nodes` nodes take than `versus` nodes."""
        more = self.latency_s(self.nodes, s_comm, **numbers)
        return more - self.latency_s(self.versus, s_comm, **numbers)

    def both_s(self, **numbers: Any) -> tuple[float, float]:
        """Return the two latencies at one S_comm and one set of numbers."""
        more, less = (self.latency_s(n, **numbers).item() for n in (self.nodes, self.versus))
        return more, less


@dataclass(frozen=True, eq=False)
class BreakEven:
    """A value at which the two latencies are equal, or None and the reason.

    faster: where `nodes` nodes are faster: "above" or "below" the value, "always" or "never".
    latency_s: of `nodes` nodes at the value. A value with a reason is a jump: the latencies pass
    each other there without being equal.
    """

    solve: str
    value: float | None
    reason: str
    faster: str
    method: str
    contest: Contest
    latency_s: float | None

    @property
    def unit(self) -> str:
        """The unit of the value."""
        return UNITS[self.solve]


def break_even(
    solve: str,
    configuration: Configuration,
    *,
    previous: bool = False,
    most_nodes: int = MOST_NODES,
) -> list[BreakEven]:
    """Return the values of `solve` at which N nodes take as long as one, ascending.

    With `previous`, as N - 1 nodes; split by the configuration's strategy. There is one value, or
    a None with the reason; several only where the latencies cross several times. For "nodes": the
    least N that is no slower than one node; with `previous` the N from which one node more is no
    faster. Its S_comm does not matter to "s-comm", nor its N to "nodes". Raises DiscosimError for
    what cannot be.
    """
    check_strategy(solve, configuration.strategy)
    plan, nodes = configuration.plan_file, configuration.nodes
    if plan is not None:
        raise DiscosimError(f"break-even is at one S_comm of all layers, not {plan.path}")
    check_s_comm(configuration.s_comm)
    if solve != "nodes" and nodes < 2:
        raise DiscosimError(f"{nodes} nodes against one; wanted 2 or more")
    contest = Contest(configuration.planned_here(), previous)
    if solve == "nodes":
        return [_nodes(contest, most_nodes)]
    return {"bw": _bandwidth, "link-latency": _link_latency, "s-comm": _s_comm}[solve](contest)


def check_strategy(solve: str, strategy: Strategy) -> None:
    """Raise DiscosimError for what cannot be solved for, or not of this strategy."""
    if solve not in UNITS:
        raise UnknownNameError("quantity to solve for", solve, UNITS)
    if strategy.nodes is not None:
        raise DiscosimError(f"{strategy.name} has one node: nothing to break even with")
    if solve == "s-comm" and not strategy.has_knob:
        having = [name for name in STRATEGIES if STRATEGIES[name].has_knob]
        raise DiscosimError(f"{strategy.name} has no S_comm; wanted one of {', '.join(having)}")


def speedups(contest: Contest, s_comm: Floats, **axis: Floats) -> Floats:
    """Return how many times faster `nodes` nodes are than `versus`: (values of axis, S_comm).

    axis: the values of one number of the hardware, by its name.
    """
    [(name, values)] = axis.items()
    rows = []
    for value in values:  # a row at a time stays in the cache
        more = contest.latency_s(contest.nodes, s_comm, **{name: value})
        rows.append(contest.latency_s(contest.versus, s_comm, **{name: value}) / more)
    return np.array(rows)


def affine(contest: Contest, nodes: int) -> tuple[float, float, float]:
    """Return bytes u, messages v and seconds w of latency = u / B + v alpha + w.

    Without overlap a layer takes volume / B + messages alpha + computation (model.md §2).
    """
    endless = {"bandwidth_Bps": np.inf}
    seconds = contest.latency_s(nodes, **endless, link_latency_s=0.0).item()
    volume = contest.latency_s(nodes, bandwidth_Bps=1.0, link_latency_s=0.0, compute_macps=np.inf)
    messages = contest.latency_s(nodes, **endless, link_latency_s=1.0, compute_macps=np.inf)
    still = contest.latency_s(nodes, **endless, link_latency_s=0.0, compute_macps=np.inf).item()
    return volume.item() - still, messages.item() - still, seconds


Crossing = tuple[float, bool]
"""Where the difference of two latencies changes sign, and whether it is negative before."""


def _bandwidth(contest: Contest) -> list[BreakEven]:
    def at(slowness: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            return contest.difference_s(bandwidth_Bps=1.0 / slowness)

    ends = contest.both_s(bandwidth_Bps=np.inf)
    reason = _reason(
        contest, ends, "even over infinitely fast links", "over any link, however slow"
    )
    if contest.linear:
        per_byte, per_message, rest = _affine_difference(contest)
        alpha = float(contest.configuration.hardware.link_latency_s)
        places, method = _zero(per_message * alpha + rest, per_byte), CLOSED
    else:
        places, method = crossings(at, SLOWNESS), BISECTED
    found = [(1.0 / x, "above" if before else "below") for x, before in places]
    return _answers(contest, "bw", "bandwidth_Bps", found[::-1], method, reason)


def _link_latency(contest: Contest) -> list[BreakEven]:
    ends = contest.both_s(link_latency_s=0.0)
    reason = _reason(
        contest, ends, "even if messages had no latency", "whatever the latency of a message"
    )
    if contest.linear:
        per_byte, per_message, rest = _affine_difference(contest)
        constant = per_byte / float(contest.configuration.hardware.bandwidth_Bps) + rest
        places, method = _zero(constant, per_message), CLOSED
    else:
        places = crossings(lambda alpha: contest.difference_s(link_latency_s=alpha), LATENCIES)
        method = BISECTED
    found = [(x, "below" if before else "above") for x, before in places]
    return _answers(contest, "link-latency", "link_latency_s", found, method, reason)


def _s_comm(contest: Contest) -> list[BreakEven]:
    ends = contest.both_s(s_comm=1.0)
    reason = _reason(
        contest,
        ends,
        "even at S_comm 1, where nothing is sent,",
        "already at S_comm 0, where all is sent",
    )
    given, counts = contest.configuration, (contest.nodes, contest.versus)
    grid = np.union1d(S_COMM, between_steps(given, counts))
    places, method = crossings(in_blocks(contest.difference_s, given, counts), grid), BISECTED
    if _is_affine_in_s_comm(contest):  # but for the messages, which end at S_comm 1
        at_zero, at_half = (contest.difference_s(s).item() for s in (0.0, 0.5))
        line = [(x, before) for x, before in _zero(at_zero, 2 * (at_half - at_zero)) if x < 1]
        if line:
            places, method = [*line, *(c for c in places if c[0] == 1.0)], CLOSED
    found = [(x, "below" if before else "above") for x, before in places]
    answers = _answers(contest, "s-comm", "s_comm", found, method, reason)
    if len(answers) == 1 and answers[0].value == 1.0 and answers[0].reason:
        near = [_seconds(value) for value in contest.both_s(s_comm=float(S_COMM[-2]))]
        words = (
            f"{_count(contest.nodes)} are faster only at S_comm 1, where nothing is sent: just "
            f"below, they take {near[0]}, {_count(contest.versus)} {near[1]}"
        )
        return [replace(answers[0], value=None, reason=words, faster="never", latency_s=None)]
    return answers


def _is_affine_in_s_comm(contest: Contest) -> bool:
    """Whether fractions of features, their bytes and MACs simply add up."""
    return (
        contest.linear
        and contest.configuration.hardware.memory_Bps is None
        and contest.configuration.hardware.spill_Bps is None
        and contest.configuration.hardware.topology != "broadcast"
        and not len(between_steps(contest.configuration, (contest.nodes, contest.versus)))
    )


def _nodes(contest: Contest, most: int) -> BreakEven:
    table = contest.configuration.table
    most = min(most, int(np.maximum(table.in_features, table.out_features)[table.mixes].max()))
    if contest.configuration.strategy.staged:  # a layer a node at least
        most = min(most, int(table.mixes.sum()))
    if most < 2:
        raise DiscosimError(f"at most {most} nodes; wanted 2 or more")
    one = before = contest.latency_s(1).item()
    for nodes in range(2, most + 1):
        now = contest.latency_s(nodes).item()
        at = replace(contest, configuration=replace(contest.configuration, nodes=nodes))
        if contest.previous and now >= before:
            return BreakEven("nodes", nodes - 1.0, "", "below", COUNTED, at, before)
        if not contest.previous and now <= one:
            return BreakEven("nodes", float(nodes), "", "above", COUNTED, at, now)
        before = now
    if contest.previous:
        reason = f"each further node up to {most} is faster: {most} take {_seconds(before)}"
        return BreakEven("nodes", None, reason, "always", COUNTED, contest, None)
    reason = (
        f"no number of nodes from 2 to {most} is as fast as one: {most} take "
        f"{_seconds(before)}, one node {_seconds(one)}"
    )
    return BreakEven("nodes", None, reason, "never", COUNTED, contest, None)


def _affine_difference(contest: Contest) -> tuple[float, float, float]:
    """The difference of the two latencies per byte per second, per second a message, and else."""
    many, few = affine(contest, contest.nodes), affine(contest, contest.versus)
    return many[0] - few[0], many[1] - few[1], many[2] - few[2]


def _zero(constant: float, slope: float) -> list[Crossing]:
    """The zero of constant + slope x for x > 0."""
    if slope == 0 or not 0 < -constant / slope < np.inf:
        return []
    return [(-constant / slope, constant < 0)]


def crossings(difference: Callable[[Floats], Floats], grid: Floats) -> list[Crossing]:
    """Return where the sign of `difference` changes between points of `grid`, by bisection.

    Of the two neighbouring numbers, the one at which it is negative.
    """
    negative = difference(grid) < 0
    found = []
    for place in np.flatnonzero(negative[1:] != negative[:-1]):
        before, low, high = bool(negative[place]), grid[place], grid[place + 1]
        while low < (middle := (low + high) / 2) < high:
            same = bool(difference(middle) < 0) == before
            low, high = (middle, high) if same else (low, middle)
        found.append((float(low if before else high), before))
    return found


def _answers(
    contest: Contest,
    solve: str,
    name: str,
    found: list[tuple[float, str]],
    method: str,
    reason: tuple[str, str],
) -> list[BreakEven]:
    """An answer for each value found, on which side N nodes are faster; or the reason for none."""
    if not found:
        faster, words = reason
        return [BreakEven(solve, None, words, faster, method, contest, None)]
    answers = []
    for value, side in found:
        more, less = contest.both_s(**{name: value})
        jump = abs(more - less) > SAME * max(more, less)
        words = "the latencies jump past each other here" if jump else ""
        answers.append(BreakEven(solve, value, words, side, method, contest, more))
    return answers


def _reason(contest: Contest, ends: tuple[float, float], even: str, always: str) -> tuple[str, str]:
    """Whether N nodes are always or never faster, and why; `ends` at their best."""
    many, few = _count(contest.nodes), _count(contest.versus)
    if ends[0] < ends[1]:
        return "always", f"{many} are faster than {few} {always}"
    return "never", f"{even} {many} take {_seconds(ends[0])}, {few} {_seconds(ends[1])}"


def _seconds(value: float) -> str:
    return format_quantity(value, "s", 4)


def _count(nodes: int) -> str:
    return "one node" if nodes == 1 else f"{nodes} nodes"
