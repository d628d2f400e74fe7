"""The latency of a schedule: with barriers of all layers at once, and without its events."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from discosim.graph.table import Floats
from discosim.model.overlap import best_chunks, chunked_s
from discosim.simulate import Overlap
from discosim.timeline.links import carriers_of, swaps
from discosim.timeline.schedule import schedule
from discosim.timeline.work import Sent, Work

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Send:
    """A message before each row: what it holds meanwhile, its bytes, its link; all (L,)."""

    carriers: tuple[str, ...]
    goes: Flags
    nbytes: Floats
    bandwidth_Bps: Floats
    latency_s: Floats

    def time_s(self, part: Floats | float, messages: Floats | float = 1.0) -> Floats:
        """Seconds of a part of the bytes in so many messages: alpha + bytes / B."""
        whole: Floats = self.nbytes * part / self.bandwidth_Bps + messages * self.latency_s
        return whole


Rounds = Sequence[Sequence[_Send]]


@dataclass(frozen=True, eq=False)
class RowTimes:
    """Seconds of each row, (L,): its exchange, all of it; and the pieces that this comes in."""

    comm_s: Floats
    layer_s: Floats
    chunks: Floats


def latency_of(work: Work, overlap: Overlap) -> float:
    """Return the seconds of all of `work`, as `schedule` has them; raises DiscosimError."""
    if overlap.mode == "stream":
        return schedule(work, overlap).latency_s
    return float(row_times(work, overlap).layer_s.sum())


def row_times(work: Work, overlap: Overlap) -> RowTimes:
    """Return what each row takes where all nodes begin it at once, as `schedule` plays it.

    overlap: any but stream; a pipeline's stages follow one another without overlap.
    """
    rounds = [_sends(work, sent) for sent in work.rounds]
    ones = np.ones(len(work.table))
    node_s = (work.local_s + work.remote_s).max(axis=0)
    if overlap.mode == "none" or work.plan.stage is not None:
        comm_s = _exchange_s(rounds, ones)
        return RowTimes(comm_s, comm_s + node_s, ones)
    if overlap.mode == "ideal":
        comm_s = _exchange_s(rounds, ones)
        return RowTimes(comm_s, np.maximum(comm_s, node_s), ones)
    chunks = _chunks(work, overlap, rounds)
    return RowTimes(_exchange_s(rounds, np.ceil(chunks)), _chunked_s(work, rounds, chunks), chunks)


def carried_s(work: Work) -> dict[str, float]:
    """Return for how long each link, port or medium carries something, messages being free."""
    busy_s: dict[str, float] = {}
    for each in (each for sent in work.rounds for each in _sends(work, sent)):
        seconds = float(np.where(each.goes, each.time_s(1.0, 0.0), 0.0).sum())
        for carrier in each.carriers:
            busy_s[carrier] = busy_s.get(carrier, 0.0) + seconds
    return busy_s


def _sends(work: Work, sent: Sent) -> list[_Send]:
    """The messages of a round, slower where more nodes send than the links keep up with."""
    node = work.cluster.nodes[0]
    senders = np.greater(sent.message_bytes, 0).any(axis=1).sum(axis=0)
    slower = np.where(senders > node.senders, node.congestion, 1.0)
    found = _at_full_rate(work, sent)
    return [replace(each, bandwidth_Bps=each.bandwidth_Bps / slower) for each in found]


def _at_full_rate(work: Work, sent: Sent) -> list[_Send]:
    """The messages of a round, in the order in which they are sent."""
    bandwidth, latency = work.cluster.link_Bps, work.cluster.link_latency_s
    rows = np.ones(len(work.table))
    if work.cluster.topology == "broadcast":
        return [_to_all(work, sent, node) for node in range(work.plan.nodes)]
    if work.cluster.topology == "ring":
        return [_around(work, sent)]
    found: list[_Send] = []
    used: dict[str, Flags] = {}
    for (i, j), carriers in carriers_of(work).items():
        nbytes = sent.message_bytes[i, j]
        if swaps(work):
            nbytes = nbytes + sent.message_bytes[j, i]
        if nbytes.any():
            goes: Flags = np.greater(nbytes, 0)
            alpha = latency[i, j] * rows
            if work.cluster.together:  # behind another message on a port there is no latency
                behind = np.any([used.get(c, np.zeros_like(goes)) for c in carriers], axis=0)
                alpha = np.where(behind, 0.0, alpha)
                used |= {c: used.get(c, np.zeros_like(goes)) | goes for c in carriers}
            found.append(_Send(carriers, goes, nbytes, bandwidth[i, j] * rows, alpha))
    return found


def _to_all(work: Work, sent: Sent, node: int) -> _Send:
    """What a node broadcasts, as fast as the slowest of those who listen takes it."""
    listens: Flags = np.greater(sent.message_bytes[node], 0)
    rate = np.where(listens, work.cluster.link_Bps[node][:, None], np.inf).min(axis=0)
    alpha = np.where(listens, work.cluster.link_latency_s[node][:, None], 0.0).max(axis=0)
    return _Send(("medium",), np.any(listens, axis=0), sent.union_bytes[node], rate, alpha)


def _around(work: Work, sent: Sent) -> _Send:
    """The whole exchange of a ring, as long as its busiest link takes."""
    sends: Flags = np.greater(sent.message_bytes, 0)
    used: Flags = np.logical_or(sends.any(axis=0), sends.any(axis=1))
    both = used[:, None] & used[None]
    rate = np.where(both, work.cluster.link_Bps[..., None], np.inf).min(axis=(0, 1))
    alpha = np.where(both, work.cluster.link_latency_s[..., None], 0.0).max(axis=(0, 1))
    alpha = alpha * sent.ring_steps
    return _Send(("ring",), np.any(used, axis=0), sent.ring_bytes, rate, alpha)


def _exchange_s(rounds: Rounds, messages: Floats) -> Floats:
    """Seconds of each row's exchange in so many messages, each round begun on free links."""
    total_s = np.zeros_like(messages)
    for sends in rounds:
        free_s: dict[str, Floats] = {}
        none, last_s = np.zeros_like(messages), np.zeros_like(messages)
        for each in sends:
            last_s = np.maximum(last_s, _send(each, each.time_s(1.0, messages), none, free_s))
        total_s += last_s
    return total_s


def _send(each: _Send, time_s: Floats, ready_s: Floats, free_s: dict[str, Floats]) -> Floats:
    """When a message that is ready then has arrived; its carriers are held so long."""
    begin_s = ready_s
    for carrier in each.carriers:
        begin_s = np.maximum(begin_s, free_s.get(carrier, 0.0))
    end_s = begin_s + time_s
    for carrier in each.carriers:
        free_s[carrier] = np.where(each.goes, end_s, free_s.get(carrier, 0.0))
    arrived: Floats = np.where(each.goes, end_s, ready_s)
    return arrived


def _chunks(work: Work, overlap: Overlap, rounds: Rounds) -> Floats:
    """The parts of each row's exchange, at most one a feature; the best where none is given."""
    sends = np.zeros(len(work.table), dtype=bool)
    for each in (each for messages in rounds for each in messages):
        sends |= each.goes
    most = np.where(sends, work.most_chunks, 1.0)
    if overlap.chunks is not None:
        return np.minimum(float(overlap.chunks), most)
    free_s = _exchange_s(rounds, np.zeros_like(most))

    def slowest_s(chunks: Floats) -> Floats:
        count = np.minimum(chunks, most)
        pieces = np.ceil(count)
        comm_s = _exchange_s(rounds, pieces)
        node_s = chunked_s(comm_s, work.local_s, work.remote_s, count, (comm_s - free_s) / pieces)
        slowest: Floats = node_s.max(axis=0)
        return slowest

    return np.minimum(best_chunks(slowest_s, np.ceil(most)), most)


def _chunked_s(work: Work, rounds: Rounds, chunks: Floats) -> Floats:
    """Seconds of each row: the k-th remote part begins when every node has the k-th chunk.

    Of several rounds, a chunk goes through all before the next one begins.
    """
    pieces = np.ceil(chunks)
    used = np.sum([np.any([m.goes for m in each], axis=0) for each in rounds if each], axis=0)
    waits = used > 1
    free_s: dict[str, Floats] = {}
    arrived = np.zeros_like(chunks)
    node_s = work.local_s
    for chunk in range(int(pieces.max())):
        goes = chunk < pieces
        part = np.where(chunk < pieces - 1, 1 / chunks, 1 - (pieces - 1) / chunks) * goes
        ready_s = np.where(waits, arrived, 0.0)
        for sends in rounds:
            ends = ready_s
            for each in sends:
                cut = _Send(each.carriers, each.goes & goes, each.nbytes, each.bandwidth_Bps,
                            each.latency_s)  # fmt: skip
                ends = np.maximum(ends, _send(cut, cut.time_s(part), ready_s, free_s))
            ready_s = ends
        arrived = np.maximum(arrived, ready_s)
        node_s = np.where(goes, np.maximum(node_s, arrived) + work.remote_s * part, node_s)
    slowest: Floats = node_s.max(axis=0)
    return slowest
