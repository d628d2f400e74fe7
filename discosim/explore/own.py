"""Of nodes that are there, which ones, with which shares and which split, keep a latency.

Nodes may be unlike: each choice is played event by event (docs/timeline.md), with equal shares of
the features and with shares by speed, of which the better one counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.hardware import Hardware
from discosim.strategies.strategy import STRATEGIES
from discosim.timeline.cluster import Cluster
from discosim.timeline.schedule import schedule
from discosim.timeline.shares import shares_by_speed
from discosim.timeline.work import even_shares_of, work_of

STEPS = tuple(i / 100 for i in range(100))
"""The values of S_comm that are tried, all below 1."""

MOST_CHOICES = 200
SPLITS = ("rows", "disco")
"""How several nodes may split the network: exactly, or with what is pruned."""


@dataclass(frozen=True, eq=False)
class Muster:
    """Some of the nodes, how they split the network, and what that takes.

    s_comm: NaN where nothing is pruned; fullness: the largest part of its memory that a node holds.
    """

    nodes: tuple[Hardware, ...]
    strategy: str
    s_comm: float
    shares: tuple[float, ...]
    latency_s: float
    node_bytes: float
    fullness: float
    kept: bool


def choices(
    base: Configuration, inventory: Sequence[tuple[Hardware, int]], latency_s: float
) -> list[Muster]:
    """Return the best way to use each part of an inventory, those that keep the latency first.

    Among them the fewest nodes come first, then the least S_comm, then the fastest; of the others
    the nearest. Raises DiscosimError where nodes cannot be joined, or there are too many choices.
    """
    parts = list(_parts(inventory))
    found = [each for part in parts for each in _of_part(base, part, latency_s)]
    if not found:
        raise DiscosimError("nothing to choose from; wanted nodes as rpi5-gigabit,3xrpi4-gigabit")

    def order(each: Muster) -> tuple[bool, float, float, float]:
        pruned = 0.0 if np.isnan(each.s_comm) else each.s_comm
        if each.kept:
            return False, len(each.nodes), pruned, each.latency_s
        return True, max(each.latency_s / latency_s, each.fullness), pruned, each.latency_s

    return sorted(found, key=order)


def _parts(inventory: Sequence[tuple[Hardware, int]]) -> Iterator[tuple[Hardware, ...]]:
    """Every part of an inventory but nothing: nodes of one kind are alike."""
    counts = [range(count + 1) for _, count in inventory]
    total = int(np.prod([len(each) for each in counts])) - 1
    if total > MOST_CHOICES:
        raise DiscosimError(f"{total} ways to choose from these nodes; wanted {MOST_CHOICES}")
    for taken in product(*counts):
        pairs = zip(inventory, taken, strict=True)
        nodes = tuple(node for (node, _), count in pairs for _ in range(count))
        if nodes:
            yield nodes


def _of_part(
    base: Configuration, nodes: tuple[Hardware, ...], latency_s: float
) -> Iterator[Muster]:
    if len(nodes) == 1:
        yield _played(base, nodes, "single", float("nan"), latency_s)
        return
    yield _played(base, nodes, "rows", float("nan"), latency_s)
    low, high = 0, len(STEPS) - 1
    best = _played(base, nodes, "disco", STEPS[high], latency_s)
    while best.kept and low < high:  # the least S_comm that keeps it, a sparser one being faster
        middle = (low + high) // 2
        tried = _played(base, nodes, "disco", STEPS[middle], latency_s)
        best, low, high = (tried, low, middle) if tried.kept else (best, middle + 1, high)
    yield best


def _played(
    base: Configuration, nodes: tuple[Hardware, ...], name: str, s_comm: float, latency_s: float
) -> Muster:
    """What some nodes take, with the better shares."""
    cluster = Cluster(nodes)
    given = replace(
        base,
        hardware=nodes[0],
        strategy=STRATEGIES[name],
        nodes=len(nodes),
        s_comm=0.0 if np.isnan(s_comm) else s_comm,
    ).resolved()
    shares = {even_shares_of(len(nodes))}
    if not cluster.alike:
        shares.add(shares_by_speed(given, cluster))
    found = [_at_shares(given, cluster, each, s_comm, latency_s) for each in sorted(shares)]
    return min(found, key=lambda each: (not each.kept, max(1.0, each.fullness), each.latency_s))


def _at_shares(
    given: Configuration,
    cluster: Cluster,
    shares: tuple[float, ...],
    s_comm: float,
    latency_s: float,
) -> Muster:
    work = work_of(given, cluster, None if cluster.alike else shares)
    took_s = schedule(work, given.overlap).latency_s
    return Muster(
        nodes=cluster.nodes,
        strategy=given.strategy.name,
        s_comm=s_comm,
        shares=shares,
        latency_s=took_s,
        node_bytes=float(work.node_bytes.max()),
        fullness=work.fullness,
        kept=took_s <= latency_s and work.fullness <= 1,
    )


def in_turn_per_s(base: Configuration, inventory: Sequence[tuple[Hardware, int]]) -> float:
    """Return how many inferences a second all nodes give whole, in turn: those that fit one."""
    alone = [
        (_played(base, (node,), "single", float("nan"), np.inf), count) for node, count in inventory
    ]
    return sum(count / each.latency_s for each, count in alone if each.fullness <= 1)
