"""Letters in pictures: how wide they are, lines that fit, labels that do not lie on each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation, Text

LINE = 1.25
"""Height of a line, in letters."""

USUAL = 10.0
"""Points of the letters beside which lines are as thick as they are drawn."""

AROUND = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))
"""Where a label stands beside its point, the best place first."""


@lru_cache(maxsize=4096)
def inches_of(text: str, points: float) -> float:
    """Return how wide a text is in letters of so many points, its longest line if it has more."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    letters = FontProperties(size=points)
    lines = text.splitlines() or [""]
    return max(
        text_to_path.get_text_width_height_descent(line, letters, ismath=False)[0] / 72
        for line in lines
    )


def filled(text: str, inches: float, points: float) -> str:
    """Return a text in lines of at most so many inches, broken between words."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and inches_of(longer, points) <= inches:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def fitted(figure: "Figure") -> "Figure":
    """Return the figure with labels of axes and titles of panels in lines that have room.

    Where letters are large, so are lines and markers.
    """
    from matplotlib import rcParams

    if (times := rcParams["font.size"] / USUAL) > 1:
        _thicker(figure, times)
    figure.draw_without_rendering()
    changed = False
    for axes in figure.axes:
        room = axes.get_window_extent()
        changed |= _refilled(axes.yaxis.label, room.height / figure.dpi)
    for across in (
        [axes.title for axes in figure.axes],
        [axes.xaxis.label for axes in figure.axes],
    ):
        boxes = [text.get_window_extent() for text in across]
        for place, (axes, text) in enumerate(zip(figure.axes, across, strict=True)):
            box, width = boxes[place], axes.get_window_extent().width / figure.dpi
            others = (each for number, each in enumerate(boxes) if number != place)
            out = box.x0 < 0 or box.x1 > figure.bbox.width
            if text.get_text() and (out or any(map(box.overlaps, others))):
                changed |= _refilled(text, width)
    if changed:
        figure.draw_without_rendering()
    return figure


def _thicker(figure: "Figure", times: float) -> None:
    """Draw lines and markers so many times as thick."""
    from matplotlib.collections import Collection, PathCollection
    from matplotlib.lines import Line2D

    for line in figure.findobj(Line2D):
        assert isinstance(line, Line2D)
        line.set_linewidth(times * line.get_linewidth())
        line.set_markersize(times * line.get_markersize())
    for many in figure.findobj(Collection):
        assert isinstance(many, Collection)
        many.set_linewidth([times * float(width) for width in np.atleast_1d(many.get_linewidth())])
        if isinstance(many, PathCollection):
            many.set_sizes(times**2 * many.get_sizes())


def _refilled(text: "Text", inches: float) -> bool:
    """Whether a text was too long for so many inches, and has more lines for it."""
    points = float(text.get_fontsize())
    if inches_of(text.get_text(), points) <= inches:
        return False
    text.set_text(filled(text.get_text(), inches, points))
    return True


def spread(places: ArrayLike, apart: float, low: float, high: float) -> NDArray[np.float64]:
    """Return places (K,) near those given, in their order, at least `apart` from each other.

    They lie between `low` and `high`; where there is no room, they share what there is.
    """
    wanted = np.asarray(places, dtype=float)
    if not len(wanted):
        return wanted
    count = len(wanted)
    apart = min(apart, (high - low) / max(1, count - 1))
    order, room = np.argsort(wanted, kind="stable"), apart * np.arange(count)
    groups: list[tuple[float, int]] = []  # what would overlap, by its mean less the room
    for start in wanted[order] - room:
        groups.append((float(start), 1))
        while len(groups) > 1 and groups[-2][0] > groups[-1][0]:
            (first, few), (second, more) = groups.pop(-2), groups.pop()
            groups.append(((first * few + second * more) / (few + more), few + more))
    means, sizes = zip(*groups, strict=True)
    found = np.empty(count)
    found[order] = np.clip(np.repeat(means, sizes), low, high - room[-1]) + room
    return found


@dataclass(frozen=True)
class End:
    """Where a line ends, in the numbers of its axes, its name and its colour."""

    name: str
    x: float
    y: float
    colour: Any


def name_ends(figure: "Figure", ends: Mapping["Axes", Sequence[End]], points: float) -> "Figure":
    """Return the figure with the name of each line right of its end, none on another."""
    labels = {
        axes: [
            axes.annotate(
                end.name,
                (end.x, end.y),
                xytext=(1.4 * points, 0),
                textcoords="offset points",
                va="center",
                fontsize=points,
                annotation_clip=False,
                arrowprops={"arrowstyle": "-", "color": end.colour, "lw": 0.8, "shrinkA": 0,
                            "shrinkB": 2, "relpos": (0.0, 0.5)},
            )
            for end in each
        ]
        for axes, each in ends.items()
    }  # fmt: skip
    fitted(figure)
    for axes, each in labels.items():
        lines = max((label.get_text().count("\n") + 1 for label in each), default=1)
        dots = figure.dpi / 72
        heights = np.array([axes.transData.transform(label.xy)[1] for label in each]) / dots
        box = axes.get_window_extent()
        inner = (box.y0 / dots + points / 2, box.y1 / dots - points / 2)
        for label, at, place in zip(
            each, heights, spread(heights, LINE * lines * points, *inner), strict=True
        ):
            label.set_position((1.4 * points, place - at))
    return figure


def stand_apart(axes: "Axes", labels: Sequence["Annotation"], gap: float = 5.0) -> None:
    """Move labels of points to where they cover neither each other, nor points, nor lines.

    Every label belongs to the point that it annotates; gap: points between the two. The figure
    has its layout already.
    """
    dots = 72 / axes.figure.dpi
    inner = axes.get_window_extent()
    width, height = inner.width * dots, inner.height * dots
    taken = _drawn(axes, dots)
    boxes = np.empty((0, 4))
    for label in labels:
        points = float(label.get_fontsize())
        wide, high = 72 * inches_of(label.get_text(), points), points
        x, y = (axes.transData.transform(label.xy) - (inner.x0, inner.y0)) * dots
        best: tuple[float, Any] | None = None
        for far in (1.0, 2.0, 3.0):
            for rank, (right, up) in enumerate(AROUND):
                middle_x = x + right * (far * gap + wide / 2)
                middle_y = y + up * (far * gap + high / 2)
                box = np.array([middle_x - wide / 2, middle_y - high / 2,
                                middle_x + wide / 2, middle_y + high / 2])  # fmt: skip
                outside = box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height
                cost = _covered(box, boxes, taken) + 1e4 * outside + rank + 4 * far
                if best is None or cost < best[0]:
                    best = cost, (box, middle_x - x, middle_y - y)
        assert best is not None
        box, aside, above = best[1]
        boxes = np.vstack([boxes, box])
        label.set(position=(aside, above), ha="center", va="center")


def _covered(
    box: NDArray[np.float64], boxes: NDArray[np.float64], drawn: NDArray[np.float64]
) -> float:
    """What a box covers: other boxes count most, then what is drawn."""
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    over = int((high > low - 1).all(axis=1).sum())
    inside = ((drawn > box[:2] - 1) & (drawn < box[2:] + 1)).all(axis=1)
    return 1e3 * over + 10.0 * float(inside.sum())


def _drawn(axes: "Axes", dots: float) -> NDArray[np.float64]:
    """Points (K, 2) that lie close together on what is drawn as lines or markers."""
    inner = axes.get_window_extent()
    found = [np.empty((0, 2))]
    for line in axes.lines:
        points = (line.get_transform().transform(line.get_xydata()) - (inner.x0, inner.y0)) * dots
        marker = bool(line.get_marker()) and line.get_marker() != "None"
        if marker:
            reach = line.get_markersize() / 2
            for aside in ((0, 0), (reach, 0), (-reach, 0), (0, reach), (0, -reach)):
                found.append(points + aside)
        if line.get_linestyle() not in ("None", ""):
            share = np.linspace(0, 1, 60)[:, None]
            found += [a + share * (b - a) for a, b in pairwise(points)]
    return np.concatenate(found)
