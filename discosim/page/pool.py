"""Columns of numbers over a network's layers, each kept once, whatever it is multiplied by."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from discosim.graph.table import Floats, Ints

Reference = list[float] | int
"""Number of a column and its factor; 0 for a column of zeros."""

DIGITS = 12
"""Two columns are proportional, two layers alike, where they agree to so many."""


@dataclass(eq=False)
class Pool:
    """Columns (L,) that others are multiples of."""

    columns: list[Floats] = field(default_factory=list)
    _places: dict[bytes, int] = field(default_factory=dict)

    def add(self, values: Floats) -> Reference:
        """Return where the values are, and what the column there is multiplied by."""
        most = float(values.max())
        if most == 0:
            return 0
        key = np.round(values / most, DIGITS).tobytes()
        place = self._places.setdefault(key, len(self.columns))
        if place == len(self.columns):
            self.columns.append(_simplest(values))
        return [place, rounded(most / float(self.columns[place].max()))]

    def alike(self, length: int) -> tuple[Ints, Ints]:
        """Return the first layer of each kind of equal layers, and the kind of every layer."""
        if not self.columns:
            return np.zeros(1, dtype=np.int64), np.zeros(length, dtype=np.int64)
        stacked = np.stack([np.round(c / c.max(), DIGITS) for c in self.columns])
        _, firsts, kinds = np.unique(stacked, axis=1, return_index=True, return_inverse=True)
        return firsts, kinds.ravel()


def _simplest(values: Floats) -> Floats:
    """A multiple of the values in short numbers: whole ones without a common divisor."""
    whole = np.round(values)
    if float(whole.max()) >= 2**53 or (whole != values).any():
        return np.array(values)
    simplest: Floats = whole / np.gcd.reduce(whole.astype(np.int64))
    return simplest


def packed(values: Iterable[float]) -> list[float]:
    """Return numbers that are not negative in short: after -3, a number stands three times."""
    found: list[float] = []
    for value, run in groupby(map(rounded, values)):
        count = len(list(run))
        found += [-count, value] if count > 2 else [value] * count
    return found


def rounded(value: float, digits: int = 14) -> float:
    """Return a number in so many digits, whole where it is so."""
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short
