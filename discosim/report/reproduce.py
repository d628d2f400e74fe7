"""The pictures of the paper's tables and figures: frames in, figures out, nothing computed.

Matplotlib is imported when a figure is made, through its object interface: no global state.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from discosim.explore.grid.front import pareto_front
from discosim.report.lettering import fitted, stand_apart
from discosim.report.style import (
    COMM,
    COMP,
    SINGLE,
    columns_of_panels,
    legend_below,
    new_figure,
    plain_ticks,
    rc,
    sheet,
    small,
    time_unit,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

METHODS = {  # by method: how it is written, colour, marker
    "dense": ("dense", "#000000", "s"),
    "random-sparse": ("random sparse (100 %: branches)", "#999999", "o"),
    "dense-then-split": ("dense-then-split", "#E69F00", "v"),
    "split-then-aggregate": ("split-then-aggregate", "#56B4E9", "^"),
    "disco": ("DISCO", "#009E73", "D"),
}
MEMORIES = ("#B8DCF2", "#56B4E9", "#00517F")
"""From light to dark, for definitions of memory."""
FRONT = "#CC79A7"
SCHEME_GAP = 1.0
EXCHANGES: tuple[tuple[str, float, Any], ...] = (
    ("all features to the other node", 1.6, "-"),
    ("some features to the other node", 1.2, (0, (3, 2))),
)


def draw_accuracy(frame: pd.DataFrame, title: str, measure: str) -> "Figure":
    """Return published accuracy against computed latency, the Pareto front marked."""
    import matplotlib as mpl

    with mpl.rc_context(rc()):
        figure = new_figure(9.0, 5.6, title, rows=20)
        axes: Axes = figure.subplots()
        factor, unit = time_unit(frame["latency_s"])
        latency = frame["latency_s"].to_numpy() / factor
        accuracy = frame["accuracy"].to_numpy()
        front = pareto_front(np.stack([latency, -accuracy], axis=-1))
        axes.plot(
            latency[front],
            accuracy[front],
            drawstyle="steps-post",
            color=FRONT,
            lw=5,
            alpha=0.35,
            solid_capstyle="butt",
            zorder=1,
            label="Pareto front of the distributed ones",
        )
        axes.scatter(latency[front], accuracy[front], s=150, color=FRONT, alpha=0.35, zorder=1)
        labels = _draw_methods(axes, frame, latency)
        single = float(frame["single_s"].iloc[0]) / factor
        axes.axvline(single, color=SINGLE, ls="--", lw=1.0)
        whole = accuracy[(frame["method"] == "dense").to_numpy()]
        axes.plot([single], whole, "*", ms=13, color=SINGLE, label="dense on one node", zorder=3)
        axes.set_xscale("log")
        plain_ticks(axes.xaxis, latency.min(), latency.max())
        axes.margins(0.08, 0.1)
        axes.set(xlabel=f"computed latency [{unit}], no overlap", ylabel=f"published {measure}")
        legend_below(figure, ncols=4)
        fitted(figure)
        stand_apart(axes, labels)
        return figure


def _draw_methods(
    axes: "Axes", frame: pd.DataFrame, latency: "np.ndarray[tuple[int], np.dtype[np.float64]]"
) -> "list[Annotation]":
    """A dotted line for each method; return what stands beside its points."""
    labels, accuracy = [], frame["accuracy"].to_numpy()
    for method, (name, colour, marker) in METHODS.items():
        chosen = (frame["method"] == method).to_numpy()
        look: Any = {"ls": ":", "lw": 0.9, "ms": 6, "color": colour, "label": name}
        axes.plot(latency[chosen], accuracy[chosen], marker, **look)
        located = method.endswith(("split", "aggregate"))
        points = zip(latency[chosen], accuracy[chosen], frame["setting"][chosen], strict=True)
        labels += [
            axes.annotate(
                f"loc. {setting}" if located else f"{setting} %",
                (x, y),
                xytext=(0, 0),
                textcoords="offset points",
                fontsize=small(),
                color="#555555",
            )
            for x, y, setting in points
            if setting
        ]
    return labels


def draw_schemes(frame: pd.DataFrame) -> "Figure":
    """Return two lanes of layers for each scheme; an arrow that crosses is an exchange."""
    import matplotlib as mpl

    with mpl.rc_context({**rc(), "axes.grid": False}):
        schemes = list(dict.fromkeys(frame["scheme"]))
        figure = new_figure(9.0, 0.8 + 1.35 * len(schemes))
        panels = figure.subplots(len(schemes), 1, sharex=True, squeeze=False)[:, 0]
        for axes, scheme in zip(panels, schemes, strict=True):
            _draw_scheme(axes, frame[frame["scheme"] == scheme])
            axes.set_title(scheme, loc="left", pad=2)
        for label, width, style in EXCHANGES:
            panels[0].plot([], [], color=COMM, lw=width, ls=style, label=label)
        panels[0].plot([], [], color="#555555", lw=1.0, label="own features")
        legend_below(figure, *panels[0].get_legend_handles_labels(), ncols=3)
        return fitted(figure)


def _draw_scheme(axes: "Axes", rows: pd.DataFrame) -> None:
    layers = list(rows["layer"])
    for place in range(len(layers) + 1):
        for node in (0, 1):
            name = f"node {node}" if place == 0 else layers[place - 1]
            axes.text(
                place,
                -node * SCHEME_GAP,
                name,
                ha="center",
                va="center",
                fontsize=small(),
                bbox={
                    "boxstyle": "round,pad=0.35",
                    "facecolor": "white" if place == 0 else f"{COMP}33",
                    "edgecolor": "none" if place == 0 else COMP,
                },
            )
    for place, density in enumerate(rows["density"]):
        for node in (0, 1):
            _arrow(axes, place, node, node, "#555555", 1.0, "-")
            if density > 0:
                _, width, style = EXCHANGES[0 if density >= 1 else 1]
                _arrow(axes, place, node, 1 - node, COMM, width, style)
    axes.set(xlim=(-0.6, len(layers) + 0.6), ylim=(-SCHEME_GAP - 0.45, 0.45))
    axes.set_axis_off()


def _arrow(
    axes: "Axes", place: int, start: int, end: int, colour: str, width: float, style: Any
) -> None:
    axes.annotate(
        "",
        (place + 0.76, -end * SCHEME_GAP + 0.12 * (end - start)),
        (place + 0.24, -start * SCHEME_GAP - 0.12 * (end - start)),
        arrowprops={"arrowstyle": "->", "color": colour, "lw": width, "ls": style},
    )


def draw_parallelism(frame: pd.DataFrame, base_s: float) -> "Figure":
    """Return latency by N: model parallel, and a pipeline for each definition of memory."""
    import matplotlib as mpl

    with mpl.rc_context(rc()):
        overlaps = list(dict.fromkeys(frame["overlap"]))
        memories = list(dict.fromkeys(frame["memory"]))
        columns = columns_of_panels(len(overlaps), 22)
        high = -(-len(overlaps) // columns)
        title = (
            "Figure 4: at the memory of ResNet50/8 a node; /X above a bar: pipeline of ResNet50/X"
        )
        figure = new_figure(5.5 * columns, 4.8 * high, title)
        panels = figure.subplots(high, columns, sharey=True, squeeze=False).ravel()
        letters = {"fontsize": small(), "rotation": 0 if sheet().inches is None else 90}
        factor, unit = time_unit([base_s])
        width = 0.8 / (1 + len(memories))
        for axes, overlap in zip(panels, overlaps, strict=True):
            group = frame[frame["overlap"] == overlap]
            counts = list(dict.fromkeys(group["nodes"]))
            places = np.arange(len(counts))
            first = group[group["memory"] == memories[0]]
            bars = [("model parallel, S_comm = 99 %", "#009E73", first["model_parallel_s"], None)]
            for colour, memory in zip(MEMORIES, memories, strict=False):
                rows = group[group["memory"] == memory]
                bars.append((f"pipeline, {memory}", colour, rows["pipeline_s"], rows["X"]))
            for index, (label, colour, values, divisors) in enumerate(bars):
                middle = places + (index - (len(bars) - 1) / 2) * width
                heights = values.to_numpy() / factor
                axes.bar(middle, heights, 0.92 * width, color=colour, label=label)
                if divisors is not None:
                    for x, height, divisor in zip(middle, heights, divisors, strict=True):
                        axes.text(
                            x, 1.05 * height, f"/{divisor:.2f}", ha="center", va="bottom",
                            **letters,
                        )  # fmt: skip
            label = "ResNet50/8 on one node"
            axes.axhline(base_s / factor, color=SINGLE, ls="--", lw=1.4, label=label)
            axes.set_yscale("log")
            axes.set_ylim(base_s / factor / 2)
            plain_ticks(axes.yaxis, *axes.get_ylim())
            axes.set_xticks(places, [f"N = {count}" for count in counts])
            axes.set_title(f"overlap: {overlap}")
            axes.grid(False, axis="x")
        panels[0].set_ylabel(f"latency [{unit}]")
        handles, labels = panels[0].get_legend_handles_labels()
        legend_below(figure, handles, labels, ncols=3)
        return fitted(figure)
