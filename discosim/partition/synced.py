"""Which features of partly added sums are added up: of each node's block the first ones.

A plan says how many; a network that is trained so may choose others, which costs the same.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from discosim.graph.table import Bools
from discosim.model.rounding import kept_features
from discosim.partition.lay import Laid, Read
from discosim.partition.messages import Piece, Round


def synced(laid: Laid, s_comm: float = 0.0) -> Laid:
    """Return the same with all that is sent of sums named: 1 - S_comm of the features of each.

    laid: of whole features; s_comm: of sums of which `laid` does not say it.
    """
    parts = tuple(
        replace(part, reads=tuple(_named(read, s_comm) for read in part.reads))
        for part in laid.parts
    )
    return replace(laid, parts=parts, gathering=tuple(_named(r, s_comm) for r in laid.gathering))


def leaves_out(laid: Laid) -> bool:
    """Return whether some features of a sum are not added up."""
    reads = [*(read for part in laid.parts for read in part.reads), *laid.gathering]
    return any(read.added is not None and not read.added.all() for read in reads)


def added_features(read: Read, s_comm: float) -> Bools:
    """Return which features of a tensor in parts are added up, (F,)."""
    blocks = read.after.owners
    blocks = np.zeros(read.after.features, dtype=np.int64) if blocks is None else blocks
    chosen = np.zeros(len(blocks), dtype=bool)
    for block in np.unique(blocks):
        mine = np.flatnonzero(blocks == block)
        chosen[mine[: int(kept_features(1.0 - s_comm, len(mine)))]] = True
    return chosen


def _named(read: Read, s_comm: float) -> Read:
    if not read.before.sparse:
        return read
    s_comm = s_comm if read.before.s_comm is None else read.before.s_comm
    chosen = added_features(read, s_comm)
    return replace(
        read, rounds=tuple(_of(one, chosen, s_comm) for one in read.rounds), added=chosen
    )


def _of(one: Round, chosen: Bools, s_comm: float) -> Round:
    density = np.asarray(1.0 - s_comm)
    return replace(
        one,
        pairs=one.sent(density, whole=True),
        features=one.candidates * one.kept_shares(density, whole=True),
        sparse=np.zeros_like(one.sparse),
        density=None,
        pieces=_pieces(one.pieces, chosen),
    )


def _pieces(pieces: Callable[[], list[Piece]], chosen: Bools) -> Callable[[], list[Piece]]:
    def of_chosen() -> list[Piece]:
        found = []
        for piece in pieces():
            features = piece.features[chosen[piece.features]]
            if len(features):
                found.append(replace(piece, features=features))
        return found

    return of_chosen
