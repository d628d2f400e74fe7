"""Rows of `sweep` and `compare` as a table, and the picture of `sweep`.

Matplotlib is imported when a figure is made, through its object interface: no global state.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from discosim.columns import COLUMNS
from discosim.explore.accuracy import printed
from discosim.report.compare import draw_compare
from discosim.report.judged import fitting
from discosim.report.labels import (
    SERIES,
    adds_up,
    differing,
    groups,
    several,
    singles,
    title,
)
from discosim.report.style import (
    COMM,
    COMP,
    SINGLE,
    columns_of_panels,
    graded_styles,
    legend_right,
    line_styles,
    log_y,
    new_figure,
    rc,
    sheet,
    time_unit,
)
from discosim.report.tables import Cells, Columns, as_columns, cells
from discosim.units import format_quantity

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TIMES = ("comm_s", "comp_s", "latency_s", "latency_low_s", "latency_high_s", "interval_s")
"""Columns of one unit, that of the latency."""

MOST_PANELS = 8
FEW_BARS = 16
MOST_NAMES = 12
"""Of many numbers of nodes, those that the legend names."""

LOG_FROM = 30
"""Largest over smallest latency from which lines are drawn on a logarithmic axis."""


@dataclass(frozen=True)
class Look:
    """What the panels of one picture share.

    x: column of the x axis; columns: what a line's label says; styles: of each label;
    parts: whether the one line of a panel is divided into communication and computation.
    """

    x: str
    factor: float
    unit: str
    columns: list[str]
    styles: dict[str, dict[str, Any]]
    parts: bool

    @classmethod
    def of(cls, frame: "pd.DataFrame", x: str, columns: list[str], panel: list[str]) -> "Look":
        """Return the look of a picture of `frame` with a panel for each value of `panel`."""
        factor, unit = time_unit([*frame["latency_s"], *singles(frame).values()])
        labels = [label for label, _ in groups(frame, columns)]
        if columns == ["nodes"] and len(labels) > MOST_PANELS:
            styles = graded_styles(len(labels))
        else:
            styles = line_styles(len(labels), marked=frame[x].nunique() <= 15)
        once = not frame.duplicated([x, *columns, *panel]).any()
        parts = len(labels) == 1 and once and bool(frame[x].notna().all()) and not sheet().log
        return cls(x, factor, unit, columns, dict(zip(labels, styles, strict=True)), parts)


def draw_sweep(frame: "pd.DataFrame") -> "Figure":
    """Return latency against S_comm, a panel for each number of nodes.

    Communication is stacked on computation where a panel has one line and they add up. With many
    numbers of nodes these are the lines of one panel; with one S_comm they are the x axis, or
    each row is a bar as in `draw_compare`. One node alone is a dashed line.
    """
    import matplotlib as mpl

    split = frame[frame["nodes"] > 1]
    split = split if len(split) else frame
    x = "s_comm" if several(split["s_comm"]) else "nodes"
    counts = split["nodes"].nunique()
    if x == "nodes" and (len(frame) <= FEW_BARS or counts < 3):
        return draw_compare(frame)
    if x == "nodes":
        panel, lines = [], differing(split, SERIES)
    elif counts <= MOST_PANELS:
        panel, lines = ["nodes"], differing(split, SERIES)
    else:
        panel, lines = differing(split, SERIES), ["nodes"]
    with mpl.rc_context(rc()):
        return _draw_panels(split, Look.of(split, x, lines, panel), panel)


def _draw_panels(frame: "pd.DataFrame", look: Look, by: list[str]) -> "Figure":
    parts = groups(frame, by)
    columns = columns_of_panels(min(4, len(parts)))
    high = -(-len(parts) // columns)
    figure = new_figure(max(8.5, 2.6 + 2.4 * columns), 1.4 + 2.7 * high, title(frame))
    panels: list[Axes] = []
    for index, (label, rows) in enumerate(parts):
        first = panels[0] if panels else None
        panel = figure.add_subplot(high, columns, index + 1, sharex=first, sharey=first)
        panels.append(panel)
        draw_latency(panel, rows, look)
        panel.set(title=label if len(parts) > 1 else "", xlabel="", ylabel="")
        below, leftmost = index + columns >= len(parts), index % columns == 0
        panel.tick_params(labelbottom=below, labelleft=leftmost)
    _scale(panels[0], frame, look)
    figure.supylabel(f"latency [{look.unit}]")
    if sheet().inches is None:
        figure.supxlabel(COLUMNS[look.x].quantity)
    else:  # below which the legend lies
        for panel in panels[-columns:]:
            panel.set_xlabel(COLUMNS[look.x].over)
    drawn = [panel.get_legend_handles_labels() for panel in panels]
    entries = {label: handle for pair in drawn for handle, label in zip(*pair, strict=True)}
    labels = list(entries)
    if len(look.styles) > MOST_NAMES and look.columns == ["nodes"]:
        shown = list(look.styles)[:: -(-len(look.styles) // MOST_NAMES)]
        labels = [label for label in labels if label in shown or label not in look.styles]
    legend_right(figure, [entries[label] for label in labels], labels)
    return figure


def draw_latency(axes: "Axes", frame: "pd.DataFrame", look: Look | None = None) -> None:
    """Draw the latency of each combination in `frame` on `axes`, and that of one node.

    `look` is what the panels of a picture share; without it, the frame is the whole picture.
    """
    lines = look or Look.of(frame, "s_comm", differing(frame, (*SERIES, "nodes")), [])
    for (name, value), dashes in zip(
        singles(frame).items(), ((5, 2), (1, 1.5), (5, 1.5, 1, 1.5)) * len(frame), strict=False
    ):
        label = f"{name}: {format_quantity(value, 's')}"
        axes.axhline(value / lines.factor, color=SINGLE, ls=(0, dashes), lw=1.3, label=label)
    for label, group in groups(frame, lines.columns):
        _draw_line(axes, group.sort_values(lines.x), label, lines)
    ends = frame[lines.x].dropna()
    if several(ends):
        axes.set_xlim(ends.min(), ends.max())
    axes.locator_params(axis="x", nbins=5, integer=lines.x == "nodes")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(xlabel=COLUMNS[lines.x].quantity, ylabel=f"latency [{lines.unit}]")
    if look is None:
        _scale(axes, frame, lines)


def _draw_line(axes: "Axes", rows: "pd.DataFrame", label: str, look: Look) -> None:
    """One combination: a line over x, or a level where the strategy has no S_comm."""
    style, name = look.styles[label], label or "latency"
    x = rows[look.x].to_numpy(dtype=float)
    comm, comp, latency = (
        rows[column].to_numpy() / look.factor for column in ("comm_s", "comp_s", "latency_s")
    )
    if np.isnan(x).any():
        for level in np.unique(latency):
            axes.axhline(level, label=name, **{**style, "marker": ""})
        return
    if len(np.unique(x)) < len(x):  # a number that no column tells: no line joins them
        style = {**style, "ls": "", "marker": "o"}
    clip: dict[str, Any] = {"clip_on": False} if style.get("marker") else {}
    stacked = adds_up(rows)
    if look.parts and not stacked:
        style = {**style, "lw": 4.5, "marker": ""}  # seen beside a part that hides the other
    sends = (x < 1) | (look.x != "s_comm")
    axes.plot(x[sends], latency[sends], label=name, **style, **clip)
    if not sends.all():  # nothing is sent there: no line leads to it
        axes.plot(
            x[~sends],
            latency[~sends],
            ls="",
            marker=style.get("marker") or "o",
            ms=style.get("ms", 4),
            mfc="white",
            color=style["color"],
            clip_on=False,
            zorder=6,
        )
    if "latency_low_s" in rows:
        low, high = (rows[f"latency_{end}_s"].to_numpy() / look.factor for end in ("low", "high"))
        if look.parts:
            ends: dict[str, Any] = {"color": SINGLE, "ls": ":", "lw": 1.2}
            ends["label"] = "at best, at worst"
            axes.plot(x[sends], low[sends], x[sends], high[sends], **ends)
        axes.fill_between(x[sends], low[sends], high[sends], color=style["color"], alpha=0.15, lw=0)
    if look.parts and stacked:
        axes.fill_between(
            x[sends],
            comp[sends],
            latency[sends],
            color=COMM,
            alpha=0.55,
            lw=0,
            label="of it communication",
        )
        axes.fill_between(
            x[sends], 0, comp[sends], color=COMP, alpha=0.8, lw=0, label="of it computation"
        )
    elif look.parts:
        axes.plot(x[sends], comm[sends], color=COMM, lw=1.6, zorder=5, label="communication")
        axes.plot(x[sends], comp[sends], color=COMP, lw=1.6, zorder=5, label="computation")


def _scale(axes: "Axes", frame: "pd.DataFrame", look: Look) -> None:
    """Linear from zero where parts are shown; logarithmic for lines far apart."""
    shown = np.array([*frame["latency_s"], *singles(frame).values()]) / look.factor
    far = shown.max() > LOG_FROM * shown.min() or sheet().log
    if not look.parts and shown.min() > 0 and far:
        log_y(axes, shown.min(), shown.max())
    else:
        parts = frame[["comm_s", "comp_s"]].max().max() / look.factor if look.parts else 0.0
        axes.set_ylim(0, 1.06 * max(shown.max(), parts) or 1.0)


def verdicts(
    frame: "Columns | pd.DataFrame", alone_fits: Mapping[str, bool | None] | None = None
) -> list[str]:
    """Return for each row whether it, or one node, is faster, does not fit, or is left open.

    alone_fits: whether one node fits, by the name of the hardware; None where that is not known.
    """
    words, frame = [], as_columns(frame)
    every = len(frame["nodes"])
    one_fits = [True] * every
    if alone_fits:
        one_fits = [alone_fits.get(name) is not False for name in frame["hardware"]]
    row_fits = fitting(frame) if "fits" in frame else [True] * every
    columns = (frame["nodes"], frame["speedup_vs_single"], _within_band(frame), row_fits, one_fits)
    for nodes, speedup, either, fits, alone in zip(*columns, strict=True):
        if not fits:
            words.append("does not fit")
        elif nodes == 1:
            words.append("is one node")
        elif not alone:
            words.append("fits; one node does not")
        elif either:
            words.append("open: one node lies within the band")
        elif speedup < 1:
            words.append("one node is faster")
        else:
            words.append("faster than one node" if speedup > 1 else "as fast as one node")
    return words


def _within_band(frame: Columns) -> list[bool]:
    """Whether the latency of one node lies within each row's band; never without one."""
    if "latency_low_s" not in frame:
        return [False] * len(frame["nodes"])
    alone = frame["latency_s"] * frame["speedup_vs_single"]
    return list((frame["latency_low_s"] < alone) & (alone < frame["latency_high_s"]))


def show_results(
    frame: "Columns | pd.DataFrame", alone_fits: Mapping[str, bool | None] | None = None
) -> Cells:
    """Return rows of `sweep` or `compare` for people; what never differs is left out.

    alone_fits: as `verdicts` takes it.
    """
    frame = as_columns(frame)
    names = [n for n in ("hardware", "strategy", "at", "overlap") if len(set(frame[n])) > 1]
    names.append("nodes")
    missing = np.isnan(frame["s_comm"])
    names += ["s_comm"] * (not missing.all()) + ["avg_s_comm", "avg_s_comp"] * bool(missing.any())
    names += ["comm_s", "comp_s", "latency_s"]
    names += ["latency_low_s", "latency_high_s"] * ("latency_low_s" in frame)
    names += ["interval_s"] * bool((frame["interval_s"] != frame["latency_s"]).any())
    found = dict(
        cells(name, frame[name], frame["latency_s"] if name in TIMES else None)
        for name in [*names, "bytes_per_node", "node_bytes"]
    )
    if any(fit is not None for fit in frame["fits"]):
        found["fits"] = [word if isinstance(word, str) else "-" for word in frame["fits_word"]]
    found |= dict(cells(name, frame[name]) for name in ("speedup_vs_dense", "speedup_vs_single"))
    if len(set(frame["strategy"])) > 1:
        found["result"] = ["exact" if exact else "needs training" for exact in frame["exact"]]
    if not np.isnan(frame["accuracy"].astype(float)).all():
        header, texts = cells("accuracy", frame["accuracy"])
        stands = printed(frame["model"][0], frame["s_comm"], frame["exact"].astype(bool))
        found[header] = [
            "not published" if text == "-" else text if as_it_is else f"~{text}"
            for text, as_it_is in zip(texts, stands, strict=True)
        ]
    return {**found, "verdict": verdicts(frame, alone_fits)}
