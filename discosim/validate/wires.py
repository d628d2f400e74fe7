"""Wires of a node that say when it sent, waited and received; and one without a network."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

    from discosim.runtime.wire import Wire


STAMPS = 1_000_000
"""Added to the number of a row, for the messages that say when the others were sent."""


class Mark(NamedTuple):
    """When a node began an exchange, went on, began to wait for it, and had it: in seconds.

    row: of the network, before which the exchange is. Between `went_on_s` and `waits_s` it
    computes what needs no received feature.
    """

    row: int
    begins_s: float
    went_on_s: float
    waits_s: float
    has_s: float


class Watched:
    """A wire that notes the time of each exchange; `serial` ones end before anything goes on.

    The clock is one for all processes of a machine.
    """

    def __init__(
        self, wire: "Wire", *, serial: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.marks: list[Mark] = []
        self.begins: list[float] = []
        self.serial = serial
        self.now = clock
        self._inner = wire

    def begin_row(self) -> None:
        """Note that a row of the network begins."""
        self.begins.append(self.now())

    def forget(self) -> None:
        """Begin a list of marks and one of beginnings of rows."""
        self.marks, self.begins = [], []

    def exchange(
        self, row: int, sends: "Mapping[int, Tensor]", receives: "Mapping[int, Tensor]"
    ) -> Callable[[], None]:
        """Begin to send and to receive, by node; return what waits for the end of both."""
        begins_s = self.now()
        inner = self._inner.exchange(row, sends, receives)
        if self.serial:
            inner()
        went_on_s = self.now()

        def wait() -> None:
            waits_s = self.now()
            if not self.serial:
                inner()
            self.marks.append(Mark(row, begins_s, went_on_s, waits_s, self.now()))

        return wait


class Paced:
    """A wire that hands over each message no sooner than a link of `bandwidth_Bps` would.

    With each message goes the time at which it was sent, on the clock of the machine that all
    nodes are on; messages of one pair follow one another.
    """

    def __init__(
        self,
        wire: "Wire",
        bandwidth_Bps: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._wire, self._bandwidth_Bps = wire, bandwidth_Bps
        self._clock, self._sleep = clock, sleep
        self._free_s: dict[int, float] = {}

    def exchange(
        self, row: int, sends: "Mapping[int, Tensor]", receives: "Mapping[int, Tensor]"
    ) -> Callable[[], None]:
        """Begin to send and to receive, by node; return what waits for the end of both."""
        import torch

        now = torch.tensor([self._clock()], dtype=torch.float64)
        sent = {node: torch.zeros_like(now) for node in receives}
        times = self._wire.exchange(STAMPS + row, dict.fromkeys(sends, now), sent)
        inner = self._wire.exchange(row, sends, receives)

        def wait() -> None:
            times()
            inner()
            due_s = 0.0
            for node, buffer in receives.items():
                begin_s = max(float(sent[node]), self._free_s.get(node, 0.0))
                nbytes = buffer.numel() * buffer.element_size()
                self._free_s[node] = begin_s + nbytes / self._bandwidth_Bps
                due_s = max(due_s, self._free_s[node])
            self._sleep(max(0.0, due_s - self._clock()))

        return wait


class NoWire:
    """Sends nowhere and receives random numbers at once: what is left is computation."""

    def exchange(
        self,
        row: int,  # noqa: ARG002
        sends: "Mapping[int, Tensor]",  # noqa: ARG002
        receives: "Mapping[int, Tensor]",
    ) -> Callable[[], None]:
        """Fill what is to be received; there is nothing to wait for."""
        for buffer in receives.values():
            buffer.normal_()
        return lambda: None
