"""The picture of `sweep`: latency over S_comm or the nodes, lines named at their ends.

Matplotlib is imported when a figure is made, through its object interface: no global state.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from discosim.columns import COLUMNS
from discosim.report.compare import draw_compare
from discosim.report.labels import (
    SERIES,
    adds_up,
    differing,
    groups,
    several,
    singles,
    title,
)
from discosim.report.lettering import End, filled, fitted, inches_of, name_ends
from discosim.report.style import (
    COMM,
    COMP,
    SINGLE,
    columns_of_panels,
    graded_styles,
    legend_below,
    legend_right,
    line_styles,
    log_y,
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

MOST_PANELS = 8
FEW_BARS = 16
MOST_LINES = 6
"""Lines of a panel, beyond which each hardware has panels of its own."""

MOST_NAMES = 12
"""Of many numbers of nodes, those that are named."""

NAME = 14
"""Letters of a line of a name, or so."""

LOG_FROM = 30
"""Largest over smallest latency from which lines are drawn on a logarithmic axis."""


@dataclass(frozen=True)
class Look:
    """What the panels of one picture share.

    x: column of the x axis; columns: what a line's label says; styles: of each label;
    parts: whether the one line of a panel is divided into communication and computation;
    many: whether each panel has hardware of its own.
    """

    x: str
    factor: float
    unit: str
    columns: list[str]
    styles: dict[str, dict[str, Any]]
    parts: bool
    many: bool = False

    @property
    def named(self) -> list[str]:
        """The lines that have their names at their ends: of many, some."""
        if len(self.styles) == 1:
            return []
        step = -(-len(self.styles) // MOST_NAMES) if self.columns == ["nodes"] else 1
        return list(self.styles)[::step]

    @classmethod
    def of(cls, frame: "pd.DataFrame", x: str, columns: list[str], panel: list[str]) -> "Look":
        """Return the look of a picture of `frame` with a panel for each value of `panel`."""
        factor, unit = time_unit([*frame["latency_s"], *singles(frame).values()])
        labels = [label for label, _ in groups(frame, columns)]
        if columns == ["nodes"] and len(labels) > MOST_PANELS:
            styles = graded_styles(len(labels))
        else:
            marked = frame[x].nunique() <= 15 and bool(frame[x].notna().all())
            styles = line_styles(len(labels), marked)
        once = not frame.duplicated([x, *columns, *panel]).any()
        parts = len(labels) == 1 and once and bool(frame[x].notna().all()) and not sheet().log
        named = dict(zip(labels, styles, strict=True))
        return cls(x, factor, unit, columns, named, parts, "hardware" in panel)


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
    if "hardware" in lines and len(groups(split, lines)) > MOST_LINES:
        panel, lines = ["hardware", *panel], [name for name in lines if name != "hardware"]
    with mpl.rc_context(rc()):
        return _draw_panels(split, Look.of(split, x, lines, panel), panel)


def _draw_panels(frame: "pd.DataFrame", look: Look, by: list[str]) -> "Figure":
    parts, names = groups(frame, by), _names(look)
    beside = max((inches_of(name, small()) for name in names.values()), default=0.0)
    beside += 2 * small() / 72 if names else 0.0
    columns = columns_of_panels(min(4, len(parts)), 14 + int(beside * 72 / sheet().letters))
    high = -(-len(parts) // columns)
    lines = sum(name.count("\n") + 1 for name in names.values())
    figure = new_figure(
        max(8.5, (1.0 if names else 2.6) + (2.4 + beside) * columns),
        1.4 + high * max(2.7, 0.16 * lines),
        title(frame),
        rows=high * (lines + 4) if names else 0,
    )
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
    if sheet().inches is None and not names:
        figure.supxlabel(COLUMNS[look.x].quantity)
    else:  # below which the legend lies
        for panel in panels[-columns:]:
            panel.set_xlabel(COLUMNS[look.x].over)
    drawn = [panel.get_legend_handles_labels() for panel in panels]
    entries = {label: handle for pair in drawn for handle, label in zip(*pair, strict=True)}
    others = [label for label in entries if len(look.styles) == 1 or label not in look.styles]
    if names:
        legend_below(figure, [entries[label] for label in others], others, ncols=3)
        return name_ends(figure, {panel: _ends(panel, names) for panel in panels}, small())
    legend_right(figure, [entries[label] for label in others], others)
    return fitted(figure)


def _names(look: Look) -> dict[str, str]:
    """The names at the ends of lines, in lines of a few letters."""
    letters = small()
    return {name: filled(name, 0.6 * NAME * letters / 72, letters) for name in look.named}


def _ends(panel: "Axes", names: Mapping[str, str]) -> list[End]:
    """Where the lines of a panel end that have a name."""
    right, found = float(panel.get_xlim()[1]), {}
    for line in panel.lines:
        label, points = str(line.get_label()), np.asarray(line.get_xydata(), dtype=float)
        if label in names and len(points):
            x, y = points[-1].tolist()
            level = line.get_transform() != panel.transData
            found[label] = End(names[label], right if level else x, y, line.get_color())
    return list(found.values())


def draw_latency(axes: "Axes", frame: "pd.DataFrame", look: Look | None = None) -> None:
    """Draw the latency of each combination in `frame` on `axes`, and that of one node.

    `look` is what the panels of a picture share; without it, the frame is the whole picture.
    """
    lines = look or Look.of(frame, "s_comm", differing(frame, (*SERIES, "nodes")), [])
    for (name, value), dashes in zip(
        singles(frame).items(), ((5, 2), (1, 1.5), (5, 1.5, 1, 1.5)) * len(frame), strict=False
    ):
        label = name if lines.many else f"{name}: {format_quantity(value, 's')}"
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
        dashes: Any = (0, (3, 1))
        axes.plot(
            x[sends], comm[sends], color=COMM, ls=dashes, lw=1.6, zorder=5, label="communication"
        )
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
