"""One group of the dynamic program: what its options cost by what is live."""

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
    shape = _shape(prices, group)
    weights = prices.mean_weights[group] if node is None else prices.weights[group][node]
    cost: Floats = prices.aim[group].reshape(1, *shape)
    if rates.any():
        cost = cost + rates.reshape(-1, *[1] * len(shape)) * weights.reshape(shape)
    if caps is None:
        return cost
    over = prices.mean_features[group] > caps.reshape(-1, *[1] * len(shape))
    return np.where(over, np.inf, cost)


def _shape(prices: Prices, group: int) -> list[int]:
    """How the prices of a group are shaped, with axes of all live groups."""
    live, reads = prices.groups.live[group], prices.groups.reads[group]
    return [prices.states[each] if each in reads else 1 for each in live] + [
        len(prices.options[group])
    ]


def by_state(prices: Prices, group: int, step: Floats) -> tuple[Floats, Ints]:
    """Return the cheapest option of each way in which a group's output lies, and which that is.

    Which it is has axes of one where it is the same all along.
    """
    of = prices.alternatives[group]
    picked = of.first.reshape(*[1] * (step.ndim - 1), -1)
    if of.one_each:
        return step, picked
    least = step[..., of.first]
    if len(of.without):
        least[..., of.without] = np.inf
    if of.many:
        picked = np.array(np.broadcast_to(picked, least.shape))
    for state, places in of.many.items():
        least[..., state], at = least_of(step[..., places])
        picked[..., state] = places[at]
    return least, picked


def least_of(values: Floats) -> tuple[Floats, Ints]:
    """Return the least along the last axis, and where it comes first.

    Of short axes it is read where `argmin` finds it, which takes less than `min`.
    """
    flat = values.reshape(-1, values.shape[-1])
    at = flat.argmin(-1)
    shape = values.shape[:-1]
    return flat[np.arange(len(flat)), at].reshape(shape), at.reshape(shape)


def on_nodes(of_each: Floats, node: int | None) -> Floats:
    """Return what one of the nodes tracked has, or all of them in the mean."""
    found: Floats = of_each.mean(0) if node is None else of_each[node]
    return found


def togo_of(prices: Prices, rate: float, node: int | None = None) -> list[Floats]:
    """Return the least cost and priced weights from each group on, by what is live."""
    every = range(len(prices.groups))
    steps = [step_of(prices, group, np.array([rate]), None, node) for group in every]
    return [each[0] for each in _togo(prices, steps)]


def with_lightest_togo(prices: Prices, rate: float) -> list[Floats]:
    """Return the same and the least weights of the nodes in the mean, (2, K, ...)."""
    steps = []
    for group, (aim, weights) in enumerate(zip(prices.aim, prices.mean_weights, strict=True)):
        both = np.stack([aim + rate * weights, np.where(np.isfinite(aim), weights, np.inf)])
        steps.append(both.reshape(2, *_shape(prices, group)))
    return _togo(prices, steps)


def _togo(prices: Prices, steps: list[Floats]) -> list[Floats]:
    """The least sums of `steps`, (B, K, ..., S), from each group on, (B, K, ...)."""
    groups = prices.groups
    found: list[Floats] = [np.zeros(len(steps[0]))] * (len(groups) + 1)
    for group in range(len(groups) - 1, -1, -1):
        step = by_state(prices, group, steps[group])[0]
        axes = (*groups.live[group], group)
        after = groups.after(group)
        shape = [prices.states[each] if each in after else 1 for each in axes]
        least = least_of(step + found[group + 1].reshape(len(step), *shape))[0]
        full = [prices.states[each] for each in groups.live[group]]
        found[group] = np.broadcast_to(least, (len(step), *full))
    return found


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
