"""The picture of a validation: measured against predicted, and the layers' errors."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discosim.report.style import LINES, RC, SINGLE, new_figure, plain_ticks, time_unit
from discosim.validate.levels import LEVELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKS = {"none": "o", "layer": "s"}
LEVEL_COLOURS = dict(zip(LEVELS, (LINES[4], LINES[3], LINES[1]), strict=True))


def draw_validation(records: pd.DataFrame, rows: pd.DataFrame, title: str) -> "Figure":
    """Return predicted over measured latency, and how the layers' errors are distributed.

    On the diagonal prediction and measurement agree; a hollow mark is inconclusive.
    """
    import matplotlib as mpl

    with mpl.rc_context(RC):
        figure = new_figure(11.0, 5.4, title)
        left, right = figure.subplots(1, 2)
        _draw_latencies(left, records)
        _draw_layers(right, rows)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        return figure


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
        axes.step(errors, share, where="post", color=LINES[number], label=name)
    axes.axvline(0, color=SINGLE, lw=1)
    axes.set(
        xlabel="predicted against measured [%]",
        ylabel="fraction of layers",
        title="each layer, profiled level",
        xlim=(-100, 100),
        ylim=(0, 1),
    )
    axes.legend(fontsize=8)
