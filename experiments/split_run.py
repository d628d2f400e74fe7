"""Split networks of real size, run on N processes, beside the model: output, wire, memory.

python experiments/split_run.py experiments/measured/split_run.csv

One row a network, N, strategy and S_comm: how far the output is from the network's on one process,
messages and bytes by class with the model's, and what the node that needs most held. A row where a
count is not the model's says so. Random weights; needs the extra `torch`.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from discosim.explore.executed import planned
from discosim.explore.run import run_split
from discosim.masks.select import select
from discosim.networks import build
from discosim.runtime.state import random_state
from discosim.runtime.wire import KINDS

SPARSE = [
    *(("resnet18", nodes, s_comm) for nodes in (2, 3, 4) for s_comm in (0.0, 0.9, 1.0)),
    *(("resnet50", nodes, 0.9) for nodes in (2, 3, 4)),
    *(("deit-s", nodes, 0.9) for nodes in (2, 3, 4)),
    *(("squeezenet1-1", nodes, 0.9) for nodes in (2, 3, 4)),
    *(("efficientnet-b0", nodes, 0.9) for nodes in (2, 3, 4)),
    ("mobilenetv2", 3, 0.9),
]
EXACT = [
    *((model, nodes, strategy)
      for model in ("resnet18", "resnet50", "mobilenetv2", "deit-s")
      for nodes in (2, 3, 4)
      for strategy in ("rows", "fused-rows", "paired")),
    *(("deit-s", nodes, "tokens-kv") for nodes in (2, 3, 4)),
]  # fmt: skip
COUNTED = ("messages", "sent_bytes", "weight_bytes")


def row(model: str, nodes: int, strategy: str, s_comm: float = 0.0) -> dict[str, object]:
    """Return one comparison; S_comm is that of disco, the others send what they have to."""
    network = build(model)
    state = random_state(network)
    if strategy == "disco":
        weights = {name: tensor.numpy() for name, tensor in state.items()}
        frame, off = run_split(network, select(network, nodes, s_comm, weights), state)
    else:
        frame, off = run_split(network, planned(network, strategy, nodes), state)
    same = all(frame[name].equals(frame[f"predicted_{name}"]) for name in COUNTED)
    sums = frame.groupby("kind")[["messages", "sent_bytes"]].sum()
    cells = {
        f"{kind.replace('-', '_')}_{name}": int(sums.loc[kind, name])
        for kind in KINDS
        for name in ("messages", "sent_bytes")
    }
    most = frame.loc[(frame["weight_bytes"] + frame["peak_bytes"]).idxmax()]
    memory = {
        name: int(most[name])
        for name in ("weight_bytes", "peak_bytes", "predicted_weight_bytes", "predicted_peak_bytes")
    }
    return {
        "model": model,
        "nodes": nodes,
        "strategy": strategy,
        "s_comm": s_comm,
        "output_off": np.format_float_scientific(off, 2),
        "counts_are_the_models": same,
        **cells,
        **memory,
    }


if __name__ == "__main__":
    [path] = map(Path, sys.argv[1:])
    rows: list[dict[str, object]] = []
    cases = [(model, nodes, "disco", s_comm) for model, nodes, s_comm in SPARSE]
    for case in [*cases, *EXACT]:
        rows.append(row(*case))
        pd.DataFrame(rows).to_csv(path, index=False)
        print(rows[-1], file=sys.stderr)
