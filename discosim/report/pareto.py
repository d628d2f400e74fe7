"""Fronts, best ones and histograms of a grid: rows, tables for people, a few words, pictures."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from discosim.errors import DiscosimError
from discosim.explore.grid.grid import Grid
from discosim.explore.grid.metrics import METRICS
from discosim.explore.grid.records import records, with_axes
from discosim.explore.grid.reduce import DECADES, PER_DECADE, State
from discosim.graph.network import shape_text
from discosim.report.labels import several
from discosim.report.lettering import fitted
from discosim.report.style import (
    COMP,
    LINES,
    legend_right,
    new_figure,
    plain_ticks,
    rc,
    sheet,
    small,
)
from discosim.report.tables import Cells, cells
from discosim.report.titles import counted
from discosim.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORDS = ("model", "hardware", "dtype", "strategy", "overlap", "at")
AXES = ("bandwidth_Bps", "link_latency_s", "compute_macps")
SHOWN_ROWS = 60
"""Rows of a table for people; the files have all."""


def rows(grid: Grid, state: State, *, complete: bool) -> pd.DataFrame:
    """Return a row for each configuration that is kept; `complete` where those are all."""
    if complete:
        return with_axes(grid, dict(state))
    return records(grid, state["number"].astype(np.int64))


def check_found(frame: pd.DataFrame, by: Sequence[str]) -> None:
    """Raise DiscosimError where no configuration has all the metrics."""
    if len(frame):
        return
    hints = [f"{name}: {METRICS[name].missing}" for name in by if METRICS[name].missing]
    raise DiscosimError(f"no configuration has {', '.join(by)}; {'; '.join(hints)}")


def summary(grid: Grid, frame: pd.DataFrame, by: Sequence[str], kept: str) -> list[str]:
    """Return how many configurations there were, what is shown, and the best in each metric."""
    names = ", ".join(_sense(name) for name in by)
    if kept == "pareto":
        count = f"{len(frame):,} of {grid.size:,} configurations are on the front: {names}."
    elif kept == "best":
        count = f"The best {len(frame):,} of {grid.size:,} configurations: {names}."
    else:
        count = f"All {len(frame):,} configurations."
    lines = [count, *(_best(frame, name) for name in by)]
    if len(frame) > SHOWN_ROWS:
        lines.append(f"The first {SHOWN_ROWS} are shown; -o FILE or --format csv gives all.")
    return lines


def _sense(name: str) -> str:
    return f"{'most' if METRICS[name].most else 'least'} {METRICS[name].quantity}"


def _best(frame: pd.DataFrame, name: str) -> str:
    metric = METRICS[name]
    values = frame[metric.column]
    best = values.to_numpy(dtype=float) * (-1 if metric.most else 1)
    row = frame.iloc[int(np.nanargmin(best))]
    s_comm = "" if np.isnan(row["s_comm"]) else f", S_comm {row['s_comm']:.6g}"
    nodes = "one node" if row["nodes"] == 1 else f"{row['nodes']} nodes"
    value = format_quantity(float(row[metric.column]), metric.unit)
    if row["s_comm"] == 1 and row["nodes"] > 1:
        s_comm += ", independent branches, which costs accuracy"
    sense = _sense(name)
    return (
        f"{sense[0].upper()}{sense[1:]}: {value}, {row['strategy']} on {nodes}{s_comm} "
        f"({row['model']}, {row['hardware']})."
    )


def show_rows(frame: pd.DataFrame, by: Sequence[str]) -> Cells:
    """Return rows for people; what never differs is left out."""
    few = frame.head(SHOWN_ROWS)
    names = [name for name in WORDS if name == "strategy" or len(set(frame[name])) > 1]
    names.sort(key=lambda name: name == "strategy" and len(set(frame[name])) == 1)
    names += ["nodes", "s_comm", *(axis for axis in AXES if several(frame[axis])), "latency_s"]
    if (frame["throughput_per_s"] * frame["latency_s"] > 1 + 1e-9).any():
        names.append("throughput_per_s")
    names += ["bytes_per_node", "node_bytes"]
    asked = (METRICS[name].column for name in by)
    names += [column for column in asked if column not in {*names, "pruned"}]
    return dict(cells(name, few[name]) for name in dict.fromkeys(names))


def histogram(state: State, name: str) -> pd.DataFrame:
    """Return `low`, `high` and `count` of each bin between the first and the last that hold any."""
    counts = state["counts"].astype(np.int64)
    used = np.flatnonzero(counts)
    if not len(used):
        return pd.DataFrame({"metric": [], "low": [], "high": [], "count": []})
    bins = np.arange(used[0], used[-1] + 1)
    powers = bins / PER_DECADE + DECADES[0]
    return pd.DataFrame(
        {
            "metric": METRICS[name].column,
            "low": 10.0**powers,
            "high": 10.0 ** (powers + 1 / PER_DECADE),
            "count": counts[bins],
        }
    )


def histogram_summary(grid: Grid, frame: pd.DataFrame, state: State, name: str) -> list[str]:
    """Return how many configurations there were, and how many have no value to show."""
    if frame.empty:
        check_found(frame, [name])
    none = int(state["none"].astype(np.int64)[0])
    most = frame.iloc[int(frame["count"].to_numpy().argmax())]
    low, high = (format_quantity(most[end], METRICS[name].unit) for end in ("low", "high"))
    lines = [
        f"{grid.size:,} configurations by {METRICS[name].quantity}, in tenths of a decade.",
        f"Most, {most['count']:,}, lie between {low} and {high}.",
    ]
    return [*lines, f"{none:,} have none, or zero."] if none else lines


def show_histogram(frame: pd.DataFrame, by: Sequence[str]) -> Cells:
    """Return the bins for people, with a bar each."""
    unit, longest = METRICS[by[0]].unit, frame["count"].max()
    return {
        "from": [format_quantity(value, unit) for value in frame["low"]],
        "to": [format_quantity(value, unit) for value in frame["high"]],
        "configurations": [f"{count:,}" for count in frame["count"]],
        "bar": ["█" * round(40 * count / longest) for count in frame["count"]],
    }


LOG_FROM = 30
"""Largest over smallest value from which an axis is logarithmic."""

PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "u"))
MARKERS = "osD^vP*X"
WITHOUT_PREFIX = frozenset(m.column for m in METRICS.values() if not m.unit)
"""Columns without a unit, which take no prefix."""

MOST_COUNTS = 24
"""Points of a front that have their number of nodes beside them."""


def draw_front(frame: pd.DataFrame, by: Sequence[str]) -> "Figure":
    """Return the front over its first two metrics, a third one as colour, a shape a strategy.

    A front over one metric is drawn over the nodes.
    """
    import matplotlib as mpl

    first = METRICS[by[0]]
    second = METRICS[by[1]] if len(by) > 1 else METRICS["nodes"]
    third = METRICS[by[2]] if len(by) > 2 else None
    with mpl.rc_context(rc()):
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
        if "nodes" not in by and len(frame) <= MOST_COUNTS and several(frame["nodes"]):
            _write_nodes(axes, frame, first.column, second.column)
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
        return fitted(figure)


def _write_nodes(axes: "Axes", frame: pd.DataFrame, first: str, second: str) -> None:
    """Write the number of nodes beside each point."""
    places = zip(
        frame[first] / _factor(frame[first]),
        frame[second] / _factor(frame[second]),
        frame["nodes"],
        strict=True,
    )
    for x, y, nodes in places:
        axes.annotate(
            f"{nodes}",
            (x, y),
            xytext=(4, 3),
            textcoords="offset points",
            fontsize=small(),
            color="#555555",
        )


def draw_histogram(frame: pd.DataFrame, by: Sequence[str], grid: Grid) -> "Figure":
    """Return how many configurations of a grid fall into each tenth of a decade of a metric."""
    import matplotlib as mpl

    metric = METRICS[by[0]]
    factor = _factor(frame["low"])
    with mpl.rc_context(rc()):
        count = f"{frame['count'].sum():,} configurations by {metric.quantity}"
        figure = new_figure(7.0, 3.8, f"{_grid_title(grid)}\n{count}")
        axes = figure.add_subplot()
        low, high = frame["low"] / factor, frame["high"] / factor
        axes.bar(
            low, frame["count"], width=high - low, align="edge", color=COMP, ec="white", lw=0.4
        )
        axes.set_xscale("log")
        plain_ticks(axes.xaxis, float(low.min()), float(high.max()))
        axes.set_xlabel(_label(by[0], frame["low"]))
        axes.set_ylabel("configurations in a tenth of a decade")
        return fitted(figure)


def _title(frame: pd.DataFrame, by: Sequence[str]) -> str:
    """What the front is of; three names of a kind at most."""
    words = [_few(frame["model"] + " at " + frame["input"]), _few(frame["hardware"])]
    names = ", ".join(f"{'most' if METRICS[n].most else 'least'} {METRICS[n].quantity}" for n in by)
    count = f"{len(frame):,} configuration{'s' * (len(frame) > 1)}"
    how = counted(frame["nodes"], frame["s_comm"], frame["overlap"])
    return f"{' on '.join(words)}: {how}\n{count} that none beats: {names}"


def _grid_title(grid: Grid) -> str:
    """What a grid is of."""
    models = _few(
        [f"{base.model} at {shape_text(base.network.input_shape)}" for base in grid.bases]
    )
    hardware = _few([node.name for node in grid.hardware])
    return f"{models} on {hardware}: {counted(grid.nodes, grid.s_comm, grid.overlaps)}"


def _few(names: Iterable[str]) -> str:
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
    if values.name in WITHOUT_PREFIX:
        return 1.0, ""
    sizes = np.abs(values.to_numpy(dtype=float))
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    typical = float(np.median(sizes)) if len(sizes) else 1.0
    return next((prefix for prefix in PREFIXES if typical >= prefix[0]), PREFIXES[-1])


def _label(name: str, values: pd.Series) -> str:
    metric = METRICS[name]
    prefix = _prefix(values)[1]
    if not metric.unit:
        return metric.quantity
    return f"{metric.quantity} [{prefix}{metric.unit}]"


def _scale(axes: "Axes", which: str, values: pd.Series) -> None:
    """Make an axis logarithmic where its values are far apart; start a linear one near zero there.

    Values that are close to each other, as accuracies, begin where the data does.
    """
    from matplotlib.ticker import MaxNLocator

    low, high = float(values.min()), float(values.max())
    axis = axes.xaxis if which == "x" else axes.yaxis
    if low > 0 and (high > LOG_FROM * low or (sheet().log and high > low)):
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        plain_ticks(axis, low, high)
        return
    if values.dtype.kind == "i":
        axis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    if 0 < low < high / 2:
        (axes.set_xlim if which == "x" else axes.set_ylim)(0.0, None)
