"""A mask: which features of each layer's input every node gets, and where features live."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LayerMask:
    """The sub-rows of one convolution or linear layer that are kept (paper, Section III-B).

    The sub-row (p, i) is what connects input feature i with the outputs that node p owns;
    kept, (N, I), says whether p computes with it. A node's own features are always kept, and
    where the input is replicated all are. in_owner, (I,), is None where the input is replicated;
    out_owner, (O,), is the node of each output feature.
    """

    layer: str
    kept: Bools
    in_owner: Ints | None
    out_owner: Ints


@dataclass(frozen=True, eq=False)
class Mask:
    """Masks of all layers of a network that connect features, by layer name, in their order.

    owners: the node of each feature of every tensor of the graph, None where replicated
    (`graph.placement.place`, or a searched placement). weights and criterion say in words where
    the mask came from. curves: by criterion and layer, what is lost at S_comm 0, 0.01, … 1, (101,).
    scores: by layer, (N, I), what `scored_by` measured on inputs, whose digests are `used`.
    """

    model: str
    input_shape: tuple[int, ...]
    nodes: int
    layers: Mapping[str, LayerMask]
    owners: Mapping[str, Ints | None]
    weights: str
    criterion: str
    curves: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)
    scores: Mapping[str, Floats] = field(default_factory=dict)
    scored_by: str = ""
    used: tuple[str, ...] = ()
