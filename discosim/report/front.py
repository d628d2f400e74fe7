"""Fronts, best ones and histograms of a grid: as rows, as tables for people, in a few words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from discosim.errors import DiscosimError
from discosim.explore.grid.grid import Grid
from discosim.explore.grid.metrics import METRICS
from discosim.explore.grid.records import records, with_axes
from discosim.explore.grid.reduce import DECADES, PER_DECADE, State
from discosim.report.labels import several
from discosim.report.tables import scaled
from discosim.units import format_quantity

WORDS = ("model", "hardware", "dtype", "strategy", "overlap", "at")
AXES = (
    ("bandwidth", "bandwidth_Bps", "B"),
    ("message", "link_latency_s", "s"),
    ("compute", "compute_macps", ""),
)
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
    sense = _sense(name)
    return (
        f"{sense[0].upper()}{sense[1:]}: {value}, {row['strategy']} on {nodes}{s_comm} "
        f"({row['model']}, {row['hardware']})."
    )


def show_rows(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return rows for people; what never differs is left out."""
    few = frame.head(SHOWN_ROWS)
    cells: dict[str, list[str]] = {}
    for name in WORDS:
        if (frame[name] != frame[name].iloc[0]).any():
            cells[name] = list(few[name])
    if "strategy" not in cells:
        cells["strategy"] = list(few["strategy"])
    cells["N"] = [str(nodes) for nodes in few["nodes"]]
    cells["S_comm"] = ["-" if np.isnan(value) else f"{value:.6g}" for value in few["s_comm"]]
    columns = [axis for axis in AXES if several(frame[axis[1]])]
    columns += [("latency", "latency_s", "s")]
    if (frame["throughput_per_s"] * frame["latency_s"] > 1 + 1e-9).any():
        columns += [("throughput", "throughput_per_s", "")]
    columns += [
        ("sent per node", "bytes_per_node", "B"),
        ("memory per node", "node_bytes", "B"),
    ]
    shown = {column for _, column, _ in columns}
    for name in by:
        metric = METRICS[name]
        if metric.column not in {*shown, "nodes", "avg_s_comm"}:
            columns.append((metric.quantity, metric.column, _unit(metric.unit)))
    for name, column, unit in columns:
        header, texts = scaled(few[column], name, unit)
        cells[_per_second(header, column)] = texts
    return pd.DataFrame(cells)


def _unit(unit: str) -> str:
    return unit if unit in ("s", "B") else ""


def _per_second(header: str, column: str) -> str:
    """Rates are scaled as amounts: the unit gets its second."""
    more = {"bandwidth_Bps": "/s", "compute_macps": "MAC/s", "throughput_per_s": "1/s"}
    if column not in more:
        return header
    name, bracket, unit = header.partition(" [")
    return f"{name} [{unit.rstrip(']')}{more[column]}]" if bracket else f"{name} [{more[column]}]"


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


def show_histogram(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the bins for people, with a bar each."""
    unit = METRICS[by[0]].unit
    longest = frame["count"].max()
    ends: dict[str, Any] = {
        end: [format_quantity(value, unit) for value in frame[end]] for end in ("low", "high")
    }
    share = (40 * frame["count"] / longest).round().astype(int)
    return pd.DataFrame(
        {
            "from": ends["low"],
            "to": ends["high"],
            "configurations": frame["count"].map("{:,}".format),
            "bar": ["█" * int(length) for length in share],
        }
    )
