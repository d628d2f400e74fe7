"""`plan`: the best split of each layer within a node's memory."""

from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike, fspath
from typing import TYPE_CHECKING, Unpack

from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.given import CountedAs
from discosim.door.hearing import command, note
from discosim.door.network import NetworkLike
from discosim.errors import DiscosimError
from discosim.explore.allocation.allocate import Method
from discosim.explore.planning.plan import Planned
from discosim.explore.planning.plan import plan as planned
from discosim.explore.planning.prices import Aim
from discosim.report import plan as report
from discosim.report.tables import Cells
from discosim.units import parse_bytes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

DEFAULT_S_COMM = (0.0, 0.8, 0.9)


@dataclass(frozen=True, eq=False, kw_only=True)
class BestPlan(Answer):
    """The split of each layer, and what it costs beside one node and every strategy."""

    found: Planned
    convention: str

    @cached_property
    def frame(self) -> "pd.DataFrame":
        """One row a layer (docs/plan.md)."""
        return report.to_frame(self.found)

    @cached_property
    def lines(self) -> list[str]:
        """The splits, what they cost, what binds, and what has to be trained."""
        return report.findings(self.found, self.convention)

    @cached_property
    def cells(self) -> Cells:
        """The plan beside the strategies."""
        return report.show(self.found)

    def plot(self) -> "Figure":
        """Return each layer's split, and the time up to each layer."""
        return report.draw_plan(self.found, self.lines[0])

    def save(self, path: "str | PathLike[str]") -> None:
        """Write the plan file that `plan=` takes; raises DiscosimError."""
        from discosim.partition.plan_file import write_plan

        write_plan(fspath(path), self.found.plan_file(fspath(path)))


@command
def plan(
    network: NetworkLike,
    hardware: given.Nodes = given.DEFAULT,
    *,
    nodes: given.Counts | None = None,
    memory: float | str | None = None,
    s_comm: given.Shares | None = None,
    exact_only: bool = False,
    objective: str = "latency",
    method: str = "fast",
    overlap: str | None = None,
    **counted: Unpack[CountedAs],
) -> BestPlan:
    """Return the split of each layer of least latency within the memory of a node.

    objective: what is least: latency, bytes (all that is sent) or energy; method: fast, or exact
    with scipy; nodes: 2 by default, alike; memory: bytes or text, that of the hardware by
    default; s_comm: of layers split by outputs, 0, 0.8 and 0.9 by default; exact_only: nothing
    that needs training.
    Raises DiscosimError where no plan that was found keeps the memory, with the least there is.
    """
    found = given.the_network(network)
    node = given.one("--hw", given.kinds_of_nodes(hardware))
    base = given.configuration(found, node, counted)
    count = given.one("--nodes", given.nodes_or_default(nodes, base, (2,)))
    if exact_only and s_comm is not None:
        raise DiscosimError("give --s-comm or --exact-only: S_comm over 0 needs training")
    levels = (
        given.shares(s_comm) if s_comm is not None else DEFAULT_S_COMM[: 1 if exact_only else 3]
    )
    limit = None if memory is None else given.quantity(memory, parse_bytes)
    if limit is None and node.memory_bytes is not None:
        limit = float(given.one("memory", [node.memory_bytes]))
        note(f"no --memory: that of {node.name} is the limit")
    given.tell_whole(base, [count])
    asked = replace(base, nodes=count, overlap=given.overlap(overlap, counted))
    aim = Aim(objective)
    if aim is Aim.ENERGY and node.energy_per_mac_J is None:
        raise DiscosimError(f"--objective energy: {node.name} states no energy of a MAC")
    best = planned(asked, s_comm=tuple(levels), memory=limit, aim=aim, method=Method(method))
    for line in best.best.plan.remarks:
        note(line)
    return BestPlan(found=best, convention=given.convention_words(base, counted))
