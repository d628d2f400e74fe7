"""Rows that a node may compute besides its own, so that a later layer needs no exchange.

What a layer's windows reach, followed back through the layers before it, is what a node computes
where it receives nothing in between (Zhao, Barijough, Gerstlauer: DeepThings, TCAD 2018). A plan
picks such a range for each layer, so that groups without an exchange begin and end anywhere.
"""

import numpy as np

from discosim.graph.table import Bools, Ints
from discosim.partition.held import hull, no_rows
from discosim.partition.kinds import RowRanges
from discosim.partition.lay import Laid, Part
from discosim.partition.needs import reached

MOST_LEVELS = 5
"""Ranges of rows of a layer that are tried beside its own: those of the nearest layers."""


def ranges_of(rows: Ints) -> RowRanges:
    """Return rows (N, 2) as a value that can be compared."""
    return tuple((first, last) for first, last in rows.tolist())


def levels_of(laid: Laid, free: Bools) -> list[list[RowRanges]]:
    """Return the rows that nodes may compute of each layer instead of their own, fewest first.

    `laid` is split by rows and computes no row twice; free: layers that choose theirs, (L,).
    """
    found: list[list[RowRanges]] = [[] for _ in laid.parts]
    joins = [_joins(part) for part in laid.parts]
    for end, part in enumerate(laid.parts):
        if free[end] and joins[end] and any(read.missing.any() for read in part.reads):
            _followed(laid, end, free, joins, found)
    return found


def _followed(
    laid: Laid, end: int, free: Bools, joins: list[bool], found: list[list[RowRanges]]
) -> None:
    """Note what each layer before `end` would compute for it; joins: as `_joins` of each layer."""
    wanted: dict[str, Ints] = {}
    _reach(laid.parts[end], laid.parts[end].rows, wanted)
    for row in range(end - 1, -1, -1):
        part = laid.parts[row]
        if part.layer.name not in wanted:
            continue
        if not free[row]:
            return
        more = wanted.pop(part.layer.name)
        rows = hull(part.rows, more)
        if not joins[row] or (rows == part.rows).all():
            continue
        ranges = ranges_of(rows)
        if ranges not in found[row]:
            if len(found[row]) >= MOST_LEVELS:
                return
            found[row].append(ranges)
        _reach(part, rows, wanted)


def _reach(part: Part, rows: Ints, wanted: dict[str, Ints]) -> None:
    for operand, read in enumerate(part.reads):
        need = reached(part.layer, operand, read.before, rows)
        wanted[read.tensor] = hull(wanted.get(read.tensor, no_rows(len(rows))), need)


def _joins(part: Part) -> bool:
    """Whether a layer can compute more rows than its own."""
    return (
        part.choice.plain_rows
        and part.out.layout == "rows"
        and part.layer.op != "attention"
        and bool(np.all(part.rows[:, 1] > part.rows[:, 0]))
    )
