"""Memory of a node: elements of weights and of features."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def weight_elems(
    weights: Floats, biases: Floats, local: Floats, remote: Floats, out_share: Floats
) -> Floats:
    """Parameters on a node: kernel entries go with the MACs, biases and norms with the outputs."""
    elems: Floats = local @ weights + remote @ weights + out_share @ biases
    return elems


def peak_elems(live_elems: Floats, buffer_elems: Floats) -> Floats:
    """The most feature elements that a node holds at once, received buffers included."""
    elems: Floats = (live_elems + buffer_elems).max(axis=-1)
    return elems
