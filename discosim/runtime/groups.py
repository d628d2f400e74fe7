"""Who shares the statistics of which groups of features before a group norm, without torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from discosim.graph.layer import Layer
from discosim.masks.mask import Ints
from discosim.partition.lay import Part
from discosim.runtime.program import GroupStatistics, NormalizeGroups, Range, Step, Swap, Wait


def group_of(layer: Layer, features: Ints) -> Ints:
    """Return the group of each feature of a norm over groups."""
    groups: Ints = features * layer.groups // layer.out_features
    return groups


@dataclass(frozen=True, eq=False)
class GroupsOf:
    """The groups of a norm of which a node has features, and how many elements of each."""

    groups: Ints
    elems: Ints


def groups_of(layer: Layer, features: Ints, positions: int) -> GroupsOf:
    """Return the groups of some features at so many positions."""
    groups, counts = np.unique(group_of(layer, features), return_counts=True)
    return GroupsOf(groups, counts * positions)


@dataclass(frozen=True, eq=False)
class SharedGroups:
    """What a node and those that have some of its groups tell each other before a norm.

    of: the groups of each node, of its own `rank` too. Of each common group a mean and squared
    deviations go to each of the others.
    """

    layer: Layer
    of: Mapping[int, GroupsOf]
    rank: int

    def steps(self, source: str, features: Ints) -> list[Step]:
        """Return how statistics of a slot with `features` are made and shared."""
        at = np.searchsorted(self.of[self.rank].groups, group_of(self.layer, features))
        own, theirs = self._slots()
        steps: list[Step] = [GroupStatistics(self.layer, source, at, own)]
        common = {node: places for node, places, _ in self._common()}
        if common:
            sends = {n: np.stack([2 * at, 2 * at + 1], axis=1).ravel() for n, at in common.items()}
            receives = {node: 2 * len(places) for node, places in common.items()}
            steps += [Swap("statistics", own, sends, receives, (), theirs), Wait()]
        return steps

    def normalize(
        self, source: str, features: Ints, into: str, *, overwrites: bool
    ) -> NormalizeGroups:
        """Return what normalises a slot with `features` by the statistics."""
        mine = self.of[self.rank]
        groups = np.searchsorted(mine.groups, group_of(self.layer, features))
        others = tuple((places, elems) for _, places, elems in self._common())
        return NormalizeGroups(
            self.layer, source, groups, self._slots(), mine.elems, others, into, overwrites
        )

    def _slots(self) -> tuple[str, str]:
        return f"statistics of {self.layer.name}", f"received for {self.layer.name}"

    def _common(self) -> list[tuple[int, Ints, Ints]]:
        """Other nodes with some of its groups: which of its own, and of how many elements."""
        mine = self.of[self.rank].groups
        found = []
        for node, each in self.of.items():
            common = np.intersect1d(mine, each.groups)
            if node != self.rank and len(common):
                elems = each.elems[np.searchsorted(each.groups, common)]
                found.append((node, np.searchsorted(mine, common), elems))
        return found


def shared_groups(
    part: Part, rank: int, features: Ints, rows: Range
) -> tuple[SharedGroups, Ints, Range]:
    """Return who shares what before a norm that is laid so; and of which features and rows.

    A node's own statistics are of what it answers for, where it computes more than that, or of all
    of its groups, where nodes share none.
    """
    layer, out = part.layer, part.out
    every, positions = np.arange(layer.in_features), prod(layer.in_shape[1:])
    if part.statistics is None:
        own = every[np.isin(group_of(layer, every), group_of(layer, features))]
        of = {rank: groups_of(layer, own, positions)}
        return SharedGroups(layer, of, rank), own, rows
    if out.layout == "rows":
        sizes, width = out.rows[:, 1] - out.rows[:, 0], prod(layer.in_shape[2:])
        active = np.flatnonzero(sizes).tolist()
        of = {node: groups_of(layer, every, int(sizes[node]) * width) for node in active}
        counted = int(out.rows[rank, 0]), int(out.rows[rank, 1])
        return SharedGroups(layer, of, rank), features, counted
    owners = np.asarray(out.owners)
    nodes = np.unique(owners).tolist()
    of = {node: groups_of(layer, np.flatnonzero(owners == node), positions) for node in nodes}
    return SharedGroups(layer, of, rank), features, rows
