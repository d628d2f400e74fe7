"""The process of one node in a measured run.

Run as `python -m discosim.validate.worker JOB`, JOB being the JSON of a `Job`. Each line of its
standard input is the JSON of an `Order`, answered by one line of JSON; it ends with its input.
"""

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from socket import socket
from typing import TYPE_CHECKING, Any

from discosim.graph.network import Network
from discosim.networks import build
from discosim.validate.gate import cores, is_astray, reference, run_delay_s
from discosim.validate.probes import probes
from discosim.validate.sockets import SocketWire, give_way, joined, listening
from discosim.validate.wires import NoWire, Paced, Watched

if TYPE_CHECKING:
    from torch import Tensor

    from discosim.masks.mask import Mask
    from discosim.runtime.node import Node
    from discosim.runtime.wire import Wire

SEED = 0
TIMEOUT_S = 120.0
LEAD_S = 1e-3
"""How long before a run its beginning is named."""

PAUSE_S = 0.02
"""How often it is looked whether the machine has its usual speed again."""

MEETING = -1
"""The row of the messages that name it."""


@dataclass(frozen=True)
class Job:
    """Which node of which network.

    host: where it listens for the others; paced_Bps: what to hold messages back to, where the
    link does not.
    """

    model: str
    input_shape: tuple[int, ...] | None
    nodes: int
    rank: int
    host: str
    threads: int
    paced_Bps: float | None = None


@dataclass(frozen=True)
class Order:
    """Runs at one S_comm: as many as `count`, after one that is not counted.

    kind: serial, overlapped, or profile, which computes without the others; messages: instead of
    the network each node sends `size` bytes to each other one; drag: meanwhile it computes the
    reference; probe: it computes the probe of that number, whole. usual_s: what the reference
    usually takes; the runs wait until it does, for `patience_s` all together.
    """

    kind: str
    count: int
    s_comm: float = 0.0
    size: int = 0
    probe: int = 0
    usual_s: float = 0.0
    patience_s: float = 0.0


def mask_of(network: Network, nodes: int, s_comm: float) -> "Mask":
    """Return the mask of measured runs: equally many features for each ordered pair, at random.

    These are the counts of `rounding exact`.
    """
    from discosim.masks.select import select

    return select(network, nodes, s_comm, None, "random", per="pair", seed=SEED)


def watched_node(
    network: Network, mask: "Mask", rank: int, state: "Mapping[str, Tensor]", wire: Watched
) -> "Node":
    """Return a node that also says when it begins each row."""
    from discosim.runtime.node import Node
    from discosim.runtime.split_checkpoint import node_state

    class WatchedNode(Node):
        def _execute(self, *row: Any) -> Any:
            wire.begins.append(wire.now())
            return super()._execute(*row)

        def _gather(self, *outputs: Any) -> Any:
            wire.begins.append(wire.now())
            return super()._gather(*outputs)

    return WatchedNode(network, mask, rank, node_state(network, mask, state, rank), wire)


def probe_node(network: Network) -> tuple["Node", Watched, "Tensor"]:
    """Return one node that has all of a network, its wire and an input."""
    import torch

    from discosim.runtime.module import NetworkModule

    wire = Watched(NoWire())
    state = NetworkModule(network).state_dict()
    node = watched_node(network, mask_of(network, 1, 0.0), 0, state, wire)
    return node, wire, torch.randn((1, *network.input_shape))


class _Worker:
    """The network, the connections of the nodes, and the node at the S_comm of the last order."""

    def __init__(self, job: Job, connections: Mapping[int, socket]) -> None:
        import torch

        from discosim.runtime.module import NetworkModule

        torch.set_num_threads(job.threads)
        torch.manual_seed(SEED)
        self.job = job
        self.network = build(job.model, job.input_shape)
        self._state: dict[str, Tensor] = NetworkModule(self.network).state_dict()
        self._x = torch.randn((1, *self.network.input_shape))
        spins = job.nodes * job.threads <= cores()
        self._sockets = SocketWire(connections, TIMEOUT_S, spins=spins)
        paced = job.paced_Bps
        self._wire = self._sockets if paced is None else Paced(self._sockets, paced)
        self._reference_s = reference()
        self._patience_s = 0.0
        self._last: tuple[float, Node, Watched] | None = None
        self._wanted: tuple[Any, ...] | None = None
        self._off = 0.0

    def answer(self, order: Order) -> dict[str, Any]:
        """Run as often as ordered; times of each run, its exchanges, and all messages of one.

        left_s: what is left of the patience; off: how far the last output of node 0 is from that
        of the masked network.
        """
        self._patience_s, self._off = order.patience_s, 0.0
        runs, messages = self._ran(order)
        left_s, off = self._patience_s, self._off
        return {"runs": runs, "messages": messages, "left_s": left_s, "off": off}

    def _ran(self, order: Order) -> tuple[list[list[Any]], list[list[Any]]]:
        if order.kind == "messages":
            work, wire = self._sender(order.size, self._wire), Watched(NoWire())
            return self._runs(work, wire, order), []
        if order.kind == "drag":
            wire = Watched(self._wire)
            work = self._sender(order.size, wire, self._reference_s)
            return self._runs(work, wire, order), []
        if order.kind == "probe":
            node, wire, x = probe_node(probes()[order.probe])
        else:
            node, wire = self._node(order.s_comm, order.kind == "profile")
            x = self._x
        outputs: list[Tensor] = []

        def run() -> None:
            outputs[:] = node.run(x)

        wire.serial = order.kind == "serial"
        runs = self._runs(run, wire, order)
        if self.job.rank == 0 and order.kind in ("serial", "overlapped"):
            self._off = self._compared(outputs)
        sent = [[m.layer, m.kind, m.sender, m.receiver, m.nbytes] for m in node.messages]
        return runs, sent

    def _runs(self, work: Callable[[], object], wire: Watched, order: Order) -> list[list[Any]]:
        """When each run of `work` begins and ends, its wait for a core, and what `wire` noted.

        With them goes what the reference took before or after, whichever is longer.
        """
        runs = []
        for number in range(order.count + 1):
            before_s = self._steady_s(order.usual_s)
            wire.marks, wire.begins = [], []
            self._meet(wire.now)
            waited, begins_s = run_delay_s(), wire.now()
            work()
            ends_s = wire.now()
            delay_s = run_delay_s() - waited
            self._agree(True)
            longest_s = max(before_s, self._reference_s())
            if number:
                runs.append([begins_s, ends_s, delay_s, longest_s, wire.marks, wire.begins])
        return runs

    def _steady_s(self, usual_s: float) -> float:
        """What the reference takes, once that is usual on every node, or patience has ended."""
        while True:
            took_s = self._reference_s()
            steady = not usual_s or not is_astray(took_s, usual_s) or self._patience_s <= 0
            if self._agree(steady):
                return took_s
            time.sleep(PAUSE_S)
            self._patience_s -= took_s + PAUSE_S

    def _agree(self, here: bool) -> bool:
        """Whether that holds on every node; all learn it together."""
        import torch

        own, every = torch.tensor([float(here)]), torch.zeros(1)
        if self.job.rank:
            self._sockets.exchange(MEETING, {0: own}, {0: every})()
            return bool(every)
        theirs = {node: torch.zeros(1) for node in self._others}
        self._sockets.exchange(MEETING, {}, theirs)()
        every[0] = min([own, *theirs.values()])
        self._sockets.exchange(MEETING, dict.fromkeys(self._others, every), {})()
        return bool(every)

    def _meet(self, clock: Callable[[], float]) -> None:
        """Go on at the same moment as all other nodes, which node 0 names."""
        import torch

        self._agree(True)
        moment = torch.tensor([clock() + LEAD_S], dtype=torch.float64)
        if self.job.rank:
            self._sockets.exchange(MEETING, {}, {0: moment})()
        else:
            self._sockets.exchange(MEETING, dict.fromkeys(self._others, moment), {})()
        while clock() < moment:
            give_way()

    @property
    def _others(self) -> list[int]:
        return [node for node in range(self.job.nodes) if node != self.job.rank]

    def _sender(
        self, size: int, wire: "Wire", meanwhile: Callable[[], object] = lambda: None
    ) -> Callable[[], None]:
        """What sends `size` bytes to each other node and receives as many from each."""
        import torch

        full = torch.zeros(size, dtype=torch.uint8)
        buffers = {node: torch.zeros_like(full) for node in self._others}

        def work() -> None:
            wait = wire.exchange(0, dict.fromkeys(buffers, full), buffers)
            meanwhile()
            wait()

        return work

    def _compared(self, outputs: "list[Tensor]") -> float:
        """How far the outputs of a run are from those of the masked network on one process."""
        from discosim.runtime.state import largest_difference, masked_outputs

        assert self._last is not None
        mask, x = self._last[1].mask, self._x[0].numpy()
        if self._wanted is None:
            self._wanted = masked_outputs(self.network, mask, self._state, x)
        return largest_difference([output[0].numpy() for output in outputs], self._wanted)

    def _node(self, s_comm: float, profile: bool) -> tuple["Node", Watched]:
        if self._last is None or self._last[0] != s_comm:
            mask = mask_of(self.network, self.job.nodes, s_comm)
            wire = Watched(NoWire())
            node = watched_node(self.network, mask, self.job.rank, self._state, wire)
            self._last, self._wanted = (s_comm, node, wire), None
        _, node, wire = self._last
        wire.inner = NoWire() if profile else self._wire
        return node, wire


def _orders() -> "queue.SimpleQueue[str]":
    """Lines of standard input as they come; when it ends, so does the process, whatever it does."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return lines


def _say(what: object) -> None:
    """Answer on the standard output; with nobody there any more, end."""
    try:
        print(json.dumps(what), flush=True)
    except BrokenPipeError:
        os._exit(0)


def main(job: Job) -> None:
    """Find the other nodes, then answer orders until the standard input ends."""
    lines = _orders()
    try:
        with listening(job.host) as listener:
            _say(listener.getsockname()[1])
            addresses = [(host, port) for host, port in json.loads(lines.get())]
            connections = joined(job.rank, listener, addresses, TIMEOUT_S)
        worker = _Worker(job, connections)
        _say("ready")
        while True:
            _say(worker.answer(Order(**json.loads(lines.get()))))
    except RuntimeError as error:  # another node has gone
        sys.exit(f"discosim: node {job.rank}: {str(error).splitlines()[0]}")


if __name__ == "__main__":
    job = Job(**json.loads(sys.argv[1]))
    shape = None if job.input_shape is None else tuple(job.input_shape)
    main(replace(job, input_shape=shape))
