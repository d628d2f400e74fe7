"""Within-layer plans: every layer's features are split over all nodes (model.md §1 and §2).

`density`, (..., 1, L) or (..., 1, 1), is the fraction of the remote features that is sent,
1 - S_comm. Two forms of one plan: `even`, in closed form for fractional features, and `owned`,
from the features that each node holds. Rows whose exchange is uneven are then replaced by
their exchange pair by pair.
"""

from dataclasses import fields, replace

import numpy as np

from discosim.graph.table import Bools, Floats, Ints
from discosim.model.traffic import Exchange
from discosim.partition.even import even_shares, with_even_gather
from discosim.partition.layout import Layout, Shares
from discosim.partition.owned import owned_shares, whole_features
from discosim.partition.pairs import exchange_of_pairs, largest_pair, mac_shares, put
from discosim.partition.plan import Plan


def within_layer(layout: Layout, density: Floats) -> Plan:
    """Return the plan that sends `density` of each layer's remote features."""
    return as_plan(layout, _shares(layout, density), _shares(layout, np.ones((1, 1))))


def as_plan(layout: Layout, shares: Shares, dense: Shares) -> Plan:
    """Return the plan of `shares`; `dense` are those of the same layout that sends everything."""
    buffers, stored = _held(layout, shares)
    return Plan(
        nodes=layout.nodes,
        local=shares.local,
        remote=shares.remote,
        in_share=shares.in_share,
        out_share=shares.out_share,
        exchange=shares.exchange,
        chunk_features=shares.chunk_features,
        live_elems=shares.live_elems,
        buffer_elems=buffers,
        stored_elems=stored,
        avg_s_comm=_unsent_share(layout, shares.exchange.total, dense.exchange.total),
        stage=None,
    )


def _shares(layout: Layout, density: Floats) -> Shares:
    whole, service = layout.conventions.whole, layout.conventions.service
    shares = (owned_shares if whole else even_shares)(layout, density)
    rows = layout.split.counted
    uneven = rows < len(layout.table) - 1  # all but the gathering
    if service and not whole and not uneven.any():
        return with_even_gather(layout, shares)
    chosen = np.flatnonzero(uneven | service)
    return pairwise(layout, shares, density, chosen) if len(chosen) else shares


def _held(layout: Layout, shares: Shares) -> tuple[Floats, Floats]:
    """Received elements held during each row, and what all rows' inputs take on a node.

    A tensor that is sent once is held from its first reader to its last, and stored once.
    """
    table, received = layout.table, shares.exchange.received
    if layout.conventions.resend:
        return received, _stored(layout, shares, table.mixes)
    rows = np.flatnonzero(table.mixes)
    first = rows[np.unique(table.source[rows], return_index=True)[1]]
    last_of = {int(table.source[row]): row for row in rows}
    last = np.array([last_of[int(source)] for source in table.source[rows]])
    row_index = np.arange(len(table))
    hold = (rows[:, None] <= row_index) & (row_index <= last[:, None])
    stored = _stored(layout, shares, np.isin(row_index, first))
    return received[..., rows] @ hold.astype(float), stored


def _stored(layout: Layout, shares: Shares, counts: Bools) -> Floats:
    own: Floats = shares.in_share @ (layout.table.in_elems * counts)
    received: Floats = shares.exchange.received @ counts.astype(float)
    return own + received


def _unsent_share(layout: Layout, total: Floats, dense_total: Floats) -> Floats:
    """Average S_comm: features not sent / features that dense would send (model.md §5).

    The first layer's input counts as sent, as if it were exchanged.
    """
    table = layout.table
    rows = np.flatnonzero(table.mixes & layout.split.replicated_in)
    if not layout.conventions.resend:
        rows = rows[np.unique(table.source[rows], return_index=True)[1]]
    first = table.in_elems[rows].sum() * (layout.nodes - 1)
    counts = table.mixes.astype(float)
    dense, sent = (dense_total @ counts)[..., 0] + first, (total @ counts)[..., 0] + first
    return 1.0 - sent / dense if layout.nodes > 1 else np.zeros_like(sent)


def pairwise(layout: Layout, shares: Shares, density: Floats, chosen: Ints) -> Shares:
    """Replace the rows `chosen` among the counted ones by their exchange, pair by pair."""
    table, parts = layout.table, layout.split
    rows = parts.counted[chosen]
    needed, connected = parts.needed[..., chosen], parts.connected[..., chosen]
    wanted = np.where(table.mixes[rows], _columns(density, len(table))[..., 0, rows], 1.0)[
        ..., None, None, :
    ]
    kept = wanted * needed
    if layout.conventions.whole:
        kept = whole_features(kept)
    local, remote = mac_shares(kept, needed, connected)
    idle = np.where(table.mixes[rows], 0.0, shares.out_share[..., rows])
    own = np.where(table.mixes[rows], parts.own_in[:, rows], np.inf)
    exchange = exchange_of_pairs(kept, own, parts.unit_elems[chosen])
    return with_rows(shares, rows, exchange, (local, remote + idle), largest_pair(kept))


def with_rows(
    shares: Shares,
    rows: Ints,
    exchange: Exchange,
    work: tuple[Floats, Floats],
    chunk_features: Floats,
) -> Shares:
    """Return `shares` with those of `rows` replaced; `work` is local and remote, (..., N, K)."""
    put_in = {
        field.name: put(getattr(shares.exchange, field.name), rows, getattr(exchange, field.name))
        for field in fields(Exchange)
    }
    return replace(
        shares,
        local=put(shares.local, rows, work[0]),
        remote=put(shares.remote, rows, work[1]),
        exchange=Exchange(**put_in),
        chunk_features=put(shares.chunk_features, rows, chunk_features),
    )


def _columns(density: Floats, rows: int) -> Floats:
    return np.broadcast_to(density, (*density.shape[:-1], rows))
