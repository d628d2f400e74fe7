"""The process of one node: joins the group, reads its own weights, answers runs."""

import os
import re
import signal
import sys
import threading
import traceback
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from discosim.graph.network import Network
from discosim.masks.mask import Mask
from discosim.runtime.wire import Message

if TYPE_CHECKING:
    import torch

    from discosim.runtime.node import Node

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Job:
    """What the process of one node needs to know."""

    network: Network
    mask: Mask
    rank: int
    weights: Path
    store: Path
    timeout_s: float


@dataclass(frozen=True, eq=False)
class Answer:
    """What one node says after a run: the outputs (node 0), its messages, its tensors at most."""

    outputs: tuple[Array, ...]
    messages: tuple[Message, ...]
    peak_bytes: int


@dataclass(frozen=True)
class Ready:
    """A node has joined the group; the bytes of its weights."""

    weight_bytes: int


@dataclass(frozen=True)
class Failure:
    """A node cannot go on, in one line."""

    reason: str


def main(job: Job, link: "Connection[object, object]") -> None:
    """Serve runs over `link`: an input's file in, an Answer or a Failure out; None ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _serve(job, link)
    except EOFError:
        pass  # the parent has gone
    except Exception as error:
        link.send(Failure(_one_line(error)))
    # a group with a lost peer cannot be left in good order, and nothing is left to be saved
    sys.stdout.flush()
    os._exit(0)


def _serve(job: Job, link: "Connection[object, object]") -> None:
    import torch
    from torch import distributed

    from discosim.runtime.node import Node
    from discosim.runtime.split_checkpoint import payload_bytes, read_node
    from discosim.runtime.wire import GlooWire

    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo" if sys.platform == "linux" else "lo0")
    state = read_node(job.weights)
    distributed.init_process_group(
        "gloo",
        init_method=job.store.as_uri(),
        rank=job.rank,
        world_size=job.mask.nodes,
        timeout=timedelta(seconds=job.timeout_s),
    )
    distributed.barrier()
    node = Node(job.network, job.mask, job.rank, state, GlooWire(job.timeout_s))
    link.send(Ready(payload_bytes(state)))
    while (given := link.recv()) is not None:
        assert isinstance(given, Path)
        link.send(_answer(node, [torch.from_numpy(np.load(given))]))


def _answer(node: "Node", given: "list[torch.Tensor]") -> Answer:
    """Run the input that is given, and taken: the node may let go of it."""
    from discosim.runtime.live_bytes import LiveBytes

    watched = LiveBytes()
    watched.hold(given[0])
    with watched:
        outputs = node.run(given.pop())
    arrays = tuple(output[0].numpy() for output in outputs)
    return Answer(arrays, tuple(node.messages), watched.peak)


def _one_line(error: Exception) -> str:
    """What gloo says, without its place in the source and its guesses at the cause."""
    last = traceback.format_exception_only(error)[-1].strip().splitlines()[0]
    return re.sub(r"\[/[^]]*\] ", "", last).partition(". This is typically")[0][:200]


def _end_with_parent() -> None:
    """A parent that was killed leaves no orphan."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
