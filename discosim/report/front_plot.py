"""Pictures of a front, and of how many configurations fall where."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from discosim.explore.grid.metrics import METRICS
from discosim.report.style import COMP, LINES, RC, legend_right, new_figure, plain_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOG_FROM = 30
"""Largest over smallest value from which an axis is logarithmic."""

PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "u"))
MARKERS = "osD^vP*X"


def draw_front(frame: pd.DataFrame, by: Sequence[str]) -> "Figure":
    """Return the front over its first two metrics, a third one as colour, a shape a strategy.

    A front over one metric is drawn over the nodes.
    """
    import matplotlib as mpl

    first = METRICS[by[0]]
    second = METRICS[by[1]] if len(by) > 1 else METRICS["nodes"]
    third = METRICS[by[2]] if len(by) > 2 else None
    with mpl.rc_context(RC):
        figure = new_figure(7.6, 4.6, _title(frame, by))
        axes = figure.add_subplot()
        shades = frame[third.column] / _factor(frame[third.column]) if third is not None else None
        artist: Any = None
        for place, (name, rows) in enumerate(frame.groupby("strategy", sort=False)):
            look: Any = {"color": LINES[(place + 1) % len(LINES)]}
            if shades is not None:
                ends = {"vmin": shades.min(), "vmax": shades.max()}
                look = {"c": shades[rows.index], "cmap": "viridis", **ends}
            artist = axes.scatter(
                rows[first.column] / _factor(frame[first.column]),
                rows[second.column] / _factor(frame[second.column]),
                marker=MARKERS[place % len(MARKERS)],
                s=34,
                edgecolors="#333333",
                linewidths=0.4,
                label=str(name),
                **look,
            )
        if len(by) == 2:
            _staircase(axes, frame, by)
        _scale(axes, "x", frame[first.column])
        _scale(axes, "y", frame[second.column])
        axes.set_xlabel(_label(by[0], frame[first.column]))
        axes.set_ylabel(_label(by[1] if len(by) > 1 else "nodes", frame[second.column]))
        if third is not None and artist is not None:
            figure.colorbar(artist, ax=axes, label=_label(by[2], frame[third.column]))
        handles, labels = axes.get_legend_handles_labels()
        legend = legend_right(figure, handles, labels)
        for handle in legend.legend_handles if third is not None else []:
            if handle is not None:
                handle.set(array=None, facecolor="white")  # the colour is the third metric's
    return figure


def draw_histogram(frame: pd.DataFrame, by: Sequence[str]) -> "Figure":
    """Return how many configurations fall into each tenth of a decade of a metric."""
    import matplotlib as mpl

    metric = METRICS[by[0]]
    factor = _factor(frame["low"])
    with mpl.rc_context(RC):
        count = f"{frame['count'].sum():,} configurations by {metric.quantity}"
        figure = new_figure(7.0, 3.8, count)
        axes = figure.add_subplot()
        low, high = frame["low"] / factor, frame["high"] / factor
        axes.bar(
            low, frame["count"], width=high - low, align="edge", color=COMP, ec="white", lw=0.4
        )
        axes.set_xscale("log")
        plain_ticks(axes.xaxis, float(low.min()), float(high.max()))
        axes.set_xlabel(_label(by[0], frame["low"]))
        axes.set_ylabel("configurations in a tenth of a decade")
    return figure


def _title(frame: pd.DataFrame, by: Sequence[str]) -> str:
    """What the front is of; three names of a kind at most."""
    words = [_few(frame["model"] + " at " + frame["input"]), _few(frame["hardware"])]
    names = ", ".join(f"{'most' if METRICS[n].most else 'least'} {METRICS[n].quantity}" for n in by)
    return f"{' on '.join(words)}\n{len(frame):,} configurations that none beats: {names}"


def _few(names: pd.Series) -> str:
    different = list(dict.fromkeys(names))
    more = f" and {len(different) - 3} more" if len(different) > 3 else ""
    return ", ".join(different[:3]) + more


def _staircase(axes: "Axes", frame: pd.DataFrame, by: Sequence[str]) -> None:
    """Join the points: behind the line nothing is better in both."""
    first, second = (METRICS[name].column for name in by)
    rows = frame.sort_values(first)
    axes.step(
        rows[first] / _factor(frame[first]),
        rows[second] / _factor(frame[second]),
        where="post" if not METRICS[by[0]].most else "pre",
        color="#999999",
        lw=1.0,
        zorder=0,
    )


def _factor(values: pd.Series) -> float:
    return _prefix(values)[0]


def _prefix(values: pd.Series) -> tuple[float, str]:
    """The power of a thousand in which most of the values read easily."""
    sizes = np.abs(values.to_numpy(dtype=float))
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    typical = float(np.median(sizes)) if len(sizes) else 1.0
    return next((prefix for prefix in PREFIXES if typical >= prefix[0]), PREFIXES[-1])


def _label(name: str, values: pd.Series) -> str:
    metric = METRICS[name]
    factor, prefix = _prefix(values)
    if not metric.unit:
        return metric.quantity if factor == 1.0 else f"{metric.quantity} [1/{1 / factor:g}]"
    return f"{metric.quantity} [{prefix}{metric.unit}]"


def _scale(axes: "Axes", which: str, values: pd.Series) -> None:
    """Make an axis logarithmic where its values are far apart, and start a linear one at zero."""
    low, high = float(values.min()), float(values.max())
    axis = axes.xaxis if which == "x" else axes.yaxis
    if low > 0 and high > LOG_FROM * low:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        plain_ticks(axis, low, high)
        return
    if low > 0:
        (axes.set_xlim if which == "x" else axes.set_ylim)(0.0, None)
