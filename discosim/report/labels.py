"""What tells the rows of a sweep apart, in words: titles, legends and names of bars."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from discosim.columns import COLUMNS
from discosim.report.titles import counted
from discosim.units import format_quantity

if TYPE_CHECKING:
    import pandas as pd

NUMBERS = {"compute_macps": "a node", "bandwidth_Bps": "links", "link_latency_s": "a message"}
"""What the numbers are of."""

SERIES = ("hardware", *NUMBERS, "strategy", "at", "overlap")
"""The columns that may tell one line of a picture from another, besides the nodes."""

_DECIDED = {"at": ["hardware", "strategy", "nodes"], **{name: ["hardware"] for name in NUMBERS}}
"""Columns that are worth a word only where they differ within these."""


def differing(frame: "pd.DataFrame", columns: Iterable[str]) -> list[str]:
    """Return those of `columns` that tell rows apart, less what another column decides."""
    return [
        column
        for column in columns
        if frame.groupby(_DECIDED.get(column, ["model"]))[column].nunique().max() > 1
    ]


def groups(frame: "pd.DataFrame", columns: Sequence[str]) -> "list[tuple[str, pd.DataFrame]]":
    """Return the rows that agree in `columns`, each with its words; all rows for no columns."""
    if not columns:
        return [("", frame)]
    parts = [part for _, part in frame.groupby(list(columns), sort=False)]
    return [(words(part.iloc[0].to_dict(), columns), part) for part in parts]


def words(row: Mapping[Any, Any], columns: Iterable[str]) -> str:
    """Return what `row` has in `columns`, for people; an empty or missing value is left out."""
    return ", ".join(_word(column, row[column]) for column in columns if _told(row[column]))


def title(frame: "pd.DataFrame") -> str:
    """Return network and hardware, and below them what all rows share, N, S_comm and overlap."""
    models = ", ".join(dict.fromkeys(frame["model"] + " at " + frame["input"]))
    names = ", ".join(dict.fromkeys(frame["hardware"]))
    split = frame[frame["nodes"] > 1] if (frame["nodes"] > 1).any() else frame
    row = split.iloc[0].to_dict()
    told = [n for n in NUMBERS if n != "compute_macps" or "shares" not in frame]  # of a mean node
    same = [c for c in (*told, "strategy") if not several(split[c]) and row[c] != 0]
    how = counted(split["nodes"], split["s_comm"], split["overlap"])
    return f"{models} on {names}\n{', '.join(filter(None, (words(row, same), how)))}"


def bar_names(frame: "pd.DataFrame") -> list[str]:
    """Return a name for each row: the strategy, and what tells it from the others."""
    more = differing(frame, ("hardware", *NUMBERS, "overlap"))
    split = frame["nodes"] > 1
    counts = ["nodes"] if several(frame["nodes"][split]) else []
    return [
        words(row, ["strategy", *(counts if row["nodes"] > 1 else []), "s_comm", "at", *more])
        for row in frame.to_dict("records")
    ]


def singles(frame: "pd.DataFrame") -> dict[str, float]:
    """Return the latency of one node alone, by its name, for each of the frame's hardware.

    Hardware whose rows differ in more than the columns tell has no such number.
    """
    found: dict[str, float] = {}
    for label, rows in groups(frame, differing(frame, ("hardware", "compute_macps"))):
        alone = rows["latency_s"] * rows["speedup_vs_single"]
        if np.allclose(alone, alone.iloc[0]):
            found[f"one node, {label}" if label else "one node"] = float(alone.iloc[0])
    return found


def several(values: "pd.Series[Any]") -> bool:
    """Return whether there are at least two different values, not counting missing ones."""
    return len(values.dropna().unique()) > 1


def adds_up(frame: "pd.DataFrame") -> bool:
    """Return whether communication and computation make up the latency of every row."""
    return bool(np.allclose(frame["comm_s"] + frame["comp_s"], frame["latency_s"], rtol=1e-6))


def _told(value: Any) -> bool:
    return not (value is None or value == "" or value != value)


def _word(column: str, value: Any) -> str:
    if column in NUMBERS:
        number = format_quantity(float(value), COLUMNS[column].unit, 4)
        return f"{number} {NUMBERS[column]}"
    if column == "nodes":
        return f"{value} nodes" if value > 1 else "1 node"
    nouns = {"overlap": "overlap ", "at": "at ", "s_comm": "S_comm "}
    return nouns.get(column, "") + (f"{value:g}" if column == "s_comm" else str(value))
