"""What a configuration is judged by: amounts of a block of them, and metrics by name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from discosim.columns import COLUMNS
from discosim.configuration import Configuration
from discosim.errors import UnknownNameError
from discosim.explore.accuracy import published_accuracy
from discosim.explore.allocation.surrogate import Curves, he_normal_curves
from discosim.graph.table import Floats, LayerTable
from discosim.model.energy import work_J
from discosim.partition.split import divides
from discosim.simulate import Cost
from discosim.timeline.on_cluster import OnCluster
from discosim.timeline.totals import price_usd


@dataclass(frozen=True, eq=False)
class Amounts:
    """A block of configurations: each array broadcasts with (S, B, A, C).

    sent_bytes and macs are those of all nodes together.
    """

    configuration: Configuration
    s_comm: Floats
    bandwidth_Bps: Floats
    link_latency_s: Floats
    compute_macps: Floats
    latency_s: Floats
    interval_s: Floats
    bytes_per_node: Floats
    node_bytes: Floats
    feature_bytes: Floats
    avg_s_comm: Floats
    sent_bytes: Floats
    macs: Floats
    memory_bytes: Floats | None = None
    work_J: Floats | None = None

    @classmethod
    def of(
        cls,
        configuration: Configuration,
        numbers: Sequence[Floats],
        latency_s: Floats,
        interval_s: Floats,
        cost: Cost,
        chosen: slice,
    ) -> "Amounts":
        """Return the amounts of `cost`: totals (S,), of which `chosen`, or (S, B, A, C)."""
        alike = configuration.nodes / cost.local_s.shape[-2]
        totals = {
            "bytes_per_node": cost.bytes_per_node,
            "node_bytes": cost.node_bytes,
            "feature_bytes": getattr(cost, f"{configuration.features}_feature_bytes"),
            "avg_s_comm": cost.avg_s_comm,
            "sent_bytes": cost.sent_bytes.sum((-2, -1)) * alike,
            "macs": (1.0 - cost.avg_s_comp) * configuration.table.macs.sum(),
        }
        shaped = {
            name: values[chosen][:, None, None, None] if values.ndim == 1 else _four(values)
            for name, values in totals.items()
        }
        s_comm, bandwidth, alpha, compute = numbers
        latency = _four(latency_s)
        interval = latency if interval_s is latency_s else _four(interval_s)
        times = (latency, interval)
        found = cls(configuration, s_comm, bandwidth, alpha, compute, *times, **shaped)
        if cost.memory_bytes is None:
            return found
        spent = None if cost.work_J is None else _four(cost.work_J)
        return replace(found, memory_bytes=_four(cost.memory_bytes), work_J=spent)


def _four(values: Floats) -> Floats:
    return values.reshape((1,) * (4 - values.ndim) + values.shape)


def to_12_digits(seconds: Floats) -> Floats:
    """Return the nearest numbers of 41 binary digits after the first: equal times are equal then.

    However they were added up: the digits after these hang on how the work is cut.
    """
    bits = np.ascontiguousarray(seconds).view(np.int64) + (1 << 10)
    bits &= -(1 << 11)
    return bits.view(np.float64)


def energy_J(amounts: Amounts) -> Floats:
    """Return energy of one inference: MACs, bytes sent, and idle power of all nodes meanwhile.

    NaN where the profile has no energy per MAC; bytes and idle power that it does not state
    count as nothing.
    """
    hardware, nodes = amounts.configuration.hardware, amounts.configuration.nodes
    if hardware.energy_per_mac_J is None:
        return np.full((1, 1, 1, 1), np.nan)
    work = amounts.work_J
    if work is None:
        work = work_J(
            amounts.macs, amounts.sent_bytes, hardware.energy_per_mac_J, hardware.energy_per_byte_J
        )
    idle_W = (hardware.idle_power_W or 0.0) * nodes
    if isinstance(amounts.configuration, OnCluster):
        idle_W = sum(each.idle_power_W or 0.0 for each in amounts.configuration.nodes_used())
    spent: Floats = work + to_12_digits(amounts.latency_s) * idle_W
    return spent


def cluster_price_usd(configuration: Configuration) -> float:
    """Return the price of all nodes, NaN where a profile states none."""
    if isinstance(configuration, OnCluster):
        return price_usd(configuration.nodes_used())
    hardware = configuration.hardware
    price = np.nan if hardware.price_usd is None else float(np.asarray(hardware.price_usd))
    return configuration.nodes * price


def saliency_lost(amounts: Amounts) -> Floats:
    """Return the share of the L1 norm between nodes that is pruned, by the stated surrogate.

    One S_comm for all layers (docs/allocate.md). NaN for strategies that choose otherwise.
    """
    given = amounts.configuration
    if given.strategy.exact:
        return _one(0.0)
    if given.fixed or given.strategy.name != "disco":
        return _one(1.0 if given.strategy.name == "branches" else np.nan)
    whole = given.conventions.whole or not divides(given.table, given.nodes)
    curves = list(_curves(given.table, given.nodes, whole).values())
    lost: Floats = sum(
        (curve.at(amounts.s_comm) for curve in curves), np.zeros_like(amounts.s_comm)
    )
    between = sum(float(curve.lost[-1]) for curve in curves)
    return lost / (between or 1.0)  # of one node there is nothing between nodes


@lru_cache(maxsize=64)
def _curves(table: LayerTable, nodes: int, whole: bool) -> Curves:
    return he_normal_curves(table, nodes, whole=whole)


def pruned(amounts: Amounts) -> Floats:
    """Return the average S_comm of what is pruned: 0 of a strategy that sends little, but all."""
    return _one(0.0) if amounts.configuration.strategy.exact else amounts.avg_s_comm


def _accuracy(amounts: Amounts) -> Floats:
    given = amounts.configuration
    return published_accuracy(given.model, given.strategy, given.nodes, amounts.s_comm)


@dataclass(frozen=True, slots=True)
class Metric:
    """One way to judge a configuration, and the column that it has in results.

    missing: what to do where no configuration has it.
    """

    column: str
    of: Callable[[Amounts], Floats]
    missing: str = ""

    @property
    def quantity(self) -> str:
        """Its name in pictures and sentences."""
        return COLUMNS[self.column].quantity

    @property
    def unit(self) -> str:
        """Its unit."""
        return COLUMNS[self.column].unit

    @property
    def most(self) -> bool:
        """Whether more of it is better."""
        return COLUMNS[self.column].better > 0


def _one(value: float) -> Floats:
    return np.full((1, 1, 1, 1), value)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "latency": Metric("latency_s", lambda a: to_12_digits(a.latency_s)),
        "throughput": Metric("throughput_per_s", lambda a: 1.0 / to_12_digits(a.interval_s)),
        "bytes": Metric("bytes_per_node", lambda a: a.bytes_per_node),
        "memory": Metric("node_bytes", lambda a: a.node_bytes),
        "nodes": Metric("nodes", lambda a: _one(float(a.configuration.nodes))),
        "s_comm": Metric("pruned", pruned),
        "saliency": Metric(
            "saliency_lost",
            saliency_lost,
            "it is known of disco, branches and strategies that prune nothing",
        ),
        "accuracy": Metric(
            "accuracy",
            _accuracy,
            "published are those of the paper: its five networks, two nodes",
        ),
        "price": Metric(
            "price_usd",
            lambda a: _one(cluster_price_usd(a.configuration)),
            "give one with --set cost.price=35USD",
        ),
        "energy": Metric("energy_J", energy_J, "give --set cost.energy_per_mac=0.4nJ"),
        "bandwidth": Metric("bandwidth_Bps", lambda a: a.bandwidth_Bps),
        "compute": Metric("compute_macps", lambda a: a.compute_macps),
    }
)


def metric_named(name: str) -> Metric:
    """Return the metric called `name`; raises UnknownNameError with the nearest names."""
    if name not in METRICS:
        raise UnknownNameError("metric", name, METRICS)
    return METRICS[name]
