"""The picture of a timeline: a bar for all that each node and each link does."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from discosim.report.style import COMM, COMP, RC, new_figure, time_unit
from discosim.timeline.schedule import Event

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LINKS = 12
"""Links that are drawn; of more, those that are busiest."""

LOCAL = "#7FB3D5"
COLOURS = {"message": COMM, "local": LOCAL, "remote": COMP}
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

    with mpl.rc_context(RC):
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
                look: Any = {"facecolors": colour, "linewidth": 0}
                axes.broken_barh(spans, (number - 0.38, 0.76), **look)
        axes.set_yticks(np.arange(len(tracks)), [name for _, name in tracks])
        axes.set(xlim=(0, end_s / factor), ylim=(len(tracks) - 0.4, -0.6))
        axes.set_xlabel(f"time [{unit}]")
        axes.grid(False, axis="y")
        seen = {event.kind for event in events}
        handles = [Patch(color=COLOURS[k], label=w) for k, w in WORDS.items() if k in seen]
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
        hidden = len({e.track for e in events if e.kind == "message"}) - MOST_LINKS
        if hidden > 0:
            axes.set_title(f"the {MOST_LINKS} busiest links; {hidden} more are not drawn")
        return figure


def _tracks(events: Sequence[Event], nodes: Sequence[str]) -> list[tuple[str, str]]:
    """Tracks from top to bottom, each with its name: the nodes, then the links."""
    busy: dict[str, float] = {}
    for event in events:
        if event.kind == "message":
            busy[event.track] = busy.get(event.track, 0.0) + event.end_s - event.begin_s
    shown = sorted(sorted(busy, key=lambda track: -busy[track])[:MOST_LINKS])
    named = [(f"node {number}", f"node {number}: {name}") for number, name in enumerate(nodes)]
    return named + [(track, track) for track in shown]
