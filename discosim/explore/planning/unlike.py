"""Plans for nodes that differ: what alike nodes would do, with shares that suit each of them.

The plan is sought on nodes of the mean speed. It and the strategies are then laid out on the nodes
there are, with shares by speed or balanced event by event, whichever takes less.
"""

from dataclasses import dataclass, replace

import numpy as np

from discosim.configuration import Configuration
from discosim.explore.planning.plan import plan as planned
from discosim.graph.network import Network, shape_text
from discosim.graph.table import Bools, Floats, tabulate
from discosim.hardware import Hardware
from discosim.partition.kinds import Kind
from discosim.partition.needs import rows_read
from discosim.partition.plan import Plan
from discosim.partition.plan_file import PlanFile
from discosim.partition.splits import LayerSplit, Splits, Throughout
from discosim.simulate import rates_of
from discosim.strategies.strategy import STRATEGIES
from discosim.timeline.cluster import Cluster
from discosim.timeline.latency import latency_of
from discosim.timeline.shares import balanced_shares, shares_by_speed
from discosim.timeline.work import work_of

BALANCED_WITHIN = 3.0
"""Times what the best one takes with shares by speed: what takes longer is not balanced."""


@dataclass(frozen=True, eq=False)
class UnlikeCandidate:
    """A way to split on unlike nodes, and what it costs: fullness over 1 does not fit a node."""

    name: str
    splits: Splits
    throughout: Throughout
    shares: tuple[float, ...]
    latency_s: float
    node_bytes: tuple[float, ...]
    fullness: float

    @property
    def alone(self) -> bool:
        """Whether no layer is on several nodes."""
        return not _spread(self.splits)

    @property
    def exact(self) -> bool:
        """Whether the network computes what it was trained to."""
        return all(split.exact for split in self.splits)


@dataclass(frozen=True, eq=False)
class UnlikePlanned:
    """The best that was found on unlike nodes, and all that was weighed, the best first.

    bound: seconds that no plan is below, as nothing is sent and all nodes always compute.
    """

    configuration: Configuration
    cluster: Cluster
    every: tuple[UnlikeCandidate, ...]
    bound: float

    @property
    def best(self) -> UnlikeCandidate:
        """The fastest that every node's memory keeps, or what comes nearest."""
        return self.every[0]

    def plan(self) -> Plan:
        """Return the plan of the best one, with equal shares."""
        return _of(self.configuration, self.best.splits, self.best.throughout).plan()

    def plan_file(self, path: str) -> PlanFile:
        """Return what `timeline --plan` takes."""
        given, best = self.configuration, self.best
        return _file(given, path, best.splits, best.throughout)


def mean_node(cluster: Cluster) -> Hardware:
    """Return a node of the mean speed of a cluster, its least memory and its slowest link."""
    nodes, first = cluster.nodes, cluster.nodes[0]
    memory = [node.memory_bytes for node in nodes if node.memory_bytes is not None]
    rates = [node.memory_Bps for node in nodes if node.memory_Bps is not None]
    return replace(
        first,
        compute_macps=sum(float(node.compute_macps) for node in nodes) / len(nodes),
        memory_Bps=sum(map(float, rates)) / len(nodes) if len(rates) == len(nodes) else None,
        memory_bytes=float(min(memory)) if memory else None,
        bandwidth_Bps=float(cluster.link_Bps.min()),
        link_latency_s=float(cluster.link_latency_s.max()),
    )


def unlike_plan(
    given: Configuration, cluster: Cluster, *, s_comm: tuple[float, ...]
) -> UnlikePlanned:
    """Return the splits of least latency that are found for the nodes of `cluster`."""
    node = mean_node(cluster)
    memory = None if node.memory_bytes is None else float(node.memory_bytes)
    alike = planned(replace(given, hardware=node), s_comm=s_comm, memory=memory, strict=False)
    count = len(given.network.layers)
    asked: list[tuple[str, Splits, Throughout]] = []
    for each in (alike.best, alike.exact):
        if each is not None:
            splits = tuple(replace(split, rows=()) for split in each.splits)
            asked.append(("plan", splits, replace(each.throughout, joined=False)))
            asked.append(("plan, rows in groups", splits, replace(each.throughout, joined=True)))
    asked += [
        (each.name, each.splits, each.throughout) for each in alike.pure if _spread(each.splits)
    ]
    asked += [
        (f"node {node} alone", (LayerSplit(Kind.ONE, node=node),) * count, Throughout())
        for node, kind in enumerate(cluster.nodes)
        if kind not in cluster.nodes[:node]  # alike ones take as long
    ]
    seen: dict[tuple[Splits, Throughout], str] = {}
    for name, splits, throughout in asked:
        seen.setdefault((splits, throughout), name)
    found = [
        _candidate(given, cluster, name, splits, throughout, shares_by_speed(given, cluster))
        for (splits, throughout), name in seen.items()
    ]
    most_s = BALANCED_WITHIN * min(found, key=_order).latency_s
    found = [
        _balanced(given, cluster, each) if not each.alone and each.latency_s <= most_s else each
        for each in found
    ]
    bound = busy_s(given.network, cluster, max((0.0, *s_comm)))
    return UnlikePlanned(given, cluster, tuple(sorted(found, key=_order)), bound)


def busy_s(network: Network, cluster: Cluster, s_comm: float) -> float:
    """Return seconds that no plan is below: the arithmetic of all rows that are read, shared out.

    Of layers that mix features S_comm leaves 1 - s_comm at least. However layers are shared out,
    the nodes' seconds, weighted, are no less than with each layer where its weighted seconds are
    least (the dual of the linear program that shares them out); a node weighs as its mean speed.
    """
    table = tabulate(network)
    left = np.where(table.mixes, 1.0 - s_comm, 1.0)
    read: dict[str, Bools] = {}
    for row, layer in reversed(list(enumerate(network.layers))):
        read[layer.name] = rows_read(network, layer.name, read)
        left[row] *= read[layer.name].mean()
    macs = table.macs * left
    seconds = np.array(
        [macs * rates_of(table, node)[0] / float(node.compute_macps) for node in cluster.nodes]
    )
    speed = 1.0 / np.maximum(seconds.sum(1), 1e-300)
    least: Floats = (speed[:, None] / speed.sum() * seconds).min(0)
    return float(least.sum())


def _order(candidate: UnlikeCandidate) -> tuple[float, float]:
    return max(1.0, candidate.fullness), candidate.latency_s


def _spread(splits: Splits) -> bool:
    """Whether some layer is on several nodes."""
    return any(split.kind is not Kind.ONE for split in splits)


def _of(given: Configuration, splits: Splits, throughout: Throughout) -> Configuration:
    named = _file(given, "plan", splits, throughout)
    return replace(given, strategy=STRATEGIES["disco"], plan_file=named)


def _file(given: Configuration, path: str, splits: Splits, throughout: Throughout) -> PlanFile:
    names = [layer.name for layer in given.network.layers]
    named = dict(zip(names, splits, strict=True))
    shape = shape_text(given.network.input_shape)
    return PlanFile(path, given.model, given.nodes, {}, shape, named, throughout)


def _balanced(given: Configuration, cluster: Cluster, by_speed: UnlikeCandidate) -> UnlikeCandidate:
    """The same with shares balanced event by event, where that takes less."""
    name, splits, throughout = by_speed.name, by_speed.splits, by_speed.throughout
    shares = balanced_shares(_of(given, splits, throughout), cluster)
    return min(by_speed, _candidate(given, cluster, name, splits, throughout, shares), key=_order)


def _candidate(
    given: Configuration,
    cluster: Cluster,
    name: str,
    splits: Splits,
    throughout: Throughout,
    shares: tuple[float, ...],
) -> UnlikeCandidate:
    work = work_of(_of(given, splits, throughout), cluster, shares)
    latency_s = latency_of(work, given.overlap)
    node_bytes = tuple(float(each) for each in work.node_bytes)
    return UnlikeCandidate(name, splits, throughout, shares, latency_s, node_bytes, work.fullness)
