"""Who sends how much to whom before each row: a plan's exchange, message by message."""

from dataclasses import replace

import numpy as np

from discosim.graph.table import Floats, LayerTable
from discosim.masks.mask import Mask
from discosim.masks.measure import by_pair
from discosim.masks.sent import sent_features
from discosim.partition.layout import Layout
from discosim.partition.owned import whole_features
from discosim.partition.plan import Conventions, Plan
from discosim.partition.split import split_as_placed


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


def masked_elems(table: LayerTable, mask: Mask, conventions: Conventions, plan: Plan) -> Floats:
    """Return the same (N, N, L) for the plan of a mask: what it sends, pair by pair."""
    placed = split_as_placed(table, mask.owners, mask.nodes, whole=True)
    layout = Layout(table, replace(conventions, whole=True), placed)
    elems = pair_elems(layout, np.ones((1, len(table))), plan)
    sent = sent_features(table.network, mask, resend=conventions.resend)
    for row, name in enumerate(table.name):
        masked = mask.layers.get(name)
        if masked is not None and masked.in_owner is not None:
            elems[..., row] = by_pair(sent[name], masked.in_owner) * table.positions[row]
    elems[np.arange(mask.nodes), np.arange(mask.nodes)] = 0.0
    return elems


def handed_elems(plan: Plan) -> Floats:
    """Return the same (N, N, L) for a pipeline: what each stage hands on to the next."""
    assert plan.stage is not None
    sent = np.broadcast_to(plan.exchange.sent, (plan.nodes, len(plan.stage)))
    elems = np.zeros((plan.nodes, plan.nodes, len(plan.stage)))
    for node in range(plan.nodes - 1):
        elems[node, node + 1] = sent[node]
    return elems
