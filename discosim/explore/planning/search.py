"""The fastest choice of a split for each group of layers within a memory: a dynamic program.

It goes through the groups in their order; its state is how the tensors lie that are read later.
Memory is weights, which add up, and the most features that are held at once. The most features
are tried one after another as a limit on each group; a price on weights (Lagrange) keeps the sum
within what is left. Its dual is a bound that no choice is below (Everett, Operations Research 11,
1963).
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from discosim.explore.planning.prices import KINDS, Prices
from discosim.graph.table import Floats, Ints

CAPS = 8
"""Limits on features that are tried."""

RATES = 24
"""Prices of a byte of weights that are tried, twice."""

MOST_IMPROVED = 12
"""Choices of the dynamic program of which others are put together."""

MOST_STARTED = 2
"""Choices from which that starts."""


@dataclass(frozen=True, eq=False)
class Choices:
    """Choices of a split for each group, (n, G), best first as priced; bound_s: none is below."""

    paths: Ints
    bound_s: float


def choices(prices: Prices, memory: float) -> Choices:
    """Return choices that keep `memory` bytes as priced, or the least of memory if none does."""
    if np.isinf(memory):
        paths, least = _paths(prices, np.zeros(1), np.array([np.inf]))
        return Choices(paths.reshape(1, -1), float(least[0, 0]))
    floor = max(float(each.min()) for each in prices.features)
    every = np.unique(np.concatenate([each.ravel() for each in prices.features]))
    caps = every[(every >= floor) & (every <= max(memory, floor))]
    caps = np.unique(np.quantile(caps, np.linspace(0, 1, CAPS), method="higher"))
    span = sum(np.ptp(each[np.isfinite(each)]) for each in prices.seconds)
    span /= max(1.0, sum(each.max() for each in prices.weights))
    below = np.concatenate([[floor], caps[:-1]])  # whoever needs the next cap has more than these
    rates = np.concatenate([[0.0], span * np.geomspace(1e-4, 1e3, RATES)])
    seen, bound = [], -np.inf
    for _ in range(2):  # the second time around the least bound
        paths, least = _paths(prices, rates, caps)
        dual = least - rates[None] * (memory - below)[:, None]
        bound = max(bound, float(dual.max(axis=1).min()))
        seen.append(paths.reshape(-1, paths.shape[-1]))
        at = int(dual[dual.max(axis=1).argmin()].argmax())
        rates = np.linspace(rates[max(0, at - 1)], rates[min(at + 1, len(rates) - 1)], RATES)
    tried = np.unique(np.concatenate(seen), axis=0)
    tried = tried[_order(prices, tried, memory)][:MOST_IMPROVED]
    found = np.array([_improved(prices, path, tried, memory) for path in tried[:MOST_STARTED]])
    tried = np.unique(np.concatenate([tried, found]), axis=0)
    return Choices(tried[_order(prices, tried, memory)], bound)


def _paths(prices: Prices, rates: Floats, caps: Floats) -> tuple[Ints, Floats]:
    """The least seconds and priced weights at each cap and rate: paths (C, R, G), sums (C, R)."""
    groups, kinds = prices.groups, prices.kinds
    best = np.zeros((len(caps), len(rates)))
    steps: list[tuple[tuple[int, ...], Ints, Ints]] = []
    live: tuple[int, ...] = ()
    for group in range(len(groups)):
        step = _step(prices, group, rates, caps)
        levels = np.stack([_least_of(step, kinds == kind)[1] for kind in range(len(KINDS))], -1)
        step = np.stack([_least_of(step, kinds == kind)[0] for kind in range(len(KINDS))], -1)
        reach = best[..., None] + step
        after = groups.live[group + 1] if group + 1 < len(groups) else ()
        axes = (*live, group)
        dead = [place for place, each in enumerate(axes) if each not in after]
        reach = np.moveaxis(reach, [2 + place for place in dead], range(-len(dead), 0))
        reach = reach.reshape(*reach.shape[: reach.ndim - len(dead)], -1)
        steps.append((axes, reach.argmin(-1), levels))
        best, live = reach.min(-1), tuple(after)
    return _traced(steps, best.shape), best


def _step(prices: Prices, group: int, rates: Floats, caps: Floats) -> Floats:
    """Seconds and priced weights of a group, (C, R, K, ..., S): axes of all live groups."""
    live, reads = prices.groups.live[group], prices.groups.reads[group]
    shape = [len(KINDS) if each in reads else 1 for each in live] + [len(prices.splits)]
    rate = rates.reshape(-1, *[1] * len(shape))
    cost = prices.seconds[group].reshape(shape) + rate * prices.weights[group].reshape(shape)
    over = prices.features[group] > caps.reshape(-1, 1, *[1] * len(shape))
    return np.where(over, np.inf, cost[None])


def _least_of(step: Floats, keep: Ints) -> tuple[Floats, Ints]:
    places = np.flatnonzero(keep)
    if not len(places):
        return np.full(step.shape[:-1], np.inf), np.zeros(step.shape[:-1], dtype=np.int64)
    some = step[..., places]
    return some.min(-1), places[some.argmin(-1)]


def _traced(steps: list[tuple[tuple[int, ...], Ints, Ints]], shape: tuple[int, ...]) -> Ints:
    """The splits that the least came from, (C, R, G)."""
    caps, rates = np.indices(shape)
    kind_of: dict[int, Ints] = {}
    path = np.zeros((*shape, len(steps)), dtype=np.int64)
    for group in range(len(steps) - 1, -1, -1):
        axes, came, levels = steps[group]
        kept = [each for each in axes if each in kind_of]
        flat = came[(caps, rates, *(kind_of[each] for each in kept))]
        dead = [each for each in axes if each not in kind_of]
        for each in reversed(dead):
            kind_of[each] = flat % len(KINDS)
            flat = flat // len(KINDS)
        path[..., group] = levels[(caps, rates, *(kind_of[each] for each in axes))]
    return path


def _totals(prices: Prices, paths: Ints) -> tuple[Floats, Floats]:
    """Seconds and bytes of paths (n, G), (n,) each."""
    groups, kinds = prices.groups, prices.kinds[paths]
    seconds, weights, most = (np.zeros(len(paths)) for _ in range(3))
    for group in range(len(groups)):
        read = (*(kinds[:, each] for each in groups.reads[group]), paths[:, group])
        live = (*(kinds[:, each] for each in groups.live[group]), paths[:, group])
        seconds += prices.seconds[group][read]
        weights += prices.weights[group][read]
        most = np.maximum(most, prices.features[group][live])
    return seconds, weights + most


def _order(prices: Prices, paths: Ints, memory: float) -> Ints:
    """Paths that keep the memory first, by seconds; the others by what they lack."""
    seconds, needs = _totals(prices, paths)
    order: Ints = np.lexsort([seconds, np.maximum(0.0, needs - memory)])
    return order


def _improved(prices: Prices, path: Ints, others: Ints, memory: float) -> Ints:
    """A path that neither a stretch of another one nor another split of one group makes better."""
    groups, count = len(path), len(prices.splits)
    single = np.arange(groups * count)
    mixes = prices.groups.table.mixes[prices.groups.firsts]
    cuts = [g for g in range(groups) if mixes[g] and len(prices.groups.live[g]) <= 1]
    cuts = [0, *cuts, groups]
    windows = [(i, j) for i, j in combinations(cuts, 2)]
    inside = np.array([[i <= g < j for g in range(groups)] for i, j in windows])
    while True:
        changed = np.tile(path, (groups * count, 1))
        changed[single, single // count] = single % count
        tries = [path[None], changed, *(np.where(inside, other, path) for other in others)]
        every = np.concatenate(tries)
        best = every[_order(prices, every, memory)[0]]
        both = np.stack([best, path])
        seconds, needs = _totals(prices, both)
        over = np.maximum(0.0, needs - memory)
        if (over[0], seconds[0]) >= (over[1], seconds[1]):
            return path
        path = best
