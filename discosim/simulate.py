"""Table x plan x hardware -> cost: the one place that knows them all."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from discosim.errors import DiscosimError
from discosim.graph.table import Bools, Floats, LayerTable
from discosim.hardware import Hardware
from discosim.model import compute, overlap
from discosim.model.exchange import Exchange, largest
from discosim.model.memory import ATTENTION
from discosim.model.overlap import best_chunks
from discosim.model.traffic import TOPOLOGIES, congested, transfer_s
from discosim.partition import node_memory
from discosim.partition.plan import Features, Plan

OVERLAPS = ("none", "layer", "layer:K", "layer:best", "ideal")


@dataclass(frozen=True, slots=True)
class Overlap:
    """How communication and computation of a layer overlap (model.md §3).

    mode: none, layer or ideal; chunks: K of `layer:K`, or None for the best of each layer;
    text: as it was written.
    """

    mode: str
    chunks: int | None = 1
    text: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> "Overlap":
        """Return the overlap written as none, layer, layer:K, layer:best or ideal."""
        text = text.strip().lower()
        if text in ("none", "ideal", "layer"):
            return cls(text, text=text)
        if text == "layer:best":
            return cls("layer", None, text)
        if match := re.fullmatch(r"layer:0*([1-9][0-9]{0,8})", text):
            return cls("layer", int(match[1]), text)
        raise DiscosimError(
            f"unknown overlap {text!r}; wanted {', '.join(OVERLAPS)}, K a whole number from 1 up"
        )

    def __str__(self) -> str:
        """Return it as it is written."""
        if self.text or self.mode in ("none", "ideal"):
            return self.text or self.mode
        return f"{self.mode}:{'best' if self.chunks is None else self.chunks}"


NO_OVERLAP = Overlap("none")


@dataclass(frozen=True, eq=False)
class Cost:
    """What a plan costs, layer by layer (..., R, L) and in all (...).

    comm_s and layer_s are (..., 1, L): a barrier ends each layer, the slowest node decides.
    local_s and remote_s are the computation without and with received features. The totals are
    those of the busiest node; the memory figures all belong to the node that needs most, or of
    unlike nodes to the one that is fullest, whose memory is memory_bytes (None of alike ones).
    work_J: joules of what unlike nodes compute and send, each by its own figures; shares: of the
    features that they hold (..., R), NaN where they hold whole layers.
    node_bytes is what it takes at least; scores_bytes, by how much attention's scores raise it
    where they are written out, whether or not they are.
    """

    sent_bytes: Floats
    received_bytes: Floats
    comm_s: Floats
    local_s: Floats
    remote_s: Floats
    layer_s: Floats
    total_comm_s: Floats
    total_comp_s: Floats
    latency_s: Floats
    interval_s: Floats
    bytes_per_node: Floats
    messages: Floats
    weight_bytes: Floats
    peak_feature_bytes: Floats
    all_feature_bytes: Floats
    scores_bytes: Floats
    node_bytes: Floats
    avg_s_comm: Floats
    avg_s_comp: Floats
    memory_bytes: Floats | None = None
    work_J: Floats | None = None
    shares: Floats | None = None


def simulate(
    table: LayerTable,
    plan: Plan,
    hardware: Hardware,
    overlapped: Overlap = NO_OVERLAP,
    features: Features = Features.PEAK,
) -> Cost:
    """Return the cost of `plan`; numbers of `hardware` may be arrays (..., 1, 1).

    `features`: whether node_bytes counts the features held at once ("peak") or the inputs of
    all layers ("all").
    """
    local_s, remote_s = compute_s(table, plan, hardware)
    node_s = local_s + remote_s

    traffic = traffic_of(plan, hardware)
    volume_s = transfer_s(traffic.serial_bytes, hardware.bandwidth_Bps)
    alpha_s = traffic.rounds * hardware.link_latency_s
    staged = plan.stage is not None
    most_s, most_remote_s = largest(node_s), largest(remote_s)

    def time_s(chunks: Floats) -> Floats:
        comm_s = volume_s + np.ceil(chunks) * alpha_s
        if overlapped.mode == "none" or staged:
            return largest(overlap.serial_s(comm_s, local_s, remote_s))
        if overlapped.mode == "ideal":
            return overlap.ideal_s(comm_s, most_s)
        return overlap.chunked_s(comm_s, most_s, most_remote_s, chunks, alpha_s)

    chunks = np.ones_like(volume_s)
    if overlapped.mode == "layer" and not staged:
        chunks = _chunks(plan.most_chunks * chunks, overlapped.chunks, time_s)
    rounds, layer_s = np.ceil(chunks), time_s(chunks)
    comm_s = volume_s + rounds * alpha_s
    latency_s = layer_s.sum(axis=(-2, -1))

    return Cost(
        sent_bytes=traffic.sent_bytes,
        received_bytes=traffic.received_bytes,
        comm_s=comm_s,
        local_s=local_s,
        remote_s=remote_s,
        layer_s=layer_s,
        total_comm_s=comm_s.sum(axis=(-2, -1)),
        total_comp_s=node_s.max(axis=-2).sum(-1),
        latency_s=latency_s,
        interval_s=_interval_s(plan, hardware, overlapped, node_s, (comm_s, latency_s)),
        bytes_per_node=traffic.bytes_per_node,
        messages=(traffic.peers * rounds).sum(-1).max(-1),
        **_memory_bytes(table, plan, hardware, features, overlapped),
        avg_s_comm=plan.avg_s_comm,
        avg_s_comp=unspent_share(table, plan),
    )


@dataclass(frozen=True, eq=False)
class Traffic:
    """What a plan sends over the links of some hardware, (..., R, L), whatever their numbers.

    serial_bytes, rounds: bytes on the busiest link, as they count, and latencies, one after the
    other; peers: to how many others a node sends.
    """

    serial_bytes: Floats
    rounds: Floats
    sent_bytes: Floats
    received_bytes: Floats
    peers: Floats

    @property
    def bytes_per_node(self) -> Floats:
        """The larger of sent and received of the busiest node, (...)."""
        each: Floats = np.maximum(self.sent_bytes.sum(-1), self.received_bytes.sum(-1)).max(-1)
        return each


def traffic_of(plan: Plan, hardware: Hardware) -> Traffic:
    """Return what passes the links; their bandwidth and latency do not matter."""
    exchange, topology = plan.exchange, TOPOLOGIES[hardware.topology]
    sent = exchange.union if topology.broadcasts else exchange.sent
    peers = np.minimum(1.0, exchange.send_peers) if topology.broadcasts else exchange.send_peers
    elem_bytes = hardware.feature_elem_bytes
    return Traffic(
        serial_bytes=_serial_elems(exchange, hardware) * elem_bytes,
        rounds=topology.latencies(exchange, hardware.latency_per),
        sent_bytes=sent * elem_bytes,
        received_bytes=exchange.received * elem_bytes,
        peers=peers,
    )


def _serial_elems(exchange: Exchange, hardware: Hardware) -> Floats:
    """What passes the busiest link one after the other, with what congestion adds, (..., 1, L)."""
    topology = TOPOLOGIES[hardware.topology]
    serial = topology.half_elems if hardware.duplex == "half" else topology.elems
    if hardware.congestion == 1.0:
        return serial(exchange)
    elems: Floats = np.sum(
        [
            congested(serial(each), each.senders, hardware.senders, hardware.congestion)
            for each in exchange.in_rounds()
        ],
        axis=0,
    )
    return elems


def _chunks(most: Floats, wanted: int | None, time_s: Callable[[Floats], Floats]) -> Floats:
    """The pieces of each exchange, `wanted` or those that take least time, at most `most`."""
    if wanted is not None:
        return np.minimum(float(wanted), most)
    return np.minimum(best_chunks(lambda k: time_s(np.minimum(k, most)), np.ceil(most)), most)


def least_s(table: LayerTable, plan: Plan, hardware: Hardware) -> Floats:
    """Return seconds that no schedule is below, (...): the busiest node's work, or link's traffic.

    Messages are taken to be free; across layers, anything may overlap that a plan does not forbid:
    the stages of a pipeline follow one another.
    """
    local_s, remote_s = compute_s(table, plan, hardware)
    work_s = (local_s + remote_s).sum(-1)
    topology = TOPOLOGIES[hardware.topology]
    carried = topology.half_carried if hardware.duplex == "half" else topology.carried
    elems = carried(plan.exchange) * hardware.feature_elem_bytes
    wire_s = transfer_s(elems, hardware.bandwidth_Bps).sum(-1)
    if plan.stage is not None:
        handed = plan.exchange.total * hardware.feature_elem_bytes
        serial_s: Floats = work_s.sum(-1) + transfer_s(handed, hardware.bandwidth_Bps).sum((-2, -1))
        return serial_s
    least: Floats = np.maximum(work_s.max(-1), wire_s.max(-1))
    return least


def node_needs(
    table: LayerTable, plan: Plan, hardware: Hardware, overlapped: Overlap = NO_OVERLAP
) -> tuple[Floats, Floats, Floats]:
    """Return bytes of weights, of the features held at once and of all inputs, (..., R) each."""
    arriving = _arriving_elems(plan, overlapped)
    return (
        node_memory.weight_elems(table, plan) * hardware.weight_elem_bytes,
        _peak_bytes(table, plan, hardware, arriving),
        (plan.stored_elems + arriving) * hardware.feature_elem_bytes,
    )


def _peak_bytes(
    table: LayerTable, plan: Plan, hardware: Hardware, arriving: Floats | float
) -> Floats:
    peak = node_memory.peak_elems(table, plan, hardware.attention) + arriving
    return peak * hardware.feature_elem_bytes


def _arriving_elems(plan: Plan, overlapped: Overlap) -> Floats | float:
    """A stage that receives while it computes holds the next item's input besides, (..., R)."""
    if plan.stage is None or overlapped.mode == "none":
        return 0.0
    arriving: Floats = plan.exchange.received.sum(-1)
    return arriving


def compute_s(table: LayerTable, plan: Plan, hardware: Hardware) -> tuple[Floats, Floats]:
    """Return what each node computes without and with received features, (..., R, L) each."""
    local_s, remote_s = _work_s(table, plan, hardware)
    if hardware.overhead_s:
        call_s = _by_class(table, hardware.overhead_s) * _costs(table, hardware)
        local_s = local_s + compute.calls_s(plan.local, call_s)
        remote_s = remote_s + compute.calls_s(plan.remote, call_s)
    if hardware.run_s or hardware.spill_Bps is not None:
        local_s = local_s + compute.once_s(works_at(table, plan), _run_s(table, plan, hardware))
    return local_s, remote_s


def works_at(table: LayerTable, plan: Plan) -> Bools:
    """Return the rows that each node works at, (..., R, L), whatever the S_comm.

    Outputs whose inputs all lie elsewhere, and are not sent, it makes of the bias alone.
    """
    works: Bools = (plan.local + plan.remote > 0) | (table.mixes & (plan.out_share > 0))
    return works


def _run_s(table: LayerTable, plan: Plan, hardware: Hardware) -> Floats:
    """What an inference takes of each node whatever it computes, (..., R)."""
    weight_bytes = node_memory.weight_elems(table, plan) * hardware.weight_elem_bytes
    if hardware.spill_Bps is None:
        return hardware.run_s + 0.0 * weight_bytes
    return hardware.run_s + compute.spill_s(weight_bytes, hardware.fast_bytes, hardware.spill_Bps)


def _by_class(table: LayerTable, figures: Mapping[str, float], other: float = 0.0) -> Floats:
    """The figure of each row's narrowest class that has one, (L,)."""
    return _of_classes(table, tuple(figures.items()), other)


@lru_cache(maxsize=256)
def _of_classes(table: LayerTable, items: tuple[tuple[str, float], ...], other: float) -> Floats:
    figures = dict(items)
    of_each = {
        classes: next((figures[each] for each in (*classes, "call") if each in figures), other)
        for classes in set(table.classes)
    }
    found = np.array([of_each[classes] for classes in table.classes])
    found.flags.writeable = False
    return found


def rates_of(table: LayerTable, hardware: Hardware) -> tuple[Floats, Floats]:
    """Return what each row's MACs, and the bytes that it touches, count as, (L,) each."""
    slowness = 1.0 / _by_class(table, hardware.efficiency, 1.0)
    return slowness, np.where(table.macs > 0, 1.0, slowness) * _costs(table, hardware)


def _costs(table: LayerTable, hardware: Hardware) -> Floats:
    """1 for rows that take time, 0 for those that the runtime folds into the one before, (L,)."""
    return np.where(table.folded & hardware.folds, 0.0, 1.0)


def _passes(table: LayerTable, hardware: Hardware) -> Floats:
    """How many times each row's features pass memory, (L,)."""
    return np.where(table.transformed, hardware.transform, 1.0)


def _tiled(table: LayerTable, hardware: Hardware) -> Floats:
    """How many times each row's MACs are computed: of whole tiles if transformed, (L,)."""
    return table.tiled if hardware.transform > 1 else np.ones(len(table))


def _work_s(table: LayerTable, plan: Plan, hardware: Hardware) -> tuple[Floats, Floats]:
    """The same without what the calls take in themselves."""
    efficiency = _by_class(table, hardware.efficiency, 1.0)
    macs = table.macs * _tiled(table, hardware)
    whole_s = compute.arithmetic_s(macs, hardware.compute_macps, efficiency)
    local_s, remote_s = whole_s * plan.local, whole_s * plan.remote
    if hardware.memory_Bps is None:
        return local_s, remote_s
    share = plan.local + plan.remote
    received = plan.received * (plan.remote > 0)
    elems = plan.in_share * table.in_elems + received + plan.out_share * table.out_elems
    elems = elems * _passes(table, hardware)
    params = table.weights * sum(plan.weight_shares) + table.biases * plan.biases
    touched = elems * hardware.feature_elem_bytes + params * hardware.weight_elem_bytes
    touched = touched * (share > 0) / np.where(table.macs > 0, 1.0, efficiency)
    touched = touched * _costs(table, hardware)
    together = compute.MEMORY_OVERLAP[hardware.memory_overlap]
    node_s = together(local_s + remote_s, touched, hardware.memory_Bps)
    local_part = np.divide(plan.local, share, out=np.ones_like(share), where=share > 0)
    return node_s * local_part, node_s * (1.0 - local_part)


def _memory_bytes(
    table: LayerTable,
    plan: Plan,
    hardware: Hardware,
    features: Features,
    overlapped: Overlap,
) -> dict[str, Floats]:
    """The fields of Cost that say what the node that needs most has to hold, (...) each."""
    weight_bytes, peak_bytes, all_bytes = node_needs(table, plan, hardware, overlapped)
    needs = {
        "weight_bytes": weight_bytes,
        "peak_feature_bytes": peak_bytes,
        "all_feature_bytes": all_bytes,
    }
    counted = needs[f"{features}_feature_bytes"]
    needs["node_bytes"] = hardware.runtime_bytes + weight_bytes + counted
    busiest = needs["node_bytes"].argmax(-1)[..., None]
    shape = needs["node_bytes"].shape
    found = {
        name: np.take_along_axis(np.broadcast_to(need, shape), busiest, -1)[..., 0]
        for name, need in needs.items()
    }
    if features != Features.PEAK:
        return {**found, "scores_bytes": 0.0 * found["node_bytes"]}
    arriving = _arriving_elems(plan, overlapped)
    each = [_peak_bytes(table, plan, replace(hardware, attention=a), arriving) for a in ATTENTION]
    written_out, fused = ((weight_bytes + peak).max(-1) for peak in each)
    return {**found, "scores_bytes": written_out - fused}


def _interval_s(
    plan: Plan, hardware: Hardware, overlapped: Overlap, node_s: Floats, cost: tuple[Floats, Floats]
) -> Floats:
    """Time between two results: of a pipeline, its slowest stage (`overlap.stage_s`)."""
    comm_s, latency_s = cost
    if plan.stage is None:
        return latency_s
    begins = np.flatnonzero(np.diff(plan.stage)) + 1
    handoffs = comm_s[..., 0, begins]
    none = np.zeros_like(comm_s[..., 0, :1])
    stages = overlap.stage_s(
        node_s.sum(-1),
        np.concatenate([none, handoffs], axis=-1),
        np.concatenate([handoffs, none], axis=-1),
        overlaps=overlapped.mode != "none",
        one_port=TOPOLOGIES[hardware.topology].one_port and hardware.duplex == "half",
    )
    interval: Floats = stages.max(-1)
    if TOPOLOGIES[hardware.topology].one_medium:  # the hand-offs share it
        interval = np.maximum(interval, handoffs.sum(-1))
    return interval


def unspent_share(table: LayerTable, plan: Plan) -> Floats:
    """Average S_comp: 1 - the MACs of all nodes / the network's MACs (model.md §5), 0 of none."""
    alike = plan.nodes / plan.local.shape[-2]
    spent = (plan.local @ table.macs + plan.remote @ table.macs).sum(-1) * alike
    macs = table.macs.sum()
    unspent: Floats = np.maximum(0.0, 1.0 - spent / macs) if macs else np.zeros_like(spent)
    return unspent
