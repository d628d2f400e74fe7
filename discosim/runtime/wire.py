"""Messages between nodes, each counted where it is sent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

KINDS = (
    *("features", "squeeze-excite", "alignment", "halo", "all-gather", "move", "sum"),
    *("statistics", "gather"),
)
"""What a message is for: inputs of a layer, those of a squeeze-excite branch, an operand on its
way to where the other one lies; rows next to a node's own, parts that every node needs, parts that
lie otherwise afterwards, summands; statistics of a norm, the output on its way to node 0."""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One message of a run: `layer` is the row before which it was sent."""

    layer: str
    kind: str
    sender: int
    receiver: int
    nbytes: int


class WireError(RuntimeError):
    """Another node has gone, or does not answer; the text is one line."""


class Wire(Protocol):
    """What a node sends and receives with."""

    def exchange(
        self, row: int, sends: "Mapping[int, Tensor]", receives: "Mapping[int, Tensor]"
    ) -> Callable[[], None]:
        """Begin to send and to receive, by node; return what waits for the end of both."""
        ...
