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
from discosim.report.tables import Cells
from discosim.strategies.strategy import STRATEGIES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, kw_only=True)
class Results(Answer):
    """Rows of a sweep, and what was asked."""

    rows: Columns
    base: Configuration
    hardware: Sequence[Hardware]
    convention: str

    @property
    def data(self) -> Columns:
        """The rows, which need no frame."""
        return self.rows

    @cached_property
    def frame(self) -> "pd.DataFrame":
        """One row a combination (docs/output.md)."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    @cached_property
    def lines(self) -> list[str]:
        """What was asked, the best row, from where splitting pays, what fits."""
        from discosim.report import summary

        single = swept(self.base, hardware=self.hardware, strategies=["single"], nodes=[1])
        asked = summary.setting(self.rows, list(self.hardware), self.convention)
        found = summary.findings(self.rows, single, list(self.hardware))
        return asked + found[:1] + self._beaten() + found[1:]

    def _beaten(self) -> list[str]:
        """Whether an exact split beats the best sparse one that was asked for."""
        from discosim.report import summary

        numbers = any(arrays(each) for each in self.hardware)
        counts = sorted({int(n) for n in self.rows["nodes"] if n > 1})
        if numbers or not counts or not (~self.rows["exact"].astype(bool)).any():
            return []
        missing = [name for name in summary.SPLITS if name not in set(self.rows["strategy"])]
        if len(missing) < len(summary.SPLITS):
            return []  # they are in the table
        overlaps = list(dict.fromkeys(self.rows["overlap"]))
        exact = swept(
            self.base, hardware=self.hardware, strategies=missing, nodes=counts, overlaps=overlaps
        )
        return summary.beaten(self.rows, exact)

    @cached_property
    def cells(self) -> Cells:
        """The rows; what never differs is left out."""
        from discosim.report.sweep import show_results

        return show_results(self.rows)

    def plot(self) -> "Figure":
        """Return latency over S_comm, a panel for each number of nodes."""
        from discosim.report.sweep import draw_sweep

        return draw_sweep(self.frame)


@command
def sweep(
    network: NetworkLike,
    hardware: given.Nodes = given.DEFAULT,
    *,
    nodes: given.Counts | None = None,
    s_comm: given.Shares | None = None,
    strategies: given.Names = "disco",
    overlap: given.Names = "none",
    band: bool = False,
    **counting: Unpack[Counting],
) -> Results:
    """Return latency over S_comm and N, one row a combination, and whether one node is faster.

    nodes: 2, 4 and 8 by default, or that of the plan or mask; s_comm: 0 to 1 in tenths by
    default; overlap: none, layer:K, layer:best or ideal; band: latency at best and at worst
    beside each. Raises DiscosimError.
    """
    knob = list(DEFAULT_S_COMM) if s_comm is None else given.shares(s_comm)
    base, kinds = asked(network, hardware, s_comm, knob, counting)
    counts = given.nodes_or_default(nodes, base, DEFAULT_NODES)
    chosen, overlaps = given.names(strategies), given.names(overlap)
    rows = computed(base, kinds, chosen, counts, knob, overlaps)
    if band:
        from discosim.explore.band import band_columns

        rows = band_columns(rows, base, kinds, strategies=chosen, nodes=counts, s_comm=knob)
    tell(rows, base, s_comm, counting)
    tell_remarks(base, chosen, counts)
    return Results(
        rows=rows,
        base=base,
        hardware=kinds,
        convention=given.convention_words(base, counting),
    )


def asked(
    network: NetworkLike,
    hardware: given.Nodes,
    s_comm: given.Shares | None,
    knob: Sequence[float],
    counting: Counting,
) -> tuple[Configuration, list[Hardware]]:
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
    elif not firsts:
        note("--at has no effect: no strategy here has a cut")
    for flag in given.knobs(s_comm, counting):
        if not any(STRATEGIES[name].has_knob for name in set(rows["strategy"])):
            note(f"{flag} has no effect: no strategy here has that knob")


def tell_remarks(base: Configuration, strategies: Sequence[str], nodes: Sequence[int]) -> None:
    """Say what a user has to know of the plans of strategies that split layers in other ways."""
    told: dict[str, list[str]] = {}
    for name in strategies:
        if STRATEGIES[name].split in ("outputs", "one", "whole"):
            continue
        for count in nodes:
            asked = replace(base, strategy=STRATEGIES[name], nodes=count)
            for line in asked.plan().remarks:
                told.setdefault(f"on {count} nodes {line}", []).append(name)
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
