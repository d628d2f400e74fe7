"""Measured runs of a split network, and what each level of the model says of them."""

import datetime
import os
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from discosim.errors import DiscosimError, require
from discosim.explore.study import Study, strategy_named
from discosim.graph.network import Network
from discosim.graph.table import LayerTable, tabulate
from discosim.hardware import Hardware, load_profile
from discosim.networks import build
from discosim.partition.plan import CONVENTIONS, Plan
from discosim.simulate import Cost, Overlap, simulate
from discosim.timeline.schedule import Event
from discosim.validate.bench import Case, Passes
from discosim.validate.calibration import Calibration, calibrate, to_toml
from discosim.validate.link import Link, link_between
from discosim.validate.pingpong import SIZES
from discosim.validate.probes import probes
from discosim.validate.profiled import (
    Parts,
    Prediction,
    Wires,
    between,
    measured_events,
    parts_of,
    predict,
    traffic_of,
)
from discosim.validate.runs import ROUNDS, Runs, row_parts, split_network
from discosim.validate.worker import Order, mask_of

LEVELS = ("paper", "calibrated", "profiled")
PROFILED_AT = (0.0, 0.9, 1.0)
"""S_comm at which computation is measured without a network."""

DRAG_S = 0.02
"""How long the message takes beside which computation is timed: several times that."""

LONGEST_S = 0.05
"""Of a message that is timed."""

FEWEST_SIZES = 5

KINDS = {"none": "serial", "layer": "overlapped"}
"""How a run goes, by the --overlap that describes it."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Question:
    """What is to be measured: a network on `nodes` nodes with links of `bandwidth_Bps`.

    count: runs of each S_comm and overlap.
    """

    model: str
    input_shape: tuple[int, ...] | None
    nodes: int
    bandwidth_Bps: float
    s_comm: tuple[float, ...]
    overlaps: tuple[str, ...]
    count: int


@dataclass(frozen=True, eq=False)
class Validation:
    """Records, one a configuration and level; rows, one a layer; and events to draw.

    about: the machine and the link; measured, predicted: events by (s_comm, overlap).
    """

    records: tuple[dict[str, Any], ...]
    rows: tuple[dict[str, Any], ...]
    about: Mapping[str, Any]
    measured: Mapping[tuple[float, str], tuple[Event, ...]]
    predicted: Mapping[tuple[float, str], tuple[Event, ...]]


@dataclass(frozen=True, eq=False)
class _Known:
    """What the predictions know of the machine: fits, and profiles of the nodes' computation."""

    question: Question
    table: LayerTable
    calibration: Calibration
    wires: Wires
    usual_s: float
    node: Hardware
    profiles: Mapping[float, Parts]


def validate(question: Question, progress: Progress | None = None) -> Validation:
    """Measure and predict; raises DiscosimError where that cannot be done here."""
    require("validate", "torch", "torch")
    _check(question)
    table = tabulate(build(question.model, question.input_shape))
    networks = probes()
    count = question.count
    settings = [(s, overlap) for s in question.s_comm for overlap in question.overlaps]
    orders = {
        "messages": [Order("messages", count, size=size) for size in _sizes(question)],
        "probes": [Order("probe", count, probe=number) for number in range(len(networks))],
        "alone": [Order("profile", count, s) for s in PROFILED_AT],
        "runs": [Order(KINDS[overlap], count, s) for s, overlap in settings],
    }
    drag = Order("drag", count, size=round(DRAG_S * question.bandwidth_Bps))
    every = [drag, *(order for some in orders.values() for order in some)]
    every.sort(key=lambda order: order.s_comm)  # a node is built for each S_comm
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, ROUNDS * len(every))

    names = question.model, question.nodes
    with (
        link_between(question.nodes, question.bandwidth_Bps) as link,
        split_network(*names, link, question.input_shape) as nodes,
    ):
        by_order = dict(zip(every, nodes.rounds(every, step), strict=True))
    taken = {name: [by_order[order] for order in some] for name, some in orders.items()}
    messages = {order.size: by_order[order].samples for order in orders["messages"]}
    cases = _cases(networks, taken["probes"])
    calibration = calibrate(cases, messages, link.burst_bytes)
    nodes_alone = [node for runs in taken["alone"] for node in runs.runs[0]]
    marked = {mark.row for node in nodes_alone for mark in node.marks}
    rows = [*table.name]
    profiles = {runs.order.s_comm: parts_of(runs, marked, rows) for runs in taken["alone"]}
    wires = Wires(calibration.link, link.burst_bytes, _drag(by_order[drag]))
    usual_s = by_order[drag].usual_s
    node = _hardware(calibration)
    known = _Known(question, table, calibration, wires, usual_s, node, profiles)
    found = [(*one, runs) for one, runs in zip(settings, taken["runs"], strict=True)]
    return _validation(known, found, link)


def _sizes(question: Question) -> list[int]:
    """The sizes of messages that are timed: those that do not take too long."""
    most = LONGEST_S * question.bandwidth_Bps
    return [size for number, size in enumerate(SIZES) if number < FEWEST_SIZES or size <= most]


def _drag(runs: Runs) -> float:
    """How many times as long the reference took while messages were under way."""
    nodes = [node for run in runs.counted for node in run]
    beside = [node.marks[0].waits_s - node.marks[0].went_on_s for node in nodes]
    return max(1.0, float(np.median(beside)) / runs.usual_s)


def _cases(networks: Sequence[Network], taken: Sequence[Runs]) -> list[Case]:
    """The operators of the probes, as all nodes took for them at the same time."""
    cases: list[Case] = []
    for network, runs in zip(networks, taken, strict=True):
        rows = len(network.layers)
        each = [np.diff(node.row_begins_s)[:rows] for run in runs.runs for node in run]
        steady = np.repeat(runs.quiet, len(runs.runs[0]))
        cases += Passes(network, np.array(each), steady).cases()
    return cases


def _check(question: Question) -> None:
    for overlap in question.overlaps:
        if overlap not in KINDS:
            raise DiscosimError(
                f"overlap {overlap!r} is not one that a run has; wanted {' or '.join(KINDS)}"
            )
    if question.nodes < 2:
        raise DiscosimError(f"{question.nodes} nodes: a split network has 2 or more")


def _hardware(calibration: Calibration) -> Hardware:
    """The calibrated profile, as `calibrate` writes it."""
    today = datetime.datetime.now(tz=datetime.UTC).date()
    with tempfile.TemporaryDirectory(prefix="discosim-") as folder:
        path = Path(folder) / "calibrated.toml"
        path.write_text(to_toml(calibration, 1, "the shaped link", today), encoding="utf-8")
        return load_profile(str(path)).hardware()


def _cost(known: _Known, level: str, s_comm: float, overlap: str) -> tuple[Plan, Cost]:
    """The plan, and what `simulate` says of it: the paper's model, or the calibrated one."""
    question = known.question
    convention = "paper" if level == "paper" else "runtime"
    node = known.node
    if level == "paper":  # one C, one B and nothing else
        node = replace(
            node, memory_Bps=None, efficiency={}, overhead_s={}, link_latency_s=0.0,
            bandwidth_Bps=question.bandwidth_Bps,
        )  # fmt: skip
    mask = mask_of(known.table.network, question.nodes, s_comm) if level != "paper" else None
    study = Study(question.model, question.input_shape, CONVENTIONS[convention], mask=mask)
    disco = strategy_named("disco")
    request = study.request(disco, question.nodes, np.array([[s_comm]]), node, "")
    plan = disco.plan(request)
    return plan, simulate(known.table, plan, node, Overlap.parse(overlap))


def _validation(known: _Known, found: Sequence[tuple[float, str, Runs]], link: Link) -> Validation:
    names = [*known.table.name]
    records: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    measured, predicted = {}, {}
    for s_comm, overlap, runs in found:
        traffic = traffic_of(runs, names)
        parts = between(known.profiles, s_comm, set(traffic))
        profiled = predict(parts, traffic, known.wires, serial=overlap == "none", names=names)
        plan, runtime = _cost(known, "calibrated", s_comm, overlap)
        said = {
            "paper": _cost(known, "paper", s_comm, overlap)[1].latency_s.item(),
            "calibrated": runtime.latency_s.item(),
            "profiled": profiled.latency_s,
        }
        base = _record(known, s_comm, overlap, runs, plan, profiled)
        for level in LEVELS:
            error = said[level] / runs.samples.median_s - 1
            records.append({**base, "level": level, "predicted_s": said[level], "error": error})
        rows += _rows(known, s_comm, overlap, runs, profiled)
        measured[s_comm, overlap] = measured_events(runs, names)
        predicted[s_comm, overlap] = profiled.events
    return Validation(tuple(records), tuple(rows), _about(known, link), measured, predicted)


def _record(
    known: _Known, s_comm: float, overlap: str, runs: Runs, plan: Plan, said: Prediction
) -> dict[str, Any]:
    """What is the same for all levels of one configuration."""
    question = known.question
    samples = runs.samples
    sent = sum(message[4] for message in runs.messages)
    elem_bytes = float(known.node.feature_elem_bytes)
    busy = {"link": 0.0, "node": 0.0}
    for event in said.events:
        if event.track in ("link 0→1", "node 0"):
            busy[event.track.split()[0]] += event.end_s - event.begin_s
    return {
        "model": question.model,
        "nodes": question.nodes,
        "bandwidth_Bps": question.bandwidth_Bps,
        "s_comm": s_comm,
        "held_out": s_comm not in PROFILED_AT,
        "overlap": overlap,
        "measured_s": samples.median_s,
        "spread": samples.spread,
        "counted": len(samples.seconds) if samples.conclusive else 0,
        "refused": samples.refused,
        "conclusive": samples.conclusive,
        "bytes": sent,
        "model_bytes": round(float(plan.exchange.total.sum()) * elem_bytes),
        "messages": len(runs.messages),
        "model_messages": round(float(plan.exchange.total_messages.sum())),
        "output_error": runs.off,
        "link_share": busy["link"] / said.latency_s,
        "node_share": busy["node"] / said.latency_s,
    }


def _rows(
    known: _Known, s_comm: float, overlap: str, runs: Runs, said: Prediction
) -> list[dict[str, Any]]:
    """One row a convolution, linear layer and attention, with what follows it up to the next.

    Times are those of node 0, measured and predicted at the profiled level.
    """
    table, question = known.table, known.question
    took = np.median([row_parts(run[0]).sum(0) for run in runs.counted], axis=0)
    leads = table.mixes | (table.macs > 0)
    leads[0] = True
    starts = np.flatnonzero(leads)
    measured, predicted = (np.add.reduceat(each, starts) for each in (took, said.row_s))
    return [
        {
            "model": question.model,
            "nodes": question.nodes,
            "s_comm": s_comm,
            "overlap": overlap,
            "layer": table.name[row],
            "measured_s": one,
            "predicted_s": other,
            "error": other / one - 1,
        }
        for row, one, other in zip(
            starts.tolist(), measured.tolist(), predicted.tolist(), strict=True
        )
    ]


def _about(known: _Known, link: Link) -> dict[str, Any]:
    """The machine, the link and the fits, for whoever reads the numbers later."""
    calibration = known.calibration
    return {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "link": link.how,
        "link_Bps": known.wires.line.rate,
        "link_latency_s": known.wires.line.constant_s,
        "burst_bytes": known.wires.burst_bytes,
        "drag": known.wires.drag,
        "reference_s": known.usual_s,
        "rates_macps": {kind: line.rate for kind, line in calibration.rates.items()},
        "memory_Bps": calibration.memory_Bps,
        "efficiency": dict(known.node.efficiency),
        "overhead_s": dict(known.node.overhead_s),
        "profiled_at": list(PROFILED_AT),
    }
