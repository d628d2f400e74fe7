"""The profiled level: a node's computation as measured without a network, the link as fitted.

How long a node computes in each row was measured at a few S_comm, and is straight lines in
between. An exchange takes what the link's fit gives its bytes, and slows computation down. What
follows is the schedule.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from discosim.timeline.schedule import Event
from discosim.validate.fit import Floats, Line
from discosim.validate.runs import Runs, row_parts

Traffic = Mapping[int, Mapping[tuple[int, int], float]]
"""Bytes from one node to another, by the row before which they are sent."""


@dataclass(frozen=True, eq=False)
class Parts:
    """What nodes compute in each row of each of K runs, (K, N, L) in seconds.

    front_s: before the row's exchange; beside_s: while it goes on; after_s: when it has ended.
    exchanges: the rows before which something is sent.
    """

    front_s: Floats
    beside_s: Floats
    after_s: Floats
    exchanges: frozenset[int] = frozenset()

    def slowed(self, times: Floats) -> "Parts":
        """Return what the nodes compute where each takes so many times as long, (N,)."""
        each = times[:, None]
        return Parts(self.front_s * each, self.beside_s * each, self.after_s * each, self.exchanges)


@dataclass(frozen=True, slots=True)
class Wires:
    """What links do with messages, and with computation.

    burst_bytes: what passes at once after a pause; drag: how many times as long computation takes
    while messages are under way.
    """

    line: Line
    burst_bytes: int = 0
    drag: float = 1.0


@dataclass(frozen=True, eq=False)
class Prediction:
    """When all is done, the events, and each row of node 0, (L,) in seconds."""

    latency_s: float
    events: tuple[Event, ...]
    row_s: Floats


def parts_of(runs: Runs, marked: Set[int], names: Sequence[str]) -> Parts:
    """Return what the nodes compute in runs without a network, at the machine's usual speed.

    names: of the network's rows. Each run is divided by what the reference beside it took.

    marked: the rows that are divided by an exchange at some S_comm. Where such a row has none, as
    nothing is kept, all that is left of it needs no received feature.
    """
    counted = runs.counted
    front, beside, _, after = np.moveaxis(
        np.array([[row_parts(node) for node in run] for run in counted])
        / runs.slowness[runs.counts][..., None, None],
        2,
        0,
    )
    for rank, node in enumerate(counted[0]):
        alone = sorted(marked - {mark.row for mark in node.marks})
        beside[:, rank, alone], after[:, rank, alone] = after[:, rank, alone], 0.0
    return Parts(front, beside, after, frozenset(traffic_of(runs, names)))


def between(profiles: Mapping[float, Parts], s_comm: float, exchanges: Set[int]) -> Parts:
    """Return the parts at `s_comm`: straight lines between or through what was profiled.

    exchanges: the rows before which something is sent at `s_comm`. Such a row is called for its
    own features and for received ones, however few these are: its line is through S_comm at which
    that is so as well. The first run of one S_comm goes with the first of the other, and so on.
    """
    names = ("front_s", "beside_s", "after_s")
    runs = min(len(parts.front_s) for parts in profiles.values())
    rows = next(iter(profiles.values())).front_s.shape[-1]
    found = {name: np.empty((runs, *profiles[max(profiles)].front_s.shape[1:])) for name in names}
    for row in range(rows):
        alike = [
            s for s in sorted(profiles) if (row in profiles[s].exchanges) == (row in exchanges)
        ]
        low, high = _around(alike or sorted(profiles), s_comm)
        share = (s_comm - low) / (high - low) if high > low else 0.0
        for name in names:
            less, more = (getattr(profiles[s], name)[:runs, :, row] for s in (low, high))
            found[name][..., row] = np.maximum(0.0, (1 - share) * less + share * more)
    front, beside, after = (found[name] for name in names)
    return Parts(front, beside, after, frozenset(exchanges))


def _around(known: Sequence[float], wanted: float) -> tuple[float, float]:
    """The two next to a number, or the last two on its side, or the only one twice."""
    above = next((index for index, s in enumerate(known) if s >= wanted), len(known) - 1)
    high = max(above, min(1, len(known) - 1))
    return known[max(0, high - 1)], known[high]


def traffic_of(runs: Runs, names: Sequence[str]) -> Traffic:
    """Return the bytes of the messages of a run; names: those of the network's rows."""
    index = {name: row for row, name in enumerate(names)}
    traffic: dict[int, dict[tuple[int, int], float]] = defaultdict(dict)
    for message in runs.messages:
        pairs, pair = traffic[index[message.layer]], (message.sender, message.receiver)
        pairs[pair] = pairs.get(pair, 0.0) + message.nbytes
    return traffic


def predict(
    parts: Parts, traffic: Traffic, wires: Wires, *, serial: bool, names: Sequence[str]
) -> Prediction:
    """Return the prediction for the run with the median latency.

    At each exchange a node waits for the slowest one, and each is the slowest at times: medians of
    rows would be too short.
    """
    runs = zip(parts.front_s, parts.beside_s, parts.after_s, strict=True)
    every = sorted(
        (schedule(*run, traffic, wires, serial=serial, names=names) for run in runs),
        key=lambda prediction: prediction.latency_s,
    )
    return every[len(every) // 2]


def schedule(
    front_s: Floats,
    beside_s: Floats,
    after_s: Floats,
    traffic: Traffic,
    wires: Wires,
    *,
    serial: bool,
    names: Sequence[str],
) -> Prediction:
    """Return when the nodes compute, (N, L) seconds each, and their messages, each link in order.

    With `serial` an exchange ends before anything goes on, otherwise what lies beside it is
    computed meanwhile.
    """
    nodes, rows = front_s.shape
    now = np.zeros(nodes)
    links = {pair: _Link(wires) for pairs in traffic.values() for pair in pairs}
    events: list[Event] = []
    row_s = np.zeros(rows)

    def compute(node: int, row: int, kind: str, begin_s: float, time_s: float) -> float:
        end_s = begin_s + time_s
        events.append(_computes(names[row], kind, node, begin_s, end_s))
        return end_s

    for row in range(rows):
        begin_s = float(now[0])
        for node in range(nodes):
            now[node] = compute(node, row, "local", now[node], front_s[node, row])
        arrived, busy = np.zeros(nodes), np.zeros(nodes)
        for (i, j), nbytes in traffic.get(row, {}).items():
            sent_s, end_s = links[i, j].carries(float(now[i]), nbytes)
            arrived[j] = max(arrived[j], end_s)
            for node in (i, j):
                busy[node] = max(busy[node], end_s)
            events.append(_sends(names[row], i, j, sent_s, end_s, nbytes))
        for node in range(nodes):
            at, time_s = float(now[node]), float(beside_s[node, row])
            if serial:
                at = max(at, arrived[node])
            else:
                time_s = _dragged_s(time_s, float(busy[node]) - at, wires.drag)
            at = compute(node, row, "local", at, time_s)
            at = max(at, arrived[node])
            now[node] = compute(node, row, "remote", at, after_s[node, row])
        row_s[row] = now[0] - begin_s
    return Prediction(float(now.max()), tuple(events), row_s)


class _Link:
    """One direction between two nodes: a bucket that fills at the bandwidth and lets that pass."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires
        self._free_s, self._held = 0.0, float(wires.burst_bytes)

    def carries(self, now_s: float, nbytes: float) -> tuple[float, float]:
        """When a message that is handed over now is under way, and when it is there."""
        rate, most = self._wires.line.rate, self._wires.burst_bytes
        begin_s = max(now_s, self._free_s)
        held = min(most, self._held + (begin_s - self._free_s) * rate)
        over_s = begin_s + max(0.0, nbytes - held) / rate
        self._free_s, self._held = over_s, max(0.0, held - nbytes)
        return begin_s, over_s + self._wires.line.constant_s


def _dragged_s(work_s: float, busy_s: float, drag: float) -> float:
    """How long work takes that is slowed down for the first `busy_s`."""
    if work_s * drag <= busy_s:
        return work_s * drag
    return work_s if busy_s <= 0 else busy_s + (work_s - busy_s / drag)


def measured_events(runs: Runs, names: Sequence[str]) -> tuple[Event, ...]:
    """Return the events of the run whose latency is nearest to the median.

    A message is drawn from when its receiver began the exchange until it had it.
    """
    counted = runs.counted
    seconds = np.array([max(n.ends_s for n in r) - min(n.begins_s for n in r) for r in counted])
    run = counted[int(np.abs(seconds - np.median(seconds)).argmin())]
    zero = min(node.begins_s for node in run)
    traffic = traffic_of(runs, names)
    events: list[Event] = []
    for rank, node in enumerate(run):
        marks = {mark.row: mark for mark in node.marks}
        begins = [begin - zero for begin in (*node.row_begins_s, node.ends_s)]
        for row, (begin, end) in enumerate(pairwise(begins)):
            if row not in marks:
                events.append(_computes(names[row], "local", rank, begin, end))
                continue
            asks, went_on, waits, has = (moment - zero for moment in marks[row][1:])
            events.append(_computes(names[row], "local", rank, begin, asks))
            events.append(_computes(names[row], "local", rank, went_on, waits))
            events.append(_computes(names[row], "remote", rank, has, end))
            events += [
                _sends(names[row], i, j, asks, has, nbytes)
                for (i, j), nbytes in traffic.get(row, {}).items()
                if j == rank
            ]
    return tuple(events)


def _computes(layer: str, kind: str, node: int, begin_s: float, end_s: float) -> Event:
    return Event(layer, "", kind, f"node {node}", (node,), (), 0, begin_s, end_s, 0.0)


def _sends(layer: str, i: int, j: int, begin_s: float, end_s: float, nbytes: float) -> Event:
    return Event(layer, "", "message", f"link {i}→{j}", (i,), (j,), 0, begin_s, end_s, nbytes)
