"""The band around a prediction: what the same configuration takes at best and at worst.

Of overlap and latency per message little is known before a program runs: at best communication
is hidden as far as any schedule can, across layers too, and messages are free; at worst nothing
overlaps and each message costs what the profile says. Nodes compute as much faster and slower as
the profile's own error says, where it has one.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from discosim.configuration import Configuration
from discosim.explore.axes import check_s_comm, variations
from discosim.explore.sweep import Columns, parts_of, s_comm_of, sweep_columns
from discosim.graph.table import Floats
from discosim.hardware import Hardware
from discosim.timeline.joined import Joined

LOW, HIGH = "latency_low_s", "latency_high_s"


def band_columns(
    columns: Columns,
    base: Configuration,
    hardware: Sequence[Hardware],
    *,
    strategies: Sequence[str],
    nodes: Sequence[int],
    s_comm: ArrayLike,
) -> Columns:
    """Return `columns`, a sweep of the same arguments, with latency_low_s and latency_high_s.

    low: what keeps the busiest node or link busy, which no overlap can be below; high: no
    overlap, the profile's alpha, or the row's own latency where its many messages make it slower.
    """
    knob = check_s_comm(s_comm)
    fast, slow = ([off_by(node, up) for node in hardware] for up in (True, False))
    every = variations(base, {"hardware": fast, "strategy": strategies, "nodes": nodes})
    low = np.concatenate([_low_s(*part) for each in every for part in parts_of(each, knob)])
    high = sweep_columns(
        base,
        hardware=slow,
        strategies=strategies,
        nodes=nodes,
        s_comm=s_comm,
        overlaps=["none"],
    )
    band = {name: np.full(len(columns["latency_s"]), np.nan) for name in (LOW, HIGH)}
    for overlap in dict.fromkeys(columns["overlap"]):  # each a sweep in the order of the other two
        rows = columns["overlap"] == overlap
        band[LOW][rows] = np.minimum(low, columns["latency_s"][rows])
        band[HIGH][rows] = np.maximum(high["latency_s"], columns["latency_s"][rows])
    names = list(columns)
    place = names.index("latency_s") + 1
    return {n: columns.get(n, band.get(n)) for n in (*names[:place], LOW, HIGH, *names[place:])}


def off_by(node: Hardware, faster: bool) -> Hardware:
    """Return a node that computes faster, or slower, by the error of its profile."""
    if isinstance(node, Joined):
        return node.each(lambda member: off_by(member, faster))
    if node.held_out_error is None:
        return node
    times = 1.0 + node.held_out_error
    return node.slowed(1.0 / times if faster else times)


def _low_s(given: Configuration, knob: Floats, count: int) -> Floats:
    split = replace(given, s_comm=s_comm_of(knob))
    return np.broadcast_to(split.least_s(), (count, len(knob))).ravel()
