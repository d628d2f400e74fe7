"""What each layer loses, from the weights of a network."""

from collections.abc import Mapping

import numpy as np

from discosim.explore.allocation.surrogate import Curve, Curves
from discosim.graph.network import Network
from discosim.masks.select import Candidates, check_heads, find_candidates
from discosim.masks.sub_rows import Weight
from discosim.partition.placement import place


def weight_curves(network: Network, nodes: int, weights: Mapping[str, Weight]) -> Curves:
    """Return a curve of each layer that mixes features: the L1 norms of its least sub-rows.

    What `masks.saliency` tells in whole sub-rows, with lines between them, as the traffic of
    fractional features is counted. `weights` are keyed as a state_dict. Raises DiscosimError
    where one is missing or has another shape.
    """
    check_heads(network, nodes)
    found = find_candidates(network, nodes, weights, "l1", place(network, nodes))
    return {each.layer.name: _curve(each) for each in found}


def _curve(candidates: Candidates) -> Curve:
    least = np.sort(candidates.norms[candidates.prunable]).astype(float)
    lost = np.concatenate([[0.0], np.cumsum(least)])
    return Curve(np.linspace(0.0, 1.0, len(lost)), lost)
