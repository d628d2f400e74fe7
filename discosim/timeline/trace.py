"""A timeline as Chrome trace events, which Perfetto and chrome://tracing open.

The format is published as "Trace Event Format",
docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU.
"""

import json
from collections.abc import Iterable, Sequence

from discosim.timeline.schedule import Event

Record = dict[str, object]

LINKS = 1_000_000
"""Process number of the links; the nodes are those from 0 up."""


def trace_records(events: Iterable[Event], nodes: Sequence[str], process: str = "") -> list[Record]:
    """Return complete events ("X", in microseconds) and the metadata that names their tracks.

    A node is a process with one thread, each link, port or medium a thread of one more process.
    nodes: what to call each node; process: a prefix, to tell one run from another.
    """
    prefix = f"{process}: " if process else ""
    ordered = sorted(events, key=lambda event: (event.track, event.begin_s))
    carriers = [e.track for e in ordered if e.kind == "message"]
    links = {track: number for number, track in enumerate(dict.fromkeys(carriers))}
    records: list[Record] = []
    for node, name in enumerate(nodes):
        records += _named(node, f"{prefix}node {node}: {name}", 0, "processor")
    for track, number in links.items():
        records += _named(LINKS, f"{prefix}links", number, track)
    return records + [_complete(event, links) for event in ordered]


def to_chrome(records: Sequence[Record], about: dict[str, str]) -> str:
    """Return the JSON object of a trace; `about` is shown as its metadata."""
    head = json.dumps({"displayTimeUnit": "ms", "otherData": about}, indent=1)[:-2]
    lines = ",\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    return f'{head},\n "traceEvents": [\n{lines}\n]}}\n'


def _named(process: int, name: str, thread: int, thread_name: str) -> list[Record]:
    def meta(kind: str, args: Record) -> Record:
        return {"ph": "M", "name": kind, "pid": process, "tid": thread, "ts": 0, "args": args}

    return [
        meta("process_name", {"name": name}),
        meta("process_sort_index", {"sort_index": process}),
        meta("thread_name", {"name": thread_name}),
        meta("thread_sort_index", {"sort_index": thread}),
    ]


def _complete(event: Event, links: dict[str, int]) -> Record:
    """One event; both ends are rounded to nanoseconds, so that what follows does not overlap."""
    message = event.kind == "message"
    begin, end = round(event.begin_s * 1e6, 3), round(event.end_s * 1e6, 3)
    args: Record = {"op": event.op, "chunk": event.chunk}
    if message:
        args |= {"from": list(event.sources), "to": list(event.sinks), "bytes": event.nbytes}
    return {
        "ph": "X",
        "name": event.layer,
        "cat": event.kind,
        "pid": LINKS if message else event.sources[0],
        "tid": links[event.track] if message else 0,
        "ts": begin,
        "dur": round(end - begin, 3),
        "args": args,
    }
