"""Exchange known pair by pair: (..., N, N, K), from one node to another, for K layers."""

import numpy as np

from discosim.graph.table import Floats, Ints
from discosim.model.traffic import Exchange, ring_hops


def _apart(per_pair: Floats) -> Floats:
    """The same without what a node would send itself."""
    nodes = per_pair.shape[-2]
    return np.where(np.eye(nodes, dtype=bool)[..., None], 0.0, per_pair)


def largest_pair(kept: Floats) -> Floats:
    """Return the features of the largest message, (..., 1, K)."""
    largest: Floats = _apart(kept).max(axis=(-3, -2))[..., None, :]
    return largest


def exchange_of_pairs(kept: Floats, own: Floats, unit_elems: Floats) -> Exchange:
    """Return the exchange in which node i sends kept[i, j] of its `own` (N, K) features to j.

    `unit_elems` (K,) elements stand for one feature; where each feature goes to one node only,
    `own` is infinite. On a ring, the largest pair is taken for
    all of them: an upper bound.
    """
    kept = _apart(kept)
    nodes = kept.shape[-2]
    sent, received = kept.sum(-2), kept.sum(-3)
    send_peers, recv_peers = (kept > 0).sum(-2), (kept > 0).sum(-3)
    pair = largest_pair(kept) * unit_elems
    union = np.minimum(own, sent) * unit_elems
    messages = send_peers.sum(-2, keepdims=True)
    return Exchange(
        sent=sent * unit_elems,
        received=received * unit_elems,
        union=union,
        send_peers=send_peers.astype(float),
        recv_peers=recv_peers.astype(float),
        pair=pair,
        link=largest_pair(kept + kept.swapaxes(-3, -2)) * unit_elems,
        total=sent.sum(-2, keepdims=True) * unit_elems,
        total_union=union.sum(-2, keepdims=True),
        total_messages=messages.astype(float),
        senders=(send_peers > 0).sum(-2, keepdims=True).astype(float),
        ring=ring_hops(float(nodes)) * pair,
        ring_steps=(nodes // 2) * (messages > 0.0),
    )


def mac_shares(kept: Floats, needed: Floats, connected: Floats) -> tuple[Floats, Floats]:
    """Return each node's share (..., N, K) of a layer's MACs without and with received features.

    connected[i, j] counts the pairs of a feature of node i and an output of node j that depends
    on it; of those between two nodes, the share kept/needed is computed.
    """
    total = connected.sum(axis=(-3, -2))
    total = np.where(total > 0, total, 1.0)
    local = np.einsum("iik->ik", connected) / total
    fraction = np.divide(kept, needed, out=np.zeros_like(kept + needed), where=needed > 0)
    remote = _apart(fraction * connected).sum(-3) / total
    return local, remote


def put(base: Floats, rows: Ints, values: Floats) -> Floats:
    """Return `base` (..., L) with `values` (..., K) at `rows`."""
    leading = np.broadcast_shapes(base.shape[:-1], values.shape[:-1])
    full = np.array(np.broadcast_to(base, (*leading, base.shape[-1])), dtype=float)
    full[..., rows] = values
    return full
