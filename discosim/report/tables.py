"""Results as tables for people: text cells in units chosen for each column."""

import io

import numpy as np
import pandas as pd

UNITS: dict[str, tuple[tuple[float, str], ...]] = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")),
    "B": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
    "": ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")),
}


FOLDED_ROWS = 500
"""Longer tables are not folded to a narrow terminal: that takes milliseconds a row."""


def to_text(frame: pd.DataFrame, summary: list[str], width: int) -> str:
    """Return the summary's lines and the frame, whose cells are text, for `width` columns."""
    text = _aligned(frame)
    if len(text.partition("\n")[0]) > width and len(frame) <= FOLDED_ROWS:
        text = _folded(frame, width)
    return "\n".join([*summary, "", text])


def _aligned(frame: pd.DataFrame) -> str:
    columns = []
    for name in frame.columns:
        cells = [name, *map(str, frame[name])]
        wide = max(map(len, cells))
        pad = str.ljust if name in TEXT_COLUMNS else str.rjust
        columns.append([pad(cell, wide) for cell in cells])
    lines = ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]
    rule = "  ".join("─" * len(column[0]) for column in columns)
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"


def _folded(frame: pd.DataFrame, width: int) -> str:
    """The same with cells folded to fit a narrow terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in frame.columns:
        words = name in TEXT_COLUMNS
        table.add_column(name, justify="left" if words else "right", overflow="fold")
    for row in frame.to_numpy().tolist():
        table.add_row(*map(str, row))
    stream = io.StringIO()
    Console(
        file=stream, width=width, force_terminal=False, highlight=False, markup=False, emoji=False
    ).print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def scaled(values: pd.Series, name: str, unit: str) -> tuple[str, list[str]]:
    """Return the column's name with its unit, and its cells to three digits.

    One unit serves the whole column: that of its median, so that most cells read easily.
    """
    numbers = values.to_numpy(dtype=float)
    sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
    typical = float(np.median(sizes)) if len(sizes) else 1.0
    factor, text = next((u for u in UNITS[unit] if typical >= u[0]), UNITS[unit][-1])
    header = f"{name} [{text}]" if text else name
    return header, [digits(number / factor) for number in numbers]


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


def s_comm_texts(values: pd.Series) -> list[str]:
    """Return S_comm as it is asked for; "-" where there is none."""
    return ["-" if np.isnan(value) else f"{value:.6g}" for value in values]


def percent(values: pd.Series) -> list[str]:
    """Return shares in percent."""
    return [f"{100 * value:.1f}" for value in values]


def times(values: pd.Series) -> list[str]:
    """Return how many times, as 4.71x."""
    return [f"{digits(value)}x" for value in values]


TEXT_COLUMNS = {"strategy", "at", "hardware", "overlap", "verdict", "layer", "op", "block"}
TEXT_COLUMNS |= {"model", "input", "name", "figure", "value", "kind", "source", "description"}
TEXT_COLUMNS |= {"binding", "bar", "dtype"}
