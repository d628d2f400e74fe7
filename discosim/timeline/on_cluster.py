"""A configuration whose nodes may be unlike: its cost is that of the timeline."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.graph.table import Floats
from discosim.hardware import Hardware
from discosim.model.memory import ATTENTION
from discosim.partition.plan import Features, Plan
from discosim.simulate import Cost, node_needs, traffic_of, unspent_share
from discosim.timeline.cluster import Cluster
from discosim.timeline.joined import PUSHED, SHARES, Joined, Shares
from discosim.timeline.latency import carried_s, latency_of, row_times
from discosim.timeline.schedule import interval_s
from discosim.timeline.shares import balanced_shares, shares_by_speed
from discosim.timeline.totals import spent_J
from discosim.timeline.work import Work, even_shares_of, work_of

PLAYED_APART = 1 << 20
"""Configurations on a cluster are computed one by one: a block holds one of them."""

MOST_PLAYED = 1000
"""Configurations on unlike nodes that are asked for at once: each takes a tenth of a second."""

KEPT = 4096
"""Shares that are kept for the next call."""

WORKS_KEPT = 16

_works: OrderedDict[tuple[object, ...], tuple[tuple[Hardware, ...], Work]] = OrderedDict()
_found: OrderedDict[tuple[object, ...], Shares] = OrderedDict()


@dataclass(frozen=True, eq=False)
class OnCluster(Configuration):
    """A configuration on a cluster; on other hardware, and on alike nodes, it is as any other.

    nodes: the first ones of the cluster; one node is the fastest of them that holds the network.
    """

    @property
    def unlike(self) -> int:
        """Nodes whose costs are kept apart; on a cluster so many that a block has one row."""
        return PLAYED_APART if isinstance(self.hardware, Joined) else super().unlike

    def resolved(self) -> "OnCluster":
        """Return the same with what its strategy will have; raises DiscosimError."""
        found = super().resolved()
        assert isinstance(found, OnCluster)
        if isinstance(self.hardware, Joined) and found.nodes > len(self.hardware.members):
            there = len(self.hardware.members)
            raise DiscosimError(f"{found.nodes} nodes, but the cluster has {there}")
        return found

    def plan(self) -> Plan:
        """Return who computes and sends what on nodes of the mean speed, with equal shares."""
        return self.on_mean().plan()

    def evaluate(self) -> tuple[Plan, Cost]:
        """Return the plan, of several values that of the last one, and the cost."""
        if not isinstance(self.hardware, Joined):
            return super().evaluate()
        plain = self._alike()
        if plain is not None:
            plan, cost = plain.evaluate()
            return plan, _of_one_kind(plain, cost)
        shape, every = self._points(self.hardware)
        plans, costs = zip(*(_cost_of(each, work) for each, work in every), strict=True)
        stacked: dict[str, Any] = {}
        for field in fields(Cost):
            values = [np.asarray(getattr(cost, field.name)) for cost in costs]
            stacked[field.name] = np.stack(values).reshape((*shape, *values[0].shape))
        return plans[-1], Cost(**stacked)

    def cost(self) -> Cost:
        """Return what the plan costs, (...) or (..., R, L)."""
        return self.evaluate()[1]

    def least_s(self) -> Floats:
        """Return seconds that no schedule with these shares is below, (...)."""
        if not isinstance(self.hardware, Joined):
            return super().least_s()
        plain = self._alike()
        if plain is not None:
            return plain.least_s()
        shape, every = self._points(self.hardware)
        least: Floats = np.array([_least_s(work) for _, work in every]).reshape(shape)
        return least

    def alone(self) -> Hardware:
        """Return the node that is fastest alone, of those that hold the network if any does."""
        assert isinstance(self.hardware, Joined)
        one = replace(self.on_mean(), nodes=1, s_comm=0.0, plan_file=None, mask=None)

        def judged(node: Hardware) -> tuple[float, float]:
            cost = replace(one, hardware=node).cost()
            full = cost.node_bytes / (np.inf if node.memory_bytes is None else node.memory_bytes)
            return max(1.0, float(full.max())), float(cost.latency_s.max())

        return min(self.hardware.nodes, key=judged)

    def nodes_used(self) -> tuple[Hardware, ...]:
        """Return the nodes that it is on."""
        if not isinstance(self.hardware, Joined):
            return (self.hardware,) * self.nodes
        return (self.alone(),) if self.nodes == 1 else self.hardware.nodes[: self.nodes]

    def work(self) -> Work:
        """Return what one configuration gives each node to do, with the shares that it has."""
        assert isinstance(self.hardware, Joined)
        _, every = self._points(self.hardware)
        return next(every)[1]

    def with_few_shares(self, counts: Iterable[int]) -> "OnCluster":
        """Return the same with shares that are chosen quickly wherever numbers and S_comm vary.

        Equal ones, those by speed, and those that are balanced as it is, on each number of nodes:
        where it is, that is the latency with balanced ones.
        """
        hardware = self.hardware
        if not isinstance(hardware, Joined) or hardware.shares != SHARES[0]:
            return self
        found: list[Shares] = []
        for count in counts:
            asked = replace(self, nodes=max(1, count)).resolved()
            if asked.nodes > 1 and not hardware.alike(asked.nodes) and asked.shared:
                cluster, plain = Cluster(hardware.nodes[: asked.nodes]), asked.on_mean()
                found += [even_shares_of(asked.nodes), shares_by_speed(plain, cluster)]
                found.append(_balanced(plain, cluster))
        few = tuple(dict.fromkeys(found))
        return replace(self, hardware=replace(hardware, shares=few)) if few else self

    @property
    def shared(self) -> bool:
        """Whether nodes may have shares: no pipeline, and no mask that says where features lie."""
        return not self.strategy.staged and self.mask is None

    def _alike(self) -> Configuration | None:
        """The same on nodes of one kind where those that it is on are alike, or one."""
        assert isinstance(self.hardware, Joined)
        count = self.resolved().nodes
        if count == 1:
            return self.on_mean(self.alone())
        return self.on_mean(self.hardware.nodes[0]) if self.hardware.alike(count) else None

    def on_mean(self, node: Hardware | None = None) -> Configuration:
        """Return the same on nodes that are all alike: the mean ones where none is given."""
        given = {field.name: getattr(self, field.name) for field in fields(Configuration)}
        return Configuration(**{**given, "hardware": node or self.hardware})

    def _points(
        self, hardware: Joined
    ) -> tuple[tuple[int, ...], Iterator[tuple[Configuration, Work]]]:
        """The shape of S_comm and numbers, and each configuration of one value each."""
        asked = self.resolved()
        arrays = {n: v for n in PUSHED if np.ndim(v := getattr(hardware, n)) > 0}
        knob = asked.knob
        shape = np.broadcast_shapes(
            knob.shape[:-2], *(np.atleast_2d(v).shape[:-2] for v in arrays.values())
        )
        knobs = np.broadcast_to(knob, (*shape, *knob.shape[-2:]))
        spread = {n: np.broadcast_to(np.atleast_2d(v), (*shape, 1, 1)) for n, v in arrays.items()}

        def every() -> Iterator[tuple[Configuration, Work]]:
            for place in np.ndindex(shape):
                numbers: dict[str, Any] = {n: float(v[place].item()) for n, v in spread.items()}
                one = replace(asked, s_comm=knobs[place], hardware=replace(hardware, **numbers))
                assert isinstance(one.hardware, Joined)
                yield one.on_mean(), _best_work(one.on_mean(), one.hardware)

        return shape, every()


def check_played(hardware: Iterable[Hardware], configurations: int) -> None:
    """Raise DiscosimError for more configurations than can be played on unlike nodes."""
    for each in hardware:
        unlike = isinstance(each, Joined) and not each.alike(len(each.members))
        if unlike and configurations > MOST_PLAYED:
            raise DiscosimError(
                f"{configurations:,} configurations: each on unlike nodes is played by itself; "
                f"wanted at most {MOST_PLAYED:,}"
            )


def _of_one_kind(given: Configuration, cost: Cost) -> Cost:
    """The cost on nodes of one kind, with what is that of a cluster: memory, and joules of one."""
    node, totals = given.hardware, cost.latency_s
    memory = np.inf if node.memory_bytes is None else node.memory_bytes
    found = replace(cost, memory_bytes=np.broadcast_to(memory, np.shape(totals)))
    if given.resolved().nodes > 1:
        return found
    rate = node.energy_per_mac_J
    spent = np.nan if rate is None else given.table.macs.sum() * rate
    return replace(found, work_J=np.broadcast_to(spent, np.shape(totals)))


def _best_work(given: Configuration, hardware: Joined) -> Work:
    """What there is to do with the best of the shares that are wanted."""
    cluster = Cluster(hardware.nodes[: given.nodes])
    tried = [_work(given, hardware, cluster, each) for each in _wanted(given, hardware, cluster)]
    if len(tried) == 1:
        return tried[0]
    return min(tried, key=lambda work: (max(1.0, work.fullness), latency_of(work, given.overlap)))


def _work(given: Configuration, hardware: Joined, cluster: Cluster, shares: Shares | None) -> Work:
    """What there is to do, laid out once for all numbers of the links."""
    if given.strategy.staged:  # the cut goes by the links
        return work_of(given, cluster, shares)
    numbers = (getattr(hardware, name) for name in PUSHED[2:])
    key = (*_asked(given), shares, id(hardware.members), *numbers)
    if key not in _works:
        _works[key] = hardware.members, work_of(given, cluster, shares)
        while len(_works) > WORKS_KEPT:
            _works.popitem(last=False)
    return replace(_works[key][1], cluster=cluster)


def _asked(given: Configuration) -> tuple[object, ...]:
    """All of a configuration but its hardware."""
    return (
        given.table, given.strategy, given.nodes, given.knob.tobytes(), given.overlap,
        given.conventions, given.at, given.features, given.collective, given.plan_file,
        given.mask, given.weighed, given.objective,
    )  # fmt: skip


def _wanted(given: Configuration, hardware: Joined, cluster: Cluster) -> tuple[Shares | None, ...]:
    """The shares of which the best counts; None for equal ones, as the conventions round them.

    A pipeline has none, and a mask says itself where the features lie. Raises DiscosimError.
    """
    fixed = given.strategy.staged or given.mask is not None
    if fixed or hardware.shares == "even":
        return (None,)
    if not isinstance(hardware.shares, str):
        fitting = tuple(each for each in hardware.shares if len(each) == len(cluster))
        return fitting or hardware.shares[:1]
    if hardware.shares == SHARES[0]:
        return (_balanced(given, cluster),)
    return (shares_by_speed(given, cluster),)


def _balanced(given: Configuration, cluster: Cluster) -> Shares:
    """Balanced shares, searched for once."""
    key = (*_asked(given), repr(cluster.nodes))
    if key not in _found:
        _found[key] = balanced_shares(given, cluster)
        while len(_found) > KEPT:
            _found.popitem(last=False)
    return _found[key]


def _cost_of(given: Configuration, work: Work) -> tuple[Plan, Cost]:
    """The plan and what it costs on the nodes of its cluster; memory is of the fullest node."""
    times, plan, nodes = row_times(work, given.overlap), work.plan, work.cluster.nodes
    traffic, node_s = traffic_of(plan, nodes[0]), work.local_s + work.remote_s
    latency_s = np.array(times.layer_s.sum())
    full = int(np.lexsort([work.node_bytes, work.node_bytes / work.memory_bytes])[-1])
    each = [
        node_needs(given.table, plan, replace(nodes[full], attention=a), given.overlap)
        for a in ATTENTION
    ]
    written_out, fused = (
        float(np.broadcast_to(weights + peak, len(nodes))[full]) for weights, peak, _ in each
    )
    _, peak_bytes, all_bytes = node_needs(given.table, plan, nodes[full], given.overlap)
    bytes_of = {
        name: np.array(np.broadcast_to(need, len(nodes))[full])
        for name, need in (("peak_feature_bytes", peak_bytes), ("all_feature_bytes", all_bytes))
    }
    counted = given.features == Features.PEAK
    return plan, Cost(
        sent_bytes=np.broadcast_to(traffic.sent_bytes, node_s.shape),
        received_bytes=np.broadcast_to(traffic.received_bytes, node_s.shape),
        comm_s=times.comm_s[None],
        local_s=work.local_s,
        remote_s=work.remote_s,
        layer_s=times.layer_s[None],
        total_comm_s=times.comm_s.sum(),
        total_comp_s=node_s.max(axis=0).sum(),
        latency_s=latency_s,
        interval_s=latency_s if plan.stage is None else np.array(interval_s(work, given.overlap)),
        bytes_per_node=traffic.bytes_per_node,
        messages=(traffic.peers * np.ceil(times.chunks)).sum(-1).max(-1),
        weight_bytes=work.weight_bytes[full],
        **bytes_of,
        scores_bytes=np.array((written_out - fused) * counted),
        node_bytes=work.node_bytes[full],
        avg_s_comm=np.squeeze(plan.avg_s_comm),
        avg_s_comp=np.squeeze(unspent_share(given.table, plan)),
        memory_bytes=work.memory_bytes[full],
        work_J=np.array(spent_J(work)),
        shares=np.array(work.shares) * (np.nan if plan.stage is not None else 1.0),
    )


def _least_s(work: Work) -> float:
    """The busiest node's work, or what the busiest link carries, of free messages."""
    node_s = (work.local_s + work.remote_s).sum(axis=1)
    wire_s = carried_s(work)
    if work.plan.stage is not None:
        return float(node_s.sum() + sum(wire_s.values()))
    return float(max(node_s.max(), *wire_s.values(), 0.0))
