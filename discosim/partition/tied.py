"""Which layers are better placed alike: their outputs meet in additions and multiplications.

What meets is aligned, so that features of a plain layer placed one by one would move to where whole
groups lie: the gates of squeeze-excite behind a grouped convolution.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from discosim.graph.layer import Layer
from discosim.graph.network import Network


@lru_cache(maxsize=64)
def tied_to(network: Network) -> Mapping[str, Layer]:
    """Return, by the names of layers without groups or heads, the layer whose units they take."""
    same: dict[str, str] = {}
    order = {layer.name: row for row, layer in enumerate(network.layers)}

    def first(name: str) -> str:
        while same.get(name, name) != name:
            name = same[name]
        return name

    for layer in network.layers:
        if layer.operator.placing == "aligns":
            makers = [_maker(network, tensor) for tensor in _full(network, layer)]
            names = sorted({first(each.name) for each in makers if each}, key=order.__getitem__)
            same |= dict.fromkeys(names, names[0] if names else "")
    classes: dict[str, list[Layer]] = {}
    for layer in network.layers:
        if layer.operator.placing == "mixes":
            classes.setdefault(first(layer.name), []).append(layer)
    found: dict[str, Layer] = {}
    for members in classes.values():
        units = next((each for each in members if _in_units(each)), None)
        if units is not None:
            found |= {each.name: units for each in members if not _in_units(each)}
    return found


def _in_units(layer: Layer) -> bool:
    return max(layer.groups, layer.heads) > 1


def _full(network: Network, layer: Layer) -> list[str]:
    """The operands with as many features as the output, which decide where it lies."""
    tensors = zip(network.operands(layer.name), layer.in_shapes, strict=True)
    return [tensor for tensor, shape in tensors if shape[0] == layer.out_features]


def _maker(network: Network, tensor: str) -> Layer | None:
    """The layer that places a tensor's features, where they have stayed what and where they are."""
    while not network.enters(tensor):
        layer: Layer = network.graph.nodes[tensor]["layer"]
        placing = layer.operator.placing
        if placing == "mixes" and layer.kind != "depthwise":
            return layer
        stays = layer.in_features == layer.out_features
        if placing == "carries" and stays:
            each = np.arange(layer.out_features)
            stays = bool((layer.operator.carry(layer, each) == each).all())
        elif placing not in ("mixes", "aligns"):
            return None
        operands = _full(network, layer) if placing == "aligns" else network.operands(tensor)
        if not stays or not operands:
            return None
        tensor = operands[0]
    return None
