"""Shares of the features that make unlike nodes finish together."""

from dataclasses import replace
from itertools import permutations

import numpy as np

from discosim.configuration import Configuration
from discosim.simulate import NO_OVERLAP
from discosim.strategies.strategy import STRATEGIES
from discosim.timeline.cluster import Cluster
from discosim.timeline.latency import latency_of
from discosim.timeline.work import LEAST_SHARE, even_shares_of, work_of

FIRST_STEP, LAST_STEP = 1 / 8, 1 / 256

Shares = tuple[float, ...]


def shares_by_speed(given: Configuration, cluster: Cluster) -> Shares:
    """Return shares in proportion to how fast each node would do the whole network alone."""
    alone = replace(given, strategy=STRATEGIES["single"], overlap=NO_OVERLAP)
    each = [replace(alone, hardware=node).cost().latency_s.item() for node in cluster.nodes]
    speed = 1.0 / np.array(each)
    return _allowed(speed / speed.sum())


def balanced_shares(given: Configuration, cluster: Cluster) -> Shares:
    """Return the shares with the least latency that a search finds, never worse than equal ones.

    Shares that the memory of each node holds are better than any that it does not. The search
    begins with the best of equal shares, those by speed and those by memory, and moves from nodes
    of one kind to those of another what makes the schedule shorter, in ever smaller steps: a local
    optimum, in which alike nodes have equal shares.
    """
    if len(cluster) == 1:
        return (1.0,)
    tried: dict[Shares, tuple[float, float]] = {}

    def judged(shares: Shares) -> tuple[float, float]:
        if shares not in tried:
            work = work_of(given, cluster, shares)
            tried[shares] = max(1.0, work.fullness), latency_of(work, given.overlap)
        return tried[shares]

    starts = [even_shares_of(len(cluster)), shares_by_speed(given, cluster)]
    capacity = np.array(
        [np.inf if n.memory_bytes is None else n.memory_bytes for n in cluster.nodes]
    )
    if np.isfinite(capacity).all():
        starts.append(_allowed(capacity / capacity.sum()))
    best, step = min(starts, key=judged), FIRST_STEP
    kinds = [places for places, _ in cluster.kinds(len(cluster))]
    while step >= LAST_STEP and len(kinds) > 1:
        moved = [_moved(best, givers, takers, step) for givers, takers in permutations(kinds, 2)]
        candidate = min(moved, key=judged)
        if judged(candidate) < judged(best):
            best = candidate
        else:
            step /= 2
    return best


def _moved(shares: Shares, givers: list[int], takers: list[int], step: float) -> Shares:
    """The shares after each giver gave a step, as far as it has one, and all takers share it."""
    amount = np.array(shares)
    step = min(step, amount[givers[0]] - LEAST_SHARE)
    amount[givers] -= step
    amount[takers] += step * len(givers) / len(takers)
    return _allowed(amount)


def _allowed(amount: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Shares:
    """The shares as numbers that add up to 1, none below the least."""
    kept = np.maximum(amount, 2 * LEAST_SHARE)
    return tuple(float(share) for share in kept / kept.sum())
