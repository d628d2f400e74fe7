"""A split network running: one process a node, torch.distributed (gloo) between them."""

import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from discosim.errors import DiscosimError
from discosim.graph.network import Network, shape_text
from discosim.masks.mask import Mask
from discosim.runtime.wire import Message
from discosim.runtime.worker import Answer, Array, Failure, Job, Ready, main

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

FORKS = sys.platform != "win32"
TIMEOUT_S = 60.0
MOST_NODES = 32
GRACE_S = 3.0
"""How long the others may take to say what they lost, once one node has failed."""


def check_count(nodes: int) -> None:
    """Raise DiscosimError for more processes than a machine can be asked for."""
    if nodes > MOST_NODES:
        raise DiscosimError(
            f"{nodes} nodes; a run starts a process for each on this machine, at most {MOST_NODES}"
        )


@dataclass(frozen=True, eq=False)
class SplitRun:
    """What one run of a split network gave, (N,) where by node.

    outputs: in the order of the network's; peak_bytes: of the features that a node held at most,
    sent and received ones and intermediate results included.
    """

    outputs: tuple[Array, ...]
    messages: tuple[Message, ...]
    peak_bytes: tuple[int, ...]


class SplitNetwork:
    """N processes that hold one node each, from entering the context until it is left.

    state: a dense-format state_dict of the network, as NetworkModule has it. A message that does
    not come for `timeout_s`, and a process that dies, end the run with a DiscosimError.
    """

    def __init__(
        self,
        network: Network,
        mask: Mask,
        state: "Mapping[str, Tensor]",
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        if not timeout_s > 0:
            raise DiscosimError(f"timeout {timeout_s:g} s; wanted more than 0 s")
        check_count(mask.nodes)
        self.network, self.mask, self.timeout_s = network, mask, timeout_s
        self._state = state
        self._processes: list[BaseProcess] = []
        self._links: list[Connection[object, object]] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.weight_bytes: tuple[int, ...] = ()

    @property
    def pids(self) -> list[int]:
        """The processes' numbers, by node."""
        return [process.pid or 0 for process in self._processes]

    def __enter__(self) -> "SplitNetwork":
        from discosim.runtime.split_checkpoint import write_split

        self._folder = tempfile.TemporaryDirectory(prefix="discosim-run-")
        try:
            folder = Path(self._folder.name)
            paths = write_split(self.network, self.mask, self._state, folder)
            context = get_context("forkserver") if FORKS else get_context("spawn")
            if FORKS:  # torch is imported once
                context.set_forkserver_preload(
                    ["discosim.runtime.node", "discosim.runtime.live_bytes"]
                )
            for rank, path in enumerate(paths):
                job = Job(self.network, self.mask, rank, path, folder / "store", self.timeout_s)
                ours, theirs = context.Pipe()
                process = context.Process(target=main, args=(job, theirs), daemon=True)
                process.start()
                theirs.close()
                self._processes.append(process)
                self._links.append(ours)
            ready = self._collect(Ready)
            self.weight_bytes = tuple(answer.weight_bytes for answer in ready)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def run(self, x: Array) -> SplitRun:
        """Return what the nodes make of one input, (*input_shape)."""
        if x.shape != self.network.input_shape:
            raise DiscosimError(
                f"input {shape_text(x.shape)}; {self.network.name} wants "
                f"{shape_text(self.network.input_shape)}"
            )
        if not self._processes:
            raise DiscosimError("the split network does not run: use it as a context manager")
        assert self._folder is not None
        given = Path(self._folder.name) / "input.npy"  # a pipe would wait for a node that hangs
        np.save(given, np.asarray(x, dtype=np.float32)[None])
        for link in self._links:
            try:
                link.send(given)
            except OSError:
                continue  # that node is lost; collecting the answers says which
        answers = self._collect(Answer)
        return SplitRun(
            answers[0].outputs,
            tuple(message for answer in answers for message in answer.messages),
            tuple(answer.peak_bytes for answer in answers),
        )

    def _collect(self, wanted: type[T]) -> list[T]:
        """One answer of each node; the first failure stops all of them."""
        answers: dict[int, T] = {}
        failures: dict[int, str] = {}
        until: float | None = None
        while len(answers) + len(failures) < len(self._processes):
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                break
            open_ranks = [
                rank
                for rank in range(len(self._processes))
                if rank not in answers and rank not in failures
            ]
            rank_of: dict[Any, int] = {self._links[rank]: rank for rank in open_ranks}
            rank_of |= {self._processes[rank].sentinel: rank for rank in open_ranks}
            for source in wait(list(rank_of), left):
                rank = rank_of[source]
                if rank in answers or rank in failures:
                    continue
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
        for link in self._links:
            try:
                link.send(None)
            except OSError:
                continue
        for process in self._processes:
            process.join(0.5)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()
        for link in self._links:
            link.close()
        self._processes, self._links = [], []
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _ended(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
