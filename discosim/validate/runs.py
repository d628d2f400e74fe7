"""A split network that runs on a link, one process a node, and what its runs took."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from discosim.errors import DiscosimError
from discosim.validate.gate import FEWEST, Floats, Samples, gated, is_steady, usually
from discosim.validate.link import Link
from discosim.validate.wires import Mark
from discosim.validate.worker import Job, Order

GRACE_S = 2.0

ROUNDS = 3
"""In how many turns the runs of an order are taken."""

PATIENCE_S = 0.25
"""For how long a run may wait for the usual speed; what one does not need others may."""

ENOUGH = 1 / 3
"""Share of the runs asked for that have to be steady."""

TRIES = 3
"""How many times as often they are, where too few were steady."""


@dataclass(frozen=True, eq=False)
class NodeRun:
    """One run of one node: when it, its rows and its exchanges begin and end, on one clock.

    delay_s: how long it waited for a core; reference_s: what the reference took next to it.
    """

    begins_s: float
    ends_s: float
    delay_s: float
    reference_s: float
    marks: tuple[Mark, ...]
    row_begins_s: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs of all nodes at one S_comm; messages: (layer, kind, sender, receiver, bytes) of one.

    usual_s: what the reference usually takes on this machine; off: how far an output is from that
    of the masked network on one process, as a fraction of the largest value.
    """

    order: Order
    runs: tuple[tuple[NodeRun, ...], ...]
    messages: tuple[tuple[str, str, int, int, int], ...]
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


@dataclass(eq=False)
class Nodes:
    """The processes of a split network, by rank.

    references_s: what the reference took so far; patience_s: for how long all runs together may
    wait until it takes the usual again.
    """

    processes: tuple["subprocess.Popen[str]", ...]
    references_s: list[float] = field(default_factory=list)
    patience_s: float = 0.0

    @property
    def usual_s(self) -> float:
        """What the reference usually takes."""
        return usually(self.references_s) if self.references_s else 0.0

    def run(self, order: Order) -> Runs:
        """Return what the nodes say to an order; raises DiscosimError where one has ended."""
        for process in self.processes:
            asked = replace(order, usual_s=self.usual_s, patience_s=self.patience_s)
            _tell(process, asdict(asked))
        answers = [_answer(rank, process) for rank, process in enumerate(self.processes)]
        by_node = [
            [
                NodeRun(b, e, d, r, tuple(Mark(*m) for m in marks), tuple(begins))
                for b, e, d, r, marks, begins in answer["runs"]
            ]
            for answer in answers
        ]
        messages = [tuple(message) for answer in answers for message in answer["messages"]]
        self.patience_s = min(answer["left_s"] for answer in answers)
        self.references_s.extend(run.reference_s for runs in by_node for run in runs)
        runs = tuple(zip(*by_node, strict=True))
        off = max(answer["off"] for answer in answers)
        return Runs(order, runs, tuple(messages), self.usual_s, off)

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
def split_network(
    model: str, nodes: int, link: Link, input_shape: tuple[int, ...] | None = None, threads: int = 1
) -> Iterator[Nodes]:
    """Start one process a node on `link`; all have ended when the context is left.

    Each ends by itself when its standard input does: with the program, however that ends.
    """
    with ExitStack() as stack:
        processes = []
        for rank in range(nodes):
            paced = link.bandwidth_Bps if link.paced else None
            job = Job(model, input_shape, nodes, rank, link.address(rank), threads, paced)
            words = [sys.executable, "-m", "discosim.validate.worker", json.dumps(asdict(job))]
            process = subprocess.Popen(
                link.inside(rank, words), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True, start_new_session=True,
            )  # fmt: skip
            stack.callback(_end, process)
            processes.append(process)
        ports = [_answer(rank, process) for rank, process in enumerate(processes)]
        addresses = [(link.address(rank), port) for rank, port in enumerate(ports)]
        for process in processes:
            _tell(process, addresses)
        for rank, process in enumerate(processes):
            _answer(rank, process)
        yield Nodes(tuple(processes))


def _tell(process: "subprocess.Popen[str]", what: object) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # its answer says so
        process.stdin.write(json.dumps(what) + "\n")
        process.stdin.flush()


def _answer(rank: int, process: "subprocess.Popen[str]") -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise DiscosimError(f"the process of node {rank} has ended: code {process.wait()}")
    return json.loads(line)


def _end(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):  # what it did not read any more
        process.stdin.close()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


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
