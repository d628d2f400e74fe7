"""The picture of `size`: a bar a cluster for each limit, and the limit itself."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from discosim.explore.grid.metrics import METRICS
from discosim.explore.sizing import NAMES
from discosim.report.labels import several
from discosim.report.lettering import fitted, inches_of
from discosim.report.style import (
    COMM,
    COMP,
    SINGLE,
    hatched_bars,
    legend_below,
    new_figure,
    rc,
    sheet,
)
from discosim.report.titles import counted
from discosim.units import format_quantity

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 24
"""Clusters that are drawn, the best ones."""


def draw_size(frame: "pd.DataFrame", overlap: object) -> "Figure":
    """Return a panel for each limit: what each cluster has of it, best first, and the limit."""
    import matplotlib as mpl

    rows = frame.head(MOST)
    limits = [name for name in NAMES if _shown(rows, name)] or ["memory"]
    with mpl.rc_context(rc()):
        left = f", the first {MOST} of {len(frame)}" if len(frame) > MOST else ""
        models, kinds = (", ".join(dict.fromkeys(rows[name])) for name in ("model", "hardware"))
        how = counted(rows["nodes"], rows["s_comm"], [overlap])
        title = f"{models} on {kinds}: the smallest clusters{left}\n{how}"
        names = _names(rows)
        columns = _side_by_side(names, len(limits))
        high = -(-len(limits) // columns)
        width = max(7.0, 3.4 + 2.9 * columns)
        figure = new_figure(width, high * (1.5 + 0.34 * len(rows)), title, rows=high * len(rows))
        panels = figure.subplots(high, columns, sharey=True, squeeze=False).ravel()
        for axes, name in zip(panels, limits, strict=True):
            _draw(axes, rows, name)
        panels[0].set_yticks(np.arange(len(rows)), names)
        panels[0].set_ylim(len(rows) - 0.4, -0.6)
        handles, labels = panels[0].get_legend_handles_labels()
        legend_below(figure, handles, labels, ncols=3)
        return fitted(figure)


def _side_by_side(names: Sequence[str], count: int) -> int:
    """How many panels stand in a row: all, or one where the names leave too little room."""
    width, letters = sheet().inches, sheet().letters
    if width is None:
        return count
    room = width - max(inches_of(name, 0.9 * letters) for name in names)
    return count if room > count * 9 * letters / 72 else 1


def _shown(rows: "pd.DataFrame", name: str) -> bool:
    """Whether a limit is given; that of the profile's memory, where it is missed."""
    if name == "memory":
        return bool((rows["memory_margin"] < 0).any())
    return bool(rows[f"{name}_limit"].notna().any())


def _draw(axes: "Axes", rows: "pd.DataFrame", name: str) -> None:
    """One limit: bars of those that keep all limits, and of those that do not."""
    metric = METRICS[name]
    values = rows[metric.column].to_numpy(dtype=float)
    limits = rows[f"{name}_limit"].to_numpy(dtype=float)
    feasible = rows["feasible"].to_numpy(dtype=bool)
    places = np.arange(len(rows))
    hatched_bars(axes, values, feasible, ("keeps all limits", "does not"), (COMP, COMM))
    ends = [*values, *limits]
    axes.set_xlim(0, 1.08 * float(np.nanmax(ends)))
    axes.vlines(
        limits, places - 0.5, places + 0.5, colors=SINGLE, ls=(0, (4, 2)), lw=1.6, label="limit"
    )
    axes.xaxis.set_major_formatter(lambda value, _: format_quantity(value, metric.unit))
    axes.locator_params(axis="x", nbins=3 if sheet().inches is None else 2)
    axes.set_title(metric.quantity)
    axes.set_xlabel(f"limit: at {'least' if metric.most else 'most'}")


def _names(rows: "pd.DataFrame") -> list[str]:
    """What tells the clusters apart."""
    columns = [name for name in ("model", "hardware") if several(rows[name])]
    names = []
    for row in rows.to_dict("records"):
        knob = f" at {row['s_comm']:.4g}" if row["s_comm"] == row["s_comm"] else ""
        count = f"{row['nodes']} node{'s' * (row['nodes'] > 1)}"
        names.append(
            ", ".join([*(str(row[name]) for name in columns), row["strategy"] + knob, count])
        )
    return names
