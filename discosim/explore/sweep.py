"""Sweeps: every combination of strategies, nodes, S_comm, overlaps and hardware numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.explore.accuracy import TABLES, published_accuracy
from discosim.explore.axes import arrays, check_s_comm, choices, variations
from discosim.graph.network import inputs_text
from discosim.graph.table import Floats
from discosim.hardware import Hardware
from discosim.model import memory
from discosim.networks import build
from discosim.simulate import Cost, Overlap
from discosim.strategies.strategy import STRATEGIES, Strategy
from discosim.timeline.joined import Joined
from discosim.timeline.on_cluster import check_played

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_NODES = (2, 4, 8)
DEFAULT_S_COMM = (*(i / 10 for i in range(10)), 0.95, 0.99, 1.0)
"""Close to 1 latency falls by as much again as before."""

MOST_ROWS = 10_000_000

BLOCK = 512
"""Configurations at a time, times unlike nodes: more would leave the cache."""

SAME = 1e-12
"""Relative difference of two latencies that are equal."""

Columns = dict[str, Any]


class Progress(Protocol):
    """Called with what is done, what there is in all, and in words what it is at."""

    def __call__(self, done: int, total: int, at: str = "") -> None:
        """Show it."""


def sweep_columns(
    base: Configuration,
    *,
    hardware: Sequence[Hardware] | None = None,
    strategies: Sequence[str | Strategy] | None = None,
    nodes: Sequence[int] = DEFAULT_NODES,
    s_comm: ArrayLike = DEFAULT_S_COMM,
    overlaps: Sequence[str | Overlap] | None = None,
    progress: Progress | None = None,
) -> Columns:
    """Return columns with a row per combination asked for, SI units, named as in docs/output.md.

    What is not given is as in `base`. Those of axes.NUMBERS that are arrays in a Hardware are
    axes too. A strategy without the S_comm knob gives one row for all S_comm, `single` one for
    all numbers of nodes. `progress` is called with the rows done, the rows in all and the
    strategy of those that are next. Raises DiscosimError for what cannot be.
    """
    values = check_s_comm(s_comm)
    axes = {"hardware": hardware, "strategy": strategies, "overlap": overlaps, "nodes": nodes}
    given = {name: axis for name, axis in axes.items() if axis is not None}
    chosen = list(variations(base, given))
    total = sum(_rows(each, values) for each in chosen)
    if total == 0:
        raise DiscosimError("nothing to compute: an axis of the sweep is empty")
    if total > MOST_ROWS:
        raise DiscosimError(f"{total:,} rows are too many for one table; wanted {MOST_ROWS:,}")
    check_played([each.hardware for each in chosen], total)
    blocks: list[Columns] = []
    done = 0
    for each in chosen:
        at = f"{each.strategy.name} on {each.nodes} node{'s' * (each.nodes != 1)}"
        if progress is not None:
            progress(done, total, at)
        for block in _blocks(each, values):
            blocks.append(block)
            done += len(block["latency_s"])
            if progress is not None:
                progress(done, total, at)
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def sweep(base: Configuration, **axes: Any) -> "pd.DataFrame":
    """Return what `sweep_columns` returns as a frame."""
    import pandas as pd

    return pd.DataFrame(sweep_columns(base, **axes))


def _rows(configuration: Configuration, s_comm: Floats) -> int:
    axes = arrays(configuration.hardware)
    return len(choices(configuration, s_comm)) * prod(len(axis) for axis in axes.values())


Part = tuple[Configuration, Floats, int]
"""A configuration with arrays of the hardware, the S_comm of its rows, and combinations."""


def parts_of(configuration: Configuration, s_comm: Floats) -> Iterator[Part]:
    """Yield the rows of one configuration, the hardware's axes outside, S_comm inside."""
    configuration = configuration.planned_here()
    axes, knob = arrays(configuration.hardware), choices(configuration, s_comm)
    combinations = prod(len(axis) for axis in axes.values())
    block = max(1, BLOCK // configuration.unlike)
    wide = max(1, block // len(knob))
    for start in range(0, combinations, wide):
        flat = np.arange(start, min(start + wide, combinations))
        places = np.unravel_index(flat, [len(axis) for axis in axes.values()]) if axes else ()
        values: dict[str, Any] = {
            name: axis[place][:, None, None, None]
            for (name, axis), place in zip(axes.items(), places, strict=True)
        }
        given = replace(configuration, hardware=replace(configuration.hardware, **values))
        for begin in range(0, len(knob), block):
            yield given, knob[begin : begin + block], len(flat)


def _blocks(configuration: Configuration, s_comm: Floats) -> Iterator[Columns]:
    last: Configuration | None = None
    for given, knob, count in parts_of(configuration, s_comm):
        if given is not last:
            references = {
                f"speedup_vs_{name}": replace(given, strategy=STRATEGIES[name], s_comm=0.0)
                .cost()
                .latency_s
                for name in ("dense", "single")
            }
        last = given
        yield _columns(given, knob, count, references)


def s_comm_of(knob: Floats) -> Floats:
    """Return S_comm (S, 1, 1) of rows; those without a choice have 0."""
    return np.where(np.isnan(knob), 0.0, knob)[:, None, None]


def _columns(
    given: Configuration, knob: Floats, count: int, references: Mapping[str, Floats]
) -> Columns:
    cost, hardware = replace(given, s_comm=s_comm_of(knob)).cost(), given.hardware
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
    memory_bytes = number(hardware.memory_bytes)
    if cost.memory_bytes is not None and hardware.memory_bytes is not None:
        memory_bytes = column(cost.memory_bytes)
    weight_bytes = column(totals["weight_bytes"])
    features = column(totals[f"{given.features}_feature_bytes"])
    return {
        "model": text(given.model),
        "input": text(inputs_text(given.network)),
        "hardware": text(hardware.name),
        "topology": text(hardware.topology),
        "dtype": text(hardware.dtype),
        "bandwidth_Bps": number(hardware.bandwidth_Bps),
        "link_latency_s": number(hardware.link_latency_s),
        "compute_macps": number(hardware.compute_macps),
        "memory_bytes": memory_bytes,
        "memory_Bps": number(hardware.memory_Bps),
        "strategy": text(given.strategy.name),
        "at": text(given.at),
        "overlap": text(str(given.overlap)),
        "nodes": np.full(prod(shape), given.nodes),
        "s_comm": column(knob),
        "avg_s_comm": column(totals["avg_s_comm"]),
        "avg_s_comp": column(totals["avg_s_comp"]),
        "comm_s": column(totals["total_comm_s"]),
        "comp_s": column(totals["total_comp_s"]),
        "latency_s": column(totals["latency_s"]),
        "interval_s": column(totals["interval_s"]),
        **{name: column(_times(s, cost.latency_s)) for name, s in references.items()},
        "bytes_per_node": column(totals["bytes_per_node"]),
        "messages": column(totals["messages"]),
        "weight_bytes": weight_bytes,
        "peak_feature_bytes": column(totals["peak_feature_bytes"]),
        "all_feature_bytes": column(totals["all_feature_bytes"]),
        "scores_bytes": column(totals["scores_bytes"]),
        "node_bytes": node_bytes,
        **_fits(hardware, node_bytes, weight_bytes, features, memory_bytes),
        "split": text(given.strategy.split),
        **_shares(given, cost, shape),
        **_results(given, column(knob)),
    }


def _fits(
    hardware: Hardware,
    node_bytes: Floats,
    weight_bytes: Floats,
    features: Floats,
    memory_bytes: Floats,
) -> Columns:
    """Whether nodes fit, and in a word; None where no memory is stated."""
    fits, word = np.full((2, len(node_bytes)), None, dtype=object)
    if hardware.memory_bytes is not None:
        beyond = memory.beyond_fast(weight_bytes, hardware.fast_bytes, hardware.spill_Bps)
        fits[:] = node_bytes <= memory_bytes
        word[:] = memory.fits_word(node_bytes, features, memory_bytes, hardware.workspace, beyond)
    return {"fits": fits, "fits_word": word}


def _times(other_s: Floats, latency_s: Floats) -> Floats:
    """How many times as long the other takes; 1 where only the order of additions differs."""
    ratio = other_s / latency_s
    exactly: Floats = np.where(np.abs(ratio - 1.0) < SAME, 1.0, ratio)
    return exactly


def _shares(given: Configuration, cost: Cost, shape: tuple[int, ...]) -> Columns:
    """The shares of the nodes of a cluster, "" where they have none."""
    if not isinstance(given.hardware, Joined):
        return {}
    if cost.shares is None:
        return {"shares": np.full(prod(shape), "", dtype=object)}
    each = np.broadcast_to(cost.shares, (*shape, given.nodes)).reshape(-1, given.nodes)
    texts = ["" if np.isnan(row).any() else " ".join(f"{s:.6g}" for s in row) for row in each]
    return {"shares": np.array(texts, dtype=object)}


def _results(given: Configuration, s_comm: Floats) -> Columns:
    """What is known of the results: whether they are exact, and the published accuracy."""
    return {"exact": _exact(given, s_comm), "accuracy": _accuracy(given, s_comm)}


def _accuracy(given: Configuration, s_comm: Floats) -> Floats:
    """What is published of the network at the size that it was trained at; NaN elsewhere."""
    if given.model not in TABLES or given.network.input_shape != _trained_shape(given.model):
        return np.full(len(s_comm), np.nan)
    return published_accuracy(given.model, given.strategy, given.nodes, s_comm)


@lru_cache(maxsize=len(TABLES))
def _trained_shape(model: str) -> tuple[int, ...]:
    return build(model).input_shape


def _exact(given: Configuration, s_comm: Floats) -> Any:
    """Whether the split network computes what it was trained to; at S_comm 0 all is sent."""
    whole = given.strategy.exact or given.nodes == 1
    dense = given.strategy.has_knob and given.plan_file is None and given.mask is None
    return np.full(len(s_comm), whole) | ((s_comm == 0) & dense)
