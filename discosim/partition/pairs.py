"""Exchange known pair by pair: (..., N, N, K), from one node to another, for K layers."""

import numpy as np

from discosim.graph.table import Floats
from discosim.model.exchange import PairExchange


def _apart(per_pair: Floats) -> Floats:
    """The same without what a node would send itself."""
    nodes = per_pair.shape[-2]
    return np.where(np.eye(nodes, dtype=bool)[..., None], 0.0, per_pair)


def largest_pair(kept: Floats) -> Floats:
    """Return the features of the largest message, (..., 1, K)."""
    largest: Floats = _apart(kept).max(axis=(-3, -2))[..., None, :]
    return largest


def exchange_of_pairs(kept: Floats, own: Floats, unit_elems: Floats) -> PairExchange:
    """Return the exchange in which node i sends kept[i, j] of its `own` (N, K) features to j.

    `unit_elems` (K,) elements stand for one feature; where each feature goes to one node only,
    `own` is infinite.
    """
    return PairExchange(kept * unit_elems, own * unit_elems)


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
