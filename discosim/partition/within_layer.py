"""Within-layer plans: every layer's features are split over all nodes (model.md §1 and §2).

`density`, (..., 1, L) or (..., 1, 1), is the fraction of the remote features that is sent,
1 - S_comm. Two forms of one plan: `even`, in closed form for fractional features, and `owned`,
from the features that each node holds. Rows whose exchange is uneven are then replaced by
their exchange pair by pair.
"""

from dataclasses import replace

import numpy as np

from discosim.graph.table import Bools, Floats, Ints
from discosim.model.combined_exchange import PartsExchange, put
from discosim.model.exchange import Exchange
from discosim.model.rounding import kept_features
from discosim.partition.even import even_shares, with_even_gather
from discosim.partition.layout import Layout, Shares
from discosim.partition.owned import owned_shares
from discosim.partition.pairs import exchange_of_pairs, largest_pair, mac_shares
from discosim.partition.plan import Plan
from discosim.partition.readers import sent_to_readers
from discosim.partition.split import ALWAYS, ONCE, SERVICE


def within_layer(layout: Layout, density: Floats) -> Plan:
    """Return the plan that sends `density` of each layer's remote features."""
    plan = as_plan(layout, _shares(layout, density), _shares(layout, np.ones((1, 1))))
    read = np.where(layout.table.mixes, _columns(density, len(layout.table)), 1.0)
    return replace(plan, density=read)


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
    holds = {ALWAYS: True, SERVICE: service, ONCE: not layout.conventions.resend}
    chosen = np.array([holds[when] for when in layout.split.when], dtype=bool)
    gathers = layout.split.counted == len(layout.table) - 1
    if service and not whole and not (chosen & ~gathers).any():
        return with_even_gather(layout, shares)
    return pairwise(layout, shares, density, np.flatnonzero(chosen)) if chosen.any() else shares


def _held(layout: Layout, shares: Shares) -> tuple[Floats, Floats]:
    """Received elements held during each row, and what all rows' inputs take on a node.

    A tensor that is sent once is held from its first reader to its last, and stored once; what
    other operators receive (an operand that is moved, statistics, the output) while they run.
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
    held = np.where(table.mixes, 0.0, received)
    # not as a matrix product: see LayerTable.held
    return held + np.einsum("...k,kl->...l", received[..., rows], hold), stored


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
    whole = layout.conventions.whole
    kept = kept_features(wanted, needed) if whole else wanted * needed
    local, remote = mac_shares(kept, needed, connected)
    idle = np.where(table.mixes[rows], 0.0, shares.out_share[..., rows])
    sent, distinct = kept, parts.distinct[:, chosen]
    if not layout.conventions.resend:
        sent, distinct = _sent_once(layout, rows, kept, needed)
    exchange = exchange_of_pairs(sent, distinct, parts.unit_elems[chosen])
    return with_rows(shares, rows, exchange, (local, remote + idle), largest_pair(sent))


def _sent_once(layout: Layout, rows: Ints, kept: Floats, needed: Floats) -> tuple[Floats, Floats]:
    """What the counted `rows` send, (..., N, N, K), and distinct features of a node, (N, K).

    The first reader's message carries what any reader of the tensor selects.
    """
    conventions, parts = layout.conventions, layout.split
    sent = np.array(kept)
    distinct = parts.distinct[:, np.isin(parts.counted, rows)]
    for readers in parts.readers:
        if readers.alike or not np.isin(readers.rows, rows).all():
            continue
        at = np.searchsorted(rows, readers.rows)
        union = sent_to_readers(
            readers, kept[..., at], needed[..., at], conventions.selection, conventions.whole
        )
        sent[..., at] = 0.0
        sent[..., at[0]] = union
        distinct[:, at[0]] = parts.own_in[:, rows[at[0]]]
    return sent, distinct


def with_rows(
    shares: Shares,
    rows: Ints,
    exchange: Exchange,
    work: tuple[Floats, Floats],
    chunk_features: Floats,
) -> Shares:
    """Return `shares` with those of `rows` replaced; `work` is local and remote, (..., N, K)."""
    return replace(
        shares,
        local=put(shares.local, rows, work[0]),
        remote=put(shares.remote, rows, work[1]),
        exchange=PartsExchange(shares.exchange, rows, exchange),
        chunk_features=put(shares.chunk_features, rows, chunk_features),
    )


def _columns(density: Floats, rows: int) -> Floats:
    return np.broadcast_to(density, (*density.shape[:-1], rows))
