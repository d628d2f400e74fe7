"""Which rows of a sweep may be called the best: those that fit and are the network asked for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from discosim.report.tables import Columns

Chosen = NDArray[np.bool_]


def where(rows: Columns, chosen: Chosen) -> Columns:
    """Return some of the rows."""
    return {name: values[chosen] for name, values in rows.items()}


def fitting(rows: Columns) -> Chosen:
    """Return which rows fit, or may: where the memory is not known."""
    return np.array([fits is None or bool(fits) for fits in rows["fits"]], dtype=bool)


def independent(rows: Columns) -> Chosen:
    """Return in which rows the nodes are independent branches: no layer receives a feature.

    Such a network has to be trained as one (the paper's Table I, 100 %), and is less accurate.
    """
    nothing: Chosen = (rows["s_comm"] == 1) & (rows["split"] == "outputs")
    nothing |= (rows["bytes_per_node"] == 0) | (rows["strategy"] == "branches")
    split: Chosen = (rows["nodes"] > 1) & ~rows["exact"].astype(bool)
    return split & nothing


def best_row(rows: Columns) -> int | None:
    """Return the place of the fastest row that fits and is not independent branches."""
    places: NDArray[Any] = np.flatnonzero(fitting(rows) & ~independent(rows))
    return int(places[rows["latency_s"][places].argmin()]) if len(places) else None
