"""`allocate`: S_comm of each layer that loses least within limits."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike, fspath
from typing import TYPE_CHECKING, TypeAlias, Unpack

from discosim.door import given
from discosim.door.given import CountedAs
from discosim.door.hearing import command, note
from discosim.door.network import NetworkLike
from discosim.door.plan_answer import PlanAnswer
from discosim.door.text import number
from discosim.errors import DiscosimError, install_hint, require
from discosim.explore.allocation.allocate import (
    FALLBACK,
    Allocation,
    Limit,
    Lost,
    Method,
)
from discosim.explore.allocation.allocate import allocate as allocated
from discosim.explore.allocation.layer_costs import BYTES, LATENCY, MEMORY
from discosim.masks.criteria import Wants, the_criterion
from discosim.partition.plan import Selection
from discosim.partition.plan_file import PlanFile
from discosim.report import allocate as report
from discosim.report.tables import Cells
from discosim.units import parse_bytes, parse_time

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from discosim.configuration import Configuration
    from discosim.explore.allocation.judged import Judgement
    from discosim.masks.mask import Mask
    from discosim.runtime.inputs import Inputs

Bound: TypeAlias = float | str | Limit
"""A limit in SI, as text with its unit, or as "30%" of what dense takes."""


WHATEVER_IS_SELECTED = (
    "the limits hold whatever features the readers of a tensor select (--selection apart); what is "
    "shown is expected of independent selections"
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Allocated(PlanAnswer):
    """The S_comm of each layer, and what it takes and loses."""

    found: Allocation
    judgement: "Judgement | None" = None

    @cached_property
    def _frame(self) -> "pd.DataFrame":
        """One row a layer, and a last one on the plan (docs/allocate.md)."""
        return report.to_frame(self.found, self.judgement)

    @cached_property
    def lines(self) -> list[str]:
        """What was asked, what the plan takes and loses, and the uniform plan beside it."""
        said = report.findings(self.found, self.convention, self.judgement)
        return [*said, f"Counted with {self.counted}."]

    @cached_property
    def cells(self) -> Cells:
        """The layers."""
        return report.show(self.found)

    def plot(self) -> "Figure":
        """Return S_comm of each layer, what it loses, and the traffic that is left."""
        average = float(self.found.plan.cost.avg_s_comm.item())
        title = f"{self.lines[0]}, average S_comm {average:.3g}"
        return report.draw_allocation(self.found, title)


@command
def allocate(
    network: NetworkLike,
    hardware: given.Nodes = given.DEFAULT,
    *,
    nodes: given.Counts | None = None,
    latency: Bound | None = None,
    bytes: Bound | None = None,  # noqa: A002
    memory: Bound | None = None,
    levels: given.Shares | None = None,
    weights: "str | PathLike[str] | None" = None,
    mask: "str | PathLike[str] | Mask | None" = None,
    plan: "str | PathLike[str] | PlanFile | None" = None,
    criterion: str | None = None,
    data: "str | Inputs | None" = None,
    method: str | None = None,
    overlap: str | None = None,
    **counted: Unpack[CountedAs],
) -> Allocated:
    """Return the S_comm of each layer that loses least within the limits.

    Limits on the latency, on the bytes of the busiest node and on a node's memory, in SI, as text
    with a unit, or as "30%" of what dense takes. levels: S_comm to choose from; weights, mask: what
    says what is lost, by `criterion`; plan: a file that says how layers are split, of which those
    by outputs have S_comm; data: inputs.npz or package.module:loader, to judge plans on
    with `weights`; method: exact, or fast without scipy. Raises DiscosimError for what cannot be.
    """
    if criterion is not None:
        the_criterion(criterion)
    found = given.the_network(network)
    node = given.one("--hw", given.kinds_of_nodes(hardware))
    base = given.configuration(found, node, counted, mask=mask, plan=plan)
    count = given.one("--nodes", given.nodes_or_default(nodes, base, (2,)))
    inputs = _inputs(base, data, weights)
    if mask is not None and weights is not None and inputs is None:
        raise DiscosimError("give --mask or --weights: each says what is lost")
    lost = None
    if weights is not None and mask is None:
        lost = _of_weights(base, count, weights, criterion or FALLBACK)
    limits = {
        LATENCY: None if latency is None else limit(latency, parse_time),
        BYTES: None if bytes is None else limit(bytes, parse_bytes),
        MEMORY: None if memory is None else limit(memory, parse_bytes),
    }
    allocation = allocated(
        replace(base, nodes=count, overlap=given.overlap(overlap, counted)),
        {name: each for name, each in limits.items() if each is not None},
        levels=None if levels is None else given.shares(levels),
        method=None if method is None else Method(method),
        lost=lost,
        criterion=criterion,
    )
    if method is None and allocation.method is not Method.EXACT:
        note(f"by the fast method; the exact one needs scipy: {install_hint('scipy')}")
    given.tell_whole(base, [count])
    if not base.conventions.resend and base.conventions.selection is Selection.INDEPENDENT:
        note(WHATEVER_IS_SELECTED)
    words = given.convention_words(base, counted)
    judgement = _judged(allocation, base.mask, weights, inputs)
    how = given.how_counted(allocation.configuration, counted)
    return Allocated(found=allocation, convention=words, counted=how, judgement=judgement)


def _inputs(
    base: "Configuration", data: "str | Inputs | None", weights: "str | PathLike[str] | None"
) -> "Inputs | None":
    """The inputs to judge on, if there are any."""
    if data is None:
        return None
    if base.plan_file is not None:
        raise DiscosimError("--data judges plans whose layers are all by outputs: give no --plan")
    require("--data", "torch", "safetensors")
    if weights is None:
        raise DiscosimError("--data judges plans by what the network answers: it needs --weights")
    from discosim.runtime.inputs import checked, read_inputs

    network = base.network
    return read_inputs(data, network) if isinstance(data, str) else checked(data, network, "data")


def _judged(
    found: Allocation,
    mask: "Mask | None",
    weights: "str | PathLike[str] | None",
    inputs: "Inputs | None",
) -> "Judgement | None":
    """How near the plans come to the dense network, on inputs that were not measured on."""
    if inputs is None or weights is None:
        return None
    from discosim.explore.allocation.judged import UNIFORM, judge
    from discosim.runtime.state import any_checkpoint_state

    state, _renamed = any_checkpoint_state(fspath(weights), found.configuration.network)
    judgement = judge(found, mask, state, inputs)
    if UNIFORM in judgement.closer:
        note("uniform S_comm comes closer to the dense network than the plan: take it, or finetune")
    return judgement


def limit(bound: Bound, parse: Callable[[str], float]) -> Limit:
    """Return a quantity, or a percentage of what dense takes, as a limit."""
    if isinstance(bound, Limit):
        return bound
    if not isinstance(bound, str):
        return Limit(float(bound))
    if not bound.strip().endswith("%"):
        return Limit(parse(bound))
    share = float(number(bound, "a limit as 30% of what dense takes"))
    if share < 0:
        raise DiscosimError(f"{bound!r} of what dense takes; wanted 0% or more")
    return Limit(share, of_dense=True)


def _of_weights(
    base: "Configuration", nodes: int, weights: "str | PathLike[str]", criterion: str
) -> Lost:
    """What the layers of a checkpoint's weights lose."""
    from discosim.explore.allocation.weight_curves import weight_curves
    from discosim.runtime.checkpoint import read_weights
    from discosim.strategies.strategy import check_nodes

    chosen = the_criterion(criterion)
    if chosen.measured:
        raise DiscosimError(
            f"criterion {criterion} needs {chosen.wants}: discosim mask --criterion {criterion} "
            "--data FILE -o masks.npz, then --mask masks.npz"
        )
    if chosen.wants is Wants.NOTHING:
        raise DiscosimError(f"criterion {criterion} does not say what layers lose; wanted l1-log")
    check_nodes(base.table, nodes)
    path = fspath(weights)
    read, renamed = read_weights(path, base.network)
    if renamed:
        note(f"weights of {path} have other names: taken by order and shape")
    curves, other = (
        weight_curves(base.network, nodes, read, name) for name in (criterion, FALLBACK)
    )
    said = f"{chosen.says} of the weights of {path}, the least go first"
    return Lost(curves, criterion, said, {FALLBACK: other})
