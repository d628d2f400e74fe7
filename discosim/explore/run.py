"""A split run beside what the model says of it: output, messages, memory."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discosim.explore.executed import the_laid
from discosim.graph.network import Network
from discosim.graph.table import Floats, LayerTable, tabulate
from discosim.masks.mask import Mask
from discosim.masks.plan import masked_plan
from discosim.partition import node_memory
from discosim.partition.lay import Laid
from discosim.partition.plan import CONVENTIONS, Plan
from discosim.partition.rounds import rounds_before
from discosim.runtime.laid_program import class_of
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
        elif layer.has_statistics:
            found.append("statistics")
        elif layer.operator.placing == "aligns":
            found.append("alignment")
        else:
            found.append("squeeze-excite" if layer.name in squeezed else "features")
    return found


def predicted(network: Network, split: Mask | Plan) -> pd.DataFrame:
    """Return one record a node and kind of message, as `measured` does, from a plan or a mask's."""
    table = tabulate(network)
    if isinstance(split, Mask):
        plan = masked_plan(table, split, CONVENTIONS["runtime"])
        sums = _by_row(plan, kinds(table))
    else:
        plan, sums = split, _by_round(the_laid(split))
    nodes = plan.nodes
    weights = node_memory.weight_elems(table, plan)
    peak = node_memory.peak_elems(table, plan, node_memory.FUSED)  # as the nodes attend
    return pd.DataFrame(
        [
            {
                "node": node,
                "kind": kind,
                "messages": round(sums[kind][0, node]) if kind in sums else 0,
                "sent_bytes": round(FP32_BYTES * sums[kind][1, node]) if kind in sums else 0,
                "weight_bytes": round(FP32_BYTES * np.broadcast_to(weights, nodes)[node]),
                "peak_bytes": round(FP32_BYTES * np.broadcast_to(peak, nodes)[node]),
            }
            for node in range(nodes)
            for kind in KINDS
        ]
    )


def _by_row(plan: Plan, of_row: list[str]) -> dict[str, Floats]:
    """Messages and elements that each node sends, (2, N), by kind; each row is of one kind."""
    counts = np.stack(
        [
            np.broadcast_to(each, (plan.nodes, len(of_row)))
            for each in (plan.exchange.send_peers, plan.exchange.sent)
        ]
    )
    return {kind: counts[..., np.array(of_row) == kind].sum(-1) for kind in set(of_row)}


def _by_round(laid: Laid) -> dict[str, Floats]:
    """The same of a network whose rounds before a layer may be of several kinds."""
    sums: dict[str, Floats] = {}
    for row in range(len(laid.parts) + 1):
        for number, together in enumerate(rounds_before(laid, row)):
            pairs = together.pairs
            counts = np.stack([(pairs > 0).sum(1), pairs.sum(1)]).astype(float)
            kind = class_of(laid, row, number)
            sums[kind] = sums.get(kind, 0.0) + counts
    return sums


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
    split: Mask | Plan,
    state: "Mapping[str, Tensor]",
    seed: int = 0,
    timeout_s: float = 60.0,
) -> tuple[pd.DataFrame, float]:
    """Run the split network once on a normal input; return a frame and how far its output is off.

    The frame has one record a node and kind of message, measured columns and `predicted_` ones;
    the other value is the largest difference to the network on one process, masked if `split` is
    a mask, with the same sums if it leaves some of theirs out, relative to the output's largest
    magnitude. `timeout_s` is SplitNetwork's.
    """
    from discosim.runtime.run import SplitNetwork
    from discosim.runtime.state import expected_outputs, largest_difference

    draws = np.random.default_rng(seed)
    x = draws.standard_normal(network.input_shape, dtype=np.float32)
    on_nodes = split if isinstance(split, Mask) else the_laid(split)
    with SplitNetwork(network, on_nodes, state, timeout_s) as running:
        run = running.run(x)
        frame = measured(run, running.weight_bytes)
    model = predicted(network, split).drop(columns=["node", "kind"])
    wanted = expected_outputs(network, on_nodes, state, x)
    return frame.join(model.add_prefix("predicted_")), largest_difference(run.outputs, wanted)
