"""Ways round a ring of nodes: what passes each of its links."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ring_hops(nodes: Floats | float) -> Floats:
    """Most messages over one direction of a link when all P of P nodes on a ring exchange.

    max(1, floor(P^2/4)/2): opposite nodes send half each way; two nodes share one link.
    """
    return np.maximum(1.0, np.floor(np.square(nodes) / 4) / 2)


def line_hops(nodes: Floats | float) -> Floats:
    """The same for P neighbours on a longer ring: floor(P^2/4) over the middle link."""
    return np.floor(np.square(nodes) / 4)


def ring_loads(between: Floats) -> tuple[Floats, Floats]:
    """Return the elements over each link of a ring, ahead and back, (..., links, L) each.

    between: (..., N, N, L). Link e joins nodes e and e + 1. A message takes the shorter way, one
    between opposite nodes goes half each way. Two nodes share one link.
    """
    nodes = between.shape[-2]
    if nodes < 3:
        ahead, back = between[..., :1, -1, :], between[..., -1:, 0, :]
        return ahead, back * (nodes > 1)
    shape = (*between.shape[:-3], nodes, between.shape[-1])
    ahead, back = np.zeros(shape), np.zeros(shape)
    node = np.arange(nodes)
    for step in range(1, nodes // 2 + 1):
        share = 0.5 if 2 * step == nodes else 1.0
        there = share * between[..., node, (node + step) % nodes, :]
        here = share * between[..., (node + step) % nodes, node, :]
        for passed in range(step):  # of the way from node i to i + step, the link i + passed
            ahead += np.roll(there, passed, axis=-2)
            back += np.roll(here, passed, axis=-2)
    return ahead, back
