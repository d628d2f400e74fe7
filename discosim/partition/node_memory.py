"""What a node holds under a plan: elements of parameters, and of features at once."""

import numpy as np

from discosim.graph.parameters import Parameter
from discosim.graph.table import Floats, LayerTable
from discosim.model import memory
from discosim.partition.plan import Plan

WRITTEN_OUT, FUSED = memory.ATTENTION


def weight_elems(table: LayerTable, plan: Plan) -> Floats:
    """Return the elements of parameters on each node, (..., R); one of several rows counts once."""
    weights, biases = table.own
    elems = memory.weight_elems(weights, biases, plan.weight_shares, plan.biases)
    if plan.shared_elems is not None:
        return elems + plan.shared_elems
    for _, each in shared_elems(table, plan):
        elems = elems + each
    return elems


def row_weight_elems(table: LayerTable, plan: Plan) -> Floats:
    """Return the parameters of each row on each node that no other row reads, (..., R, L)."""
    weights, biases = table.own
    rows: Floats = sum(plan.weight_shares) * weights + plan.biases * biases
    return rows


def shared_elems(table: LayerTable, plan: Plan) -> list[tuple[Parameter, Floats]]:
    """Return each parameter of several rows with its elements on each node, (..., R)."""
    return [(each, each.elems * _share(each, plan)) for each in table.shared]


def _share(parameter: Parameter, plan: Plan) -> Floats:
    """Share of a parameter on each node, (..., R): the union of what its rows need.

    Rows that read a matrix alike select alike. A table that is looked up is needed for the
    features that are made from it, as by a matrix that is read the other way round. What rows need
    of parts is added, up to all of it: where in the whole it lies is not known.
    """
    total: Floats = np.asarray(sum(plan.weight_shares))
    of_parts = sum(total[..., row] * (elems / parameter.elems) for row, elems in parameter.parts)
    share: Floats = np.minimum(1.0, _share_of_whole(parameter, plan) + of_parts)
    return share


def _share_of_whole(parameter: Parameter, plan: Plan) -> Floats:
    """The share that the rows need which read all of it."""
    straight, turned = list(parameter.as_weights), list(parameter.turned)
    looked_up = list(parameter.as_biases)
    total: Floats = np.asarray(sum(plan.weight_shares))
    shape = np.broadcast_shapes(total.shape, plan.biases.shape)
    total, out_share = np.broadcast_to(total, shape), np.broadcast_to(plan.biases, shape)
    if not straight:
        return memory.common_share(*(out_share[..., looked_up], total[..., :0]) * 2)
    others = np.concatenate([total[..., turned], out_share[..., looked_up]], axis=-1)
    return memory.common_share(
        total[..., straight],
        others,
        out_share[..., straight],
        out_share[..., turned + looked_up],
    )


def scratch_elems(table: LayerTable, plan: Plan, attention: str) -> Floats:
    """Return what each row takes in itself on each node, (..., R, L): scores go with the heads."""
    return plan.out_share * (table.scratch_elems if attention == WRITTEN_OUT else 0.0)


def peak_elems(table: LayerTable, plan: Plan, attention: str) -> Floats:
    """Return the most feature elements that each node holds at once, (..., R)."""
    scratch = scratch_elems(table, plan, attention)
    return memory.peak_elems(plan.live_elems, plan.buffer_elems, scratch)
