"""A choice of a split for each group, bettered by stretches of others and by single groups."""

from itertools import combinations

import numpy as np

from discosim.explore.planning.changes import Changes
from discosim.explore.planning.prices import Prices
from discosim.explore.planning.totals import Flat
from discosim.graph.table import Ints

MOST_STEPS = 20
"""How often a choice is put together anew."""

MOST_TRIED = 4_000
"""Groups of all stretches that are tried at once."""

SAME = 1e-9
"""Relative difference of costs that are the same."""


def improved(prices: Prices, flat: Flat, tried: Ints, memory: float) -> Ints:
    """Return the first path, as long as a stretch of another one or another split helps."""
    path: Ints = tried[0]
    cuts = _cuts(prices, max(1, MOST_TRIED // tried.size))
    changes = Changes.every(flat)
    for _ in range(MOST_STEPS):
        whole = np.concatenate([path[None], *(_stretches(path, each, cuts) for each in tried)])
        both = zip(flat.totals(whole), changes.totals(path), strict=True)
        cost, needs = (np.concatenate(each) for each in both)
        over = np.maximum(0.0, needs - memory)
        best = np.lexsort([cost, over])[0]
        cheaper = over[best] <= over[0] and cost[best] < cost[0] * (1 - SAME)
        if not (cheaper or over[best] < over[0] * (1 - SAME)):
            break
        path = whole[best] if best < len(whole) else changes.made(path, best - len(whole))
    return path


def _cuts(prices: Prices, most: int) -> list[int]:
    """Groups between which at most one tensor goes on, so many that there are `most` stretches."""
    groups = prices.groups
    mixes = groups.table.mixes[groups.firsts]
    cuts = [g for g in range(1, len(groups)) if mixes[g] and len(groups.live[g]) <= 1]
    step = 1 + len(cuts) ** 2 // (2 * most)
    return [0, *cuts[::step], len(groups)]


def _stretches(path: Ints, other: Ints, cuts: list[int]) -> Ints:
    """The path with a stretch of another one between two cuts, each that differs, (W, G)."""
    unlike = np.concatenate([[0], np.cumsum(path != other)])
    every = {(unlike[i], unlike[j]): (i, j) for i, j in combinations(cuts, 2)}
    found = np.tile(path, (len(every), 1))
    for row, (i, j) in enumerate(every.values()):
        found[row, i:j] = other[i:j]
    return found
