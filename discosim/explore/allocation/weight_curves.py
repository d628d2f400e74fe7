"""What each layer loses, from the weights of a network."""

from collections.abc import Mapping

from discosim.explore.allocation.surrogate import Curve, Curves
from discosim.graph.network import Network
from discosim.masks.saliency import exact_curve
from discosim.masks.select import check_heads, find_candidates
from discosim.masks.sub_rows import Weight
from discosim.partition.placement import place


def weight_curves(
    network: Network, nodes: int, weights: Mapping[str, Weight], criterion: str = "l1"
) -> Curves:
    """Return a curve of each layer that mixes features: what it loses without its least sub-rows.

    What `masks.saliency` tells in whole sub-rows, with lines between them, as the traffic of
    fractional features is counted. `weights` are keyed as a state_dict. Raises DiscosimError
    where one is missing or has another shape, and for a criterion that wants more than weights.
    """
    check_heads(network, nodes)
    found = find_candidates(network, nodes, weights, criterion, place(network, nodes))
    return {each.layer.name: Curve(*exact_curve(each, criterion)) for each in found}
