"""What there is to do: each node's time for each row, and the messages before it."""

from dataclasses import dataclass, replace

import numpy as np

from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.graph.table import Floats, LayerTable
from discosim.masks.messages import handed_elems, masked_elems, pair_elems
from discosim.model.traffic import TOPOLOGIES
from discosim.partition.layout import Layout, lay_out
from discosim.partition.plan import CONVENTIONS, Plan
from discosim.partition.uneven import split_by_share
from discosim.partition.within_layer import within_layer
from discosim.simulate import simulate
from discosim.strategies.uniform import dense
from discosim.timeline.cluster import Cluster

LEAST_SHARE = 1e-3
"""A node with less of every tensor is better left out."""


@dataclass(frozen=True, eq=False)
class Work:
    """A plan on a cluster, before it is scheduled.

    local_s, remote_s: (N, L), computation without and with received features.
    message_bytes: (N, N, L), from node i to node j before row l; union_bytes: (N, L), the
    distinct ones, which a broadcast carries; ring_bytes: (L,), through a ring's busiest link.
    chunk_features: (L,), the most chunks that a message can have.
    """

    table: LayerTable
    cluster: Cluster
    plan: Plan
    shares: tuple[float, ...]
    local_s: Floats
    remote_s: Floats
    message_bytes: Floats
    union_bytes: Floats
    ring_bytes: Floats
    ring_steps: Floats
    chunk_features: Floats


def even_shares_of(nodes: int) -> tuple[float, ...]:
    """Return the shares of nodes that hold equally much."""
    return (1.0 / nodes,) * nodes


def work_of(
    configuration: Configuration, cluster: Cluster, shares: tuple[float, ...] | None = None
) -> Work:
    """Return what a configuration gives each node of `cluster` to do.

    shares: of every tensor's features, one a node, adding up to 1; None for equal ones, which
    follow the rounding of the conventions; others are whole features. A pipeline knows no shares.
    Raises DiscosimError for shares that cannot be.
    """
    given = configuration.resolved()
    plan = given.strategy.plan(given)
    if shares is not None:
        _check_shares(shares, plan)
    if given.mask is not None and given.nodes > 1:
        if shares is not None:
            raise DiscosimError("a mask says where the features lie: it has no --shares")
        elems = masked_elems(given.table, given.mask, given.conventions, plan)
    elif plan.stage is None and given.nodes > 1:
        density = densities(given)
        layout = _layout(given, shares)
        plan = within_layer(layout, density)
        elems = pair_elems(layout, density, plan)
    elif plan.stage is not None and plan.nodes > 1:
        elems = handed_elems(plan)
    else:
        elems = np.zeros((1, 1, len(given.table)))
    return _work(given.table, plan, cluster, elems, shares or even_shares_of(plan.nodes))


def _layout(given: Configuration, shares: tuple[float, ...] | None) -> Layout:
    if shares is None:
        return lay_out(given.table, given.nodes, given.conventions)
    whole = replace(given.conventions, whole=True)
    return Layout(given.table, whole, split_by_share(given.table, shares))


def _check_shares(shares: tuple[float, ...], plan: Plan) -> None:
    if plan.stage is not None:
        raise DiscosimError("a pipeline places whole layers: it has no --shares")
    if len(shares) != plan.nodes:
        raise DiscosimError(f"{len(shares)} shares for {plan.nodes} nodes; wanted one a node")
    if min(shares) < LEAST_SHARE or abs(sum(shares) - 1) > 1e-6:
        given = ", ".join(f"{share:g}" for share in shares)
        raise DiscosimError(f"shares {given}; wanted {LEAST_SHARE} or more for each node, 1 in all")


def densities(given: Configuration) -> Floats:
    """Return the fraction of the remote features that each row sends, (1, L).

    It is the remote work that the strategy leaves, of what dense does, with fractional features.
    """
    counted = replace(given, conventions=CONVENTIONS["paper"])
    left, all_of_it = (
        np.broadcast_to(plan.remote, (given.nodes, len(given.table))).sum(0)
        for plan in (counted.strategy.plan(counted), dense(counted))
    )
    ratio = np.divide(left, all_of_it, out=np.ones_like(left), where=all_of_it > 0)
    return np.where(given.table.mixes, ratio.round(12), 1.0)[None]


def _work(
    table: LayerTable, plan: Plan, cluster: Cluster, elems: Floats, shares: tuple[float, ...]
) -> Work:
    nodes, rows = plan.nodes, len(table)
    local_s, remote_s = np.zeros((nodes, rows)), np.zeros((nodes, rows))
    for node, hardware in enumerate(cluster.nodes[:nodes]):
        cost = simulate(table, plan, hardware)
        local_s[node] = np.broadcast_to(cost.local_s, (nodes, rows))[node]
        remote_s[node] = np.broadcast_to(cost.remote_s, (nodes, rows))[node]
    elem_bytes = float(cluster.nodes[0].feature_elem_bytes)
    ring, exchange = TOPOLOGIES["ring"], plan.exchange
    serial = ring.half_elems if cluster.half_duplex else ring.elems
    return Work(
        table=table,
        cluster=cluster,
        plan=plan,
        shares=shares,
        local_s=local_s,
        remote_s=remote_s,
        message_bytes=elems * elem_bytes,
        union_bytes=np.broadcast_to(exchange.union, (nodes, rows)) * elem_bytes,
        ring_bytes=np.broadcast_to(serial(exchange), (1, rows))[0] * elem_bytes,
        ring_steps=np.broadcast_to(exchange.ring_steps, (1, rows))[0],
        chunk_features=np.broadcast_to(np.maximum(1.0, np.floor(plan.chunk_features)), (1, rows))[
            0
        ],
    )
