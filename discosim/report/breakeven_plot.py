"""The picture of `breakeven`: where N nodes beat one, over a number of the link and S_comm."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from discosim.report.style import RC, SINGLE, new_figure
from discosim.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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

    with mpl.rc_context(RC):
        columns = min(3, len(surfaces))
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
        figure.supylabel("S_comm, fraction of remote features not sent", fontsize=10)
        fewer = surfaces[0].versus
        handles: list[Any] = [
            Patch(color=FEWER, label=f"{fewer} faster"),
            Line2D([], [], color="black", lw=1.8, label="break-even"),
            Line2D([], [], color=SINGLE, ls=":", lw=1.4, label="the hardware at hand"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
        scale = mpl.cm.ScalarMappable(norm, colours)
        bar = figure.colorbar(scale, ax=panels, ticks=LEVELS[:-1], spacing="uniform", pad=0.02)
        bar.ax.set_ylim(LEVELS[0], LEVELS[-1])
        bar.set_ticklabels([f"{level:g}x" for level in LEVELS[:-1]])
        bar.set_label("times faster")
        return figure


def _draw(axes: "Axes", surface: Surface, x: Floats, s_comm: Floats, colours: Any) -> None:
    speedup = surface.speedup.T
    edges = [0.0, *LEVELS[:-1], max(LEVELS[-1], float(speedup.max()) + 1.0)]
    axes.contourf(x, s_comm, speedup, levels=edges, colors=colours)
    if speedup.min() < 1 < speedup.max():
        axes.contour(x, s_comm, speedup, levels=[1.0], colors="black", linewidths=1.8)
    axes.set_title(surface.title)
    axes.grid(False)
