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

from discosim.errors import DiscosimError
from discosim.explore.study import Study, strategy_named
from discosim.graph.table import LayerTable, tabulate
from discosim.hardware import Hardware, load_profile
from discosim.networks import build
from discosim.partition.plan import CONVENTIONS, Plan
from discosim.simulate import Cost, Overlap, simulate
from discosim.timeline.schedule import Event
from discosim.validate.bench import measure
from discosim.validate.calibration import Calibration, calibrate, to_toml
from discosim.validate.fit import Line
from discosim.validate.link import Link, link_between
from discosim.validate.pingpong import fit_link, measured_on
from discosim.validate.profiled import (
    Parts,
    Prediction,
    between,
    measured_events,
    parts_of,
    predict,
    traffic_of,
)
from discosim.validate.runs import Nodes, Runs, median_rows, split_network
from discosim.validate.worker import Order, mask_of

LEVELS = ("paper", "calibrated", "profiled")
PROFILED_AT = (0.0, 0.9, 1.0)
"""S_comm at which computation is measured without a network."""

KINDS = {"none": "serial", "layer": "overlapped"}
"""How a run goes, by the --overlap that describes it."""

TRIES = 3
"""How often runs are repeated until enough of them had a core of their own."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Question:
    """What is to be measured: a network on `nodes` nodes with links of `bandwidth_Bps`.

    count: runs of each S_comm and overlap; seconds: for the calibration.
    """

    model: str
    input_shape: tuple[int, ...] | None
    nodes: int
    bandwidth_Bps: float
    s_comm: tuple[float, ...]
    overlaps: tuple[str, ...]
    count: int
    seconds: float


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
    straight: Line
    bent: Line
    burst_bytes: int
    node: Hardware
    profiles: Mapping[float, Parts]


def validate(question: Question, progress: Progress | None = None) -> Validation:
    """Measure and predict; raises DiscosimError where that cannot be done here."""
    _check(question)
    table = tabulate(build(question.model, question.input_shape))
    steps = len(question.s_comm) * len(question.overlaps) + len(PROFILED_AT) + 2
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, steps)

    with link_between(question.nodes, question.bandwidth_Bps) as link:
        burst = link.burst_bytes
        messages = measured_on(link, question.seconds / 4)
        step()
        calibration = calibrate(measure(question.seconds * 3 / 4, 1), messages, burst)
        step()
        names = question.model, question.nodes, link, question.input_shape
        with split_network(*names) as nodes:
            alone = {}
            for s_comm in PROFILED_AT:
                alone[s_comm] = _runs(nodes, Order("profile", s_comm, question.count))
                step()
            nodes_alone = [node for runs in alone.values() for node in runs.runs[0]]
            exchanges = {mark.row for node in nodes_alone for mark in node.marks}
            profiles = {s_comm: parts_of(runs, exchanges) for s_comm, runs in alone.items()}
            known = _Known(
                question, table, calibration, fit_link(dict(messages)), calibration.link, burst,
                _hardware(calibration, fit_link(dict(messages))), profiles,
            )  # fmt: skip
            found = []
            for s_comm in question.s_comm:
                for overlap in question.overlaps:
                    order = Order(KINDS[overlap], s_comm, question.count)
                    found.append((s_comm, overlap, _runs(nodes, order)))
                    step()
    return _validation(known, found, link)


def _check(question: Question) -> None:
    for overlap in question.overlaps:
        if overlap not in KINDS:
            raise DiscosimError(
                f"overlap {overlap!r} is not one that a run has; wanted {' or '.join(KINDS)}"
            )
    if question.nodes < 2:
        raise DiscosimError(f"{question.nodes} nodes: a split network has 2 or more")


def _runs(nodes: Nodes, order: Order) -> Runs:
    """Runs, until enough of them had a core of their own or three times as many were tried."""
    runs = nodes.run(order)
    for _ in range(TRIES - 1):
        if runs.samples.conclusive:
            break
        more = nodes.run(order)
        runs = replace(runs, runs=runs.runs + more.runs)
    return runs


def _hardware(calibration: Calibration, straight: Line) -> Hardware:
    """The calibrated profile, as `calibrate` writes it, with the straight fit of the link."""
    today = datetime.datetime.now(tz=datetime.UTC).date()
    with tempfile.TemporaryDirectory(prefix="discosim-") as folder:
        path = Path(folder) / "calibrated.toml"
        path.write_text(to_toml(calibration, 1, "the shaped link", today), encoding="utf-8")
        node = load_profile(str(path)).hardware()
    return replace(node, bandwidth_Bps=straight.rate, link_latency_s=straight.constant_s)


def _cost(known: _Known, level: str, s_comm: float, overlap: str) -> tuple[Plan, Cost]:
    """The plan, and what `simulate` says of it: the paper's model, or the calibrated one."""
    question = known.question
    convention = "paper" if level == "paper" else "runtime"
    node = known.node
    if level == "paper":  # one C, one B and nothing else
        node = replace(
            node, memory_Bps=None, efficiency={}, link_latency_s=0.0,
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
        parts = between(known.profiles, s_comm)
        profiled = predict(
            parts, traffic, known.bent, known.burst_bytes,
            serial=overlap == "none", names=names,
        )  # fmt: skip
        plan, runtime = _cost(known, "calibrated", s_comm, overlap)
        said = {
            "paper": _cost(known, "paper", s_comm, overlap)[1].latency_s.item(),
            "calibrated": runtime.latency_s.item() + _overhead_s(known),
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


def _overhead_s(known: _Known) -> float:
    """What a node's operators cost in themselves, whatever their size."""
    return known.calibration.overhead_s * len(known.table.network.layers)


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
    took = median_rows([run[0] for run in runs.counted]).total_s
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
        "link_Bps": known.bent.rate,
        "link_latency_s": known.bent.constant_s,
        "burst_bytes": known.burst_bytes,
        "rates_macps": {kind: line.rate for kind, line in calibration.rates.items()},
        "memory_Bps": calibration.memory.rate,
        "operator_s": calibration.overhead_s,
        "profiled_at": list(PROFILED_AT),
    }
