"""The process of one node in a measured run.

Run as `python -m discosim.validate.worker JOB`, JOB being the JSON of a `Job`. Each line of its
standard input is the JSON of an `Order`, answered by one line of JSON; it ends with its input.
"""

import json
import os
import queue
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from discosim.graph.network import Network
from discosim.networks import build
from discosim.validate.gate import run_delay_s
from discosim.validate.wires import NoWire, Paced, Watched

if TYPE_CHECKING:
    from torch import Tensor

    from discosim.masks.mask import Mask
    from discosim.masks.node import Node

SEED = 0
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Job:
    """Which node of which network.

    store: a file in which the nodes find each other; paced_Bps: what to hold messages back to,
    where the link does not.
    """

    model: str
    input_shape: tuple[int, ...] | None
    nodes: int
    rank: int
    store: str
    interface: str
    threads: int
    paced_Bps: float | None = None


@dataclass(frozen=True)
class Order:
    """Runs at one S_comm: as many as `count`, after one that is not counted.

    kind: serial, overlapped, or profile, which computes without a network.
    """

    kind: str
    s_comm: float
    count: int


def mask_of(network: Network, nodes: int, s_comm: float) -> "Mask":
    """Return the mask of measured runs: equally many features for each ordered pair, at random.

    These are the counts of `rounding exact`.
    """
    from discosim.masks.select import select

    return select(network, nodes, s_comm, None, "random", per="pair", seed=SEED)


def _watched_node(
    network: Network, mask: "Mask", rank: int, state: "Mapping[str, Tensor]", wire: Watched
) -> "Node":
    """A node that also says when it begins each row."""
    from discosim.masks.node import Node

    class WatchedNode(Node):
        def _execute(self, *row: Any) -> Any:
            wire.begins.append(wire.now())
            return super()._execute(*row)

        def _gather(self, *outputs: Any) -> Any:
            wire.begins.append(wire.now())
            return super()._gather(*outputs)

    return WatchedNode(network, mask, rank, state, wire)


class _Worker:
    """The network, the group of nodes, and the node at the S_comm of the last order."""

    def __init__(self, job: Job) -> None:
        import torch
        from torch import distributed

        from discosim.masks.module import NetworkModule
        from discosim.masks.wire import GlooWire

        os.environ["GLOO_SOCKET_IFNAME"] = job.interface
        torch.set_num_threads(job.threads)
        torch.manual_seed(SEED)
        self.job = job
        self.network = build(job.model, job.input_shape)
        self._state: dict[str, Tensor] = NetworkModule(self.network).state_dict()
        self._x = torch.randn((1, *self.network.input_shape))
        distributed.init_process_group(
            "gloo", init_method=f"file://{job.store}", rank=job.rank, world_size=job.nodes
        )
        gloo = GlooWire(TIMEOUT_S)
        self._wire = gloo if job.paced_Bps is None else Paced(gloo, job.paced_Bps)
        self._nodes: dict[tuple[float, bool], tuple[Node, Watched]] = {}

    def answer(self, order: Order) -> dict[str, Any]:
        """Run as often as ordered; times of each run, its exchanges, and all messages of one."""
        from torch import distributed

        profile = order.kind == "profile"
        node, wire = self._node(order.s_comm, profile)
        wire.serial = order.kind == "serial"
        runs = []
        for number in range(order.count + 1):
            wire.marks, wire.begins = [], []
            if not profile:
                distributed.barrier()
            waited, begins_s = run_delay_s(), wire.now()
            node.run(self._x)
            ends_s = wire.now()
            if number:
                delay_s = run_delay_s() - waited
                runs.append([begins_s, ends_s, delay_s, wire.marks, wire.begins])
        sent = [[m.layer, m.kind, m.sender, m.receiver, m.nbytes] for m in node.messages]
        return {"runs": runs, "messages": sent}

    def _node(self, s_comm: float, profile: bool) -> tuple["Node", Watched]:
        from discosim.masks.split_checkpoint import node_state

        if (s_comm, profile) not in self._nodes:
            self._nodes.clear()
            mask = mask_of(self.network, self.job.nodes, s_comm)
            state = node_state(self.network, mask, self._state, self.job.rank)
            wire = Watched(NoWire() if profile else self._wire)
            node = _watched_node(self.network, mask, self.job.rank, state, wire)
            self._nodes[s_comm, profile] = node, wire
        return self._nodes[s_comm, profile]


def _orders() -> "queue.SimpleQueue[str]":
    """Lines of standard input as they come; when it ends, so does the process, whatever it does."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return lines


def main(job: Job) -> None:
    """Answer orders until the standard input ends."""
    lines = _orders()
    worker = _Worker(job)
    print(json.dumps("ready"), flush=True)
    while True:
        order = Order(**json.loads(lines.get()))
        try:
            answer = worker.answer(order)
        except RuntimeError as error:  # of gloo: another node has gone
            sys.exit(f"discosim: node {job.rank}: {str(error).splitlines()[0]}")
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    job = Job(**json.loads(sys.argv[1]))
    shape = None if job.input_shape is None else tuple(job.input_shape)
    main(replace(job, input_shape=shape))
