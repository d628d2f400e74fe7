"""Which parameters each row reads, so that those of several rows are in memory once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from math import prod

from discosim.errors import some_of
from discosim.graph.builder import Builder
from discosim.graph.parameters import WITHIN
from discosim.importers.lowering.program import Constant, base_of

BEYOND = " beyond its product"
"""Behind the name of a parameter: what of it is more than the kernel that is computed from it."""


class ParameterUses:
    """The parameters of the rows that are written into `net`, by their names in the program."""

    net: Builder

    def __init__(self) -> None:
        self._weights: dict[str, str] = {}  # by row, the parameter that its kernel or matrix is
        self._held: dict[str, dict[str, int]] = {}  # by row, those among its biases
        self._elems: dict[str, int] = {}  # of each parameter, or part of one, that is read
        self._readers: dict[str, list[str]] = {}  # by row, the parameters that it reads
        self._made: dict[str, int] = {}  # by row, elements of a kernel that is no parameter
        self._within: set[str] = set()  # parameters of which parts are read that overlap

    def has_weight(self, row: str, weight: Constant) -> None:
        """Say which parameter the kernel or matrix of a row is, whole, or is computed from.

        What it is computed from may be more than it is, as of weight normalisation: all of that is
        stored. It may be less, or no parameter at all: then it counts as it is, and is told.
        """
        counts = list(weight.parameters.values())
        name = "+".join(sorted(weight.parameters))
        self._elems.update(weight.parameters)
        self._readers.setdefault(row, []).extend(weight.parameters)
        own, stored = self.net.layer(row).weights, sum(counts)
        if len(counts) > 1 or counts == [prod(weight.shape)]:
            self._weights[row] = name
        if stored > own:
            self.net.amend(row, learned=stored - own)
            self.reads(row, {f"{name}{BEYOND}": stored - own})
        elif stored < own:
            self._made[row] = own

    def made_weights(self) -> tuple[str, ...]:
        """Return the note on kernels and matrices that are no parameters, if there are any."""
        if not self._made:
            return ()
        rows = some_of(list(self._made))
        return (
            f"{sum(self._made.values()):,} weights are constants, or made of fewer parameters than "
            f"they are, and count as weights: {rows}",
        )

    def has_bias(self, row: str, bias: Constant | None) -> None:
        """Say which parameter is among the biases of a row."""
        if bias is not None and len(bias.parameters) == 1:
            self.reads(row, bias.parameters)

    def reads(self, row: str, parameters: Mapping[str, int]) -> None:
        """Say which parameters a row reads feature by feature."""
        self._held.setdefault(row, {}).update(parameters)
        self._elems.update(parameters)
        self._readers.setdefault(row, []).extend(parameters)

    def keep_whole(self, wholes: Mapping[str, int]) -> None:
        """Give what is left of a parameter, of which only parts are read, to the first to read one.

        wholes: elements of all parameters. As the rows of a table of positions beyond the last one:
        they are stored all the same. Parts that overlap, or that are read beside the whole, are
        no memory of their own: they go by the name of the whole.
        """
        parts: dict[str, dict[str, str]] = {}  # by parameter, the first row of each part
        for row, names in self._readers.items():
            for name in names:
                parts.setdefault(base_of(name), {}).setdefault(name, row)
        for whole, rows in parts.items():
            stored = wholes.get(whole, 0)
            sizes = [self._elems[name] for name in rows]
            overlap = sum(sizes) > stored and len(rows) > 1
            if overlap:
                self._join(whole, rows)
            left = stored - (max(sizes) if overlap else sum(sizes))
            first = next(iter(rows.values()))
            layer = self.net.layer(first)
            more = replace(layer, learned=layer.learned + left)
            if whole not in rows and left > 0 and more.biases > layer.biases:
                self.net.amend(first, learned=more.learned)

    def _join(self, whole: str, parts: Mapping[str, str]) -> None:
        """Call parts of a parameter by the name of the whole, at the rows that read them."""
        for row, name in self._weights.items():
            if name in parts and name != whole:
                self._weights[row] = f"{name}{WITHIN}{whole}"
                self._within.add(whole)
        for row, held in self._held.items():
            names = {*parts, f"{whole}{BEYOND}"}
            found = [n for name, n in held.items() if name in names]
            if found:
                once = min(sum(found), self._elems.get(whole, max(found)))
                rest = {name: n for name, n in held.items() if name not in names}
                self._held[row] = {**rest, whole: once}
                layer = self.net.layer(row)
                self.net.amend(row, learned=layer.learned - min(sum(found) - once, layer.learned))

    def name_shared(self) -> None:
        """Write down, at the rows, the parameters that more than one of them reads."""
        users = Counter(self._weights.values())
        users.update(dict.fromkeys(self._within, 2))
        users.update(name for held in self._held.values() for name in held)
        for row, name in self._weights.items():
            if users[name] > 1 or WITHIN in name:
                self.net.amend(row, weight=name)
        for row, parameters in self._held.items():
            shared = tuple((name, n) for name, n in parameters.items() if users[name] > 1)
            if shared and sum(n for _, n in shared) <= self.net.layer(row).biases:
                self.net.amend(row, held=shared)
