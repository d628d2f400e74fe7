"""The picture of what gives a latency: the latency over each thing that was solved for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from discosim.explore.target import ReachedOver
from discosim.report.lettering import End, fitted, name_ends
from discosim.report.style import (
    COMM,
    SINGLE,
    columns_of_panels,
    legend_below,
    line_styles,
    log_y,
    new_figure,
    rc,
    small,
    time_unit,
)
from discosim.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OVER = {
    "bw": "bandwidth of a link",
    "link-latency": "latency of a message",
    "s-comm": "S_comm",
    "nodes": "nodes",
}

FAR = 20.0
"""Largest over smallest latency from which the axis is logarithmic."""


def draw_targets(curves: Sequence[ReachedOver], title: str) -> "Figure":
    """Return a panel for each thing that was solved for: a line a case, and the latency wanted."""
    import matplotlib as mpl

    kinds = list(dict.fromkeys(each.reached.solve for each in curves))
    names = {id(each): _name(each, curves) for each in curves}
    labels = list(dict.fromkeys(names.values()))
    styles = dict(zip(labels, line_styles(len(labels), marked=False), strict=True))
    with mpl.rc_context(rc()):
        columns = columns_of_panels(min(3, len(kinds)), 18)
        high = -(-len(kinds) // columns)
        figure = new_figure(max(7.0, 3.4 * columns), 1.6 + 2.7 * high, title)
        limits = [curves[0].reached.target_s, *(each.reached.latency_s for each in curves)]
        factor, unit = time_unit(limits)
        ends: dict[Axes, list[End]] = {}
        for number, kind in enumerate(kinds):
            axes = figure.add_subplot(high, columns, number + 1)
            mine = [each for each in curves if each.reached.solve == kind]
            for each in mine:
                name = names[id(each)]
                _draw(axes, each, factor, styles[name])
                end = End(name, each.x[-1], each.latency_s[-1] / factor, styles[name]["color"])
                ends.setdefault(axes, []).append(end)
            _finish(axes, mine, factor)
            axes.set_ylabel(f"latency [{unit}]")
        legend_below(figure, ncols=3)
        return name_ends(figure, ends, small()) if len(labels) > 1 else fitted(figure)


def _draw(axes: "Axes", curve: ReachedOver, factor: float, style: dict[str, Any]) -> None:
    """One case: its line, what is solved for, and what is at hand."""
    value, target = curve.reached.value, curve.reached.target_s / factor
    axes.plot(curve.x, curve.latency_s / factor, **style)
    if value and curve.x[0] <= value <= curve.x[-1]:  # of 0 or infinity any is enough
        axes.plot(value, target, "o", color=COMM, ms=6, zorder=6, label="just reached")
    if curve.x[0] <= curve.at_hand <= curve.x[-1]:
        here = curve.reached.latency_s / factor
        axes.plot(curve.at_hand, here, "s", mfc="white", mec=SINGLE, ms=6, zorder=5,
                  label="as it is")  # fmt: skip


def _finish(axes: "Axes", curves: Sequence[ReachedOver], factor: float) -> None:
    """The latency that is wanted, and the scales."""
    reached = curves[0].reached
    wanted = f"wanted: {format_quantity(reached.target_s, 's')}"
    target = reached.target_s / factor
    axes.axhline(target, color=SINGLE, ls=(0, (5, 2)), lw=1.3, label=wanted)
    if reached.solve in ("bw", "link-latency"):
        from matplotlib.ticker import LogLocator, NullFormatter

        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=4))
        axes.xaxis.set_major_formatter(lambda value, _: format_quantity(value, reached.unit))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.locator_params(axis="x", nbins=5, integer=reached.solve == "nodes")
    axes.set_xlim(min(each.x[0] for each in curves), max(each.x[-1] for each in curves))
    axes.set_xlabel(OVER[reached.solve])
    axes.tick_params(axis="x", pad=0.6 * small())
    seconds = np.concatenate([each.latency_s / factor for each in curves])
    low, high = min(seconds.min(), target), max(seconds.max(), target)
    if low > 0 and high > FAR * low:
        log_y(axes, low, high)
    else:
        axes.set_ylim(0, 1.06 * high)


def _name(curve: ReachedOver, curves: Sequence[ReachedOver]) -> str:
    """What tells a case from the others."""
    case, cases = curve.reached.configuration, [each.reached.configuration for each in curves]
    words = []
    if len({each.hardware.name for each in cases}) > 1:
        words.append(case.hardware.name)
    if len({each.nodes for each in cases}) > 1 and curve.reached.solve != "nodes":
        words.append(f"{case.nodes} nodes")
    if len({float(each.s_comm) for each in cases}) > 1 and curve.reached.solve != "s-comm":
        words.append(f"S_comm {float(case.s_comm):g}")
    return "\n".join(words)
