"""One row per published number: what is printed, what is computed, and whether they agree."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from discosim.published import Published, entry

FITS, DIFFERS, NOT_PUBLISHED = "fits", "differs", "not published"

INTEGERS = 0.5
"""Tolerance of percentages that are printed as integers, in points."""

EXACT = 1e-6
"""Tolerance of what the paper states as an identity, in points."""

DECIMALS = 9
"""What is left of a number is noise of floating point."""

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Row:
    """A published number beside the computed one.

    computed: NaN where it is only quoted; bound: "at most" or "at least" where the paper gives
    only that, and the error is what is missing; differs: why it is expected not to fit;
    note: what a reader has to know of one that fits; average: over all layers, as `discosim
    compare` counts it.
    """

    id: str
    where: str
    published: float
    computed: float
    tolerance: float = INTEGERS
    accuracy: float = NAN
    average: float = NAN
    bound: str = ""
    differs: str = ""
    note: str = ""

    @property
    def error(self) -> float:
        """Computed less published; beyond a bound, by how much it is missed."""
        gap = self.computed - self.published
        if self.bound == "at most":
            return max(0.0, gap)
        return min(0.0, gap) if self.bound == "at least" else gap

    @property
    def status(self) -> str:
        """Fits, differs, or not published: there is nothing to compare."""
        if np.isnan(self.published) or np.isnan(self.computed):
            return NOT_PUBLISHED
        return FITS if abs(self.error) <= self.tolerance + 1e-9 else DIFFERS

    @property
    def reason(self) -> str:
        """Why it differs, or what is to be known."""
        if self.status == DIFFERS:
            return self.differs or "unexpected: this number should fit"
        return self.note

    @property
    def agrees(self) -> bool:
        """False where a number that should fit does not."""
        return self.status != DIFFERS or bool(self.differs)


def compared(
    given: Published,
    computed: float,
    *,
    tolerance: float = INTEGERS,
    average: float = NAN,
    bound: str = "",
    differs: str = "",
    note: str = "",
) -> Row:
    """Return the row of a published number."""
    return Row(
        given.id,
        given.where,
        given.number,
        computed,
        tolerance,
        given.accuracy_number,
        average,
        bound,
        differs,
        note,
    )


def claim(
    identity: str,
    computed: float,
    *,
    tolerance: float = INTEGERS,
    bound: str = "",
    differs: str = "",
    note: str = "",
) -> Row:
    """Return the row of the published number with this id."""
    return compared(
        entry(identity), computed, tolerance=tolerance, bound=bound, differs=differs, note=note
    )


def unpublished(identity: str, where: str, computed: float, note: str) -> Row:
    """Return a row of a number that the paper does not print."""
    return Row(identity, where, NAN, computed, NAN, note=note)


COLUMNS = (
    *("id", "where", "published", "computed", "error", "tolerance", "status", "reason"),
    *("accuracy", "average", "agrees"),
)


def frame(rows: Iterable[Row]) -> pd.DataFrame:
    """Return the rows as a frame with COLUMNS; percentages are in percent, as printed."""
    made = pd.DataFrame([{name: getattr(row, name) for name in COLUMNS} for row in rows])
    numbers = [str(name) for name in made.select_dtypes("number")]
    return made.assign(**{name: made[name].round(DECIMALS) + 0.0 for name in numbers})
