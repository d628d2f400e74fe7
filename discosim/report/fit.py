"""Numbers fitted to published latencies: as data, as a table and in words."""

from collections.abc import Sequence

import pandas as pd

from discosim.evidence.fitting import Fit, Target
from discosim.evidence.profiles import CARRIED, fixed
from discosim.evidence.work import AMOUNTS
from discosim.report.tables import Cells
from discosim.units import format_quantity

UNITS = {"memory": "B/s", "spill": "B/s", "call": "s", "run": "s"}
"""Of a number; that of an operator class is a rate of MACs."""


def fit_frame(fit: Fit, kinds: Sequence[Target]) -> pd.DataFrame:
    """Return one row a measurement: what was measured, what is fitted, what it is without it."""
    rows = [row for kind in kinds for row in fit.rows_of(kind)]
    return pd.DataFrame(
        [
            {
                "network": row.name,
                "input": row.measured.input,
                "dtype": row.kind.dtype,
                "measured_s": row.seconds,
                "fitted_s": fit.fitted_s(row),
                "fitted_error": fit.fitted_s(row) / row.seconds - 1,
                "held_out_s": fit.held_out_s(row),
                "held_out_error": fit.held_out_s(row) / row.seconds - 1,
                "source": row.measured.source,
            }
            for row in rows
        ]
    )


def show_numbers(fit: Fit, kinds: Sequence[Target]) -> Cells:
    """Return one row a number and data type: its value, and how far the rows say it."""
    spills = any(row.amounts[AMOUNTS.index("spill")] for k in kinds for row in fit.rows_of(k))
    cells: dict[str, list[str]] = {n: [] for n in ("number", "dtype", "value", "from the rows [%]")}
    for kind in kinds:
        for name, seconds, share in zip(
            AMOUNTS, fit.seconds_each(kind), fit.carried(kind), strict=True
        ):
            if name == "spill" and not spills:
                continue
            unit = UNITS.get(name, "MAC/s")
            value = seconds if unit == "s" else 1.0 / seconds
            cells["number"].append(name)
            cells["dtype"].append(kind.dtype)
            cells["value"].append(format_quantity(float(value), unit))
            cells["from the rows [%]"].append(f"{100 * share:.0f}")
    return cells


def fit_findings(fit: Fit, kinds: Sequence[Target]) -> list[str]:
    """Return how well the numbers fit, and which of them the rows do not carry."""
    rows = [row for kind in kinds for row in fit.rows_of(kind)]
    networks = {row.name for row in rows}
    lines = [
        f"{rows[0].measured.device}, {kinds[0].engine}: {len(rows)} rows of {len(networks)} "
        f"networks; residual {100 * fit.residual(kinds):.0f} % (median).",
        f"Each network predicted by numbers fitted without it: "
        f"{100 * fit.held_out_error(kinds):.0f} % (median).",
    ]
    few = fixed(fit, kinds)
    if few:
        lines.append(
            f"Held near what other devices have, as the rows say less than {100 * CARRIED:.0f} % "
            f"of them: {', '.join(few)}."
        )
    return lines
