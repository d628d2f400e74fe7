"""Measurements beside predictions: as data, in words, as tables and as a picture."""

from collections import Counter
from collections.abc import Sequence
from math import nan
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discosim.evidence.own_rows import OWN_ROWS
from discosim.evidence.predict import APART, Judged, pairs_right
from discosim.report.lettering import fitted
from discosim.report.style import COMM, COMP, SINGLE, legend_below, new_figure, plain_ticks, rc
from discosim.report.tables import Cells
from discosim.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BAND = 0.2
"""The band of the picture, about equality."""

OWN_PROFILE = (
    "A profile of other rows: discosim fit FILE --device … --hw-out mine.toml, then --hw mine.toml."
)

MOST_REASONS = 12
"""Why rows are not predicted: reasons that have a line each."""


def evidence_frame(predictions: Sequence[Judged]) -> pd.DataFrame:
    """Return one row a measurement; what could not be predicted has a reason and no numbers."""
    return pd.DataFrame(
        [
            {
                "device": each.measured.device,
                "runtime": each.measured.runtime,
                "network": each.measured.network,
                "input": each.measured.input,
                "dtype": each.measured.dtype,
                "threads": each.measured.threads,
                "nodes": each.measured.nodes,
                "measured_s": each.measured.seconds,
                "predicted_s": each.predicted_s,
                "error": each.error,
                "held_out_s": each.held_out_s,
                "held_out_error": each.held_out_error,
                "fitted": each.fitted,
                "profile": each.profile,
                "source": each.measured.source,
                "reason": each.reason,
            }
            for each in predictions
        ]
    ).astype({"measured_s": float})


def predicted_rows(predictions: Sequence[Judged]) -> list[Judged]:
    """Return those that a profile says something of."""
    return [each for each in predictions if not each.reason]


def judged_rows(predictions: Sequence[Judged]) -> list[Judged]:
    """Return those whose network their profile was not fitted to, or is known without."""
    return [each for each in predicted_rows(predictions) if np.isfinite(each.held_out_s)]


def one_node_rows(predictions: Sequence[Judged]) -> list[Judged]:
    """Return those that are latencies of one inference on one node."""
    return [e for e in predictions if e.measured.seconds is not None and e.measured.nodes == 1]


def off_by(each: Judged) -> float:
    """Return by what factor a prediction of a network that was not fitted is off, from 1 up."""
    ratio = 1.0 + each.held_out_error
    return max(ratio, 1.0 / ratio)


def median_error(predictions: Sequence[Judged]) -> float:
    """Return the median error on networks that were not fitted, as a fraction, NaN of none."""
    errors = [abs(each.held_out_error) for each in judged_rows(predictions)]
    return float(median(errors)) if errors else nan


def by_profile(predictions: Sequence[Judged]) -> dict[str, list[Judged]]:
    """Return what each profile predicts, in the order of the rows."""
    found: dict[str, list[Judged]] = {}
    for each in predicted_rows(predictions):
        found.setdefault(each.profile, []).append(each)
    return found


def show_profiles_errors(predictions: Sequence[Judged]) -> Cells:
    """Return one row a profile: its errors on networks that were not fitted."""
    names = ("profile", "device", "runtime", "rows", "median error [%]", "worst", "pairs right")
    cells: dict[str, list[str]] = {name: [] for name in names}
    for profile, each in by_profile(predictions).items():
        judged = judged_rows(each)
        right, total = pairs_right(judged)
        values = (
            profile,
            each[0].measured.device,
            each[0].kind.engine if each[0].kind else "",
            str(len(each)),
            f"{100 * median_error(judged):.0f}" if judged else "-",
            f"{max(off_by(one) for one in judged):.2f}x" if judged else "-",
            f"{right}/{total}",
        )
        for name, value in zip(names, values, strict=True):
            cells[name].append(value)
    return cells


def show_rows(predictions: Sequence[Judged]) -> Cells:
    """Return one row a measurement, for people."""

    def time(seconds: float | None) -> str:
        known = seconds is not None and np.isfinite(seconds)
        return format_quantity(float(seconds or 0.0), "s") if known else "-"

    def percent(error: float) -> str:
        return f"{100 * error:+.0f}" if np.isfinite(error) else "-"

    several = any(each.measured.nodes > 1 for each in predictions)
    nodes = {"nodes": [str(each.measured.nodes) for each in predictions]} if several else {}
    return {
        "runtime": [each.measured.runtime for each in predictions],
        "network": [each.measured.network for each in predictions],
        "input": [each.measured.input for each in predictions],
        "dtype": [each.measured.dtype for each in predictions],
        "threads": [each.measured.threads or "-" for each in predictions],
        **nodes,
        "measured": [time(each.measured.seconds) for each in predictions],
        "predicted": [time(each.predicted_s) for each in predictions],
        "error [%]": [percent(each.error) for each in predictions],
        "not fitted [%]": [percent(each.held_out_error) for each in predictions],
        "reason": [each.reason or "-" for each in predictions],
    }


def findings(predictions: Sequence[Judged]) -> list[str]:
    """Return the errors in words, and what could not be predicted."""
    rows, said = one_node_rows(predictions), predicted_rows(predictions)
    judged, lines = judged_rows(predictions), []
    if judged:
        lines.append(headline(predictions))
        right, total = pairs_right(judged)
        worst = max(judged, key=off_by)
        pairs = f"{100 * right / total:.1f} % of {total} pairs" if total else "no pairs"
        lines.append(
            f"The faster of two networks is named right in {pairs} that differ by over "
            f"{100 * APART:.0f} %; the worst prediction is off by {off_by(worst):.2f}x: "
            f"{worst.measured.network} on {worst.measured.device}, {worst.measured.runtime}."
        )
    seen = [each for each in said if not np.isfinite(each.held_out_s)]
    if seen:
        off = median(abs(each.error) for each in seen)
        by = " and ".join(sorted({each.profile for each in seen}))
        lines.append(
            f"Not judged, {len(seen)} of {len(said)}: networks that {by} was fitted to, on which "
            f"it is off by {100 * off:.0f} % (median)."
        )
    own = [each for each in said if each.profile.startswith(OWN_ROWS)]
    if own:
        lines.append(
            f"Without a profile, {len(own)} of {len(said)}: predicted by numbers fitted to the "
            "table's own rows, each network by those without it; discosim fit keeps such numbers."
        )
    alone = [each for each in said if each.measured.nodes == 1]
    share = f" ({100 * len(alone) / len(rows):.0f} %)" if rows else ""
    lines.append(f"Covered: {len(alone)} of {len(rows)} rows of one node{share}.")
    split = [each for each in said if each.measured.nodes > 1]
    if split:
        lines.append(
            f"Of several nodes: {len(split)} rows that say how they split the network, off by "
            f"{100 * median_error(split):.0f} % (median)."
        )
    reasons = Counter(each.reason for each in predictions if each.reason).most_common(MOST_REASONS)
    lines += [f"Not predicted, {count} of {len(predictions)}: {reason}"
              for reason, count in reasons]  # fmt: skip
    left = len(predictions) - len(said) - sum(count for _, count in reasons)
    lines += [f"Not predicted for other reasons: {left}."] if left else []
    return lines if said else [*lines, OWN_PROFILE]


def headline(predictions: Sequence[Judged]) -> str:
    """Return the one line: how far predictions of networks that were not fitted are off."""
    said = judged_rows(predictions)
    count = len({each.measured.device for each in said})
    return (
        f"Over {len(said)} published latencies of {count} device{'s' * (count > 1)}, predictions "
        f"of networks that were not fitted are off by {100 * median_error(said):.0f} % (median)."
    )


def draw_evidence(predictions: Sequence[Judged]) -> "Figure":
    """Return measured against predicted times: hollow as fitted, solid without the network."""
    from matplotlib import rc_context

    said = predicted_rows(predictions)
    measured = np.array([each.measured.seconds for each in said], dtype=float)
    seen = np.array([each.fitted for each in said], dtype=bool)
    with rc_context(rc()):
        figure = new_figure(6.4, 6.0, "Published latencies beside predictions")
        axes = figure.subplots()
        if len(said):
            both = np.array([measured.min() / 2, measured.max() * 2])
            axes.fill_between(both, both * (1 - BAND), both * (1 + BAND), color="#DDDDDD",
                              label=f"within {100 * BAND:.0f} %")  # fmt: skip
            axes.plot(both, both, color=SINGLE, linewidth=0.8)
            axes.plot(measured[seen], np.array([e.predicted_s for e in said])[seen], "o",
                      markersize=4, markerfacecolor="none", color=COMM,
                      label="fitted to this network too")  # fmt: skip
            axes.plot(measured, [each.held_out_s for each in said], "o", markersize=2.5, color=COMP,
                      label="not fitted to this network")  # fmt: skip
            axes.set(xscale="log", yscale="log", xlabel="measured [s]", ylabel="predicted [s]")
            for axis in (axes.xaxis, axes.yaxis):
                plain_ticks(axis, *both)
            legend_below(figure, ncols=3)
        return fitted(figure)
