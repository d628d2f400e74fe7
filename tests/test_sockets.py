"""A wire of plain TCP: what is sent arrives, in its order, however much it is."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from discosim.runtime.sockets import ENDED, SocketWire, joined, listening
from discosim.runtime.wire import WireError

pytestmark = pytest.mark.extras

Pair = tuple[SocketWire, SocketWire]
Ends = tuple[socket.socket, socket.socket]
SIZES = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 2000)), min_size=1, max_size=5)


def _pair(timeout_s: float = 20.0, *, spins: bool = False) -> tuple[Pair, Ends]:
    """Two wires, as nodes 0 and 1, and their sockets."""
    ends = socket.socketpair()
    wires = [SocketWire({1 - rank: end}, timeout_s, spins=spins) for rank, end in enumerate(ends)]
    return (wires[0], wires[1]), ends


@pytest.fixture(params=[True, False], ids=["spins", "sleeps"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    wires, ends = _pair(spins=request.param)
    yield wires
    for end in ends:
        end.close()


def _both(one: Callable[[], object], other: Callable[[], object]) -> None:
    thread = threading.Thread(target=other)
    thread.start()
    one()
    thread.join()


@given(SIZES, st.booleans())
@settings(max_examples=25)
def test_every_message_arrives_whole_and_in_order(
    sizes: list[tuple[int, int]], spins: bool
) -> None:
    (left, right), ends = _pair(spins=spins)
    there = [torch.randn(size) for size, _ in sizes]
    back = [torch.randn(size) for _, size in sizes]
    got_there, got_back = ([torch.zeros_like(each) for each in some] for some in (there, back))

    def run(wire: SocketWire, node: int, sends: list[torch.Tensor], gets: list[torch.Tensor]
            ) -> None:  # fmt: skip
        waits = [
            wire.exchange(row, {node: sent}, {node: buffer})
            for row, (sent, buffer) in enumerate(zip(sends, gets, strict=True))
        ]
        for wait in reversed(waits):  # in any order
            wait()

    _both(lambda: run(left, 1, there, got_back), lambda: run(right, 0, back, got_there))
    for end in ends:
        end.close()
    assert all(a.equal(b) for a, b in zip(there, got_there, strict=True))
    assert all(a.equal(b) for a, b in zip(back, got_back, strict=True))


def test_more_than_the_kernel_keeps_passes_both_ways_at_once(pair: Pair) -> None:
    left, right = pair
    there, back = torch.arange(3_000_000.0), -torch.arange(3_000_000.0)
    got_there, got_back = torch.zeros_like(there), torch.zeros_like(back)
    _both(
        lambda: left.exchange(0, {1: there}, {1: got_back})(),
        lambda: right.exchange(0, {0: back}, {0: got_there})(),
    )
    assert got_there.equal(there)
    assert got_back.equal(back)


def test_a_part_of_a_tensor_is_sent_as_it_lies(pair: Pair) -> None:
    left, right = pair
    whole = torch.arange(12.0).reshape(3, 4)
    buffer = torch.zeros(3)
    left.exchange(0, {1: whole[:, 1]}, {})()
    right.exchange(0, {}, {0: buffer})()
    assert buffer.tolist() == [1, 5, 9]


@pytest.mark.parametrize("spins", [True, False])
def test_a_message_that_does_not_come_is_an_error(spins: bool) -> None:
    (left, _), ends = _pair(0.05, spins=spins)
    with pytest.raises(WireError, match=r"no message for 0\.05 s"):
        left.exchange(0, {}, {1: torch.zeros(1)})()
    for end in ends:
        end.close()


def test_a_node_that_has_gone_is_an_error() -> None:
    (left, _), (own, other) = _pair()
    other.close()
    with pytest.raises(WireError, match=ENDED):
        left.exchange(0, {}, {1: torch.zeros(1)})()
    with pytest.raises(WireError, match=ENDED):
        left.exchange(1, {1: torch.zeros(1)}, {})()
    own.close()


def test_all_nodes_find_each_other() -> None:
    listeners = [listening("127.0.0.1") for _ in range(4)]
    addresses = [listener.getsockname() for listener in listeners]
    found: list[dict[int, socket.socket]] = [{} for _ in listeners]

    def join(rank: int) -> None:
        found[rank] = joined(rank, listeners[rank], addresses, 10.0)

    threads = [threading.Thread(target=join, args=(rank,)) for rank in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for rank, connections in enumerate(found):
        assert set(connections) == set(range(4)) - {rank}
        for node, connection in connections.items():
            assert connection.getpeername() == found[node][rank].getsockname()
    for each in [*listeners, *(c for connections in found for c in connections.values())]:
        each.close()


def test_a_node_that_does_not_come_is_an_error() -> None:
    with listening("127.0.0.1") as listener:
        address = listener.getsockname()
        with pytest.raises(WireError, match="do not find each other"):
            joined(0, listener, [address, ("127.0.0.1", 1)], 0.05)
        with pytest.raises(WireError, match="do not find each other"):
            joined(1, listener, [("127.0.0.1", 1), address], 0.05)


def test_an_address_that_is_not_here_is_an_error() -> None:
    with pytest.raises(WireError, match=r"cannot listen on 192\.0\.2\.1"):
        listening("192.0.2.1")
