"""`discosim run` for people: what was measured beside what was predicted."""

import pandas as pd

from discosim.graph.network import Network, shape_text
from discosim.report.tables import Cells
from discosim.units import format_quantity

TOLERANCE = 1e-5
"""Of float32 outputs, relative to the largest: sums in another order differ by less."""

COUNTED = ("messages", "sent_bytes", "weight_bytes")
"""What has to be as predicted, exactly."""


def differences(frame: pd.DataFrame, off: float) -> list[str]:
    """Return what is not as it should be: the output, and what is counted of each node."""
    wrong = [] if off < TOLERANCE else [f"the output by {off:.2g} of its largest value"]
    for name in COUNTED:
        unlike = frame[frame[name] != frame[f"predicted_{name}"]]
        wrong += [
            f"{name} of node {row.node}, {row.kind}: {getattr(row, name)}, "
            f"predicted {getattr(row, f'predicted_{name}')}"
            for row in unlike.itertuples()
        ]
    return wrong


def run_findings(
    network: Network, how: str, wanted: str, frame: pd.DataFrame, off: float
) -> list[str]:
    """Return what ran, how near its output came, and what went over the wire in all.

    how: it was split; wanted: the network on one process that its output is compared with.
    """
    sums = frame[["messages", "sent_bytes"]].sum()
    model = frame[["predicted_messages", "predicted_sent_bytes"]].sum()
    same = list(sums) == list(model)
    other = f"predicted {model.iloc[0]} and {_bytes(model.iloc[1])}"
    count = frame["node"].nunique()
    nodes = f"{count} node{'s' * (count > 1)}"
    most = frame.iloc[int((frame["weight_bytes"] + frame["peak_bytes"]).argmax())]
    weights, features = (
        f"{_bytes(most[name])} (predicted {_bytes(most[f'predicted_{name}'])})"
        for name in ("weight_bytes", "peak_bytes")
    )
    return [
        f"{network.name} at {shape_text(network.input_shape)} on {nodes}, one process each: {how}",
        f"Output: within {off:.2g} of its largest value of the {wanted} network on one process.",
        f"Wire: {sums.iloc[0]:,} messages, {_bytes(sums.iloc[1])} ({sums.iloc[1]:,} bytes): "
        f"{'as predicted, on each node and in each class' if same else other}.",
        f"Memory of node {most['node']}, which needs most: weights {weights}, features at most "
        f"{features}.",
    ]


def show_run(frame: pd.DataFrame) -> Cells:
    """Return the classes of messages that there were, node by node."""
    there = frame[(frame["messages"] > 0) | (frame["predicted_messages"] > 0)]
    return {
        "node": [str(node) for node in there["node"]],
        "kind": list(there["kind"]),
        "messages": [f"{count:,}" for count in there["messages"]],
        "predicted": [f"{count:,}" for count in there["predicted_messages"]],
        "sent [B]": [f"{count:,}" for count in there["sent_bytes"]],
        "predicted [B]": [f"{count:,}" for count in there["predicted_sent_bytes"]],
    }


def _bytes(count: float) -> str:
    return format_quantity(float(count), "B")
