"""Measured runs of a split network beside what the model says of them."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from discosim.errors import DiscosimError, require
from discosim.explore.executed import check_executed
from discosim.graph.network import Network
from discosim.graph.table import LayerTable, tabulate
from discosim.hardware import DTYPES
from discosim.networks import build
from discosim.units import format_quantity
from discosim.validate.bench import Case, Passes
from discosim.validate.calibration import calibrate
from discosim.validate.levels import (
    PROFILED_AT,
    Known,
    Question,
    Setting,
    Validation,
    calibrated_hardware,
    judge_all,
)
from discosim.validate.link import NodeLinks, links_between
from discosim.validate.pingpong import SIZES
from discosim.validate.probes import probes
from discosim.validate.profiled import Parts, Wires, parts_of
from discosim.validate.runs import Runs, measured_nodes
from discosim.validate.splits import (
    PLAN,
    SINGLE,
    SPARSE,
    forget_plans,
    has_knob,
    names_of,
    the_plan_file,
)
from discosim.validate.timing import Order

DRAG_S = 0.02
"""How long the message takes beside which computation is timed: several times that."""

LONGEST_S = 0.05
"""Of a message that is timed."""

FEWEST_SIZES = 5
"""Of messages, however slow the link: some of them larger than the least bucket of a link."""

MOST_S = 3600.0
"""That all runs may take."""

KINDS = {"none": "serial", "layer": "overlapped"}
"""How a run goes, by the --overlap that describes it."""

Progress = Callable[[int, int], None]


def validate(question: Question, progress: Progress | None = None) -> Validation:
    """Measure and predict; raises DiscosimError where that cannot be done here."""
    forget_plans()
    _check(question)
    table = tabulate(build(question.model, question.input_shape))
    _check_time(question, table)
    require("validate", "torch")
    orders = _orders(question)
    every = [order for some in orders.values() for order in some]
    every.sort(key=lambda order: (order.strategy, order.s_comm))  # a node is built for each
    with (
        links_between(question.nodes, question.bandwidth_Bps) as link,
        measured_nodes(table.network, question.nodes, link) as nodes,
    ):
        by_order = dict(zip(every, nodes.rounds(every, progress), strict=True))
    taken = {name: [by_order[order] for order in some] for name, some in orders.items()}
    known = _known(question, table, link, taken)
    return judge_all(known, list(zip(_settings(question), taken["runs"], strict=True)), link)


def _settings(question: Question) -> list[Setting]:
    every = [
        (strategy, s_comm)
        for strategy in question.strategies
        for s_comm in (question.s_comm if has_knob(strategy) else (0.0,))
    ]
    return [(*each, overlap) for each in every for overlap in question.overlaps]


def _orders(question: Question) -> dict[str, list[Order]]:
    """All that is run, by what it is for."""
    count, size = question.count, round(DRAG_S * question.bandwidth_Bps)
    return {
        "messages": [Order("messages", count, size=size) for size in _sizes(question)],
        "drag": [Order("drag", count, size=size)],
        "probes": [Order("probe", count, probe=number) for number in range(len(probes()))],
        "alone": [
            Order("profile", count, s_comm, strategy=strategy)
            for strategy in question.strategies
            for s_comm in (PROFILED_AT if has_knob(strategy) else (0.0,))
        ],
        "runs": [
            Order(KINDS[overlap], count, s_comm, strategy=strategy)
            for strategy, s_comm, overlap in _settings(question)
        ],
    }


def _known(
    question: Question, table: LayerTable, link: NodeLinks, taken: Mapping[str, Sequence[Runs]]
) -> Known:
    """What the runs besides those of the question say of the machine."""
    messages = {runs.order.size: runs.samples for runs in taken["messages"]}
    calibration = calibrate(_cases(probes(), taken["probes"]), messages, link.burst_bytes)
    profiles: dict[str, dict[float, Parts]] = {}
    profiled: dict[str, list[Runs]] = {}
    for strategy in question.strategies:
        alone = [runs for runs in taken["alone"] if runs.order.strategy == strategy]
        profiled[strategy] = alone
        nodes = [node for runs in alone for node in runs.runs[0]]
        marked = {mark.row for node in nodes for mark in node.marks}
        names = names_of(table.network, question.nodes, strategy)[0]
        profiles[strategy] = {runs.order.s_comm: parts_of(runs, marked, names) for runs in alone}
    [drag] = taken["drag"]
    wires = Wires(calibration.link, link.burst_bytes, _drag(drag))
    node = calibrated_hardware(calibration)
    return Known(question, table, calibration, wires, drag.usual_s, node, profiles, profiled)


def _sizes(question: Question) -> list[int]:
    """The sizes of messages that are timed: those that do not take too long."""
    most = LONGEST_S * question.bandwidth_Bps
    return [size for number, size in enumerate(SIZES) if number < FEWEST_SIZES or size <= most]


def _drag(runs: Runs) -> float:
    """How many times as long the reference took while messages were under way."""
    took = [[n.marks[0].waits_s - n.marks[0].went_on_s for n in run] for run in runs.counted]
    usual_s = runs.local_s[runs.counts][:, None]
    return max(1.0, float(np.median(np.array(took) / usual_s)))


def _cases(networks: Sequence[Network], taken: Sequence[Runs]) -> list[Case]:
    """The operators of the probes, as all nodes took for them at once, at the usual speed."""
    cases: list[Case] = []
    for network, runs in zip(networks, taken, strict=True):
        rows = len(network.layers)
        slowness = runs.slowness.ravel()[:, None]
        each = [np.diff(node.row_begins_s)[:rows] for run in runs.runs for node in run]
        steady = np.repeat(runs.quiet, len(runs.runs[0]))
        cases += Passes(network, np.array(each) / slowness, steady).cases()
    return cases


def _check(question: Question) -> None:
    for strategy in question.strategies:
        if strategy.endswith(PLAN):
            _check_plan(strategy, question)
        elif strategy not in (SPARSE, SINGLE):
            check_executed(strategy)
    for overlap in question.overlaps:
        if overlap not in KINDS:
            raise DiscosimError(
                f"overlap {overlap!r} is not one that a run has; wanted {' or '.join(KINDS)}"
            )
    if question.nodes < 2:
        raise DiscosimError(f"{question.nodes} nodes: a split network has 2 or more")


def _check_plan(path: str, question: Question) -> None:
    """Raise DiscosimError for a plan that is not of this network and these nodes."""
    network = build(question.model, question.input_shape)
    plan_file = the_plan_file(path)
    plan_file.check(tabulate(network))
    plan_file.layer_s_comm(tabulate(network), question.nodes)


def _check_time(question: Question, table: LayerTable) -> None:
    """Raise DiscosimError where the messages alone would take longer than anybody waits."""
    most = table.in_elems[table.mixes].sum() * DTYPES["fp32"] / question.nodes
    densities = [1 - s_comm for strategy, s_comm, _ in _settings(question) if has_knob(strategy)]
    seconds = question.count * sum(densities) * most / question.bandwidth_Bps
    if seconds > MOST_S:
        raise DiscosimError(
            f"over {format_quantity(question.bandwidth_Bps, 'B/s')} the messages of all runs take "
            f"{seconds / 3600:.3g} hours; wanted at most {MOST_S / 3600:.3g}: a faster --bw, fewer "
            "--runs or fewer --s-comm"
        )
