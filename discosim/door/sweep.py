"""`sweep`: latency over S_comm and N, and whether one node is faster."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Unpack

import numpy as np

from discosim.configuration import HALF, Configuration
from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.given import Counting
from discosim.door.hearing import command, note, progress
from discosim.door.network import NetworkLike
from discosim.errors import DiscosimError
from discosim.explore.axes import arrays
from discosim.explore.sweep import DEFAULT_NODES, DEFAULT_S_COMM, Columns
from discosim.explore.sweep import sweep_columns as swept
from discosim.hardware import Hardware
from discosim.report import summary
from discosim.report.judged import best_row, where
from discosim.report.tables import Cells
from discosim.strategies.strategy import STRATEGIES
from discosim.timeline.joined import Joined
from discosim.timeline.on_cluster import OnCluster

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, kw_only=True)
class Results(Answer):
    """Rows of a sweep, and what was asked."""

    rows: Columns
    base: OnCluster
    hardware: Sequence[Hardware]
    counted: str

    @property
    def data(self) -> Columns:
        """The rows, which need no frame."""
        return self.rows

    @cached_property
    def _frame(self) -> "pd.DataFrame":
        """One row a combination (docs/output.md)."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    @cached_property
    def lines(self) -> list[str]:
        """What was asked, what fits, the best row, what beats it, from where splitting pays."""
        return [
            *summary.setting(self.rows, list(self.hardware)),
            *summary.findings(
                self.rows,
                self._single,
                list(self.hardware),
                self._exact(),
                self._on_the_wire(),
                self._fastest(),
            ),
            f"Counted with {self.counted}.",
        ]

    @cached_property
    def _single(self) -> Columns:
        """One node of each kind alone."""
        return swept(self.base, hardware=self.hardware, strategies=["single"], nodes=[1])

    def _fastest(self) -> dict[str, str]:
        """The node that one node of each cluster is."""
        clusters = [each for each in self.hardware if isinstance(each, Joined)]
        return {each.name: replace(self.base, hardware=each).alone().name for each in clusters}

    def _exact(self) -> Columns | None:
        """Exact splits on as many nodes, where none was asked for and something prunes."""
        numbers = any(arrays(each) for each in self.hardware)
        counts = sorted({int(n) for n in self.rows["nodes"] if n > 1})
        if numbers or not counts or not (~self.rows["exact"].astype(bool)).any():
            return None
        if set(summary.SPLITS) & set(self.rows["strategy"]):
            return None  # they are in the table
        return swept(
            self.base,
            hardware=self.hardware,
            strategies=summary.SPLITS,
            nodes=counts,
            overlaps=list(dict.fromkeys(self.rows["overlap"])),
        )

    def _on_the_wire(self) -> dict[str, float]:
        """Seconds that the best row on each real device takes as a program does it."""
        found = {}
        for each in self.hardware:
            if each.name in given.OF_THE_PAPER or arrays(each):
                continue
            mine = where(self.rows, self.rows["hardware"] == each.name)
            place = best_row(mine)
            if place is None or mine["nodes"][place] == 1:
                continue
            row = {name: mine[name][place] for name in ("strategy", "nodes", "s_comm", "at")}
            found[each.name] = given.on_the_wire_s(self.base, each, row)
        return found

    @cached_property
    def cells(self) -> Cells:
        """The rows; what never differs is left out."""
        from discosim.report.sweep import show_results

        alone = dict(zip(self._single["hardware"], self._single["fits"], strict=True))
        return show_results(self.rows, alone)

    def plot(self) -> "Figure":
        """Return latency over S_comm, a panel for each number of nodes."""
        from discosim.report.sweep_plot import draw_sweep

        return draw_sweep(self._frame)


@command
def sweep(
    network: NetworkLike,
    hardware: given.Nodes = given.DEFAULT,
    *,
    nodes: given.Counts | None = None,
    s_comm: given.Shares | None = None,
    strategies: given.Names = "disco",
    overlap: given.Names | None = None,
    band: bool = False,
    **counting: Unpack[Counting],
) -> Results:
    """Return latency over S_comm and N, one row a combination, and whether one node is faster.

    nodes: 2, 4 and 8 by default, or that of the plan or mask; s_comm: by default tenths from 0
    to 1, 0.95 and 0.99; overlap: none, layer:K, layer:best or ideal; band: latency at best
    and at worst beside each. Raises DiscosimError.
    """
    knob = list(DEFAULT_S_COMM) if s_comm is None else given.shares(s_comm)
    base, kinds = asked(network, hardware, s_comm, knob, counting)
    counts = given.nodes_or_default(nodes, base, DEFAULT_NODES)
    chosen, overlaps = given.strategy_names(strategies), given.overlaps(overlap, counting)
    rows = computed(base, kinds, chosen, counts, knob, overlaps)
    if band or counting.get("as_built"):
        from discosim.explore.band import band_columns

        rows = band_columns(rows, base, kinds, strategies=chosen, nodes=counts, s_comm=knob)
    tell(rows, base, s_comm, counting)
    tell_remarks(base, chosen, counts)
    return Results(
        rows=rows,
        base=base,
        hardware=kinds,
        counted=given.how_counted(base, counting, overlaps),
    )


def asked(
    network: NetworkLike,
    hardware: given.Nodes,
    s_comm: given.Shares | None,
    knob: Sequence[float],
    counting: Counting,
) -> tuple[OnCluster, list[Hardware]]:
    """Return the network on the first hardware, and all of the hardware."""
    given.check_one_knob(s_comm, counting)
    found = given.the_network(network)
    kinds = given.kinds_of_nodes(hardware)
    target = knob[0] if len(knob) == 1 else HALF
    return given.configuration(found, kinds[0], counting, target=target), kinds


def computed(
    base: Configuration,
    hardware: Sequence[Hardware],
    strategies: Sequence[str],
    nodes: Sequence[int],
    s_comm: Sequence[float],
    overlaps: Sequence[str],
) -> Columns:
    """Return the rows, and show how far they are."""
    with progress("sweep") as shown:
        return swept(
            base,
            hardware=hardware,
            strategies=strategies,
            nodes=nodes,
            s_comm=s_comm,
            overlaps=overlaps,
            progress=shown,
        )


def tell(rows: Columns, base: Configuration, s_comm: object, counting: Counting) -> None:
    """Say what was chosen for the user, and what had no effect."""
    split = [not STRATEGIES[name].staged for name in rows["strategy"]]
    given.tell_whole(base, dict.fromkeys(rows["nodes"][split].tolist()))
    firsts: dict[tuple[str, int], int] = {}
    for row in np.flatnonzero(rows["at"] != "").tolist():
        firsts.setdefault((rows["strategy"][row], rows["nodes"][row]), row)
    if not base.at:
        for (name, nodes), row in firsts.items():
            note(
                f"no --at: {name} on {nodes} nodes cuts at {rows['at'][row]}, "
                f"average S_comm {rows['avg_s_comm'][row]:.3g}"
            )
    given.tell_unused(dict.fromkeys(rows["strategy"].tolist()), s_comm, counting)


def tell_remarks(base: Configuration, strategies: Sequence[str], nodes: Sequence[int]) -> None:
    """Say what a user has to know of the plans of strategies that split layers in other ways."""
    told: dict[str, list[str]] = {}
    for name in strategies:
        if not STRATEGIES[name].other_ways:
            continue
        for count in nodes:
            asked = replace(base, strategy=STRATEGIES[name], nodes=count)
            for line in asked.plan().remarks:
                told.setdefault(f"on {count} nodes: {line}", []).append(name)
    for line, names in told.items():
        note(f"{', '.join(names)} {line}")


def possible(base: Configuration, names: Sequence[str], nodes: Sequence[int]) -> list[str]:
    """Return the strategies that can have so many nodes; notes tell why others cannot."""
    if base.plan_file is not None:
        for count in nodes:  # a plan that cannot be followed is refused, not left out
            base.plan_file.layer_s_comm(base.table, count)
    if base.mask is not None:
        swept(base, strategies=["disco"], nodes=nodes)
    reasons: dict[str, DiscosimError] = {}
    for name in names:
        try:
            swept(base, strategies=[name], nodes=nodes, s_comm=[0.0])
        except DiscosimError as refusal:
            reasons[name] = refusal
    split = [name for name in names if STRATEGIES[name].nodes is None]
    if all(name in reasons for name in split):
        raise next(iter(reasons.values()))
    for name, reason in reasons.items():
        note(f"{name} left out: {reason}")
    return [name for name in names if name not in reasons]
