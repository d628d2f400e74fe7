"""Published accuracy of a split network: data of the paper (its Tables I to V), never computed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discosim.graph.table import Floats
from discosim.published import of_section
from discosim.strategies.strategy import Strategy


@dataclass(frozen=True)
class PrintedTable:
    """A table of the paper: its section in `published`, its number, and what is measured there."""

    section: str
    number: str
    measure: str

    def __str__(self) -> str:
        """As people say it."""
        return f"the paper's Table {self.number}"


TABLES = {
    "resnet50": PrintedTable("tab1", "I", "top-1 accuracy [%]"),
    "deit-s": PrintedTable("tab2", "II", "top-1 accuracy [%]"),
    "ssd300-resnet50": PrintedTable("tab3", "III", "mAP [%]"),
    "deeplabv3plus-resnet101": PrintedTable("tab4", "IV", "mIoU [%]"),
    "esrgan": PrintedTable("tab5", "V", "PSNR [dB]"),
}
"""The table of each network that has one."""

NODES = 2
"""The paper trains for two nodes."""


def published_accuracy(model: str, strategy: Strategy, nodes: int, s_comm: Floats) -> Floats:
    """Return the accuracy at each of `s_comm`, in the task's own measure; NaN where unpublished.

    Linear between two published values of S_comm; of DISCO and its random baseline for N = 2
    only. With all sent they are the network that was trained; with nothing sent the two are one.
    """
    unknown = np.full(np.shape(s_comm), np.nan)
    if model not in TABLES:
        return unknown
    rows = [row for row in of_section(TABLES[model].section) if row.id.endswith(".s_comm")]
    [dense] = [row.accuracy_number for row in rows if row.method == "dense"]
    if strategy.exact or nodes == 1:
        return np.full(np.shape(s_comm), dense)
    [nothing] = [
        row.accuracy_number
        for row in rows
        if row.method == "random-sparse" and row.setting == "100"
    ]
    if strategy.name not in ("disco", "random-sparse", "branches"):
        return unknown
    if nodes != NODES:
        return np.where((np.asarray(s_comm) == 0) & strategy.has_knob, dense, unknown)
    if strategy.name == "branches":
        return np.full(np.shape(s_comm), nothing)
    known = {0.0: dense, 1.0: nothing}
    known |= {float(r.setting) / 100: r.accuracy_number for r in rows if r.method == strategy.name}
    at = np.array(sorted(known))
    values: Floats = np.interp(s_comm, at, [known[s] for s in at])
    return values


def printed(model: str, s_comm: Floats, exact: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where an accuracy stands in the table as it is, not between two of its values."""
    rows = of_section(TABLES[model].section)
    settings = {float(row.setting) / 100 for row in rows if row.method == "random-sparse"}
    stands: NDArray[np.bool_] = exact | np.isnan(s_comm) | np.isin(s_comm, [0.0, *settings])
    return stands
