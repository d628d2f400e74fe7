"""A split network on threads of one process: what processes do, without starting them."""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from discosim.graph.network import Network
from discosim.masks.mask import Mask
from discosim.partition.lay import Laid
from discosim.runtime.executor import Executor
from discosim.runtime.laid_program import laid_program
from discosim.runtime.laid_state import laid_state
from discosim.runtime.masked_program import masked_program
from discosim.runtime.program import NodeProgram
from discosim.runtime.split_checkpoint import node_state
from discosim.runtime.wire import SentMessage

State = Mapping[str, torch.Tensor]
Change = Callable[[torch.Tensor], torch.Tensor]


def on_one_thread() -> Iterator[None]:
    """Tests run side by side: more threads would only be in each other's way."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@dataclass
class ThreadWire:
    """A queue for each ordered pair of nodes; `change` may spoil what is sent."""

    queues: Mapping[tuple[int, int], "queue.Queue[tuple[int, torch.Tensor]]"]
    rank: int
    change: Change

    def exchange(
        self,
        row: int,
        sends: Mapping[int, torch.Tensor],
        receives: Mapping[int, torch.Tensor],
    ) -> Callable[[], None]:
        for node, tensor in sends.items():
            self.queues[self.rank, node].put((row, self.change(tensor.clone())))

        def wait() -> None:
            for node, buffer in receives.items():
                sent_for, tensor = self.queues[node, self.rank].get(timeout=60)
                assert (sent_for, tensor.shape) == (row, buffer.shape)
                buffer.copy_(tensor)

        return wait


@dataclass
class ThreadRun:
    outputs: tuple[np.ndarray, ...]
    messages: tuple[SentMessage, ...]
    states: list[dict[str, torch.Tensor]]
    left_over: int


def run_on_threads(
    network: Network,
    mask: Mask,
    state: State,
    x: np.ndarray,
    *,
    states: list[dict[str, torch.Tensor]] | None = None,
    change: Change = lambda tensor: tensor,
) -> ThreadRun:
    ranks = range(mask.nodes)
    parts = states or [node_state(network, mask, state, rank) for rank in ranks]
    return on_threads([masked_program(network, mask, rank) for rank in ranks], parts, x, change)


def laid_on_threads(
    laid: Laid, state: State, x: np.ndarray, *, change: Change = lambda tensor: tensor
) -> ThreadRun:
    ranks = range(laid.nodes)
    parts = [laid_state(laid, state, rank) for rank in ranks]
    return on_threads([laid_program(laid, rank) for rank in ranks], parts, x, change)


def on_threads(
    programs: list[NodeProgram],
    parts: list[dict[str, torch.Tensor]],
    x: np.ndarray,
    change: Change,
) -> ThreadRun:
    ranks = range(len(programs))
    queues = {(a, b): queue.Queue() for a in ranks for b in ranks}
    nodes = [Executor(program, part) for program, part in zip(programs, parts, strict=True)]
    outputs: dict[int, list[torch.Tensor] | Exception] = {}

    def serve(rank: int) -> None:
        try:
            outputs[rank] = nodes[rank].run(
                torch.from_numpy(x)[None].clone(), ThreadWire(queues, rank, change)
            )
        except Exception as error:
            outputs[rank] = error

    threads = [threading.Thread(target=serve, args=(rank,)) for rank in ranks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in outputs.values():
        if isinstance(result, Exception):
            raise result
    return ThreadRun(
        tuple(output[0].numpy() for output in outputs[0]),
        tuple(message for node in nodes for message in node.messages),
        parts,
        sum(q.qsize() for q in queues.values()),
    )
