"""Messages that follow from what nodes have of a tensor and what they need of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from discosim.graph.table import Bools, Floats, Ints
from discosim.model.rounding import kept_share
from discosim.partition.held import Held, Need, ReadAtAll


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

    kind: halo (rows to rows), gather (to every node), features (those that a mask names), move
    (anything else), sum, whose elements the receiver adds to its own, or statistics, which are
    scalars and in no piece.
    sparse: (N, N), elements of which only 1 - S_comm is sent; density: that fraction, where it is
    not the reader's. features, candidates: (N, N), the features that those are of; pieces: what
    exactly is sent, as index sets.
    """

    kind: str
    pairs: Floats
    sparse: Floats
    features: Floats
    candidates: Floats
    pieces: Callable[[], list[Piece]]
    density: float | None = None

    def thinned(self, s_comm: float | None) -> "Round":
        """Return the same, of which only 1 - S_comm is sent: the reader's if none is given."""
        return replace(
            self,
            pairs=self.sparse,
            sparse=self.pairs,
            features=self.candidates,
            candidates=self.features,
            density=None if s_comm is None else 1.0 - s_comm,
        )

    def settled(self, whole: bool) -> "Round":
        """Return the same with what is sent as dense, where its density is known."""
        if self.density is None:
            return self
        dense, none = np.ones(()), np.zeros_like(self.pairs)
        left = self.candidates * self.kept_shares(dense, whole)
        return replace(
            self,
            pairs=self.sent(dense, whole),
            sparse=none,
            features=self.features + left,
            candidates=none,
            density=None,
        )

    def kept_shares(self, density: Floats, whole: bool) -> Floats:
        """Return the shares of the candidates that are sent, (..., N, N), at density (...)."""
        if self.density is not None:
            density = np.full(np.shape(density), self.density)
        if not whole:
            return density[..., None, None] * np.ones_like(self.candidates)
        return kept_share(density[..., None, None], self.candidates)

    def sent(self, density: Floats, whole: bool) -> Floats:
        """Return the elements from node i to node j, (..., N, N), at density (...)."""
        if not self.sparse.any():
            return self.pairs * np.ones((*density.shape, 1, 1))
        sparse = self.sparse * self.kept_shares(density, whole)
        return self.pairs + (np.rint(sparse) if whole else sparse)

    def largest(self, density: Floats, whole: bool) -> Floats:
        """Return the features of the largest message, (...), at density (...)."""
        if not self.sparse.any():
            return np.full(density.shape, self.features.max())
        kept = self.candidates * self.kept_shares(density, whole)
        largest: Floats = (self.features + kept).max((-2, -1))
        return largest


def exchange(has: Held, needs: tuple[Need, ...], whole: bool) -> Round:
    """Return the messages by which every node gets what it needs and has not.

    Of what several nodes have, the one that answers for it sends.
    """
    nodes = has.nodes
    pairs, sparse, most, candidates = np.zeros((4, nodes, nodes))
    for need in needs:
        rows = row_overlap(has.rows, has.held, need.rows, need.read)
        features = feature_overlap(has, need, whole)
        sent, of = features * rows * need.row_elems(has), features * (rows > 0)
        if need.sparse:
            sparse += sent
            candidates += of
        else:
            pairs += sent
            most = np.maximum(most, of)
    return Round(_kind(has, needs), pairs, sparse, most, candidates, lambda: _pieces(has, needs))


def _kind(has: Held, needs: tuple[Need, ...]) -> str:
    if any(need.named for need in needs):
        return "features"
    everything = all(
        need.members is None and need.read is None and (need.rows == (0, has.row_count)).all()
        for need in needs
    )
    if everything or any(need.sparse for need in needs):
        return "gather"
    return "halo" if has.layout == "rows" and all(n.members is None for n in needs) else "move"


def row_overlap(own: Ints, held: Ints, needed: Ints, read: ReadAtAll | None = None) -> Ints:
    """Return the rows that j needs and has not and that i answers for, (..., N, N).

    own, held, needed: (..., N, 2), as of `Held` and `Need`; no node needs any of itself.
    """
    none = held[..., 1] <= held[..., 0]
    low, high = needed[..., 0], needed[..., 1]
    before, after = (
        np.where(none, high, np.minimum(np.maximum(held[..., end], low), high)) for end in (0, 1)
    )
    rows = _common(own, low, before, read) + _common(own, after, high, read)
    each = np.arange(low.shape[-1])
    rows[..., each, each] = 0
    return rows


def _common(own: Ints, low: Ints, high: Ints, read: ReadAtAll | None) -> Ints:
    first = np.maximum(own[..., :, None, 0], low[..., None, :])
    last = np.minimum(own[..., :, None, 1], high[..., None, :])
    rows: Ints = np.maximum(0, last - first)
    return rows if read is None else read.before[np.maximum(first, last)] - read.before[first]


def _wanted(has: Held, need: Need) -> Bools:
    """Features low..high of the need that are not on every node, (F,) of the tensor."""
    wanted = np.zeros(has.features, dtype=bool)
    wanted[need.low : need.high] = True
    wanted[has.everywhere[0] : has.everywhere[1]] = False
    return wanted


def _lacking(has: Held, need: Need) -> Bools:
    """Features of the need that each node has not got by name, (N, F) of the tensor."""
    lacking = np.tile(_wanted(has, need), (has.nodes, 1))
    if need.members is not None:
        lacking[:, need.low : need.high] &= need.members
    return lacking if has.named is None else lacking & ~has.named


def feature_overlap(has: Held, need: Need, whole: bool) -> Floats:
    """Return the features that i has and j needs, (N, N), or (1, N) where all i have them."""
    nodes = has.nodes
    if has.named is not None:
        return _overlap_by_name(has, need)
    if has.owners is None:
        if need.members is None:
            apart = max(0, min(need.high, has.everywhere[1]) - max(need.low, has.everywhere[0]))
            return np.full((1, nodes), float(need.high - need.low - apart))
        if need.counts is not None and not whole:
            return need.counts[None]
        left = need.members & _wanted(has, need)[need.low : need.high]
        counts: Floats = left.sum(1, dtype=float)
        return counts[None]
    if need.members is None:
        if not whole and (need.low, need.high) == (0, has.features):
            return np.full((nodes, nodes), has.features / nodes)
        count = np.bincount(has.owners[_wanted(has, need)], minlength=nodes).astype(float)
        return np.broadcast_to(count[:, None], (nodes, nodes))
    if need.counts is not None and not whole:  # own features, which are here, or all others
        return np.full((nodes, nodes), need.sparse * has.features / nodes)
    wanted = need.members & _wanted(has, need)[need.low : need.high]
    common = _counted_by_owner(has.owners[need.low : need.high], wanted)
    if not whole:
        count = np.maximum(1, np.bincount(has.owners, minlength=nodes))[:, None]
        common = common / count * (has.features / nodes)
    return common


def _overlap_by_name(has: Held, need: Need) -> Floats:
    """The same where nodes have features by name: whole ones, those counted."""
    lacking = _lacking(has, need)
    if has.owners is None:
        counts: Floats = lacking.sum(1, dtype=float)
        return counts[None]
    return _counted_by_owner(has.owners, lacking)


def _counted_by_owner(owners: Ints, wanted: Bools) -> Floats:
    """Return of the features that i owns how many j wants, (N, N); owners (F,), wanted (N, F)."""
    order, nodes = np.argsort(owners, kind="stable"), np.arange(len(wanted))
    first, last = (np.searchsorted(owners[order], nodes, side) for side in ("left", "right"))
    before = np.zeros((len(wanted), len(owners) + 1), dtype=np.int32)
    np.cumsum(wanted[:, order], axis=1, out=before[:, 1:])
    counts: Floats = (before[:, last] - before[:, first]).T.astype(float)
    return counts


def _pieces(has: Held, needs: tuple[Need, ...]) -> list[Piece]:
    """The same messages one by one; the general route, from sets of features and of rows."""
    found = []
    for need in needs:
        for sink, mine in enumerate(_lacking(has, need)):
            low, high = has.held[sink]
            lacking = [row for row in need.each(sink) if not low <= row < high]
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
