"""`layers`: where the time goes, layer by layer."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Unpack

from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.given import Counting
from discosim.door.hearing import command, note
from discosim.door.network import NetworkLike
from discosim.explore.layers import layers as each_layer
from discosim.registry import one_of
from discosim.report import layers as report
from discosim.report.summary import node_text
from discosim.report.tables import Cells
from discosim.report.titles import counted as titled
from discosim.strategies.strategy import STRATEGIES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


SORTED = {
    "layer": "layer_s",
    "comm": "comm_s",
    "comp": "comp_s",
    "bytes": "bytes",
    "macs": "macs",
    "params": "params",
}
"""Columns by which rows may be sorted."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Layers(Answer):
    """A row a layer."""

    rows: "pd.DataFrame"
    title: str
    how: str
    counted: str
    key: str | None = None
    top: int | None = None

    @cached_property
    def _frame(self) -> "pd.DataFrame":
        """One row a layer (docs/output.md), sorted and as many as asked for."""
        rows = self.rows
        if self.key is not None:
            rows = rows.sort_values(self.key, ascending=False, kind="stable")
        return rows if self.top is None else rows.head(self.top)

    @cached_property
    def lines(self) -> list[str]:
        """The total, how it divides, the layers that take most, and how it is counted."""
        few = [f"{len(self._frame)} of {len(self.rows)} layers are shown."]
        return [
            self.title,
            *report.layer_findings(self.rows),
            *(few if len(self._frame) < len(self.rows) else []),
            f"Counted with {self.counted}.",
        ]

    @cached_property
    def cells(self) -> Cells:
        """The layers, each with its share of the time."""
        return report.show_layers(self._frame, float(self.rows["layer_s"].sum()))

    def plot(self) -> "Figure":
        """Return communication and computation of each layer."""
        return report.draw_layers(self.rows, f"{self.title}\n{self.how}")


@command
def layers(
    network: NetworkLike,
    hardware: given.Nodes = given.DEFAULT,
    *,
    nodes: given.Counts | None = None,
    s_comm: given.Shares | None = None,
    strategy: str | None = None,
    overlap: str | None = None,
    every_operator: bool = False,
    sort: str | None = None,
    top: int | None = None,
    **counting: Unpack[Counting],
) -> Layers:
    """Return where the time goes, layer by layer: communication and computation.

    nodes: 2 by default; strategy: dense by default, disco with s_comm, a plan or a mask;
    every_operator: a row for each norm, addition, … too; sort: the largest layer, comm, comp,
    bytes, macs or params first; top: so many rows. Raises DiscosimError.
    """
    given.check_one_knob(s_comm, counting)
    found = given.the_network(network)
    base = given.configuration(found, given.one("--hw", given.kinds_of_nodes(hardware)), counting)
    count = given.one("--nodes", given.nodes_or_default(nodes, base, (2,)))
    sparse = bool(given.knobs(s_comm, counting))
    chosen = STRATEGIES[strategy or ("disco" if sparse else "dense")]
    knob = given.one("--s-comm", given.shares_or_default(s_comm))
    asked = replace(
        base, strategy=chosen, nodes=count, s_comm=knob, overlap=given.overlap(overlap, counting)
    ).resolved()
    if not chosen.staged:
        given.tell_whole(base, [asked.nodes])
    if asked.at and not base.at:
        note(f"no --at: {chosen.name} cuts at {asked.at}")
    given.tell_unused([chosen.name], s_comm, counting)
    key = None if sort is None else SORTED[one_of("column", sort, SORTED)]
    return Layers(
        rows=each_layer(asked, every_operator=every_operator),
        key=key,
        top=top,
        how=titled(s_comm=[] if asked.fixed else [knob], overlap=[asked.overlap]),
        title=f"{asked.model}, {chosen.name} on {count} nodes, {node_text(asked.hardware)}",
        counted=given.how_counted(asked, counting),
    )
