"""`compare`: all strategies side by side."""

from typing import TYPE_CHECKING, Unpack

from discosim.door import given
from discosim.door.given import Counting
from discosim.door.hearing import command
from discosim.door.network import NetworkLike
from discosim.door.sweep import Results, asked, computed, possible, tell, tell_remarks
from discosim.strategies.strategy import STRATEGIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ORDER = [
    "single",
    "dense",
    "disco",
    "random-sparse",
    "dense-then-split",
    "split-then-aggregate",
    "branches",
    "pipeline",
    "rows",
    "fused-rows",
    "tokens-kv",
    "paired",
    "partial-sync",
]
"""As the paper's tables list them, then other ways to split; later files' come last."""


class Comparison(Results):
    """A row a strategy, and what was asked."""

    def plot(self) -> "Figure":
        """Return a bar a row: communication and computation."""
        from discosim.report.compare import draw_compare

        return draw_compare(self._frame)


@command
def compare(
    network: NetworkLike,
    hardware: given.Nodes = given.DEFAULT,
    *,
    nodes: given.Counts | None = None,
    s_comm: given.Shares | None = None,
    strategies: given.Names | None = None,
    overlap: given.Names | None = None,
    **counting: Unpack[Counting],
) -> Comparison:
    """Return all strategies side by side on the same nodes, 2 at S_comm 0.8 by default.

    Without `strategies`, or with "all", those that cannot have so many nodes are left out, and
    told. Raises DiscosimError.
    """
    knob = given.shares_or_default(s_comm)
    base, kinds = asked(network, hardware, s_comm, knob, counting)
    counts = given.nodes_or_default(nodes, base, (2,))
    if strategies is None or given.names(strategies) == [given.ALL]:
        every = [*ORDER, *(name for name in STRATEGIES if name not in ORDER)]
        names = possible(base, every, counts)
        if base.plan_file is None and base.mask is None and max(counts) > 1:
            names.append("best")
    else:
        names = given.strategy_names(strategies)
    overlaps = given.overlaps(overlap, counting)
    rows = computed(base, kinds, names, counts, knob, overlaps)
    tell(rows, base, s_comm, counting)
    tell_remarks(base, names, counts)
    counted = given.how_counted(base, counting, overlaps)
    return Comparison(rows=rows, base=base, hardware=kinds, counted=counted)
