"""What a mask keeps, counted: features of each ordered pair, work of each node, L1 norm."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.masks.mask import Bools, Ints, LayerMask, Mask
from discosim.masks.sub_rows import (
    Floats,
    Weight,
    masked_layers,
    prunable,
    reached,
    sub_row_norms,
    weight_of,
)


def by_pair(of_reader: NDArray[np.generic], in_owner: Ints) -> Floats:
    """Return (N, N) sums at [i, j] of `of_reader` (N, I) of node j over the features of node i."""
    nodes = len(of_reader)
    owned = (in_owner == np.arange(nodes)[:, None]).astype(np.float64)
    summed: Floats = owned @ of_reader.T.astype(np.float64)
    return summed


def needed_pairs(layer: Layer, mask: LayerMask) -> Floats:
    """Return the features of node i that dense would send to node j, (N, N)."""
    nodes = len(mask.kept)
    if mask.in_owner is None:
        return np.zeros((nodes, nodes))
    return by_pair(prunable(layer, mask.in_owner, mask.out_owner, nodes), mask.in_owner)


def kept_pairs(mask: LayerMask) -> Floats:
    """Return the features of node i that node j gets, (N, N); the diagonal is zero."""
    nodes = len(mask.kept)
    if mask.in_owner is None:
        return np.zeros((nodes, nodes))
    pairs = by_pair(mask.kept, mask.in_owner)
    np.fill_diagonal(pairs, 0.0)
    return pairs


def connections(layer: Layer, mask: LayerMask) -> Ints:
    """Return how many outputs each node computes from each input feature, (N, I)."""
    outputs: Ints = reached(layer, mask.out_owner, len(mask.kept)) * mask.kept
    return outputs


def lost_share(norms: Floats, may_prune: Bools, kept: Bools) -> float:
    """Return the share of all norm that lies in pruned sub-rows."""
    whole = norms.sum()
    return float(norms[may_prune & ~kept].sum() / whole) if whole else 0.0


@dataclass(frozen=True, eq=False)
class LayerFigures:
    """One layer under a mask.

    pairs: features of node i that node j gets, (N, N). s_comm: features not sent over those that
    dense would send; s_comp: MACs not computed, over all nodes and of the busiest one.
    retained_l1, l1: the share of the weights' L1 norm that is kept, and that norm.
    """

    layer: Layer
    pairs: Floats
    s_comm: float
    s_comp: float
    s_comp_worst: float
    retained_l1: float
    l1: float


def figures(
    network: Network, mask: Mask, weights: Mapping[str, Weight]
) -> tuple[LayerFigures, ...]:
    """Return what the mask keeps in each layer, in execution order."""
    return tuple(
        _layer_figures(layer, mask.layers[layer.name], weight_of(layer, weights))
        for layer in masked_layers(network)
    )


def retained_share(layers: tuple[LayerFigures, ...]) -> float:
    """Return the share of the L1 norm of all layers' weights that is kept."""
    whole = sum(layer.l1 for layer in layers)
    return sum(layer.retained_l1 * layer.l1 for layer in layers) / whole if whole else 1.0


def _layer_figures(layer: Layer, mask: LayerMask, weight: Weight) -> LayerFigures:
    nodes = len(mask.kept)
    pairs, needed = kept_pairs(mask), needed_pairs(layer, mask).sum()
    dense = reached(layer, mask.out_owner, nodes).sum(1)
    computed = connections(layer, mask).sum(1)
    busiest = computed.argmax()
    norms = sub_row_norms(layer, weight, mask.out_owner, nodes)
    may = prunable(layer, mask.in_owner, mask.out_owner, nodes)
    return LayerFigures(
        layer=layer,
        pairs=pairs,
        s_comm=float(1.0 - pairs.sum() / needed) if needed else 0.0,
        s_comp=float(1.0 - computed.sum() / dense.sum()),
        s_comp_worst=float(1.0 - computed[busiest] / dense[busiest]),
        retained_l1=1.0 - lost_share(norms, may, mask.kept),
        l1=float(norms.sum()),
    )
