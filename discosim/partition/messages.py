"""Who sends how much to whom before each row: a plan's exchange, message by message."""

import numpy as np

from discosim.graph.table import Floats
from discosim.partition.layout import Layout
from discosim.partition.owned import whole_features
from discosim.partition.plan import Plan


def pair_elems(layout: Layout, density: Floats, plan: Plan) -> Floats:
    """Return the elements that node i sends node j before row l, (N, N, L) at [i, j, l].

    `plan` is that of `layout` with `density` (1, L) of the remote features sent.
    """
    exchange, split, n = plan.exchange, layout.split, layout.nodes
    rows = len(layout.table)
    sent, sends, received = (
        np.broadcast_to(values, (n, rows))
        for values in (exchange.sent, exchange.send_peers, exchange.received)
    )
    to_each = np.divide(sent, sends, out=np.zeros((n, rows)), where=sends > 0)
    size = np.where(layout.shares_statistics, n, split.peers)  # neighbours that exchange
    group = np.arange(n)[:, None] // size
    apart = ~np.eye(n, dtype=bool)[..., None] & (group[:, None] == group[None])
    elems: Floats = to_each[:, None] * (received > 0)[None] * apart
    elems[..., -1] = 0.0
    if layout.conventions.service:
        elems[1:, 0, -1] = sent[1:, -1]
    counted = np.flatnonzero(split.counted < rows - 1)
    at = split.counted[counted]
    needed = split.needed[..., counted]
    kept = np.where(layout.table.mixes[at], np.broadcast_to(density, (1, rows))[0, at], 1.0)
    kept = kept * needed * ~np.eye(n, dtype=bool)[..., None]
    kept = whole_features(kept) if layout.conventions.whole else kept
    elems[..., at] = kept * split.unit_elems[counted]
    return elems


def handed_elems(plan: Plan) -> Floats:
    """Return the same (N, N, L) for a pipeline: what each stage hands on to the next."""
    assert plan.stage is not None
    sent = np.broadcast_to(plan.exchange.sent, (plan.nodes, len(plan.stage)))
    elems = np.zeros((plan.nodes, plan.nodes, len(plan.stage)))
    for node in range(plan.nodes - 1):
        elems[node, node + 1] = sent[node]
    return elems
