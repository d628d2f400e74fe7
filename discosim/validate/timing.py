"""Runs that are timed: what a node is asked, and what it says of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from discosim.graph.network import Network
from discosim.masks.mask import Mask
from discosim.runtime.run import loads
from discosim.runtime.sockets import give_way
from discosim.runtime.wire import SentMessage
from discosim.runtime.worker import Array, Load, Worker, arrays
from discosim.validate.gate import is_steady, reference, run_delay_s
from discosim.validate.wires import Mark, NoWire, Paced, Watched

if TYPE_CHECKING:
    from torch import Tensor

    from discosim.masks.select import Knob

SEED = 0
LEAD_S = 1e-3
"""How long before a run its beginning is named."""

PAUSE_S = 0.02
"""How often it is looked whether the machine has its usual speed again."""

MEETING = -1
"""The row of the messages that name it."""


@dataclass(frozen=True)
class Order:
    """Runs at one S_comm: as many as `count`, after one that is not counted.

    strategy: how layers are split; those without S_comm have 0. kind: serial, overlapped, or
    profile, which computes without the others; messages: instead of the network each node sends
    `size` bytes to each other one; drag: meanwhile it computes the reference; probe: it computes
    the probe of that number, whole.
    """

    kind: str
    count: int
    s_comm: float = 0.0
    size: int = 0
    probe: int = 0
    strategy: str = "disco"


@dataclass(frozen=True, eq=False)
class NodeRun:
    """One run of one node: when it, its rows and its exchanges begin and end, on one clock.

    delay_s: how long it waited for a core; reference_s: what the reference took next to it.
    """

    begins_s: float
    ends_s: float
    delay_s: float
    reference_s: float
    marks: tuple[Mark, ...]
    row_begins_s: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Timed:
    """What one node says to an order: its runs, and messages and outputs of the last of them.

    left_s: what is left of the patience.
    """

    runs: tuple[NodeRun, ...]
    messages: tuple[SentMessage, ...]
    outputs: tuple[Array, ...]
    left_s: float


@dataclass(frozen=True, eq=False)
class Timing:
    """An order, for the input `x` and what was loaded.

    paced_Bps: what to hold messages back to, where the link does not. usual_s: what the reference
    usually takes; the runs wait until it does, for `patience_s` all together.
    """

    order: Order
    x: Array
    paced_Bps: float | None
    usual_s: float
    patience_s: float

    def answer(self, worker: Worker) -> Timed:
        """Run as often as ordered."""
        return _Timer(self, worker).timed()


class _Timer:
    def __init__(self, timing: Timing, worker: Worker) -> None:
        worker.limit_threads()
        self._order, self._timing, self._worker = timing.order, timing, worker
        self._reference_s = reference()
        self._left_s = timing.patience_s
        alone = timing.order.kind in ("probe", "profile")
        wire = worker.wire if timing.paced_Bps is None else Paced(worker.wire, timing.paced_Bps)
        self._wire = Watched(NoWire() if alone else wire, serial=timing.order.kind == "serial")

    def timed(self) -> Timed:
        """The runs of the order."""
        import torch

        order = self._order
        if order.kind in ("messages", "drag"):
            meanwhile = self._reference_s if order.kind == "drag" else None
            return Timed(self._runs(self._sender(order.size, meanwhile)), (), (), self._left_s)
        executor, x = self._worker.loaded, torch.from_numpy(self._timing.x)[None]
        outputs: list[Tensor] = []

        def run() -> None:
            outputs[:] = executor.run(x, self._wire, self._wire.begin_row)

        runs = self._runs(run)
        return Timed(runs, tuple(executor.messages), arrays(outputs), self._left_s)

    def _runs(self, work: Callable[[], object]) -> tuple[NodeRun, ...]:
        """When each run of `work` begins and ends, its wait for a core, and what the wire noted.

        With them goes what the reference took before or after, whichever is longer.
        """
        runs, wire = [], self._wire
        for number in range(self._order.count + 1):
            before_s = self._steady_s()
            wire.forget()
            self._meet()
            waited, begins_s = run_delay_s(), wire.now()
            work()
            ends_s = wire.now()
            delay_s = run_delay_s() - waited
            self._agree(True)
            longest_s = max(before_s, self._reference_s())
            if number:
                noted = tuple(wire.marks), tuple(wire.begins)
                runs.append(NodeRun(begins_s, ends_s, delay_s, longest_s, *noted))
        return tuple(runs)

    def _steady_s(self) -> float:
        """What the reference takes, once that is usual on every node, or patience has ended."""
        usual_s = self._timing.usual_s
        while True:
            waited_s = run_delay_s()
            took_s = self._reference_s()
            late_s = run_delay_s() - waited_s
            steady = not usual_s or is_steady(took_s, late_s, took_s, usual_s)
            if self._agree(steady or self._left_s <= 0):
                return took_s
            time.sleep(PAUSE_S)
            self._left_s -= took_s + PAUSE_S

    def _agree(self, here: bool) -> bool:
        """Whether that holds on every node; all learn it together."""
        import torch

        own, every, others = torch.tensor([float(here)]), torch.zeros(1), self._worker.others
        if self._worker.seat.rank:
            self._worker.wire.exchange(MEETING, {0: own}, {0: every})()
            return bool(every)
        theirs = {node: torch.zeros(1) for node in others}
        self._worker.wire.exchange(MEETING, {}, theirs)()
        every[0] = min([own, *theirs.values()])
        self._worker.wire.exchange(MEETING, dict.fromkeys(others, every), {})()
        return bool(every)

    def _meet(self) -> None:
        """Go on at the same moment as all other nodes, which node 0 names."""
        import torch

        self._agree(True)
        clock, wire = self._wire.now, self._worker.wire
        moment = torch.tensor([clock() + LEAD_S], dtype=torch.float64)
        if self._worker.seat.rank:
            wire.exchange(MEETING, {}, {0: moment})()
        else:
            wire.exchange(MEETING, dict.fromkeys(self._worker.others, moment), {})()
        while clock() < moment:
            give_way()

    def _sender(self, size: int, meanwhile: Callable[[], object] | None) -> Callable[[], None]:
        """What sends `size` bytes to each other node and receives as many from each."""
        import torch

        full = torch.zeros(size, dtype=torch.uint8)
        buffers = {node: torch.zeros_like(full) for node in self._worker.others}

        def work() -> None:
            wait = self._wire.exchange(0, dict.fromkeys(buffers, full), buffers)
            if meanwhile is not None:
                meanwhile()
            wait()

        return work


def mask_of(network: Network, nodes: int, s_comm: "Knob") -> Mask:
    """Return the mask of measured runs: equally many features for each ordered pair, at random.

    These are the counts of `rounding exact`.
    """
    from discosim.masks.select import select

    return select(network, nodes, s_comm, None, "random", per="pair", seed=SEED)


def whole(network: Network) -> Load:
    """Return what one node executes that has all of a network, with parameters of no meaning."""
    from discosim.runtime.module import NetworkModule

    [load] = loads(network, mask_of(network, 1, 0.0), NetworkModule(network).state_dict())
    return load


def normal_input(network: Network) -> Array:
    """Return a normal input, (*input_shape), the same each time."""
    return np.random.default_rng(SEED).standard_normal(network.input_shape, dtype=np.float32)
