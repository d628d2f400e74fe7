"""Measured against predicted: tables for people, the document that is kept, the picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discosim.evidence.measured import written
from discosim.report.lettering import fitted
from discosim.report.style import (
    LINES,
    SINGLE,
    columns_of_panels,
    legend_below,
    new_figure,
    plain_ticks,
    rc,
    time_unit,
)
from discosim.report.tables import Cells, in_columns
from discosim.units import format_quantity
from discosim.validate.calibration import RUNTIME
from discosim.validate.drift import MOST_BAND, MOST_MOVED
from discosim.validate.judge import counts_exact, held_out, mean_error, order_right
from discosim.validate.levels import LEVELS, Validation
from discosim.validate.records import ValidationFile
from discosim.validate.splits import has_knob

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KEYS = ["strategy", "overlap", "s_comm"]


def show_validation(frame: pd.DataFrame) -> Cells:
    """Return one row a configuration: measured, and each level's prediction and error."""
    rows = []
    for (strategy, overlap, s_comm), group in frame.groupby(KEYS, sort=False):
        first = group.iloc[0]
        row: dict[str, str] = {
            "strategy": str(strategy),
            "overlap": str(overlap),
            "S_comm": f"{s_comm:g}" if has_knob(str(strategy)) else "",
            "measured": format_quantity(float(first["measured_s"]), "s"),
            "spread [%]": f"{100 * first['spread']:.1f}",
            "band [%]": "-" if pd.isna(first["band"]) else f"{100 * first['band']:.1f}",
        }
        for level, each in group.set_index("level").iterrows():
            said = format_quantity(float(each["predicted_s"]), "s")
            row[f"{level} (error)"] = f"{said} ({100 * each['error']:+.0f} %)"
        link, node = first["link_share"], first["node_share"]
        row["dominates"] = "link" if link > node else "computation"
        row["verdict"] = "" if first["conclusive"] else "inconclusive"
        rows.append(row)
    return in_columns(rows)


def validation_findings(validation: Validation) -> list[str]:
    """Return how it was measured, how far each level is off, and what that is worth."""
    records, about = validation.records, validation.about
    lines = [
        f"Link: {about.link}; measured {format_quantity(about.link_Bps, 'B/s')} and "
        f"{format_quantity(about.link_latency_s, 's')} a message."
    ]
    unseen = held_out(records)
    for level in LEVELS:
        right, total = order_right(records, level)
        text = f"{level}: mean absolute error {_percent(mean_error(records, level))}"
        if unseen:
            text += f", {_percent(mean_error(unseen, level))} at S_comm that were not profiled"
        told = f"the faster of two is named right in {right} of {total} pairs"
        if not total:
            told = "no two configurations are further apart than that, to be told which is faster"
        lines.append(f"{text}; {told}.")
    errors = np.array([abs(row.error) for row in validation.rows])
    middle, high = np.percentile(errors, [50, 90])
    lines.append(
        f"Layer by layer, profiled: half are within {_percent(middle)}, "
        f"nine of ten within {_percent(high)}."
    )
    same = "are the model's, exactly" if counts_exact(records) else "are NOT the model's"
    off = max(record.output_error for record in records)
    lines.append(
        f"Bytes and messages on the wire {same}; outputs are within {off:.2g} of those of the "
        "same network on one process."
    )
    unsure = {(r.strategy, r.overlap, r.s_comm) for r in records if not r.conclusive}
    if unsure:
        lines.append(
            f"{len(unsure)} of {len(records) // len(LEVELS)} configurations are inconclusive: "
            "too few runs had cores of their own at a steady speed, the machine's speed moved by "
            f"over {_percent(MOST_MOVED)} between what was profiled and what is judged by it, or "
            f"the band of both is wider than {_percent(MOST_BAND)}. Where others are not, the "
            "errors above leave them out: theirs say more of the machine than of the model."
        )
    return lines


def to_document(validation: Validation, command: str) -> str:
    """Return the JSON that is kept of a validation: command, machine, records, layers."""
    return ValidationFile(
        command=command,
        about=validation.about,
        records=validation.records,
        layers=validation.rows,
    ).to_json()


def to_table(validation: Validation, size: Sequence[int] | None) -> str:
    """Return the measured times as a table for `evidence --measured`: one row a configuration."""
    about = validation.about
    rows = [
        (
            about.machine, RUNTIME, record.model, "x".join(map(str, size or ())), "fp32", 1,
            record.nodes, f"{record.bandwidth_Bps / 1e6:g}MB/s full-mesh", "latency",
            f"{1e3 * record.measured_s:.4g}", "ms", f"discosim validate, {about.date}", "",
            f"strategy {record.strategy}; S_comm {record.s_comm:g}; overlap {record.overlap}",
        )
        for record in validation.records
        if record.conclusive and record.level == validation.records[0].level
    ]  # fmt: skip
    return written(rows)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


MARKS = {"none": "o", "layer": "s"}
LEVEL_COLOURS = dict(zip(LEVELS, (LINES[4], LINES[6], LINES[1]), strict=True))


def draw_validation(records: pd.DataFrame, rows: pd.DataFrame, title: str) -> "Figure":
    """Return predicted over measured latency, and how the layers' errors are distributed.

    On the diagonal prediction and measurement agree; a hollow mark is inconclusive.
    """
    import matplotlib as mpl

    with mpl.rc_context(rc()):
        columns = columns_of_panels(2, 22)
        figure = new_figure(5.5 * columns, 5.4 * (2 // columns), title)
        left, right = figure.subplots(2 // columns, columns).ravel()
        _draw_latencies(left, records)
        _draw_layers(right, rows)
        legend_below(figure, ncols=4)
        return fitted(figure)


def _draw_latencies(axes: "Axes", records: pd.DataFrame) -> None:
    both = records[["measured_s", "predicted_s"]].to_numpy()
    factor, unit = time_unit(both.ravel())
    low, high = both.min() / factor / 1.3, both.max() / factor * 1.3
    axes.plot([low, high], [low, high], color=SINGLE, lw=1, label="measured = predicted")
    axes.fill_between(
        [low, high], [0.9 * low, 0.9 * high], [1.1 * low, 1.1 * high], color="#DDDDDD", lw=0,
        label="within 10 %", zorder=0,
    )  # fmt: skip
    for (level, overlap), group in records.groupby(["level", "overlap"], sort=False):
        colour = LEVEL_COLOURS[str(level)]
        name = "serial" if overlap == "none" else "overlapped"
        label = f"{level}, {name}"
        for sure, part in group.groupby("conclusive", sort=False):
            axes.plot(
                part["measured_s"] / factor,
                part["predicted_s"] / factor,
                MARKS[str(overlap)],
                color=colour,
                markerfacecolor=colour if sure else "none",
                label=label if sure or not group["conclusive"].any() else None,
            )
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        plain_ticks(axis, low, high)
    axes.set(
        xlabel=f"measured [{unit}]",
        ylabel=f"predicted [{unit}]",
        title="latency; hollow: inconclusive",
    )


def _draw_layers(axes: "Axes", rows: pd.DataFrame) -> None:
    for number, (overlap, group) in enumerate(rows.groupby("overlap", sort=False)):
        errors = np.sort(group["error"].to_numpy()) * 100
        share = np.arange(1, len(errors) + 1) / len(errors)
        name = "serial" if overlap == "none" else "overlapped"
        dashes = ("-", (0, (4, 1.5)))[number % 2]
        axes.step(errors, share, where="post", color=LINES[number], ls=dashes,
                  label=f"layers, {name}")  # fmt: skip
    axes.axvline(0, color=SINGLE, lw=1)
    axes.set(
        xlabel="predicted against measured [%]",
        ylabel="fraction of layers",
        title="each layer, profiled level",
        xlim=(-100, 100),
        xticks=(-50, 0, 50),
        ylim=(0, 1),
    )
