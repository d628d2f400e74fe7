"""The paper, computed: DISCO, Distributed Inference with Sparse Communications (WACV 2024).

Each table, figure and group of claims is a file of this package that registers a Section.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from discosim.registry import Registry

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

PAPER = (
    "Qin, Sun, Hofmann, Vucinic: DISCO: Distributed Inference with Sparse Communications, WACV 2024"
)


@dataclass(frozen=True)
class Section:
    """A table, a figure or a group of claims of the paper.

    rows: one row per published number (`row.frame`); conventions: how it is counted, one sentence
    each; costs: what the paper does not print of a table's rows, or of a figure; pictures: what
    can be drawn, by file stem.
    """

    name: str
    title: str
    rows: "Callable[[], pd.DataFrame]"
    conventions: tuple[str, ...] = ()
    costs: "Callable[[], pd.DataFrame] | None" = None
    pictures: "Mapping[str, Callable[[], Figure]]" = field(default_factory=dict)


SECTIONS: Registry[Section] = Registry("part of the paper", __name__)


def enter(section: Section) -> Section:
    """Register a section under its name and return it."""
    return SECTIONS.register(section.name)(section)


def names() -> list[str]:
    """Return the names of all sections: tables, claims, figures."""
    return sorted(SECTIONS, key=lambda name: (not name.startswith("tab"), name))


def rows(chosen: list[str] | None = None) -> "pd.DataFrame":
    """Return one row per published number of the chosen sections, or of all."""
    import pandas as pd

    frames = [SECTIONS[name].rows() for name in chosen or names()]
    return pd.concat([frame for frame in frames if len(frame)], ignore_index=True)
