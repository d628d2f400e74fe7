"""Where the time of one configuration goes, layer by layer."""

import numpy as np
import pandas as pd

from discosim.configuration import Configuration
from discosim.graph.table import Floats, LayerTable
from discosim.partition.plan import Plan


def layers(configuration: Configuration, *, every_operator: bool = False) -> pd.DataFrame:
    """Return one row per convolution, linear layer and attention, SI units.

    A row carries the operators that follow it up to the next such layer (norms, activations,
    additions, pooling): their parameters and times are in its own, so that every column adds up
    to the network's. `every_operator` gives each a row instead, and the output's gathering one.
    """
    table, (plan, cost) = configuration.table, configuration.evaluate()

    def flat(per_node: Floats) -> Floats:
        slowest: Floats = per_node.max(axis=-2).reshape(-1, len(table))[0]
        return slowest

    frame = pd.DataFrame(
        {
            "layer": table.name,
            "op": table.op,
            "split": _splits(plan, configuration.strategy.split, len(table)),
            "block": table.block,
            "in_elems": table.in_elems.astype(np.int64),
            "out_elems": table.out_elems.astype(np.int64),
            "params": table.params.astype(np.int64),
            "macs": table.macs.astype(np.int64),
            "bytes": flat(np.maximum(cost.sent_bytes, cost.received_bytes)),
            "comm_s": flat(cost.comm_s),
            "comp_s": flat(cost.local_s + cost.remote_s),
            "layer_s": flat(cost.layer_s),
        }
    )
    return frame if every_operator else _merged(frame, table)


def _splits(plan: Plan, usual: str, count: int) -> list[str]:
    """How each row is split: as the plan says of its layer, else as is usual."""
    kinds = [] if plan.laid is None else [str(part.choice.kind) for part in plan.laid.parts]
    return kinds + [usual] * (count - len(kinds))


def _merged(frame: pd.DataFrame, table: LayerTable) -> pd.DataFrame:
    """Add each operator's parameters, bytes and times to the layer it follows."""
    leads = table.mixes | (table.macs > 0)
    group = np.maximum(np.cumsum(leads) - 1, 0)
    sums = frame[["params", "bytes", "comm_s", "comp_s", "layer_s"]].groupby(group).sum()
    merged = frame[leads].reset_index(drop=True)
    merged[sums.columns] = sums.to_numpy()
    return merged.astype({"params": np.int64})
