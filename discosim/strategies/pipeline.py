"""Pipeline plans: contiguous stages, one node each, found by dynamic programming."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from discosim.errors import DiscosimError
from discosim.graph.table import Bools, Floats, Ints, LayerTable
from discosim.model.exchange import PairExchange
from discosim.partition.node_memory import WRITTEN_OUT
from discosim.partition.plan import Features, Objective, Plan
from discosim.strategies.strategy import strategy

if TYPE_CHECKING:
    from discosim.configuration import Configuration

FEW = 8
"""Stages up to which the cuts are found at once."""


@strategy(
    "pipeline",
    "contiguous stages of whole layers, one node each",
    staged=True,
    exact=True,
    split="one",
)
def pipeline(given: "Configuration") -> Plan:
    """Return the plan with the stages that are best for the objective."""
    return staged_plan(
        given.table,
        stages(given.table, given.nodes, given.objective, holding_of(given)),
        resend=given.conventions.resend,
    )


@dataclass(frozen=True, slots=True)
class Holding:
    """What a stage holds: bytes of an element, of which features, and whether twice.

    resend: a tensor that two layers read is held for each of them; arriving: the next item's
    input arrives while a stage computes, and is held beside what it works on; attention: whether
    its scores are written out.
    """

    feature_elem_bytes: float
    weight_elem_bytes: float
    features: Features = Features.PEAK
    resend: bool = True
    arriving: bool = False
    attention: str = WRITTEN_OUT


def holding_of(given: "Configuration") -> Holding:
    """Return what the stages of a configuration hold."""
    node = given.hardware
    return Holding(
        float(node.feature_elem_bytes),
        float(node.weight_elem_bytes),
        given.features,
        given.conventions.resend,
        given.overlap.mode != "none",
        node.attention,
    )


@lru_cache(maxsize=256)
def stages(
    table: LayerTable,
    nodes: int,
    objective: Objective,
    holding: Holding,
) -> Ints:
    """Return the stage of each row, (L,), each with at least one convolution or linear layer.

    Raises DiscosimError where there are more stages than such layers.
    """
    layers = int(table.mixes.sum())
    if nodes > layers:
        raise DiscosimError(
            f"a pipeline of {nodes} nodes needs as many layers; {table.network.name} has {layers}"
        )
    upto = max(FEW, 1 << (nodes - 1).bit_length())
    begins = _begins(table, upto, objective, holding)
    return _stages(begins[: nodes - 1], len(table))


@lru_cache(maxsize=64)
def _begins(
    table: LayerTable,
    nodes: int,
    objective: Objective,
    holding: Holding,
) -> list[Ints]:
    """Where the last of 2, 3, ... `nodes` stages begins at best, for each row that it ends with."""
    node_bytes, allowed = range_bytes(table, holding), holds_a_layer(table.mixes)
    if objective == Objective.MEMORY:
        return _best_cuts(np.where(allowed, node_bytes, np.inf), nodes, np.maximum)
    handed = table.cut_elems[:, None] * np.ones_like(node_bytes)  # on entry to the range
    handed[0] = 0.0
    return _best_cuts(np.where(allowed, handed, np.inf), nodes, np.add)


def range_bytes(table: LayerTable, holding: Holding) -> Floats:
    """Return bytes of a node that executes the rows from i to j, (L, L) at [i, j]."""
    weights = _range_params(table) * holding.weight_elem_bytes
    if holding.features == Features.ALL:
        inputs = np.where(table.mixes, table.in_elems, 0.0)
        first = holding.resend | (_earlier(table)[None] < _at(table))
        kept = np.cumsum(np.triu(inputs * first), axis=1)
    else:
        taken = table.live_elems + table.scratch_elems * (holding.attention == WRITTEN_OUT)
        live = taken - np.where(_at(table) > 0, _handed_out(table), 0.0)
        kept = np.maximum.accumulate(np.triu(live), axis=1)
    if holding.arriving:
        kept = kept + np.where(_at(table) > 0, table.cut_elems[:, None], 0.0)
    return np.triu(weights + kept * holding.feature_elem_bytes)


def _range_params(table: LayerTable) -> Floats:
    """Parameters that the rows from i to j read, (L, L) at [i, j], each once."""
    sums = np.concatenate([[0.0], np.cumsum(sum(table.own))])
    params: Floats = sums[None, 1:] - sums[:-1, None]
    first = np.arange(len(table))[:, None]
    for parameter in table.shared:
        before = -1
        for row in parameter.rows:  # the first to read it in ranges that begin behind the last
            params = params + parameter.elems * (
                (first > before) & (first <= row) & (row <= first.T)
            )
            before = row
    return params


def _handed_out(table: LayerTable) -> Floats:
    """Elements of inputs that are outputs too, after their last reader: on the first node alone."""
    kept = [table.tensors.index(name) for name in table.network.kept]
    behind = np.arange(len(table)) > table.last_read[kept, None]
    elems: Floats = table.tensor_elems[kept] @ behind
    return elems


def _at(table: LayerTable) -> Ints:
    return np.arange(len(table))[:, None]


def _earlier(table: LayerTable) -> Ints:
    """The row before each that mixes features of the same tensor, -1 for none."""
    earlier, last = np.full(len(table), -1), dict[int, int]()
    for row in np.flatnonzero(table.mixes):
        source = int(table.source[row])
        earlier[row] = last.get(source, -1)
        last[source] = int(row)
    return earlier


def holds_a_layer(mixes: Bools) -> Bools:
    """Return whether the rows from i to j hold a convolution or linear layer, (L, L) at [i, j]."""
    counts = np.concatenate([[0], np.cumsum(mixes)])
    return counts[None, 1:] > counts[:-1, None]


def _best_cuts(cost: Floats, nodes: int, join: np.ufunc) -> list[Ints]:
    """Divide the rows 0..j into 2, 3, ... `nodes` ranges whose joined cost [i, j] is least."""
    best = cost[0]  # of the rows 0..j in one range
    begins = []
    for _ in range(1, nodes):
        # the last range begins at i; what is before ends at i - 1
        before = np.concatenate([[np.inf], best[:-1]])
        candidates = join(before[:, None], cost)
        begins.append(candidates.argmin(axis=0))
        best = candidates[begins[-1], np.arange(len(best))]
    return begins


def _stages(begins: list[Ints], rows: int) -> Ints:
    """The stage of each row, read back from where the stages begin."""
    stage = np.zeros(rows, dtype=np.int64)
    end = rows - 1
    for index, begin in reversed(list(enumerate(begins, start=1))):
        stage[begin[end] : end + 1] = index
        end = begin[end] - 1
    return stage


def staged_plan(table: LayerTable, stage: Ints, *, resend: bool = True) -> Plan:
    """Return the plan in which row l is executed whole by node `stage[l]`.

    Between two stages all live tensors are handed on, those that cross several cuts again.
    `resend`: of a tensor that two layers of a stage read, the inputs of both count.
    """
    nodes = int(stage[-1]) + 1
    runs = (stage == np.arange(nodes)[:, None]).astype(float)
    works = runs * (np.arange(len(table)) < len(table) - 1)  # the gathering does no work
    begins = np.append(False, np.diff(stage) > 0)
    handed = np.where(begins, table.cut_elems, 0.0)
    elems = np.zeros((nodes, nodes, len(table)))
    for node in range(1, nodes):
        elems[node - 1, node] = np.where(stage == node, handed, 0.0)
    stored = np.where(table.mixes, table.in_elems, 0.0)
    again = np.full(len(table), False) if resend else stage == np.append(stage, -1)[_earlier(table)]
    dense = (nodes - 1) * stored.sum()
    return Plan(
        nodes=nodes,
        local=works,
        remote=np.zeros_like(works),
        in_share=works,
        out_share=works,
        exchange=PairExchange(elems, np.full((nodes, len(table)), np.inf)),
        chunk_features=np.zeros((1, len(table))),
        buffer_elems=np.zeros((1, len(table))),
        live_elems=runs * (table.live_elems - np.where(stage > 0, _handed_out(table), 0.0)),
        stored_elems=runs @ np.where(again, 0.0, stored),
        avg_s_comm=np.asarray(1.0 - handed.sum() / dense if nodes > 1 else 0.0),
        stage=stage,
    )
