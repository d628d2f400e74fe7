"""What a runtime takes of memory: itself, and beside the features that a network needs at once.

Measured in a process of its own, on what the system says of it (`/proc/self/status`).
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from discosim.errors import DiscosimError
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT, Network
from discosim.graph.table import tabulate

STATUS = Path("/proc/self/status")
SIDE = 384
"""Positions of a side: features of some 40 MB, beside which what a runtime always has is small."""
MOST_S = 60.0


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes resident before a run, and what a run adds at most over the features it needs."""

    runtime_bytes: int
    workspace: float


def measure_footprint(threads: int) -> Footprint | None:
    """Return the footprint of torch in a process of its own, None where the system tells none.

    Raises DiscosimError where the process fails.
    """
    if not STATUS.is_file() or "VmHWM" not in STATUS.read_text(encoding="utf-8"):
        return None
    words = [sys.executable, "-m", "discosim.validate.footprint", str(threads)]
    try:
        done = subprocess.run(
            words, capture_output=True, encoding="utf-8", check=True, timeout=MOST_S
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise DiscosimError(f"the memory of a run cannot be measured: {error}") from None
    return Footprint(**json.loads(done.stdout))


def probe(side: int = SIDE) -> Network:
    """Return a network that is small but for its features."""
    net = Builder("probe of memory", (3, side, side))
    x = net.conv(INPUT, 32, 3, "first", bias=True)
    x = net.activation(net.batch_norm(x, "norm"), "act")
    x = net.conv(x, 32, 3, "second", bias=True)
    net.global_pool(net.activation(x, "act2"), "pool")
    return net.build()


def feature_bytes(network: Network) -> float:
    """Return what its features take at once in float32, on one node."""
    return 4.0 * float(tabulate(network).live_elems.max())


def _own_footprint(threads: int) -> Footprint:
    """The footprint of this process, which runs the probe."""
    import torch

    from discosim.runtime.module import NetworkModule

    torch.set_num_threads(threads)
    network = probe()
    small, module = NetworkModule(probe(8)).eval(), NetworkModule(network).eval()
    with torch.inference_mode():
        small(torch.zeros(1, 3, 8, 8))  # what is set up at the first call
        before = _status_bytes("VmRSS")
        module(torch.zeros(1, *network.input_shape))
    most = _status_bytes("VmHWM") - before
    return Footprint(before, max(1.0, most / feature_bytes(network)))


def _status_bytes(key: str) -> int:
    [line] = [
        line
        for line in STATUS.read_text(encoding="utf-8").splitlines()
        if line.startswith(f"{key}:")
    ]
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    print(json.dumps(asdict(_own_footprint(int(sys.argv[1])))))
