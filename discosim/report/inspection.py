"""What `inspect` shows: a row an operator, and what there is to say of the whole."""

from collections import Counter

import numpy as np
import pandas as pd

from discosim.graph.counts import counts, remarks
from discosim.graph.network import Network, shape_text
from discosim.graph.table import tabulate
from discosim.partition.split import split
from discosim.units import format_quantity

FEW = 6
"""Operators and blocks that are named in a line; of more, the first ones."""


def rows(network: Network, nodes: int) -> pd.DataFrame:
    """Return one row per operator, in execution order.

    lacking: the share of its input, in elements, that a node has to receive if all is sent;
    entering: whether the input is on every node.
    """
    table = tabulate(network)
    parts = split(table, nodes, whole=False)
    lacking = 1.0 - 1.0 / parts.peers
    received = parts.needed.sum(axis=(0, 1)) * parts.unit_elems / nodes
    lacking[parts.counted] = received / np.maximum(1.0, table.in_elems[parts.counted])
    frame = pd.DataFrame(
        {
            "layer": table.name,
            "op": table.op,
            "block": table.block,
            "input": [shape_text(layer.in_shape) for layer in table.rows],
            "output": [shape_text(layer.out_shape) for layer in table.rows],
            "in_elems": table.in_elems,
            "params": table.params,
            "macs": table.macs,
            "mixes": table.mixes,
            "statistics": (table.statistics > 0) & ~parts.replicated_in,
            "entering": parts.replicated_in,
            "lacking": lacking,
        }
    )
    return frame.iloc[:-1]  # without the gathering of the output


def summary(network: Network, frame: pd.DataFrame, nodes: int) -> list[str]:
    """Return the findings, a line each."""
    record = counts(network)
    sends = frame["lacking"] > 0
    weighs = frame["mixes"]
    sent = float((frame["in_elems"] * frame["lacking"]).sum())
    lines = [
        f"{record['model']} at {record['input']}: {record['layers']} convolutions and linear "
        f"layers, {_count(record['params'])} parameters, {_count(record['macs'])} MACs",
        f"Operators: {_listed(Counter(frame['op']))}",
        f"On {nodes} nodes {int((sends & weighs).sum())} of {record['layers']} of these layers "
        f"exchange; each node receives {_count(sent)} elements if all is sent.",
    ]
    others = Counter(frame["op"][sends & ~weighs])
    if others:
        lines.append(f"Features also move in: {_listed(others)}")
    statistics = int(frame["statistics"].sum())
    if statistics:
        lines.append(
            f"{statistics} norms or softmaxes share sums over features (runtime conventions)"
        )
    lines += remarks(network) or ["Everything in it was understood."]
    blocks = list(dict.fromkeys(block for block in frame["block"] if block))
    if blocks:
        named = ", ".join(blocks[:FEW]) + (", …" if len(blocks) > FEW else "")
        lines.append(f"{len(blocks)} blocks to cut at (--at): {named}")
    return lines


def show(frame: pd.DataFrame, *, every: bool) -> pd.DataFrame:
    """Return the rows for people: those with MACs or an exchange, or every one."""
    chosen = frame if every else frame[(frame["macs"] > 0) | (frame["lacking"] > 0)]
    return pd.DataFrame(
        {
            "layer": chosen["layer"],
            "operator": chosen["op"],
            "input": chosen["input"],
            "output": chosen["output"],
            "params": chosen["params"].map("{:,.0f}".format),
            "MACs [M]": (chosen["macs"] / 1e6).map("{:,.3f}".format),
            "receives": [
                "-" if share == 0 else f"{share:.3g} of input" for share in chosen["lacking"]
            ],
            "block": chosen["block"],
        }
    )


def _count(number: object) -> str:
    return format_quantity(float(str(number)), "").strip()


def _listed(kinds: "Counter[str]") -> str:
    named = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common(FEW))
    return named + (", …" if len(kinds) > FEW else "")
