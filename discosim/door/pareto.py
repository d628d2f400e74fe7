"""`pareto`: the configurations that no other one beats in everything."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Unpack

from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.given import Counting
from discosim.door.hardware import Every
from discosim.door.hearing import command, note, progress
from discosim.door.text import parse_nodes
from discosim.errors import DiscosimError, UnknownNameError
from discosim.explore.grid.engine import reduce_grid
from discosim.explore.grid.grid import Grid
from discosim.explore.grid.metrics import metric_named
from discosim.explore.grid.reduce import (
    All,
    Best,
    Histogram,
    Pareto,
    Reduction,
    State,
    check_size,
)
from discosim.files import check_writable
from discosim.hardware import Hardware, profile_names
from discosim.report import pareto as report
from discosim.report.tables import Cells
from discosim.timeline.on_cluster import check_played

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

REDUCTIONS = ("pareto", "best", "histogram", "all")
STRATEGIES = "single,disco,pipeline"
BY = "latency,memory,s_comm"
NODES = "2:8"
S_COMM = "0:1:0.05"


@dataclass(frozen=True, eq=False, kw_only=True)
class Front(Answer):
    """What is kept of a grid: the front, the best, every configuration."""

    grid: Grid
    rows: "pd.DataFrame"
    by: Sequence[str]
    reduce: str

    @property
    def _frame(self) -> "pd.DataFrame":
        """One row a configuration (docs/pareto.md)."""
        return self.rows

    @cached_property
    def lines(self) -> list[str]:
        """How many there were, what is kept, and the best in each metric."""
        return report.summary(self.grid, self.rows, self.by, self.reduce)

    @cached_property
    def cells(self) -> Cells:
        """The first of the configurations."""
        return report.show_rows(self.rows, self.by)

    def plot(self) -> "Figure":
        """Return the front over its metrics."""
        check_plot(self.reduce)
        return report.draw_front(self.rows, self.by)


@dataclass(frozen=True, eq=False, kw_only=True)
class Counts(Front):
    """How many configurations fall into each tenth of a decade of a metric."""

    state: State

    @cached_property
    def lines(self) -> list[str]:
        """How many there were, and how many have no value to show."""
        return report.histogram_summary(self.grid, self.rows, self.state, self.by[0])

    @cached_property
    def cells(self) -> Cells:
        """The bins, with a bar each."""
        return report.show_histogram(self.rows, self.by)

    def plot(self) -> "Figure":
        """Return the histogram."""
        return report.draw_histogram(self.rows, self.by, self.grid)


@command
def pareto(
    network: given.Networks,
    hardware: given.Nodes | Every | Sequence[Every] = given.DEFAULT,
    *,
    nodes: given.Counts | None = None,
    s_comm: given.Shares | None = None,
    strategies: given.Names = STRATEGIES,
    by: given.Names | None = None,
    reduce: str = "pareto",
    count: int = 10,
    overlap: given.Names | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    resume: str | None = None,
    **counting: Unpack[Counting],
) -> Front:
    """Return the configurations that no other one beats in everything.

    network, hardware: one or several, or "all"; numbers of the hardware may be axes. by: metrics,
    latency, memory and s_comm by default; reduce: pareto, best (`count` of them), histogram or
    all; jobs, scheduler: where the work is done; resume: a file that keeps what is done. Raises
    DiscosimError.
    """
    metrics = check(by, reduce, resume, scheduler, jobs)
    given.check_one_knob(s_comm, counting)
    networks = given.the_networks(network)
    kinds = _kinds(hardware)
    bases = [given.configuration(each, kinds[0], counting) for each in networks]
    counts = given.nodes_or_default(nodes, bases[0], tuple(parse_nodes(NODES)))
    for base in bases:
        given.tell_whole(base, counts)
    chosen = given.strategy_names(strategies)
    given.tell_unused(chosen, s_comm, counting)
    given.tell_planned_once(chosen)
    grid = Grid(
        bases,
        kinds,
        chosen,
        counts,
        given.shares(S_COMM if s_comm is None else s_comm),
        given.overlaps(overlap, counting),
    )
    check_played(kinds, grid.size)
    if reduce == "all":
        check_size(grid.size)
    reductions: dict[str, Callable[[], Reduction]] = {
        "pareto": lambda: Pareto(tuple(metrics)),
        "best": lambda: Best(metrics[0], count),
        "histogram": lambda: Histogram(metrics[0]),
        "all": All,
    }
    state = _reduced(grid, reductions[reduce](), jobs, scheduler, resume)
    if reduce == "histogram":
        bins = report.histogram(state, metrics[0])
        return Counts(grid=grid, rows=bins, by=metrics, reduce=reduce, state=state)
    rows = report.rows(grid, state, complete=reduce == "all")
    report.check_found(rows, metrics)
    return Front(grid=grid, rows=rows, by=metrics, reduce=reduce)


def check(
    by: given.Names | None,
    reduce: str,
    resume: str | None,
    scheduler: str | None,
    jobs: int | None,
) -> list[str]:
    """Return the metrics; raises DiscosimError, before any work, for what cannot be."""
    if reduce not in REDUCTIONS:
        raise UnknownNameError("reduction", reduce, REDUCTIONS)
    if resume is not None:
        check_writable(resume)
    if scheduler is not None and jobs is not None:
        raise DiscosimError("give --jobs or --scheduler: the cluster has workers of its own")
    metrics = given.names(by or (BY if reduce == "pareto" else "latency"))
    for name in metrics:
        metric_named(name)
    if reduce in ("best", "histogram"):
        given.one("--by", metrics)
    return metrics


def check_plot(reduce: str) -> None:
    """Raise DiscosimError for what has no picture."""
    if reduce in ("best", "all"):
        raise DiscosimError("--plot draws a front or a histogram: --reduce pareto or histogram")


def _kinds(hardware: given.Nodes | Every | Sequence[Every]) -> list[Hardware]:
    """The hardware; of every profile, one without a rate in a data type is left out, and told."""
    every = [Every({})] if hardware == given.ALL else given.listed(hardware)
    found: list[Hardware] = []
    for each in every:
        if not isinstance(each, Every):
            return given.kinds_of_nodes(hardware)  # type: ignore[arg-type]
        lacking = [name for name in profile_names() if each.lacks(name)]
        for name in lacking:
            note(f"{name} left out: it has no {each.dtype} compute rate")
        found += [each.hardware(name) for name in profile_names() if name not in lacking]
    return found


def _reduced(
    grid: Grid, reduction: Reduction, jobs: int | None, scheduler: str | None, resume: str | None
) -> State:
    """The reduction of the grid; where it is interrupted, what is done is kept."""
    for line in grid.left_out:
        note(f"left out: {line}")
    keep_as = f"discosim-{grid.fingerprint(repr(reduction))[:8]}.resume"
    kept: list[str] = []
    with progress("configurations") as shown:
        try:
            return reduce_grid(
                grid,
                reduction,
                jobs=jobs,
                scheduler=scheduler,
                resume=resume,
                keep_as=keep_as,
                progress=shown,
                kept=kept.append,
            )
        except BaseException:
            for path in kept:
                note(f"what is done is in {path}: go on with --resume {path}")
            raise
