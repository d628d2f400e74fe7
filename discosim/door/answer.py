"""What a command answers: data, sentences, a table and a picture."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from discosim.errors import DiscosimError
from discosim.report.layout import begins_left
from discosim.report.tables import Cells, Columns, to_markdown, to_tex, to_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer(ABC):
    """What a command answers.

    notes: what was chosen for the user, and what had no effect; caveats: what verdicts rest on.
    """

    notes: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()

    @property
    def frame(self) -> "pd.DataFrame":
        """The answer as data, SI units, columns as docs/output.md names them: a copy each time."""
        return self._frame.copy()

    @property
    @abstractmethod
    def _frame(self) -> "pd.DataFrame":
        """The data as the answer keeps it."""

    @property
    def data(self) -> "Columns | pd.DataFrame":
        """The answer as data, as columns of arrays where there are such, to be read only."""
        return self._frame

    @property
    @abstractmethod
    def lines(self) -> Sequence[str]:
        """The answer in sentences."""

    @property
    @abstractmethod
    def cells(self) -> Cells:
        """The answer as a table for people, text by column."""

    def plot(self) -> "Figure":
        """Return the picture; raises DiscosimError where there is none."""
        raise DiscosimError("this answer has no picture; .frame has its numbers")

    def text(self, width: int | None = None) -> str:
        """Return the sentences and the table for `width` columns, or as wide as they are."""
        return to_text(self.cells, [*self.lines, *self.caveats], width)

    def markdown(self) -> str:
        """Return the sentences and the table as Markdown."""
        return to_markdown(self.cells, [*self.lines, *self.caveats])

    def tex(self) -> str:
        """Return the table for TeX, with the sentences as comments."""
        return to_tex(self.cells, [*self.lines, *self.caveats])

    def __str__(self) -> str:
        """Return what the command line shows."""
        return "".join(f"note: {note}\n" for note in self.notes) + self.text()

    def to_html(self) -> str:
        """Return the notes, the sentences and the table as HTML."""
        return self.said_html() + self.table_html()

    def said_html(self) -> str:
        """Return the notes and the sentences as HTML."""
        said = [*(f"note: {note}" for note in self.notes), *self.lines, *self.caveats]
        return "".join(f"<p>{escape(line)}</p>\n" for line in said)

    def table_html(self) -> str:
        """Return the table as HTML."""
        names = [
            ("left" if begins_left(*each) else "right", each[0]) for each in self.cells.items()
        ]
        head = "".join(f"<th style='text-align:{side}'>{escape(n)}</th>" for side, n in names)
        rows = "\n".join(
            "<tr>"
            + "".join(
                f"<td style='text-align:{side}'>{escape(cell)}</td>"
                for (side, _), cell in zip(names, row, strict=True)
            )
            + "</tr>"
            for row in zip(*self.cells.values(), strict=True)
        )
        return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n"

    def page(self, command: str = "") -> str:
        """Return one HTML file: the sentences, the picture, the table, and the command for it."""
        from discosim.page.write import report

        try:
            picture = self.plot()
        except DiscosimError as refusal:
            return report(self.said_html(), self.table_html(), command, why=str(refusal))
        return report(self.said_html(), self.table_html(), command, picture=picture)

    def _repr_html_(self) -> str:
        return self.to_html()


@dataclass(frozen=True, eq=False, kw_only=True)
class Listing(Answer):
    """An answer that is there already: a frame, what is said of it, and its table."""

    rows: "pd.DataFrame"
    said: Sequence[str] = ()
    shown: Cells

    @property
    def _frame(self) -> "pd.DataFrame":
        return self.rows

    @property
    def lines(self) -> Sequence[str]:
        """What is said of it."""
        return self.said

    @property
    def cells(self) -> Cells:
        """The table."""
        return self.shown
