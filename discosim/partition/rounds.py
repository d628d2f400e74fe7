"""The exchange of layers whose messages go in several rounds, from their pair matrices."""

from collections.abc import Sequence
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
    """What goes at once before a layer, of all its operands; own: (N,), distinct elements.

    What one node sends another in the same round is one message.
    """

    rounds: tuple[Round, ...]
    own: Floats

    @property
    def takes_place(self) -> bool:
        """Whether something is sent, at some S_comm at least."""
        return any(one.pairs.any() or one.candidates.any() for one in self.rounds)

    @property
    def pairs(self) -> Floats:
        """Elements from node i to node j where all is sent, (N, N)."""
        total: Floats = np.sum([one.pairs + one.sparse for one in self.rounds], axis=0)
        return total

    def sent(self, density: Floats, whole: bool) -> Floats:
        """Return the elements from node i to node j, (..., N, N), at density (...)."""
        total: Floats = np.sum([one.sent(density, whole) for one in self.rounds], axis=0)
        return total

    def largest(self, density: Floats, whole: bool) -> Floats:
        """Return the features of the largest message, (...), at density (...)."""
        most: Floats = np.max([one.largest(density, whole) for one in self.rounds], axis=0)
        return most


def rounds_before(laid: Laid, row: int) -> list[Together]:
    """Return what is sent before a row, round by round; statistics where service is counted."""
    return together(*_sent(laid, row))


def _sent(laid: Laid, row: int) -> tuple[tuple[Read, ...], Round | None]:
    """What is sent before a row, and the scalars of its statistics where service is counted."""
    if row == len(laid.parts):
        return laid.gathering, None
    part = laid.parts[row]
    return part.sent, part.statistics if laid.conventions.service else None


def together(reads: Sequence[Read], scalars: Round | None) -> list[Together]:
    """Return what is sent for `reads`, round by round, and then the scalars of statistics."""
    depth = max((len(read.rounds) for read in reads), default=0)
    found = []
    for number in range(depth):
        sent = [(read, read.rounds[number]) for read in reads if len(read.rounds) > number]
        own = np.sum([_offered(read, one) for read, one in sent], axis=0)
        found.append(Together(tuple(one for _, one in sent), own))
    if scalars is not None:
        found.append(Together((scalars,), scalars.pairs.max(1)))
    return found


def with_rounds(base: Exchange, laid: Laid, rows: Ints, density: Floats) -> tuple[Exchange, Floats]:
    """Return `base` with the exchanges of `rows`, and the features of their largest messages."""
    exchange, features = in_rounds(laid, rows, density)
    return PartsExchange(base, rows, exchange), features


def in_rounds(laid: Laid, rows: Ints, density: Floats) -> tuple[RoundsExchange, Floats]:
    """Return the exchanges of `rows` (K,) alone, and the features of their largest messages."""
    nodes, count, whole = laid.nodes, len(rows), laid.whole
    read = density[..., 0, rows]
    each = [
        (places, rounds_before(laid, int(rows[places[0]]))) for places in _alike(laid, rows, read)
    ]
    features = np.zeros((*read.shape[:-1], 1, count))
    found: list[Exchange] = []
    for number in range(max(1, *(len(rounds) for _, rounds in each))):
        kept, own = np.zeros((*read.shape[:-1], nodes, nodes, count)), np.zeros((nodes, count))
        for places, rounds in each:
            if len(rounds) > number:
                level = read[..., places[0]]
                kept[..., places] = rounds[number].sent(level, whole)[..., None]
                own[:, places] = rounds[number].own[:, None]
                largest = rounds[number].largest(level, whole)[..., None]
                features[..., 0, places] = np.maximum(features[..., 0, places], largest)
        found.append(exchange_of_pairs(kept, own, np.ones(count)))
    return RoundsExchange(tuple(found)), features


def _alike(laid: Laid, rows: Ints, density: Floats) -> list[list[int]]:
    """The places of rows before which the same is sent: layers that were laid as one."""
    found: dict[object, list[int]] = {}
    for at, row in enumerate(rows.tolist()):
        reads, scalars = _sent(laid, row)
        rounds = tuple([(read.rounds, read.before) for read in reads])
        found.setdefault((rounds, scalars, density[..., at].tobytes()), []).append(at)
    return list(found.values())


def _offered(read: Read, sent: Round) -> Floats:
    """The most distinct elements that a node has to send."""
    if sent.kind == "sum":
        return np.full(len(sent.pairs), np.inf)
    if read.before.layout != "parts":
        return read.before.whole_elems
    most: Floats = (sent.pairs + sent.sparse).max(1)
    return most
