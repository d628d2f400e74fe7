"""What a network asks of one node, in the amounts that a profile puts prices on."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from discosim.graph.network import Network
from discosim.graph.table import Floats, tabulate
from discosim.hardware import DTYPES

ARITHMETIC = (
    "conv", "conv3x3", "pointwise", "unaligned", "stem", "depthwise", "wide_depthwise", "grouped",
    "linear", "attention",
)  # fmt: skip
"""Operator classes whose MACs have a rate."""

AMOUNTS = (*ARITHMETIC, "memory", "call", "run", "spill")
"""MACs of each class, of whole tiles where 3x3 convolutions are transformed; bytes to and from
memory; calls; inferences; bytes beyond fast memory.
"""

COUNTED_AS = {
    "conv_transpose": "conv", "deform_conv": "conv", "recurrent": "linear",
    "matmul": "attention", "head_matmul": "attention", "mix_positions": "attention",
}  # fmt: skip
"""Classes too rare in tables of measurements for a rate of their own."""


class Habits(NamedTuple):
    """What a runtime does with a network.

    packs: features in vector registers, so that convolutions whose features fill none are slow;
    folds: norms and activations into the operator before; transform: how many times features of 3x3
    convolutions pass memory; near_bytes: of weights that stay on the chip, without which none is
    beyond; dispatch: what a call and a run take beside those under an operating system.
    """

    packs: bool = False
    folds: bool = True
    transform: float = 1.0
    near_bytes: float | None = None
    dispatch: float = 1.0


USUAL = Habits()


@lru_cache(maxsize=512)
def _counts(network: Network, packs: bool, folds: bool, transform: float) -> tuple[Floats, float]:
    """The amounts in elements for bytes, (A,), and the parameters."""
    table = tabulate(network)
    amounts = dict.fromkeys(AMOUNTS, 0.0)
    costs = ~(table.folded & folds)
    done = table.macs * (table.tiled if transform > 1 else 1.0)
    for classes, macs in zip(table.classes, done, strict=True):
        if macs:
            narrowest = next(each for each in classes if packs or each != "unaligned")
            amounts[COUNTED_AS.get(narrowest, narrowest)] += macs
    passes = np.where(table.transformed, transform, 1.0)
    amounts["memory"] = float(((table.in_elems + table.out_elems) * passes)[costs].sum())
    amounts["memory"] += float((table.weights + table.biases)[costs].sum())
    amounts["call"] = float(costs.sum())
    amounts["run"] = 1.0
    return np.array([amounts[each] for each in AMOUNTS]), float(network.params)


def amounts_of(network: Network, dtype: str, habits: Habits = USUAL) -> Floats:
    """Return the amounts of one inference in a data type, (A,) as `AMOUNTS` names them."""
    counts, params = _counts(network, habits.packs, habits.folds, habits.transform)
    amounts = counts.copy()
    amounts[AMOUNTS.index("memory")] *= DTYPES[dtype]
    if habits.near_bytes is not None:
        amounts[AMOUNTS.index("spill")] = max(0.0, params * DTYPES[dtype] - habits.near_bytes)
    return amounts
