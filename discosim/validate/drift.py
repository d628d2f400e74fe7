"""How far the machine moved between what was profiled and the runs that are judged by it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from discosim.validate.gate import Floats
from discosim.validate.runs import Runs

MOST_MOVED = 0.05
"""By how much the reference may differ, beside what is judged, from beside what was profiled.

What is divided out is the speed of one kind of arithmetic, which others follow in part.
"""

MOST_BAND = 0.1
"""Of a row that says something: the error that is asked of the profiled level."""


@dataclass(frozen=True, eq=False)
class Drift:
    """slowness: how many times as long as usual the reference took beside the judged runs, (N,).

    moved: by how much that is more than beside the profiled ones, as a fraction, on the node where
    it is most; band: how uncertain a comparison of both is, as a fraction; enough: whether enough
    runs of both were steady.
    """

    slowness: Floats
    moved: float
    band: float
    enough: bool

    @property
    def conclusive(self) -> bool:
        """Whether the comparison says something of the model, not of the machine."""
        return self.enough and abs(self.moved) <= MOST_MOVED and self.band <= MOST_BAND


def drift(judged: Runs, profiled: Sequence[Runs]) -> Drift:
    """Return how the machine moved between runs of several orders, turn by turn."""
    spreads = (
        run_spread(judged),
        reference_spread(judged),
        max(map(reference_spread, profiled)),
    )
    return Drift(
        slowness=np.median(judged.slowness[judged.counts], axis=0),
        moved=_moved(judged, profiled),
        band=float(np.sqrt(np.square(spreads).sum())),
        enough=all(runs.samples.conclusive for runs in (judged, *profiled)),
    )


def run_spread(runs: Runs) -> float:
    """Return half the range between the quartiles of the runs' times, as a fraction.

    As they are, or divided by the slowness of their turns, whichever is less: computation drifts
    with the reference, links do not.
    """
    seconds = runs.seconds[runs.counts]
    divided = seconds / runs.slowness[runs.counts].mean(-1)
    return min(_half_range(seconds), _half_range(divided))


def reference_spread(runs: Runs) -> float:
    """Return half the range between the quartiles of the reference within turns, as a fraction."""
    return _half_range((runs.references_s / runs.local_s[:, None])[runs.counts])


def _half_range(values: Floats) -> float:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return float((high - low) / 2 / middle)


def _moved(judged: Runs, profiled: Sequence[Runs]) -> float:
    """The median over the turns in which both ran; over all runs where there is none."""
    before = _by_turn(profiled)
    ratios = [slow / before[turn] for turn, slow in _by_turn([judged]).items() if turn in before]
    if not ratios:
        ratios = [_middle([judged]) / _middle(profiled)]
    by_node = np.median(ratios, axis=0) - 1
    return float(by_node[np.abs(by_node).argmax()])


def _by_turn(some: Sequence[Runs]) -> dict[int, Floats]:
    """The slowness of each node in each turn, (N,), over all runs that count."""
    found: dict[int, list[Floats]] = {}
    for runs in some:
        for turn, slow, counts in zip(runs.turn_numbers, runs.slowness, runs.counts, strict=True):
            if counts:
                found.setdefault(turn, []).append(slow)
    return {turn: np.median(slow, axis=0) for turn, slow in found.items()}


def _middle(some: Sequence[Runs]) -> Floats:
    middle: Floats = np.median(
        np.concatenate([runs.slowness[runs.counts] for runs in some]), axis=0
    )
    return middle
