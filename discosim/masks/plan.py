"""The plan of a mask: what each node really gets and computes, pair by pair (masks.md)."""

from dataclasses import replace
from functools import lru_cache
from math import prod

import numpy as np

from discosim.graph.layer import Layer
from discosim.graph.parameters import Parameter
from discosim.graph.table import Floats, LayerTable
from discosim.masks.mask import Bools, Ints, Mask
from discosim.masks.measure import by_pair, connections
from discosim.masks.sent import sent_features
from discosim.masks.sub_rows import prunable
from discosim.partition import node_memory
from discosim.partition.layout import Layout, Shares
from discosim.partition.owned import owned_shares
from discosim.partition.pairs import exchange_of_pairs, largest_pair
from discosim.partition.plan import Conventions, Plan
from discosim.partition.split import ALWAYS, ONCE, SERVICE, split_as_placed
from discosim.partition.within_layer import as_plan, pairwise, with_rows

DENSE = np.ones((1, 1))


@lru_cache(maxsize=32)
def masked_plan(table: LayerTable, mask: Mask, conventions: Conventions) -> Plan:
    """Return the plan in which each node gets the features that `mask` keeps for it.

    Features are whole and lie where the mask's owners say, under either convention.
    """
    placed = split_as_placed(table, mask.owners, mask.nodes, True)
    layout = Layout(table, replace(conventions, whole=True), placed)
    unmasked = _unmasked(layout)
    shares = _masked(layout, unmasked, mask)
    plan = as_plan(layout, shares, _masked(layout, unmasked, _everything(table, mask)))
    return replace(plan, shared_elems=_shared_elems(table, mask, plan)) if table.shared else plan


def _shared_elems(table: LayerTable, mask: Mask, plan: Plan) -> Floats:
    """Elements of the parameters of several rows on each node: the union of what the rows keep."""
    elems = np.zeros(mask.nodes)
    for parameter, of_shares in node_memory.shared_elems(table, plan):
        if parameter.as_weights and not parameter.parts:
            elems += [_union(table, mask, parameter, node) for node in range(mask.nodes)]
        else:
            elems += of_shares
    return elems


def _union(table: LayerTable, mask: Mask, parameter: Parameter, node: int) -> int:
    """Elements of a weight that any row that reads it needs on a node."""
    first = table.rows[parameter.as_weights[0]]
    needed = np.zeros((first.out_features, first.in_features // first.groups), dtype=bool)
    for row in parameter.as_weights:
        needed |= _needed(table.rows[row], mask, node)
    for row in parameter.turned:
        needed |= _needed(table.rows[row], mask, node).T
    for row in parameter.as_biases:  # a table that is looked up, for the features made from it
        owner = mask.owners[table.name[row]]
        own = np.ones(table.rows[row].out_features, dtype=bool) if owner is None else owner == node
        needed |= own if len(own) == needed.shape[1] else own[:, None]
    return int(needed.sum()) * prod(first.kernel)


def _needed(layer: Layer, mask: Mask, node: int) -> Bools:
    """(O, I/groups): the connections that a layer makes on a node."""
    masked, width = mask.layers[layer.name], layer.in_features // layer.groups
    begin = np.arange(layer.out_features) * layer.groups // layer.out_features * width
    kept: Bools = masked.kept[node][begin[:, None] + np.arange(width)]
    needed: Bools = kept & (masked.out_owner == node)[:, None]
    return needed


def _unmasked(layout: Layout) -> Shares:
    """Rows that no mask changes: the first layer, operators that carry features, the gathering."""
    parts, service = layout.split, layout.conventions.service
    holds = {ALWAYS: True, SERVICE: service, ONCE: False}
    held = np.array([holds[when] for when in parts.when], dtype=bool)
    moved = held & ~layout.table.mixes[parts.counted]
    shares = owned_shares(layout, DENSE)
    return pairwise(layout, shares, DENSE, np.flatnonzero(moved)) if moved.any() else shares


def _masked(layout: Layout, shares: Shares, mask: Mask) -> Shares:
    """Replace the rows of layers whose input lies on the nodes by what the mask counts."""
    table = layout.table
    sent = sent_features(table.network, mask, resend=layout.conventions.resend)
    rows, pairs, distinct, local, remote = [], [], [], [], []
    for row, layer in enumerate(table.network.layers):
        masked = mask.layers.get(layer.name)
        if masked is None or masked.in_owner is None:
            continue
        each = by_pair(connections(layer, masked), masked.in_owner)
        macs = layer.in_features // layer.groups * layer.out_features
        rows.append(row)
        pairs.append(by_pair(sent[layer.name], masked.in_owner))
        distinct.append(_distinct(sent[layer.name], masked.in_owner))
        local.append(each.diagonal() / macs)
        remote.append((each.sum(0) - each.diagonal()) / macs)
    if not rows:
        return shares
    kept = np.stack(pairs, axis=-1)
    exchange = exchange_of_pairs(kept, np.stack(distinct, axis=-1), table.positions[rows])
    work = np.stack(local, axis=-1), np.stack(remote, axis=-1)
    return with_rows(shares, np.array(rows), exchange, work, largest_pair(kept))


def _distinct(sent: Bools, in_owner: Ints) -> Floats:
    """Features of each node that go to any other: what a broadcast carries, (N,)."""
    features: Floats = np.bincount(in_owner[sent.any(0)], minlength=len(sent)).astype(float)
    return features


def _everything(table: LayerTable, mask: Mask) -> Mask:
    """The mask that prunes nothing, on the same owners."""
    layers = {layer.name: layer for layer in table.network.layers if layer.name in mask.layers}
    full = {
        name: replace(
            masked,
            kept=masked.kept
            | prunable(layers[name], masked.in_owner, masked.out_owner, mask.nodes),
        )
        for name, masked in mask.layers.items()
    }
    return replace(mask, layers=full)
