"""A table on N nodes under given conventions, and how dense its tensors are sent."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from discosim.graph.table import Bools, Floats, LayerTable
from discosim.model.traffic import AnyExchange
from discosim.partition.plan import Conventions
from discosim.partition.split import Split, split


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
    exchange: AnyExchange
    chunk_features: Floats
    live_elems: Floats


def lay_out(table: LayerTable, nodes: int, conventions: Conventions) -> Layout:
    """Return how `table` lies on `nodes` nodes."""
    return Layout(table, conventions, split(table, nodes, conventions.whole))


def sent_density(layout: Layout, density: Floats) -> Floats:
    """Density at which each row's tensor is sent, once for all of its readers or once each.

    Sent once, the first reader's message is the union of what the readers have selected: of
    nested selections the largest.
    """
    if layout.conventions.resend:
        return density
    table = layout.table
    rows = np.flatnonzero(layout.exchanges & (table.groups == 1))
    if not len(rows):
        return density
    order = rows[np.argsort(table.source[rows], kind="stable")]
    _, starts = np.unique(table.source[order], return_index=True)
    sent = np.array(np.broadcast_to(density, (*density.shape[:-1], len(table))))
    union = np.maximum.reduceat(sent[..., order], starts, axis=-1)
    sent[..., rows] = 0.0
    sent[..., order[starts]] = union
    return sent
