"""Memory of a node: elements of weights and of features."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def weight_elems(
    weights: Floats, biases: Floats, weight_shares: Sequence[Floats], bias_share: Floats
) -> Floats:
    """Parameters on a node: its shares, added up, of kernel entries, and of biases and norms."""
    elems: Floats = sum(share @ weights for share in weight_shares) + bias_share @ biases
    return elems


def peak_elems(live_elems: Floats, buffer_elems: Floats) -> Floats:
    """The most feature elements that a node holds at once, received buffers included."""
    elems: Floats = (live_elems + buffer_elems).max(axis=-1)
    return elems
