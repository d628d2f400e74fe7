"""How all pictures look: colours for the colour-blind, one unit per axis, files written whole."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from discosim.errors import DiscosimError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COMM = "#D55E00"
COMP = "#0072B2"
SINGLE = "#333333"
LINES = ("#000000", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#0072B2", "#D55E00", "#999999")
"""Okabe and Ito's palette: distinct for the colour-blind."""

SUFFIXES = (".png", ".svg", ".pdf")
TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))

RC: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "discosim",
}


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of that many inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def time_unit(values_s: Iterable[float]) -> tuple[float, str]:
    """Return seconds per unit and the unit in which the largest time reads easily."""
    sizes = [abs(value) for value in values_s if np.isfinite(value)]
    largest = max(sizes, default=1.0)
    return next((unit for unit in TIMES if largest >= unit[0]), TIMES[-1])


def check_suffix(path: str) -> None:
    """Raise DiscosimError where the file's suffix is not that of a picture."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise DiscosimError(f"picture file {path!r}; wanted a suffix of {', '.join(SUFFIXES)}")


def save(figure: "Figure", path: str) -> None:
    """Write the figure, whole or not at all; the suffix says the format."""
    check_suffix(path)
    target = Path(path)
    suffix = target.suffix.lower()
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".discosim-") as folder:
        whole = Path(folder) / f"picture{suffix}"
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix)
        figure.savefig(whole, metadata=metadata)
        whole.replace(target)
