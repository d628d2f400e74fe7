"""Which node holds which feature of every tensor, carried through the graph."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from discosim.graph.layer import Layer
from discosim.graph.network import Network
from discosim.partition.tied import tied_to

Owners = NDArray[np.int64] | None
"""The node that owns each feature of a tensor; None where every node holds all of it."""


def contiguous(features: int, nodes: int) -> NDArray[np.int64]:
    """Return owners in contiguous blocks that differ by at most one; idle nodes come last."""
    sizes = features // nodes + (np.arange(nodes) < features % nodes)
    return np.repeat(np.arange(nodes), sizes)


def place(
    network: Network,
    nodes: int,
    chosen: Mapping[str, NDArray[np.int64]] | None = None,
    *,
    shared: bool = False,
) -> dict[str, Owners]:
    """Return the owners of every tensor's features, by the rules of each operator.

    `chosen` gives those of the outputs of some layers that place them anew, by name; the others
    are in contiguous blocks. `shared`: fewer groups than nodes are shared by them where they
    divide the nodes (model.md section 1); otherwise groups are whole.
    """
    owners: dict[str, Owners] = {name: None for name, _ in network.inputs}
    for layer in network.layers:
        if chosen is not None and layer.name in chosen:
            owners[layer.name] = chosen[layer.name]
            continue
        operands = [owners[tensor] for tensor in network.operands(layer.name)]
        owners[layer.name] = place_output(network, layer, operands, nodes, shared=shared)
    return owners


def place_output(
    network: Network, layer: Layer, operands: list[Owners], nodes: int, *, shared: bool = False
) -> Owners:
    """Return the owners of a layer's output features where its operands' lie so.

    Outputs that meet others in additions or multiplications are placed in the units of those.
    """
    first = operands[0]
    match layer.operator.placing:
        case "mixes":
            if layer.kind == "depthwise" and first is not None:
                return np.repeat(first, layer.out_features // layer.groups)
            like = tied_to(network).get(layer.name, layer)
            parts = parts_of(network, like)
            features = layer.out_features // parts
            groups = 1 if shared and nodes % like.groups == 0 else like.groups
            whole = max(groups, like.heads)
            units = whole if whole > 1 else features
            return np.tile(np.repeat(contiguous(units, nodes), features // units), parts)
        case "carries":
            if first is None:
                return None
            return first[layer.operator.carry(layer, np.arange(layer.out_features))]
        case "aligns":
            return _aligned(layer, operands, nodes)
        case "reduces":
            return None
        case "looks-up" | "exchanges":
            return contiguous(layer.out_features, nodes)
        case "joins":
            if all(operand is None for operand in operands):
                return None
            sizes = [shape[0] for shape in layer.in_shapes]
            return np.concatenate(
                [
                    contiguous(size, nodes) if operand is None else operand
                    for size, operand in zip(sizes, operands, strict=True)
                ]
            )


def _aligned(layer: Layer, operands: list[Owners], nodes: int) -> Owners:
    """The first placed operand's owners; one with fewer features than the output has no say."""
    placed = [operand for operand in operands if operand is not None]
    full = [operand for operand in placed if len(operand) == layer.out_features]
    if placed and not full:
        return contiguous(layer.out_features, nodes)
    return full[0] if full else None


def parts_of(network: Network, layer: Layer) -> int:
    """Return how many tensors stand side by side in an output of q, k and v."""
    if layer.heads == 1 or layer.parts:
        return max(1, layer.parts)
    readers = [network.graph.nodes[name]["layer"] for name in network.graph.successors(layer.name)]
    widths = [reader.out_features for reader in readers if reader.op == "attention"]
    return max(1, layer.out_features // widths[0]) if widths else 1
