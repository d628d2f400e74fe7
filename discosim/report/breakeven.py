"""Break-even as data, as a table, in words and as a picture."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from discosim.columns import COLUMNS
from discosim.configuration import Configuration
from discosim.explore.breakeven import BreakEven
from discosim.report.lettering import fitted
from discosim.report.style import SINGLE, columns_of_panels, legend_below, new_figure, rc, sheet
from discosim.report.tables import Cells
from discosim.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOUNS = {
    "bw": "a bandwidth",
    "link-latency": "a message latency",
    "s-comm": "S_comm",
    "nodes": "a number of nodes",
}


def to_frame(answers: list[BreakEven]) -> pd.DataFrame:
    """Return one row per answer, SI units; `nodes` and `s_comm` are null where solved for."""
    rows = [
        {
            "solve": answer.solve,
            "value": answer.value,
            "unit": answer.unit,
            "faster": answer.faster,
            "reason": answer.reason or None,
            "method": answer.method,
            "latency_s": answer.latency_s,
            "model": _at(answer).model,
            "hardware": _at(answer).hardware.name,
            "overlap": str(_at(answer).overlap),
            "nodes": None if answer.solve == "nodes" else answer.contest.nodes,
            "versus": _versus(answer),
            "s_comm": None if answer.solve == "s-comm" else _s_comm(answer),
            "strategy": _at(answer).strategy.name,
        }
        for answer in answers
    ]
    return pd.DataFrame(rows, dtype=object)


def show(answers: list[BreakEven]) -> Cells:
    """Return the answers for people."""
    cells: dict[str, list[str]] = {}
    names = [_at(answer).hardware.name for answer in answers]
    if len(set(names)) > 1:
        cells["hardware"] = names
    if answers[0].solve != "nodes":
        cells["N"] = [str(answer.contest.nodes) for answer in answers]
    if answers[0].solve != "s-comm" and _at(answers[0]).strategy.has_knob:
        cells["S_comm"] = [f"{_at(answer).s_comm:g}" for answer in answers]
    cells["against"] = [_versus(answer) for answer in answers]
    cells["break-even"] = [_value(answer) for answer in answers]
    cells["latency there"] = [
        "-" if answer.latency_s is None else format_quantity(answer.latency_s, "s", 4)
        for answer in answers
    ]
    cells["N nodes are faster"] = [answer.faster for answer in answers]
    return cells


def sentence(answer: BreakEven) -> str:
    """Return an answer in words, with where the hardware at hand stands."""
    contest, given = answer.contest, _at(answer)
    if answer.value is None:
        return f"No break-even: {answer.reason}."
    few = "one node" if contest.versus == 1 else f"{contest.versus} nodes"
    jump = f" ({answer.reason})" if answer.reason else ""
    if answer.solve == "nodes":
        return _nodes(answer)
    many = f"{contest.nodes} nodes"
    side = {"above": "From {} up", "below": "Below {}"}[answer.faster].format(_value(answer))
    told = answer.solve != "s-comm" and given.strategy.has_knob
    knob = f" at S_comm {given.s_comm:g}" if told else ""
    line = f"{side}, {many}{knob} are faster than {few}{jump}"
    here = {
        "bw": (float(given.hardware.bandwidth_Bps), "B/s"),
        "link-latency": (float(given.hardware.link_latency_s), "s"),
    }.get(answer.solve)
    if here is None:
        return f"{line}."
    wins = (here[0] > answer.value) == (answer.faster == "above")
    at_hand = format_quantity(here[0], here[1], 4)
    faster = many if wins else few
    verb = "is" if faster == "one node" else "are"
    return f"{line}; at {at_hand}, as on {given.hardware.name}, {faster} {verb} faster."


def _nodes(answer: BreakEven) -> str:
    count = int(answer.value or 0)
    if not answer.contest.previous:
        return f"{count} nodes are the least that are as fast as one."
    if count == 1:
        return "A second node makes it no faster."
    return f"Up to {count} nodes each one more makes it faster; the next one does not."


def _at(answer: BreakEven) -> Configuration:
    return answer.contest.configuration


def _s_comm(answer: BreakEven) -> object:
    return _at(answer).s_comm if _at(answer).strategy.has_knob else None


def _versus(answer: BreakEven) -> str:
    return "N-1" if answer.contest.previous else "1"


def _value(answer: BreakEven) -> str:
    if answer.value is None:
        return "none"
    if answer.unit in ("B/s", "s"):
        return format_quantity(answer.value, answer.unit, 4)
    prefix = "S_comm " if answer.solve == "s-comm" else ""
    return f"{prefix}{answer.value:.6g}"


Floats = NDArray[np.float64]

FEWER = "#C9C9C9"

LEVELS = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 16.0, 64.0)
"""Times faster, at which the colour changes."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Speed-up (X, S) of one panel, what the panel is called, and what N nodes are against."""

    title: str
    versus: str
    speedup: Floats


def draw_surfaces(
    surfaces: list[Surface],
    x: Floats,
    x_label: str,
    unit: str,
    at_hand: float,
    s_comm: Floats,
    title: str,
) -> "Figure":
    """Return a panel per surface: grey where the fewer nodes are faster, the line of break-even.

    x is logarithmic, in `unit`; `at_hand` is the value of the hardware, a dotted line.
    """
    import matplotlib as mpl
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import LogLocator, NullFormatter

    with mpl.rc_context(rc()):
        columns = columns_of_panels(min(3, len(surfaces)), 20)
        high = -(-len(surfaces) // columns)
        figure = new_figure(max(7.0, 1.8 + 3.2 * columns), 1.7 + 2.9 * high, title)
        greens = mpl.colormaps["YlGn"](np.linspace(0.15, 0.95, len(LEVELS) - 1))
        colours = ListedColormap([FEWER, *greens])
        norm = BoundaryNorm([0.0, *LEVELS], len(LEVELS))
        panels: list[Axes] = []
        for index, surface in enumerate(surfaces):
            first = panels[0] if panels else None
            axes = figure.add_subplot(high, columns, index + 1, sharex=first, sharey=first)
            panels.append(axes)
            _draw(axes, surface, x, s_comm, colours.colors)
            if x[0] <= at_hand <= x[-1]:
                axes.axvline(at_hand, color=SINGLE, ls=":", lw=1.4)
            below = index + columns >= len(surfaces)
            axes.tick_params(labelbottom=below)
            axes.set_xlabel(x_label if below else "")
            axes.tick_params(labelleft=index % columns == 0)
        panels[0].set(xscale="log", xlim=(x[0], x[-1]), ylim=(0, 1))
        panels[0].xaxis.set_major_formatter(lambda value, _: format_quantity(value, unit))
        panels[0].xaxis.set_minor_formatter(NullFormatter())
        panels[0].xaxis.set_major_locator(LogLocator(numticks=4))
        figure.supylabel(COLUMNS["s_comm"].quantity if sheet().inches is None else "S_comm")
        fewer = surfaces[0].versus
        handles: list[Any] = [
            Patch(color=FEWER, label=f"{fewer} faster"),
            Line2D([], [], color="black", lw=1.8, label="break-even"),
            Line2D([], [], color=SINGLE, ls=":", lw=1.4, label="the hardware at hand"),
        ]
        legend_below(figure, handles, ncols=3)
        scale = mpl.cm.ScalarMappable(norm, colours)
        bar = figure.colorbar(scale, ax=panels, ticks=LEVELS[:-1], spacing="uniform", pad=0.02)
        bar.ax.set_ylim(LEVELS[0], LEVELS[-1])
        bar.set_ticklabels([f"{level:g}x" for level in LEVELS[:-1]])
        bar.set_label("times faster")
        return fitted(figure)


def _draw(axes: "Axes", surface: Surface, x: Floats, s_comm: Floats, colours: Any) -> None:
    speedup = surface.speedup.T
    edges = [0.0, *LEVELS[:-1], max(LEVELS[-1], float(speedup.max()) + 1.0)]
    axes.contourf(x, s_comm, speedup, levels=edges, colors=colours)
    if speedup.min() < 1 < speedup.max():
        axes.contour(x, s_comm, speedup, levels=[1.0], colors="black", linewidths=1.8)
    axes.set_title(surface.title)
    axes.grid(False)
