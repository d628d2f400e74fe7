"""Within-layer plan in closed form: fractional features, all nodes alike, R = 1 (model.md §2)."""

from dataclasses import replace

import numpy as np

from discosim.graph.table import Floats
from discosim.model.combined_exchange import PartsExchange
from discosim.model.even_exchange import EvenExchange
from discosim.model.exchange import PairExchange
from discosim.partition.layout import Layout, Shares, sent_once


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
    features = sent_once(layout, density * offered, own)
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
    """Add the output's way to one node: each other node sends its N-th, replicated ones nothing."""
    table, nodes = layout.table, layout.nodes
    rows = layout.split.counted
    if nodes == 1 or not len(rows):
        return shares
    divided = table.outputs[~layout.split.replicated_out[table.outputs - 1]]
    elems = np.zeros((nodes, nodes, 1))
    elems[1:, 0] = table.tensor_elems[divided].sum() / nodes
    gathering = PairExchange(elems, np.full((nodes, 1), np.inf))
    return replace(shares, exchange=PartsExchange(shares.exchange, rows[-1:], gathering))
