"""Every kind of picture, and where its letters lie: for tests that look at all of them.

python -m tests.pictures FOLDER     # draws them for a column of a paper and for a slide
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

import discosim as ds
from discosim.door.answer import Answer
from discosim.door.own import own
from discosim.hardware import load_profile
from discosim.paper import SECTIONS
from discosim.report.splits import draw_splits
from discosim.report.style import Sheet, drawn_on, save
from discosim.report.titles import counted
from discosim.report.validate import draw_validation
from discosim.validate.records import ValidationFile

ROOT = Path(__file__).parents[1]
NODE = load_profile("disco-fig4").hardware()
NET = "resnet50"
SMALL = "resnet18/8"
TWO = ["rpi4-gigabit", "rpi5-gigabit"]
STYLES = ("paper", "slide")


def _validated() -> Figure:
    """What was measured once, as `validate` draws it."""
    path = ROOT / "experiments/measured/validate-resnet50.json"
    file = ValidationFile(**json.loads(path.read_text(encoding="utf-8")))
    records, rows = (
        pd.DataFrame([each.model_dump() for each in kept]) for kept in (file.records, file.layers)
    )
    first = file.records[0]
    how = counted(s_comm=records["s_comm"], overlap=records["overlap"])
    title = f"{first.model} on {first.nodes} nodes, {file.about.machine}\n37.5 MB/s links, {how}"
    return draw_validation(records, rows, title)


ANSWERS: dict[str, Callable[[], Answer]] = {
    "sweep": lambda: ds.sweep(NET, NODE, nodes=[2, 4, 8]),
    "sweep-overlap": lambda: ds.sweep(NET, NODE, nodes=[2, 4], overlap="layer:best"),
    "sweep-band": lambda: ds.sweep(NET, "rpi4-gigabit", nodes=[2, 4], band=True),
    "sweep-strategies": lambda: ds.sweep(
        NET, NODE, nodes=[2, 4], strategies="disco,rows,paired,pipeline"
    ),
    "sweep-hardware": lambda: ds.sweep(NET, [*TWO, "rpi4-wifi"]),
    "sweep-facets": lambda: ds.sweep(
        SMALL, TWO, nodes=[2, 4], strategies="disco,random-sparse,rows,pipeline"
    ),
    "sweep-nodes": lambda: ds.sweep(NET, NODE, nodes="2:16"),
    "sweep-one-s-comm": lambda: ds.sweep(NET, NODE, s_comm=0.9),
    "sweep-over-nodes": lambda: ds.sweep(NET, NODE, s_comm=0.9, nodes="2:24"),
    "compare": lambda: ds.compare("resnet18", NODE),
    "layers": lambda: ds.layers(NET, NODE, nodes=4, s_comm=0.9),
    "layers-long": lambda: ds.layers("esrgan", NODE),
    "breakeven": lambda: ds.breakeven("resnet18", NODE, nodes=[2, 4, 8]),
    "breakeven-one": lambda: ds.breakeven("resnet18", NODE, nodes=2),
    "target": lambda: ds.breakeven(
        "deit-ti", "rpi4-gigabit", nodes=[2, 4], s_comm=0.9, target="100ms"
    ),
    "target-nodes": lambda: ds.breakeven(SMALL, NODE, solve="nodes", target="5ms"),
    "own": lambda: own("resnet18", "rpi5-gigabit,2xrpi4-gigabit", latency="20ms"),
    "pareto": lambda: ds.pareto(NET, NODE),
    "pareto-two": lambda: ds.pareto(NET, NODE, by="latency,memory"),
    "pareto-accuracy": lambda: ds.pareto(NET, NODE, nodes=2, by="latency,accuracy"),
    "pareto-nodes": lambda: ds.pareto(NET, NODE, by="latency,s_comm"),
    "pareto-one": lambda: ds.pareto(NET, NODE, by="latency"),
    "pareto-histogram": lambda: ds.pareto(NET, NODE, reduce="histogram"),
    "timeline": lambda: ds.timeline(NET, "rpi4-gigabit", nodes=4, s_comm=0.9),
    "timeline-links": lambda: ds.timeline("resnet18", NODE, nodes=4, s_comm=0.9),
    "inspect": lambda: ds.inspect("resnet18"),
    "inspect-long": lambda: ds.inspect("deit-ti"),
    "plan": lambda: ds.plan("resnet18", NODE, memory="30MB", exact_only=True),
    "plan-sparse": lambda: ds.plan("resnet18", NODE),
    "plan-unlike": lambda: ds.plan("resnet18", TWO),
    "allocate": lambda: ds.allocate("resnet18", NODE, bytes="30%"),
    "mask": lambda: ds.mask(SMALL, nodes=3, layer="layer4.1.conv2"),
    "size": lambda: ds.size("resnet18", NODE, latency="200ms", throughput="10Hz"),
    "size-hardware": lambda: ds.size("resnet18", TWO, latency="20ms", memory="30MB"),
    "evidence": lambda: ds.evidence(device="Raspberry Pi 4"),
}
"""Answers with a picture."""

FIGURES: dict[str, Callable[[], Figure]] = {
    "validate": _validated,
    "splits": draw_splits,
    **{
        f"reproduce-{stem}": picture
        for name in SECTIONS
        for stem, picture in SECTIONS[name].pictures.items()
    },
}
"""Pictures that are no answer's, or of what was measured."""

QUICK = (
    *("sweep-strategies", "layers", "breakeven-one", "pareto-accuracy", "plan", "timeline"),
    *("inspect", "allocate", "size", "mask", "validate", "reproduce-tab1"),
)
"""Of each kind of answer one."""


IN_CORE = ("layers", "plan", "reproduce-tab1")


def kinds() -> list[Any]:
    """Return every kind of picture as a parameter: one process has its answer computed once."""
    return [
        pytest.param(name, marks=[] if name in IN_CORE else [pytest.mark.exhaustive])
        for name in (*ANSWERS, *FIGURES)
    ]


@cache
def answer(name: str) -> Answer:
    """Return an answer with a picture."""
    return ANSWERS[name]()


@cache
def drawn(name: str, style: str) -> Figure:
    """Return a picture for a column of a paper or for a slide."""
    with drawn_on(Sheet(style=style, dpi=150 if style == "paper" else 60)):
        return answer(name).plot() if name in ANSWERS else FIGURES[name]()


@dataclass(frozen=True)
class Lettering:
    """A text as it was drawn: its letters' points, and its corners (4, 2), in dots, in a circle."""

    text: str
    points: float
    corners: np.ndarray

    def leaves(self, figure: Figure) -> bool:
        """Whether it is cut by the edge of the figure."""
        high = np.array([figure.bbox.width, figure.bbox.height])
        return bool((self.corners < -1).any() or (self.corners > high + 1).any())

    def lies_on(self, other: "Lettering", slack: float) -> bool:
        """Whether they overlap by more than `slack` dots in every direction of their sides."""
        for one in (self, other):
            for side in (one.corners[1] - one.corners[0], one.corners[2] - one.corners[1]):
                along = side / max(float(np.hypot(*side)), 1e-9)
                mine, others = self.corners @ along, other.corners @ along
                if min(mine.max(), others.max()) - max(mine.min(), others.min()) <= slack:
                    return False
        return True


def lettering(figure: Figure) -> list[Lettering]:
    """Return all texts that are drawn, as they are drawn."""
    drawn: list[Text] = []

    def draw(text: Text, renderer: object, *more: object) -> None:
        if text.get_visible() and text.get_text().strip():
            drawn.append(text)
        original(text, renderer, *more)

    original = Text.draw
    canvas = FigureCanvasAgg(figure)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", draw)
        canvas.draw()
    return [Lettering(t.get_text(), float(t.get_fontsize()), _corners(t)) for t in drawn]


def _corners(text: Text) -> np.ndarray:
    """The corners of a text's own box, which is turned as the text is."""
    angle = np.radians(text.get_rotation())
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    box = Text.get_window_extent(text)  # without the arrow of an annotation
    middle = np.array([(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2])
    cos, sin = abs(np.cos(angle)), abs(np.sin(angle))
    level = np.array([[cos, sin], [sin, cos]])
    if abs(cos - sin) < 1e-3:  # of a square only the sum is known: letters are one line high
        high = 1.2 * text.get_fontsize() * text.figure.dpi / 72
        wide = box.width / cos - high
    else:
        wide, high = np.linalg.solve(level, [box.width, box.height])
    half = np.array([[-wide, -high], [wide, -high], [wide, high], [-wide, high]]) / 2
    corners: np.ndarray = middle + half @ turn.T
    return corners


def main(folder: Path, names: list[str]) -> None:
    """Draw all pictures, or those that are named, in every style."""
    folder.mkdir(exist_ok=True, parents=True)
    for name in names or (*ANSWERS, *FIGURES):
        for style in STYLES:
            figure = drawn(name, style)
            with drawn_on(Sheet(style=style)):
                save(figure, str(folder / f"{name}-{style}.png"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
