"""`run`: the split network, one process a node, beside the model."""

from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.hearing import command, note
from discosim.door.network import NetworkLike
from discosim.errors import DiscosimError, require
from discosim.graph.network import Network
from discosim.graph.table import tabulate
from discosim.masks.mask import Mask
from discosim.report.tables import Cells
from discosim.strategies.strategy import check_nodes
from discosim.units import parse_time

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class Ran(Answer):
    """What a split run measured, beside what the model predicts.

    off: how far its output is, of its largest value; written: files of each node's weights.
    """

    rows: "pd.DataFrame"
    mask: Mask
    off: float
    written: tuple[str, ...] = ()

    @property
    def frame(self) -> "pd.DataFrame":
        """One row a node and kind of message (docs/split-run.md)."""
        return self.rows

    @cached_property
    def lines(self) -> list[str]:
        """What ran, how near its output came, and what went over the wire in all."""
        from discosim.report.run import run_findings

        return run_findings(self.mask, self.rows, self.off)

    @cached_property
    def cells(self) -> Cells:
        """The kinds of messages that there were, node by node."""
        from discosim.report.run import show_run

        return show_run(self.rows)

    @cached_property
    def differences(self) -> list[str]:
        """What is not as predicted; nothing where all is."""
        from discosim.report.run import differences

        return differences(self.rows, self.off)


@command
def run(
    network: NetworkLike,
    *,
    nodes: given.Counts | None = None,
    s_comm: given.Shares | None = None,
    mask: "str | PathLike[str] | Mask | None" = None,
    weights: "str | PathLike[str] | None" = None,
    seed: int = 0,
    timeout: float | str = "60s",
    split_to: "str | PathLike[str] | None" = None,
) -> Ran:
    """Run the split network, one process a node, and return what it sent and held.

    nodes: 2 and s_comm: 0.8 by default, or those of the mask; weights: a checkpoint, random ones
    of `seed` without; timeout: of a lost peer, in seconds; split_to: a folder for each node's
    weights. Raises DiscosimError.
    """
    require("run", "torch", "safetensors")
    from discosim.explore.run import run_split

    limit_s = given.quantity(timeout, parse_time)
    found, state, chosen = _asked(network, nodes, s_comm, mask, weights, seed)
    written: tuple[str, ...] = ()
    if split_to is not None:
        from discosim.runtime.split_checkpoint import write_split

        written = tuple(map(str, write_split(found, chosen, state, Path(split_to))))
    rows, off = run_split(found, chosen, state, seed, limit_s)
    return Ran(rows=rows, mask=chosen, off=off, written=written)


def _asked(
    network: NetworkLike,
    nodes: given.Counts | None,
    s_comm: given.Shares | None,
    mask: "str | PathLike[str] | Mask | None",
    weights: "str | PathLike[str] | None",
    seed: int,
) -> "tuple[Network, dict[str, Tensor], Mask]":
    """The network, its parameters and its mask; notes say which were made up."""
    from discosim.masks.select import select
    from discosim.runtime.run import check_count
    from discosim.runtime.state import checkpoint_state, random_state

    if mask is not None and s_comm is not None:
        raise DiscosimError("give one of --s-comm and --mask: each says what is sent")
    found = given.the_network(network)
    chosen = given.the_mask(mask, found)
    default = 2 if chosen is None else chosen.nodes
    count = given.one("--nodes", given.counts(default if nodes is None else nodes))
    if chosen is not None and chosen.nodes != count:
        raise DiscosimError(f"the mask is for {chosen.nodes} nodes, not for {count}")
    check_nodes(tabulate(found), count)
    check_count(count)
    if weights is None:
        source = f"random weights, seed {seed}"
        note(f"no --weights: {source}")
        state = random_state(found, seed)
    else:
        source = f"weights of {fspath(weights)}"
        state = checkpoint_state(fspath(weights), found)
    if chosen is None:
        share = given.one("--s-comm", given.shares(0.8 if s_comm is None else s_comm))
        numbers = {name: tensor.numpy() for name, tensor in state.items()}
        chosen = select(found, count, share, numbers, source=source)
    return found, state, chosen
