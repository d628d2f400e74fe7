"""Results as tables for people: text cells in units chosen for each column."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from discosim.columns import COLUMNS, CellKind
from discosim.report.layout import begins_left, table, wrapped

if TYPE_CHECKING:
    import pandas as pd

Columns = Mapping[str, NDArray[Any]]
"""Results by the name of their column, SI units."""

Cells = Mapping[str, Sequence[str]]
"""A table for people: the texts of each column."""

UNITS: dict[str, tuple[tuple[float, str], ...]] = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")),
    "B": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
    "": ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")),
}


def to_text(cells: Cells, summary: Sequence[str], width: int | None = None) -> str:
    """Return the summary's lines and the table for `width` columns."""
    said = [line for sentence in summary for line in wrapped(sentence, width)]
    return "\n".join([*said, "", table(cells, width)])


def to_markdown(cells: Cells, summary: Sequence[str]) -> str:
    """Return the summary's lines and the table as Markdown."""
    sides = [":---" if begins_left(*column) else "---:" for column in cells.items()]
    rows = [list(cells), sides, *zip(*cells.values(), strict=True)]
    lines = ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    return "\n".join([*(f"- {line}" for line in summary), "", *lines]).lstrip("\n") + "\n"


def _cell(value: str) -> str:
    """A cell of a Markdown table: one line, in which a bar does not end it."""
    return " ".join(value.split()).replace("|", "\\|")


TEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "…": r"\ldots{}",
    "→": r"$\to$",
    "█": r"\rule{0.4em}{1ex}",
}
"""Letters that mean something else to TeX, or that its usual fonts lack."""


def to_tex(cells: Cells, summary: Sequence[str]) -> str:
    """Return the table for TeX, with booktabs; the summary's lines are comments above it."""
    sides = "".join("l" if begins_left(*column) else "r" for column in cells.items())
    rows = [list(cells), *zip(*cells.values(), strict=True)]
    head, *lines = (" & ".join(map(_tex, row)) + r" \\" for row in rows)
    return "\n".join(
        [
            *(f"% {line}" for line in summary),
            rf"\begin{{tabular}}{{{sides}}}",
            r"\toprule",
            head,
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _tex(value: str) -> str:
    """A cell of a TeX table."""
    return "".join(TEX.get(letter, letter) for letter in " ".join(value.split()))


def as_columns(frame: "Columns | pd.DataFrame") -> Columns:
    """Return results as arrays by the name of their column, from these or from a frame."""
    return {str(name): np.asarray(frame[str(name)]) for name in frame}


def in_columns(rows: Sequence[Mapping[str, str]]) -> Cells:
    """Return rows of cells as columns, in the order of the first row that has each."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name, "") for row in rows] for name in names}


def scaled(
    values: ArrayLike, name: str, unit: str, like: ArrayLike | None = None
) -> tuple[str, list[str]]:
    """Return the column's name with its unit, and its cells to three digits.

    One unit serves the whole column: that of its median, so that most cells read easily, or of
    the median of `like`, so that columns that are compared have one. Zeros have none.
    """
    numbers = np.asarray(values, dtype=float)
    own, shared = (
        np.abs(sizes[np.isfinite(sizes) & (sizes != 0)])
        for sizes in (numbers, numbers if like is None else np.asarray(like, dtype=float))
    )
    typical = float(np.median(shared)) if len(shared) else 1.0
    factor, text = next((u for u in UNITS[unit] if typical >= u[0]), UNITS[unit][-1])
    header = f"{name} [{text}]" if text and (len(own) or not np.isfinite(numbers).any()) else name
    return header, [digits(number / factor) for number in numbers]


_RATES = {"B/s": ("B", "/s"), "MAC/s": ("", "MAC/s"), "1/s": ("", "1/s")}
"""Rates are scaled as amounts: the unit gets its second."""


def cells(name: str, values: ArrayLike, like: ArrayLike | None = None) -> tuple[str, list[str]]:
    """Return a column of results for people: what stands over it, and its cells.

    like: numbers whose unit it has, as `scaled` takes them.
    """
    column, read = COLUMNS[name], np.asarray(values)
    match column.kind:
        case CellKind.WORD | CellKind.TERM | CellKind.COUNT:
            return column.over, [str(value) for value in read.tolist()]
        case CellKind.KNOB:
            return column.over, s_comm_texts(read)
        case CellKind.SHARE:
            return f"{column.over} [%]", percent(read)
        case CellKind.TIMES:
            return column.over, times(read)
        case CellKind.QUANTITY:
            amount, second = _RATES.get(column.unit, (column.unit, ""))
            header, texts = scaled(read, column.over, amount if amount in UNITS else "", like)
            if not second:
                return header, texts
            title, bracket, unit = header.removesuffix("]").partition(" [")
            return f"{title} [{unit}{second}]" if bracket else f"{title} [{second}]", texts


def digits(number: float) -> str:
    """Return three digits, "-" for what is no number."""
    if not np.isfinite(number):
        return "-"
    if number == 0:
        return "0"
    if abs(number) < 1e-3:
        return f"{number:.1e}"
    places = max(0, 2 - int(np.floor(np.log10(abs(number)))))
    return f"{number:,.{min(places, 4)}f}"


def s_comm_texts(values: Iterable[float]) -> list[str]:
    """Return S_comm as it is asked for; "-" where there is none."""
    return ["-" if np.isnan(value) else f"{value:.6g}" for value in values]


def percent(values: Iterable[float]) -> list[str]:
    """Return shares in percent."""
    return [f"{100 * value:.1f}" for value in values]


def times(values: Iterable[float]) -> list[str]:
    """Return how many times, as 4.71x."""
    return [f"{digits(value)}x" for value in values]
