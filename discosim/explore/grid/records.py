"""Chosen configurations of a grid as rows: every axis and every metric, computed anew."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from discosim.explore.grid.evaluate import PROBE, amounts_at
from discosim.explore.grid.grid import AXES, Grid, Place
from discosim.explore.grid.metrics import METRICS
from discosim.graph.network import inputs_text
from discosim.graph.table import Ints


def records(grid: Grid, numbers: Ints) -> pd.DataFrame:
    """Return a row for each of the configurations, in their order; SI units.

    Costs come from `simulate`, not from the lookup that found them.
    """
    return pd.DataFrame(_gathered(grid, numbers, PROBE, _columns))


def with_axes(grid: Grid, columns: dict[str, Any]) -> pd.DataFrame:
    """Return the columns of an `All` reduction, with the axes of each configuration before them."""
    numbers = columns["number"]
    found = _gathered(grid, numbers, len(numbers), _axes)
    others = {name: values for name, values in columns.items() if name not in ("number", *found)}
    return pd.DataFrame({**found, **others})


def _gathered(
    grid: Grid, numbers: Ints, most: int, of: Callable[[Grid, Place, Ints], dict[str, Any]]
) -> dict[str, Any]:
    """What `of` gives for the configurations, `most` of a place at a time, in their order."""
    found: dict[str, Any] = {}
    places = grid.place_of(numbers)
    for place in np.unique(places):
        at = np.flatnonzero(places == place)
        for start in range(0, len(at), most):
            part = at[start : start + most]
            for name, values in of(grid, grid.places[place], numbers[part]).items():
                if name not in found:
                    found[name] = np.empty(len(numbers), dtype=values.dtype)
                found[name][part] = values
    return found


def _axes(grid: Grid, place: Place, numbers: Ints) -> dict[str, Any]:
    given, size = place.configuration, len(numbers)
    words = {
        "model": given.model,
        "input": inputs_text(given.network),
        "hardware": given.hardware.name,
        "dtype": given.hardware.dtype,
        "strategy": given.strategy.name,
        "overlap": str(given.overlap),
        "at": given.at,
    }
    columns: dict[str, Any] = {n: np.full(size, word, dtype=object) for n, word in words.items()}
    columns["nodes"] = np.full(size, given.nodes)
    at = np.unravel_index(numbers - place.first, place.shape)
    columns |= {name: place.axes[name][axis] for name, axis in zip(AXES, at, strict=True)}
    apart = {name: getattr(given.hardware, name) for name in grid.apart}
    return columns | {n: np.full(size, v, dtype=float) for n, v in apart.items()}


def _columns(grid: Grid, place: Place, numbers: Ints) -> dict[str, Any]:
    columns = _axes(grid, place, numbers)
    amounts = amounts_at(place.configuration, [columns[name].reshape(-1, 1, 1, 1) for name in AXES])
    shape = (len(numbers), 1, 1, 1)
    for name in ("interval_s", "avg_s_comm"):
        columns[name] = np.broadcast_to(getattr(amounts, name), shape).ravel()
    for metric in METRICS.values():
        if metric.column not in columns:
            values = np.broadcast_to(metric.of(amounts), shape)
            columns[metric.column] = values.ravel()
    return columns
