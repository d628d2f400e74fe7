"""Between which S_comm nothing changes where features are whole, and many S_comm at a time."""

from collections.abc import Callable, Sequence

import numpy as np

from discosim.configuration import Configuration
from discosim.graph.table import Floats
from discosim.partition.layout import lay_out, steps_of

AT_ONCE = 1 << 23
"""Numbers of a plan's arrays that are computed at a time."""


def between_steps(given: Configuration, counts: Sequence[int]) -> Floats:
    """Return one S_comm between each two at which a count of features changes, ascending.

    counts: numbers of nodes. Empty where features are fractions and nothing changes in steps.
    """
    layouts = [lay_out(given.table, count, given.conventions) for count in counts]
    found = [steps_of(layout) for layout in layouts if layout.conventions.whole]
    if not found:
        return np.zeros(0)
    steps = np.unique(np.concatenate([[0.0, 1.0], *found]))
    middles: Floats = (steps[1:] + steps[:-1]) / 2
    return middles


def in_blocks(
    function: Callable[[Floats], Floats], given: Configuration, counts: Sequence[int]
) -> Callable[[Floats], Floats]:
    """Return `function` of S_comm (n,), computed as many at a time as the memory holds."""
    each = max(counts) ** 2 * len(given.table)

    def blocked(s_comm: Floats) -> Floats:
        values = np.asarray(s_comm)
        parts = 1 + values.size * each // AT_ONCE
        if parts == 1:
            return function(values)
        return np.concatenate([function(part) for part in np.array_split(values, parts)])

    return blocked
