"""`evidence`: published latencies beside what the profiles say."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath
from typing import TYPE_CHECKING

from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.hearing import command
from discosim.errors import DiscosimError, suggest
from discosim.evidence import names
from discosim.evidence.fitting import shipped_fit, shipped_fits
from discosim.evidence.measured import read_measured, shipped_table
from discosim.evidence.own_rows import by_own_rows
from discosim.evidence.predict import Judged, fitted_boards, predict
from discosim.report import evidence as report
from discosim.report.tables import Cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, kw_only=True)
class Evidence(Answer):
    """Every measurement with its prediction; the table has a row a profile, or all of a device."""

    predictions: tuple[Judged, ...]
    every: bool

    @cached_property
    def _frame(self) -> "pd.DataFrame":
        """One row a measurement."""
        return report.evidence_frame(self.predictions)

    @cached_property
    def lines(self) -> list[str]:
        """The errors on networks that were not fitted, and what could not be predicted."""
        return report.findings(self.predictions)

    @cached_property
    def cells(self) -> Cells:
        """One row a profile, or with `device` one a measurement."""
        shown = report.show_rows if self.every else report.show_profiles_errors
        return shown(self.predictions)

    def plot(self) -> "Figure":
        """Return measured against predicted times."""
        return report.draw_evidence(self.predictions)


@command
def evidence(
    *,
    measured: "str | PathLike[str] | None" = None,
    device: str | None = None,
    profiles: str | Sequence[str] | None = None,
) -> Evidence:
    """Return published latencies beside predictions, those of fitted networks by profiles without.

    measured: a table of the columns of `hardware_profiles/measured.csv`, by default that one;
    device: only rows of it; profiles: names or .toml files in place of all shipped ones, without
    which rows of devices that have none are predicted by the other rows of their table. Raises
    DiscosimError with all faults of the table.
    """
    table = shipped_table() if measured is None else fspath(measured)
    rows = read_measured(table)
    if device is not None:
        wanted = names.device_words(device)
        known = sorted({row.device for row in rows})
        rows = [row for row in rows if wanted <= names.device_words(row.device)]
        if not rows:
            raise DiscosimError(f"no row of device {device!r}; {suggest(device, known)}")
    paths = None if profiles is None else given.names(profiles)
    predictions = predict(rows, fitted_boards(paths), shipped_fits)
    if paths is None:
        predictions = by_own_rows(predictions, shipped_fit)
    return Evidence(predictions=tuple(predictions), every=device is not None)
