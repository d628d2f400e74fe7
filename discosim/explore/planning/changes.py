"""Another option for one group of a known choice, for every option of every group."""

from dataclasses import dataclass

import numpy as np

from discosim.explore.planning.totals import Flat, Places
from discosim.graph.table import Bools, Floats, Ints


@dataclass(frozen=True, eq=False)
class Changes:
    """Changes of a choice, (C,): the group and its option.

    touched: groups that price how the output of another one lies, (G, G) at [other, group]; change,
    of: what each change touches, pair by pair.
    """

    flat: Flat
    group: Ints
    option: Ints
    touched: Bools
    change: Ints
    of: Ints

    @classmethod
    def every(cls, flat: Flat) -> "Changes":
        """Return all that there are."""
        groups = np.arange(len(flat.first))
        counts = np.diff([*flat.first, len(flat.lies)])
        group = np.repeat(groups, counts)
        touched = np.eye(len(groups), dtype=bool)
        touched[flat.live.others, groups[:, None]] = True
        change, of = np.nonzero(touched[group])
        return cls(flat, group, np.arange(len(group)) - flat.first[group], touched, change, of)

    def made(self, known: Ints, change: int) -> Ints:
        """Return a choice (G,) with one of the changes."""
        found = known.copy()
        found[self.group[change]] = self.option[change]
        return found

    def totals(self, known: Ints) -> tuple[Floats, Floats]:
        """Return the cost and the bytes of the node that needs most, of each change, (C,)."""
        flat, of, change = self.flat, self.of, self.change
        own, groups, lies = self.group[change], np.arange(len(known)), flat.lies[flat.first + known]
        options = np.where(of == own, self.option[change], known[of])

        def then_and_now(places: Places) -> tuple[Ints, Ints]:
            others = places.others[of]
            changed = np.where(others == own[:, None], flat.lies[change][:, None], lies[others])
            now = places.at(of, options, changed)
            return places.at(groups, known, lies[places.others]), now

        (old_read, read), (old_live, live) = map(then_and_now, (flat.read, flat.live))

        def summed(prices: Floats) -> Floats:
            changes = prices[read] - prices[old_read][of]
            total: Floats = prices[old_read].sum() + np.bincount(change, changes, len(self.group))
            return total

        cost = np.where(summed(flat.never.astype(float)) > 0, np.inf, summed(flat.cost))
        needs = np.zeros(len(cost))
        for weights, features in zip(flat.weights, flat.features, strict=True):
            most = _most_elsewhere(features[old_live], self.touched)[self.group]
            np.maximum.at(most, change, features[live])
            np.maximum(needs, summed(weights) + most, out=needs)
        return cost, needs


def _most_elsewhere(values: Floats, touched: Bools) -> Floats:
    """The largest of `values` (G,) that is not `touched` (n, G), or 0, (n,)."""
    order = np.argsort(-values, kind="stable")
    nowhere = np.zeros((len(touched), 1), dtype=bool)
    place = np.concatenate([touched[:, order], nowhere], axis=1).argmin(1)
    most: Floats = np.append(values[order], 0.0)[place]
    return most
