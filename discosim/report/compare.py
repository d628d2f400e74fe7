"""The picture of `compare`: a bar a row."""

from typing import TYPE_CHECKING

import numpy as np

from discosim.errors import DiscosimError
from discosim.report.labels import adds_up, bar_names, singles, title
from discosim.report.lettering import fitted
from discosim.report.style import (
    COMM,
    COMP,
    SINGLE,
    legend_below,
    new_figure,
    rc,
    sheet,
    small,
    time_unit,
)
from discosim.units import format_quantity

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BARS = 400


def draw_compare(frame: "pd.DataFrame") -> "Figure":
    """Return a bar per row: communication and computation, the latency at its end.

    A dashed line is one node alone.
    """
    import matplotlib as mpl

    count = len(frame)
    if count > MOST_BARS:
        raise DiscosimError(f"{count:,} rows are too many bars; wanted at most {MOST_BARS}")
    with mpl.rc_context(rc()):
        single = singles(frame)
        factor, unit = time_unit([*frame["latency_s"], *single.values()])
        figure = new_figure(9.0, 1.8 + (0.4 if count <= 30 else 0.24) * count, title(frame))
        axes: Axes = figure.subplots()
        places = np.arange(count)
        latency = frame["latency_s"].to_numpy() / factor
        comp = np.minimum(frame["comp_s"].to_numpy() / factor, latency)
        axes.barh(places, comp, height=0.7, color=COMP, alpha=0.85, label="computation")
        hidden = "communication" if adds_up(frame) else "communication not hidden"
        axes.barh(
            places, latency - comp, height=0.7, left=comp, color=COMM, alpha=0.65, label=hidden
        )
        alone = (frame["latency_s"] * frame["speedup_vs_single"]).to_numpy() / factor
        value = f": {format_quantity(float(alone[0]) * factor, 's')}" if len(single) == 1 else ""
        axes.vlines(
            alone,
            places - 0.5,
            places + 0.5,
            colors=SINGLE,
            ls=(0, (4, 2)),
            lw=1.4,
            label="one node" + value,
        )
        for place, end, seconds in zip(places, latency, frame["latency_s"], strict=True):
            axes.annotate(
                format_quantity(float(seconds), "s"),
                (float(end), float(place)),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=small(),
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.85},
            )
        axes.set_yticks(places, bar_names(frame))
        axes.set_ylim(count - 0.4, -0.6)
        axes.grid(False, axis="y")
        axes.set(xlabel=f"latency [{unit}]", xlim=(0, _room() * max(latency.max(), alone.max())))
        legend_below(figure, ncols=3)
        return fitted(figure)


def _room() -> float:
    """How far the axis goes beyond the longest bar, for the letters at its end."""
    width = sheet().inches
    return 1.13 if width is None else 1.13 + 0.06 * sheet().letters / width
