"""The networks that can be named, as a table."""

import pandas as pd

from discosim.report.tables import Cells

COLUMNS = ("model", "input", "layers", "params", "macs", "in_elems")
"""Counts of a network that are listed."""


def show_networks(frame: pd.DataFrame) -> Cells:
    """Return rows of `networks` for people."""
    return {
        "model": list(frame["model"]),
        "input": list(frame["input"]),
        "layers": [str(count) for count in frame["layers"]],
        "params [M]": [f"{count / 1e6:,.2f}" for count in frame["params"]],
        "MACs [G]": [f"{count / 1e9:,.3f}" for count in frame["macs"]],
        "exchanged if dense [M elements]": [f"{n / 1e6:,.2f}" for n in frame["in_elems"]],
    }
