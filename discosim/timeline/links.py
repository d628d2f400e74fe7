"""Messages of one exchange, and the links, ports or medium that carry them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from discosim.hardware import Hardware
from discosim.timeline.work import Sent, Work

Pair = tuple[int, int]
Carriers = Mapping[Pair, tuple[str, ...]]
"""What a message from one node to another holds."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent at a time: from `sources` to `sinks`, holding all of `carriers` meanwhile.

    Two nodes on one half-duplex link swap in one message; a ring's exchange is one message.
    """

    track: str
    carriers: tuple[str, ...]
    sources: tuple[int, ...]
    sinks: tuple[int, ...]
    nbytes: float
    bandwidth_Bps: float
    latency_s: float

    def time_s(self, part: float = 1.0) -> float:
        """Return the seconds of a part of it: alpha + bytes / B."""
        return self.nbytes * part / self.bandwidth_Bps + self.latency_s


@dataclass(eq=False)
class Links:
    """When each link, port or medium is free again."""

    free_s: dict[str, float] = field(default_factory=dict)

    def send(self, message: Message, ready_s: float, time_s: float) -> float:
        """Return when a message begins that is ready at `ready_s`, and hold its carriers."""
        begin, free_s = ready_s, self.free_s
        for carrier in message.carriers:
            begin = max(begin, free_s.get(carrier, 0.0))
        for carrier in message.carriers:
            free_s[carrier] = begin + time_s
        return begin


def counted_before(work: Work) -> NDArray[np.intp]:
    """Return how many messages `messages_before` gives for each row, (L,), without making them."""
    count = np.zeros(len(work.table), dtype=np.intp)
    for sent in work.rounds:
        for row in range(len(count)):
            goes = sent.message_bytes[..., row] > 0
            match work.cluster.topology:
                case "broadcast":
                    count[row] += np.count_nonzero(goes.any(axis=1))
                case "ring":
                    count[row] += goes.any()
                case _ if swaps(work):
                    count[row] += np.count_nonzero(np.triu(goes | goes.T, 1))
                case _:
                    count[row] += np.count_nonzero(goes)
    return count


def messages_before(work: Work, row: int) -> list[list[Message]]:
    """Return the messages before `row` round by round, in the order in which they are sent."""
    rounds = [_of_round(work, sent, row) for sent in work.rounds]
    rounds = [_congested(each, work.cluster.nodes[0]) for each in rounds]
    if work.cluster.together:
        rounds = [_together(each) for each in rounds]
    return [each for each in rounds if each]


def _congested(messages: list[Message], node: Hardware) -> list[Message]:
    """The messages of a round, slower where more nodes send than the links keep up with."""
    senders = {source for message in messages for source in message.sources}
    if len(senders) <= node.senders:
        return messages
    return [replace(each, bandwidth_Bps=each.bandwidth_Bps / node.congestion) for each in messages]


def _together(messages: list[Message]) -> list[Message]:
    """The messages of a round, of which those behind another one on a port pay no latency."""
    used: set[str] = set()
    found = []
    for message in messages:
        behind = not used.isdisjoint(message.carriers)
        found.append(replace(message, latency_s=0.0) if behind else message)
        used.update(message.carriers)
    return found


def _of_round(work: Work, sent: Sent, row: int) -> list[Message]:
    match work.cluster.topology:
        case "broadcast":
            return list(_to_all(work, sent, row))
        case "ring":
            return list(_around(work, sent, row))
    carriers = carriers_of(work)
    if swaps(work):
        return list(_swaps(work, sent, row, carriers))
    return list(_one_by_one(work, sent, row, carriers))


def swaps(work: Work) -> bool:
    """Return whether two nodes swap in one message: both ways pass one link or port."""
    return work.cluster.half_duplex and work.cluster.topology in ("full-mesh", "switch")


def carriers_of(work: Work) -> Carriers:
    """Return what each message from node to node holds, in the order in which they are sent.

    Of a network in which each message is one of two nodes: no ring, no broadcast.
    """
    return _carriers(work.plan.nodes, work.cluster.topology, work.cluster.half_duplex)


@lru_cache(maxsize=4)
def _carriers(nodes: int, topology: str, half_duplex: bool) -> Carriers:
    mesh = topology == "full-mesh"
    if topology == "shared":
        return dict.fromkeys(_every(nodes), ("medium",))
    if half_duplex:
        form = "link {}-{}" if mesh else "port {}|port {}"
        return {pair: _ends(pair, form) for pair in tournament(nodes)}
    form = "link {}→{}" if mesh else "port {} out|port {} in"
    return {pair: _ends(pair, form) for pair in _every(nodes)}


def _ends(pair: Pair, form: str) -> tuple[str, ...]:
    return tuple(form.format(*pair).split("|"))


def _every(nodes: int) -> list[Pair]:
    """All ordered pairs: first each to its neighbour, then to the one after, and so on."""
    return [(i, (i + step) % nodes) for step in range(1, nodes) for i in range(nodes)]


def tournament(nodes: int) -> list[Pair]:
    """Return all unordered pairs, as many disjoint ones in a row as there can be.

    The circle method: one stays, the others move round.
    """
    seats = list(range(nodes)) + [-1] * (nodes % 2)
    pairs = []
    for _ in range(len(seats) - 1):
        for i in range(len(seats) // 2):
            one, other = sorted((seats[i], seats[-1 - i]))
            if one >= 0:
                pairs.append((one, other))
        seats = [seats[0], seats[-1], *seats[1:-1]]
    return pairs


def _one_by_one(work: Work, sent: Sent, row: int, carriers: Carriers) -> Iterator[Message]:
    if not sent.message_bytes[..., row].any():
        return
    bandwidth, latency = work.cluster.link_Bps.tolist(), work.cluster.link_latency_s.tolist()
    message_bytes = sent.message_bytes[..., row].tolist()
    for (i, j), ends in carriers.items():
        nbytes = message_bytes[i][j]
        if nbytes > 0:
            yield Message(ends[0], ends, (i,), (j,), nbytes, bandwidth[i][j], latency[i][j])


def _swaps(work: Work, sent: Sent, row: int, carriers: Carriers) -> Iterator[Message]:
    if not sent.message_bytes[..., row].any():
        return
    bandwidth, latency = work.cluster.link_Bps.tolist(), work.cluster.link_latency_s.tolist()
    message_bytes = sent.message_bytes[..., row].tolist()
    for (i, j), ends in carriers.items():
        there, back = message_bytes[i][j], message_bytes[j][i]
        if there + back > 0:
            sources = (i,) * (there > 0) + (j,) * (back > 0)
            sinks = (j,) * (there > 0) + (i,) * (back > 0)
            rate, alpha = bandwidth[i][j], latency[i][j]
            yield Message(ends[0], ends, sources, sinks, there + back, rate, alpha)


def _to_all(work: Work, sent: Sent, row: int) -> Iterator[Message]:
    """One message a sender, as fast as the slowest of those who listen takes it."""
    bandwidth, latency = work.cluster.link_Bps, work.cluster.link_latency_s
    for i in range(work.plan.nodes):
        sinks = np.flatnonzero(sent.message_bytes[i, :, row])
        if len(sinks):
            rate, alpha = bandwidth[i, sinks].min(), latency[i, sinks].max()
            nbytes = float(sent.union_bytes[i, row])
            yield Message("medium", ("medium",), (i,), tuple(sinks.tolist()), nbytes, rate, alpha)


def _around(work: Work, sent: Sent, row: int) -> Iterator[Message]:
    """The whole exchange of a ring, as long as its busiest link takes."""
    sends = sent.message_bytes[..., row] > 0
    if sends.any():
        used = sends.any(0) | sends.any(1)
        rate = work.cluster.link_Bps[np.ix_(used, used)].min()
        alpha = work.cluster.link_latency_s[np.ix_(used, used)].max() * sent.ring_steps[row]
        sources, sinks = (tuple(np.flatnonzero(sends.any(axis)).tolist()) for axis in (1, 0))
        yield Message("ring", ("ring",), sources, sinks, float(sent.ring_bytes[row]), rate, alpha)
