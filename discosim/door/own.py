"""`size --own`: which of the nodes that are there, with which shares, under which split."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Unpack

from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.given import CountedAs
from discosim.door.hardware import Overrides, hardware
from discosim.door.hearing import command
from discosim.door.network import NetworkLike
from discosim.door.text import counted_names, parse_rate
from discosim.errors import DiscosimError
from discosim.explore.own import Muster, choices, in_turn_per_s
from discosim.hardware import Hardware
from discosim.report import own as report
from discosim.report.tables import Cells
from discosim.report.titles import counted as titled
from discosim.simulate import Overlap
from discosim.units import parse_time

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, kw_only=True)
class Owned(Answer):
    """A row a part of the inventory and a way to split, the best first."""

    model: str
    found: Sequence[Muster]
    latency_s: float
    per_s: float
    counted: str
    overlap: Overlap

    @cached_property
    def _frame(self) -> "pd.DataFrame":
        """One row a choice (docs/size.md)."""
        return report.to_frame(self.model, self.found)

    @cached_property
    def lines(self) -> list[str]:
        """What does it, or comes nearest, and how it is counted."""
        said = report.sentences(self.model, self.found, self.latency_s, self.per_s)
        return [*said, f"Counted with {self.counted}."]

    @cached_property
    def cells(self) -> Cells:
        """The choices."""
        return report.show(self.found)

    def plot(self) -> "Figure":
        """Return a bar for each choice, and the latency that is to be kept."""
        how = titled(overlap=[self.overlap])
        return report.draw_own(self.model, self.found, self.latency_s, how)


def inventory(text: str, **overrides: Unpack[Overrides]) -> list[tuple[Hardware, int]]:
    """Return nodes of rpi5-gigabit,3xrpi4-gigabit with how many there are; raises DiscosimError."""
    counts: dict[str, int] = {}
    for name, count in counted_names(text):
        counts[name] = counts.get(name, 0) + count
    return [(hardware(name, **overrides), count) for name, count in counts.items()]


@command
def own(
    network: NetworkLike,
    nodes: str | Sequence[tuple[Hardware, int]],
    *,
    latency: float | str | None = None,
    throughput: float | str | None = None,
    overlap: str | None = None,
    **counted: Unpack[CountedAs],
) -> Owned:
    """Return which of the nodes that are there keep a latency, with which shares and which split.

    nodes: "rpi5-gigabit,3xrpi4-gigabit", or hardware with how many of it; throughput: as a latency,
    of one inference after another. Raises DiscosimError.
    """
    if latency is None and throughput is None:
        raise DiscosimError("nothing to keep; wanted --latency or --throughput with --own")
    limits = []
    if latency is not None:
        limits.append(given.quantity(latency, parse_time))
    if throughput is not None:
        limits.append(1 / given.quantity(throughput, parse_rate))
    there = inventory(nodes) if isinstance(nodes, str) else list(nodes)
    base = given.configuration(given.the_network(network), there[0][0], counted)
    base = replace(base, overlap=given.overlap(overlap, counted))
    return Owned(
        model=base.model,
        found=choices(base, there, min(limits)),
        latency_s=min(limits),
        per_s=in_turn_per_s(base, there),
        counted=given.how_counted(base, counted),
        overlap=base.overlap,
    )
