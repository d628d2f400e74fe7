"""One group of the dynamic program: what its options cost by what is live."""

from dataclasses import replace
from itertools import product

import numpy as np

from discosim.explore.planning.prices import Prices
from discosim.graph.table import Floats, Ints

FACTORS = (0.3, 0.6, 1.0, 1.5, 2.0, 3.0)
"""Of a price on weights that is known to bound well, those that are tried."""


def step_of(
    prices: Prices, group: int, rates: Floats, caps: Floats | None, node: int | None = None
) -> Floats:
    """Return the cost and priced weights of a group, (B, K, ..., S): axes of all live groups."""
    live, reads = prices.groups.live[group], prices.groups.reads[group]
    states, aim = prices.states, prices.aim[group]
    shape = [states[each] if each in reads else 1 for each in live] + [aim.shape[-1]]
    rate = rates.reshape(-1, *[1] * len(shape))
    weights = prices.mean_weights[group] if node is None else prices.weights[group][node]
    cost: Floats = aim.reshape(shape) + rate * weights.reshape(shape)
    if caps is None:
        return cost
    over = prices.mean_features[group] > caps.reshape(-1, *[1] * len(shape))
    return np.where(over, np.inf, cost)


def by_state(prices: Prices, group: int, step: Floats) -> tuple[Floats, Ints]:
    """Return the cheapest option of each way in which a group's output lies, and which that is."""
    first, many = prices.alternatives[group]
    if not many and np.array_equal(first, np.arange(step.shape[-1])):
        return step, np.broadcast_to(first, step.shape)
    least = step[..., first]
    least[..., first < 0] = np.inf
    picked = np.broadcast_to(np.maximum(first, 0), least.shape)
    if many:
        picked = picked.copy()
    for state, places in many.items():
        some = step[..., places]
        least[..., state] = some.min(-1)
        picked[..., state] = places[some.argmin(-1)]
    return least, picked


def on_nodes(of_each: Floats, node: int | None) -> Floats:
    """Return what one of the nodes tracked has, or all of them in the mean."""
    found: Floats = of_each.mean(0) if node is None else of_each[node]
    return found


def togo_of(prices: Prices, rate: float, node: int | None = None) -> list[Floats]:
    """Return the least cost and priced weights from each group on, by what is live."""
    groups = prices.groups
    found: list[Floats] = [np.zeros(())] * (len(groups) + 1)
    for group in range(len(groups) - 1, -1, -1):
        step = step_of(prices, group, np.array([rate]), None, node)
        step = by_state(prices, group, step)[0][0]
        axes = (*groups.live[group], group)
        after = groups.after(group)
        shape = [prices.states[each] if each in after else 1 for each in axes]
        least = (step + found[group + 1].reshape(shape)).min(-1)
        full = [prices.states[each] for each in groups.live[group]]
        found[group] = np.broadcast_to(least, full)
    return found


def lightest_togo_of(prices: Prices) -> list[Floats]:
    """Return the least weights of the nodes in the mean from each group on, by what is live."""
    free = tuple(np.where(np.isfinite(each), 0.0, np.inf) for each in prices.aim)
    return togo_of(replace(prices, aim=free), 1.0)


def marginals(prices: Prices, rate: float, node: int | None = None) -> list[Floats]:
    """Return the least cost and priced weights of any choice with each option of a group, (S,)."""
    groups, togo = prices.groups, togo_of(prices, rate, node)
    so_far, found = np.zeros(()), []
    for group in range(len(groups)):
        live = groups.live[group]
        step = step_of(prices, group, np.array([rate]), None, node)[0] + so_far[..., None]
        after = groups.after(group)
        lies = prices.lies[group]
        shape = [prices.states[each] if each in after else 1 for each in live]
        if group in after:
            ahead = togo[group + 1].reshape(*shape, -1)[..., lies]
        else:
            ahead = togo[group + 1].reshape(*shape, 1)
        found.append((step + ahead).min(tuple(range(len(live)))))
        least = by_state(prices, group, step)[0]
        axes = (*live, group)
        gone = tuple(place for place, each in enumerate(axes) if each not in after)
        full = np.broadcast_to(least, [prices.states[each] for each in axes])
        so_far = full.min(gone)
    return found


def without(prices: Prices, rate: float, memory: float, upper: float) -> Prices:
    """Return the prices without options that no choice has which keeps the memory below `upper`.

    rate: a price of a byte of weights about which others are tried too, on each node tracked.
    """
    nodes = (None, *range(len(prices.weights[0])))
    for node, factor in product(nodes, FACTORS):
        if not all(prices.options):
            break
        floor = max(float(on_nodes(each, node).min()) for each in prices.features)
        most = upper * (1 + 1e-9) + factor * rate * (memory - floor)
        every = marginals(prices, factor * rate, node)
        prices = prices.kept([np.flatnonzero(each <= most).tolist() for each in every])
    return prices
