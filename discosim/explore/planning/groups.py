"""Which layers choose a split for themselves, and which have one together."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from discosim.graph.table import Ints, LayerTable

MOST_LIVE = 3
"""Groups that a later one may read, up to which each layer is a group: all of how they lie are
told apart, five to the power of this."""

MOST_READ = 2
"""Other groups that one may read."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Layers in groups, each with one split: the first row of each, (G,)."""

    table: LayerTable
    firsts: Ints

    def __len__(self) -> int:
        """Return G."""
        return len(self.firsts)

    @cached_property
    def of(self) -> Ints:
        """The group of each row, (L,); the gathering of the output is in the last."""
        sizes = np.diff([*self.firsts, len(self.table)])
        return np.repeat(np.arange(len(self)), sizes)

    def rows(self, group: int) -> range:
        """Return the rows of a group."""
        last = group + 1 == len(self)
        end = len(self.table) - 1 if last else self.firsts[group + 1]
        return range(int(self.firsts[group]), int(end))

    @cached_property
    def reads(self) -> tuple[tuple[int, ...], ...]:
        """Earlier groups whose tensors each group reads, ascending."""
        rows = {name: row for row, name in enumerate(self.table.name)}
        found: list[set[int]] = [set() for _ in self.firsts]
        for group, layer in zip(self.of, self.table.network.layers, strict=False):
            for tensor in self.table.network.operands(layer.name):
                if tensor in rows:
                    found[group].add(int(self.of[rows[tensor]]))
        return tuple(tuple(sorted(each - {group})) for group, each in enumerate(found))

    @cached_property
    def live(self) -> tuple[tuple[int, ...], ...]:
        """Earlier groups that a group or a later one reads, ascending."""
        last = [-1] * len(self)
        for group, reads in enumerate(self.reads):
            for each in reads:
                last[each] = group
        found: list[tuple[int, ...]] = [()]
        for group in range(1, len(self)):
            so_far = (*found[-1], group - 1)
            found.append(tuple(each for each in so_far if last[each] >= group))
        return tuple(found)

    def after(self, group: int) -> tuple[int, ...]:
        """Return the groups up to this one that a later one reads, ascending."""
        return self.live[group + 1] if group + 1 < len(self) else ()


def groups_of(table: LayerTable) -> Groups:
    """Return each layer as a group; where too much is live at once, all up to the next cut as one.

    At a cut one tensor goes on: residual blocks stay apart, what a wide concatenation joins does
    not.
    """
    groups = Groups(table, np.arange(len(table) - 1))
    crowded = np.array(
        [
            len(live) > MOST_LIVE or len(reads) > MOST_READ
            for live, reads in zip(groups.live, groups.reads, strict=True)
        ]
    )
    cut = np.array([len(live) <= 1 for live in groups.live])
    unit = np.cumsum(cut)
    joined = np.isin(unit, unit[crowded])
    starts = cut | ~joined
    starts[0] = True
    return Groups(table, np.flatnonzero(starts))
