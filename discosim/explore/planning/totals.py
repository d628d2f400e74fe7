"""What choices for all groups cost in all: many at once, or those about one that is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from operator import mul

import numpy as np

from discosim.explore.planning.prices import Prices
from discosim.graph.table import Bools, Floats, Ints


@dataclass(frozen=True, eq=False)
class _Places:
    """Where the prices of groups lie that are put one behind the other, (G,) and (G, axes).

    others: the groups whose states are axes of a group's prices, the group itself where there are
    fewer; steps: how far apart the entries of two states of those lie.
    """

    begins: Ints
    others: Ints
    steps: Ints

    @classmethod
    def of(cls, axes: Sequence[tuple[int, ...]], shapes: Sequence[tuple[int, ...]]) -> "_Places":
        """Return those of groups with such axes and shapes (..., S)."""
        width = max(map(len, axes), default=0)
        others = np.tile(np.arange(len(axes))[:, None], (1, width))
        steps = np.zeros_like(others)
        for group, (each, shape) in enumerate(zip(axes, shapes, strict=True)):
            others[group, : len(each)] = each
            steps[group, : len(each)] = [*accumulate(shape[:0:-1], mul)][::-1]
        sizes = [prod(shape) for shape in shapes]
        return cls(np.cumsum([0, *sizes[:-1]]), others, steps)

    def at(self, paths: Ints, lies: Ints, path: Ints, group: Ints) -> Ints:
        """Return where the price lies of what each `path` does with each `group`, (...).

        lies: how the outputs of groups lie by the paths, (n, G).
        """
        read = lies[path[..., None], self.others[group]]
        places: Ints = self.begins[group] + paths[path, group] + (self.steps[group] * read).sum(-1)
        return places


@dataclass(frozen=True, eq=False)
class Flat:
    """The prices of all groups one behind the other: cost (E,), weights (T, E), features (T, F).

    cost is 0 where a choice cannot be, as `never` (E,) says; read, live: where those of each group
    are.
    """

    lies: Ints
    first: Ints
    cost: Floats
    never: Bools
    weights: Floats
    features: Floats
    read: _Places
    live: _Places

    @classmethod
    def of(cls, prices: Prices) -> "Flat":
        """Return them."""
        nodes, groups = len(prices.weights[0]), prices.groups

        def joined(arrays: Sequence[Floats]) -> Floats:
            return np.concatenate([each.reshape(nodes, -1) for each in arrays], axis=-1)

        cost = np.concatenate([each.ravel() for each in prices.aim])
        can = np.isfinite(cost)
        return cls(
            lies=np.concatenate(prices.lies).astype(np.int16),
            first=np.cumsum([0, *map(len, prices.lies[:-1])]),
            cost=np.where(can, cost, 0.0),
            never=~can,
            weights=joined(prices.weights),
            features=joined(prices.features),
            read=_Places.of(groups.reads, [each.shape for each in prices.aim]),
            live=_Places.of(groups.live, [each.shape[1:] for each in prices.features]),
        )

    def totals(self, paths: Ints) -> tuple[Floats, Floats]:
        """Return the cost and the bytes of the node that needs most, of paths (n, G), (n,) each."""
        path, group = np.ix_(np.arange(len(paths)), np.arange(len(self.first)))
        read, live = self._places(paths, path, group)
        cost = np.where(self.never[read].any(1), np.inf, self.cost[read].sum(1))
        most = self.features[:, live].max(-1, initial=0.0)
        return cost, (self.weights[:, read].sum(-1) + most).max(0)

    def totals_near(self, paths: Ints) -> tuple[Floats, Floats]:
        """Return the same of paths that differ from the first one in few groups."""
        count, [known] = len(paths), paths[:1]
        unlike = paths != known
        touched = unlike | unlike[:, self.live.others].any(-1)
        path, group = np.nonzero(touched)
        read, live = self._places(paths, path, group)
        old_read, old_live = self._places(paths, np.zeros(len(known), int), np.arange(len(known)))

        def summed(prices: Floats) -> Floats:
            changes = prices[read] - prices[old_read][group]
            total: Floats = prices[old_read].sum() + np.bincount(path, changes, count)
            return total

        cost = np.where(summed(self.never.astype(float)) > 0, np.inf, summed(self.cost))
        needs = np.zeros(count)
        for weights, features in zip(self.weights, self.features, strict=True):
            most = _most_elsewhere(features[old_live], touched)
            np.maximum.at(most, path, features[live])
            np.maximum(needs, summed(weights) + most, out=needs)
        return cost, needs

    def _places(self, paths: Ints, path: Ints, group: Ints) -> tuple[Ints, Ints]:
        lies = self.lies[self.first + paths]
        return self.read.at(paths, lies, path, group), self.live.at(paths, lies, path, group)


def _most_elsewhere(values: Floats, touched: Bools) -> Floats:
    """The largest of `values` (G,) that is not `touched` (n, G), or 0, (n,)."""
    order = np.argsort(-values)
    nowhere = np.zeros((len(touched), 1), dtype=bool)
    place = np.concatenate([touched[:, order], nowhere], axis=1).argmin(1)
    most: Floats = np.append(values[order], 0.0)[place]
    return most
