"""Messages there and back over TCP: how long they take, and so the bandwidth and the latency.

Run as `python -m discosim.validate.pingpong ADDRESS PORT`: sends back what it gets, until its
standard input ends. A message is its length, eight bytes, and as many bytes; so is the answer.
"""

import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import numpy as np

from discosim.errors import DiscosimError
from discosim.validate.fit import Floats, Line, fit_line
from discosim.validate.gate import Samples, sample

SIZES = (1, 1_000, 4_000, 16_000, 64_000, 250_000, 1_000_000, 4_000_000)
"""Bytes of the messages that are timed."""

MOST_BYTES = 1 << 32
PATIENCE_S = 30.0

_HEAD = struct.Struct("!Q")


def serve(listener: socket.socket) -> None:
    """Answer one connection after the other, for as long as the listener is open."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _answer(connection)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; raises DiscosimError where none can."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise DiscosimError(f"cannot listen on {host}:{port}: {error.strerror}") from None


def connect(host: str, port: int) -> socket.socket:
    """Return a connection to a `serve` there; raises DiscosimError where there is none."""
    try:
        connection = socket.create_connection((host, port), timeout=PATIENCE_S)
    except OSError as error:
        reason = error.strerror or "no answer"
        raise DiscosimError(f"cannot connect to {host}:{port}: {reason.lower()}") from None
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


@contextlib.contextmanager
def echo() -> Iterator[int]:
    """Run another process of this machine that answers; yields its port."""
    host = "127.0.0.1"
    process = subprocess.Popen(
        [sys.executable, "-m", "discosim.validate.pingpong", host, "0"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
        start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise DiscosimError(f"no process could be started that answers on {host}")
        yield int(line)
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def there_and_back(connection: socket.socket, size: int) -> None:
    """Send `size` bytes and wait for as many."""
    payload = bytes(size)
    connection.sendall(_HEAD.pack(size) + payload)
    _receive(connection, _HEAD.size + size)


def one_way_s(
    connection: socket.socket,
    seconds: float,
    progress: Callable[[int, int], None] | None = None,
) -> dict[int, Samples]:
    """Return samples of the time of one message of each of SIZES: half of there and back."""
    found = {}
    for number, size in enumerate(SIZES, start=1):
        both = sample(lambda size=size: there_and_back(connection, size),  # type: ignore[misc]
                      seconds=seconds / len(SIZES), most=200)  # fmt: skip
        found[size] = Samples(both.seconds / 2, both.refused, both.conclusive)
        if progress is not None:
            progress(number, len(SIZES))
    return found


def fit_link(samples: dict[int, Samples], burst_bytes: int = 0) -> Line:
    """Return latency and bandwidth of a link: seconds = alpha + max(0, bytes - burst) / B.

    burst_bytes: what passes a shaped link at once, 0 for others.
    """
    sizes: Floats = np.array(list(samples), dtype=float)
    medians = np.array([each.median_s for each in samples.values()])
    return fit_line(np.maximum(0.0, sizes - burst_bytes), medians)


def _answer(connection: socket.socket) -> None:
    while head := _receive(connection, _HEAD.size):
        [size] = _HEAD.unpack(head)
        if size > MOST_BYTES:
            return
        connection.sendall(head + _receive(connection, size))


def _receive(connection: socket.socket, size: int) -> bytes:
    """Exactly `size` bytes, or nothing where the other end has closed."""
    buffer = bytearray(size)
    view, have = memoryview(buffer), 0
    while have < size:
        got = connection.recv_into(view[have:])
        if not got:
            return b""
        have += got
    return bytes(buffer)


def _main(host: str, port: int) -> None:
    listener = listen(host, port)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    while os.read(0, 1):
        pass


if __name__ == "__main__":
    try:
        _main(sys.argv[1], int(sys.argv[2]))
    except (DiscosimError, OSError) as error:  # the link has gone, with the program
        sys.exit(f"discosim: {error}")
