"""The process of one node: finds the others, then answers requests until it is let go."""

import os
import queue
import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from discosim.errors import DiscosimError
from discosim.runtime.namespace import Namespace
from discosim.runtime.program import NodeProgram
from discosim.runtime.sockets import Address, SocketWire, joined, listening
from discosim.runtime.wire import SentMessage, Wire

if TYPE_CHECKING:
    from torch import Tensor

    from discosim.runtime.executor import Executor

Array = NDArray[np.float32]

JOIN_S = 60.0
"""How long the nodes may take to find each other."""


@dataclass(frozen=True)
class Seat:
    """Where a node runs: its number, the host that it listens on, its threads.

    timeout_s: how long a message may take; spins: as SocketWire has it.
    """

    rank: int
    nodes: int
    timeout_s: float
    host: str = "127.0.0.1"
    threads: int = 1
    spins: bool = False
    namespace: Namespace | None = None


@dataclass(frozen=True)
class Listening:
    """A node says where."""

    address: Address


@dataclass(frozen=True)
class Ready:
    """A node is joined to all others, or has loaded what it was given."""


@dataclass(frozen=True)
class Failure:
    """A node cannot go on, in one line."""

    reason: str


@dataclass(frozen=True, eq=False)
class Outputs:
    """What one node says after a run: the outputs (node 0), its messages, its tensors at most."""

    outputs: tuple[Array, ...]
    messages: tuple[SentMessage, ...]
    peak_bytes: int


@dataclass(eq=False)
class Worker:
    """A node that is joined to the others, and what it executes."""

    seat: Seat
    wire: Wire
    executor: "Executor | None" = None

    def limit_threads(self) -> None:
        """Have torch use as many as the seat has; it is imported no sooner than it is needed."""
        import torch

        torch.set_num_threads(self.seat.threads)

    @property
    def others(self) -> list[int]:
        """All nodes but this one."""
        return [node for node in range(self.seat.nodes) if node != self.seat.rank]

    @property
    def loaded(self) -> "Executor":
        """What it executes; raises DiscosimError where nothing was loaded."""
        if self.executor is None:
            raise DiscosimError("nothing was loaded")
        return self.executor


class Request(Protocol):
    """What a worker is asked: a record that says itself how it is answered."""

    def answer(self, worker: Worker) -> object:
        """Return what goes back."""
        ...


@dataclass(frozen=True, eq=False)
class Load:
    """A program and the parameters of its node, to be executed from then on."""

    program: NodeProgram
    state: Mapping[str, Array]

    @property
    def nbytes(self) -> int:
        """Of all parameters."""
        return sum(array.nbytes for array in self.state.values())

    def answer(self, worker: Worker) -> Ready:
        """Take them."""
        import torch

        from discosim.runtime.executor import Executor

        worker.limit_threads()
        state = {name: torch.from_numpy(array) for name, array in self.state.items()}
        worker.executor = Executor(self.program, state)
        return Ready()


@dataclass(frozen=True, eq=False)
class Feed:
    """One input, (*input_shape), for what was loaded."""

    x: Array

    def answer(self, worker: Worker) -> Outputs:
        """Run it, all tensors counted."""
        import torch

        from discosim.runtime.live_bytes import LiveBytes

        executor, watched = worker.loaded, LiveBytes()
        given = [torch.from_numpy(self.x)[None]]
        if executor.program.takes_input:
            watched.hold(given[0])
        with watched:
            outputs = executor.run(given.pop(), worker.wire)
        return Outputs(arrays(outputs), tuple(executor.messages), watched.peak)


def arrays(outputs: "Sequence[Tensor]") -> tuple[Array, ...]:
    """Return the outputs of a run without torch, (*shape) each."""
    return tuple(output[0].numpy() for output in outputs)


def main(seat: Seat, link: "Connection[object, Any]") -> None:
    """Say where it listens, take all addresses, then answer requests until `link` is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this
    try:
        if seat.namespace is not None:
            seat.namespace.enter()
        requests = _incoming(link)
        _serve(seat, link, requests)
    except (DiscosimError, RuntimeError, MemoryError, OSError) as error:
        with suppress(OSError):
            link.send(Failure(str(error).partition("\n")[0][:200]))


def _serve(seat: Seat, link: "Connection[object, Any]", requests: "queue.SimpleQueue[Any]") -> None:
    with listening(seat.host) as listener:
        link.send(Listening(listener.getsockname()))
        connections = joined(seat.rank, listener, requests.get(), JOIN_S)
    worker = Worker(seat, SocketWire(connections, seat.timeout_s, spins=seat.spins))
    link.send(Ready())
    while True:
        request: Request = requests.get()
        link.send(request.answer(worker))


def _incoming(link: "Connection[object, Any]") -> "queue.SimpleQueue[Any]":
    """Requests as they come; with the other end of the link goes the process, whatever it does."""
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def read() -> None:
        with suppress(EOFError, OSError):
            while True:
                requests.put(link.recv())
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return requests
