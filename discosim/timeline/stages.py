"""Pipelines over unlike nodes: cut for what each of them can hold and how fast each of them is."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.graph.table import Floats, Ints
from discosim.hardware import Hardware
from discosim.model.overlap import stage_s
from discosim.model.traffic import TOPOLOGIES
from discosim.partition.plan import Objective
from discosim.simulate import NO_OVERLAP, simulate
from discosim.strategies.pipeline import holding_of, holds_a_layer, range_bytes
from discosim.strategies.strategy import STRATEGIES
from discosim.timeline.cluster import Cluster

Join = Callable[[Floats, Floats], Floats]

SAME = 1 + 1e-9
"""Of two times or sizes that are equal but for rounding."""


def unlike_stages(given: Configuration, cluster: Cluster) -> Ints:
    """Return the stage of each row, (L,), stage r on node r of the cluster.

    The memory of each node is a limit: where no cut keeps them all, the one that misses them by
    the least factor is taken. Of those left, the objective `latency` takes the least latency of
    an item; otherwise the shortest interval between two, and of equal ones the least latency.
    Raises DiscosimError where there are more nodes than layers.
    """
    table, nodes = given.table, cluster.nodes
    allowed = np.triu(holds_a_layer(table.mixes))
    layers = int(table.mixes.sum())
    if len(nodes) > layers:
        raise DiscosimError(
            f"a pipeline of {len(nodes)} nodes needs as many layers; {given.model} has {layers}"
        )
    capacity = [np.inf if n.memory_bytes is None else float(n.memory_bytes) for n in nodes]
    full = np.stack(
        [
            np.where(allowed, (node.runtime_bytes + _held(given, node)) / size, np.inf)
            for node, size in zip(nodes, capacity, strict=True)
        ]
    )
    most = max(1.0, _least(full, np.maximum)[0] * SAME)
    fits = full <= most
    work_s, entry_s = _work_s(given, cluster), _handed_s(given, cluster)
    latency = np.where(fits, work_s + entry_s[:-1, :, None], np.inf)
    if given.objective != Objective.LATENCY:
        exit_s = np.append(entry_s[1:, 1:], np.zeros((len(nodes), 1)), axis=1)
        every = stage_s(
            work_s,
            entry_s[:-1, :, None],
            exit_s[:, None, :],
            overlaps=given.overlap != NO_OVERLAP,
            one_port=TOPOLOGIES[cluster.topology].one_port and cluster.half_duplex,
        )
        interval = np.where(fits, every, np.inf)
        latency = np.where(interval <= _least(interval, np.maximum)[0] * SAME, latency, np.inf)
    return _least(latency, np.add)[1]


def _held(given: Configuration, node: Hardware) -> Floats:
    """Bytes that a node holds of the rows from i to j, (L, L), by its own figures."""
    return range_bytes(given.table, holding_of(replace(given, hardware=node)))


def _work_s(given: Configuration, cluster: Cluster) -> Floats:
    """Seconds that each node takes for the rows from i to j, (N, L, L)."""
    plan = replace(given, strategy=STRATEGIES["single"]).plan()
    found = []
    for node in cluster.nodes:
        cost = simulate(given.table, plan, node)
        sums = np.append(0.0, np.cumsum((cost.local_s + cost.remote_s).reshape(-1)))
        found.append(np.maximum(0.0, sums[None, 1:] - sums[:-1, None]))
    return np.stack(found)


def _handed_s(given: Configuration, cluster: Cluster) -> Floats:
    """Seconds in which node r gets what crosses to row i, (N + 1, L); the first gets nothing."""
    elems = given.table.cut_elems
    nbytes = elems * float(cluster.nodes[0].feature_elem_bytes)
    handed = np.zeros((len(cluster) + 1, len(elems)))
    for node in range(1, len(cluster)):
        rate = cluster.link_Bps[node - 1, node]
        alpha = cluster.link_latency_s[node - 1, node]
        handed[node] = nbytes / rate + alpha * (nbytes > 0)
    return handed


def _least(cost: Floats, join: Join) -> tuple[float, Ints]:
    """The least joined cost of N ranges that make up all rows, and the range of each row.

    cost: (N, L, L), that of the n-th range from row i to j at [n, i, j].
    """
    rows = cost.shape[-1]
    best, begins = cost[0, 0], []
    for each in cost[1:]:
        before = np.append(np.inf, best[:-1])
        candidates = join(before[:, None], each)
        begins.append(candidates.argmin(axis=0))
        best = candidates.min(axis=0)
    stage, end = np.zeros(rows, dtype=np.int64), rows - 1
    for number, begin in reversed(list(enumerate(begins, start=1))):
        stage[begin[end] : end + 1] = number
        end = int(begin[end]) - 1
    return float(best[-1]), stage
