"""What pruning costs: the L1 norm that a layer loses at each S_comm."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from discosim.graph.network import Network
from discosim.masks.select import Candidates, check_heads, find_candidates, pruned_count
from discosim.masks.sub_rows import Floats, Weight
from discosim.partition.placement import Owners, place

LEVELS = np.linspace(0.0, 1.0, 101)
"""S_comm at which a mask file says what each layer loses."""


def saliency_curves(
    network: Network,
    nodes: int,
    weights: Mapping[str, Weight],
    s_comm: ArrayLike = LEVELS,
    owners: Mapping[str, Owners] | None = None,
) -> dict[str, Floats]:
    """Return the L1 norm that each layer loses at each of `s_comm`, (K,), by layer name.

    What `select` prunes there per layer. Convex and rising but for the rounding to whole
    features; zero where a layer's input is on every node. Raises DiscosimError as `select` does.
    """
    check_heads(network, nodes)
    held = place(network, nodes) if owners is None else owners
    found = find_candidates(network, nodes, weights, "l1", held)
    return {each.layer.name: saliency_curve(each, s_comm) for each in found}


def saliency_curve(candidates: Candidates, s_comm: ArrayLike) -> Floats:
    """Return the norm of the sub-rows pruned at each of `s_comm`, (K,)."""
    least = np.sort(candidates.norms[candidates.prunable])
    lost = np.concatenate([[0.0], np.cumsum(least)])
    pruned = [pruned_count(len(least), float(s)) for s in np.atleast_1d(np.asarray(s_comm))]
    norms: Floats = lost[pruned]
    return norms
