"""What each layer costs: as a table, in words, and as a picture."""

from typing import TYPE_CHECKING

import numpy as np

from discosim.report.lettering import fitted
from discosim.report.style import COMM, COMP, legend_below, log_y, new_figure, rc, small, time_unit
from discosim.report.tables import Cells, cells, percent
from discosim.units import format_quantity

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_layers(frame: "pd.DataFrame", title: str) -> "Figure":
    """Return communication and computation of each layer, in the manner of the paper's Figure 2.

    A line joins the two of a layer: its length is how many times one is the other.
    """
    import matplotlib as mpl
    from matplotlib.ticker import MaxNLocator

    with mpl.rc_context(rc()):
        wide = float(np.clip(6.0 + 0.1 * len(frame), 9.0, 16.0))
        figure = new_figure(wide, 4.8, title)
        axes: Axes = figure.subplots()
        factor, unit = time_unit([*frame["comm_s"], *frame["comp_s"]])
        index = np.arange(1, len(frame) + 1)
        times = frame[["comm_s", "comp_s"]].to_numpy() / factor
        wide = figure.get_figwidth()
        size = float(np.clip(34 * wide / len(frame), 1.8, 5.5))
        both = (times > 0).all(axis=1)
        colours = np.where(times[both, 0] > times[both, 1], COMM, COMP)
        axes.vlines(
            index[both], times[both, 0], times[both, 1], colors=list(colours), lw=1, alpha=0.45
        )
        for column, name, colour, shape in (
            (0, "communication", COMM, "o"),
            (1, "computation", COMP, "s"),
        ):
            shown = times[:, column] > 0
            total = format_quantity(factor * float(times[:, column].sum()), "s")
            label = f"{name}, {total} in all" if shown.any() else f"{name}, none"
            values = times[shown, column]
            axes.plot(index[shown], values, shape, ms=size, color=colour, label=label)
        if (times > 0).any():
            log_y(axes, times[times > 0].min(), times.max())
        axes.set(xlabel="layer", ylabel=f"time per layer [{unit}]", xlim=(0.5, len(frame) + 0.5))
        axes.xaxis.set_major_locator(MaxNLocator(12, integer=True, steps=[1, 2, 5, 10]))
        axes.grid(False, axis="x")
        _mark_blocks(axes, frame, wide - 1.0)
        legend_below(figure, ncols=2)
        return fitted(figure)


def _mark_blocks(axes: "Axes", frame: "pd.DataFrame", wide: float) -> None:
    """Shade every other stage and write its name above, side by side or else slanted."""
    stages = [str(block).split(".")[0] for block in frame["block"]]
    begins = [i for i, name in enumerate(stages) if i == 0 or name != stages[i - 1]]
    ends = [*begins[1:], len(stages)]
    inch = len(stages) / wide  # layers per inch
    slanted = any(
        (end - begin) < 0.085 * len(stages[begin]) * inch
        for begin, end in zip(begins, ends, strict=True)
    )
    free = 0.0
    for number, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        if number % 2:
            axes.axvspan(begin + 0.5, end + 0.5, color="#F4F4F4", lw=0, zorder=0)
        place = max((begin + end + 1) / 2, free)
        if place > len(stages) + 1:
            continue
        free = place + (0.19 * inch if slanted else 0.0)
        axes.annotate(
            stages[begin],
            (place, 1.0),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, 3),
            textcoords="offset points",
            rotation=45 if slanted else 0,
            rotation_mode="anchor",
            ha="left" if slanted else "center",
            fontsize=small(),
            color="#555555",
        )


def show_layers(frame: "pd.DataFrame", total_s: float | None = None) -> Cells:
    """Return rows of `layers` for people, each with its share of the whole time."""
    words = ("layer", "op", *["split"] * (len(set(frame["split"])) > 1), "block")
    numbers = ("in_elems", "out_elems", "params", "macs", "bytes")
    names = (*words, *numbers, "comm_s", "comp_s", "layer_s")
    total_s = frame["layer_s"].sum() if total_s is None else total_s
    share = frame["layer_s"] / max(total_s, np.finfo(float).tiny)
    times = ("comm_s", "comp_s", "layer_s")
    shown = (cells(n, frame[n], frame["layer_s"] if n in times else None) for n in names)
    return {**dict(shown), "share [%]": percent(share)}


def layer_findings(frame: "pd.DataFrame") -> list[str]:
    """Return the total, how it divides, and the layers that take most."""
    total, comm, comp = (float(frame[name].sum()) for name in ("layer_s", "comm_s", "comp_s"))
    ratios = frame.loc[(frame["comm_s"] > 0) & (frame["comp_s"] > 0)]
    lines = [
        f"{format_quantity(total, 's')} in {len(frame)} layers: communication "
        f"{format_quantity(comm, 's')}, computation {format_quantity(comp, 's')}."
    ]
    if len(ratios):
        median = float((ratios["comm_s"] / ratios["comp_s"]).median())
        lines.append(f"Communication takes {median:.3g}x the computation in the median layer.")
    top = frame.nlargest(3, "layer_s")
    share = 100 * float(top["layer_s"].sum()) / total if total else 0.0
    return [*lines, f"Slowest: {', '.join(top['layer'])}, {share:.3g} % of the time together."]
