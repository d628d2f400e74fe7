"""What choices for all groups cost in all, many at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from operator import mul

import numpy as np

from discosim.explore.planning.prices import Prices
from discosim.graph.table import Bools, Floats, Ints


@dataclass(frozen=True, eq=False)
class Places:
    """Where the prices of groups lie that are put one behind the other, (G,) and (G, axes).

    others: the groups whose states are axes of a group's prices, the group itself where there are
    fewer; steps: how far apart the entries of two states of those lie.
    """

    begins: Ints
    others: Ints
    steps: Ints

    @classmethod
    def of(cls, axes: Sequence[tuple[int, ...]], shapes: Sequence[tuple[int, ...]]) -> "Places":
        """Return those of groups with such axes and shapes (..., S)."""
        width = max(map(len, axes), default=0)
        others = np.tile(np.arange(len(axes))[:, None], (1, width))
        steps = np.zeros_like(others)
        for group, (each, shape) in enumerate(zip(axes, shapes, strict=True)):
            others[group, : len(each)] = each
            steps[group, : len(each)] = [*accumulate(shape[:0:-1], mul)][::-1]
        sizes = [prod(shape) for shape in shapes]
        return cls(np.cumsum([0, *sizes[:-1]]), others, steps)

    def at(self, group: Ints, options: Ints, lies: Ints) -> Ints:
        """Return where the prices lie of `options` (...) of groups whose `others` lie so."""
        places: Ints = self.begins[group] + options + (self.steps[group] * lies).sum(-1)
        return places


@dataclass(frozen=True, eq=False)
class Flat:
    """The prices of all groups one behind the other: cost (E,), weights (T, E), features (T, F).

    cost is 0 where a choice cannot be, as `never` (E,) says; lies: how the output of a group lies
    by its options, which begin at `first` (G,); read, live: where the prices of each group are.
    """

    lies: Ints
    first: Ints
    cost: Floats
    never: Bools
    weights: Floats
    features: Floats
    read: Places
    live: Places

    @classmethod
    def of(cls, prices: Prices) -> "Flat":
        """Return them."""
        nodes, groups = len(prices.weights[0]), prices.groups

        def joined(arrays: Sequence[Floats]) -> Floats:
            return np.concatenate([each.reshape(nodes, -1) for each in arrays], axis=-1)

        cost = np.concatenate([each.ravel() for each in prices.aim])
        can = np.isfinite(cost)
        return cls(
            lies=np.concatenate(prices.lies),
            first=np.cumsum([0, *map(len, prices.lies[:-1])]),
            cost=np.where(can, cost, 0.0),
            never=~can,
            weights=joined(prices.weights),
            features=joined(prices.features),
            read=Places.of(groups.reads, [each.shape for each in prices.aim]),
            live=Places.of(groups.live, [each.shape[1:] for each in prices.features]),
        )

    def totals(self, paths: Ints) -> tuple[Floats, Floats]:
        """Return the cost and the bytes of the node that needs most, of paths (n, G), (n,) each."""
        group, lies = np.arange(len(self.first)), self.lies[self.first + paths]
        read, live = (of.at(group, paths, lies[:, of.others]) for of in (self.read, self.live))
        cost = np.where(self.never[read].any(1), np.inf, self.cost[read].sum(1))
        most = self.features[:, live].max(-1, initial=0.0)
        return cost, (self.weights[:, read].sum(-1) + most).max(0)
