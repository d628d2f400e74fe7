"""Sizing: the smallest cluster that keeps all limits, what binds it, and what to give up if none.

For each kind of node and each strategy: the fewest nodes, then the least S_comm.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.explore.grid.engine import Progress
from discosim.explore.grid.evaluate import amounts_at
from discosim.explore.grid.executors import ignore_interrupts
from discosim.explore.grid.grid import AXES, Place
from discosim.explore.grid.metrics import METRICS, Amounts
from discosim.explore.limits import MONOTONE, Limits, excess
from discosim.graph.table import Floats
from discosim.hardware import Hardware
from discosim.model import memory
from discosim.strategies.strategy import STRATEGIES
from discosim.timeline.joined import Joined
from discosim.timeline.on_cluster import OnCluster

DEFAULT_STRATEGIES = ("single", "pipeline", "disco")
STEPS = tuple(i / 100 for i in range(101))
"""The values of S_comm that are tried."""

BEYOND = 4
"""Where no number of nodes will do, up to this many times as many are tried."""

NAMES = ("latency", "throughput", "memory", "accuracy", "price", "energy")


@dataclass(frozen=True, eq=False)
class Tried:
    """Values of S_comm, their amounts, and by which factor each limit is missed."""

    configuration: Configuration
    s_comm: Floats
    amounts: Amounts
    missed: Mapping[str, Floats]

    @property
    def worst(self) -> Floats:
        """The largest of the factors, (n,); zero without limits."""
        none = np.zeros(len(self.s_comm))
        worst: Floats = np.maximum.reduce([none, *self.missed.values()])
        return worst

    def broken(self, place: int) -> dict[str, float]:
        """Return the limits that are missed at one S_comm, the worst first."""
        factors = {name: float(values[place]) for name, values in self.missed.items()}
        return dict(sorted(((n, f) for n, f in factors.items() if f > 1), key=lambda x: -x[1]))


def size(
    bases: Sequence[Configuration],
    hardware: Sequence[Hardware],
    limits: Limits,
    *,
    strategies: Sequence[str] = DEFAULT_STRATEGIES,
    s_comm: Sequence[float] = STEPS,
    jobs: int = 1,
    nearest: bool = True,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return a row for each network, hardware and strategy: its smallest cluster, or the nearest.

    feasible: whether all limits are kept. binding: of a feasible row the limit that forbids one
    step less sparse or, at the least S_comm, one node fewer ("" where nothing smaller exists);
    of another the limit to give up, by the factor give_up. NAME_margin: the part of each limit
    that is left. Best rows first; without `nearest` only those that keep all limits, maybe none.
    Raises DiscosimError.
    """
    steps = np.unique(np.asarray(s_comm, dtype=float))
    if not (len(steps) and len(bases) and len(hardware) and len(strategies)):
        raise DiscosimError(
            "nothing to size: a network, a profile, a strategy and an S_comm wanted"
        )
    for base in bases:
        for node in hardware:
            limits.check(base.model, node)
    together = min(jobs, len(bases)) > 1  # a network at a time, else a strategy at a time
    apart = (
        [(hardware, strategies)]
        if together
        else [([n], [s]) for n, s in product(hardware, strategies)]
    )
    asked = [(base, *each) for base in bases for each in apart]
    rows: list[dict[str, Any]] = []
    for done, found in enumerate(_each(partial(_rows, limits, steps, nearest), asked, jobs), 1):
        rows += found
        if progress is not None:
            progress(done, len(asked))
    if not rows and nearest:
        raise DiscosimError(
            f"no strategy of {', '.join(strategies)} can be had with at most {limits.nodes} nodes"
        )
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    models = {base.model: place for place, base in enumerate(bases)}
    worse = ~frame["feasible"]
    order: list[Any] = [frame["model"].map(models), worse, frame["give_up"].fillna(1.0)]
    order += [frame["nodes"], frame["price_usd"], frame["s_comm"].fillna(0.0), frame["latency_s"]]
    return frame.iloc[np.lexsort(order[::-1])].reset_index(drop=True)


_Asked = tuple[Configuration, Sequence[Hardware], Sequence[str]]
"""A network, on which hardware, by which strategies."""


def _each(
    work: Callable[[_Asked], list[dict[str, Any]]], asked: Sequence[_Asked], jobs: int
) -> Iterator[list[dict[str, Any]]]:
    """The rows of each, one after the other, those of several networks by as many processes."""
    jobs = min(jobs, len({id(base) for base, _, _ in asked}))
    if jobs < 2:
        yield from map(work, asked)
        return
    with ProcessPoolExecutor(jobs, initializer=ignore_interrupts) as pool:
        yield from pool.map(work, asked)


def _rows(limits: Limits, steps: Floats, nearest: bool, asked: _Asked) -> list[dict[str, Any]]:
    base, hardware, strategies = asked
    found = [
        _row(replace(base, hardware=node, strategy=STRATEGIES[name]), limits, steps, nearest)
        for node in hardware
        for name in strategies
    ]
    return [row for row in found if row is not None]


def _row(
    base: Configuration, limits: Limits, steps: Floats, nearest: bool
) -> dict[str, Any] | None:
    """The answer of one strategy on one kind of node; None where it cannot be at all."""
    given = limits.of(base.hardware)
    tried: list[Tried] = []
    if base.strategy.nodes is None:  # of two nodes, one fewer is this
        alone = replace(base, strategy=STRATEGIES["single"]).resolved()
        tried.append(_try(alone, steps, given))
    known = len(tried)
    for last in _sparsest(base, limits.numbers, steps, given):
        if _hopeless(last):
            tried.append(last)
            continue
        played = isinstance(last.configuration.hardware, Joined)
        whole = (_bisected if played else _try)(last.configuration, steps, given)
        feasible = np.flatnonzero(whole.worst <= 1)
        if len(feasible):
            fewer = tried if limits.counts is None else []
            return _feasible(whole, int(feasible[0]), fewer, given)
        tried.append(whole)
    if not nearest or len(tried) == known:
        return None
    return _infeasible(tried[known:], base, limits, steps, given)


def _sparsest(
    base: Configuration, counts: Sequence[int], steps: Floats, given: Mapping[str, float]
) -> Iterator[Tried]:
    """The sparsest plan on each of `counts` nodes, as far as there are features or layers."""
    if base.strategy.nodes is not None:
        yield _try(base.resolved(), steps[-1:], given)
        return
    for nodes in counts:
        try:
            found = _try(replace(base, nodes=nodes).resolved(), steps[-1:], given)
        except DiscosimError:
            return
        yield found


def _try(configuration: Configuration, steps: Floats, given: Mapping[str, float]) -> Tried:
    place = Place.of(configuration, steps)
    numbers = [place.axes[name].reshape(-1, 1, 1, 1) for name in AXES]
    amounts = amounts_at(configuration, numbers)
    each_s = np.broadcast_to(amounts.latency_s, numbers[0].shape)
    amounts = replace(amounts, latency_s=each_s)
    return Tried(configuration, place.axes["s_comm"], amounts, excess(amounts, given))


def _bisected(configuration: Configuration, steps: Floats, given: Mapping[str, float]) -> Tried:
    """The least S_comm that breaks no limit which a sparser plan keeps, and the step before it.

    The last step is known to break none; each one is played, so few are tried.
    """
    low, high = 0, len(steps) - 1
    while low < high:
        middle = (low + high) // 2
        if _hopeless(_try(configuration, steps[middle : middle + 1], given)):
            low = middle + 1
        else:
            high = middle
    return _try(configuration, steps[max(0, high - 1) : high + 1], given)


def _hopeless(last: Tried) -> bool:
    """Whether the sparsest plan misses a limit that no less sparse one can keep."""
    return any(last.missed[name][-1] > 1 for name in MONOTONE if name in last.missed)


def _feasible(
    whole: Tried, place: int, before: list[Tried], given: Mapping[str, float]
) -> dict[str, Any]:
    """The row of an answer, and why neither a step less sparse nor a node fewer would do."""
    sparser = whole.broken(place - 1) if place else {}
    fewer = _nearest(before[-1]) if before else {}
    kept = before and not fewer
    return {
        **_amounts(whole, place, given),
        "feasible": True,
        "binding": next(iter(sparser or fewer), ""),
        "give_up": np.nan,
        "less_sparse": _words(sparser),
        "fewer_nodes": "one node keeps all limits" if kept else _words(fewer),
    }


def _nearest(tried: Tried) -> dict[str, float]:
    """The limits missed where a number of nodes comes nearest to keeping all."""
    return tried.broken(int(tried.worst.argmin()))


def _infeasible(
    tried: Sequence[Tried],
    base: Configuration,
    limits: Limits,
    steps: Floats,
    given: Mapping[str, float],
) -> dict[str, Any]:
    """The row that comes nearest: by giving up one limit by the least factor, else all of them."""
    best: tuple[float, str, Tried, int] | None = None
    for each in [*tried, *_more_nodes(base, limits, steps, given)]:
        if "accuracy" in given:  # of all others the sparsest plan is the best
            each = _try(each.configuration, steps, given)
        over = np.full(len(each.s_comm), max(1.0, each.configuration.nodes / limits.nodes))
        missed = {**each.missed, "nodes": over}
        for name, factor in missed.items():
            others = [values for other, values in missed.items() if other != name]
            kept = np.maximum.reduce([np.zeros(len(factor)), *others]) <= 1
            places = np.flatnonzero(kept & (factor > 1) & np.isfinite(factor))
            if len(places):
                place = int(places[factor[places].argmin()])
                if best is None or factor[place] < best[0]:
                    best = (float(factor[place]), name, each, place)
    if best is None:  # no one limit is enough: all that are missed, by the least factor
        each = min(tried, key=lambda one: float(one.worst.min()))
        place = int(each.worst.argmin())
        best = (float(each.worst[place]), "+".join(each.broken(place)), each, place)
    factor_, name, each, place = best
    more = {"feasible": False, "binding": name, "give_up": factor_}
    return {**_amounts(each, place, given), **more, "less_sparse": "", "fewer_nodes": ""}


def _more_nodes(
    base: Configuration, limits: Limits, steps: Floats, given: Mapping[str, float]
) -> Iterator[Tried]:
    """The first number of nodes beyond the limit that keeps all others, if there is one."""
    if base.strategy.nodes is not None or limits.counts is not None:
        return
    counts = range(limits.nodes + 1, limits.nodes * BEYOND + 1)
    for last in _sparsest(base, counts, steps, given):
        if not _hopeless(last):
            yield last
            return


def _amounts(tried: Tried, place: int, given: Mapping[str, float]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "model": tried.configuration.model,
        "hardware": hardware_name(tried.configuration),
        "dtype": tried.configuration.hardware.dtype,
        "strategy": tried.configuration.strategy.name,
        "nodes": tried.configuration.nodes,
        "s_comm": float(tried.s_comm[place]),
    }
    shape = tried.amounts.latency_s.shape
    memory_bytes = given.get("memory", np.inf)
    if tried.amounts.memory_bytes is not None:
        memory_bytes = float(np.broadcast_to(tried.amounts.memory_bytes, shape).ravel()[place])
    features = np.broadcast_to(tried.amounts.feature_bytes, shape).ravel()[place]
    node_bytes = np.broadcast_to(tried.amounts.node_bytes, shape).ravel()[place]
    node = tried.configuration.hardware
    weights = node_bytes - features - node.runtime_bytes
    beyond = memory.beyond_fast(weights, node.fast_bytes, node.spill_Bps)
    row["memory_word"] = str(
        memory.fits_word(node_bytes, features, memory_bytes, node.workspace, beyond)
    )
    row["interval_s"] = float(np.broadcast_to(tried.amounts.interval_s, shape).ravel()[place])
    for name in (*NAMES, "bytes"):
        metric = METRICS[name]
        values = np.broadcast_to(metric.of(tried.amounts), shape).ravel()
        row[metric.column] = float(values[place])
    for name in NAMES:
        missed = tried.missed.get(name)
        limit = memory_bytes if name == "memory" and name in given else given.get(name, np.nan)
        row[f"{name}_limit"] = limit
        row[f"{name}_margin"] = np.nan if missed is None else _margin(name, missed[place])
    return row


def hardware_name(given: Configuration) -> str:
    """Return the name of the hardware, of one node of a cluster its own."""
    if isinstance(given, OnCluster) and given.nodes == 1:
        return given.nodes_used()[0].name
    return given.hardware.name


def _margin(name: str, factor: float) -> float:
    """The part of a limit that is left: 0.25 where a quarter of it is, -1 where it is doubled."""
    return float(1 / factor - 1 if METRICS[name].most else 1 - factor)


def _words(broken: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {factor:.4g}x" for name, factor in broken.items())
