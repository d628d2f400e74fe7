"""A split run beside what the model says of it: output, messages, memory."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discosim.graph.network import Network
from discosim.graph.table import Floats, LayerTable, tabulate
from discosim.masks.mask import Mask
from discosim.masks.plan import masked_plan
from discosim.partition import node_memory
from discosim.partition.plan import CONVENTIONS
from discosim.runtime.pieces import squeeze_excite_layers
from discosim.runtime.wire import KINDS

if TYPE_CHECKING:
    from torch import Tensor

    from discosim.runtime.run import SplitRun

FP32_BYTES = 4


def kinds(table: LayerTable) -> list[str]:
    """Return what each row's messages are for, as `runtime.wire.KINDS` names it."""
    squeezed = squeeze_excite_layers(table.network)
    found = []
    for row, layer in enumerate(table.rows):
        if row == len(table) - 1:
            found.append("gather")
        elif table.statistics[row]:
            found.append("statistics")
        elif layer.operator.placing == "aligns":
            found.append("alignment")
        else:
            found.append("squeeze-excite" if layer.name in squeezed else "features")
    return found


def predicted(network: Network, mask: Mask) -> pd.DataFrame:
    """Return one record a node and kind of message, as `measured` does, from the mask's plan."""
    table = tabulate(network)
    plan = masked_plan(table, mask, CONVENTIONS["runtime"])
    of_row = np.array(kinds(table))
    columns = {"messages": plan.exchange.send_peers, "sent_bytes": FP32_BYTES * plan.exchange.sent}
    sums = {name: _per_node(values, mask.nodes) for name, values in columns.items()}
    weights = node_memory.weight_elems(table, plan)
    peak = node_memory.peak_elems(table, plan, node_memory.FUSED)  # as the nodes attend
    return pd.DataFrame(
        [
            {
                "node": node,
                "kind": kind,
                **{
                    name: round(values[node, of_row == kind].sum()) for name, values in sums.items()
                },
                "weight_bytes": round(FP32_BYTES * np.broadcast_to(weights, mask.nodes)[node]),
                "peak_bytes": round(FP32_BYTES * np.broadcast_to(peak, mask.nodes)[node]),
            }
            for node in range(mask.nodes)
            for kind in KINDS
        ]
    )


def measured(run: "SplitRun", weight_bytes: tuple[int, ...]) -> pd.DataFrame:
    """Return one record a node and kind of message: what it sent, and held at most."""
    return pd.DataFrame(
        [
            {
                "node": node,
                "kind": kind,
                "messages": len(sent),
                "sent_bytes": sum(sent),
                "weight_bytes": weight_bytes[node],
                "peak_bytes": run.peak_bytes[node],
            }
            for node in range(len(weight_bytes))
            for kind in KINDS
            for sent in [[m.nbytes for m in run.messages if m.sender == node and m.kind == kind]]
        ]
    )


def run_split(
    network: Network,
    mask: Mask,
    state: "Mapping[str, Tensor]",
    seed: int = 0,
    timeout_s: float = 60.0,
) -> tuple[pd.DataFrame, float]:
    """Run the split network once on a normal input; return a frame and how far its output is off.

    The frame has one record a node and kind of message, measured columns and `predicted_` ones;
    the other value is the largest difference to the masked network on one process, relative to
    the output's largest magnitude. `timeout_s` is SplitNetwork's.
    """
    from discosim.runtime.run import SplitNetwork
    from discosim.runtime.state import largest_difference, masked_outputs

    draws = np.random.default_rng(seed)
    x = draws.standard_normal(network.input_shape, dtype=np.float32)
    with SplitNetwork(network, mask, state, timeout_s) as split:
        run = split.run(x)
        frame = measured(run, split.weight_bytes)
    model = predicted(network, mask).drop(columns=["node", "kind"])
    wanted = masked_outputs(network, mask, state, x)
    return frame.join(model.add_prefix("predicted_")), largest_difference(run.outputs, wanted)


def _per_node(values: Floats, nodes: int) -> Floats:
    """(N, L), where all nodes are alike too."""
    return np.broadcast_to(values, (nodes, values.shape[-1]))
