"""How all pictures look: colours for the colour-blind, one unit per axis, files written whole."""

import textwrap
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from discosim.errors import DiscosimError
from discosim.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

# The palettes of Okabe and Ito, and of Tol: distinct for the colour-blind. COMM and COMP are
# kept for communication and computation.
COMM = "#D55E00"
COMP = "#0072B2"
SINGLE = "#333333"
LINES = ("#000000", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#999999", "#882255", "#999933")

SUFFIXES = (".png", ".svg", ".pdf")
TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))

RC: Any = {
    "font.size": 10,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "figure.titlesize": 11,
    "legend.frameon": False,
    "svg.hashsalt": "discosim",
}


def new_figure(width: float, height: float, title: str = "") -> "Figure":
    """Return an empty figure of that many inches, its title in as many lines as it needs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    if title:
        lines = [textwrap.fill(line, int(11 * width)) for line in title.splitlines()]
        figure.suptitle("\n".join(lines))
    return figure


def time_unit(values_s: Iterable[float]) -> tuple[float, str]:
    """Return seconds per unit and the unit in which the largest time reads easily."""
    sizes = [abs(value) for value in values_s if np.isfinite(value)]
    largest = max(sizes, default=1.0)
    return next((unit for unit in TIMES if largest >= unit[0]), TIMES[-1])


def line_styles(count: int, marked: bool) -> list[dict[str, Any]]:
    """Return styles that stay apart where two lines coincide: thin ones lie on wide ones."""
    dashes = ("-", (0, (4, 1.5)), (0, (1, 1)))
    widths = [1.8] if count == 1 else [(2.8, 1.4)[i % 2] for i in range(count)]
    return [
        {
            "color": LINES[i % len(LINES)],
            "ls": dashes[i // len(LINES) % len(dashes)],
            "lw": width,
            "marker": "os^Dv"[i % 5] if marked else "",
            "ms": 2 + width,
            "zorder": 4 - width / 2,
        }
        for i, width in enumerate(widths)
    ]


def graded_styles(count: int) -> list[dict[str, Any]]:
    """Return styles from dark to light, for many lines in their order."""
    from matplotlib import colormaps

    return [{"color": c, "lw": 1.4} for c in colormaps["viridis"](np.linspace(0, 0.88, count))]


def log_y(axes: "Axes", low: float, high: float) -> None:
    """Make the y axis logarithmic from below `low` to above `high`, ticks in plain numbers."""
    axes.set_yscale("log")
    axes.set_ylim(low / 1.5, high * 1.5)
    plain_ticks(axes.yaxis, low, high)


def plain_ticks(axis: "Axis", low: float, high: float) -> None:
    """Write the ticks of a logarithmic axis in plain numbers, more of them on a short one."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    few = high < 300 * low
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def legend_right(figure: "Figure", handles: Sequence[Any], labels: Sequence[str]) -> "Legend":
    """Return a legend right of all axes, in as many columns as the height asks for."""
    columns = -(-len(labels) // int(4 * figure.get_figheight()))
    figure.set_figwidth(figure.get_figwidth() + 2.6 * (columns - 1))
    return figure.legend(handles, labels, loc="outside right center", ncols=columns)


def check_suffix(path: str) -> None:
    """Raise DiscosimError where the file's suffix is not that of a picture."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise DiscosimError(f"picture file {path!r}; wanted a suffix of {', '.join(SUFFIXES)}")


def as_svg(figure: "Figure") -> bytes:
    """Return the figure as an SVG file; the same figure gives the same bytes."""
    import matplotlib as mpl

    content = BytesIO()
    with mpl.rc_context(RC):
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


def save(figure: "Figure", path: str) -> None:
    """Write the figure, whole or not at all; the suffix says the format."""
    import matplotlib as mpl

    check_suffix(path)
    suffix = Path(path).suffix.lower()
    metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix)
    with mpl.rc_context(RC):  # the same figure gives the same bytes
        write_whole(path, lambda whole: figure.savefig(whole, format=suffix[1:], metadata=metadata))
