"""What there is to do: each node's time for each row, and the messages before it."""

from dataclasses import dataclass, replace

import numpy as np

from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.graph.table import Floats, LayerTable
from discosim.model.traffic import TOPOLOGIES
from discosim.partition.fused import shared_out
from discosim.partition.layout import Layout
from discosim.partition.mixed import mixed_plan
from discosim.partition.plan import Features, Plan
from discosim.partition.uneven import split_by_share
from discosim.partition.within_layer import within_layer
from discosim.simulate import compute_s, node_needs
from discosim.strategies.pipeline import staged_plan
from discosim.timeline.cluster import Cluster
from discosim.timeline.stages import unlike_stages

LEAST_SHARE = 1e-3
"""A node with less of every tensor is better left out."""


@dataclass(frozen=True, eq=False)
class Sent:
    """What goes at once before each row; a row's next round begins when all of it has arrived.

    message_bytes: (N, N, L), from node i to node j before row l; union_bytes: (N, L), the
    distinct ones, which a broadcast carries; ring_bytes: (L,), through a ring's busiest link.
    """

    message_bytes: Floats
    union_bytes: Floats
    ring_bytes: Floats
    ring_steps: Floats


@dataclass(frozen=True, eq=False)
class Work:
    """A plan on a cluster, before it is scheduled.

    local_s, remote_s: (N, L), computation without and with received features.
    rounds: the messages, round by round.
    most_chunks: (L,), the most chunks that a message can have.
    weight_bytes, feature_bytes, runtime_bytes: (N,), what each node holds; memory_bytes: what it
    has, or infinity.
    """

    table: LayerTable
    cluster: Cluster
    plan: Plan
    shares: tuple[float, ...]
    local_s: Floats
    remote_s: Floats
    rounds: tuple[Sent, ...]
    most_chunks: Floats
    weight_bytes: Floats
    feature_bytes: Floats
    runtime_bytes: Floats
    memory_bytes: Floats

    @property
    def message_bytes(self) -> Floats:
        """Bytes from node i to node j before row l, all rounds together, (N, N, L)."""
        total: Floats = np.sum([sent.message_bytes for sent in self.rounds], axis=0)
        return total

    @property
    def node_bytes(self) -> Floats:
        """Bytes that each node holds, (N,)."""
        return self.weight_bytes + self.feature_bytes + self.runtime_bytes

    @property
    def fullness(self) -> float:
        """The largest part of its memory that a node holds; over 1 it does not fit."""
        return float((self.node_bytes / self.memory_bytes).max())


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
    if given.strategy.staged and given.nodes > 1 and not cluster.alike:
        stage = unlike_stages(given, cluster)
        plan = staged_plan(given.table, stage, resend=given.conventions.resend)
    else:
        plan = given.strategy.plan(given)
    if shares is not None:
        _check_shares(shares, plan)
        if plan.nodes > 1:
            plan = _with_shares(given, plan, shares)
    return _work(given, plan, cluster, shares or even_shares_of(plan.nodes))


def _with_shares(given: Configuration, plan: Plan, shares: tuple[float, ...]) -> Plan:
    layout = _shared_out(given, shares)
    if plan.laid is not None:
        return mixed_plan(shared_out(plan.laid, shares), layout, 1.0 - given.knob)
    if plan.density is None:
        raise DiscosimError("a mask says where the features lie: it has no --shares")
    return within_layer(layout, plan.density)


def _shared_out(given: Configuration, shares: tuple[float, ...]) -> Layout:
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


def _work(given: Configuration, plan: Plan, cluster: Cluster, shares: tuple[float, ...]) -> Work:
    table = given.table
    nodes, rows = plan.nodes, len(table)
    local_s, remote_s = np.zeros((nodes, rows)), np.zeros((nodes, rows))
    holds = np.zeros((3, nodes))
    for places, hardware in cluster.kinds(nodes):
        without, with_received = compute_s(table, plan, hardware)
        local_s[places] = np.broadcast_to(without, (nodes, rows))[places]
        remote_s[places] = np.broadcast_to(with_received, (nodes, rows))[places]
        for kind, need in enumerate(node_needs(table, plan, hardware, given.overlap)):
            holds[kind, places] = np.broadcast_to(need, nodes)[places]
    capacity = [node.memory_bytes for node in cluster.nodes[:nodes]]
    elem_bytes = float(cluster.nodes[0].feature_elem_bytes)
    ring = TOPOLOGIES["ring"]
    serial = ring.half_elems if cluster.half_duplex else ring.elems
    return Work(
        table=table,
        cluster=cluster,
        plan=plan,
        shares=shares,
        local_s=local_s,
        remote_s=remote_s,
        rounds=tuple(
            Sent(
                message_bytes=each.between.reshape(nodes, nodes, rows) * elem_bytes,
                union_bytes=np.broadcast_to(each.union, (nodes, rows)) * elem_bytes,
                ring_bytes=np.broadcast_to(serial(each), (1, rows))[0] * elem_bytes,
                ring_steps=np.broadcast_to(each.ring_steps, (1, rows))[0],
            )
            for each in plan.exchange.in_rounds()
        ),
        most_chunks=np.broadcast_to(plan.most_chunks, (1, rows))[0],
        weight_bytes=holds[0],
        feature_bytes=holds[2 if given.features == Features.ALL else 1],
        runtime_bytes=np.array([node.runtime_bytes for node in cluster.nodes[:nodes]]),
        memory_bytes=np.array([np.inf if m is None else float(m) for m in capacity]),
    )
