"""The rows of the paper for people: text cells, a summary, the conventions of one section."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from discosim.paper import PAPER, Section
from discosim.paper.row import DIFFERS, FITS, NOT_PUBLISHED
from discosim.report.tables import Cells, scaled

COST_UNITS = {"s": "s", "bytes": "B", "Bps": "B/s"}


def summary(frame: pd.DataFrame) -> str:
    """Return how many numbers fit, differ, and are not published, in one line."""
    counts = frame["status"].value_counts()
    bad = frame.loc[~frame["agrees"], "id"].tolist()
    line = (
        f"{len(frame)} rows: {counts.get(FITS, 0)} fit, "
        f"{counts.get(DIFFERS, 0)} differ, {counts.get(NOT_PUBLISHED, 0)} have no counterpart"
    )
    return f"{line}; unexpected: {', '.join(bad)}" if bad else line


def heading(sections: Sequence[Section], *, costs: bool = False) -> list[str]:
    """Return the paper's name, or the title and the conventions of the one section shown."""
    if len(sections) > 1:
        return [PAPER]
    lines = [sections[0].title, *sections[0].conventions]
    return [*lines, cost_headline(sections[0])] if costs else lines


def cost_headline(section: Section) -> str:
    """Return what the numbers are that the paper does not print of a section."""
    if not section.name.startswith("tab"):
        return "What the figure draws, which the paper does not print:"
    return (
        "Not printed in the paper: on 2 nodes of splitnets-hmd (37.5 MB/s, 125 GOP/s), no "
        "overlap, fp32. node is the memory of a node, weights and largest live features; at the "
        "break-even bandwidth two nodes take as long as one:"
    )


def digits(number: float) -> str:
    """Return a number to four decimals at most, "-" where there is none."""
    return "-" if np.isnan(number) else f"{round(number, 4) + 0.0:g}"


def decimals(number: float) -> str:
    """Return a number with two decimals, three below 1, "-" where there is none."""
    if np.isnan(number):
        return "-"
    places = 2 if abs(number) >= 1 or number == 0 else 3
    return f"{round(number, places) + 0.0:.{places}f}"


def rows_for_people(frame: pd.DataFrame) -> Cells:
    """Return the rows as text."""
    return {
        "id": list(frame["id"]),
        "where": list(frame["where"]),
        "published": list(map(digits, frame["published"])),
        "computed": list(map(decimals, frame["computed"])),
        "error": list(map(decimals, frame["error"])),
        "tolerance": ["-" if np.isnan(value) else f"{value:g}" for value in frame["tolerance"]],
        "accuracy": list(map(digits, frame["accuracy"])),
        "average": list(map(decimals, frame["average"])),
        "status": list(frame["status"]),
        "reason": list(frame["reason"]),
    }


def costs_for_people(frame: pd.DataFrame) -> Cells:
    """Return what the paper does not print as text, each column in a unit of its own."""
    cells: dict[str, list[str]] = {}
    for name in frame.columns:
        stem, _, unit = str(name).rpartition("_")
        if unit in COST_UNITS:
            header, texts = cost_column(frame[name], stem.replace("_", " "), unit)
            cells[header] = texts
        elif pd.api.types.is_numeric_dtype(frame[name]):
            words = str(name).replace("_", " ")
            cells[words] = [f"{value:.4g}" if value == value else "-" for value in frame[name]]
        elif name not in ("method", "setting"):
            cells[str(name)] = list(frame[name])
    return cells


def cost_column(values: pd.Series, name: str, unit: str) -> tuple[str, list[str]]:
    """Return a column with its unit, as the other commands write it."""
    header, texts = scaled(values, name, "s" if unit == "s" else "B")
    return (header.replace("]", "/s]"), texts) if unit == "Bps" else (header, texts)
