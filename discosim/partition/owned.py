"""Within-layer plan from the features that each node holds: R = N, whole features.

Blocks are contiguous and differ by at most one; groups and heads are whole (`rounding exact`).
"""

import numpy as np

from discosim.graph.table import Floats
from discosim.model.even_exchange import AllExchange
from discosim.model.rounding import kept_features
from discosim.partition.layout import Layout, Shares, sent_once


def owned_shares(layout: Layout, density: Floats) -> Shares:
    """Return the shares of whole features in contiguous blocks that differ by at most one.

    Every node is taken to read what the others send; rows in which some do not are counted pair
    by pair in their place.
    """
    table, parts = layout.table, layout.split
    statistics, exchanges = layout.shares_statistics, layout.exchanges
    own = parts.own_in
    in_share = np.where(parts.replicated_in, 1.0, own / table.in_features)
    out_share = np.where(parts.replicated_out, 1.0, parts.own_out / table.out_features)

    kept = np.where(exchanges, kept_features(density, own), 0.0)
    remote = (kept.sum(-2, keepdims=True) - kept) / table.in_features
    sent = np.where(statistics, table.statistics * (own > 0), sent_once(layout, kept, own))
    has = np.where(statistics, table.statistics, own)
    return Shares(
        local=np.where(statistics, 0.0, out_share * np.where(exchanges, in_share, 1.0)),
        remote=np.where(statistics, out_share, out_share * remote),
        in_share=in_share,
        out_share=out_share,
        exchange=AllExchange(sent * table.positions, has * table.positions),
        chunk_features=sent.max(-2, keepdims=True),
        live_elems=parts.live_elems,
    )
