"""Tensors that several layers read from other nodes: who needs which features of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from discosim.graph.layer import Layer
from discosim.graph.table import Bools, Floats, Ints, LayerTable
from discosim.model.rounding import kept_features
from discosim.partition.placement import Owners
from discosim.partition.plan import Selection


@dataclass(frozen=True, eq=False)
class Readers:
    """The layers that read one tensor, and what each needs of other nodes.

    rows: (Q,), in execution order; counts: (N, C), the features of node i that are needed alike;
    needs: (Q, C, N), whether reader q on node j needs them. alike: whether every node needs every
    feature for each of them, so that no counting is needed.
    """

    rows: Ints
    counts: Floats
    needs: Bools
    alike: bool


def readers_of(
    table: LayerTable, owners: Mapping[str, Owners], nodes: int, whole: bool
) -> tuple[Readers, ...]:
    """Return the readers of each tensor that two layers or more read from other nodes.

    Without `whole`, features are fractions and every node has some of every output.
    """
    rows_of: dict[str, list[int]] = {}
    for row, layer in enumerate(table.network.layers):
        source = table.network.operands(layer.name)[0]
        if table.mixes[row] and layer.kind != "depthwise" and owners[source] is not None:
            rows_of.setdefault(source, []).append(row)
    found = [
        _readers(table, rows, owners[source], owners, nodes, whole)
        for source, rows in rows_of.items()
        if len(rows) > 1 and nodes > 1
    ]
    return tuple(readers for readers in found if len(readers.rows) > 1)


def _readers(
    table: LayerTable,
    rows: list[int],
    owner: Owners,
    owners: Mapping[str, Owners],
    nodes: int,
    whole: bool,
) -> Readers:
    assert owner is not None
    layers = [table.rows[row] for row in rows]
    active = np.array([np.bincount(_out(owners, x), minlength=nodes) > 0 for x in layers])
    counts = np.bincount(owner, minlength=nodes)[:, None].astype(float)
    if all(layer.groups == 1 for layer in layers):
        alike = not whole or bool(active.all())
        return Readers(np.array(rows), counts, active[:, None, :], alike)
    wants = np.stack([_wants(layer, owner, _out(owners, layer), nodes) for layer in layers])
    away = wants & (owner[:, None] != np.arange(nodes))
    used = away.any((1, 2))
    columns = wants[used].transpose(1, 0, 2).reshape(len(owner), -1)
    kinds, kind = np.unique(columns, axis=0, return_inverse=True)
    counts = np.zeros((nodes, len(kinds)))
    np.add.at(counts, (owner, kind.reshape(-1)), 1.0)
    needs = kinds.reshape(len(kinds), int(used.sum()), nodes).transpose(1, 0, 2)
    return Readers(np.array(rows)[used], counts, needs, alike=False)


def _out(owners: Mapping[str, Owners], layer: Layer) -> Ints:
    out = owners[layer.name]
    assert out is not None
    return out


def _wants(layer: Layer, owner: Ints, out: Ints, nodes: int) -> Bools:
    """(F, N): whether a node's outputs depend on a feature."""
    reached = np.zeros((layer.groups, nodes), dtype=bool)
    reached[np.arange(len(out)) * layer.groups // len(out), out] = True
    group_of: Ints = np.arange(len(owner)) * layer.groups // len(owner)
    wants: Bools = np.take(reached, group_of, axis=0)
    return wants


def union_share(shares: Floats, selection: Selection) -> Floats:
    """Return the share of the features that some reader selects, (...) of (..., Q).

    Of independent selections it is the expected one, 1 - prod(1 - d) (model.md section 1).
    """
    if selection is Selection.COMMON:
        largest: Floats = shares.max(-1)
        return largest
    if selection is Selection.APART:
        most: Floats = np.minimum(1.0, shares.sum(-1))
        return most
    either: Floats = 1.0 - (1.0 - shares).prod(-1)
    alone: Floats = np.where((shares > 0).sum(-1) == 1, shares.max(-1), either)
    return alone


def sent_to_readers(
    readers: Readers, kept: Floats, needed: Floats, selection: Selection, whole: bool
) -> Floats:
    """Return what is sent once for all readers, (..., N, N), from what each of them keeps.

    kept, needed: (..., N, N, Q), features of node i that each reader on node j keeps, needs.
    """
    share = np.divide(kept, needed, out=np.zeros_like(kept + needed), where=needed > 0)
    sent = np.zeros(share.shape[:-1])
    for kind in range(readers.counts.shape[1]):
        selected = share * readers.needs[:, kind].T
        sent += readers.counts[:, kind, None] * union_share(selected, selection)
    return kept_features(1.0, sent) if whole else sent
