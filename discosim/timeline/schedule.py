"""The events of a plan: with a barrier after each layer, or streamed from layer to layer."""

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from discosim.errors import DiscosimError
from discosim.graph.table import Floats
from discosim.model.overlap import best_chunks, chunked_s, stage_s
from discosim.model.traffic import TOPOLOGIES
from discosim.simulate import NO_OVERLAP, OVERLAPS, Overlap
from discosim.timeline.links import Links, Message, counted_before, messages_before
from discosim.timeline.work import Work

MOST_EVENTS = 2_000_000


class Event(NamedTuple):
    """Something that a node or a link does from `begin_s` to `end_s`.

    kind: local or remote (computation without and with received features), or message.
    track: the node, link, port or medium; nodes: who computes, or who sends and who receives.
    """

    layer: str
    op: str
    kind: str
    track: str
    sources: tuple[int, ...]
    sinks: tuple[int, ...]
    chunk: int
    begin_s: float
    end_s: float
    nbytes: float


@dataclass(frozen=True, eq=False)
class Timeline:
    """All events of one inference, in the order in which they were scheduled."""

    work: Work
    overlap: Overlap
    events: tuple[Event, ...]
    latency_s: float


def parse_overlap(text: str) -> Overlap:
    """Return the overlap written as stream, stream:K, or as `Overlap.parse` reads it."""
    if match := re.fullmatch(r"stream(?::0*([1-9][0-9]{0,8}))?", text):
        return Overlap("stream", int(match[1] or 1), text)
    try:
        return Overlap.parse(text)
    except DiscosimError:
        known = ", ".join((*OVERLAPS, "stream:K"))
        raise DiscosimError(
            f"unknown overlap {text!r}; wanted {known}, K a whole number from 1 up"
        ) from None


def schedule(work: Work, overlap: Overlap = NO_OVERLAP) -> Timeline:
    """Return the events of `work`; a pipeline's stages follow one another without overlap.

    Raises DiscosimError for more events than can be drawn.
    """
    chosen = overlap if work.plan.stage is None else NO_OVERLAP
    _check_count(int(counted_before(work).sum()) + work.plan.nodes * len(work.table))
    messages = [messages_before(work, row) for row in range(len(work.table))]
    chunks = [_chunks(work, chosen, row, each) for row, each in enumerate(messages)]
    count = sum(
        len(parts) * (sum(map(len, rounds)) + work.plan.nodes)
        for parts, rounds in zip(chunks, messages, strict=True)
    )
    _check_count(count)
    run = _Run(work, [], Links())
    if chosen.mode == "stream":
        latency_s = run.streamed(messages, chunks)
    else:
        latency_s = 0.0
        for row, each in enumerate(messages):
            latency_s = run.barred(row, each, chosen.mode, chunks[row], latency_s)
    return Timeline(work, overlap, tuple(run.events), latency_s)


def _check_count(events: int) -> None:
    """Raise DiscosimError for more than can be drawn, where possible before they are made."""
    if events > MOST_EVENTS:
        raise DiscosimError(
            f"{events:,} events are too many for a timeline; wanted {MOST_EVENTS:,} at most"
        )


def interval_s(work: Work, overlapped: Overlap) -> float:
    """Return the seconds between two items of a stream through the stages of `work`."""
    stage, topology = work.plan.stage, TOPOLOGIES[work.cluster.topology]
    assert stage is not None
    begins = np.flatnonzero(np.diff(stage)) + 1
    handed_s = np.array([exchange_s(messages_before(work, int(row))) for row in begins])
    stages = stage_s(
        (work.local_s + work.remote_s).sum(-1),
        np.append(0.0, handed_s),
        np.append(handed_s, 0.0),
        overlaps=overlapped != NO_OVERLAP,
        one_port=topology.one_port and work.cluster.half_duplex,
    )
    return float(max(stages.max(), handed_s.sum() if topology.one_medium else 0.0))


def exchange_s(rounds: list[list[Message]], chunks: float = 1.0) -> float:
    """Return the seconds of an exchange in as many chunks, each round begun on free links."""
    total_s = 0.0
    for messages in rounds:
        links = Links()
        times = [m.time_s() + (chunks - 1) * m.latency_s for m in messages]
        begins = [links.send(m, 0.0, time_s) for m, time_s in zip(messages, times, strict=True)]
        total_s += max(b + t for b, t in zip(begins, times, strict=True))
    return total_s


def _chunks(work: Work, overlap: Overlap, row: int, rounds: list[list[Message]]) -> Floats:
    """The parts of a row's exchange, at most one a feature; the best number where none is given."""
    if overlap.mode in ("none", "ideal") or not rounds:
        return _parts(1.0)
    most = work.most_chunks[row]
    if overlap.mode == "stream":
        most = np.floor(most)
    if overlap.chunks is not None:
        return _parts(min(float(overlap.chunks), most))
    remote_s = work.remote_s[:, row].max()
    node_s = (work.local_s[:, row] + work.remote_s[:, row]).max()

    def slowest_s(chunks: Floats) -> Floats:
        count = min(float(chunks[0]), most)
        free_s, comm_s = exchange_s(rounds, 0.0), exchange_s(rounds, np.ceil(count))
        alpha_s = (comm_s - free_s) / np.ceil(count)
        time_s = chunked_s(np.array(comm_s), node_s, remote_s, np.array(count), alpha_s)
        return np.array([time_s])

    return _parts(min(float(best_chunks(slowest_s, np.ceil([most]))[0]), most))


def _parts(chunks: float) -> Floats:
    """The parts that make up 1: equal ones, and where `chunks` is a fraction the rest."""
    parts = np.full(int(np.ceil(chunks)), 1.0 / chunks)
    parts[-1] = 1.0 - (len(parts) - 1) / chunks
    return parts


@dataclass(eq=False)
class _Run:
    """A schedule in the making."""

    work: Work
    events: list[Event]
    links: Links

    def barred(
        self, row: int, rounds: list[list[Message]], mode: str, parts: Floats, begin_s: float
    ) -> float:
        """Schedule a row that begins on all nodes at once; return when the last has ended.

        The k-th remote part begins when the k-th chunk has reached every node (model.md §3). Of
        several rounds, a chunk goes through all before the next one begins.
        """
        arrived: list[float] = []
        for chunk, part in enumerate(parts):
            ready_s = begin_s if len(rounds) < 2 else max([begin_s, *arrived[-1:]])
            for messages in rounds:
                ends = [self._send(row, m, chunk, part, ready_s) for m in messages]
                ready_s = max([ready_s, *ends])
            arrived.append(max([ready_s, *arrived[-1:]]))
        last_s = arrived[-1]
        for node in range(self.work.plan.nodes):
            local_s = float(self.work.local_s[node, row])
            remote_s = float(self.work.remote_s[node, row])
            first_s = arrived[-1] if mode == "none" else begin_s
            free_s = self._compute(row, node, "local", first_s, local_s)
            if mode == "ideal":  # endlessly many chunks: the last of them ends the work
                free_s = max(free_s, arrived[-1] - remote_s)
            for chunk, part in enumerate(parts):
                ready_s = free_s if mode == "ideal" else max(free_s, arrived[chunk])
                free_s = self._compute(row, node, "remote", ready_s, remote_s * part, chunk)
            last_s = max(last_s, free_s)
        return last_s

    def streamed(self, messages: list[list[list[Message]]], chunks: list[Floats]) -> float:
        """Schedule all rows without barriers; return when the last thing has ended.

        A node sends its outputs as it finishes them, and computes with received features when
        all of them are there: model.md §3, start = max(previous end + local, comm end).
        """
        work, nodes = self.work, self.work.plan.nodes
        free_s, last_s = np.zeros(nodes), 0.0
        made: dict[str, tuple[Floats, Floats]] = {}  # when a tensor is begun, and how long it takes
        for rows in _stages(work, messages):
            row = rows[0]
            arrived = self._stream_in(row, messages[row], chunks[row], made)
            last_s = max(last_s, *arrived)
            begin_s = np.zeros(nodes)
            for node in range(nodes):
                local_s, remote_s = work.local_s[node, row], work.remote_s[node, row]
                if not messages[row]:  # nothing to wait for: outputs are finished all along
                    begin_s[node] = free_s[node]
                    at = self._compute(row, node, "local", begin_s[node], local_s)
                else:
                    at = self._compute(row, node, "local", free_s[node], local_s)
                    at = begin_s[node] = max(at, arrived[node])
                at = self._compute(row, node, "remote", at, remote_s)
                for follower in rows[1:]:
                    time_s = work.local_s[node, follower] + work.remote_s[node, follower]
                    at = self._compute(follower, node, "local", at, time_s)
                free_s[node] = at
            for each in rows:
                made[work.table.name[each]] = (begin_s, free_s - begin_s)
        return float(max(last_s, *free_s))

    def _stream_in(
        self,
        row: int,
        rounds: list[list[Message]],
        parts: Floats,
        made: dict[str, tuple[Floats, Floats]],
    ) -> Floats:
        """Send a row's input chunk by chunk as it is made; return when each node has it, (N,)."""
        table, arrived = self.work.table, np.zeros(self.work.plan.nodes)
        if not rounds:
            return arrived
        operands = [table.name[tensor - 1] for tensor in _operands(self.work, row)]
        whole = table.rows[row].has_statistics  # they are of all that a node has
        for chunk, part in enumerate(parts):
            done = 1.0 if whole else float(parts[: chunk + 1].sum())
            ready = np.max([made[name][0] + done * made[name][1] for name in operands], axis=0)
            for messages in rounds:
                ends_s = [
                    self._send(row, m, chunk, part, max(ready[list(m.sources)])) for m in messages
                ]
                for message, end_s in zip(messages, ends_s, strict=True):
                    sinks = list(message.sinks)
                    arrived[sinks] = np.maximum(arrived[sinks], end_s)
                ready = np.maximum(ready, max(ends_s))
        return arrived

    def _send(self, row: int, message: Message, chunk: int, part: float, ready_s: float) -> float:
        time_s = message.time_s(part)
        begin_s = self.links.send(message, ready_s, time_s)
        table, nbytes = self.work.table, message.nbytes * part
        self.events.append(
            Event(table.name[row], table.op[row], "message", message.track, message.sources,
                  message.sinks, chunk, begin_s, begin_s + time_s, nbytes)
        )  # fmt: skip
        return begin_s + time_s

    def _compute(
        self, row: int, node: int, kind: str, begin_s: float, time_s: float, chunk: int = 0
    ) -> float:
        if time_s > 0:
            table = self.work.table
            self.events.append(
                Event(table.name[row], table.op[row], kind, f"node {node}", (node,), (),
                      chunk, begin_s, begin_s + time_s, 0.0)
            )  # fmt: skip
        return begin_s + time_s


def _operands(work: Work, row: int) -> list[int]:
    """The tensors that a row reads and that are not the network's input."""
    network, table = work.table.network, work.table
    if row == len(table) - 1:
        return [int(tensor) for tensor in table.outputs]
    index = {name: i + 1 for i, name in enumerate(table.name)}
    return [index[name] for name in network.operands(table.name[row]) if name in index]


def _stages(work: Work, messages: list[list[list[Message]]]) -> list[list[int]]:
    """Rows that a node goes through chunk by chunk: a leading one, and those that follow it.

    A row leads that mixes features, that waits for others, or that looks at all features of a
    position, a group or a head at once.
    """
    table = work.table
    stages: list[list[int]] = []
    for row in range(len(table)):
        looks = table.rows[row].has_statistics or table.op[row] == "attention"
        at_once = table.mixes[row] or looks
        if at_once or messages[row] or not stages:
            stages.append([row])
        else:
            stages[-1].append(row)
    return stages
