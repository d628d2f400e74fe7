"""A split network running: one process a node, a connection between each two."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from discosim.errors import DiscosimError
from discosim.graph.network import Network, shape_text
from discosim.masks.mask import Mask
from discosim.partition.lay import Laid
from discosim.runtime.laid_program import laid_program
from discosim.runtime.masked_program import masked_program
from discosim.runtime.nodes import NodeProcesses
from discosim.runtime.program import NodeProgram
from discosim.runtime.wire import SentMessage
from discosim.runtime.worker import Array, Feed, Load, Outputs, Ready, Seat

if TYPE_CHECKING:
    from torch import Tensor

TIMEOUT_S = 60.0
MOST_NODES = 32


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
    messages: tuple[SentMessage, ...]
    peak_bytes: tuple[int, ...]


class SplitNetwork:
    """N processes that hold one node each, from entering the context until it is left.

    split: a mask, or how the layers lie on nodes. state: a dense-format state_dict of the network,
    as NetworkModule has it. A message that does not come for `timeout_s`, and a process that dies,
    end the run with a DiscosimError.
    """

    def __init__(
        self,
        network: Network,
        split: Mask | Laid,
        state: "Mapping[str, Tensor]",
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        if not timeout_s > 0:
            raise DiscosimError(f"timeout {timeout_s:g} s; wanted more than 0 s")
        check_count(split.nodes)
        self.network, self.split = network, split
        self._state = state
        self._nodes = NodeProcesses([Seat(r, split.nodes, timeout_s) for r in range(split.nodes)])
        self._ends = ExitStack()
        self.weight_bytes: tuple[int, ...] = ()

    @property
    def pids(self) -> list[int]:
        """The processes' numbers, by node."""
        return self._nodes.pids

    def __enter__(self) -> Self:
        parts = loads(self.network, self.split, self._state)
        self.weight_bytes = tuple(part.nbytes for part in parts)
        with ExitStack() as stack:
            stack.enter_context(self._nodes).ask(parts, Ready)
            self._ends = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def run(self, x: Array) -> SplitRun:
        """Return what the nodes make of one input, (*input_shape)."""
        if x.shape != self.network.input_shape:
            raise DiscosimError(
                f"input {shape_text(x.shape)}; {self.network.name} wants "
                f"{shape_text(self.network.input_shape)}"
            )
        if not self.pids:
            raise DiscosimError("the split network does not run: use it as a context manager")
        given = Feed(np.array(x, dtype=np.float32))
        answers = self._nodes.ask([given] * self.split.nodes, Outputs)
        return SplitRun(
            answers[0].outputs,
            tuple(message for answer in answers for message in answer.messages),
            tuple(answer.peak_bytes for answer in answers),
        )


def states_of(
    network: Network, split: Mask | Laid, state: "Mapping[str, Tensor]"
) -> "list[dict[str, Tensor]]":
    """Return the parameters of each node of a split network."""
    from discosim.runtime.laid_state import laid_state
    from discosim.runtime.split_checkpoint import node_state

    if isinstance(split, Laid):
        return [laid_state(split, state, rank) for rank in range(split.nodes)]
    return [node_state(network, split, state, rank) for rank in range(split.nodes)]


def loads(network: Network, split: Mask | Laid, state: "Mapping[str, Tensor]") -> list[Load]:
    """Return what each node of a split network is to execute, with its own parameters."""
    return [
        Load(_program(network, split, rank), {name: tensor.numpy() for name, tensor in own.items()})
        for rank, own in enumerate(states_of(network, split, state))
    ]


def _program(network: Network, split: Mask | Laid, rank: int) -> NodeProgram:
    if isinstance(split, Laid):
        return laid_program(split, rank)
    return masked_program(network, split, rank)
