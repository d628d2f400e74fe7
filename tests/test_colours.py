"""Colours that survive grey and colour blindness: what a picture tells apart differs in more."""

from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.collections import Collection, LineCollection
from matplotlib.colors import to_rgba
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from discosim.report.style import COMM, COMP, graded_styles, line_styles
from discosim.report.sweep_plot import MOST_LINES

# Machado, Oliveira, Fernandes: A physiologically-based model for simulation of color vision
# deficiency (2009), severity 1.0, of linear RGB.
SIGHTS = {
    "all cones": np.eye(3),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
}
IN_GREY = 8.0
"""Steps of lightness, of 100, that are seen in areas beside each other."""

IN_COLOUR = 20.0
"""Steps of colour, CIE 1976: ten times what is just seen."""

# of sRGB, to CIE XYZ over its white
XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
) / np.array([[0.9505], [1.0], [1.089]])


def lab(colour: object, sight: str = "all cones") -> np.ndarray:
    """Return L*, a*, b* (3,) of a colour over white, as it is seen."""
    *rgb, alpha = to_rgba(colour)  # type: ignore[arg-type]
    mixed = alpha * np.array(rgb) + 1 - alpha
    linear = np.where(mixed <= 0.04045, mixed / 12.92, ((mixed + 0.055) / 1.055) ** 2.4)
    seen = XYZ @ np.clip(SIGHTS[sight] @ linear, 0, 1)
    x, y, z = np.where(seen > 0.008856, np.cbrt(seen), 7.787 * seen + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def lightness(colour: object, sight: str = "all cones") -> float:
    """Return L* of a colour over white, as it is seen: what is left of it in grey."""
    return float(lab(colour, sight)[0])


class Look(NamedTuple):
    """What one sees of an entry of a legend: its form, and its colour."""

    form: tuple[object, ...]
    colour: object


def look(entry: Artist) -> Look:
    """Return what one sees of an entry of a legend."""
    if isinstance(entry, Line2D):
        dashes = entry._unscaled_dash_pattern if entry.get_linestyle() != "None" else None
        hollow = str(entry.get_markerfacecolor()) in ("none", "white")
        return Look(("line", entry.get_marker(), str(dashes), hollow), entry.get_color())
    if isinstance(entry, LineCollection):
        return Look(("line", "None", str(entry.get_linestyle()[0]), False), entry.get_color()[0])
    if isinstance(entry, Collection):
        path = entry.get_paths()[0].vertices if entry.get_paths() else np.empty((0, 2))
        return Look(("marks", str(np.round(path, 2).tolist())), entry.get_facecolor()[0])
    assert isinstance(entry, Patch)
    return Look(("area", entry.get_hatch()), entry.get_facecolor())


def alike(one: Look, other: Look) -> bool:
    """Whether two entries have one form, and nearly one colour in grey or in some sight."""
    grey = abs(lightness(one.colour) - lightness(other.colour)) < IN_GREY
    colours = (lab(one.colour, sight) - lab(other.colour, sight) for sight in SIGHTS)
    return one.form == other.form and (
        grey or min(float(np.hypot.reduce(each)) for each in colours) < IN_COLOUR
    )


def taken_for_each_other(legend: Legend) -> list[tuple[str, str]]:
    """Return the entries of a legend that are alike: of every picture in tests/test_sheets.py."""
    entries = [(t.get_text(), look(h)) for t, h in
               zip(legend.get_texts(), legend.legend_handles, strict=True)]  # fmt: skip
    return [(a, b) for (a, one), (b, other) in combinations(entries, 2) if alike(one, other)]


def test_white_grey_and_black_are_seen_as_they_are() -> None:
    for sight in SIGHTS:
        assert lightness("white", sight) == pytest.approx(100, abs=0.01)
        assert lightness("black", sight) == pytest.approx(0, abs=0.01)
        assert lightness("#777777", sight) == pytest.approx(lightness("#777777"), abs=0.01)
    assert lightness("red", "protanopia") < lightness("red") - 10


def test_communication_and_computation_differ_as_areas() -> None:
    areas = ((COMM, 0.55), (COMP, 0.8)), ((COMM, 0.65), (COMP, 0.85))
    for one, other in areas:
        assert not alike(Look((), to_rgba(*one)), Look((), to_rgba(*other)))


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("count", [2, MOST_LINES, 12])
def test_lines_beside_each_other_differ_in_marker_or_dash(count: int, marked: bool) -> None:
    forms = [(str(each["ls"]), each["marker"]) for each in line_styles(count, marked)]
    assert all(one != other for one, other in pairwise(forms))
    if marked:
        assert len(set(forms[:MOST_LINES])) >= min(count, 5)


def test_lines_in_an_order_grow_lighter() -> None:
    for sight in SIGHTS:
        shades = [lightness(each["color"], sight) for each in graded_styles(15)]
        assert (np.diff(shades) > 1).all()
