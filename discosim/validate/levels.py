"""What each level of the model says of measured runs, and how far that is off."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from discosim.configuration import Configuration
from discosim.explore.executed import MASKED, worth_of_a_run
from discosim.graph.table import LayerTable
from discosim.hardware import Hardware
from discosim.hardware.profile import Profile
from discosim.masks.mask import Mask
from discosim.masks.plan import masked_plan
from discosim.partition.plan import CONVENTIONS, Plan
from discosim.simulate import Cost, Overlap, simulate
from discosim.strategies.layered import plan_of
from discosim.strategies.strategy import STRATEGIES
from discosim.timeline.schedule import Event
from discosim.validate.calibration import Calibration, calibrated_profile, this_machine
from discosim.validate.drift import Drift, drift
from discosim.validate.link import NodeLinks
from discosim.validate.profiled import (
    Parts,
    Prediction,
    Wires,
    between,
    measured_events,
    predict,
    traffic_of,
)
from discosim.validate.records import LayerRecord, Machine, MeasuredRecord
from discosim.validate.runs import Runs, row_parts
from discosim.validate.splits import PLAN, SPARSE, names_of, split_of, the_plan_file

LEVELS = ("paper", "calibrated", "profiled")
PROFILED_AT = (0.0, 0.9, 1.0)
"""S_comm at which computation is measured without a network."""

Setting = tuple[str, float, str]
"""Strategy, S_comm and overlap of a configuration."""


@dataclass(frozen=True)
class Question:
    """What is to be measured: a network on `nodes` nodes with links of `bandwidth_Bps`.

    count: runs of each S_comm and overlap; s_comm: of disco, other strategies have none.
    """

    model: str
    input_shape: tuple[int, ...] | None
    nodes: int
    bandwidth_Bps: float
    s_comm: tuple[float, ...]
    overlaps: tuple[str, ...]
    count: int
    strategies: tuple[str, ...] = (SPARSE,)


@dataclass(frozen=True, eq=False)
class Validation:
    """Records, one a configuration and level; rows, one a layer; and events to draw.

    about: the machine and the link; measured, predicted: events by Setting.
    """

    records: tuple[MeasuredRecord, ...]
    rows: tuple[LayerRecord, ...]
    about: Machine
    measured: Mapping[Setting, tuple[Event, ...]]
    predicted: Mapping[Setting, tuple[Event, ...]]


@dataclass(frozen=True, eq=False)
class Known:
    """What the predictions know of the machine: fits, and profiles of the nodes' computation.

    profiles: by strategy and S_comm; profiled: the runs that they are of.
    """

    question: Question
    table: LayerTable
    calibration: Calibration
    wires: Wires
    usual_s: float
    node: Hardware
    profiles: Mapping[str, Mapping[float, Parts]]
    profiled: Mapping[str, Sequence[Runs]]


def calibrated_hardware(calibration: Calibration) -> Hardware:
    """Return the calibrated profile, as `calibrate` writes it."""
    today = datetime.datetime.now(tz=datetime.UTC).date()
    document = calibrated_profile(calibration, 1, "the shaped link", today)
    return Profile("calibrated", document).hardware()


def judge_all(known: Known, found: Sequence[tuple[Setting, Runs]], link: NodeLinks) -> Validation:
    """Return what every level says of each configuration, and how far its runs are from that."""
    records: list[MeasuredRecord] = []
    rows: list[LayerRecord] = []
    measured, predicted = {}, {}
    for setting, runs in found:
        strategy, s_comm, overlap = setting
        names = names_of(known.table.network, known.question.nodes, strategy)[0]
        traffic = traffic_of(runs, names)
        moved = drift(runs, known.profiled[strategy])
        parts = between(known.profiles[strategy], s_comm, set(traffic)).slowed(moved.slowness)
        profiled = predict(parts, traffic, known.wires, serial=overlap == "none", names=names)
        times = float(moved.slowness.mean())
        plan, runtime = _cost(known, "calibrated", setting, times)
        said = {
            "paper": float(_cost(known, "paper", setting, times)[1].latency_s.max()),
            "calibrated": float(runtime.latency_s.max()),
            "profiled": profiled.latency_s,
        }
        base = _configuration(known, setting, runs, moved, plan, profiled)
        records += [
            MeasuredRecord(**base, level=level, predicted_s=said[level]) for level in LEVELS
        ]
        rows += _rows(known, setting, runs, profiled)
        measured[setting] = measured_events(runs, names)
        predicted[setting] = profiled.events
    return Validation(tuple(records), tuple(rows), _about(known, link), measured, predicted)


def _cost(known: Known, level: str, setting: Setting, times: float) -> tuple[Plan, Cost]:
    """The plan, and what `simulate` says of it: the paper's model, or the calibrated one.

    times: how many times as long the nodes took to compute as usual.
    """
    question, (strategy, s_comm, overlap) = known.question, setting
    convention = "paper" if level == "paper" else "runtime"
    node = known.node.slowed(times)
    if level == "paper":  # one C, one B and nothing else
        node = replace(
            node, memory_Bps=None, efficiency={}, overhead_s={}, link_latency_s=0.0,
            bandwidth_Bps=question.bandwidth_Bps,
        )  # fmt: skip
    by_plan = strategy.endswith(PLAN)
    if level != "paper" and (by_plan or strategy in MASKED):  # the features that really are sent
        plan = _plan_as_run(known, strategy, s_comm)
        return plan, simulate(known.table, plan, node, Overlap.parse(overlap))
    return Configuration(
        known.table.network,
        node,
        strategy=STRATEGIES[SPARSE if by_plan else strategy],
        nodes=question.nodes,
        s_comm=s_comm,
        overlap=Overlap.parse(overlap),
        conventions=CONVENTIONS[convention],
        worth=worth_of_a_run(),
        plan_file=the_plan_file(strategy) if by_plan else None,
    ).evaluate()


def _plan_as_run(known: Known, strategy: str, s_comm: float) -> Plan:
    """The plan of what the nodes execute, with the features that they really send."""
    split = split_of(known.table.network, known.question.nodes, strategy, s_comm)
    if isinstance(split, Mask):
        return masked_plan(known.table, split, CONVENTIONS["runtime"])
    return plan_of(split, np.ones((1, 1)))


def _configuration(
    known: Known, setting: Setting, runs: Runs, moved: Drift, plan: Plan, said: Prediction
) -> dict[str, Any]:
    """What is the same for all levels of one configuration."""
    question, (strategy, s_comm, overlap) = known.question, setting
    samples = runs.samples
    sent = sum(message.nbytes for message in runs.messages)
    elem_bytes = float(known.node.feature_elem_bytes)
    busy = {"link": 0.0, "node": 0.0}
    for event in said.events:
        if event.track in ("link 0→1", "node 0"):
            busy[event.track.split()[0]] += event.end_s - event.begin_s
    return {
        "model": question.model,
        "strategy": strategy,
        "nodes": question.nodes,
        "bandwidth_Bps": question.bandwidth_Bps,
        "s_comm": s_comm,
        "held_out": s_comm not in known.profiles[strategy],
        "overlap": overlap,
        "measured_s": samples.median_s,
        "spread": samples.spread,
        "counted": len(samples.seconds) if samples.conclusive else 0,
        "refused": samples.refused,
        "conclusive": moved.conclusive,
        "slowness": float(moved.slowness.mean()),
        "moved": moved.moved,
        "band": moved.band,
        "bytes": sent,
        "model_bytes": round(float(plan.exchange.total.sum()) * elem_bytes),
        "messages": len(runs.messages),
        "model_messages": round(float(plan.exchange.total_messages.sum())),
        "output_error": runs.off,
        "link_share": busy["link"] / said.latency_s,
        "node_share": busy["node"] / said.latency_s,
    }


def _rows(known: Known, setting: Setting, runs: Runs, said: Prediction) -> list[LayerRecord]:
    """One row a convolution, linear layer and attention, with what follows it up to the next.

    Times are those of node 0, measured and predicted at the profiled level.
    """
    table, question, (strategy, s_comm, overlap) = known.table, known.question, setting
    took = np.median([row_parts(run[0]).sum(0) for run in runs.counted], axis=0)
    leads = table.mixes | (table.macs > 0)
    leads[0] = True
    starts = np.flatnonzero(leads)
    of_row = np.array(names_of(table.network, question.nodes, strategy)[1])
    first = np.searchsorted(of_row, starts)  # of the program's rows
    measured, predicted = (np.add.reduceat(each, first) for each in (took, said.row_s))
    return [
        LayerRecord(
            model=question.model,
            strategy=strategy,
            nodes=question.nodes,
            s_comm=s_comm,
            overlap=overlap,
            layer=table.name[row],
            measured_s=one,
            predicted_s=other,
        )
        for row, one, other in zip(
            starts.tolist(), measured.tolist(), predicted.tolist(), strict=True
        )
    ]


def _about(known: Known, link: NodeLinks) -> Machine:
    """The machine, the link and the fits, for whoever reads the numbers later."""
    calibration = known.calibration
    return Machine(
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        machine=this_machine(),
        link=link.how,
        link_Bps=known.wires.line.rate,
        link_latency_s=known.wires.line.constant_s,
        burst_bytes=known.wires.burst_bytes,
        drag=known.wires.drag,
        reference_s=known.usual_s,
        rates_macps={kind: line.rate for kind, line in calibration.rates.items()},
        memory_Bps=calibration.memory_Bps,
        efficiency=dict(known.node.efficiency),
        overhead_s=dict(known.node.overhead_s),
        profiled_at=PROFILED_AT,
    )
