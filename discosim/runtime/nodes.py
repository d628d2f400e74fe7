"""Processes of nodes, from entering the context until it is left."""

import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Self, TypeVar

from discosim.errors import DiscosimError
from discosim.runtime.worker import Failure, Listening, Ready, Request, Seat, main

T = TypeVar("T")

FORKS = sys.platform != "win32"
PRELOADED = ["discosim.runtime.executor", "discosim.runtime.live_bytes"]
"""What is imported once, and not by each process: torch above all."""

GRACE_S = 3.0
"""How long the others may take to say what they lost, once one node has failed."""


class NodeProcesses:
    """One process a seat, each joined to each other one.

    A process that dies, and a message that takes longer than its seat allows, end all of them
    with a DiscosimError. They end by themselves when this program does, however that ends.
    """

    def __init__(self, seats: Sequence[Seat]) -> None:
        self.seats = seats
        self._processes: list[BaseProcess] = []
        self._links: list[Connection[Any, object]] = []
        self._senders: list[threading.Thread] = []

    @property
    def pids(self) -> list[int]:
        """The processes' numbers, by node; none where they do not run."""
        return [process.pid or 0 for process in self._processes]

    def __enter__(self) -> Self:
        try:
            for seat in self.seats:
                self._start(seat)
            addresses = [node.address for node in self._collect(Listening)]
            self._tell([addresses] * len(addresses))
            self._collect(Ready)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def ask(self, requests: Sequence[Request], wanted: type[T]) -> list[T]:
        """Return what each node answers to its request, a record of that type."""
        self._tell(requests)
        return self._collect(wanted)

    def _start(self, seat: Seat) -> None:
        context = get_context("forkserver") if FORKS else get_context("spawn")
        if FORKS:
            _ensure_server()
        ours, theirs = context.Pipe()
        self._links.append(ours)
        process = context.Process(target=main, args=(seat, theirs), daemon=True)
        process.start()
        self._processes.append(process)
        theirs.close()

    def _tell(self, requests: Sequence[object]) -> None:
        """Send to all at once: one that hangs takes nothing, and is not waited for."""
        self._senders = [
            threading.Thread(target=_send, args=each, daemon=True)
            for each in zip(self._links, requests, strict=True)
        ]
        for sender in self._senders:
            sender.start()

    def _collect(self, wanted: type[T]) -> list[T]:
        """One answer of each node; the first failure stops all of them."""
        answers: dict[int, T] = {}
        failures: dict[int, str] = {}
        until: float | None = None
        while len(answers) + len(failures) < len(self._processes):
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                break
            for rank in self._heard({*answers, *failures}, left):
                answer = self._received(rank)
                if isinstance(answer, wanted):
                    answers[rank] = answer
                else:
                    failures[rank] = answer.reason if isinstance(answer, Failure) else "died"
            if failures and until is None:
                until = time.monotonic() + GRACE_S
        if failures:
            raise self._lost(failures)
        return [answers[rank] for rank in range(len(self._processes))]

    def _heard(self, done: set[int], left_s: float | None) -> set[int]:
        """The nodes not done that have said something or died, once there are some."""
        rank_of: dict[Any, int] = {}
        for rank in set(range(len(self._processes))) - done:
            rank_of |= {self._links[rank]: rank, self._processes[rank].sentinel: rank}
        return {rank_of[source] for source in wait(list(rank_of), left_s)}

    def _received(self, rank: int) -> object:
        link = self._links[rank]
        try:
            return link.recv() if link.poll() else None
        except (EOFError, OSError):
            return None

    def _lost(self, failures: Mapping[int, str]) -> DiscosimError:
        """Stop all processes and say which node was lost, and what the others saw."""
        dead = [rank for rank, reason in failures.items() if reason == "died"]
        for rank in dead:
            self._processes[rank].join(1.0)
        pids, codes = self.pids, [process.exitcode for process in self._processes]
        self._stop()
        lost = [f"node {r} (process {pids[r]}) {_ended(codes[r])}" for r in dead]
        saw = [f"node {r}: {reason}" for r, reason in failures.items() if r not in dead]
        return DiscosimError(f"the run broke off: {'; '.join(lost + saw)}")

    def _stop(self) -> None:
        for process in self._processes:
            process.kill()  # nothing is left to be saved
        for process in self._processes:
            process.join()
            process.close()
        for sender in self._senders:
            sender.join()
        for link in self._links:
            link.close()
        self._processes, self._links, self._senders = [], [], []


def _send(link: "Connection[Any, object]", request: object) -> None:
    with suppress(OSError):  # that node is lost; collecting the answers says which
        link.send(request)


def _ensure_server() -> None:
    """Have the process run from which the nodes' are forked."""
    from multiprocessing import forkserver, resource_tracker

    resource_tracker.ensure_running()  # by itself: once it is begun, SIGINT is held back no more
    forkserver.set_forkserver_preload(PRELOADED)
    with _ctrl_c_waits():
        forkserver.ensure_running()


@contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Hold SIGINT back; processes that are begun meanwhile, and their children, never get it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ended(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
