"""Within-layer plan from the features that each node holds: R = N, whole features.

Blocks are contiguous and differ by at most one; groups and heads are whole (`rounding exact`).
"""

import numpy as np

from discosim.graph.table import Floats
from discosim.model.traffic import Exchange, ring_hops
from discosim.partition.layout import Layout, Shares, sent_density


def owned_shares(layout: Layout, density: Floats) -> Shares:
    """Whole features in contiguous blocks that differ by at most one."""
    table, parts, n = layout.table, layout.split, layout.nodes
    statistics, exchanges = layout.shares_statistics, layout.exchanges
    own, active = parts.own_in, np.where(statistics, parts.own_in, parts.own_out) > 0
    in_share = np.where(parts.replicated_in, 1.0, own / table.in_features)
    out_share = np.where(parts.replicated_out, 1.0, parts.own_out / table.out_features)

    kept = np.where(exchanges, whole_features(density * own), 0.0)
    remote = (kept.sum(-2, keepdims=True) - kept) / table.in_features
    sent = np.where(exchanges, whole_features(sent_density(layout, density) * own), 0.0)
    sent = np.where(statistics, table.statistics * (own > 0), sent)
    readers = active.sum(0) - active
    cap = np.where(statistics, table.statistics, own)
    sends = (sent > 0) * readers
    arrives = np.where(active, sent.sum(-2, keepdims=True) - sent, 0.0)
    sources = np.where(active, (sent > 0).sum(-2, keepdims=True) - (sent > 0), 0)
    offered = sent * (readers > 0)
    pair = offered.max(-2, keepdims=True)
    link = np.sort(offered, axis=-2)[..., -2:, :].sum(-2, keepdims=True)  # the two largest
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
            link=link * table.positions,
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


def whole_features(features: Floats) -> Floats:
    """Round half up, as `rounding exact` keeps features."""
    return np.floor(features + 0.5)
