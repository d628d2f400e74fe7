"""Within-layer plans: every layer's features are split over all nodes (model.md §1 and §2).

`density` (..., 1, L) is the fraction of the remote features that is sent, 1 - S_comm.
Two forms of one plan: `_even` in closed form for fractional features, all nodes alike (R = 1),
and `_owned` from the features that each node holds (R = N). `_pairwise` then replaces the rows
whose exchange is uneven.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from discosim.graph.split import Split, split
from discosim.graph.table import Bools, Floats, Ints, LayerTable
from discosim.model.traffic import Exchange, line_hops, ring_hops
from discosim.partition.pairs import exchange_of_pairs, largest_pair, mac_shares, put
from discosim.partition.plan import Conventions, Plan


@dataclass(frozen=True, eq=False)
class Layout:
    """A table on N nodes under given conventions."""

    table: LayerTable
    conventions: Conventions
    split: Split

    @property
    def nodes(self) -> int:
        """N."""
        return self.split.nodes

    @property
    def exchanges(self) -> Bools:
        """Rows whose input features are sent among their peers."""
        return self.split.peers > 1

    @property
    def shares_statistics(self) -> Bools:
        """Rows that normalise over features lying on several nodes, where that is counted."""
        spread = ~self.split.replicated_in & (self.nodes > 1)
        return (self.table.statistics > 0) & spread & self.conventions.service


@dataclass(frozen=True, eq=False)
class Shares:
    """The part of a Plan that the two forms compute; see there."""

    local: Floats
    remote: Floats
    in_share: Floats
    out_share: Floats
    exchange: Exchange
    chunk_features: Floats
    live_elems: Floats


def lay_out(table: LayerTable, nodes: int, conventions: Conventions) -> Layout:
    """Return how `table` lies on `nodes` nodes."""
    return Layout(table, conventions, split(table, nodes, conventions.whole))


def within_layer(layout: Layout, density: Floats) -> Plan:
    """Return the plan that sends `density` (..., 1, L) of each layer's remote features."""
    shares = _shares(layout, density)
    dense = _shares(layout, np.ones((1, len(layout.table))))
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
    )


def _shares(layout: Layout, density: Floats) -> Shares:
    whole, service = layout.conventions.whole, layout.conventions.service
    shares = (_owned if whole else _even)(layout, density)
    if service and not whole:
        shares = _even_gather(layout, shares)
    rows = layout.split.counted
    chosen = np.flatnonzero((rows < len(layout.table) - 1) | (service and whole))
    return _pairwise(layout, shares, density, chosen) if len(chosen) else shares


def _sent_density(layout: Layout, density: Floats) -> Floats:
    """Density at which each row's tensor is sent, once for all of its readers or once each.

    Sent once, the first reader's message is the union of what the readers have selected: of
    nested selections the largest.
    """
    if layout.conventions.resend:
        return density
    table = layout.table
    rows = np.flatnonzero(layout.exchanges & (table.groups == 1))
    if not len(rows):
        return density
    order = rows[np.argsort(table.source[rows], kind="stable")]
    _, starts = np.unique(table.source[order], return_index=True)
    sent = np.array(np.broadcast_to(density, (*density.shape[:-1], len(table))))
    union = np.maximum.reduceat(sent[..., order], starts, axis=-1)
    sent[..., rows] = 0.0
    sent[..., order[starts]] = union
    return sent


def _held(layout: Layout, shares: Shares) -> tuple[Floats, Floats]:
    """Received elements held during each row, and what each row's input takes on a node.

    A tensor that is sent once is held from its first reader to its last, and stored once.
    """
    table, received = layout.table, shares.exchange.received
    inputs = np.where(table.mixes, shares.in_share * table.in_elems + received, 0.0)
    if layout.conventions.resend:
        return received, inputs
    rows = np.flatnonzero(table.mixes)
    first = rows[np.unique(table.source[rows], return_index=True)[1]]
    last_of = {int(table.source[row]): row for row in rows}
    last = np.array([last_of[int(source)] for source in table.source[rows]])
    row_index = np.arange(len(table))
    hold = (rows[:, None] <= row_index) & (row_index <= last[:, None])
    stored = np.where(np.isin(row_index, first), inputs, 0.0)
    return received[..., rows] @ hold.astype(float), stored


def _unsent_share(layout: Layout, total: Floats, dense_total: Floats) -> Floats:
    """Average S_comm: features not sent / features that dense would send (model.md §5).

    The first layer's input counts as sent, as if it were exchanged.
    """
    table = layout.table
    rows = np.flatnonzero(table.mixes & layout.split.replicated_in)
    if not layout.conventions.resend:
        rows = rows[np.unique(table.source[rows], return_index=True)[1]]
    first = table.in_elems[rows].sum() * (layout.nodes - 1)
    dense = dense_total[..., table.mixes].sum(axis=(-2, -1)) + first
    sent = total[..., table.mixes].sum(axis=(-2, -1)) + first
    return 1.0 - sent / dense if layout.nodes > 1 else np.zeros_like(sent)


def _even(layout: Layout, density: Floats) -> Shares:
    """Fractional features, macs/N and I/N as they come."""
    table, parts, n = layout.table, layout.split, layout.nodes
    statistics, exchanges = layout.shares_statistics, layout.exchanges
    peers = np.where(statistics, float(n), parts.peers)
    others = peers - 1
    works = np.arange(len(table)) < len(table) - 1
    out_share = np.where(parts.replicated_out, 1.0, works / n)
    share = np.where(table.mixes, 1.0 / n, out_share)
    needed = np.where(exchanges, density, 0.0) * others / peers

    features = np.where(exchanges, _sent_density(layout, density), 0.0) * table.in_features / n
    features = np.where(statistics, table.statistics, features)
    pair = features * table.positions
    cap = np.where(statistics, table.statistics, table.in_features / n) * table.positions
    sends = (pair > 0) * others
    whole_ring = peers == n
    union = np.minimum(cap, others * pair)
    return Shares(
        local=np.where(statistics, 0.0, share / peers)[None],
        remote=np.where(statistics, share, share * needed),
        in_share=np.where(parts.replicated_in, 1.0, works / n)[None],
        out_share=out_share[None],
        exchange=Exchange(
            sent=others * pair,
            received=others * pair,
            union=union,
            send_peers=sends,
            recv_peers=sends,
            pair=pair,
            total=n * others * pair,
            total_union=n * union,
            total_messages=n * sends,
            senders=n * (sends > 0.0),
            ring=np.where(whole_ring, ring_hops(peers), line_hops(peers)) * pair,
            ring_steps=np.where(whole_ring, n // 2, others) * (sends > 0),
        ),
        chunk_features=features,
        live_elems=parts.even_live_elems[None],
    )


def _even_gather(layout: Layout, shares: Shares) -> Shares:
    """Add the output's way to one node: each other node sends its N-th."""
    n = layout.nodes
    pair = layout.table.in_elems[-1] / n
    hops, steps = max(1.0, (n - 1) / 2), n // 2
    amounts = {
        "sent": pair,
        "received": (n - 1) * pair,
        "union": pair,
        "send_peers": 1,
        "recv_peers": n - 1,
        "pair": pair,
        "total": (n - 1) * pair,
        "total_union": (n - 1) * pair,
        "total_messages": n - 1,
        "senders": n - 1,
        "ring": hops * pair,
        "ring_steps": steps,
    }
    last = np.arange(len(layout.table)) == len(layout.table) - 1
    exchange = {
        name: np.where(last, amount if n > 1 else 0.0, getattr(shares.exchange, name))
        for name, amount in amounts.items()
    }
    return replace(shares, exchange=Exchange(**exchange))


def _owned(layout: Layout, density: Floats) -> Shares:
    """Whole features in contiguous blocks that differ by at most one."""
    table, parts, n = layout.table, layout.split, layout.nodes
    statistics, exchanges = layout.shares_statistics, layout.exchanges
    own, active = parts.own_in, np.where(statistics, parts.own_in, parts.own_out) > 0
    in_share = np.where(parts.replicated_in, 1.0, own / table.in_features)
    out_share = np.where(parts.replicated_out, 1.0, parts.own_out / table.out_features)

    kept = np.where(exchanges, _whole(density * own), 0.0)
    remote = (kept.sum(-2, keepdims=True) - kept) / table.in_features
    sent = np.where(exchanges, _whole(_sent_density(layout, density) * own), 0.0)
    sent = np.where(statistics, table.statistics * (own > 0), sent)
    readers = active.sum(0) - active
    cap = np.where(statistics, table.statistics, own)
    sends = (sent > 0) * readers
    arrives = np.where(active, sent.sum(-2, keepdims=True) - sent, 0.0)
    sources = np.where(active, (sent > 0).sum(-2, keepdims=True) - (sent > 0), 0)
    pair = (sent * (readers > 0)).max(-2, keepdims=True)
    union = np.minimum(cap, readers * sent) * table.positions
    messages = sends.sum(-2, keepdims=True)
    return Shares(
        local=np.where(statistics, 0.0, out_share * np.where(exchanges, in_share, 1.0)),
        remote=np.where(statistics, out_share, out_share * remote),
        in_share=in_share,
        out_share=out_share,
        exchange=Exchange(
            sent=sent * readers * table.positions,
            received=arrives * table.positions,
            union=union,
            send_peers=sends,
            recv_peers=sources,
            pair=pair * table.positions,
            total=(sent * readers).sum(-2, keepdims=True) * table.positions,
            total_union=union.sum(-2, keepdims=True),
            total_messages=messages,
            senders=(sends > 0).sum(-2, keepdims=True),
            ring=ring_hops(float(n)) * pair * table.positions,
            ring_steps=(n // 2) * (messages > 0),
        ),
        chunk_features=pair,
        live_elems=parts.live_elems,
    )


def _whole(features: Floats) -> Floats:
    """Round half up, as `rounding exact` keeps features."""
    return np.floor(features + 0.5)


def _pairwise(layout: Layout, shares: Shares, density: Floats, chosen: Ints) -> Shares:
    """Replace the rows `chosen` among the counted ones by their exchange, pair by pair."""
    table, parts = layout.table, layout.split
    rows = parts.counted[chosen]
    needed, connected = parts.needed[..., chosen], parts.connected[..., chosen]
    wanted = np.where(table.mixes[rows], density[..., 0, rows], 1.0)[..., None, None, :]
    kept = wanted * needed
    if layout.conventions.whole:
        kept = _whole(kept)
    local, remote = mac_shares(kept, needed, connected)
    idle = np.where(table.mixes[rows], 0.0, shares.out_share[..., rows])
    own = np.where(table.mixes[rows], parts.own_in[:, rows], np.inf)
    exchange = exchange_of_pairs(kept, own, parts.unit_elems[chosen])
    return replace(
        shares,
        local=put(shares.local, rows, local),
        remote=put(shares.remote, rows, remote + idle),
        exchange=Exchange(
            **{
                field.name: put(getattr(shares.exchange, field.name), rows, values)
                for field, values in ((f, getattr(exchange, f.name)) for f in fields(Exchange))
            }
        ),
        chunk_features=put(shares.chunk_features, rows, largest_pair(kept)),
    )
