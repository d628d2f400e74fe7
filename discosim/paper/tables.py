"""What Tables I to V have in common: a network on two nodes, and the shares that are printed.

A cut row is an array s over the layers, 1 without communication and 0 dense:
S_comm = sum(s volume) / sum(volume) with the input elements of each convolution and linear layer,
S_comp = (N-1)/N sum(s macs) / sum(macs) (Section III-B). Biases, norms, pooling and additions do
not count. A uniform row is compared by its knob, computed from its plan over the layers that
exchange. Beside both stands the average over all layers, as `compare` counts it.

What the tables do not print (latency, speed-ups, memory, break-even bandwidth) is on the nodes of
the paper's Figure 2 (`splitnets-hmd`), without overlap and with 4-byte features, the model that
gives 4.7x; one node has enough memory for the whole network.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discosim.configuration import Configuration
from discosim.explore.accuracy import TABLES, PrintedTable
from discosim.graph.table import Bools, Floats, LayerTable, tabulate
from discosim.networks import build
from discosim.paper import Section, enter
from discosim.paper.costs import break_even_Bps, case, hardware, number
from discosim.paper.row import EXACT, INTEGERS, Row, compared, frame
from discosim.partition.plan import Plan
from discosim.published import Published, of_section
from discosim.strategies.cut import rows_of
from discosim.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NODES = 2
CUTS = ("dense-then-split", "split-then-aggregate")


def reads_image(table: LayerTable) -> Bools:
    """Return which rows read the network's input."""
    rows: Bools = table.source == 0
    return rows


def mixing_inputs(table: LayerTable) -> Floats:
    """Return the input elements of each convolution and linear layer."""
    volume: Floats = table.in_elems * table.mixes
    return volume


def all_macs(table: LayerTable) -> Floats:
    """Return the MACs of each layer."""
    return table.macs


@dataclass(frozen=True)
class Cut:
    """The layers without communication: those of the blocks from `first` to `last`.

    first, last: "" for the network's own; but: blocks among them that stay dense; stem: whether
    the first layer, which reads the image, counts as split (it exchanges nothing either way).
    """

    first: str = ""
    last: str = ""
    but: tuple[str, ...] = ()
    stem: bool = False

    def rows(self, table: LayerTable) -> Bools:
        """Return which rows of the table lie in the cut."""
        index = np.arange(len(table))
        begin = rows_of(table, self.first).argmax() if self.first else 0
        end = np.flatnonzero(rows_of(table, self.last))[-1] if self.last else len(table)
        inside: Bools = (begin <= index) & (index <= end)
        for block in self.but:
            inside &= ~rows_of(table, block)
        return inside if self.stem else inside & ~reads_image(table)


@dataclass(frozen=True, eq=False)
class Table:
    """One table of the paper.

    cuts: by method and location; sparse: the rows that a cut can take; volume, macs: what the
    averages count of each row; beside: what is to be said at each row of a method; differs: why
    a number is expected not to fit, by its id.
    """

    task: str
    model: str
    cuts: Mapping[tuple[str, str], Cut]
    conventions: tuple[str, ...]
    sparse: Callable[[LayerTable], Bools] = lambda table: table.mixes
    volume: Callable[[LayerTable], Floats] = mixing_inputs
    macs: Callable[[LayerTable], Floats] = all_macs
    beside: Mapping[str, str] = field(default_factory=dict)
    differs: Mapping[str, str] = field(default_factory=dict)

    @property
    def printed(self) -> PrintedTable:
        """Where it stands in the paper, and what accuracy is there."""
        return TABLES[self.model]

    @property
    def layers(self) -> LayerTable:
        """The network's layers."""
        return tabulate(build(self.model))

    def s_comm(self, given: Published) -> Floats:
        """Return S_comm of each layer, (1, L), or one for all, (1, 1)."""
        if given.method in CUTS:
            cut = self.cuts[given.method, given.setting].rows(self.layers)
            return (cut & self.sparse(self.layers)).astype(float)[None]
        return np.full((1, 1), float(given.setting or 0) / 100)

    def configuration(self, given: Published) -> Configuration:
        """Return DISCO as in a row: its S_comm may differ from layer to layer."""
        return case(self.model, "disco", NODES, self.s_comm(given))

    def compute_rows(self) -> pd.DataFrame:
        """Return one row per published S_comm and S_comp."""
        rows: list[Row] = []
        published = of_section(self.printed.section)
        of_method = groupby(published, key=lambda given: (given.method, given.setting))
        for _, numbers in of_method:
            rows += self._rows(list(numbers))
        return frame(rows)

    def _rows(self, numbers: list[Published]) -> list[Row]:
        """Rows of what is printed in one row of the table: S_comm and S_comp."""
        plan, cut = self.configuration(numbers[0]).plan(), numbers[0].method in CUTS
        shares = self._cut_shares(numbers[0]) if cut else uniform_shares(self.layers, plan)
        averages = average_shares(self.layers, plan)
        return [
            compared(
                given,
                100 * shares[given.quantity],
                tolerance=INTEGERS if cut else EXACT,
                average=100 * averages[given.quantity],
                differs=self.differs.get(given.id, ""),
                note=self.beside.get(given.method, ""),
            )
            for given in numbers
        ]

    def _cut_shares(self, given: Published) -> dict[str, float]:
        split = self.s_comm(given)[0]
        volume, macs = self.volume(self.layers), self.macs(self.layers)
        return {
            "s_comm": float(split @ volume / volume.sum()),
            "s_comp": float(split @ macs / macs.sum()) * (NODES - 1) / NODES,
        }


@lru_cache(maxsize=16)
def _offered(table: LayerTable, nodes: int) -> Floats:
    """Elements that all nodes send before each layer if everything is sent."""
    return case(table.network.name, "dense", nodes).plan().exchange.total.reshape(-1)


def uniform_shares(table: LayerTable, plan: Plan) -> dict[str, float]:
    """Return what a plan saves, over the layers that exchange: S_comm and S_comp (Sec. III-B)."""
    offered, sent = _offered(table, plan.nodes), plan.exchange.total.reshape(-1)
    among = offered > 0
    spent = plan.nodes * (plan.local + plan.remote)[0] @ (table.macs * among)
    return {
        "s_comm": float(1 - sent[among].sum() / offered[among].sum()),
        "s_comp": float(1 - spent / table.macs[among].sum()),
    }


def average_shares(table: LayerTable, plan: Plan) -> dict[str, float]:
    """Return the averages over all layers, the dense first one included."""
    spent = plan.nodes * (plan.local + plan.remote)[0] @ table.macs
    return {
        "s_comm": float(plan.avg_s_comm.squeeze()),
        "s_comp": float(1 - spent / table.macs.sum()),
    }


@lru_cache(maxsize=8)
def _table_costs(table: Table) -> pd.DataFrame:
    bandwidth_Bps = float(hardware().bandwidth_Bps)
    single_s = number(case(table.model, "single", 1).cost().latency_s)
    dense_s = number(case(table.model, "dense", NODES).cost().latency_s)
    rows = []
    for given in of_section(table.printed.section):
        if given.quantity != "s_comm":
            continue
        cost = table.configuration(given).cost()
        latency_s, comm_s = number(cost.latency_s), number(cost.total_comm_s)
        comp_s = number(cost.total_comp_s)
        rows.append(
            {
                "where": given.where,
                "method": given.method,
                "setting": given.setting,
                "accuracy": given.accuracy_number,
                "comm_s": comm_s,
                "comp_s": comp_s,
                "latency_s": latency_s,
                "single_s": single_s,
                "speedup_vs_dense": dense_s / latency_s,
                "speedup_vs_single": single_s / latency_s,
                "weight_bytes": number(cost.weight_bytes),
                "peak_feature_bytes": number(cost.peak_feature_bytes),
                "all_feature_bytes": number(cost.all_feature_bytes),
                "node_bytes": number(cost.node_bytes),
                "break_even_Bps": break_even_Bps(comm_s, comp_s, single_s, bandwidth_Bps),
            }
        )
    return pd.DataFrame(rows)


def table_costs(table: Table) -> pd.DataFrame:
    """Return one row per row of a table of the paper, SI units.

    accuracy is the published one; node_bytes counts weights and the largest live features.
    """
    return _table_costs(table).copy()


def enter_table(table: Table) -> Section:
    """Register a table of the paper and return its section."""

    def costs() -> pd.DataFrame:
        return table_costs(table)

    def picture() -> "Figure":
        from discosim.report.reproduce import draw_accuracy

        node = hardware()
        bandwidth = format_quantity(float(node.bandwidth_Bps), "B/s")
        title = (
            f"Table {table.printed.number}: {table.model}, {table.task}\n"
            f"{NODES} nodes of {node.name}, {bandwidth} links, overlap none"
        )
        return draw_accuracy(costs(), title, table.printed.measure)

    return enter(
        Section(
            name=table.printed.section,
            title=f"Table {table.printed.number}: {table.model}, {table.task}",
            rows=table.compute_rows,
            conventions=table.conventions,
            costs=costs,
            pictures={table.printed.section: picture},
        )
    )
