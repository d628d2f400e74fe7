"""The exchange of layers whose messages go in several rounds, from their pair matrices."""

import numpy as np

from discosim.graph.table import Floats, Ints
from discosim.model.combined_exchange import PartsExchange, RoundsExchange
from discosim.model.exchange import Exchange
from discosim.partition.lay import Read
from discosim.partition.pairs import exchange_of_pairs


def with_rounds(
    base: Exchange, rows: Ints, reads: tuple[tuple[Read, ...], ...], density: Floats, nodes: int
) -> tuple[Exchange, Floats]:
    """Return `base` with the exchanges of `rows`, and the features of their largest messages.

    What the operands of a layer need in the same round goes in one message.
    """
    depth = max((len(read.rounds) for each in reads for read in each), default=0)
    count = len(rows)
    features = np.zeros((1, count))
    found: list[Exchange] = []
    for number in range(max(1, depth)):
        pairs, sparse = np.zeros((nodes, nodes, count)), np.zeros((nodes, nodes, count))
        own = np.zeros((nodes, count))
        for at, each in enumerate(reads):
            for read in each:
                if len(read.rounds) > number:
                    sent = read.rounds[number]
                    pairs[..., at] += sent.pairs
                    sparse[..., at] += sent.sparse
                    own[:, at] += _offered(read, number)
                    features[0, at] = max(features[0, at], sent.features)
        kept = pairs + density[..., None, :, rows] * sparse
        found.append(exchange_of_pairs(kept, own, np.ones(count)))
    return PartsExchange(base, rows, RoundsExchange(tuple(found))), features


def _offered(read: Read, number: int) -> Floats:
    """The most distinct elements that a node has to send."""
    sent = read.rounds[number]
    if sent.kind == "sum":
        return np.full(len(sent.pairs), np.inf)
    return read.before.elems(True) if read.before.layout != "parts" else sent.pairs.max(1)
