"""Chosen configurations of a grid as rows: every axis and every metric, computed anew."""

from typing import Any

import numpy as np
import pandas as pd

from discosim.explore.grid.evaluate import PROBE, amounts_at
from discosim.explore.grid.grid import AXES, Grid, Place
from discosim.explore.grid.metrics import METRICS
from discosim.graph.network import shape_text
from discosim.graph.table import Ints

WORDS = ("model", "input", "hardware", "dtype", "strategy", "overlap", "at", "nodes")


def records(grid: Grid, numbers: Ints) -> pd.DataFrame:
    """Return a row for each of the configurations, in their order; SI units.

    Costs come from `simulate`, not from the lookup that found them.
    """
    found: dict[str, Any] = {}
    places = grid.place_of(numbers)
    for place in np.unique(places):
        at = np.flatnonzero(places == place)
        for start in range(0, len(at), PROBE):
            part = at[start : start + PROBE]
            columns = _columns(grid.places[place], numbers[part])
            for name, values in columns.items():
                if name not in found:
                    found[name] = np.empty(len(numbers), dtype=values.dtype)
                found[name][part] = values
    return pd.DataFrame(found)


def with_axes(grid: Grid, columns: dict[str, Any]) -> pd.DataFrame:
    """Return the columns of an `All` reduction, with the axes of each configuration before them."""
    numbers = columns["number"]
    places = grid.place_of(numbers)
    found: dict[str, Any] = {}
    for place in np.unique(places):
        at = np.flatnonzero(places == place)
        for name, values in _axes(grid.places[place], numbers[at]).items():
            if name not in found:
                found[name] = np.empty(len(numbers), dtype=values.dtype)
            found[name][at] = values
    others = {name: values for name, values in columns.items() if name not in ("number", *found)}
    return pd.DataFrame({**found, **others})


def _axes(place: Place, numbers: Ints) -> dict[str, Any]:
    given, size = place.configuration, len(numbers)
    words = (
        given.model,
        shape_text(given.network.input_shape),
        given.hardware.name,
        given.hardware.dtype,
        given.strategy.name,
        str(given.overlap),
        given.at,
    )
    columns: dict[str, Any] = {
        name: np.full(size, word, dtype=object) for name, word in zip(WORDS, words, strict=False)
    }
    columns["nodes"] = np.full(size, given.nodes)
    at = np.unravel_index(numbers - place.first, place.shape)
    for name, axis in zip(AXES, at, strict=True):
        columns[name] = place.axes[name][axis]
    return columns


def _columns(place: Place, numbers: Ints) -> dict[str, Any]:
    columns = _axes(place, numbers)
    amounts = amounts_at(place.configuration, [columns[name].reshape(-1, 1, 1, 1) for name in AXES])
    shape = (len(numbers), 1, 1, 1)
    columns["interval_s"] = np.broadcast_to(amounts.interval_s, shape).ravel()
    for metric in METRICS.values():
        if metric.column not in columns:
            values = np.broadcast_to(metric.of(amounts), shape)
            columns[metric.column] = values.ravel()
    return columns
