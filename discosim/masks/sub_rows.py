"""Sub-rows of a layer's weights: what connects one input feature with the outputs of one node.

The paper's mask matrix M has I x O entries, one a kernel; a sub-row is 1 x O/N of them
(Section III-B). Nothing here assumes that features lie in blocks: owners say where they are.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from discosim.errors import DiscosimError
from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.masks.mask import Bools, Ints
from discosim.partition.placement import Owners

Floats = NDArray[np.float64]
Weight = NDArray[Any]
"""(O, I/groups, *kernel)."""


def masked_layers(network: Network) -> tuple[Layer, ...]:
    """Return the convolutions and linear layers, in execution order."""
    return tuple(layer for layer in network.layers if layer.operator.placing == "mixes")


def weight_name(layer: Layer) -> str:
    """Return the name of a layer's weight in a state_dict, that of its first reader if shared."""
    return layer.weight or f"{layer.name}.weight"


def weight_shape(layer: Layer) -> tuple[int, ...]:
    """Return (O, I/groups, *kernel)."""
    return (layer.out_features, layer.in_features // layer.groups, *layer.kernel)


def weight_of(layer: Layer, weights: Mapping[str, Weight]) -> Weight:
    """Return a layer's weight; raises DiscosimError where it is missing or has another shape."""
    name, wanted = weight_name(layer), weight_shape(layer)
    if name not in weights:
        raise DiscosimError(f"no weight {name}; wanted one of shape {wanted}")
    if layer.weight and weights[name].shape == wanted[::-1]:  # read the other way round
        return weights[name].T
    if weights[name].shape != wanted:
        raise DiscosimError(f"weight {name} has shape {weights[name].shape}, wanted {wanted}")
    return weights[name]


def reached(layer: Layer, out_owner: Ints, nodes: int) -> Ints:
    """Return how many outputs of each node depend on each input feature, (N, I)."""
    groups = layer.groups
    counts = np.zeros((nodes, groups), dtype=np.int64)
    np.add.at(counts, (out_owner, np.arange(len(out_owner)) * groups // len(out_owner)), 1)
    return np.repeat(counts, layer.in_features // groups, axis=1)


def prunable(layer: Layer, in_owner: Owners, out_owner: Ints, nodes: int) -> Bools:
    """Return which sub-rows are off the diagonal and have weights, (N, I).

    Only these may be pruned: a node's own features are always there, and a feature whose group
    has no output on a node is never sent to it.
    """
    if in_owner is None:
        return np.zeros((nodes, layer.in_features), dtype=bool)
    away = in_owner != np.arange(nodes)[:, None]
    may: Bools = away & (reached(layer, out_owner, nodes) > 0)
    return may


def sub_row_norms(
    layer: Layer, weight: Weight, out_owner: Ints, nodes: int, order: int = 1
) -> Floats:
    """Return the norm of each sub-row, (N, I): L1 (the paper's Section III-C) or L2."""
    size = np.abs if order == 1 else np.square
    groups, inputs = layer.groups, layer.in_features // layer.groups
    sums = np.zeros((nodes * groups, inputs))
    block = out_owner * groups + np.arange(len(out_owner)) * groups // len(out_owner)
    outputs = np.argsort(block, kind="stable")
    present, begins = np.unique(block[outputs], return_index=True)
    for at, rows in zip(present, np.split(outputs, begins[1:]), strict=True):
        together = rows[-1] - rows[0] == len(rows) - 1  # then a view does, without a copy
        part = weight[rows[0] : rows[-1] + 1] if together else weight[rows]
        each = size(part).reshape(len(rows), -1).sum(0, dtype=np.float64)
        sums[at] = each.reshape(inputs, -1).sum(1)
    norms = sums.reshape(nodes, layer.in_features)
    return norms if order == 1 else np.sqrt(norms)
