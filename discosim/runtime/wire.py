"""Messages between nodes, each counted where it is sent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from torch import Tensor

KINDS = ("features", "squeeze-excite", "alignment", "statistics", "gather")
"""What a message is for: inputs of a layer, those of a squeeze-excite branch, an operand on its
way to where the other one lies, statistics of a norm, the output on its way to node 0."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a run: `layer` is the row before which it was sent."""

    layer: str
    kind: str
    sender: int
    receiver: int
    nbytes: int


class Wire(Protocol):
    """What a node sends and receives with."""

    def exchange(
        self, row: int, sends: Mapping[int, Tensor], receives: Mapping[int, Tensor]
    ) -> Callable[[], None]:
        """Begin to send and to receive, by node; return what waits for the end of both."""
        ...


class GlooWire:
    """Point-to-point messages of torch.distributed; one tag a row of the network.

    A message that does not come for `timeout_s` is an error.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout = timedelta(seconds=timeout_s)

    def exchange(
        self, row: int, sends: Mapping[int, Tensor], receives: Mapping[int, Tensor]
    ) -> Callable[[], None]:
        """Begin to send and to receive, by node; return what waits for the end of both."""
        from torch import distributed

        begun = [distributed.irecv(buffer, node, tag=row) for node, buffer in receives.items()]
        begun += [distributed.isend(tensor, node, tag=row) for node, tensor in sends.items()]

        def wait() -> None:
            for work in begun:
                if work is not None:
                    work.wait(self._timeout)

        return wait
