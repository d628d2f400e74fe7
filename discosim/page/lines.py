"""What each layer of a configuration computes, touches and sends, at each S_comm.

With B, alpha, C and the memory bandwidth M, a layer takes (docs/explore.md)

    work = max(macs slowness / C, touched reach / M) + calls
    wait = max(waiting_macs slowness / C, waiting_touched reach / M) + waiting_calls
    waiting_touched = touched waiting_macs / macs, where it is not stated
    the sums in place of the maxima where memory traffic does not hide behind arithmetic
    comm = sent / B + messages alpha
    none: comm + work;  layer: max(work, comm + wait);  ideal: max(work, comm)

all of the slowest node; of a pipeline comm + work always. Where one node has most MACs and another
one touches most or calls longest, `…_2` is that other node's, and work and wait are the larger of
both nodes'. These are the lines of
explore/grid/coefficients.py, layer by layer; `simulate` is what they are held against.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from discosim.configuration import Configuration
from discosim.graph.table import Floats
from discosim.hardware import Hardware, duplex_of
from discosim.model.traffic import TOPOLOGIES
from discosim.partition.plan import Plan
from discosim.simulate import Cost, compute_s, rates_of, simulate, traffic_of

COMPUTE = ("macs", "touched", "calls", "waiting_macs", "waiting_calls", "waiting_touched")
EQUAL = 1e-12
"""Of MACs or seconds, what two nodes differ by that have as many."""

SECOND = tuple(f"{name}_2" for name in COMPUTE)
WIRE = ("sent", "messages")
TOTALS = ("weight_bytes", "feature_bytes", "avg_s_comm", "avg_s_comp")


@dataclass(frozen=True, eq=False)
class Lines:
    """Amounts of the slowest node at each S_comm: (S, L) of COMPUTE and SECOND, (S,) of TOTALS.

    wires: WIRE (S, L) of each topology; bytes_per_node: (S,) of each. All but `plan` are bytes,
    MACs, seconds of calls and shares, whatever the numbers of the hardware. rates: slowness and
    reach of its rows, (L,) each.
    """

    plan: Plan
    rates: tuple[Floats, Floats]
    compute: Mapping[str, Floats]
    totals: Mapping[str, Floats]
    wires: Mapping[str, Mapping[str, Floats]]
    bytes_per_node: Mapping[str, Floats]


def wired(node: Hardware, topology: str) -> Hardware:
    """Return the same nodes wired so, as --topology does."""
    if topology == node.topology:
        return node
    return replace(node, topology=topology, duplex=duplex_of(topology))


def lines(given: Configuration, s_comm: Floats) -> Lines:
    """Return the amounts of a configuration at each S_comm (S,), for every topology."""
    plan, node, table = (
        replace(given, s_comm=s_comm[:, None, None]).plan(),
        given.hardware,
        given.table,
    )
    shape = (len(s_comm), len(table))
    unit = replace(
        node, bandwidth_Bps=1.0, link_latency_s=0.0, compute_macps=1.0, memory_Bps=None,
        efficiency={}, folds=False, overhead_s={}, run_s=0.0, spill_Bps=None,
    )  # fmt: skip
    free = replace(unit, compute_macps=inf)
    called = replace(node, compute_macps=inf, memory_Bps=None)
    rates = rates_of(table, node)
    each = (
        compute_s(table, plan, unit),
        compute_s(table, plan, replace(free, memory_Bps=1.0)),
        compute_s(table, plan, called),
    )
    macs, touched, calls, macs_2, touched_2, calls_2 = _ends(
        [local + remote for local, remote in each], node, rates
    )
    waiting, read, called_later, waiting_2, read_2, called_later_2 = _ends(
        [remote for _, remote in each], node, rates
    )
    first = [macs, touched, calls, waiting, called_later, read]
    amounts = [*first, macs_2, touched_2, calls_2, waiting_2, called_later_2, read_2]
    traffic = {name: traffic_of(plan, wired(node, name)) for name in TOPOLOGIES}
    totals = _totals(simulate(table, plan, unit, given.overlap, given.features), node)
    return Lines(
        plan=plan,
        rates=rates,
        compute={
            n: np.broadcast_to(v, shape) for n, v in zip(COMPUTE + SECOND, amounts, strict=True)
        },
        totals={n: np.broadcast_to(v, shape[:1]) for n, v in totals.items()},
        wires={
            name: {
                "sent": _slowest(found.serial_bytes, shape),
                "messages": _slowest(found.rounds, shape),
            }
            for name, found in traffic.items()
        },
        bytes_per_node={
            name: np.broadcast_to(found.bytes_per_node, shape[:1])
            for name, found in traffic.items()
        },
    )


def _slowest(values: Floats, shape: tuple[int, int]) -> Floats:
    return np.broadcast_to(values.max(-2), shape)


def _ends(parts: Sequence[Floats], node: Hardware, rates: tuple[Floats, Floats]) -> list[Floats]:
    """MACs, bytes and calls of the node with most MACs, then of that which takes longest else.

    (..., L) of (..., R, L) each. Where calls take all nodes equally long and memory traffic hides,
    the largest of each are those of one node, twice.
    """
    macs, touched, calls = np.broadcast_arrays(*parts)
    if node.memory_overlap == "full" and (calls == calls.max(-2, keepdims=True)).all():
        return [each.max(-2) for each in (macs, touched, calls)] * 2
    memory = inf if node.memory_Bps is None else float(np.asarray(node.memory_Bps))
    others = touched * rates[1] / memory + calls
    found = []
    for first, then in ((macs, others), (others, macs)):
        most = first >= first.max(-2, keepdims=True) * (1.0 - EQUAL)
        slowest = np.where(most, then, -1.0).argmax(-2)[..., None, :]
        found += [
            np.take_along_axis(each, slowest, -2)[..., 0, :] for each in (macs, touched, calls)
        ]
    return found


def _totals(cost: Cost, node: Hardware) -> dict[str, Floats]:
    features = cost.node_bytes - cost.weight_bytes - node.runtime_bytes
    values = (cost.weight_bytes, features, cost.avg_s_comm, cost.avg_s_comp)
    return dict(zip(TOTALS, values, strict=True))


def follows(found: Lines) -> bool:
    """Return whether of what is touched the share waits that waits of the MACs."""
    of = found.compute
    share = np.divide(
        of["waiting_macs"], of["macs"], out=np.zeros_like(of["macs"]), where=of["macs"] > 0
    )
    return bool(np.allclose(of["touched"] * share, of["waiting_touched"], rtol=1e-11, atol=0.0))


def latency_s(found: Lines, node: Hardware, overlap: str, *, staged: bool) -> Floats:
    """Return the latency (S,) that the formulas give on `node`, overlap none, layer or ideal."""
    of, wire, (slowness, reach) = found.compute, found.wires[node.topology], found.rates
    memory = inf if node.memory_Bps is None else node.memory_Bps
    comm = wire["sent"] / node.bandwidth_Bps + wire["messages"] * node.link_latency_s
    together = np.maximum if node.memory_overlap == "full" else np.add

    def slower(word: str) -> Floats:
        each = [
            together(
                of[f"{word}macs{n}"] * slowness / node.compute_macps,
                of[f"{word}touched{n}"] * reach / memory,
            )
            + of[f"{word}calls{n}"]
            for n in ("", "_2")
        ]
        longest: Floats = np.maximum(*each)
        return longest

    work, wait = slower(""), slower("waiting_")
    each = comm + work
    if overlap != "none" and not staged:
        each = np.maximum(work, comm + wait if overlap == "layer" else comm)
    seconds: Floats = each.sum(-1)
    return seconds
