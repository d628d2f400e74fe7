"""Within-layer plan in closed form: fractional features, all nodes alike, R = 1 (model.md §2)."""

from dataclasses import fields, replace

import numpy as np

from discosim.graph.table import Floats
from discosim.model.traffic import EvenExchange, Exchange
from discosim.partition.layout import Layout, Shares, sent_density


def even_shares(layout: Layout, density: Floats) -> Shares:
    """Return the shares with macs/N and I/N as they come."""
    table, parts, n = layout.table, layout.split, layout.nodes
    statistics = layout.shares_statistics
    peers = np.where(statistics, float(n), parts.peers)
    works = np.arange(len(table)) < len(table) - 1  # the gathering does no work
    out_share = np.where(parts.replicated_out, 1.0, works / n)
    share = np.where(table.mixes, 1.0 / n, out_share)

    own = np.where(statistics, table.statistics, table.in_features / n)
    offered = np.where(layout.exchanges, own, 0.0)
    features = sent_density(layout, density) * offered
    needed = density * (layout.exchanges * share * (parts.peers - 1) / peers)
    if statistics.any():
        features = features + np.where(statistics, table.statistics, 0.0)
        needed = needed + np.where(statistics, share, 0.0)
    return Shares(
        local=np.where(statistics, 0.0, share / peers)[None],
        remote=needed,
        in_share=np.where(parts.replicated_in, 1.0, works / n)[None],
        out_share=out_share[None],
        exchange=EvenExchange(features * table.positions, peers, own * table.positions, n),
        chunk_features=features,
        live_elems=parts.even_live_elems[None],
    )


def with_even_gather(layout: Layout, shares: Shares) -> Shares:
    """Add the output's way to one node: each other node sends its N-th."""
    n = layout.nodes
    pair = layout.table.in_elems[-1] / n
    hops = max(1.0, (n - 1) / 2)
    amounts = {
        "sent": pair,
        "received": (n - 1) * pair,
        "union": pair,
        "send_peers": 1.0,
        "recv_peers": n - 1.0,
        "pair": pair,
        "link": pair,
        "total": (n - 1) * pair,
        "total_union": (n - 1) * pair,
        "total_messages": n - 1.0,
        "senders": n - 1.0,
        "ring": hops * pair,
        "ring_steps": n // 2,
    }
    last = np.arange(len(layout.table)) == len(layout.table) - 1
    values = {
        field.name: np.where(
            last, amounts[field.name] * (n > 1), getattr(shares.exchange, field.name)
        )
        for field in fields(Exchange)
    }
    return replace(shares, exchange=Exchange(**values))
