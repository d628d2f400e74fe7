"""`mask`: which features each node needs, chosen from the weights."""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from os import PathLike, fspath
from typing import TYPE_CHECKING

from discosim.configuration import Configuration
from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.hardware import hardware as as_hardware
from discosim.door.hearing import command, note, progress
from discosim.door.network import NetworkLike
from discosim.errors import DiscosimError
from discosim.explore.allocation.masks import mask_rows
from discosim.explore.sweep import sweep
from discosim.graph.network import Network
from discosim.graph.table import tabulate
from discosim.masks.mask import Mask
from discosim.masks.mask_file import write_mask
from discosim.masks.measure import figures, retained_share
from discosim.masks.saliency import saliency_curves
from discosim.masks.select import check_choice, check_heads, select
from discosim.masks.weights import Weights, random_weights
from discosim.partition.plan_file import PlanFile
from discosim.report import mask as report
from discosim.report.tables import Cells
from discosim.strategies.strategy import check_nodes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, kw_only=True)
class Masked(Answer):
    """A mask, and what it keeps of each layer."""

    network: Network
    mask: Mask
    weights: Weights
    in_blocks: Mask | None
    layer: str | None

    @cached_property
    def frame(self) -> "pd.DataFrame":
        """One row a layer (docs/masks.md)."""
        return mask_rows(figures(self.network, self.mask, self.weights))

    @cached_property
    def lines(self) -> list[str]:
        """What was chosen from what, and what it keeps and saves in all."""
        base = Configuration(self.network, as_hardware(given.DEFAULT), mask=self.mask)
        cost = sweep(base, nodes=[self.mask.nodes]).iloc[0]
        lines = report.mask_findings(self.mask, cost, self._retained(self.mask))
        if self.in_blocks is not None:
            lines.append(report.search_finding(self._retained(self.in_blocks)))
        return lines

    def _retained(self, mask: Mask) -> float:
        return retained_share(figures(self.network, mask, self.weights))

    @cached_property
    def cells(self) -> Cells:
        """The least and the most that an ordered pair of nodes keeps, layer by layer."""
        return report.show_masks(self.frame)

    def plot(self) -> "Figure":
        """Return the mask matrix of a layer."""
        return report.draw_mask(self.network, self.mask, self.layer)

    def save(self, path: "str | PathLike[str]") -> None:
        """Write the mask to an .npz file, which `mask=` takes; raises DiscosimError."""
        owners = self.mask.owners
        lost = saliency_curves(self.network, self.mask.nodes, self.weights, owners=owners)
        write_mask(fspath(path), replace(self.mask, lost=lost))


@command
def mask(
    network: NetworkLike,
    *,
    nodes: given.Counts | None = None,
    s_comm: given.Shares | None = None,
    plan: "str | PathLike[str] | PlanFile | None" = None,
    weights: "str | PathLike[str] | None" = None,
    seed: int = 0,
    criterion: str = "l1",
    per: str = "layer",
    search: bool = False,
    layer: str | None = None,
) -> Masked:
    """Return which features each node needs: the sub-rows of the weights with the largest norms.

    nodes: 2 and s_comm: 0.8 by default, or those of the plan; weights: a checkpoint, random ones
    of `seed` without; criterion: l1, l2, random or branches; per: who competes, layer, pair or
    network; search: choose which features live together; layer: the one that is drawn, by default
    the nearest to 256 x 256. Raises DiscosimError.
    """
    check_choice(criterion, per)
    found = given.the_network(network)
    share, count = _knob(found, nodes, s_comm, given.the_plan(plan))
    check_heads(found, count)
    read, source, noted = _weights(found, weights, seed)
    choose = partial(
        select, found, count, share, read, source=source, criterion=criterion, per=per, seed=seed
    )
    chosen = in_blocks = choose()
    if search:
        from discosim.masks.search import search_placement

        with progress("placement search") as shown:
            chosen = choose(owners=search_placement(found, count, share, read, shown))
    if layer is not None:
        report.drawn_layer(chosen, layer)
    if noted:
        note(noted)
    return Masked(
        network=found,
        mask=chosen,
        weights=read,
        in_blocks=in_blocks if search else None,
        layer=layer,
    )


def _knob(
    network: Network,
    nodes: given.Counts | None,
    s_comm: given.Shares | None,
    plan: PlanFile | None,
) -> tuple[float | dict[str, float], int]:
    """S_comm, of all layers or of each, and the number of nodes."""
    table = tabulate(network)
    default = 2 if plan is None else plan.nodes
    count = given.one("--nodes", given.counts(default if nodes is None else nodes))
    check_nodes(table, count)
    if plan is None:
        return given.one("--s-comm", given.shares(0.8 if s_comm is None else s_comm)), count
    if s_comm is not None:
        raise DiscosimError("give one of --s-comm and --plan: each says what is sent")
    if plan.splits:
        raise DiscosimError(
            f"plan {plan.path} splits layers in different ways; a mask is of a network split by "
            "outputs, wanted a plan file of version 1"
        )
    plan.check(table)
    plan.layer_s_comm(table, count)
    return dict(plan.s_comm), count


def _weights(
    network: Network, weights: "str | PathLike[str] | None", seed: int
) -> tuple[Weights, str, str]:
    """The weights of the checkpoint, or random ones, which they are, and what is to be noted."""
    if weights is None:
        source = f"He-normal weights, seed {seed}"
        return random_weights(network, seed), source, f"no --weights: {source}"
    from discosim.runtime.checkpoint import read_weights

    source = f"weights of {fspath(weights)}"
    read, renamed = read_weights(fspath(weights), network)
    return read, source, f"{source} have other names: taken by order and shape" * renamed
