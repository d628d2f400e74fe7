"""Plans in which it is said of each layer how it is split (`discosim plan`)."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from discosim.errors import DiscosimError
from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.graph.reach import rows_of
from discosim.graph.table import Floats, Ints, LayerTable
from discosim.partition.collectives import Collective
from discosim.partition.fused import joined
from discosim.partition.handed import handed_on
from discosim.partition.held import Held
from discosim.partition.kinds import Choice, Kind, RowRanges, Rule, follow
from discosim.partition.lay import Laid, lay
from discosim.partition.plan import Conventions, Plan
from discosim.partition.plan_file import PlanFile
from discosim.partition.splits import LayerSplit, Splits, Throughout
from discosim.partition.worth import Worth
from discosim.strategies.layered import plan_of
from discosim.strategies.rows import least_sent
from discosim.strategies.tokens_kv import all_sent

if TYPE_CHECKING:
    from discosim.configuration import Configuration

KEPT = 256
"""Networks laid on nodes that are kept for the next call."""


def rule_of(
    network: Network,
    conventions: Conventions,
    said: Callable[[Layer], LayerSplit],
    throughout: Throughout,
    *,
    any_s_comm: bool = False,
) -> Rule:
    """Return the rule by which each layer is split as it is said.

    A layer that cannot be split so keeps to how its operands lie. Rows are those of the strategies
    `rows`, or `tokens-kv` where nothing is repeated. any_s_comm: of layers by outputs it is said
    later how much they leave out.
    """
    by_rows = (least_sent if throughout.repeated else all_sent)(network, conventions)

    def rule(layer: Layer, operands: tuple[Held, ...]) -> Choice:
        split = said(layer)
        if not fits(network, layer, split.kind):
            return follow(layer, operands)
        if any(held.sparse for held in operands):  # partly added up: each node has its own version
            if split.kind not in (Kind.OUTPUTS, Kind.WHOLE):
                return Choice(Kind.WHOLE)
            _refuse_both(layer, split)
            return Choice(split.kind)
        if split.kind is Kind.ROWS:
            if rows_of(layer.out_shape) == 1:
                return Choice(Kind.ROWS)
            choice = by_rows(layer, operands)
            return replace(choice, rows=split.rows) if choice.plain_rows else choice
        if split.kind is Kind.INPUTS and split.s_comm:
            return Choice(Kind.INPUTS, sparse=True, s_comm=split.s_comm)
        sparse = split.kind is Kind.OUTPUTS and (any_s_comm or split.s_comm > 0)
        return Choice(split.kind, split.node, sparse=sparse)

    return rule


def _refuse_both(layer: Layer, split: LayerSplit) -> None:
    if split.s_comm and layer.operator.placing == "mixes":
        raise DiscosimError(
            f"{layer.name} has S_comm {split.s_comm:g}, but reads a sum by inputs that has one; "
            "wanted one of the two"
        )


def fits(network: Network, layer: Layer, kind: Kind) -> bool:
    """Return whether a layer can be split so, whatever its operands."""
    match kind:
        case Kind.ROWS:
            many = max(map(rows_of, layer.in_shapes)) > 1
            ends = many and layer.op in ("pool", "flatten")
            return layer.operator.reach is not None and (rows_of(layer.out_shape) > 1 or ends)
        case Kind.INPUTS:
            once = len(list(network.graph.successors(layer.name))) <= 1
            return layer.operator.placing == "mixes" and layer.groups == 1 and once
    return True


@lru_cache(maxsize=KEPT)
def laid_by_layer(
    table: LayerTable,
    splits: Splits,
    nodes: int,
    conventions: Conventions,
    collective: Collective,
    throughout: Throughout,
    worth: Worth,
    *,
    any_s_comm: bool = False,
) -> Laid:
    """Return how `table` lies on the nodes; worth: of joining layers, where rows are joined.

    any_s_comm: see `rule_of`.
    """
    layers = table.network.layers
    said = {layer.name: split for layer, split in zip(layers, splits, strict=True)}
    rule = rule_of(
        table.network,
        conventions,
        lambda layer: said[layer.name],
        throughout,
        any_s_comm=any_s_comm,
    )
    if throughout.handed_on:
        apart = replace(throughout, handed_on=False, joined=False)
        laid = handed_on(
            laid_by_layer(
                table, splits, nodes, conventions, collective, apart, worth, any_s_comm=any_s_comm
            )
        )
    else:
        laid = lay(table, rule, nodes, conventions, collective=collective)
    return joined(laid, worth) if throughout.joined else laid


def with_their_rows(laid: Laid, splits: Splits) -> Splits:
    """Return the splits with the rows that nodes compute of layers that `laid` joins."""
    found = []
    for part, split in zip(laid.parts, splits, strict=True):
        if split.kind is Kind.ROWS and part.choice.plain_rows:
            ranges = _in_order(part.rows)
            if ranges != _in_order(part.out.rows):
                split = replace(split, rows=ranges)
        found.append(split)
    return tuple(found)


def _in_order(rows: Ints) -> RowRanges:
    """Rows (N, 2) as ranges in order: one of no rows lies where the one before it ends."""
    ranges: list[tuple[int, int]] = []
    for first, last in rows.tolist():
        end = ranges[-1][1] if ranges else 0
        ranges.append((first, last) if first < last else (end, end))
    return tuple(ranges)


def density_of(splits: Splits) -> Floats:
    """Return 1 - S_comm of each row, (1, L); the gathering of the output is a row besides."""
    return np.array([[1.0 - split.s_comm for split in splits] + [1.0]])


def planned(given: "Configuration", plan_file: PlanFile) -> Plan:
    """Return the plan of a plan file that says how each layer is split."""
    splits = plan_file.every_split(given.table)
    laid = laid_by_layer(
        given.table, splits, given.nodes, given.conventions, given.collective, plan_file.throughout,
        given.weighed,
    )  # fmt: skip
    return plan_of(laid, density_of(splits))
