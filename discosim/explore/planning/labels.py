"""The cheapest choice within a memory: a shortest path with resources, label by label.

A label is a choice for the groups so far: how what is read later lies, its cost, its weights on
each node. One is dropped that another one beats in all of these, and one that cannot become better
than what is known, by the price on weights of the dynamic program (Handler, Zang: A dual algorithm
for the constrained shortest path problem, Networks 10, 1980).
"""

from dataclasses import dataclass

import numpy as np

from discosim.explore.planning.prices import Prices, on_each_node
from discosim.explore.planning.steps import togo_of
from discosim.graph.table import Bools, Floats, Ints

MOST_LABELS = 2_000
"""Labels that are kept after a group, those that promise most."""

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


def cheapest(prices: Prices, limit: Bounded) -> Ints | None:
    """Return the options, (G,), of least cost that is found below the upper one, if any."""
    togo = togo_of(prices, limit.rate)
    nodes = len(prices.weights[0])
    labels = _Labels(np.zeros(1), np.zeros((nodes, 1)), np.zeros((nodes, 1)), {})
    taken: list[tuple[Ints, Ints]] = []
    for group in range(len(prices.groups)):
        labels, *came = _further(prices, limit, group, labels, togo[group + 1])
        if not len(labels.cost):
            return None
        taken.append((came[0], came[1]))
    return _traced(taken, int(labels.cost.argmin()))


def _further(
    prices: Prices, limit: Bounded, group: int, labels: _Labels, togo: Floats
) -> tuple[_Labels, Ints, Ints]:
    """Labels with a group more, and which label and which option each comes from."""
    groups, at, lies = prices.groups, labels.at, prices.lies[group]
    reads = tuple(at[each][:, None] for each in groups.reads[group])
    live = tuple(at[each][:, None] for each in groups.live[group])
    own = np.arange(len(prices.options[group]))[None]
    cost = labels.cost[:, None] + prices.aim[group][(*reads, own)]
    weights = labels.weights[..., None] + on_each_node(prices.weights[group], (*reads, own))
    held = on_each_node(prices.features[group], (*live, own))
    peak = np.maximum(labels.peak[..., None], held)
    after = groups.after(group)
    ahead = togo[tuple(lies[None] if each == group else at[each][:, None] for each in after)]
    left = limit.memory - (weights + peak).mean(0)
    best = cost + np.maximum(ahead - limit.rate * left, 0.0)
    label, option = np.nonzero((weights + peak <= limit.memory).all(0) & (best < limit.upper))
    where = {each: lies[option] if each == group else at[each][label] for each in after}
    found = _Labels(cost[label, option], weights[:, label, option], peak[:, label, option], where)
    keep = _kept(prices, limit, found, best[label, option]) if len(label) else label
    found = _Labels(
        found.cost[keep],
        found.weights[:, keep],
        found.peak[:, keep],
        {each: states[keep] for each, states in where.items()},
    )
    return found, label[keep], option[keep]


def _kept(prices: Prices, limit: Bounded, labels: _Labels, best: Floats) -> Ints:
    """The labels that no other one beats where as much is live and the last node has as much."""
    needs = labels.weights + labels.peak
    key = (needs[-1] * (BINS / limit.memory)).astype(np.int64)
    for each, states in labels.at.items():
        key = key * prices.states[each] + states
    order = np.lexsort([needs[0], labels.cost, key])
    key, light = key[order], needs[0][order]
    begins = np.concatenate([[True], key[1:] != key[:-1]])
    span = float(light.max()) + 1.0
    shifted = light - np.cumsum(begins) * span  # each key below the one before
    keep: Bools = begins.copy()
    keep[1:] |= shifted[1:] < np.minimum.accumulate(shifted)[:-1]
    found: Ints = order[keep]
    if len(found) > MOST_LABELS:
        found = found[np.argpartition(best[found], MOST_LABELS)[:MOST_LABELS]]
    return found


def _traced(taken: list[tuple[Ints, Ints]], label: int) -> Ints:
    path = []
    for labels, options in reversed(taken):
        path.append(int(options[label]))
        label = int(labels[label])
    return np.array(path[::-1])
