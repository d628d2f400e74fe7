"""How all pictures look: colours for the colour-blind, one unit per axis, files written whole."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from discosim.errors import DiscosimError, UnknownNameError
from discosim.files import write_whole
from discosim.report.lettering import filled, inches_of

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
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
}
"""Letters are fonts in all formats: none of Type 3, which journals refuse."""

LETTERS = {"screen": 10.0, "paper": 8.0, "slide": 16.0}
"""Points of the letters by the style of a picture."""

WIDTHS = {"paper": 3.3, "slide": 10.0}
"""Inches of a column and of a slide."""

LEAST_LETTERS = 6.0
LEAST_HEIGHT = 0.27
"""Inches a point of letters, for a title, one panel and a legend."""

LINES_THERE = 2
"""Lines of a title and of a legend for which a picture has room."""


@dataclass(frozen=True)
class Sheet:
    """What a picture is drawn for: inches across, style, dots an inch, its title, a log axis.

    width: None for what its content asks for; title: None for the one that tells what was asked.
    """

    width: float | None = None
    style: str = "screen"
    dpi: int | None = None
    title: str | None = None
    log: bool = False

    @property
    def inches(self) -> float | None:
        """The width, that of the style where none is given."""
        return self.width if self.width is not None else WIDTHS.get(self.style)

    @property
    def letters(self) -> float:
        """Points of the letters."""
        return LETTERS[self.style]


SCREEN = Sheet()
_SHEET: ContextVar[Sheet] = ContextVar("sheet", default=SCREEN)


def sheet() -> Sheet:
    """Return what pictures are drawn for."""
    return _SHEET.get()


@contextmanager
def drawn_on(given: Sheet) -> Iterator[None]:
    """Draw what is drawn inside for `given`; raises UnknownNameError for its style."""
    if given.style not in LETTERS:
        raise UnknownNameError("style", given.style, LETTERS)
    token = _SHEET.set(given)
    try:
        yield
    finally:
        _SHEET.reset(token)


def rc() -> Any:
    """Return matplotlib's settings for the sheet."""
    letters = sheet().letters
    sizes = {
        "font.size": letters,
        "axes.titlesize": letters,
        "figure.titlesize": 1.1 * letters,
        "figure.labelsize": letters,
    }
    thick = max(0.8, letters / 10)
    return {
        **RC,
        **sizes,
        "legend.fontsize": max(LEAST_LETTERS, 0.9 * letters),
        "xtick.labelsize": max(LEAST_LETTERS, 0.9 * letters),
        "ytick.labelsize": max(LEAST_LETTERS, 0.9 * letters),
        "axes.linewidth": 0.8 * thick,
        "legend.borderaxespad": 0.2,
    }


def small() -> float:
    """Return the points of small letters, which can still be read."""
    return max(LEAST_LETTERS, 0.8 * sheet().letters)


def columns_of_panels(most: int, letters: int = 14) -> int:
    """Return how many panels lie side by side, at most `most`, each as wide as so many letters."""
    width = sheet().inches
    if width is None:
        return most
    return max(1, min(most, int(width * 72 / (letters * sheet().letters))))


def new_figure(width: float, height: float, title: str = "", *, rows: int = 0) -> "Figure":
    """Return an empty figure of that many inches, its title in as many lines as it needs.

    rows: of letters that stand one above another, for which it is high enough on any sheet.
    """
    from matplotlib.figure import Figure

    asked = sheet()
    if asked.inches is not None:
        height *= max(asked.inches / width, 0.062 * asked.letters)
        height = max(height, LEAST_HEIGHT * asked.letters)
        height = max(height, (1.5 * small() * rows + 10 * asked.letters) / 72)
        width = asked.inches
    figure = Figure(figsize=(width, height), dpi=asked.dpi or 150, layout="constrained")
    title = title if asked.title is None else asked.title
    if title:
        letters = 1.1 * asked.letters
        lines = [filled(line, 0.96 * width, letters) for line in title.splitlines()]
        figure.suptitle("\n".join(lines))
        if asked.inches is not None:
            _taller(figure, len("\n".join(lines).splitlines()) - LINES_THERE)
    return figure


def _taller(figure: "Figure", lines: int) -> None:
    """Make room for more lines of letters."""
    more = max(0, lines) * 1.5 * sheet().letters / 72
    figure.set_figheight(figure.get_figheight() + more)


def time_unit(values_s: Iterable[float]) -> tuple[float, str]:
    """Return seconds per unit and the unit in which the largest time reads easily."""
    sizes = [abs(value) for value in values_s if np.isfinite(value)]
    largest = max(sizes, default=1.0)
    return next((unit for unit in TIMES if largest >= unit[0]), TIMES[-1])


def line_styles(count: int, marked: bool) -> list[dict[str, Any]]:
    """Return styles that stay apart where two lines coincide: thin ones lie on wide ones.

    Neighbours differ in their markers, or where they have none in their dashes: in grey as well.
    """
    dashes = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1.5, 1, 1.5)))
    widths = [1.8] if count == 1 else [(2.8, 1.4)[i % 2] for i in range(count)]
    return [
        {
            "color": LINES[i % len(LINES)],
            "ls": dashes[(i // len(LINES) if marked else i) % len(dashes)],
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


def hatched_bars(
    axes: "Axes", values: Any, plain: Any, names: tuple[str, str], colours: tuple[str, str]
) -> None:
    """Draw a bar a value (K,), plain or hatched, from top to bottom; names: of both in a legend."""
    looks: tuple[dict[str, Any], ...] = ({}, {"hatch": "////", "ec": "white", "lw": 0})
    for chosen, look, name, colour in zip((plain, ~plain), looks, names, colours, strict=True):
        places = np.flatnonzero(chosen)
        if len(places):
            axes.barh(places, values[places], 0.65, fc=colour, alpha=0.8, label=name, **look)
    axes.grid(False, axis="y")


def log_y(axes: "Axes", low: float, high: float) -> None:
    """Make the y axis logarithmic from below `low` to above `high`, ticks in plain numbers."""
    axes.set_yscale("log")
    axes.set_ylim(low / 1.5, high * 1.5)
    plain_ticks(axes.yaxis, low, high)


def plain_ticks(axis: "Axis", low: float, high: float) -> None:
    """Write the ticks of a logarithmic axis in plain numbers, more of them on a short one."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    decades = np.log10(high / low) * (1.0 if sheet().inches is None else 1.8)
    subs = (1.0, 2.0, 5.0) if decades < 2.5 else (1.0, 3.0) if decades < 4.5 else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def legend_right(figure: "Figure", handles: Sequence[Any], labels: Sequence[str]) -> "Legend":
    """Return a legend right of all axes, in as many columns as the height asks for.

    On a narrow sheet it lies below them.
    """
    if sheet().inches is not None:
        return legend_below(figure, handles, labels, ncols=len(labels))
    columns = -(-len(labels) // int(4 * figure.get_figheight()))
    figure.set_figwidth(figure.get_figwidth() + 2.6 * (columns - 1))
    return figure.legend(handles, labels, loc="outside right center", ncols=columns)


def legend_below(
    figure: "Figure",
    handles: Sequence[Any] | None = None,
    labels: Sequence[str] | None = None,
    *,
    ncols: int,
) -> "Legend":
    """Return a legend below all axes, in `ncols` columns or as many as there is room for."""
    if handles is None:
        pairs = [axes.get_legend_handles_labels() for axes in figure.axes]
        found = {label: handle for pair in pairs for handle, label in zip(*pair, strict=True)}
        handles, labels = list(found.values()), list(found)
    if labels is None:
        labels = [str(handle.get_label()) for handle in handles]
    columns = max(1, min(ncols, int(figure.get_figwidth() / _entry(labels))))
    if sheet().inches is not None:
        _taller(figure, -(-len(labels) // columns) - LINES_THERE)
    return figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def _entry(labels: Sequence[str]) -> float:
    """Inches across of a column of a legend: the mark, the longest label, and what is between."""
    letters = max(LEAST_LETTERS, 0.9 * sheet().letters)
    longest = max((inches_of(label, letters) for label in labels), default=0.0)
    return longest + 4.8 * letters / 72


def check_suffix(path: str) -> None:
    """Raise DiscosimError where the file's suffix is not that of a picture."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise DiscosimError(f"picture file {path!r}; wanted a suffix of {', '.join(SUFFIXES)}")


def as_svg(figure: "Figure") -> bytes:
    """Return the figure as an SVG file; the same figure gives the same bytes."""
    import matplotlib as mpl

    content = BytesIO()
    with mpl.rc_context(rc()):
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


def save(figure: "Figure", path: str) -> None:
    """Write the figure, whole or not at all; the suffix says the format."""
    import matplotlib as mpl

    check_suffix(path)
    suffix = Path(path).suffix.lower()
    metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix)
    with mpl.rc_context(rc()):  # the same figure gives the same bytes
        write_whole(path, lambda whole: figure.savefig(whole, format=suffix[1:], metadata=metadata))
