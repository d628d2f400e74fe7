"""A table on N nodes under given conventions, and how dense its tensors are sent."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from discosim.graph.table import Bools, Floats, LayerTable
from discosim.model.exchange import Exchange
from discosim.model.rounding import kept_features
from discosim.partition.plan import Conventions
from discosim.partition.readers import union_share
from discosim.partition.split import Split, divides, split


@dataclass(frozen=True, eq=False)
class Layout:
    """A table on N nodes under given conventions."""

    table: LayerTable
    conventions: Conventions
    split: Split

    @property
    def nodes(self) -> int:
        """N."""
        return self.split.nodes

    @cached_property
    def exchanges(self) -> Bools:
        """Rows whose input features are sent among their peers."""
        return self.split.peers > 1

    @cached_property
    def shares_statistics(self) -> Bools:
        """Rows that normalise over features lying on several nodes, where that is counted."""
        spread = ~self.split.replicated_in & (self.nodes > 1)
        return (self.table.statistics > 0) & spread & self.conventions.service


@dataclass(frozen=True, eq=False)
class Shares:
    """The part of a Plan that the two forms compute; see there."""

    local: Floats
    remote: Floats
    in_share: Floats
    out_share: Floats
    exchange: Exchange
    chunk_features: Floats
    live_elems: Floats


def lay_out(table: LayerTable, nodes: int, conventions: Conventions) -> Layout:
    """Return how `table` lies on `nodes` nodes.

    Where heads or groups do not divide, features are whole under every convention: a head is
    placed on one node, and the busiest has ceil(heads / N) of them (model.md section 1).
    """
    whole = conventions.whole or not divides(table, nodes)
    return Layout(table, replace(conventions, whole=whole), split(table, nodes, whole))


def steps_of(layout: Layout) -> Floats:
    """Return the S_comm at which a whole number of features changes, ascending; else nothing.

    Of n features n - k + 1/2 are left at (k - 1/2) / n, where one more is pruned.
    """
    if not layout.conventions.whole:
        return np.zeros(0)
    mixes = layout.table.mixes
    counted = layout.split.needed[..., mixes[layout.split.counted]]
    numbers = np.unique(
        [*layout.split.own_in[:, mixes & layout.exchanges].ravel(), *counted.ravel()]
    )
    each = [(np.arange(n) + 0.5) / n for n in numbers if n >= 1]
    return np.unique(np.concatenate(each)) if each else np.zeros(0)


def sent_once(layout: Layout, kept: Floats, own: Floats) -> Floats:
    """Return the features that each row's message carries, (..., R, L), of those that it keeps.

    Of a tensor that is sent once, the first reader's message carries what any of its readers has
    selected, the others' nothing. own: (R, L), the features of a row's input on a node.
    """
    readers = [each.rows for each in layout.split.readers if each.alike]
    if layout.conventions.resend or not readers:
        return kept
    sent = np.array(kept)
    for rows in readers:
        mine = own[..., rows]
        shares = np.divide(
            kept[..., rows], mine, out=np.zeros_like(kept[..., rows]), where=mine > 0
        )
        union = mine[..., 0] * union_share(shares, layout.conventions.selection)
        sent[..., rows] = 0.0
        sent[..., rows[0]] = kept_features(1.0, union) if layout.conventions.whole else union
    return sent
