"""Weights of a network, keyed as a state_dict whose modules are called after the layers."""

from math import prod

import numpy as np
from numpy.typing import NDArray

from discosim.graph.network import Network
from discosim.masks.sub_rows import masked_layers, weight_name, weight_shape

Weights = dict[str, NDArray[np.float32]]


def random_weights(network: Network, seed: int = 0) -> Weights:
    """Return normal weights of variance 2 / fan-in, float32 (He et al., ICCV 2015, Eq. 10)."""
    draws = np.random.default_rng(seed)
    weights = {}
    for name, shape in weight_shapes(network).items():
        values = draws.standard_normal(shape, dtype=np.float32)
        values *= np.float32(np.sqrt(2.0 / prod(shape[1:])))
        weights[name] = values
    return weights


def weight_shapes(network: Network) -> dict[str, tuple[int, ...]]:
    """Return the weights that a network has, by name, in execution order, with their shapes."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in masked_layers(network):
        shapes.setdefault(weight_name(layer), weight_shape(layer))
    return shapes
