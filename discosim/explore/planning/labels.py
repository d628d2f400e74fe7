"""The cheapest choice within a memory: a shortest path with resources, label by label.

A label is a choice for the groups so far: how what is read later lies, its cost, its weights on
each node. One is dropped that another one beats in all of these, and one that cannot become better
than what is known, by the price on weights of the dynamic program (Handler, Zang: A dual algorithm
for the constrained shortest path problem, Networks 10, 1980), or keep the memory with the lightest
splits from there on.
"""

from dataclasses import dataclass, replace

import numpy as np

from discosim.explore.planning.prices import Prices
from discosim.explore.planning.steps import with_lightest_togo
from discosim.graph.table import Bools, Floats, Ints

MOST_LABELS = 2_000
"""Labels that are kept after a group, those that promise most."""

FEW_LABELS = 100
"""Those that are kept at first."""

SHELVES = 16
"""Parts of a node's memory: of what needs so much some are kept, whatever else promises."""

SAME = 1e-12
"""Relative difference of costs of which the first is found whatever few labels find."""

BINS = 8
"""Parts of a node's memory in which labels are told apart by the weights of the last node."""


@dataclass(frozen=True, eq=False)
class Bounded:
    """Bytes of each node; rate: the price of a byte of weights; what costs `upper` is known."""

    memory: float
    rate: float
    upper: float


@dataclass(frozen=True, eq=False)
class _Labels:
    """Choices for the groups so far: cost (n,), weights and most features of each node (T, n).

    at: how the output of each group lies that is read later, (n,).
    """

    cost: Floats
    weights: Floats
    peak: Floats
    at: dict[int, Ints]


@dataclass(frozen=True, eq=False)
class _Reached:
    """Labels of which some may be dropped: what each node needs (T, n), and the least cost in all.

    cost, at: as of labels.
    """

    cost: Floats
    needs: Floats
    best: Floats
    at: dict[int, Ints]


def cheapest(prices: Prices, limit: Bounded) -> Ints | None:
    """Return the options, (G,), of least cost that is found below the upper one, if any.

    What a few labels find is an upper bound by which most of the others are dropped at once.
    """
    togo = with_lightest_togo(prices, limit.rate)
    few = _arrived(prices, limit, togo, FEW_LABELS)
    limit = replace(limit, upper=min(limit.upper, few.cost * (1 + SAME)))
    every = few if few.every else _arrived(prices, limit, togo, MOST_LABELS)
    return few.path if every.path is None else every.path


@dataclass(frozen=True, eq=False)
class _Arrived:
    """The options found, (G,), if any, and their cost; every: whether no label was passed over."""

    path: Ints | None
    cost: float
    every: bool


def _arrived(prices: Prices, limit: Bounded, togo: list[Floats], most: int) -> _Arrived:
    """What is found with at most so many labels; togo: as of `_further`, from each group on."""
    nodes, every = len(prices.weights[0]), True
    labels = _Labels(np.zeros(1), np.zeros((nodes, 1)), np.zeros((nodes, 1)), {})
    taken: list[tuple[Ints, Ints]] = []
    for group in range(len(prices.groups)):
        labels, *came = _further(prices, limit, group, labels, togo[group + 1], most)
        if not len(labels.cost):
            return _Arrived(None, np.inf, every)
        every &= len(labels.cost) < most
        taken.append((came[0], came[1]))
    least = int(labels.cost.argmin())
    return _Arrived(_traced(taken, least), float(labels.cost[least]), every)


def _further(
    prices: Prices,
    limit: Bounded,
    group: int,
    labels: _Labels,
    togo: Floats,
    most: int,
) -> tuple[_Labels, Ints, Ints]:
    """Labels with a group more, and which label and which option each comes from.

    togo: the least cost and priced weights, and the least weights, from the next group on, (2, K);
    most: labels that are kept.
    """
    groups, at, lies = prices.groups, labels.at, prices.lies[group]
    reads, live = ([at[each] for each in of[group]] for of in (groups.reads, groups.live))
    cost = labels.cost[:, None] + _rows(prices.aim[group][None], reads)[0]
    weights = labels.weights[..., None] + _rows(prices.weights[group], reads)
    peak = np.maximum(labels.peak[..., None], _rows(prices.features[group], live))
    after = groups.after(group)
    staying = [at[each] for each in after if each != group]
    ahead, light = _rows(togo[..., lies] if group in after else togo[..., None], staying)
    needs = weights + peak
    room = limit.memory - sum(needs) / len(needs)
    best = cost + np.maximum(ahead - limit.rate * room, 0.0)
    keeps = (needs <= limit.memory).all(0) & (light <= room * (1 + 1e-9))
    useful = np.flatnonzero(keeps & (best < limit.upper))

    def of(array: Floats, places: Ints) -> Floats:  # (..., n, S): (..., places)
        return array.reshape(*array.shape[:-2], -1).take(places, -1)

    def lying(places: Ints) -> dict[int, Ints]:
        label, option = np.divmod(places, len(lies))
        return {each: lies[option] if each == group else at[each][label] for each in after}

    kept = useful
    if len(useful):
        one = _Reached(of(cost, useful), of(needs, useful), of(best, useful), lying(useful))
        kept = useful[_kept(prices, limit, one, most)]
    found = _Labels(of(cost, kept), of(weights, kept), of(peak, kept), lying(kept))
    return found, *np.divmod(kept, len(lies))


def _rows(array: Floats, index: list[Ints]) -> Floats:
    """The entries (T, n, S) of an array (T, K, ..., S) at `index` of its middle axes, (n,) each."""
    if not index:
        return array.reshape(len(array), 1, -1)
    flat = index[0]
    for states, size in zip(index[1:], array.shape[2:-1], strict=True):
        flat = flat * size + states
    return array.reshape(len(array), -1, array.shape[-1]).take(flat, 1)


def _kept(prices: Prices, limit: Bounded, labels: _Reached, most: int) -> Ints:
    """The labels that no other one beats where as much is live and the last node has as much."""
    needs, best = labels.needs, labels.best
    key = (needs[-1] * (BINS / limit.memory)).astype(np.int64)
    for each, states in labels.at.items():
        key = key * prices.states[each] + states
    order = _grouped(np.argsort(labels.cost, kind="stable"), key)
    key, light = key[order], needs[0][order]
    begins = np.concatenate([[True], key[1:] != key[:-1]])
    span = float(light.max()) + 1.0
    shifted = light - np.cumsum(begins) * span  # each key below the one before
    keep: Bools = begins.copy()
    keep[1:] |= shifted[1:] < np.minimum.accumulate(shifted)[:-1]
    found: Ints = order[keep]
    if len(found) <= most:
        return found
    found = found[np.argsort(best[found], kind="stable")]
    full = needs[:, found].max(0)
    part = np.minimum(SHELVES - 1, (full * (SHELVES / limit.memory)).astype(np.int64))
    overall = np.arange(len(found))
    by_part = _grouped(overall, part)
    rank = np.empty_like(overall)  # of each in its part
    rank[by_part] = overall - np.searchsorted(part[by_part], part[by_part])
    order = np.argsort(np.minimum(overall, rank * SHELVES), kind="stable")
    return found[order[:most]]


def _grouped(order: Ints, key: Ints) -> Ints:
    """Return `order` with what has the same key side by side, keys ascending."""
    small = key.astype(np.min_scalar_type(int(key.max())))  # which are sorted faster
    return order[np.argsort(small[order], kind="stable")]


def _traced(taken: list[tuple[Ints, Ints]], label: int) -> Ints:
    path = []
    for labels, options in reversed(taken):
        path.append(int(options[label]))
        label = int(labels[label])
    return np.array(path[::-1])
