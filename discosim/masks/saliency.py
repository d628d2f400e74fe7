"""What pruning costs: the share of a layer's L1 norm that is lost at each S_comm."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from discosim.graph.builder import Network
from discosim.graph.placement import Owners, place
from discosim.masks.select import Candidates, check_heads, find_candidates, pruned_count
from discosim.masks.sub_rows import Floats, Weight


def saliency_curves(
    network: Network,
    nodes: int,
    weights: Mapping[str, Weight],
    s_comm: ArrayLike,
    owners: Mapping[str, Owners] | None = None,
) -> dict[str, Floats]:
    """Return the lost share of each layer's L1 norm at each of `s_comm` (K,), by layer name.

    What `select` loses there per layer: 1 - retained_l1. Convex and rising but for the rounding
    to whole features; zero where a layer's input is on every node. Raises DiscosimError as
    `select` does.
    """
    check_heads(network, nodes)
    held = place(network, nodes) if owners is None else owners
    found = find_candidates(network, nodes, weights, "l1", held)
    return {each.layer.name: saliency_curve(each, s_comm) for each in found}


def saliency_curve(candidates: Candidates, s_comm: ArrayLike) -> Floats:
    """Return the share of a layer's norm in the sub-rows pruned at each of `s_comm`, (K,)."""
    least = np.sort(candidates.norms[candidates.prunable])
    lost = np.concatenate([[0.0], np.cumsum(least)])
    pruned = [pruned_count(len(least), float(s)) for s in np.atleast_1d(np.asarray(s_comm))]
    whole = candidates.norms.sum()
    shares: Floats = lost[pruned] / whole if whole else np.zeros(len(pruned))
    return shares
