"""Published accuracy of a split network: data of the paper (its Tables I to V), never computed."""

import numpy as np

from discosim.graph.table import Floats
from discosim.published import of_section
from discosim.strategies.strategy import Strategy

TABLES = {
    "resnet50": "tab1",
    "deit-s": "tab2",
    "ssd300-resnet50": "tab3",
    "deeplabv3plus-resnet101": "tab4",
    "esrgan": "tab5",
}
"""The table of each network that has one."""

NODES = 2
"""The paper trains for two nodes."""


def published_accuracy(model: str, strategy: Strategy, nodes: int, s_comm: Floats) -> Floats:
    """Return the accuracy at each of `s_comm`, in the task's own measure; NaN where unpublished.

    Linear between two published values of S_comm; of DISCO and its random baseline for N = 2
    only. With nothing sent the two are one network.
    """
    unknown = np.full(np.shape(s_comm), np.nan)
    if model not in TABLES:
        return unknown
    rows = [row for row in of_section(TABLES[model]) if row.id.endswith(".s_comm")]
    [dense] = [row.accuracy_number for row in rows if row.method == "dense"]
    if strategy.exact or nodes == 1:
        return np.full(np.shape(s_comm), dense)
    [nothing] = [
        row.accuracy_number
        for row in rows
        if row.method == "random-sparse" and row.setting == "100"
    ]
    if nodes != NODES or strategy.name not in ("disco", "random-sparse", "branches"):
        return unknown
    if strategy.name == "branches":
        return np.full(np.shape(s_comm), nothing)
    known = {0.0: dense, 1.0: nothing}
    known |= {float(r.setting) / 100: r.accuracy_number for r in rows if r.method == strategy.name}
    at = np.array(sorted(known))
    values: Floats = np.interp(s_comm, at, [known[s] for s in at])
    return values
