"""A split network that runs on a link, one process a node, and what its runs took."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from discosim.graph.network import Network
from discosim.runtime.nodes import NodeProcesses
from discosim.runtime.run import loads
from discosim.runtime.state import expected_outputs, largest_difference
from discosim.runtime.wire import SentMessage
from discosim.runtime.worker import Array, Load, Ready, Seat
from discosim.validate.gate import FEWEST, Floats, Samples, cores, gated, is_steady, usually
from discosim.validate.link import NodeLinks
from discosim.validate.probes import probes
from discosim.validate.splits import split_of
from discosim.validate.timing import (
    SEED,
    NodeRun,
    Order,
    Timed,
    Timing,
    normal_input,
    whole,
)

if TYPE_CHECKING:
    from torch import Tensor

TIMEOUT_S = 120.0

ROUNDS = 3
"""In how many turns the runs of an order are taken."""

PATIENCE_S = 0.25
"""For how long a run may wait for the usual speed; what one does not need others may."""

ENOUGH = 1 / 3
"""Share of the runs asked for that have to be steady."""

TRIES = 3
"""How many times as often they are, where too few were steady."""


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs of all nodes at one S_comm; messages: those of one.

    usual_s: what the reference usually takes on this machine; off: how far an output is from that
    of the network, masked or not, on one process, as a fraction of the largest value.
    """

    order: Order
    runs: tuple[tuple[NodeRun, ...], ...]
    messages: tuple[SentMessage, ...]
    usual_s: float
    off: float = 0.0

    @property
    def seconds(self) -> Floats:
        """From when the first node begins to when the last has ended, for each run."""
        return np.array(
            [max(n.ends_s for n in run) - min(n.begins_s for n in run) for run in self.runs]
        )

    @property
    def quiet(self) -> list[bool]:
        """Of each run, whether every node had a core of its own, of usual speed."""
        return [
            all(is_steady(seconds, n.delay_s, n.reference_s, self.usual_s) for n in run)
            for run, seconds in zip(self.runs, self.seconds, strict=True)
        ]

    @property
    def enough(self) -> bool:
        """Whether as many runs are quiet as a third of those asked for, FEWEST at the least."""
        return sum(self.quiet) >= max(FEWEST, ENOUGH * self.order.count)

    @property
    def counted(self) -> tuple[tuple[NodeRun, ...], ...]:
        """The quiet runs; all where there are too few."""
        kept = tuple(run for run, quiet in zip(self.runs, self.quiet, strict=True) if quiet)
        return kept if len(kept) >= FEWEST else self.runs

    @property
    def samples(self) -> Samples:
        """The latencies, gated."""
        return gated(self.seconds, np.array(self.quiet))


class MeasuredNodes:
    """The processes of a split network on links, and what the machine showed so far.

    references_s: what the reference took; patience_s: for how long all runs together may wait
    until it takes the usual again.
    """

    def __init__(self, network: Network, processes: NodeProcesses, paced_Bps: float | None) -> None:
        self.processes = processes
        self.references_s: list[float] = []
        self.patience_s = 0.0
        self._network, self._paced_Bps = network, paced_Bps
        self._x = normal_input(network)
        self._loaded: tuple[str, float] | None = None
        self._wanted: dict[tuple[str, float], tuple[Array, ...]] = {}

    @property
    def usual_s(self) -> float:
        """What the reference usually takes."""
        return usually(self.references_s) if self.references_s else 0.0

    @cached_property
    def _state(self) -> "dict[str, Tensor]":
        import torch

        from discosim.runtime.module import NetworkModule

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            return NetworkModule(self._network).state_dict()

    @cached_property
    def _probes(self) -> list[tuple[Load, Array]]:
        return [(whole(network), normal_input(network)) for network in probes()]

    def run(self, order: Order) -> Runs:
        """Return what the nodes say to an order; raises DiscosimError where one has ended."""
        x = self._load(order)
        timing = Timing(order, x, self._paced_Bps, self.usual_s, self.patience_s)
        answers = self.processes.ask([timing] * self._nodes, Timed)
        self.patience_s = min(answer.left_s for answer in answers)
        self.references_s.extend(run.reference_s for answer in answers for run in answer.runs)
        runs = tuple(zip(*(answer.runs for answer in answers), strict=True))
        messages = tuple(message for answer in answers for message in answer.messages)
        compares = order.kind in ("serial", "overlapped")
        off = self._off(order, answers[0].outputs) if compares else 0.0
        return Runs(order, runs, messages, self.usual_s, off)

    def _off(self, order: Order, outputs: tuple[Array, ...]) -> float:
        """How far outputs are from those of the same split on one process."""
        key = order.strategy, order.s_comm
        if key not in self._wanted:
            split = split_of(self._network, self._nodes, *key)
            self._wanted[key] = expected_outputs(self._network, split, self._state, self._x)
        return largest_difference(outputs, self._wanted[key])

    @property
    def _nodes(self) -> int:
        return len(self.processes.seats)

    def _load(self, order: Order) -> Array:
        """Have the nodes load what the order is about; return its input."""
        if order.kind in ("messages", "drag"):
            return self._x
        of_probe = order.kind == "probe"
        what = ("probe", order.probe) if of_probe else (order.strategy, order.s_comm)
        if what != self._loaded:
            if of_probe:
                parts = [self._probes[order.probe][0]] * self._nodes
            else:
                split = split_of(self._network, self._nodes, *what)
                parts = loads(self._network, split, self._state)
            self.processes.ask(parts, Ready)
            self._loaded = what
        return self._probes[order.probe][1] if of_probe else self._x

    def rounds(self, orders: Sequence[Order], step: Callable[[], None] | None = None) -> list[Runs]:
        """Return the runs of each order, taken in turns: what drifts does so for all of them.

        Those of which less than a third were steady are repeated, up to TRIES times as often.
        """
        self.patience_s = PATIENCE_S * sum(order.count for order in orders)
        found: dict[Order, Runs] = {}
        for number in range(ROUNDS * TRIES):
            for order in orders:
                had = found.get(order)
                if number < ROUNDS or (had is not None and not had.enough):
                    some = self.run(replace(order, count=-(-order.count // ROUNDS)))
                    earlier = () if had is None else had.runs
                    off = max(some.off, 0.0 if had is None else had.off)
                    found[order] = replace(some, order=order, runs=(*earlier, *some.runs), off=off)
                    if step is not None and number < ROUNDS:
                        step()
            for order in orders:
                found[order] = replace(found[order], usual_s=self.usual_s)
        return [found[order] for order in orders]


@contextmanager
def measured_nodes(network: Network, nodes: int, links: NodeLinks) -> Iterator[MeasuredNodes]:
    """Start one process a node on `links`; all have ended when the context is left."""
    seats = [
        Seat(rank, nodes, TIMEOUT_S, links.address(rank), spins=nodes <= cores(),
             namespace=links.namespace(rank))
        for rank in range(nodes)
    ]  # fmt: skip
    with NodeProcesses(seats) as processes:
        yield MeasuredNodes(network, processes, links.bandwidth_Bps if links.paced else None)


def row_parts(run: NodeRun) -> Floats:
    """Return what one node does in each row of a run, (4, L) in seconds.

    That is before the row's exchange begins, while it goes on, waiting for its end, and when it
    has ended. A row without an exchange is all the last.
    """
    begins = np.array(run.row_begins_s)
    ends = np.append(begins[1:], run.ends_s)
    parts = np.zeros((4, len(begins)))
    parts[3] = ends - begins
    for mark in run.marks:
        row = mark.row
        waits = (mark.went_on_s - mark.begins_s) + (mark.has_s - mark.waits_s)
        parts[:, row] = (
            mark.begins_s - begins[row],
            mark.waits_s - mark.went_on_s,
            waits,
            ends[row] - mark.has_s,
        )
    return parts
