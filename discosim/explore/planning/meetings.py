"""Which ways in which a tensor lies a layer may meet, and which of its options may come of them."""

import numpy as np

from discosim.configuration import Configuration
from discosim.explore.planning.options import Options
from discosim.graph.table import Bools


class Meetings:
    """What each layer may meet.

    first: the row that reads each tensor first; floor: of a tensor that an earlier layer has been
    sent anything may be there.
    """

    def __init__(self, given: Configuration, options: Options, *, floor: bool) -> None:
        self.given, self.options, self.floor = given, options, floor
        self._possible: dict[int, Bools] = {}
        self.first: dict[str, int] = {}
        for row, layer in enumerate(given.network.layers):
            for tensor in given.network.operands(layer.name):
                self.first.setdefault(tensor, row)

    def again(self, row: int) -> tuple[bool, ...]:
        """Return of which operands an earlier layer reads as well."""
        tensors = self.given.network.operands(self.given.network.layers[row].name)
        return tuple(self.first[tensor] < row for tensor in tensors)

    def _read_again(self, made: int, group: int) -> bool:
        """Return whether a group reads the output of a row that an earlier group reads as well."""
        groups, name = self.options.groups, self.given.network.layers[made].name
        readers = self.given.network.graph.successors(name)
        reading = [int(groups.of[self.options.finder.rows[reader]]) for reader in readers]
        return group in reading and min(reading) < group

    def possible(self, group: int) -> Bools:
        """Return where an option may come of how lies what a group reads, (K, ..., S).

        Where an earlier layer reads it as well, it may by then lie in any way.
        """
        if group not in self._possible:
            options, possible = self.options, self.options.possible[group]
            for axis, other in enumerate(options.groups.reads[group]):
                made = [row for row in options.groups.rows(other) if self._read_again(row, group)]
                if not made:
                    continue
                parts = [[h.layout == "parts" for h in options.held[row]] for row in made]
                there = np.any(parts, axis=0) | self.floor
                shape = [-1 if place == axis else 1 for place in range(possible.ndim)]
                any_way = np.any(possible, axis=axis, keepdims=True)
                possible = np.where(there.reshape(shape), any_way, possible)
            self._possible[group] = possible
        return self._possible[group]

    def wanted(self, group: int, other: int) -> Bools:
        """Return which variants may come of which ways in which another group lies, (K, C)."""
        axis = self.options.groups.reads[group].index(other)
        possible = np.moveaxis(self.possible(group), axis, 0)
        several = np.any(possible, axis=tuple(range(1, possible.ndim - 1)))
        wanted: Bools = several[:, np.unique(self.options.of[group], return_index=True)[1]]
        return wanted
