"""`inspect`: what a network is made of, what exchanges, and what was not understood."""

from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath
from typing import TYPE_CHECKING

import pandas as pd

from discosim.configuration import Configuration
from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.hearing import command, note
from discosim.door.network import NetworkLike
from discosim.graph.counts import counts
from discosim.graph.network import Network
from discosim.hardware import load_profile
from discosim.partition.plan import Plan
from discosim.report import inspect as report
from discosim.report.tables import Cells
from discosim.strategies.strategy import STRATEGIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDED = (
    "Consecutive blocks that are alike are shown once, with how many there are (--unfold: all)."
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Inspection(Answer):
    """What a network counts; `operators` has a row an operator, in execution order."""

    network: Network
    nodes: int
    every: bool
    unfold: bool = False
    strategy: str | None = None

    @cached_property
    def _frame(self) -> pd.DataFrame:
        """One row: what the network counts (docs/importing.md)."""
        return pd.DataFrame([counts(self.network)])

    @cached_property
    def plan(self) -> Plan | None:
        """How the strategy that was asked for lays the network out; None where none was."""
        if self.strategy is None:
            return None
        node = load_profile(given.DEFAULT).hardware()
        chosen = STRATEGIES[self.strategy]
        return Configuration(self.network, node, strategy=chosen, nodes=self.nodes).plan()

    @property
    def _how(self) -> str:
        return "" if self.strategy is None else f", split by {self.strategy},"

    @cached_property
    def operators(self) -> pd.DataFrame:
        """One row an operator, in execution order."""
        return report.rows(self.network, self.nodes, self.plan)

    @cached_property
    def lines(self) -> list[str]:
        """The findings."""
        said = report.summary(self.network, self.operators, self.nodes, self._how)
        return said if len(self._shown) == len(self.operators) else [*said, FOLDED]

    @cached_property
    def _shown(self) -> pd.DataFrame:
        """The operators, those of blocks that are alike once."""
        return self.operators if self.unfold else report.folded(self.operators)

    @cached_property
    def cells(self) -> Cells:
        """The operators with MACs or an exchange, or every one."""
        return report.show(self._shown, every=self.every)

    def plot(self) -> "Figure":
        """Return the graph of a small network."""
        how = self._how.rstrip(",")
        return report.draw_graph(self.network, self.nodes, self.plan, how, unfold=self.unfold)

    def save(self, path: "str | PathLike[str]") -> None:
        """Write the network to a .json or .csv file; a note tells what that leaves out."""
        from discosim.files import write_text
        from discosim.importers.save import check_format, saved

        check_format(fspath(path))
        text, missing = saved(self.network, fspath(path))
        write_text(fspath(path), text)
        if missing:
            note(missing)


@command
def inspect(
    network: NetworkLike,
    *,
    nodes: given.Counts = 2,
    strategy: str | None = None,
    every_operator: bool = False,
    unfold: bool = False,
) -> Inspection:
    """Return what a network is made of and what exchanges if it is split over `nodes` nodes.

    strategy: how it is split, as `compare` has them, by outputs by default; every_operator: a row
    for each norm, addition, … too; unfold: each of consecutive blocks that are alike, not the first
    alone. Raises DiscosimError.
    """
    count = given.one("--nodes", given.counts(nodes))
    if strategy is not None:
        count = STRATEGIES[strategy].nodes or count
    asked = Inspection(
        network=given.the_network(network, costed=False),
        nodes=count,
        every=every_operator,
        unfold=unfold,
        strategy=strategy,
    )
    for line in () if asked.plan is None else asked.plan.remarks:
        note(line)
    return asked
