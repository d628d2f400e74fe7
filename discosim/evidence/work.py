"""What a network asks of one node, in the amounts that a profile puts prices on."""

from functools import lru_cache

import numpy as np

from discosim.graph.network import Network
from discosim.graph.table import Floats, tabulate
from discosim.hardware import DTYPES

ARITHMETIC = ("conv", "conv3x3", "pointwise", "depthwise", "grouped", "linear", "attention")
"""Operator classes whose MACs have a rate."""

AMOUNTS = (*ARITHMETIC, "memory", "call", "run", "spill")
"""MACs of each class; bytes to and from memory; calls; inferences; bytes beyond fast memory."""

COUNTED_AS = {
    "conv_transpose": "conv", "deform_conv": "conv", "recurrent": "linear",
    "matmul": "attention", "head_matmul": "attention", "mix_positions": "attention",
}  # fmt: skip
"""Classes too rare in tables of measurements for a rate of their own."""


@lru_cache(maxsize=512)
def _counts(network: Network) -> tuple[Floats, float]:
    """The amounts in elements for bytes, (A,), and the parameters."""
    table = tabulate(network)
    amounts = dict.fromkeys(AMOUNTS, 0.0)
    costs = ~table.folded
    for classes, macs in zip(table.classes, table.macs, strict=True):
        if macs:
            amounts[COUNTED_AS.get(classes[0], classes[0])] += macs
    amounts["memory"] = float((table.in_elems + table.out_elems)[costs].sum())
    amounts["memory"] += float((table.weights + table.biases)[costs].sum())
    amounts["call"] = float(costs.sum())
    amounts["run"] = 1.0
    return np.array([amounts[each] for each in AMOUNTS]), float(network.params)


def amounts_of(network: Network, dtype: str, fast_bytes: float | None = None) -> Floats:
    """Return the amounts of one inference in a data type, (A,) as `AMOUNTS` names them.

    fast_bytes: of weights that are kept near; without it, none is beyond.
    """
    counts, params = _counts(network)
    amounts = counts.copy()
    amounts[AMOUNTS.index("memory")] *= DTYPES[dtype]
    if fast_bytes is not None:
        amounts[AMOUNTS.index("spill")] = max(0.0, params * DTYPES[dtype] - fast_bytes)
    return amounts
