"""`validate`: the split network run over a limited link, beside its predictions."""

import sys
from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath
from typing import TYPE_CHECKING

import pandas as pd

from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.hearing import command, progress
from discosim.errors import DiscosimError
from discosim.files import write_text
from discosim.graph.network import INPUT
from discosim.networks import Sizes, only_size
from discosim.report import validate as report
from discosim.report.tables import Cells
from discosim.report.titles import counted
from discosim.timeline.trace import to_chrome, trace_records
from discosim.units import format_quantity, parse_bandwidth
from discosim.validate.compare import validate as validated
from discosim.validate.levels import LEVELS, Question, Validation
from discosim.validate.splits import SINGLE, SPARSE, has_knob

if TYPE_CHECKING:
    from matplotlib.figure import Figure

S_COMM = "0,0.5,0.8,0.9,0.99,1"


@dataclass(frozen=True, eq=False, kw_only=True)
class Validated(Answer):
    """What was measured beside what is predicted, on each level of knowledge."""

    question: Question
    found: Validation

    @cached_property
    def _frame(self) -> pd.DataFrame:
        """One row a configuration and level (docs/accuracy.md)."""
        return pd.DataFrame([record.model_dump() for record in self.found.records])

    @cached_property
    def lines(self) -> list[str]:
        """How it was measured, how far each level is off, and what that is worth."""
        count = len(self._frame) // len(LEVELS)
        title = f"{self.question.model} on {self.question.nodes} nodes, {count} configurations"
        return [title, *report.validation_findings(self.found)]

    @cached_property
    def cells(self) -> Cells:
        """One row a configuration."""
        return report.show_validation(self._frame)

    def plot(self) -> "Figure":
        """Return measured against predicted, and the layers' errors."""
        machine = self.found.about.machine
        asked = self.question
        links = format_quantity(asked.bandwidth_Bps, "B/s")
        how = counted(s_comm=self._frame["s_comm"], overlap=self._frame["overlap"])
        title = f"{asked.model} on {asked.nodes} nodes, {machine}\n{links} links, {how}"
        rows = pd.DataFrame([row.model_dump() for row in self.found.rows])
        return report.draw_validation(self._frame, rows, title)

    def save(self, path: "str | PathLike[str]") -> None:
        """Write command, machine, records and layers to a .json file; raises DiscosimError.

        To a .csv file, the conclusive times alone, as `evidence` reads them; raises DiscosimError
        where there is none.
        """
        if fspath(path).lower().endswith(".csv"):
            if not any(record.conclusive for record in self.found.records):
                raise DiscosimError(
                    f"no configuration is conclusive, so {fspath(path)} is not written: close what "
                    "keeps the machine busy; a .json file takes all that was measured"
                )
            write_text(fspath(path), report.to_table(self.found, self.question.input_shape))
            return
        said = " ".join(["discosim", *sys.argv[1:]])
        write_text(fspath(path), report.to_document(self.found, said))

    def save_trace(self, path: "str | PathLike[str]") -> None:
        """Write a Chrome trace: every configuration as measured, and below it as predicted."""
        names = ["this machine"] * self.question.nodes
        records = []
        for number, key in enumerate(self.found.measured):
            strategy, s_comm, overlap = key
            what = strategy
            if has_knob(strategy):
                what = f"{strategy} " * (strategy != SPARSE) + f"S_comm {s_comm:g}"
            for half, (word, events) in enumerate(
                (("measured", self.found.measured[key]), ("predicted", self.found.predicted[key]))
            ):
                label = f"{word}, {what}, overlap {overlap}"
                records += trace_records(events, names, label, 1000 * (2 * number + half))
        about = {"run": self.question.model, "machine": self.found.about.machine}
        write_text(fspath(path), to_chrome(records, about))


@command
def validate(
    network: str,
    *,
    input: Sizes | None = None,  # noqa: A002
    nodes: given.Counts = 2,
    bandwidth: float | str = "37.5MB/s",
    strategies: given.Names = "disco",
    plan: str | None = None,
    s_comm: given.Shares = S_COMM,
    overlap: given.Names = "none,layer",
    runs: int = 15,
) -> Validated:
    """Run the split network on this machine over a limited link, and compare with predictions.

    network: a name, since its processes build it anew; bandwidth: of each link; s_comm: of disco
    and partial-sync; plan: a file that says how each layer is split. All but disco are measured
    beside one node. Raises DiscosimError.
    """
    question = Question(
        model=network,
        input_shape=only_size(input, INPUT, network),
        nodes=given.one("--nodes", given.counts(nodes)),
        bandwidth_Bps=given.quantity(bandwidth, parse_bandwidth),
        s_comm=tuple(given.shares(s_comm)),
        overlaps=tuple(given.names(overlap)),
        count=runs,
        strategies=_with_one_node([*given.names(strategies), *([plan] if plan else [])]),
    )
    with progress("validate") as shown:
        found = validated(question, shown)
    return Validated(question=question, found=found)


def _with_one_node(strategies: list[str]) -> tuple[str, ...]:
    """The strategies, and one node beside those that change nothing of the network."""
    others = [name for name in strategies if name not in (SPARSE, SINGLE)]
    beside = [SINGLE] if others and SINGLE not in strategies else []
    return (*strategies, *beside)
