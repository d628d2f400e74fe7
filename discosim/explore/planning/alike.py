"""Alike rows together: every way in which what they read may lie, and all that may become of them.

Blocks of a network repeat: what one row meets and does, most of its like meet and do as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from discosim.explore.planning.meetings import Meetings
from discosim.explore.planning.options import Options
from discosim.explore.planning.readings import Reader
from discosim.explore.planning.variants import Way
from discosim.graph.table import Bools, Ints
from discosim.partition.held import Held

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Lying:
    """Ways in which an operand lies: those of the group that makes it, or one by each of `made`.

    axis: of that group among the others; wanted: what may come of which ways, (K, C), or None.
    """

    axis: int
    every: tuple[Held, ...]
    wanted: Bools | None

    @property
    def by_state(self) -> bool:
        """Whether they are those of another group."""
        return self.wanted is not None


@dataclass(frozen=True, eq=False)
class Alike:
    """Alike rows, told by the first of them.

    axes: of each other group that they read, the ways in which what it makes lies; made: a reader
    and how operands lie that its own group or nobody makes; wanted: what may come of which ways,
    (K, C), by axis. options: places in `made` and S_comm. places: where the ways and the options
    of each row are among all of them, axis by axis.
    """

    row: int
    axes: tuple[tuple[Way, ...], ...]
    made: tuple[tuple[Reader, Way], ...]
    wanted: tuple[Bools, ...]
    options: tuple[tuple[int, float], ...]
    places: Mapping[int, tuple[Ints, ...]]

    @property
    def readers(self) -> list[Reader]:
        """What may become of them, C."""
        return [reader for reader, _ in self.made]

    def lying(self, operand: int) -> Lying:
        """Return in which ways an operand lies."""
        for axis, (ways, wanted) in enumerate(zip(self.axes, self.wanted, strict=True)):
            if operand in dict(ways[0]):
                return Lying(axis, tuple(dict(way)[operand] for way in ways), wanted)
        return Lying(0, tuple(dict(inner)[operand] for _, inner in self.made), None)


def alike_rows(options: Options, meetings: Meetings) -> list[Alike]:
    """Return the rows of all layers, those together that may be laid at once."""
    together: dict[object, list[int]] = {}
    for row in range(len(options.given.network.layers)):
        together.setdefault(_kind(options, meetings, row), []).append(row)
    return [_alike(options, meetings, rows) for rows in together.values()]


def _kind(options: Options, meetings: Meetings, row: int) -> object:
    """All that the numbers of a row follow from but how its operands lie and what it becomes."""
    table, others = options.given.table, options.others(row)
    return (
        options.finder.alike(row),
        len(others),
        meetings.again(row),
        tuple(others.index(of) if of in others else None for of in options.makers(row)),
        float(table.scratch_elems[row]),
        bool(table.folded[row]),
    )


def _alike(options: Options, meetings: Meetings, rows: list[int]) -> Alike:
    groups, others = options.groups, [options.others(row) for row in rows]
    axes: list[dict[Way, int]] = [{} for _ in others[0]]
    made: dict[tuple[Reader, Way], int] = {}
    chosen: dict[tuple[int, float], int] = {}
    places: dict[int, tuple[Ints, ...]] = {}
    came: list[Ints] = []
    for row, read in zip(rows, others, strict=True):
        group = int(groups.of[row])
        came.append(_numbered(made, _made(options, row)))
        each = zip(came[-1][options.of[group]].tolist(), options.splits[group], strict=True)
        picked = _numbered(chosen, [(at, split.s_comm) for at, split in each])
        ways = [
            _numbered(axis, _ways(options, row, of)) for axis, of in zip(axes, read, strict=True)
        ]
        places[row] = (*(ways or [np.zeros(1, dtype=np.int64)]), picked)
    wanted = [np.zeros((len(axis), len(made)), dtype=bool) for axis in axes]
    for row, read, own in zip(rows, others, came, strict=True):
        for axis, of in enumerate(read):
            asked = meetings.wanted(int(groups.of[row]), of)
            np.logical_or.at(wanted[axis], np.ix_(places[row][axis], own), asked)
    return Alike(
        row=rows[0],
        axes=tuple(map(tuple, axes)),
        made=tuple(made),
        wanted=tuple(wanted),
        options=tuple(chosen),
        places=places,
    )


def _made(options: Options, row: int) -> list[tuple[Reader, Way]]:
    """What a row does by each variant of its group."""
    group = int(options.groups.of[row])
    place = options.groups.rows(group).index(row)
    return [(each.readers[place], each.inner[place]) for each in options.variants[group]]


def _ways(options: Options, row: int, other: int) -> list[Way]:
    """How what a row reads of another group lies in each of its states."""
    network, rows = options.given.network, options.finder.rows
    tensors = network.operands(network.layers[row].name)
    makers = options.makers(row)
    held = [(k, options.held[rows[t]]) for k, t in enumerate(tensors) if makers[k] == other]
    return [
        tuple((operand, each[state]) for operand, each in held)
        for state in range(options.states(other))
    ]


def _numbered(known: dict[T, int], every: list[T]) -> Ints:
    """The numbers of each, new ones for those that are not known yet."""
    return np.array([known.setdefault(each, len(known)) for each in every], dtype=np.int64)
