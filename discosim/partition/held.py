"""What nodes have of a tensor, what they need of it, and the messages that follow.

A tensor is features x rows (an image's rows, a sequence's tokens). What node j has is
(its features x `rows[j]`), (all features x `held[j]`) and (`everywhere` x all rows).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import numpy as np

from discosim.graph.layer import Shape
from discosim.graph.reach import row_elems, rows_of
from discosim.graph.table import Bools, Floats, Ints
from discosim.partition.placement import Owners, contiguous


@dataclass(frozen=True, eq=False)
class Held:
    """What each of N nodes has of a tensor of `shape`.

    owners: the node of each feature; None where a node has all of them on its rows.
    rows: (N, 2), the rows that a node answers for; held: those of which it has all features, its
    own and what it computed or received besides; everywhere: features that all nodes have.
    summands: (N,), the nodes whose summands add up to the tensor, where it lies in parts.
    """

    shape: Shape
    owners: Owners
    rows: Ints
    held: Ints
    everywhere: tuple[int, int] = (0, 0)
    summands: Bools | None = None

    @property
    def nodes(self) -> int:
        """N."""
        return len(self.rows)

    @property
    def features(self) -> int:
        """Features of the tensor."""
        return self.shape[0]

    @property
    def row_count(self) -> int:
        """Rows of the tensor."""
        return rows_of(self.shape)

    @property
    def row_elems(self) -> int:
        """Elements of one feature in one row."""
        return row_elems(self.shape)

    @cached_property
    def layout(self) -> str:
        """How the tensor lies: parts, features, whole, one or rows."""
        if self.summands is not None:
            return "parts"
        if self.owners is not None:
            return "features"
        sizes = self.held[:, 1] - self.held[:, 0]
        if (sizes == self.row_count).all():
            return "whole"
        own = self.rows[:, 1] - self.rows[:, 0]
        return "one" if (own == self.row_count).any() and self.nodes > 1 else "rows"

    def feature_counts(self, whole: bool) -> Floats:
        """Return the features of each node (N,), whole ones or an even part of all."""
        if self.owners is None:
            return np.full(self.nodes, float(self.features))
        if not whole:
            return np.full(self.nodes, self.features / self.nodes)
        return np.bincount(self.owners, minlength=self.nodes).astype(float)

    def elems(self, whole: bool) -> Floats:
        """Return the elements that each node has, (N,)."""
        if self.summands is not None:
            return self.summands * float(prod(self.shape))
        held = np.maximum(0, self.held[:, 1] - self.held[:, 0]).astype(float)
        if self.owners is None:
            low, high = self.everywhere
            beside = (high - low) * (self.row_count - held)
            return (held * self.features + beside) * self.row_elems
        own = self.feature_counts(whole)
        return (own * self.row_count + (self.features - own) * held) * self.row_elems

    def with_received(self, needs: "tuple[Need, ...]") -> "Held":
        """Return what nodes have once all of `needs` has come: whole rows next to theirs."""
        held, everywhere = self.held, self.everywhere
        for need in needs:
            if need.members is not None:
                continue
            if need.low == 0 and need.high == self.features:
                held = hull(held, need.rows)
            elif (need.rows == (0, self.row_count)).all() and everywhere == (0, 0):
                everywhere = need.low, need.high
        return replace(self, held=held, everywhere=everywhere)


@dataclass(frozen=True, eq=False)
class Need:
    """Features low..high of a tensor, or its `members` (N, high - low) among them, on `rows`.

    counts: (N,), how many the members are where features are divided evenly.
    sparse: only the fraction 1 - S_comm of them is sent.
    """

    low: int
    high: int
    rows: Ints
    members: Bools | None = None
    counts: Floats | None = None
    sparse: bool = False


def hull(held: Ints, rows: Ints) -> Ints:
    """Return `held` with the rows that touch it; others are not kept together."""
    empty = held[:, 1] <= held[:, 0]
    nothing = rows[:, 1] <= rows[:, 0]
    touches = (rows[:, 0] <= held[:, 1]) & (rows[:, 1] >= held[:, 0])
    low = np.where(empty, rows[:, 0], np.minimum(held[:, 0], rows[:, 0]))
    high = np.where(empty, rows[:, 1], np.maximum(held[:, 1], rows[:, 1]))
    joins = ~nothing & (empty | touches)
    return np.stack([np.where(joins, low, held[:, 0]), np.where(joins, high, held[:, 1])], -1)


def all_rows(shape: Shape, nodes: int) -> Ints:
    """Return every row, on each node."""
    return np.tile(np.array([0, rows_of(shape)]), (nodes, 1))


def no_rows(nodes: int) -> Ints:
    """Return no row, on each node."""
    return np.zeros((nodes, 2), dtype=np.int64)


def everywhere(shape: Shape, nodes: int) -> Held:
    """Return a tensor that every node has."""
    rows = all_rows(shape, nodes)
    return Held(shape, None, rows, rows)


def by_features(shape: Shape, owners: Owners, nodes: int) -> Held:
    """Return a tensor whose features lie where `owners` says; None is on every node."""
    if owners is None:
        return everywhere(shape, nodes)
    return Held(shape, owners, all_rows(shape, nodes), no_rows(nodes))


def by_rows(shape: Shape, rows: Ints, computed: Ints | None = None) -> Held:
    """Return a tensor of which node j has `rows[j]`, and what it `computed` besides."""
    return Held(shape, None, rows, rows if computed is None else computed)


def on_one(shape: Shape, node: int, nodes: int) -> Held:
    """Return a tensor that one node has."""
    rows = no_rows(nodes)
    rows[node] = 0, rows_of(shape)
    return Held(shape, None, rows, rows)


def in_parts(shape: Shape, summands: Bools) -> Held:
    """Return a tensor that is the sum over the nodes."""
    nodes = len(summands)
    return Held(shape, None, all_rows(shape, nodes), no_rows(nodes), summands=summands)


def need_all(held_shape: Shape, rows: Ints) -> tuple[Need, ...]:
    """Return the need of all features on `rows`."""
    return (Need(0, held_shape[0], rows),)


@dataclass(frozen=True, eq=False)
class Piece:
    """A message: `features` (ascending) on rows first..last, from one node to another.

    sparse: candidates, of which only the fraction 1 - S_comm is sent.
    """

    source: int
    sink: int
    features: Ints
    first: int
    last: int
    sparse: bool = False


@dataclass(frozen=True, eq=False)
class Round:
    """Messages that go at once: elements from node i to node j, (N, N) at [i, j].

    kind: halo (rows to rows), gather (to every node), move (anything else) or sum, whose elements
    the receiver adds to its own; sparse: (N, N) elements of which only 1 - S_comm is sent.
    features: of the largest message; pieces: what exactly is sent, as index sets.
    """

    kind: str
    pairs: Floats
    sparse: Floats
    features: float
    pieces: Callable[[], list[Piece]]


def exchange(has: Held, needs: tuple[Need, ...], whole: bool) -> Round:
    """Return the messages by which every node gets what it needs and has not.

    Of what several nodes have, the one that answers for it sends.
    """
    nodes = has.nodes
    pairs, sparse, most = np.zeros((nodes, nodes)), np.zeros((nodes, nodes)), 0.0
    for need in needs:
        rows = _row_overlap(has, need)
        features = _feature_overlap(has, need, whole)
        sent = features * rows
        most = max(most, float((features * (rows > 0)).max()))
        if need.sparse:
            sparse += sent * has.row_elems
        else:
            pairs += sent * has.row_elems
    return Round(_kind(has, needs), pairs, sparse, most, lambda: _pieces(has, needs))


def _kind(has: Held, needs: tuple[Need, ...]) -> str:
    everything = all(
        need.members is None and (need.rows == (0, has.row_count)).all() for need in needs
    )
    if everything or any(need.sparse for need in needs):
        return "gather"
    return "halo" if has.layout == "rows" and all(n.members is None for n in needs) else "move"


def _row_overlap(has: Held, need: Need) -> Ints:
    """Rows that j needs and has not and that i answers for, (N, N); none from a node to itself."""
    held = has.held
    none = held[:, 1] <= held[:, 0]
    low, high = need.rows[:, 0], need.rows[:, 1]
    before = np.where(none, high, np.clip(held[:, 0], low, high))
    after = np.where(none, high, np.clip(held[:, 1], low, high))
    rows = _common(has.rows, low, before) + _common(has.rows, after, high)
    np.fill_diagonal(rows, 0)
    return rows


def _common(own: Ints, low: Ints, high: Ints) -> Ints:
    first = np.maximum(own[:, None, 0], low[None])
    last = np.minimum(own[:, None, 1], high[None])
    return np.maximum(0, last - first)


def _wanted(has: Held, need: Need) -> Bools:
    """Features low..high of the need that are not on every node, (F,) of the tensor."""
    wanted = np.zeros(has.features, dtype=bool)
    wanted[need.low : need.high] = True
    wanted[has.everywhere[0] : has.everywhere[1]] = False
    return wanted


def _feature_overlap(has: Held, need: Need, whole: bool) -> Floats:
    """Features that i has and j needs, (N, N), or (1, N) where all i have them."""
    nodes = has.nodes
    if has.owners is None:
        if need.members is None:
            apart = max(0, min(need.high, has.everywhere[1]) - max(need.low, has.everywhere[0]))
            return np.full((1, nodes), float(need.high - need.low - apart))
        if need.counts is not None and not whole:
            return need.counts[None]
        left = _wanted(has, need)[need.low : need.high]
        return (need.members & left).sum(1).astype(float)[None]
    if need.members is None:
        if not whole and (need.low, need.high) == (0, has.features):
            return np.full((nodes, nodes), has.features / nodes)
        count = np.bincount(has.owners[_wanted(has, need)], minlength=nodes).astype(float)
        return np.broadcast_to(count[:, None], (nodes, nodes))
    owned = has.owners[need.low : need.high] == np.arange(nodes)[:, None]
    common = owned.astype(float) @ (need.members & _wanted(has, need)[need.low : need.high]).T
    if whole:
        return common
    count = np.maximum(1, np.bincount(has.owners, minlength=nodes))[:, None]
    return common / count * (has.features / nodes)


def _pieces(has: Held, needs: tuple[Need, ...]) -> list[Piece]:
    """The same messages one by one; the general route, from sets of features and of rows."""
    found = []
    for need in needs:
        wanted = _wanted(has, need)
        for sink in range(has.nodes):
            mine = np.array(wanted)
            if need.members is not None:
                mine[need.low : need.high] &= need.members[sink]
            low, high = has.held[sink]
            lacking = [row for row in range(*need.rows[sink]) if not low <= row < high]
            for source in range(has.nodes):
                if source == sink:
                    continue
                owned = mine if has.owners is None else mine & (has.owners == source)
                features = np.flatnonzero(owned)
                rows = [row for row in lacking if has.rows[source, 0] <= row < has.rows[source, 1]]
                if not len(features):
                    continue
                found += [
                    Piece(source, sink, features, first, last, need.sparse)
                    for first, last in _runs(rows)
                ]
    return found


def _runs(rows: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and runs[-1][1] == row:
            runs[-1] = runs[-1][0], row + 1
        else:
            runs.append((row, row + 1))
    return runs


def own_features(features: int, nodes: int) -> Bools:
    """Return which features are a node's where they are divided contiguously, (N, F)."""
    mine: Bools = contiguous(features, nodes) == np.arange(nodes)[:, None]
    return mine
