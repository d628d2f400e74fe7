"""The best choice of a split for each group of layers within a memory: a dynamic program.

It goes through the groups in their order; its state is how the tensors lie that are read later.
Memory is weights, which add up, and the most features that are held at once. The most features
are tried one after another as a limit on each group; a price on weights (Lagrange) keeps the sum
within what is left. Its dual is a bound that no choice is below (Everett, Operations Research 11,
1963). Of the nodes the program looks at the mean; a choice keeps the memory if every one does.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from discosim.explore.planning.labels import Bounded, cheapest
from discosim.explore.planning.prices import Prices, on_each_node
from discosim.explore.planning.steps import by_state, step_of
from discosim.graph.table import Bools, Floats, Ints

CAPS = 5
"""Limits on features that are tried."""

RATES = 7
"""Prices of a byte of weights that are tried at once."""

TURNS = 4
"""How often, closer together each time."""

MOST_IMPROVED = 8
"""Choices of the dynamic program of which others are put together."""

MOST_TRIED = 20_000
"""Choices that are put together at once."""


@dataclass(frozen=True, eq=False)
class Choices:
    """Choices of a split for each group, (n, G), best first as priced; bound: none is below.

    rate: the price of a byte of weights of which the bound is the dual.
    """

    paths: Ints
    bound: float
    rate: float = 0.0


def choices(prices: Prices, memory: float, upper: float = np.inf) -> Choices:
    """Return choices that keep `memory` bytes as priced, or the least of memory if none does."""
    if np.isinf(memory):
        paths, least = _paths(prices, np.zeros(1), None)
        return Choices(paths, float(least[0]))
    held = [each.mean(0) for each in prices.features]
    floor = max(float(each.min()) for each in held)
    every = np.unique(np.concatenate([each.ravel() for each in held]))
    caps = every[(every >= floor) & (every <= max(memory, floor))]
    caps = np.unique(np.quantile(caps, np.linspace(0, 1, CAPS), method="higher"))
    below = np.concatenate([[floor], caps[:-1]])  # whoever needs the next cap has more than these
    span = float(sum(np.ptp(each[np.isfinite(each)]) for each in prices.aim))
    span /= max(1.0, sum(float(each.max()) for each in prices.weights))
    rates = np.tile(
        np.concatenate([[0.0], span * np.geomspace(1e-4, 1e3, RATES - 1)]), (len(caps), 1)
    )
    best_rates = np.zeros(len(caps))
    seen, duals = [], np.full(len(caps), -np.inf)
    for _ in range(TURNS):
        flat = np.repeat(caps, rates.shape[1])
        paths, least = _paths(prices, rates.ravel(), flat)
        seen.append(paths)
        dual = least.reshape(rates.shape) - rates * (memory - below)[:, None]
        better = dual.max(axis=1) > duals
        best_rates = np.where(better, rates[np.arange(len(caps)), dual.argmax(axis=1)], best_rates)
        duals = np.maximum(duals, dual.max(axis=1))
        rates = np.array([_closer(each, found) for each, found in zip(rates, dual, strict=True)])
    tried = np.unique(np.concatenate(seen), axis=0)
    tried = tried[_order(prices, tried, memory)][:MOST_IMPROVED]
    tried = np.unique(np.stack([*tried, _improved(prices, tried, memory)]), axis=0)
    tried = tried[_order(prices, tried, memory)]
    cost, needs = totals(prices, tried[:1])
    upper = min(upper, float(cost[0])) if needs[0] <= memory else upper
    rate = float(best_rates[duals.argmin()])
    found = cheapest(prices, Bounded(memory, rate, upper))
    if found is not None:
        tried = np.concatenate([found[None], tried])
    return Choices(tried, float(duals.min()), rate)


def _closer(rates: Floats, dual: Floats) -> Floats:
    """Rates around that of the largest dual."""
    at = int(dual.argmax())
    low, high = rates[max(0, at - 1)], rates[min(at + 1, len(rates) - 1)]
    found: Floats = np.linspace(low, high, len(rates))
    return found


def _paths(prices: Prices, rates: Floats, caps: Floats | None) -> tuple[Ints, Floats]:
    """The least cost and priced weights at each pair of rate and cap: paths (B, G), sums (B,)."""
    groups = prices.groups
    best = np.zeros(len(rates))
    steps: list[tuple[tuple[int, ...], Ints, Ints]] = []
    live: tuple[int, ...] = ()
    for group in range(len(groups)):
        step, picked = by_state(prices, group, step_of(prices, group, rates, caps))
        reach = best[..., None] + step
        after = groups.after(group)
        axes = (*live, group)
        dead = [place for place, each in enumerate(axes) if each not in after]
        reach = np.moveaxis(reach, [1 + place for place in dead], range(-len(dead), 0))
        reach = reach.reshape(*reach.shape[: reach.ndim - len(dead)], -1)
        steps.append((axes, reach.argmin(-1), picked))
        best, live = reach.min(-1), after
    return _traced(prices, steps, len(rates)), best


def _traced(prices: Prices, steps: list[tuple[tuple[int, ...], Ints, Ints]], count: int) -> Ints:
    """The options that the least came from, (B, G)."""
    each, states = np.arange(count), prices.states
    state_of: dict[int, Ints] = {}
    path = np.zeros((count, len(steps)), dtype=np.int64)
    for group in range(len(steps) - 1, -1, -1):
        axes, came, picked = steps[group]
        kept = [axis for axis in axes if axis in state_of]
        flat = came[(each, *(state_of[axis] for axis in kept))]
        for axis in reversed([axis for axis in axes if axis not in state_of]):
            state_of[axis] = flat % states[axis]
            flat = flat // states[axis]
        picked = np.broadcast_to(picked, (count, *picked.shape[1:]))
        wide = tuple(
            state_of[axis] if size > 1 else np.zeros(count, dtype=np.int64)
            for axis, size in zip(axes, picked.shape[1:], strict=True)
        )
        path[:, group] = picked[(each, *wide)]
    return path


def totals(prices: Prices, paths: Ints) -> tuple[Floats, Floats]:
    """Return the cost and the bytes of the node that needs most, of paths (n, G), (n,) each."""
    groups = prices.groups
    lies = np.stack([prices.lies[g][paths[:, g]] for g in range(len(groups))], axis=-1)
    nodes = len(prices.weights[0])
    cost, weights, most = np.zeros(len(paths)), *np.zeros((2, nodes, len(paths)))
    for group in range(len(groups)):
        read = (*(lies[:, each] for each in groups.reads[group]), paths[:, group])
        live = (*(lies[:, each] for each in groups.live[group]), paths[:, group])
        cost += prices.aim[group][read]
        weights += on_each_node(prices.weights[group], read)
        most = np.maximum(most, on_each_node(prices.features[group], live))
    return cost, (weights + most).max(0)


def _order(prices: Prices, paths: Ints, memory: float) -> Ints:
    """Paths that keep the memory first, by cost; the others by what they lack."""
    cost, needs = totals(prices, paths)
    order: Ints = np.lexsort([cost, np.maximum(0.0, needs - memory)])
    return order


def _improved(prices: Prices, tried: Ints, memory: float) -> Ints:
    """The first path, as long as a stretch of another one or another split of a group helps."""
    path: Ints = tried[0]
    groups = tried.shape[1]
    inside = _windows(prices, max(1, MOST_TRIED // (groups * len(tried))))
    counts = np.array([len(each) for each in prices.options])
    group = np.repeat(np.arange(groups), counts)
    option = np.concatenate([np.arange(count) for count in counts])
    while True:
        changed = np.tile(path, (len(group), 1))
        changed[np.arange(len(group)), group] = option
        every = np.concatenate([path[None], changed, *(np.where(inside, o, path) for o in tried)])
        best: Ints = every[_order(prices, every, memory)[0]]
        cost, needs = totals(prices, np.stack([best, path]))
        over = np.maximum(0.0, needs - memory)
        if (over[0], cost[0]) >= (over[1], cost[1] * (1 - 1e-9)):
            return path
        path = best


def _windows(prices: Prices, most: int) -> Bools:
    """Stretches of groups between cuts, (W, G)."""
    groups = prices.groups
    mixes = groups.table.mixes[groups.firsts]
    cuts = [g for g in range(1, len(groups)) if mixes[g] and len(groups.live[g]) <= 1]
    step = 1 + len(cuts) ** 2 // (2 * most)
    cuts = [0, *cuts[::step], len(groups)]
    each = np.arange(len(groups))
    inside: Bools = np.array([(i <= each) & (each < j) for i, j in combinations(cuts, 2)])
    return inside
