"""Exchanges in closed form: all nodes alike, or each sends every other one the same.

Nothing is counted pair by pair; `PairExchange` is the same, counted.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from discosim.model.exchange import Exchange, itself, largest
from discosim.model.ring import line_hops, ring_hops, ring_loads

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EvenExchange(Exchange):
    """The Exchange in which each of `peers` nodes sends `message` elements to each other one.

    message: (..., 1, L); peers: (L,), neighbours that exchange; own: elements of each node, (L,).
    """

    message: Floats
    peers: Floats
    own: Floats
    count: int

    @property
    def nodes(self) -> int:
        """N."""
        return self.count

    @property
    def between(self) -> Floats:
        """Elements from node i to node j: `message` within a group of peers."""
        group = np.arange(self.nodes)[:, None] // self.peers
        together = (group[:, None] == group[None]) & ~np.eye(self.nodes, dtype=bool)[..., None]
        elems: Floats = self.message[..., None, :, :] * together
        return elems

    @cached_property
    def sent(self) -> Floats:
        """Elements that a node sends: P - 1 times m."""
        return (self.peers - 1) * self.message

    @property
    def received(self) -> Floats:
        """Elements that a node receives: as many."""
        return self.sent

    @property
    def union(self) -> Floats:
        """Distinct elements that a node sends, at most: the selections need not be nested."""
        return np.minimum(self.own, self.sent)

    @cached_property
    def send_peers(self) -> Floats:
        """Nodes that a node sends to."""
        return np.where(self.message > 0, self.peers - 1, 0.0)

    @property
    def recv_peers(self) -> Floats:
        """Nodes that a node receives from: as many."""
        return self.send_peers

    @property
    def pair(self) -> Floats:
        """Elements of each ordered pair of peers."""
        return self.message

    @property
    def link(self) -> Floats:
        """Elements between two nodes, both ways."""
        return 2 * self.message

    @property
    def ring(self) -> Floats:
        """Elements that pass one direction of the busiest link of a ring."""
        whole_ring = self.peers == self.nodes
        return np.where(whole_ring, ring_hops(self.peers), line_hops(self.peers)) * self.message

    @property
    def ring_both(self) -> Floats:
        """Elements that pass it both ways: twice as many."""
        return 2 * self.ring

    @property
    def ring_steps(self) -> Floats:
        """Hops of the longest way."""
        steps = np.where(self.peers == self.nodes, float(self.nodes // 2), self.peers - 1)
        return steps * (self.message > 0.0)

    def _of_all(self, per_node: Floats) -> Floats:
        return self.nodes * per_node


@dataclass(frozen=True, eq=False)
class AllExchange(Exchange):
    """The Exchange in which each node sends `offered` elements to every other one.

    offered: (..., N, L); own: the distinct elements that it has to offer, (N, L).
    """

    offered: Floats
    own: Floats

    @property
    def nodes(self) -> int:
        """N."""
        return int(self.offered.shape[-2])

    @property
    def between(self) -> Floats:
        """Elements from node i to node j: what i offers."""
        return np.where(itself(self.nodes), 0.0, self.offered[..., :, None, :])

    @property
    def sent(self) -> Floats:
        """Elements that a node sends."""
        return (self.nodes - 1) * self.offered

    @property
    def received(self) -> Floats:
        """Elements that a node receives: all but its own."""
        received: Floats = self.offered.sum(-2, keepdims=True) - self.offered
        return received

    @property
    def union(self) -> Floats:
        """Distinct elements that a node sends, at most."""
        return np.minimum(self.own, self.sent)

    @property
    def send_peers(self) -> Floats:
        """Nodes that a node sends to: all others, or none."""
        return (self.nodes - 1) * (self.offered > 0).astype(float)

    @property
    def recv_peers(self) -> Floats:
        """Nodes that a node receives from: those that offer."""
        offers = (self.offered > 0).astype(float)
        peers: Floats = offers.sum(-2, keepdims=True) - offers
        return peers

    @property
    def pair(self) -> Floats:
        """What the node that offers most sends each other one."""
        return largest(self.offered) * (self.nodes > 1)

    @property
    def link(self) -> Floats:
        """What the two that offer most send each other."""
        two: Floats = np.sort(self.offered, axis=-2)[..., -2:, :].sum(-2, keepdims=True)
        return two * (self.nodes > 1)

    @property
    def ring_steps(self) -> Floats:
        """Hops to the opposite node."""
        return np.where(largest(self.offered) > 0, float(self.nodes // 2), 0.0)

    @cached_property
    def _ring_loads(self) -> tuple[Floats, Floats]:
        """Over each link ahead and back, (..., N, L): what each node's data weigh on it."""
        nodes = self.nodes
        if nodes < 3:
            return ring_loads(self.between)
        alone = np.zeros((nodes, nodes, 1))
        alone[0, 1:] = 1.0
        turn = (np.arange(nodes)[:, None] - np.arange(nodes)) % nodes  # from node 0 to the others
        ahead, back = (load[turn, 0] @ self.offered for load in ring_loads(alone))
        return ahead, back
