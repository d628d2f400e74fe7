"""What gives a latency: the least bandwidth, the longest message, the least S_comm or N."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from discosim.configuration import Configuration
from discosim.explore.breakeven import (
    LATENCIES,
    MOST_NODES,
    S_COMM,
    SLOWNESS,
    UNITS,
    Contest,
    check_strategy,
    crossings,
)
from discosim.explore.steps import between_steps, in_blocks
from discosim.graph.table import Floats
from discosim.timeline.joined import Joined
from discosim.units import format_quantity

SOLVED = ("bw", "link-latency", "s-comm")
"""What is solved for where nothing is named."""

ABOUT = 8.0
"""How many times less, and more, a curve reaches than what is told."""

LAST_S_COMM = 0.99
"""Where a curve ends: at 1 no message is sent."""


@dataclass(frozen=True, eq=False)
class Reached:
    """The value at which a configuration takes `target_s`, or None and the reason.

    latency_s: as it is; a value of 0 for S_comm or of infinity for a message: any will do.
    """

    solve: str
    value: float | None
    reason: str
    configuration: Configuration
    target_s: float
    latency_s: float

    @property
    def unit(self) -> str:
        """The unit of the value."""
        return UNITS[self.solve]


def reach(solve: str, configuration: Configuration, target_s: float) -> Reached:
    """Return the value of `solve` from which on the configuration takes at most `target_s`.

    A bandwidth and S_comm are the least that do it, the latency of a message the longest; S_comm
    stays below 1, where the nodes are independent branches. Raises DiscosimError.
    """
    check_strategy(solve, configuration.strategy)
    contest = Contest(configuration)
    if solve == "nodes":
        value, reason = _nodes(contest, target_s)
    else:
        over, grid, best, words = _question(solve, contest, target_s)
        value, reason = _first(over, grid, solve), ""
        if value is None:
            least = format_quantity(best, "s", 4)
            reason = f"{words} {contest.nodes} nodes take {least}"
    as_it_is = contest.latency_s(contest.nodes).item()
    return Reached(solve, value, reason, configuration, target_s, as_it_is)


Question = tuple[Callable[[Floats], Floats], Floats, float, str]
"""What is over the target at points of a grid, the grid, the least latency, and where it is."""


def _question(solve: str, contest: Contest, target_s: float) -> Question:
    nodes, case = contest.nodes, contest.configuration
    if solve == "bw":
        best = contest.latency_s(nodes, bandwidth_Bps=np.inf).item()
        return (
            lambda slowness: _at_slowness(contest, slowness) - target_s,
            SLOWNESS,
            best,
            "even over infinitely fast links",
        )
    if solve == "link-latency":
        best = contest.latency_s(nodes, link_latency_s=0.0).item()
        return (
            lambda alpha: contest.latency_s(nodes, link_latency_s=alpha) - target_s,
            LATENCIES,
            best,
            "even if messages had no latency",
        )
    grid = np.union1d(S_COMM, between_steps(case, (nodes,)))
    grid = grid[grid < 1]
    over = in_blocks(lambda s_comm: contest.latency_s(nodes, s_comm) - target_s, case, (nodes,))
    best = contest.latency_s(nodes, float(grid[-1])).item()
    return over, grid, best, "just below S_comm 1"


def _at_slowness(contest: Contest, slowness: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return contest.latency_s(contest.nodes, bandwidth_Bps=1.0 / slowness)


def _first(over: Callable[[Floats], Floats], grid: Floats, solve: str) -> float | None:
    """The last point before the target is missed, or of S_comm the first at which it is kept."""
    if solve == "s-comm":
        if over(grid[:1]).item() <= 0:
            return float(grid[0])
        found = [value for value, before in crossings(over, grid) if not before]
        return found[0] if found else None
    if over(grid[:1]).item() > 0:
        return None
    ends = [value for value, before in crossings(over, grid) if before]
    end = ends[0] if ends else float("inf")
    if solve == "bw":
        return 1 / end if np.isfinite(end) else 0.0
    return end


def _nodes(contest: Contest, target_s: float) -> tuple[float | None, str]:
    """The least number of nodes, or why there is none."""
    table = contest.configuration.table
    most = min(MOST_NODES, int(table.out_features[table.mixes].max()))
    if isinstance(contest.configuration.hardware, Joined):
        most = min(most, len(contest.configuration.hardware.members))
    best = np.inf
    for nodes in range(1, most + 1):
        seconds = contest.latency_s(nodes).item()
        if seconds <= target_s:
            return float(nodes), ""
        best = min(best, seconds)
    return None, f"of 1 to {most} nodes the fastest take {format_quantity(best, 's', 4)}"


@dataclass(frozen=True, eq=False)
class ReachedOver:
    """Seconds (X,) over what is solved for (X,), and where it stands at hand."""

    reached: Reached
    x: Floats
    latency_s: Floats
    at_hand: float


def reached_over(reached: Reached, points: int) -> ReachedOver:
    """Return the latency over what was solved for, about its value and what is at hand.

    points: of the curve; of whole numbers of nodes, one each.
    """
    case = reached.configuration
    contest = Contest(case)
    if reached.solve == "nodes":
        most = min(MOST_NODES, int(case.table.out_features[case.table.mixes].max()))
        last = min(most, 2 * int(max(reached.value or 0, case.nodes, 4)))
        x = np.arange(1.0, last + 1)
        seconds = np.array([contest.latency_s(int(count)).item() for count in x])
        return ReachedOver(reached, x, seconds, float(case.nodes))
    if reached.solve == "s-comm":
        x = np.linspace(0.0, LAST_S_COMM, points)
        latency = in_blocks(lambda s: contest.latency_s(case.nodes, s), case, (case.nodes,))
        return ReachedOver(reached, x, latency(x), float(case.s_comm))
    name = "bandwidth_Bps" if reached.solve == "bw" else "link_latency_s"
    at_hand = float(getattr(case.hardware, name))
    known = [each for each in (reached.value, at_hand) if each and np.isfinite(each)]
    low, high = (min(known), max(known)) if known else (LATENCIES[1], LATENCIES[-1])
    x = np.geomspace(low / ABOUT, high * ABOUT, points)
    return ReachedOver(reached, x, contest.latency_s(case.nodes, **{name: x}), at_hand)


def solved_for(solve: str | None, configuration: Configuration) -> tuple[str, ...]:
    """Return what is solved for: what is named, else all that the strategy has."""
    if solve is not None:
        return (solve,)
    knob = configuration.strategy.has_knob
    return tuple(name for name in SOLVED if knob or name != "s-comm")
