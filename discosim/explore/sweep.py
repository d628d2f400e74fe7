"""Sweeps: every combination of strategies, nodes, S_comm, overlaps and hardware numbers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from math import prod
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from discosim.errors import DiscosimError
from discosim.explore.points import AXES, Point, points
from discosim.explore.study import Study, check_s_comm
from discosim.graph.network import shape_text
from discosim.graph.table import Floats
from discosim.hardware import Hardware, load_profile

DEFAULT_HARDWARE = "splitnets-hmd"
DEFAULT_NODES = (2, 4, 8)
DEFAULT_S_COMM = tuple(i / 10 for i in range(11))
MOST_ROWS = 10_000_000

BLOCK = 512
"""Configurations at a time, times unlike nodes: more would leave the cache."""

Progress = Callable[[int, int], None]
Columns = dict[str, Any]


def sweep(
    model: str | Study,
    hardware: str | Hardware | Sequence[Hardware] = DEFAULT_HARDWARE,
    *,
    strategies: Sequence[str] = ("disco",),
    nodes: Sequence[int] = DEFAULT_NODES,
    s_comm: ArrayLike = DEFAULT_S_COMM,
    overlaps: Sequence[str] = ("none",),
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return one row per combination asked for, SI units, columns as docs/output.md names them.

    `model` is a network's name, or a Study for conventions, input size, cut, plan file or mask.
    `bandwidth_Bps`, `link_latency_s`, `compute_macps` and `memory_Bps` of a Hardware may be
    arrays: each is one more axis. A strategy without the S_comm knob gives one row for all
    S_comm, `single` one for all numbers of nodes. `progress` is called with the rows done and
    the rows in all. Raises DiscosimError for what cannot be.
    """
    study = model if isinstance(model, Study) else Study(model)
    values = check_s_comm(np.asarray(s_comm))
    chosen = list(points(study, _hardware_list(hardware), strategies, nodes, overlaps))
    sizes = [_rows(point, values) for point in chosen]
    total = sum(sizes)
    if total == 0:
        raise DiscosimError("nothing to compute: an axis of the sweep is empty")
    if total > MOST_ROWS:
        raise DiscosimError(f"{total:,} rows are too many for one table; wanted {MOST_ROWS:,}")
    blocks: list[Columns] = []
    done = 0
    for point in chosen:
        for block in _blocks(point, values):
            blocks.append(block)
            done += len(block["latency_s"])
            if progress is not None:
                progress(done, total)
    columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    return pd.DataFrame(columns)


def _hardware_list(hardware: str | Hardware | Sequence[Hardware]) -> list[Hardware]:
    if isinstance(hardware, str):
        return [load_profile(hardware).hardware()]
    return [hardware] if isinstance(hardware, Hardware) else list(hardware)


def _axes(point: Point) -> dict[str, Floats]:
    """The hardware's arrays, flat, by their names."""
    numbers = {name: getattr(point.hardware, name) for name in AXES}
    return {n: np.ravel(v).astype(float) for n, v in numbers.items() if np.ndim(v) > 0}


def _rows(point: Point, s_comm: Floats) -> int:
    return len(point.knob(s_comm)) * prod(len(axis) for axis in _axes(point).values())


def _blocks(point: Point, s_comm: Floats) -> Iterator[Columns]:
    """Rows of one point, the hardware's axes outside, S_comm inside."""
    axes, knob = _axes(point), point.knob(s_comm)
    combinations = prod(len(axis) for axis in axes.values())
    block = max(1, BLOCK // point.unlike)
    wide = max(1, block // len(knob))
    for start in range(0, combinations, wide):
        flat = np.arange(start, min(start + wide, combinations))
        places = np.unravel_index(flat, [len(axis) for axis in axes.values()]) if axes else ()
        numbers: dict[str, Any] = {
            name: axis[place][:, None, None, None]
            for (name, axis), place in zip(axes.items(), places, strict=True)
        }
        hardware = replace(point.hardware, **numbers)
        dense_s = point.latency_s("dense", hardware)
        single_s = point.latency_s("single", hardware)
        for begin in range(0, len(knob), block):
            part = knob[begin : begin + block]
            yield _columns(point, hardware, part, len(flat), dense_s, single_s)


def _columns(
    point: Point, hardware: Hardware, knob: Floats, count: int, dense_s: Floats, single_s: Floats
) -> Columns:
    s_comm = np.where(np.isnan(knob), 0.0, knob)[:, None, None]
    cost = point.cost(hardware, s_comm)
    shape = (count, len(knob))

    def column(values: ArrayLike) -> Floats:
        return np.broadcast_to(np.asarray(values, dtype=float), shape).ravel()

    def number(values: ArrayLike | None) -> Floats:
        array = np.asarray(np.nan if values is None else values, dtype=float)
        return column(array[:, 0, 0] if array.ndim == 4 else array)

    def text(value: str) -> Any:
        return np.full(prod(shape), value, dtype=object)

    totals = {field.name: getattr(cost, field.name) for field in fields(cost)}
    node_bytes = column(totals["node_bytes"])
    fits = text("")
    fits[:] = None
    if hardware.memory_bytes is not None:
        fits[:] = node_bytes <= float(np.asarray(hardware.memory_bytes))
    return {
        "model": text(point.study.model),
        "input": text(shape_text(point.study.table.network.input_shape)),
        "hardware": text(hardware.name),
        "topology": text(hardware.topology),
        "dtype": text(hardware.dtype),
        "bandwidth_Bps": number(hardware.bandwidth_Bps),
        "link_latency_s": number(hardware.link_latency_s),
        "compute_macps": number(hardware.compute_macps),
        "memory_bytes": number(hardware.memory_bytes),
        "memory_Bps": number(hardware.memory_Bps),
        "strategy": text(point.strategy.name),
        "at": text(point.at),
        "overlap": text(point.overlap),
        "nodes": np.full(prod(shape), point.nodes),
        "s_comm": column(knob),
        "avg_s_comm": column(totals["avg_s_comm"]),
        "avg_s_comp": column(totals["avg_s_comp"]),
        "comm_s": column(totals["total_comm_s"]),
        "comp_s": column(totals["total_comp_s"]),
        "latency_s": column(totals["latency_s"]),
        "interval_s": column(totals["interval_s"]),
        "speedup_vs_dense": column(dense_s / totals["latency_s"]),
        "speedup_vs_single": column(single_s / totals["latency_s"]),
        "bytes_per_node": column(totals["bytes_per_node"]),
        "messages": column(totals["messages"]),
        "weight_bytes": column(totals["weight_bytes"]),
        "peak_feature_bytes": column(totals["peak_feature_bytes"]),
        "all_feature_bytes": column(totals["all_feature_bytes"]),
        "node_bytes": node_bytes,
        "fits": fits,
    }
