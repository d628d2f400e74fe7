"""The exchange of layers whose messages go in several rounds, from their pair matrices."""

from dataclasses import dataclass

import numpy as np

from discosim.graph.table import Floats, Ints
from discosim.model.combined_exchange import PartsExchange, RoundsExchange
from discosim.model.exchange import Exchange
from discosim.partition.lay import Laid, Read
from discosim.partition.messages import Round
from discosim.partition.pairs import exchange_of_pairs


@dataclass(frozen=True, eq=False)
class Together:
    """What goes at once before a layer, of all its operands: see Round; own: (N,), distinct ones.

    What one node sends another in the same round is one message.
    """

    pairs: Floats
    sparse: Floats
    own: Floats
    features: float


def rounds_before(laid: Laid, row: int) -> list[Together]:
    """Return what is sent before a row, round by round; statistics where service is counted."""
    gathers = row == len(laid.parts)
    reads = laid.gathering if gathers else laid.parts[row].reads
    depth = max((len(read.rounds) for read in reads), default=0)
    found = []
    for number in range(depth):
        sent = [(read, read.rounds[number]) for read in reads if len(read.rounds) > number]
        found.append(
            Together(
                pairs=np.sum([one.pairs for _, one in sent], axis=0),
                sparse=np.sum([one.sparse for _, one in sent], axis=0),
                own=np.sum([_offered(read, one) for read, one in sent], axis=0),
                features=max(one.features for _, one in sent),
            )
        )
    scalars = None if gathers else laid.parts[row].statistics
    if scalars is not None and laid.conventions.service:
        own = scalars.pairs.max(1)
        found.append(Together(scalars.pairs, scalars.sparse, own, scalars.features))
    return found


def with_rounds(base: Exchange, laid: Laid, rows: Ints, density: Floats) -> tuple[Exchange, Floats]:
    """Return `base` with the exchanges of `rows`, and the features of their largest messages."""
    exchange, features = in_rounds(laid, rows, density)
    return PartsExchange(base, rows, exchange), features


def in_rounds(laid: Laid, rows: Ints, density: Floats) -> tuple[RoundsExchange, Floats]:
    """Return the exchanges of `rows` (K,) alone, and the features of their largest messages."""
    nodes, count = laid.nodes, len(rows)
    each = [rounds_before(laid, int(row)) for row in rows]
    features = [max((one.features for one in rounds), default=0.0) for rounds in each]
    found: list[Exchange] = []
    for number in range(max(1, *map(len, each))):
        pairs, sparse = np.zeros((nodes, nodes, count)), np.zeros((nodes, nodes, count))
        own = np.zeros((nodes, count))
        for at, rounds in enumerate(each):
            if len(rounds) > number:
                pairs[..., at], sparse[..., at] = rounds[number].pairs, rounds[number].sparse
                own[:, at] = rounds[number].own
        kept = pairs + density[..., None, :, rows] * sparse
        found.append(exchange_of_pairs(kept, own, np.ones(count)))
    return RoundsExchange(tuple(found)), np.array([features])


def _offered(read: Read, sent: Round) -> Floats:
    """The most distinct elements that a node has to send."""
    if sent.kind == "sum":
        return np.full(len(sent.pairs), np.inf)
    return read.before.elems(True) if read.before.layout != "parts" else sent.pairs.max(1)
