"""Pipeline plans: contiguous stages, one node each, found by dynamic programming."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from discosim.errors import DiscosimError
from discosim.graph.table import Bools, Floats, Ints, LayerTable
from discosim.model.traffic import Exchange
from discosim.partition.node_memory import WRITTEN_OUT
from discosim.partition.plan import Features, Objective, Plan
from discosim.strategies.strategy import strategy

if TYPE_CHECKING:
    from discosim.configuration import Configuration

FEW = 8
"""Stages up to which the cuts are found at once."""


@strategy("pipeline", "contiguous stages of whole layers, one node each", staged=True, exact=True)
def pipeline(given: "Configuration") -> Plan:
    """Return the plan with the stages that are best for the objective."""
    node = given.hardware
    sizes = float(node.feature_elem_bytes), float(node.weight_elem_bytes)
    counted = given.features, node.attention
    return staged_plan(
        given.table, stages(given.table, given.nodes, given.objective, *sizes, *counted)
    )


@lru_cache(maxsize=256)
def stages(
    table: LayerTable,
    nodes: int,
    objective: Objective,
    feature_elem_bytes: float,
    weight_elem_bytes: float,
    features: Features,
    attention: str = WRITTEN_OUT,
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
    sizes = feature_elem_bytes, weight_elem_bytes
    begins = _begins(table, upto, objective, *sizes, features, attention)
    return _stages(begins[: nodes - 1], len(table))


@lru_cache(maxsize=64)
def _begins(
    table: LayerTable,
    nodes: int,
    objective: Objective,
    feature_elem_bytes: float,
    weight_elem_bytes: float,
    features: Features,
    attention: str,
) -> list[Ints]:
    """Where the last of 2, 3, ... `nodes` stages begins at best, for each row that it ends with."""
    node_bytes = _range_bytes(table, feature_elem_bytes, weight_elem_bytes, features, attention)
    allowed = _holds_a_layer(table.mixes)
    if objective == Objective.MEMORY:
        return _best_cuts(np.where(allowed, node_bytes, np.inf), nodes, np.maximum)
    handed = table.cut_elems[:, None] * np.ones_like(node_bytes)  # on entry to the range
    handed[0] = 0.0
    return _best_cuts(np.where(allowed, handed, np.inf), nodes, np.add)


def _range_bytes(
    table: LayerTable,
    feature_elem_bytes: float,
    weight_elem_bytes: float,
    features: Features,
    attention: str,
) -> Floats:
    """Bytes of a node that executes the rows from i to j, (L, L) at [i, j]."""
    weights = _range_params(table) * weight_elem_bytes
    if features == Features.ALL:
        inputs = np.where(table.mixes, table.in_elems, 0.0)
        held = np.concatenate([[0.0], np.cumsum(inputs)])
        kept = held[None, 1:] - held[:-1, None]
    else:
        taken = table.live_elems + table.scratch_elems * (attention == WRITTEN_OUT)
        live = np.broadcast_to(taken, (len(table), len(table)))
        kept = np.maximum.accumulate(np.triu(live), axis=1)
    return np.triu(weights + kept * feature_elem_bytes)


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


def _holds_a_layer(mixes: Bools) -> Bools:
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
        best = candidates.min(axis=0)
    return begins


def _stages(begins: list[Ints], rows: int) -> Ints:
    """The stage of each row, read back from where the stages begin."""
    stage = np.zeros(rows, dtype=np.int64)
    end = rows - 1
    for index, begin in reversed(list(enumerate(begins, start=1))):
        stage[begin[end] : end + 1] = index
        end = begin[end] - 1
    return stage


def staged_plan(table: LayerTable, stage: Ints) -> Plan:
    """Return the plan in which row l is executed whole by node `stage[l]`.

    Between two stages all live tensors are handed on, those that cross several cuts again.
    """
    nodes = int(stage[-1]) + 1
    runs = (stage == np.arange(nodes)[:, None]).astype(float)
    works = runs * (np.arange(len(table)) < len(table) - 1)  # the gathering does no work
    begins = np.append(False, np.diff(stage) > 0)
    handed = np.where(begins, table.cut_elems, 0.0)[None]
    once = begins[None].astype(float)
    receives = runs * handed
    sends = np.roll(runs, -1, axis=0) * handed  # node r hands on to r + 1
    stored = np.where(table.mixes, table.in_elems, 0.0)
    dense = (nodes - 1) * stored.sum()
    return Plan(
        nodes=nodes,
        local=works,
        remote=np.zeros_like(works),
        in_share=works,
        out_share=works,
        exchange=Exchange(
            sent=sends,
            received=receives,
            union=sends,
            send_peers=(sends > 0.0).astype(float),
            recv_peers=(receives > 0.0).astype(float),
            pair=handed,
            link=handed,
            total=handed,
            total_union=handed,
            total_messages=once,
            senders=once,
            ring=handed,
            ring_steps=once,
        ),
        chunk_features=np.zeros_like(handed),
        buffer_elems=np.zeros_like(handed),
        live_elems=runs * table.live_elems,
        stored_elems=runs @ stored,
        avg_s_comm=np.asarray(1.0 - handed.sum() / dense if nodes > 1 else 0.0),
        stage=stage,
    )
