"""How much of a layer's work, weights and biases each node has, and what waits for messages."""

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from discosim.graph.layer import Layer
from discosim.graph.reach import rows_of
from discosim.graph.table import Bools, Floats, Ints
from discosim.partition.held import Held
from discosim.partition.kinds import Choice, Kind
from discosim.partition.messages import Round
from discosim.partition.needs import Nodes, members_of, own_inputs, own_rows, reached
from discosim.partition.split import shared_groups

if TYPE_CHECKING:
    from discosim.partition.lay import Read


def shares_of(
    on: Nodes, layer: Layer, operands: tuple[Held, ...], choice: Choice, out: Held, rows: Ints
) -> tuple[Floats, Floats, Floats]:
    """Shares (N,) of the work, of the weights and of the biases."""
    ones = np.ones(on.nodes)
    match choice.kind:
        case Kind.WHOLE:
            return ones, ones, ones
        case Kind.ONE:
            mine = (np.arange(on.nodes) == choice.node).astype(float)
            return mine, mine, mine
        case Kind.INPUTS:
            own = own_inputs(on, layer, operands[0]).sum(1) / layer.in_features
            own = own if on.whole else ones / on.nodes
            first = np.arange(on.nodes) == np.argmax(own > 0)
            return own, own, first.astype(float)
        case Kind.OUTPUTS:
            share = out.feature_counts(on.whole) / layer.out_features
            if layer.name in on.named:
                some = _named_share(layer, on.named[layer.name], np.asarray(out.owners))
                return some, some, share
            return share, share, share
    if rows_of(layer.out_shape) == 1 and out.layout in ("parts", "features"):
        rows = own_rows(on, operands[0])
        count = operands[0].row_count
    else:
        count = rows_of(layer.out_shape)
    share = (rows[:, 1] - rows[:, 0]) / count
    low, high = choice.everywhere
    beside = (high - low) / layer.out_features
    share = share * (1 - beside) + beside
    some = (share > 0).astype(float)
    return share, some, some


def _named_share(layer: Layer, features: Bools, owners: Ints) -> Floats:
    """The part of a layer's weights that connects named features with outputs of each node."""
    outputs = np.zeros((len(features), layer.groups))
    group = np.arange(layer.out_features) * layer.groups // layer.out_features
    np.add.at(outputs, (owners, group), 1.0)
    inputs = features.reshape(len(features), layer.groups, -1).sum(2)
    width = layer.in_features // layer.groups
    part: Floats = (outputs * inputs).sum(1) / (layer.out_features * width)
    return part


def at_home(
    on: Nodes, layer: Layer, choice: Choice, reads: "tuple[Read, ...]", rows: Ints
) -> Floats:
    """The part of each node's work for which it has all operands without an exchange."""
    lacks = np.any([read.missing > 0 for read in reads], axis=0)
    if not lacks.any():
        return np.ones(on.nodes)
    if choice.plain_rows:
        return np.where(lacks, _rows_at_home(layer, reads, rows), 1.0)
    read = reads[0]
    if layer.operator.placing != "mixes" or read.before.layout == "parts":
        return np.where(lacks, 0.0, 1.0)
    had = 1.0 - np.divide(read.missing, read.needed, out=np.zeros(on.nodes), where=read.needed > 0)
    return np.where(lacks, had, 1.0)


def _rows_at_home(layer: Layer, reads: "tuple[Read, ...]", rows: Ints) -> Floats:
    """The part of the rows that a node computes whose windows lie in what it has."""
    each = one_by_one(rows_of(layer.out_shape))
    home = (rows[:, :1] <= each[:, 0]) & (each[:, 0] < rows[:, 1:])
    total = np.maximum(1, home.sum(1))
    for operand, read in enumerate(reads):
        held = read.before
        if not read.missing.any():
            continue
        if held.layout == "parts" or held.owners is not None:
            home &= ~(read.missing > 0)[:, None]
            continue
        home &= lie_inside(held.held, reached(layer, operand, held, each))
    part: Floats = home.sum(1) / total
    return part


def one_by_one(count: int) -> Ints:
    """Return each of `count` rows as a range, (count, 2)."""
    return np.stack([np.arange(count), np.arange(1, count + 1)], axis=-1)


def lie_inside(held: Ints, windows: Ints) -> Bools:
    """Return which windows, (rows, 2), lie in what nodes hold, (..., N, 2): (..., N, rows)."""
    inside: Bools = (held[..., :1] <= windows[:, 0]) & (windows[:, 1] <= held[..., 1:])
    return inside


def kept(on: Nodes, layer: Layer, held: Held, choice: Choice, out: Held) -> Floats:
    """Return the part of a node's MACs that does not hang on what S_comm leaves out."""
    sparse = choice.sparse and choice.kind is Kind.OUTPUTS and layer.operator.placing == "mixes"
    if not sparse or held.layout == "whole" or layer.name in on.named:
        return np.ones(on.nodes)
    if layer.groups == 1 and not on.whole:
        return np.full(on.nodes, 1.0 / on.nodes)
    own = own_inputs(on, layer, held)
    used = np.ones_like(own)
    if layer.groups > 1 and out.owners is not None:
        used = members_of(layer, 0, out.owners, on.nodes)
    part: Floats = (own & used).sum(1) / np.maximum(1, used.sum(1))
    return part


def statistics_of(on: Nodes, layer: Layer, choice: Choice, held: Held, out: Held) -> Round | None:
    """Return the scalars that each node with a part of the operand sends each other one.

    A norm over features that lie on several nodes needs those of each position, a norm over
    positions that lie on several nodes those of each group of features, and so does one over a
    group of features that lies on several.
    """
    scalars = 0
    apart = choice.kind is Kind.OUTPUTS and out.owners is not None and held.layout != "whole"
    if apart and layer.operator.row_statistics:
        owners = out.owners if held.owners is None else held.owners
        shared = layer.operator.row_statistics * shared_groups(layer, owners, on.nodes)
        return _scalars(shared) if shared.any() else None
    if apart and out.owners is not None:
        scalars = layer.operator.statistics * prod(layer.in_shape[1:])
        has = np.bincount(out.owners, minlength=on.nodes) > 0
    elif choice.kind is Kind.ROWS and out.layout == "rows":
        scalars = layer.operator.row_statistics * layer.groups
        has = out.rows[:, 1] > out.rows[:, 0]
    if not scalars or on.nodes == 1:
        return None
    pairs = scalars * (has[:, None] & has[None] & ~np.eye(on.nodes, dtype=bool)).astype(float)
    return _scalars(pairs)


def _scalars(pairs: Floats) -> Round:
    none = np.zeros_like(pairs)
    return Round("statistics", pairs, none, (pairs > 0).astype(float), none, list)
