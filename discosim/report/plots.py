"""The pictures of `sweep`, `layers` and `compare`: frames in, figures out, nothing computed.

Matplotlib is imported when a figure is made, through its object interface: no global state.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from discosim.report.style import (
    COMM,
    COMP,
    LINES,
    RC,
    SINGLE,
    check_suffix,
    new_figure,
    save,
    time_unit,
)
from discosim.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["check_suffix", "draw_compare", "draw_layers", "draw_sweep", "save"]

MOST_PANELS = 6
S_COMM_LABEL = "S_comm, fraction of remote features not sent"


def _title(frame: pd.DataFrame) -> str:
    row = frame.iloc[0]
    names = ", ".join(dict.fromkeys(frame["hardware"]))
    bandwidth = format_quantity(float(row["bandwidth_Bps"]), "B/s")
    rate = format_quantity(float(row["compute_macps"]), "MAC/s")
    one = len(set(frame["hardware"])) == 1
    return f"{row['model']} on {names}" + (f": {bandwidth} links, {rate} a node" if one else "")


def _single_s(frame: pd.DataFrame) -> float:
    """Latency of one node, which every row is compared with."""
    return float(frame["latency_s"].iloc[0] * frame["speedup_vs_single"].iloc[0])


def draw_sweep(frame: pd.DataFrame) -> "Figure":
    """Return latency against S_comm.

    One panel per number of nodes with communication stacked on computation, where they add up
    and the panels are few; otherwise one line per combination. One node is a dashed line.
    """
    import matplotlib as mpl

    keys = ["hardware", "strategy", "at", "overlap", "nodes"]
    groups = [group for _, group in frame.groupby(keys, sort=False)]
    many_values = frame["s_comm"].notna().all() and all(_differs(g["s_comm"]) for g in groups)
    same = (frame[keys[:-1]] == frame[keys[:-1]].iloc[0]).all(axis=None)
    with mpl.rc_context(RC):
        if _adds_up(frame) and many_values and same and len(groups) <= MOST_PANELS:
            return _draw_panels(frame, groups)
        return _draw_lines(frame, groups, keys)


def _draw_panels(frame: pd.DataFrame, groups: list[pd.DataFrame]) -> "Figure":
    single_s = _single_s(frame)
    factor, unit = time_unit([*frame["latency_s"], single_s])
    figure = new_figure(2.2 + 2.6 * len(groups), 4.0)
    panels: list[Axes] = list(figure.subplots(1, len(groups), sharey=True, squeeze=False)[0])
    top = max(float(frame["latency_s"].max()), single_s) / factor
    for panel, group in zip(panels, groups, strict=True):
        rows = group.sort_values("s_comm")
        s_comm = rows["s_comm"].to_numpy()
        comp, total = (rows[name].to_numpy() / factor for name in ("comp_s", "latency_s"))
        panel.fill_between(s_comm, 0, comp, color=COMP, alpha=0.75, lw=0, label="computation")
        panel.fill_between(s_comm, comp, total, color=COMM, alpha=0.45, lw=0, label="communication")
        panel.plot(
            s_comm, total, color="black", lw=1.8, marker=_marker(rows), ms=3, label="latency"
        )
        panel.axhline(single_s / factor, color=SINGLE, ls="--", lw=1.4, label="one node")
        panel.set(title=f"{rows['nodes'].iloc[0]} nodes", xlim=(s_comm[0], s_comm[-1]))
        panel.set_ylim(0, 1.05 * top)
        panel.locator_params(axis="x", nbins=4)
    panels[0].set_ylabel(f"latency [{unit}]")
    figure.supxlabel(S_COMM_LABEL, fontsize=10)
    figure.suptitle(_title(frame), fontsize=11)
    handles, labels = panels[0].get_legend_handles_labels()
    labels[-1] = f"one node: {format_quantity(single_s, 's')}"
    figure.legend(handles[::-1], labels[::-1], loc="outside right center")
    return figure


def _marker(rows: pd.DataFrame) -> str:
    return "o" if len(rows) <= 15 else ""


def _draw_lines(frame: pd.DataFrame, groups: list[pd.DataFrame], keys: list[str]) -> "Figure":
    """One line per combination, a level where there is no S_comm; logarithmic if they spread."""
    varying = [key for key in keys if (frame[key] != frame[key].iloc[0]).any()] or ["nodes"]
    figure = new_figure(9.0, 4.6)
    axes: Axes = figure.subplots()
    factor, unit = time_unit(frame["latency_s"])
    for index, group in enumerate(groups):
        colour = LINES[index % len(LINES)]
        rows = group.sort_values("s_comm")
        label = ", ".join(
            {"nodes": f"{value} nodes", "overlap": f"overlap {value}"}.get(key, str(value))
            for key, value in ((key, rows[key].iloc[0]) for key in varying)
            if value != ""
        )
        latency = rows["latency_s"].to_numpy() / factor
        style: dict[str, Any] = {"color": colour, "lw": 1.8, "label": label}
        if rows["s_comm"].isna().any():
            axes.axhline(float(latency[0]), ls="-.", **style)
            continue
        axes.plot(rows["s_comm"], latency, marker="o" if len(rows) <= 15 else "", ms=4, **style)
        if len(groups) <= MOST_PANELS and len(rows) > 1:
            for name, dashes in (("comm_s", ":"), ("comp_s", (0, (1, 3)))):
                part = rows[name] / factor
                axes.plot(rows["s_comm"], part.where(part > 0), color=colour, ls=dashes, lw=1.1)
    for name in dict.fromkeys(frame["hardware"]):
        rows = frame[frame["hardware"] == name]
        label = f"one node, {name}" if _differs(frame["hardware"]) else "one node"
        axes.axhline(_single_s(rows) / factor, color=SINGLE, ls="--", lw=1.4, label=label)
    spread = frame["latency_s"].max() / max(frame["latency_s"].min(), 1e-300)
    if spread > 30:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    if any(line.get_linestyle() == ":" for line in axes.lines):
        for label, dashes in (("of it communication", ":"), ("of it computation", (0, (1, 3)))):
            axes.plot([], [], color="#666666", ls=dashes, lw=1.1, label=label)
    axes.set(xlabel=S_COMM_LABEL, ylabel=f"latency [{unit}]", title=_title(frame))
    axes.title.set_fontsize(11)
    figure.legend(loc="outside right center")
    return figure


def draw_layers(frame: pd.DataFrame, title: str) -> "Figure":
    """Return communication and computation of each layer, in the manner of the paper's Figure 2."""
    import matplotlib as mpl

    with mpl.rc_context(RC):
        figure = new_figure(min(16.0, 6.0 + 0.1 * len(frame)), 4.6)
        axes: Axes = figure.subplots()
        factor, unit = time_unit(frame["layer_s"])
        index = np.arange(1, len(frame) + 1)
        marker = 5 if len(frame) <= 80 else 2.5
        for name, label, colour, shape in (
            ("comm_s", "communication", COMM, "o"),
            ("comp_s", "computation", COMP, "s"),
        ):
            values = frame[name].to_numpy() / factor
            shown = values > 0
            axes.plot(
                index[shown], values[shown], shape, ms=marker, color=colour, label=label, lw=0
            )
            axes.plot(index, np.where(shown, values, np.nan), color=colour, lw=0.8, alpha=0.5)
        if ((frame["comm_s"] > 0) | (frame["comp_s"] > 0)).any():
            axes.set_yscale("log")
        _mark_blocks(axes, frame)
        axes.set(xlabel="layer", ylabel=f"time per layer [{unit}]", xlim=(0, len(frame) + 1))
        axes.set_title(title, fontsize=11, pad=30)
        axes.grid(False, axis="x")
        figure.legend(loc="outside right center")
        return figure


def _mark_blocks(axes: "Axes", frame: pd.DataFrame) -> None:
    """Write each stage's name where it begins, and a line between stages."""
    stages = [block.split(".")[0] for block in frame["block"]]
    begins = [i for i, name in enumerate(stages) if i == 0 or name != stages[i - 1]]
    if len(begins) > 14:
        return
    for begin in begins:
        axes.axvline(begin + 0.5, color="#AAAAAA", lw=0.7, zorder=0)
        axes.text(
            begin + 0.7,
            1.01,
            stages[begin],
            transform=axes.get_xaxis_transform(),
            rotation=45,
            fontsize=7.5,
            color="#555555",
            va="bottom",
        )


def draw_compare(frame: pd.DataFrame) -> "Figure":
    """Return a bar per row: communication and computation, the latency at its end."""
    import matplotlib as mpl

    with mpl.rc_context(RC):
        figure = new_figure(9.0, 1.6 + 0.42 * len(frame))
        axes: Axes = figure.subplots()
        factor, unit = time_unit(frame["latency_s"])
        places = np.arange(len(frame))
        latency = frame["latency_s"].to_numpy() / factor
        comp = np.minimum(frame["comp_s"].to_numpy() / factor, latency)
        axes.barh(places, comp, color=COMP, alpha=0.8, label="computation")
        hidden = "communication" if _adds_up(frame) else "communication not hidden"
        axes.barh(places, latency - comp, left=comp, color=COMM, alpha=0.6, label=hidden)
        for place, value in zip(places, frame["latency_s"], strict=True):
            axes.annotate(
                format_quantity(float(value), "s"),
                (float(value) / factor, float(place)),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
            )
        if not _differs(frame["hardware"]):
            single_s = _single_s(frame)
            label = f"one node: {format_quantity(single_s, 's')}"
            axes.axvline(single_s / factor, color=SINGLE, ls="--", lw=1.4, label=label)
        axes.set_yticks(places, [_bar_label(row, frame) for row in frame.to_dict("records")])
        axes.invert_yaxis()
        axes.grid(False, axis="y")
        axes.set(xlabel=f"latency [{unit}]", xlim=(0, 1.15 * float(latency.max())))
        split = frame["nodes"][frame["nodes"] > 1].unique()
        nodes = f"; {split[0]} nodes" if len(split) == 1 else ""
        axes.set_title(_title(frame) + nodes, fontsize=11)
        figure.legend(loc="outside lower center", ncols=3)
        return figure


def _differs(values: "pd.Series[Any]") -> bool:
    return bool((values != values.iloc[0]).any())


def _adds_up(frame: pd.DataFrame) -> bool:
    return bool(np.allclose(frame["comm_s"] + frame["comp_s"], frame["latency_s"], rtol=1e-6))


def _bar_label(row: dict[Any, Any], frame: pd.DataFrame) -> str:
    words = [row["strategy"]]
    words += [f"S_comm {row['s_comm']:g}"] if np.isfinite(row["s_comm"]) else []
    words += [f"at {row['at']}"] if row["at"] else []
    split = frame["nodes"][frame["nodes"] > 1]
    words += [f"{row['nodes']} nodes"] if len(split) and _differs(split) else []
    for key in ("hardware", "overlap"):
        words += [row[key]] if _differs(frame[key]) else []
    return ", ".join(words)
