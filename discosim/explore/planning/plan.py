"""The best split of each layer of a network on alike nodes, beside every pure strategy."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.explore.planning.groups import groups_of
from discosim.explore.planning.prices import Prices, cost_of, prices_of
from discosim.explore.planning.search import choices
from discosim.graph.network import shape_text
from discosim.partition.kinds import Kind
from discosim.partition.plan import Plan
from discosim.partition.plan_file import PlanFile
from discosim.partition.repeated import repeated
from discosim.partition.splits import ByRows, LayerSplit, Splits
from discosim.simulate import Cost
from discosim.strategies.by_layer import density_of, laid_by_layer, plan_by_layer
from discosim.strategies.strategy import STRATEGIES
from discosim.units import format_quantity

PLAIN = ByRows()
MOST_PRICED = 6
"""Choices of the search that are priced as whole plans, each with and without joined rows."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A split for each layer, and what it costs."""

    name: str
    splits: Splits
    rows: ByRows
    plan: Plan
    cost: Cost

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


@dataclass(frozen=True, eq=False)
class Planned:
    """The best plan, the best that needs no training, the strategies, and one node.

    bound_s: no plan in which each of the `groups` of layers has one split is below, where rows are
    not joined, and each layer is priced alone; None where a tensor is sent once for all readers.
    exact is None where none that was found keeps the memory; free: the best without the limit.
    """

    configuration: Configuration
    memory: float | None
    groups: int
    best: Candidate
    exact: Candidate | None
    free: Candidate
    pure: tuple[Candidate, ...]
    single: Cost
    bound_s: float | None

    def plan_file(self, path: str) -> PlanFile:
        """Return what `--plan` takes: layers with weights, and what is unlike the one before."""
        given = self.configuration
        table, splits = given.table, self.best.splits
        named = {
            layer: split
            for row, (layer, split) in enumerate(zip(table.name, splits, strict=False))
            if not row or table.mixes[row] or split != splits[row - 1]
        }
        shape = shape_text(given.network.input_shape)
        return PlanFile(path, given.model, given.nodes, {}, shape, named, self.best.rows)


def plan(
    given: Configuration, *, s_comm: tuple[float, ...], memory: float | None = None
) -> Planned:
    """Return the split of each layer of least latency within `memory` bytes of a node.

    s_comm: values of the layers split by outputs, beside 0. Raises DiscosimError where no plan
    that was found keeps the memory, with the least that there is.
    """
    if given.nodes < 2:
        raise DiscosimError("one node has nothing to split; wanted 2 nodes or more")
    given = given.resolved()
    groups = groups_of(given.table)
    every = [prices_of(given, groups, s_comm, rows) for rows in _rows(given)]
    pure = tuple(_pure(given, s_comm))
    limits = [np.inf] if memory is None else [np.inf, memory]
    found: list[Candidate] = [*pure]
    bounds: list[float] = []
    for prices in every:
        for limit in limits:
            bound, more = _searched(given, prices, limit)
            found += more
            if any(not split.exact for split in prices.splits):
                found += _searched(given, prices.exact(), limit)[1]
        bounds.append(bound)
    best = _fastest(found, limits[-1])
    if best is None:
        found += _searched(given, every[0], 0.0)[1]
        raise _no_plan(given, limits[-1], min(found, key=lambda each: each.node_bytes))
    return Planned(
        configuration=given,
        memory=memory,
        groups=len(groups),
        best=best,
        exact=_fastest([each for each in found if each.exact], limits[-1]),
        free=min(found, key=lambda each: each.latency_s),
        pure=pure,
        single=replace(given, strategy=STRATEGIES["single"]).cost(),
        bound_s=min(bounds) if given.conventions.resend else None,
    )


def priced_plan(given: Configuration, name: str, splits: Splits, rows: ByRows = PLAIN) -> Candidate:
    """Return what it costs to split each layer as it is said."""
    laid = laid_by_layer(
        given.table, splits, given.nodes, given.conventions, given.collective, rows
    )
    plan = plan_by_layer(laid, density_of(splits))
    return Candidate(name, splits, rows, plan, cost_of(given, plan))


def _rows(given: Configuration) -> list[ByRows]:
    """How rows may be: keys and values repeated or not, where there are any to repeat."""
    repeats = repeated(given.network, resend=given.conventions.resend)
    return [PLAIN, ByRows(repeated=False)] if repeats.whole or repeats.features else [PLAIN]


def _pure(given: Configuration, s_comm: tuple[float, ...]) -> Iterable[Candidate]:
    """The strategies that can be said layer by layer, as such plans."""
    count = len(given.network.layers)

    def by_strategy(name: str) -> Plan:
        return replace(given, strategy=STRATEGIES[name]).plan()

    yield priced_plan(given, "single", (LayerSplit(Kind.ONE),) * count)
    for name, rows in (
        ("rows", PLAIN),
        ("fused-rows", ByRows(joined=True)),
        ("tokens-kv", ByRows(repeated=False)),
        ("paired", PLAIN),
    ):
        laid = by_strategy(name).laid
        if laid is not None and (rows.repeated or len(_rows(given)) > 1):
            splits = tuple(LayerSplit(p.choice.kind, node=p.choice.node) for p in laid.parts)
            yield priced_plan(given, name, splits, rows)
    for level in sorted({0.0, *s_comm}):
        name = f"disco, S_comm {level:g}" if level else "dense"
        yield priced_plan(given, name, (LayerSplit(Kind.OUTPUTS, level),) * count)
    stages = by_strategy("pipeline").stage
    if stages is not None:
        splits = tuple(LayerSplit(Kind.ONE, node=int(stage)) for stage in stages[:count])
        yield priced_plan(given, "pipeline", splits)


def _searched(given: Configuration, prices: Prices, limit: float) -> tuple[float, list[Candidate]]:
    """The bound, and the best choices of the search, priced as whole plans."""
    chosen = choices(prices, limit)
    found = []
    for path in chosen.paths[:MOST_PRICED]:
        splits = prices.spread(path)
        found.append(priced_plan(given, "plan", splits, prices.rows))
        if any(split.kind is Kind.ROWS for split in splits):
            found.append(priced_plan(given, "plan", splits, replace(prices.rows, joined=True)))
    return chosen.bound_s, found


def _fastest(every: Iterable[Candidate], limit: float) -> Candidate | None:
    """The fastest that keeps the memory; of equals, the first."""
    fitting = [each for each in every if each.node_bytes <= limit]
    return min(fitting, key=lambda each: each.latency_s, default=None)


def _no_plan(given: Configuration, limit: float, least: Candidate) -> DiscosimError:
    return DiscosimError(
        f"no plan of {given.model} on {given.nodes} nodes keeps {format_quantity(limit, 'B')} a "
        f"node; the least found needs {format_quantity(least.node_bytes, 'B')}, in "
        f"{format_quantity(least.latency_s, 's')}"
    )
