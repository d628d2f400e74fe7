"""A timeline as data, as tables for people and as a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from discosim.report.lettering import fitted
from discosim.report.style import COMM, COMP, legend_below, new_figure, rc, time_unit
from discosim.report.tables import Cells, percent, scaled
from discosim.timeline.schedule import Event, Timeline, interval_s
from discosim.timeline.totals import energy_J, price_usd
from discosim.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROUNDING = 1e-12
"""Share of the latency below which a node does not wait: sums in two orders differ by that."""


def events_frame(events: tuple[Event, ...]) -> pd.DataFrame:
    """Return one row an event, SI units; nodes of a message as text, such as 0 or 0+1."""
    return pd.DataFrame(
        {
            "layer": [e.layer for e in events],
            "op": [e.op for e in events],
            "kind": [e.kind for e in events],
            "track": [e.track for e in events],
            "from": ["+".join(map(str, e.sources)) for e in events],
            "to": ["+".join(map(str, e.sinks)) for e in events],
            "chunk": [e.chunk for e in events],
            "begin_s": [e.begin_s for e in events],
            "end_s": [e.end_s for e in events],
            "bytes": [e.nbytes for e in events],
        }
    )


def nodes_frame(timeline: Timeline) -> pd.DataFrame:
    """Return one row a node: what it holds, computes, waits for, sends and receives."""
    work, total = timeline.work, timeline.latency_s
    compute_s = (work.local_s + work.remote_s).sum(-1)
    idle_s = total - compute_s
    carried = work.message_bytes
    return pd.DataFrame(
        {
            "node": range(work.plan.nodes),
            "hardware": [node.name for node in work.cluster.nodes[: work.plan.nodes]],
            "share": work.shares,
            "compute_s": compute_s,
            "waiting_s": np.where(idle_s > ROUNDING * total, idle_s, 0.0),
            "latency_s": total,
            "sent_bytes": carried.sum(axis=(1, 2)),
            "received_bytes": carried.sum(axis=(0, 2)),
            "weight_bytes": work.weight_bytes,
            "feature_bytes": work.feature_bytes,
            "node_bytes": work.node_bytes,
            "memory_bytes": np.where(np.isinf(work.memory_bytes), np.nan, work.memory_bytes),
        }
    )


def show_nodes(frame: pd.DataFrame) -> Cells:
    """Return rows of `nodes_frame` for people."""
    cells = {
        "node": [str(node) for node in frame["node"]],
        "hardware": list(frame["hardware"]),
        "share [%]": percent(frame["share"]),
    }
    for name, column, unit in (
        ("computes", "compute_s", "s"),
        ("waits", "waiting_s", "s"),
        ("sends", "sent_bytes", "B"),
        ("receives", "received_bytes", "B"),
        ("holds", "node_bytes", "B"),
        *((("of", "memory_bytes", "B"),) * bool(frame["memory_bytes"].notna().any())),
    ):
        header, texts = scaled(frame[column], name, unit)
        cells[header] = texts
    return cells


def timeline_findings(timeline: Timeline, serial_s: float) -> list[str]:
    """Return the latency, what overlap saves of `serial_s`, what is busiest, and what fits."""
    total, nodes = timeline.latency_s, nodes_frame(timeline)
    line = f"{format_quantity(total, 's')} with overlap {timeline.overlap}"
    if timeline.overlap.mode != "none" and total > 0:
        line += f"; {format_quantity(serial_s, 's')} without, {serial_s / total:.3g}x as long"
    busy = links_busy(timeline)
    node = int(np.argmax(nodes["compute_s"]))
    share = 100 * float(nodes["compute_s"][node]) / total if total else 0.0
    second = f"Node {node} computes most: {share:.3g} % of the time"
    if busy:
        track = max(busy, key=lambda name: busy[name])
        second += f"; the busiest of the links is {track}: {100 * busy[track] / total:.3g} %"
    return [f"{line}.", f"{second}.", *_stream(timeline), *_memory(timeline), *_totals(timeline)]


def _stream(timeline: Timeline) -> list[str]:
    """How often a pipeline gives a result."""
    if timeline.work.plan.stage is None:
        return []
    each_s = interval_s(timeline.work, timeline.overlap)
    return [f"Of a stream of inputs, a result comes every {format_quantity(each_s, 's')}."]


def _totals(timeline: Timeline) -> list[str]:
    """What the nodes cost together and what an inference takes, where they all state it."""
    price, energy = price_usd(timeline.work.cluster.nodes), energy_J(timeline)
    words = [f"the nodes cost {format_quantity(price, 'USD')}"] if price == price else []
    words += [f"an inference takes {format_quantity(energy, 'J')}"] if energy == energy else []
    return [f"Together {' and '.join(words)}."] if words else []


def _memory(timeline: Timeline) -> list[str]:
    """Which nodes do not hold what they are given."""
    work = timeline.work
    over = np.flatnonzero(work.node_bytes > work.memory_bytes)
    return [
        f"Node {node} ({work.cluster.nodes[node].name}) does not fit: it needs "
        f"{format_quantity(work.node_bytes[node], 'B')} of its "
        f"{format_quantity(work.memory_bytes[node], 'B')}."
        for node in over
    ]


def links_busy(timeline: Timeline) -> dict[str, float]:
    """Return for how many seconds each link, port or medium carries something."""
    busy: dict[str, float] = {}
    for event in timeline.events:
        if event.kind == "message":
            busy[event.track] = busy.get(event.track, 0.0) + event.end_s - event.begin_s
    return busy


MOST_LINKS = 12
"""Links that are drawn; of more, those that are busiest."""

LOCAL = "#A3CCE6"
COLOURS = {"message": COMM, "local": LOCAL, "remote": COMP}
CLEAR = {"message": 0.75, "local": 1.0, "remote": 1.0}
"""How clear a colour is, so that they differ in grey."""
WORDS = {
    "local": "computation without received features",
    "remote": "computation with received features",
    "message": "message",
}


def draw_gantt(events: Sequence[Event], nodes: Sequence[str], title: str) -> "Figure":
    """Return a row for each node and for each link, time to the right.

    A white gap is waiting; the bars of one row touch where it is never idle.
    """
    import matplotlib as mpl
    from matplotlib.patches import Patch

    with mpl.rc_context(rc()):
        end_s = max((event.end_s for event in events), default=1.0)
        factor, unit = time_unit([end_s])
        tracks = _tracks(events, nodes)
        figure = new_figure(11.0, 1.9 + 0.36 * len(tracks), title)
        axes = figure.subplots()
        for kind, colour in COLOURS.items():
            for number, (track, _) in enumerate(tracks):
                spans = [
                    (e.begin_s / factor, (e.end_s - e.begin_s) / factor)
                    for e in events
                    if e.track == track and e.kind == kind
                ]
                look: Any = {"facecolors": colour, "linewidth": 0, "alpha": CLEAR[kind]}
                axes.broken_barh(spans, (number - 0.38, 0.76), **look)
        axes.set_yticks(np.arange(len(tracks)), [name for _, name in tracks])
        axes.set(xlim=(0, end_s / factor), ylim=(len(tracks) - 0.4, -0.6))
        axes.set_xlabel(f"time [{unit}]")
        axes.grid(False, axis="y")
        seen = {event.kind for event in events}
        handles = [
            Patch(fc=COLOURS[k], alpha=CLEAR[k], label=w) for k, w in WORDS.items() if k in seen
        ]
        legend_below(figure, handles, ncols=3)
        hidden = len({e.track for e in events if e.kind == "message"}) - MOST_LINKS
        if hidden > 0:
            axes.set_title(f"the {MOST_LINKS} busiest links; {hidden} more are not drawn")
        return fitted(figure)


def _tracks(events: Sequence[Event], nodes: Sequence[str]) -> list[tuple[str, str]]:
    """Tracks from top to bottom, each with its name: the nodes, then the links."""
    busy: dict[str, float] = {}
    for event in events:
        if event.kind == "message":
            busy[event.track] = busy.get(event.track, 0.0) + event.end_s - event.begin_s
    shown = sorted(sorted(busy, key=lambda track: -busy[track])[:MOST_LINKS])
    named = [(f"node {number}", f"node {number}: {name}") for number, name in enumerate(nodes)]
    return named + [(track, track) for track in shown]
