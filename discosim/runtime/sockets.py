"""A wire of plain TCP: one connection between each two nodes, nothing between it and the kernel.

The kernel sends and receives while the node computes; a node asks it for what has come when it
needs it. There is no thread that would have to wake, and so a message costs a few system calls.
"""

import os
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from discosim.runtime.wire import WireError

if TYPE_CHECKING:
    from torch import Tensor

BUFFER_BYTES = 16_000_000
"""What the kernel takes and keeps for a connection, where it allows that: several exchanges."""

FORCED = (32, 33)
"""SO_SNDBUFFORCE and SO_RCVBUFFORCE of Linux, for root: beyond what anybody may ask for."""

ENDED = "another node has ended"

_RANK = struct.Struct("!I")

Address = tuple[str, int]


def give_way() -> None:
    """Let another process have the core, where one waits for it."""
    if hasattr(os, "sched_yield"):
        os.sched_yield()


def listening(host: str) -> socket.socket:
    """Return a socket that listens at some port of `host`, with large buffers.

    Raises WireError where none can.
    """
    listener = socket.socket()
    _enlarge(listener)
    try:
        listener.bind((host, 0))
        listener.listen()
    except OSError as error:
        listener.close()
        raise WireError(f"cannot listen on {host}: {error.strerror}") from None
    return listener


def joined(
    rank: int, listener: socket.socket, addresses: Sequence[Address], timeout_s: float
) -> dict[int, socket.socket]:
    """Return connections to all other nodes, by node: made to lower ones, taken from higher ones.

    addresses: where each node listens. Raises WireError where a node does not come.
    """
    connections: dict[int, socket.socket] = {}
    try:
        for node, address in enumerate(addresses[:rank]):
            connections[node] = connection = socket.socket()
            _enlarge(connection)
            connection.settimeout(timeout_s)
            connection.connect(address)
            connection.sendall(_RANK.pack(rank))
        listener.settimeout(timeout_s)
        for _ in addresses[rank + 1 :]:
            connection, _ = listener.accept()
            connection.settimeout(timeout_s)
            [node] = _RANK.unpack(connection.recv(_RANK.size, socket.MSG_WAITALL))
            connections[node] = connection
    except (OSError, struct.error) as error:
        for connection in connections.values():
            connection.close()
        raise WireError(f"the nodes do not find each other: {error}") from None
    for connection in connections.values():
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connections


class SocketWire:
    """Messages over one connection to each other node, in the order in which they are sent.

    spins: whether a node that waits asks again and again, instead of sleeping until it is woken:
    with a core for each node that disturbs nobody, and nobody has to be woken. A message that does
    not come for `timeout_s`, and a node that has gone, are a WireError.
    """

    def __init__(
        self,
        connections: Mapping[int, socket.socket],
        timeout_s: float,
        *,
        spins: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spins, self._clock = spins, clock
        self._lines = {node: _Line(connection) for node, connection in connections.items()}
        self._timeout_s = timeout_s

    def exchange(
        self,
        row: int,  # noqa: ARG002  (a connection keeps the order)
        sends: "Mapping[int, Tensor]",
        receives: "Mapping[int, Tensor]",
    ) -> Callable[[], None]:
        """Begin to send and to receive, by node; return what waits for the end of both."""
        ends = []
        for node, buffer in receives.items():
            inward = self._lines[node].inward
            ends.append((inward, inward.add(_bytes_of(buffer))))
        for node, tensor in sends.items():
            line = self._lines[node]
            ends.append((line.outward, line.outward.add(_bytes_of(tensor.contiguous()))))
            line.push()

        def wait() -> None:
            self._until(lambda: all(queue.done >= end for queue, end in ends))

        return wait

    def _until(self, complete: Callable[[], bool]) -> None:
        """Send and receive what can be until that holds."""
        self._move()
        end_s = self._clock() + self._timeout_s
        while not complete():
            if self._spins:
                give_way()
            else:
                lines = self._lines.values()
                inward = [line.connection for line in lines if line.inward]
                outward = [line.connection for line in lines if line.outward]
                select.select(inward, outward, [], self._timeout_s)
            if self._clock() > end_s:
                raise WireError(f"no message for {self._timeout_s:g} s")
            self._move()

    def _move(self) -> None:
        for line in self._lines.values():
            line.pull()
            line.push()


class _Queue:
    """Bytes to be sent, or places for those to be received; `done` counts what has been."""

    def __init__(self) -> None:
        self._views: deque[memoryview] = deque()
        self._total = 0
        self.done = 0

    def __bool__(self) -> bool:
        return bool(self._views)

    def add(self, view: memoryview) -> int:
        """Put it last; return what `done` will be when it is through."""
        if len(view):
            self._views.append(view)
            self._total += len(view)
        return self._total

    def run(self, call: Callable[[memoryview], int]) -> None:
        """Give the views to `call` one after the other, which says how many bytes it took."""
        with suppress(BlockingIOError):
            while self._views:
                count = call(self._views[0])
                if not count:
                    raise WireError(ENDED)
                self.done += count
                if count == len(self._views[0]):
                    self._views.popleft()
                else:
                    self._views[0] = self._views[0][count:]


class _Line:
    """One connection: what goes out and what comes in."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.outward, self.inward = _Queue(), _Queue()

    def push(self) -> None:
        """Hand the kernel what it takes."""
        try:
            self.outward.run(self.connection.send)
        except OSError as error:
            raise WireError(ENDED) from error

    def pull(self) -> None:
        """Take from the kernel what has come."""
        try:
            self.inward.run(self.connection.recv_into)
        except OSError as error:
            raise WireError(ENDED) from error


def _bytes_of(tensor: "Tensor") -> memoryview:
    import torch

    return tensor.view(-1).view(torch.uint8).numpy().data


def _enlarge(unconnected: socket.socket) -> None:
    """Ask for large buffers; where that is refused, the kernel finds its own size."""
    for forced in FORCED:
        with suppress(OSError):
            unconnected.setsockopt(socket.SOL_SOCKET, forced, BUFFER_BYTES)
