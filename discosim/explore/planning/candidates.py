"""Whole plans that are weighed against each other: what is found, and the strategies."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.explore.planning.prices import Aim
from discosim.model.energy import idle_J, work_J
from discosim.partition.handed import handed
from discosim.partition.kinds import Kind
from discosim.partition.plan import Plan
from discosim.partition.repeated import repeated
from discosim.partition.splits import LayerSplit, Splits, Throughout
from discosim.simulate import Cost, simulate
from discosim.strategies.by_layer import density_of, laid_by_layer
from discosim.strategies.layered import plan_of
from discosim.strategies.strategy import STRATEGIES

PLAIN = Throughout()


@dataclass(frozen=True, eq=False)
class Candidate:
    """A split for each layer, and what it costs.

    all_bytes: what all nodes send; joules: of that, of all MACs, and of idle nodes meanwhile.
    """

    name: str
    splits: Splits
    throughout: Throughout
    plan: Plan
    cost: Cost
    all_bytes: float
    joules: float

    @property
    def latency_s(self) -> float:
        """Seconds of one input."""
        return float(self.cost.latency_s.squeeze())

    @property
    def node_bytes(self) -> float:
        """Bytes of the node that needs most."""
        return float(self.cost.node_bytes.squeeze())

    @property
    def bytes(self) -> float:
        """Bytes that the busiest node sends or receives, whichever is more."""
        return float(self.cost.bytes_per_node.squeeze())

    @cached_property
    def exact(self) -> bool:
        """Whether the network computes what it was trained to."""
        return all(split.exact for split in self.splits)

    def by(self, aim: Aim) -> tuple[float, float]:
        """Return what it has of what is wanted least, and its seconds."""
        values = {Aim.LATENCY: self.latency_s, Aim.BYTES: self.all_bytes, Aim.ENERGY: self.joules}
        return values[aim], self.latency_s


def priced_plan(
    given: Configuration, name: str, splits: Splits, throughout: Throughout = PLAIN
) -> Candidate:
    """Return what it costs to split each layer as it is said."""
    kinds = tuple(
        replace(each, s_comm=1.0) if each.s_comm and each.kind is Kind.OUTPUTS else each
        for each in splits
    )
    laid = laid_by_layer(  # whatever S_comm of outputs is: laid once
        given.table, kinds, given.nodes, given.conventions, given.collective, throughout,
        given.weighed,
    )  # fmt: skip
    return _candidate(given, name, splits, throughout, plan_of(laid, density_of(splits)))


def handed_on(given: Configuration, plan: Candidate) -> Iterable[Candidate]:
    """The same plan with tensors handed on with others, where there are any such."""
    laid = plan.plan.laid
    if laid is not None and handed(laid):
        yield priced_plan(given, plan.name, plan.splits, replace(plan.throughout, handed_on=True))


def sent_apart(given: Configuration, pure: Iterable[Candidate]) -> Iterable[Candidate]:
    """Stages of a pipeline with each tensor sent before its reader, and no more than that reads."""
    for each in pure:
        if each.throughout.handed_on:
            yield priced_plan(given, "plan", each.splits, replace(each.throughout, handed_on=False))


def _candidate(
    given: Configuration, name: str, splits: Splits, throughout: Throughout, plan: Plan
) -> Candidate:
    hardware, table = given.hardware, given.table
    cost = simulate(table, plan, hardware, given.overlap, given.features)
    alike = plan.nodes / int(plan.local.shape[-2])
    macs = float(((plan.local + plan.remote) @ table.macs).sum()) * alike
    all_bytes = float(cost.sent_bytes.sum()) * (plan.nodes / int(cost.sent_bytes.shape[-2]))
    joules = work_J(macs, all_bytes, hardware.energy_per_mac_J, hardware.energy_per_byte_J)
    joules = joules + idle_J(cost.latency_s, plan.nodes, hardware.idle_power_W)
    return Candidate(name, splits, throughout, plan, cost, all_bytes, float(np.max(joules)))


def row_rules(given: Configuration) -> list[Throughout]:
    """Return how rows may be: keys and values repeated or not, where there are any to repeat."""
    repeats = repeated(given.network, resend=given.conventions.resend)
    return [PLAIN, Throughout(repeated=False)] if repeats.whole or repeats.features else [PLAIN]


def strategies(given: Configuration, s_comm: tuple[float, ...]) -> Iterable[Candidate]:
    """The strategies that can be said layer by layer, with how they are."""
    count = len(given.network.layers)

    def by_strategy(name: str, s_comm: float = 0.0) -> Plan:
        return replace(given, strategy=STRATEGIES[name], s_comm=s_comm).plan()

    yield priced_plan(given, "single", (LayerSplit(Kind.ONE),) * count)
    paired: Splits | None = None
    for name, throughout in (
        ("rows", PLAIN),
        ("fused-rows", Throughout(joined=True)),
        ("tokens-kv", Throughout(repeated=False)),
        ("paired", PLAIN),
    ):
        if not throughout.repeated and len(row_rules(given)) == 1:
            continue  # nothing would be repeated: as rows
        plan = by_strategy(name)
        if plan.laid is not None:
            splits = tuple(LayerSplit(p.choice.kind, node=p.choice.node) for p in plan.laid.parts)
            yield _candidate(given, name, splits, throughout, plan)
            paired = splits if name == "paired" else None
    for level in sorted({0.0, *s_comm}):
        name = f"disco, S_comm {level:g}" if level else "dense"
        splits = (LayerSplit(Kind.OUTPUTS, level),) * count
        yield _candidate(given, name, splits, PLAIN, by_strategy("disco", level))
        if level and paired is not None:
            name, splits = f"partial-sync, S_comm {level:g}", _summed(paired, level)
            yield _candidate(given, name, splits, PLAIN, by_strategy("partial-sync", level))
    try:
        stages = by_strategy("pipeline").stage
    except DiscosimError:  # fewer layers than nodes
        return
    if stages is not None:
        nodes = given.nodes - 1 - stages  # the last stage on node 0, where the outputs go
        splits = tuple(LayerSplit(Kind.ONE, node=int(node)) for node in nodes[:count])
        yield priced_plan(given, "pipeline", splits, Throughout(handed_on=True))


def _summed(splits: Splits, level: float) -> Splits:
    """Return the same with S_comm of their sums left out, where layers are by inputs."""
    return tuple(replace(s, s_comm=level) if s.kind is Kind.INPUTS else s for s in splits)
