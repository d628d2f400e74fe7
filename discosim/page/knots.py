"""Functions of S_comm as their values at knots, straight in between."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from discosim.graph.table import Floats

STEPS = np.array([*(i / 10 for i in range(10)), 0.95, 0.99, 1.0])
"""S_comm at which a function without straight pieces is kept: of whole features."""

NEAR = 1.0 - 2.0**-10
"""Below 1: at 1 nothing is sent, and messages end."""

BETWEEN = np.array([0.0911, 0.2361, 0.3819, 0.5279, 0.6181, 0.7639, 0.8541, 0.9443, 0.9787, 0.9917])
"""Where straight pieces are held against the function itself."""

SAME = 1e-11
"""Of a column's largest value, what two of its values differ by where they are equal."""

MOST_KNOTS = 9
MOST_SHAPES = 12
"""Bends of so many columns are looked for one by one."""

DEPTH = 6

Function = Callable[[Floats], Floats]
"""S_comm (S,) to values (S, M)."""


@dataclass(frozen=True, eq=False)
class Knots:
    """Values (K, M) at the knots s (K,), ascending, straight in between.

    The last knot is twice 1 where the values jump there. stepped: known at the knots only.
    """

    s: Floats
    values: Floats
    stepped: bool


def knots(of: Function, *, knob: bool) -> Knots:
    """Return `of` between 0 and 1 to SAME; stepped where it has no few straight pieces.

    knob: whether S_comm changes anything.
    """
    if not knob:
        return Knots(np.zeros(1), of(np.zeros(1)), stepped=False)
    at = _bent(of)
    if at is None:
        return Knots(STEPS, of(STEPS), stepped=True)
    found = _straight(of, at)
    if _same(_at(found, BETWEEN), of(BETWEEN), np.abs(found.values).max(0)).all():
        return found
    return Knots(STEPS, of(STEPS), stepped=True)


def _straight(of: Function, at: list[float]) -> Knots:
    """The pieces between the knots, the last one drawn out to 1, and the value at 1."""
    inner = np.array([*at, NEAR])
    values = of(np.array([*inner, 1.0]))
    before, near, end = values[-3], values[-2], values[-1]
    limit = near + (near - before) * (1.0 - NEAR) / (NEAR - inner[-2])
    scale = np.abs(values).max(0)
    limit[np.abs(limit) <= SAME * scale] = 0.0
    s, kept = [*at, 1.0], [*values[:-2], limit]
    if not _same(limit, end, scale).all():
        s, kept = [*s, 1.0], [*kept, end]
    return Knots(np.array(s), np.array(kept), stepped=False)


def _bent(of: Function) -> list[float] | None:
    """Where columns bend, 0 with them; None where they bend too often."""
    low, middle, high = of(np.array([0.0, 0.5, NEAR]))
    scale = np.maximum(np.abs(low), np.abs(high))
    bent = np.flatnonzero(~_same(middle, low + (high - low) * 0.5 / NEAR, scale))
    shapes = np.array([low, middle, high])[:, bent] / np.maximum(scale[bent], 1e-300)
    _, firsts = np.unique(np.round(shapes, 9), axis=1, return_index=True)
    if len(firsts) > MOST_SHAPES:
        return None
    found = {0.0}
    for column in bent[firsts]:
        found |= _bends(lambda s, c=column: of(s)[:, c], 0.0, NEAR, DEPTH)  # type: ignore[misc]
        if len(found) > MOST_KNOTS:
            return None
    return sorted(found)


def _bends(of: Function, low: float, high: float, depth: int) -> set[float]:
    """Where a function (S,) -> (S,) of straight pieces bends: where the lines of its ends meet."""
    step = (high - low) * 2.0**-12
    a, a_step, b_step, b = of(np.array([low, low + step, high - step, high]))
    rise, fall = (a_step - a) / step, (b - b_step) / step
    scale = max(abs(a), abs(b), 1e-300)
    if depth == 0 or abs(rise - fall) * (high - low) <= 1e-7 * scale:
        return set()
    meet = (b - a + rise * low - fall * high) / (rise - fall)
    if not low + step < meet < high - step:
        return set()
    return {float(meet)} | _bends(of, low, meet, depth - 1) | _bends(of, meet, high, depth - 1)


def _at(found: Knots, s: Floats) -> Floats:
    """The values at s below 1, (S, M)."""
    place = np.clip(np.searchsorted(found.s, s, side="right") - 1, 0, len(found.s) - 2)
    low, high = found.s[place], found.s[place + 1]
    share = ((s - low) / (high - low))[:, None]
    values: Floats = (1.0 - share) * found.values[place] + share * found.values[place + 1]
    return values


def _same(a: Floats, b: Floats, scale: Floats) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    return np.abs(a - b) <= SAME * scale
