"""`run`: the split network, one process a node, beside the model."""

from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from discosim.configuration import S_COMM
from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.hearing import command, note
from discosim.door.network import NetworkLike
from discosim.errors import DiscosimError, require
from discosim.graph.network import Network
from discosim.graph.table import tabulate
from discosim.masks.mask import Mask
from discosim.partition.plan import Plan
from discosim.partition.plan_file import PlanFile
from discosim.report.tables import Cells
from discosim.strategies.strategy import STRATEGIES, check_nodes
from discosim.units import parse_time

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from discosim.masks.select import Knob
    from discosim.masks.weights import Weights

CRITERION = "l1"
"""By which features are chosen for the sparse layers of a plan, if no mask names them."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Ran(Answer):
    """What a split run measured, beside what the model predicts.

    split: the mask, or the plan where layers are split in other ways; off: how far its output is,
    of its largest value; written: files of each node's weights.
    """

    network: Network
    split: Mask | Plan
    how: str
    rows: "pd.DataFrame"
    off: float
    written: tuple[str, ...] = ()

    @property
    def _frame(self) -> "pd.DataFrame":
        """One row a node and kind of message (docs/split-run.md)."""
        return self.rows

    @cached_property
    def lines(self) -> list[str]:
        """What ran, how near its output came, and what went over the wire in all."""
        from discosim.explore.executed import the_laid
        from discosim.partition.synced import leaves_out
        from discosim.report.run import run_findings

        wanted = "masked" if isinstance(self.split, Mask) else "unsplit"
        if isinstance(self.split, Plan):
            laid = the_laid(self.split)
            wanted = "partly summed" if leaves_out(laid) else "masked" if laid.named else wanted
        return run_findings(self.network, self.how, wanted, self.rows, self.off)

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
    strategy: str = "disco",
    s_comm: given.Shares | None = None,
    collective: str = "direct",
    mask: "str | PathLike[str] | Mask | None" = None,
    plan: "str | PathLike[str] | PlanFile | None" = None,
    weights: "str | PathLike[str] | None" = None,
    seed: int = 0,
    timeout: float | str = "60s",
    split_to: "str | PathLike[str] | None" = None,
) -> Ran:
    """Run the split network, one process a node, and return what it sent and held.

    nodes: 2 and s_comm: 0.8 by default, or those of the mask or the plan; strategy: as `compare`
    has them; plan: a file that says how each layer is split, or its S_comm; mask: of all layers,
    or of the sparse ones of a plan; collective: of sums and gathers; weights: a checkpoint, random
    ones of `seed` without; timeout: of a lost peer, in seconds; split_to: a folder for each node's
    weights. Raises DiscosimError.
    """
    require("run", "torch", "safetensors")
    from discosim.explore.executed import the_laid
    from discosim.explore.run import run_split
    from discosim.runtime.run import check_count, states_of

    limit_s = given.quantity(timeout, parse_time)
    said = given.the_plan(plan)
    _check_knobs(strategy, s_comm, mask, said)
    found = given.the_network(network)
    chosen = given.the_mask(mask, found)
    count = _count(found, nodes, chosen, said)
    check_count(count)
    source, state = _parameters(found, weights, seed)
    parameters = _Parameters(state, source)
    if said is not None:
        split, how = _by_plan(found, said, chosen, parameters)
    else:
        split, how = _by_strategy(found, strategy, count, collective, s_comm, chosen, parameters)
    written: tuple[str, ...] = ()
    if split_to is not None:
        from discosim.runtime.split_checkpoint import write_split

        on_nodes = split if isinstance(split, Mask) else the_laid(split)
        states = states_of(found, on_nodes, state)
        written = tuple(map(str, write_split(found, states, Path(split_to))))
    rows, off = run_split(found, split, state, seed, limit_s)
    return Ran(network=found, split=split, how=how, rows=rows, off=off, written=written)


@dataclass(frozen=True, eq=False)
class _Parameters:
    """Parameters of a network, and where they are from."""

    state: "dict[str, Tensor]"
    source: str

    @property
    def numbers(self) -> "Weights":
        """The parameters as arrays."""
        return {name: tensor.numpy() for name, tensor in self.state.items()}


def _by_plan(
    network: Network, said: PlanFile, mask: Mask | None, of: _Parameters
) -> tuple[Mask | Plan, str]:
    """What a plan file makes of the network, and the words for it."""
    from discosim.explore.executed import planned_by, sparse_layers, the_laid, with_named_features
    from discosim.masks.of_plan import chosen_for_plan, named_by_mask

    if not said.splits:
        if mask is None:
            mask = _selected(network, said.nodes, dict(said.s_comm), of)
        return mask, f"{mask.criterion}, plan {said.path}; {mask.weights}"
    split, sparse = planned_by(network, said), sparse_layers(network, said)
    for line in split.remarks:
        note(line)
    if not sparse:
        return split, f"plan {said.path}; {of.source}"
    if mask is not None:
        named, by = named_by_mask(the_laid(split), sparse, mask), mask.criterion
    else:
        named = chosen_for_plan(the_laid(split), sparse, of.numbers, CRITERION)
        by = f"{CRITERION} per pair"
    how = f"plan {said.path}, features of its {len(sparse)} sparse layers by {by}; {of.source}"
    return with_named_features(split, named), how


def _by_strategy(
    network: Network,
    strategy: str,
    count: int,
    collective: str,
    s_comm: given.Shares | None,
    mask: Mask | None,
    of: _Parameters,
) -> tuple[Mask | Plan, str]:
    """What a strategy, or a mask, makes of the network, and the words for it."""
    from discosim.explore.executed import HARDWARE, MASKED, planned

    if strategy in MASKED:
        share = MASKED[strategy] if s_comm is None else s_comm
        one = given.one("--s-comm", given.shares(share))
        mask = mask or _selected(network, count, one, of)
        return mask, f"{mask.criterion}; {mask.weights}"
    one = S_COMM if s_comm is None else given.one("--s-comm", given.shares(s_comm))
    split = planned(network, strategy, count, collective, one)
    for line in split.remarks:
        note(line)
    if strategy == "fused-rows":
        note(f"no hardware: {strategy} joins layers as is best on {HARDWARE}")
    knob = f", S_comm {one:g}" if STRATEGIES[strategy].has_knob else ""
    return split, f"{strategy}{knob} ({STRATEGIES[strategy].summary}); {of.source}"


def _check_knobs(strategy: str, s_comm: object, mask: object, plan: object) -> None:
    """Raise DiscosimError for what says twice, or of a strategy without it, what is sent."""
    from discosim.explore.executed import check_executed

    check_executed(strategy)
    if mask is not None and s_comm is not None:
        raise DiscosimError("give one of --s-comm and --mask: each says what is sent")
    if s_comm is not None and not STRATEGIES[strategy].has_knob:
        raise DiscosimError(f"--s-comm is for strategies that have it: {strategy} has none")
    if plan is not None and (s_comm is not None or strategy != "disco"):
        raise DiscosimError("--plan says how each layer is split: give no --s-comm or --strategy")
    if mask is not None and strategy != "disco":
        raise DiscosimError(f"--mask is for strategy disco: {strategy} has none")


def _count(
    network: Network, nodes: given.Counts | None, mask: Mask | None, plan: PlanFile | None
) -> int:
    if plan is not None:
        plan.check(tabulate(network))
    said = plan if plan is not None else mask
    default = 2 if said is None else said.nodes
    count = given.one("--nodes", given.counts(default if nodes is None else nodes))
    if mask is not None and mask.nodes != count:
        raise DiscosimError(f"the mask is for {mask.nodes} nodes, not for {count}")
    if plan is not None:
        plan.layer_s_comm(tabulate(network), count)
    check_nodes(tabulate(network), count)
    return count


def _parameters(
    network: Network, weights: "str | PathLike[str] | None", seed: int
) -> "tuple[str, dict[str, Tensor]]":
    """The network's parameters and where they are from; a note says if they were made up."""
    from discosim.runtime.state import checkpoint_state, random_state

    if weights is not None:
        return f"weights of {fspath(weights)}", checkpoint_state(fspath(weights), network)
    source = f"random weights, seed {seed}"
    note(f"no --weights: {source}")
    return source, random_state(network, seed)


def _selected(network: Network, count: int, share: "Knob", of: _Parameters) -> Mask:
    from discosim.masks.select import select

    return select(network, count, share, of.numbers, source=of.source)
