"""The best choice of a split for each group of layers within a memory: a dynamic program.

It goes through the groups in their order; its state is how the tensors lie that are read later.
Memory is weights, which add up, and the most features that are held at once. The most features
are tried one after another as a limit on each group; a price on weights (Lagrange) keeps the sum
within what is left. Its dual is a bound that no choice is below (Everett, Operations Research 11,
1963). Of the nodes the program looks at the mean; a choice keeps the memory if every one does.
"""

from dataclasses import dataclass

import numpy as np

from discosim.explore.planning.improve import SAME, improved
from discosim.explore.planning.labels import Bounded, cheapest
from discosim.explore.planning.prices import Prices
from discosim.explore.planning.steps import by_state, least_of, step_of
from discosim.explore.planning.totals import Flat
from discosim.graph.table import Floats, Ints

CAPS = 5
"""Limits on features that are tried."""

RATES = 7
"""Prices of a byte of weights that are tried at once."""

TURNS = 6
"""How many are tried after these."""

MOST_IMPROVED = 8
"""Choices of the dynamic program of which others are put together."""


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
    seen, bound, rate = _dual(prices, memory)
    flat = Flat.of(prices)
    tried = np.unique(seen, axis=0)
    tried = tried[_order(flat, tried, memory)][:MOST_IMPROVED]
    tried = np.unique(np.stack([*tried, improved(prices, flat, tried, memory)]), axis=0)
    tried = tried[_order(flat, tried, memory)]
    cost, needs = flat.totals(tried[:1])
    upper = min(upper, float(cost[0])) if needs[0] <= memory else upper
    found = cheapest(prices, Bounded(memory, rate, upper))
    if found is not None:
        tried = np.concatenate([found[None], tried])
        better = improved(prices, flat, tried[:MOST_IMPROVED], memory)
        tried = tried if (better == found).all() else np.concatenate([better[None], tried])
    return Choices(tried, bound, rate)


def _dual(prices: Prices, memory: float) -> tuple[Ints, float, float]:
    """The choices of least cost and priced weights, (n, G), the best bound of them, and its price.

    Of each limit on features prices far apart are tried, and then that at which a choice that holds
    too much costs the same as one that holds little enough (a cutting plane in one dimension).
    """
    caps = _caps(prices, memory)
    floor = max(float(each.min()) for each in prices.mean_features)
    below = np.concatenate([[floor], caps[:-1]])  # whoever needs the next cap has more than these
    room = memory - below
    span = float(sum(np.ptp(each[np.isfinite(each)]) for each in prices.aim))
    span /= max(1.0, sum(float(each.max()) for each in prices.mean_weights))
    grid = np.concatenate([[0.0], span * np.geomspace(1e-4, 1e3, RATES - 1)])
    tried = _Tried.of(prices, np.tile(grid, (len(caps), 1)), caps)
    seen, number = [tried.paths], np.arange(len(caps))
    dual = tried.least - tried.rates * room[:, None]
    duals, rates = dual.max(1), grid[dual.argmax(1)]
    enough = (tried.weights <= room[:, None]).cumsum(1) > 0
    first = np.where(enough.any(1), enough.argmax(1), RATES - 1)  # the lowest price of enough
    before = np.maximum(0, first - 1)
    low = tried.cost[number, before], tried.weights[number, before]
    high = tried.cost[number, first], tried.weights[number, first]
    for _ in range(TURNS):
        apart = (low[1] > high[1]) & np.isfinite(high[0]) & np.isfinite(low[0])
        if not apart.any():
            break
        rate = np.zeros(len(caps))
        (cost, weights), (dear, light) = ([each[apart] for each in end] for end in (low, high))
        rate[apart] = (dear - cost) / (weights - light)
        one = _Tried.of(prices, rate[:, None], caps)
        seen.append(one.paths)
        here = one.cost[:, 0], one.weights[:, 0]
        dual = one.least[:, 0] - rate * room
        duals, rates = np.where(dual > duals, dual, duals), np.where(dual > duals, rate, rates)
        met = one.least[:, 0] >= (low[0] + rate * low[1]) * (1 - SAME)  # no line is below
        much = here[1] > room
        low = np.where(much, here[0], low[0]), np.where(much, here[1], low[1])
        high = np.where(much, high[0], here[0]), np.where(much, high[1], here[1])
        if (met | ~apart).all():
            break
    best = int(duals.argmin())
    return np.concatenate(seen), float(duals[best]), float(rates[best])


@dataclass(frozen=True, eq=False)
class _Tried:
    """The choices of least cost and priced weights by limit on features and price.

    rates, cost, weights, least: (caps, rates); paths: (caps x rates, G).
    """

    rates: Floats
    least: Floats
    weights: Floats
    paths: Ints

    @classmethod
    def of(cls, prices: Prices, rates: Floats, caps: Floats) -> "_Tried":
        """Try `rates` (caps, rates)."""
        paths, least = _paths(prices, rates.ravel(), np.repeat(caps, rates.shape[1]))
        weights = _mean_weights(prices, paths).reshape(rates.shape)
        return cls(rates, least.reshape(rates.shape), weights, paths)

    @property
    def cost(self) -> Floats:
        """What they cost without weights."""
        cost: Floats = self.least - self.rates * self.weights
        return cost


def _caps(prices: Prices, memory: float) -> Floats:
    """Limits on the features that are held at once, ascending."""
    floor = max(float(each.min()) for each in prices.mean_features)
    every = np.unique(np.concatenate([each.ravel() for each in prices.mean_features]))
    caps = every[(every >= floor) & (every <= max(memory, floor))]
    found: Floats = np.unique(np.quantile(caps, np.linspace(0, 1, CAPS), method="higher"))
    return found


def _mean_weights(prices: Prices, paths: Ints) -> Floats:
    """Bytes of weights of the nodes in the mean, of paths (n, G)."""
    lies = [of[path] for of, path in zip(prices.lies, paths.T, strict=True)]
    total = np.zeros(len(paths))
    for group, weights in enumerate(prices.mean_weights):
        total += weights[(*(lies[each] for each in prices.groups.reads[group]), paths[:, group])]
    return total


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
        stays = [1 + place for place, each in enumerate(axes) if each in after]
        ends = [1 + place for place, each in enumerate(axes) if each not in after]
        sizes = [reach.shape[place] for place in (0, *stays)]
        reach = reach.transpose(0, *stays, *ends).reshape(*sizes, -1)
        best, came = least_of(reach)
        steps.append((axes, came, picked))
        live = after
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


def _order(flat: Flat, paths: Ints, memory: float) -> Ints:
    """Paths that keep the memory first, by cost; the others by what they lack."""
    cost, needs = flat.totals(paths)
    order: Ints = np.lexsort([cost, np.maximum(0.0, needs - memory)])
    return order
