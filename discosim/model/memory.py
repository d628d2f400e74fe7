"""Memory of a node: elements of weights and of features."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


ATTENTION = ("written-out", "fused")
"""Whether attention's scores are in memory, or made and used up piece by piece in one kernel."""

WORKSPACE = 2.6
"""The most that runtimes were seen to hold, over the features that they need at once; the least
was 1.25 (convolutional networks and transformers in eager torch, docs/model.md)."""


def weight_elems(
    weights: Floats, biases: Floats, weight_shares: Sequence[Floats], bias_share: Floats
) -> Floats:
    """Parameters on a node: its shares, added up, of kernel entries, and of biases and norms."""
    elems: Floats = sum(share @ weights for share in weight_shares) + bias_share @ biases
    return elems


def common_share(
    straight: Floats, turned: Floats, straight_out: Floats, turned_out: Floats
) -> Floats:
    """Share of a parameter that a node needs for all rows that read it, (..., R).

    straight: what rows need of it that read it one way, (..., R, K): for the outputs of the node,
    the share straight_out of all, some of the inputs, its own among them; of these the largest.
    turned: rows that read it the other way round, with turned_out of the outputs. Both need what
    connects the features of the node in one with those in the other: that counts once.
    """
    one, other = _most(straight), _most(turned)
    share: Floats = np.minimum(1.0, one + other - _most(straight_out) * _most(turned_out))
    return share


def _most(shares: Floats) -> Floats:
    most: Floats = shares.max(axis=-1, initial=0.0)
    return most


def peak_elems(live_elems: Floats, buffer_elems: Floats, scratch_elems: Floats) -> Floats:
    """The most feature elements that a node holds at once, received and inner ones included."""
    elems: Floats = (live_elems + buffer_elems + scratch_elems).max(axis=-1)
    return elems


def beyond_fast(weight_bytes: Floats, fast_bytes: float, spill_Bps: float | None) -> Bools:
    """Return whether weights are more than the fast memory of a node that has a slower one."""
    return (np.asarray(weight_bytes) > fast_bytes) & (spill_Bps is not None)


def fits_word(
    node_bytes: Floats,
    feature_bytes: Floats,
    memory_bytes: Floats | float,
    workspace: float | None,
    beyond: Bools | bool = False,
) -> NDArray[np.str_]:
    """Return yes, spills, tight or no: whether a node that needs node_bytes at least fits.

    tight: it fits, but not with `workspace` times its features (docs/model.md); where a profile
    states none, with what runtimes were seen to take. spills: it fits, with weights `beyond` its
    fast memory.
    """
    factor = WORKSPACE if workspace is None else workspace
    most = node_bytes + (factor - 1.0) * feature_bytes
    words: NDArray[np.str_] = np.where(
        node_bytes > memory_bytes,
        "no",
        np.where(most > memory_bytes, "tight", np.where(beyond, "spills", "yes")),
    )
    return words
