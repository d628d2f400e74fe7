"""A split network that runs on a link, one process a node, and what its runs took."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from discosim.graph.network import Network
from discosim.runtime.nodes import NodeProcesses
from discosim.runtime.run import loads
from discosim.runtime.state import expected_outputs, largest_difference
from discosim.runtime.wire import SentMessage
from discosim.runtime.worker import Array, Load, Ready, Seat
from discosim.validate.gate import FEWEST, Bools, Floats, Samples, cores, gated, is_steady, usually
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

ROUNDS = 5
"""In how many turns an order is run: within one, seconds lie between profile and judged runs."""

RECENT = 100
"""Of how many times of the reference the latest say what is usual."""

PATIENCE_S = 0.25
"""For how long a run may wait for the usual speed; what one does not need others may."""

ENOUGH = 1 / 3
"""Share of the runs asked for that have to be steady."""

JUDGED = ("serial", "overlapped")
"""Kinds of orders that are compared with predictions."""

TRIES = 3
"""How many times as often they are, where too few were steady."""


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs of all nodes at one S_comm; messages: those of one.

    usual_s: what the reference usually takes on this machine; off: how far an output is from that
    of the network, masked or not, on one process, as a fraction of the largest value; turns: in
    which turn each run was taken; turn_usual_s: what the reference usually took in each.
    """

    order: Order
    runs: tuple[tuple[NodeRun, ...], ...]
    messages: tuple[SentMessage, ...]
    usual_s: float
    off: float = 0.0
    turns: tuple[int, ...] = ()
    turn_usual_s: Mapping[int, float] = field(default_factory=dict)

    @property
    def seconds(self) -> Floats:
        """From when the first node begins to when the last has ended, for each run."""
        return np.array(
            [max(n.ends_s for n in run) - min(n.begins_s for n in run) for run in self.runs]
        )

    @property
    def references_s(self) -> Floats:
        """What the reference took beside each run on each node, (K, N)."""
        return np.array([[node.reference_s for node in run] for run in self.runs])

    @property
    def turn_numbers(self) -> tuple[int, ...]:
        """In which turn each run was taken: all in one where nothing is said."""
        return self.turns or (0,) * len(self.runs)

    @property
    def local_s(self) -> Floats:
        """What the reference usually took in the turn of each run, (K,)."""
        return np.array([self.turn_usual_s.get(turn, self.usual_s) for turn in self.turn_numbers])

    @property
    def slowness(self) -> Floats:
        """How many times as long as usual the reference took, by run and node, (K, N).

        One time of the reference is less certain than those beside all runs of a turn.
        """
        turns = np.array(self.turn_numbers)
        references_s, counts = self.references_s, self.counts
        found = np.empty_like(references_s)
        for turn in np.unique(turns):
            mine = turns == turn
            sure = mine & counts if (mine & counts).any() else mine
            found[mine] = np.median(references_s[sure], axis=0)
        return found / self.usual_s

    @property
    def quiet(self) -> list[bool]:
        """Of each run, whether every node had a core of its own, of the speed usual in its turn."""
        return [
            all(is_steady(seconds, n.delay_s, n.reference_s, usual_s) for n in run)
            for run, seconds, usual_s in zip(self.runs, self.seconds, self.local_s, strict=True)
        ]

    @property
    def enough(self) -> bool:
        """Whether as many runs are quiet as a third of those asked for, FEWEST at the least."""
        return sum(self.quiet) >= max(FEWEST, ENOUGH * self.order.count)

    @property
    def counts(self) -> Bools:
        """Which runs count, (K,): the quiet ones, all where these are too few."""
        quiet = np.array(self.quiet)
        return quiet if quiet.sum() >= FEWEST else np.ones_like(quiet)

    @property
    def counted(self) -> tuple[tuple[NodeRun, ...], ...]:
        """Those that count."""
        return tuple(run for run, sure in zip(self.runs, self.counts, strict=True) if sure)

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
        recent = self.references_s[-RECENT:]
        usual_s = usually(recent) if recent else 0.0
        timing = Timing(order, x, self._paced_Bps, usual_s, self.patience_s)
        answers = self.processes.ask([timing] * self._nodes, Timed)
        self.patience_s = min(answer.left_s for answer in answers)
        self.references_s.extend(run.reference_s for answer in answers for run in answer.runs)
        runs = tuple(zip(*(answer.runs for answer in answers), strict=True))
        messages = tuple(message for answer in answers for message in answer.messages)
        compares = order.kind in JUDGED
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

    def rounds(
        self, orders: Sequence[Order], step: Callable[[int, int], None] | None = None
    ) -> list[Runs]:
        """Return the runs of each order, taken in turns: what drifts does so for all of them.

        Those of which less than a third were steady are repeated, up to TRIES times as often, with
        the profiles that they are judged by. step: told the orders done, and at most in all.
        """
        self.patience_s = PATIENCE_S * sum(order.count for order in orders)
        found: dict[Order, Runs] = {}
        usual_s: dict[int, float] = {}
        done, total = 0, ROUNDS * len(orders)
        for turn in range(ROUNDS * TRIES):
            again = orders if turn < ROUNDS else _repeated(found)
            if turn >= ROUNDS:
                total = done + len(again) * (ROUNDS * TRIES - turn)
            before = len(self.references_s)
            for order in again:
                count = _of_turn(order.count, turn % ROUNDS)
                if count:
                    some = self.run(replace(order, count=count))
                    found[order] = _joined(found.get(order), replace(some, order=order), turn)
                done += 1
                if step is not None:
                    step(done, total)
            if len(self.references_s) > before:
                usual_s[turn] = usually(self.references_s[before:])
            for order, runs in found.items():
                found[order] = replace(runs, usual_s=self.usual_s, turn_usual_s=usual_s)
        return [found[order] for order in orders]


def _of_turn(count: int, turn: int) -> int:
    """How many of an order's runs are taken in a turn."""
    return count * (turn + 1) // ROUNDS - count * turn // ROUNDS


def _joined(earlier: Runs | None, some: Runs, turn: int) -> Runs:
    """What was measured of an order before, and in a further turn."""
    turns = (turn,) * len(some.runs)
    if earlier is None:
        return replace(some, turns=turns)
    return replace(
        some,
        runs=(*earlier.runs, *some.runs),
        turns=(*earlier.turns, *turns),
        off=max(some.off, earlier.off),
    )


def _repeated(found: Mapping[Order, Runs]) -> list[Order]:
    """The orders of which too few runs were steady, and beside those judged their profiles."""
    short = {order for order, runs in found.items() if not runs.enough}
    beside = {order.strategy for order in short if order.kind in JUDGED}
    return [o for o in found if o in short or (o.kind == "profile" and o.strategy in beside)]


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
