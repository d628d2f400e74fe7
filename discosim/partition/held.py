"""What nodes have of a tensor, what they need of it, and the messages that follow.

A tensor is features x rows (an image's rows, a sequence's tokens). What node j has is
(its features x `rows[j]`), (all features x `held[j]`) and (`everywhere` x all rows).
"""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import prod

import numpy as np

from discosim.graph.layer import Shape
from discosim.graph.reach import row_elems, rows_of
from discosim.graph.table import Bools, Floats, Ints
from discosim.partition.placement import Owners


@dataclass(frozen=True, eq=False)
class Held:
    """What each of N nodes has of a tensor of `shape`.

    owners: the node of each feature; None where a node has all of them on its rows.
    rows: (N, 2), the rows that a node answers for; held: those of which it has all features, its
    own and what it computed or received besides; everywhere: features that all nodes have.
    summands: (N,), the nodes whose summands add up to the tensor, where it lies in parts; sparse:
    only 1 - S_comm of its features are added up, s_comm: where a plan says how many. named:
    (N, F), features that nodes have besides because a mask named them, on all rows; None where
    there are none.
    """

    shape: Shape
    owners: Owners
    rows: Ints
    held: Ints
    everywhere: tuple[int, int] = (0, 0)
    summands: Bools | None = None
    sparse: bool = False
    named: Bools | None = None
    s_comm: float | None = None

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
    def key(self) -> tuple[object, ...]:
        """What tells apart how tensors lie."""
        arrays = (self.owners, self.rows, self.held, self.summands, self.named)
        said = (None if each is None else np.asarray(each).tobytes() for each in arrays)
        return (self.shape, self.everywhere, self.sparse, self.s_comm, *said)

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

    @cached_property
    def whole_elems(self) -> Floats:
        """The elements that each node has, of whole features, (N,)."""
        return self.elems(whole=True)

    def elems(self, whole: bool) -> Floats:
        """Return the elements that each node has, (N,)."""
        if self.summands is not None:
            return np.where(self.summands, float(prod(self.shape)), 0.0)
        held = np.maximum(0, self.held[:, 1] - self.held[:, 0]).astype(float)
        if self.owners is None:
            low, high = self.everywhere
            features = held * self.features + (high - low) * (self.row_count - held)
        else:
            own = self.feature_counts(whole)
            features = own * self.row_count + (self.features - own) * held
        elems: Floats = features * self.row_elems
        return elems

    def with_received(self, needs: "tuple[Need, ...]") -> "Held":
        """Return what nodes have once all of `needs` has come: whole rows next to theirs."""
        held, everywhere, named = self.held, self.everywhere, self.named
        for need in needs:
            if need.named and need.members is not None:
                named = need.members if named is None else named | need.members
            if need.members is not None:
                continue
            if need.low == 0 and need.high == self.features:
                held = hull(held, need.rows)
            elif (need.rows == (0, self.row_count)).all() and everywhere == (0, 0):
                everywhere = need.low, need.high
        return replace(self, held=held, everywhere=everywhere, named=named)


@dataclass(frozen=True, eq=False)
class Need:
    """Features low..high of a tensor, or its `members` (N, high - low) among them, on `rows`.

    counts: (N,), how many the members are where features are divided evenly.
    sparse: only the fraction 1 - S_comm of them is sent; named: a mask says which these are.
    read: which of the rows are read at all, and how many elements of each, where not all are.
    """

    low: int
    high: int
    rows: Ints
    members: Bools | None = None
    counts: Floats | None = None
    sparse: bool = False
    named: bool = False
    read: "ReadAtAll | None" = None

    def each(self, node: int) -> list[int]:
        """Return the rows that a node needs."""
        rows = range(*self.rows[node])
        return [row for row in rows if self.read is None or self.read.rows[row]]

    def row_counts(self) -> Ints:
        """Return how many rows each node needs, (..., N)."""
        counts: Ints = self.rows if self.read is None else self.read.before[self.rows]
        return counts[..., 1] - counts[..., 0]

    def row_elems(self, held: Held) -> int:
        """Return the elements of one feature that are read in one row."""
        return held.row_elems if self.read is None else self.read.row_elems


@dataclass(frozen=True, eq=False)
class ReadAtAll:
    """The rows of a tensor that a layer reads, (rows,), and the elements of one feature in each."""

    rows: Bools
    row_elems: int

    @cached_property
    def before(self) -> Ints:
        """Return how many of the rows before each are read, (rows + 1,)."""
        counts: Ints = np.concatenate([[0], np.cumsum(self.rows)])
        return counts


def hull(held: Ints, rows: Ints) -> Ints:
    """Return `held`, (..., 2), with the rows that touch it; others are not kept together."""
    low, high, first, last = held[..., 0], held[..., 1], rows[..., 0], rows[..., 1]
    empty = high <= low
    joins = (last > first) & (empty | ((first <= high) & (last >= low)))
    found = held.copy()
    np.minimum(low, first, out=found[..., 0], where=joins)
    np.maximum(high, last, out=found[..., 1], where=joins)
    anew = joins & empty
    if anew.any():
        found[anew] = rows[anew]
    return found


def all_rows(shape: Shape, nodes: int) -> Ints:
    """Return every row, on each node; not to be written to."""
    return _every_row(rows_of(shape), nodes)


@lru_cache(maxsize=1024)
def _every_row(count: int, nodes: int) -> Ints:
    rows = np.zeros((nodes, 2), dtype=np.int64)
    rows[:, 1] = count
    rows.setflags(write=False)
    return rows


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


def in_parts(
    shape: Shape, summands: Bools, *, sparse: bool = False, s_comm: float | None = None
) -> Held:
    """Return a tensor that is the sum over the nodes."""
    rows, none = all_rows(shape, len(summands)), no_rows(len(summands))
    return Held(shape, None, rows, none, summands=summands, sparse=sparse, s_comm=s_comm)
