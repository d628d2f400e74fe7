"""Sums and gathers by their usual algorithms: direct, around a ring, or through one node.

Each is a sequence of rounds; a round's messages go at once, the next round begins when all have
arrived. A reduce-scatter leaves each node its part of the sum, an all-gather gives every node all
parts, an all-reduce is the two in turn (Thakur, Rabenseifner, Gropp: Optimization of Collective
Communication Operations in MPICH, IJHPCA 19(1), 2005).
"""

from dataclasses import replace
from functools import partial

import numpy as np

from discosim.graph.table import Bools, Floats, Ints
from discosim.partition.held import (
    Held,
    Need,
    by_features,
    on_one,
)
from discosim.partition.messages import Piece, Round, exchange
from discosim.partition.placement import contiguous
from discosim.registry import Words


class Collective(Words):
    """Algorithm of a collective: each to each, round a ring, or through one node."""

    DIRECT = "direct"
    RING = "ring"
    ROOT = "root"


def added(
    has: Held, home: Held | None, algorithm: Collective, whole: bool
) -> tuple[list[Round], Held]:
    """Return the rounds that add a tensor in parts up, and how its sum lies then.

    `home` says which node adds what, by default equal blocks of features. Through a root, that
    node adds everything.
    """
    assert has.summands is not None
    nodes = has.nodes
    if algorithm is Collective.ROOT:
        home = on_one(has.shape, int(np.flatnonzero(has.summands)[0]), nodes)
    elif home is None:
        home = by_features(has.shape, contiguous(has.features, nodes), nodes)
    if algorithm is Collective.RING and has.summands.all() and nodes > 2:
        return _ring(home, whole, adds=True), home
    return [_scattered(has.summands, home, whole)], home


def gathered(
    direct: Round, has: Held, needs: tuple[Need, ...], algorithm: Collective, whole: bool
) -> list[Round]:
    """Return the rounds by which nodes get what they need; direct: where owners send it to all."""
    if direct.kind != "gather" or direct.sparse.any() or has.nodes <= 2:
        return [direct]
    if algorithm is Collective.RING and has.layout in ("features", "rows") and _untouched(has):
        return _ring(has, whole, adds=False)
    if algorithm is Collective.ROOT and has.layout in ("features", "rows") and _untouched(has):
        root = on_one(has.shape, 0, has.nodes)
        back = exchange(root, needs, whole)
        return [exchange(has, _at_root(has), whole), _less_own(back, has, whole)]
    return [direct]


def _untouched(has: Held) -> bool:
    """Whether nodes have their own part of the tensor and no more."""
    own = has.rows if has.owners is None else np.zeros_like(has.held)
    return has.everywhere == (0, 0) and has.named is None and bool((has.held == own).all())


def _at_root(has: Held) -> tuple[Need, ...]:
    rows = np.zeros((has.nodes, 2), dtype=np.int64)
    rows[0] = 0, has.row_count
    return (Need(0, has.features, rows),)


def _less_own(back: Round, has: Held, whole: bool) -> Round:
    """What the root sends each node without what that node sent it."""
    own = _sizes(has, whole)
    pairs = np.maximum(0.0, back.pairs - np.where(back.pairs > 0, own[None], 0.0))

    def pieces() -> list[Piece]:
        return [
            piece
            for sink in range(1, has.nodes)
            for source in range(has.nodes)
            if source != sink
            for piece in _blocks(has, source, 0, sink)
        ]

    return replace(back, pairs=pairs, pieces=pieces)


def _sizes(home: Held, whole: bool) -> Floats:
    """Elements that each node answers for."""
    rows = home.rows[:, 1] - home.rows[:, 0]
    counts: Floats = home.feature_counts(whole) * rows * home.row_elems
    return counts


def _features(home: Held, whole: bool) -> Floats:
    """Features of what each node answers for, none where that is nothing."""
    counts: Floats = home.feature_counts(whole) * (home.rows[:, 1] > home.rows[:, 0])
    return counts


def _blocks(home: Held, block: int, source: int, sink: int) -> list[Piece]:
    """The part of `block` on its way between two other nodes."""
    features = (
        np.arange(home.features) if home.owners is None else np.flatnonzero(home.owners == block)
    )
    first, last = home.rows[block]
    if not len(features) or last <= first:
        return []
    return [Piece(source, sink, features, int(first), int(last))]


def _scattered(summands: Bools, home: Held, whole: bool) -> Round:
    """Each node sends each other one its summands of what that one adds."""
    nodes, sizes = home.nodes, _sizes(home, whole)
    apart = summands[:, None] & ~np.eye(nodes, dtype=bool)
    pairs, features = apart * sizes, apart * _features(home, whole)

    def pieces() -> list[Piece]:
        return [
            piece
            for source in np.flatnonzero(summands).tolist()
            for sink in range(nodes)
            if source != sink
            for piece in _blocks(home, sink, source, sink)
        ]

    none = np.zeros_like(pairs)
    return Round("sum", pairs, none, features, none, pieces)


def _ring(home: Held, whole: bool, *, adds: bool) -> list[Round]:
    """N - 1 rounds in which each node passes a block on to the next one.

    Adding, block b goes from node b + 1 round to node b, gathering from node b round to b - 1.
    """
    nodes, sizes, counts = home.nodes, _sizes(home, whole), _features(home, whole)
    rounds = []
    for step in range(1, nodes):
        sources = np.arange(nodes)
        carried = (sources - step) % nodes if adds else (sources - step + 1) % nodes
        sinks = (sources + 1) % nodes
        pairs, features, none = np.zeros((3, nodes, nodes))
        pairs[sources, sinks], features[sources, sinks] = sizes[carried], counts[carried]
        rounds.append(
            Round(
                "sum" if adds else "gather",
                pairs,
                none,
                features,
                none,
                partial(_passed, home, carried, sinks),
            )
        )
    return rounds


def _passed(home: Held, carried: Ints, sinks: Ints) -> list[Piece]:
    return [
        piece
        for source, (block, sink) in enumerate(zip(carried, sinks, strict=True))
        for piece in _blocks(home, int(block), source, int(sink))
    ]
