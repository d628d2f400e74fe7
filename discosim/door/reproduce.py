"""`reproduce`: the paper's tables, figures and claims, beside what is computed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.hearing import command, progress
from discosim.errors import DiscosimError
from discosim.paper import SECTIONS, Section, names, show
from discosim.report.tables import Cells

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, kw_only=True)
class Reproduction(Answer):
    """The published numbers beside the computed ones, or what one part does not print."""

    sections: Sequence[Section]
    published: pd.DataFrame
    costs: pd.DataFrame | None = None

    @property
    def agrees(self) -> bool:
        """Whether every number that should fit does."""
        return bool(self.published["agrees"].all())

    @property
    def _frame(self) -> pd.DataFrame:
        """One row a published number (docs/reproduction.md), or the costs."""
        return self.published if self.costs is None else self.costs

    @cached_property
    def lines(self) -> list[str]:
        """The paper or the part, how it is counted, and how many numbers fit."""
        if self.costs is not None:
            return show.heading(self.sections, costs=True)
        return [*show.heading(self.sections), show.summary(self.published)]

    @cached_property
    def cells(self) -> Cells:
        """The rows."""
        if self.costs is not None:
            return show.costs_for_people(self.costs)
        return show.rows_for_people(self.published)

    def pictures(self) -> "Iterator[tuple[str, Figure]]":
        """Yield each picture of the parts with the stem of its file."""
        for section in self.sections:
            for stem, picture in section.pictures.items():
                yield stem, picture()

    def plot(self) -> "Figure":
        """Return the first picture of the parts."""
        for _, figure in self.pictures():
            return figure
        return super().plot()


@command
def reproduce(only: given.Names | None = None, *, costs: bool = False) -> Reproduction:
    """Return the paper's numbers beside the computed ones.

    only: tab1 … tab5, claims, fig1, fig2, fig4; costs: what one part does not print. Raises
    DiscosimError.
    """
    chosen = sections(only)
    published = _published(chosen)
    if not costs:
        return Reproduction(sections=chosen, published=published)
    if len(chosen) != 1 or chosen[0].costs is None:
        raise DiscosimError("--costs is of one table or figure: --only tab1 --costs")
    return Reproduction(sections=chosen, published=published, costs=chosen[0].costs())


def _published(chosen: Sequence[Section]) -> pd.DataFrame:
    """The published numbers of the parts, part by part, which is told."""
    frames = []
    with progress("parts of the paper") as shown:
        for section in chosen:
            frames.append(section.rows())
            shown(len(frames), len(chosen))
    return pd.concat([frame for frame in frames if len(frame)], ignore_index=True)


def sections(only: given.Names | None) -> list[Section]:
    """Return the parts of the paper that are named, or all; raises DiscosimError."""
    return [SECTIONS[name] for name in (names() if only is None else given.names(only))]
