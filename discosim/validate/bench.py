"""What this machine's arithmetic and memory take: operators of torch, timed where they are used."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from discosim.errors import require
from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.validate.gate import (
    Bools,
    Floats,
    Samples,
    gated,
    is_steady,
    reference,
    run_delay_s,
    usually,
)
from discosim.validate.probes import probes
from discosim.validate.timing import normal_input, whole
from discosim.validate.wires import NoWire, Watched

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Case:
    """One operator and how long it takes."""

    layer: Layer
    samples: Samples

    @property
    def kind(self) -> str:
        """Operator class."""
        return self.layer.kind

    @property
    def nbytes(self) -> float:
        """Bytes that it reads and writes."""
        return touched_bytes(self.layer)


@dataclass(frozen=True, eq=False)
class Passes:
    """Runs of a probe: seconds (K, L) of its rows, and which of the K runs were steady, (K,)."""

    network: Network
    row_s: Floats
    steady: Bools

    @property
    def whole(self) -> Samples:
        """The whole network, run after run."""
        return gated(self.row_s.sum(1), self.steady)

    def cases(self) -> Iterator[Case]:
        """Yield each operator with its samples."""
        for layer, seconds in zip(self.network.layers, self.row_s.T, strict=True):
            yield Case(layer, gated(seconds, self.steady))


def touched_bytes(layer: Layer) -> float:
    """Return the bytes of inputs, outputs and parameters in float32, each once."""
    return 4.0 * (layer.in_elems + layer.out_elems + layer.params)


def measure(
    seconds: float,
    threads: int,
    progress: Progress | None = None,
    *,
    networks: Sequence[Network] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Case]:
    """Return the operators of `networks`, by default the probes, with their samples.

    All are run in turns for `seconds`, at least once. Raises DiscosimError without torch.
    """
    found = passes(seconds, threads, networks or probes(), progress, clock)
    return [case for each in found for case in each.cases()]


def passes(
    seconds: float,
    threads: int,
    networks: Sequence[Network],
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Passes]:
    """Return the runs of each network, taken in turns; raises DiscosimError without torch."""
    require("calibrate", "torch")
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        begin_s = clock()
        tasks = [_task(network) for network in networks]
        kept: list[list[Floats]] = [[] for _ in tasks]
        judged: list[list[tuple[float, float, float]]] = [[] for _ in tasks]
        reference_s = reference()
        first = True
        while first or clock() - begin_s < seconds or not kept[0]:
            for (_, work, wire), rows, sure in zip(tasks, kept, judged, strict=True):
                before_s = reference_s()
                wire.forget()
                waited = run_delay_s()
                work()
                moments = np.array([*wire.begins, wire.now()])
                delay_s = run_delay_s() - waited
                if not first:
                    rows.append(np.diff(moments))
                    sure.append((moments[-1] - moments[0], delay_s, max(before_s, reference_s())))
            first = False
            if progress is not None:
                progress(min(99, round(100 * (clock() - begin_s) / seconds)), 100)
        usual_s = usually([each[2] for some in judged for each in some])
    finally:
        torch.set_num_threads(before)
    return [
        Passes(
            network, np.array(rows)[:, : len(network.layers)],
            np.array([is_steady(*each, usual_s) for each in sure]),
        )
        for (network, *_), rows, sure in zip(tasks, kept, judged, strict=True)
    ]  # fmt: skip


def _task(network: Network) -> tuple[Network, Callable[[], object], Watched]:
    """A network, what runs it on one node, and the wire that notes when its rows begin."""
    import torch

    from discosim.runtime.executor import Executor

    load, wire = whole(network), Watched(NoWire())
    state = {name: torch.from_numpy(array) for name, array in load.state.items()}
    executor, x = Executor(load.program, state), torch.from_numpy(normal_input(network))[None]
    return network, lambda: executor.run(x, wire, wire.begin_row), wire
