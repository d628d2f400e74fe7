"""What the nodes send each other before each layer, in elements and messages.

Arrays are (..., R, L), the layer axis last; R is the number of nodes, or 1 where all are alike.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from discosim.model.ring import ring_loads

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Exchange(ABC):
    """What the nodes send each other before each layer, in elements and messages.

    A topology asks for what it needs, and only that is computed.
    """

    @property
    @abstractmethod
    def nodes(self) -> int:
        """N."""

    @property
    @abstractmethod
    def between(self) -> Floats:
        """Elements from node i to node j before layer l, (..., N, N, L) at [i, j, l]."""

    @property
    @abstractmethod
    def sent(self) -> Floats:
        """Elements that a node sends, (..., R, L)."""

    @property
    @abstractmethod
    def received(self) -> Floats:
        """Elements that a node receives, (..., R, L)."""

    @property
    @abstractmethod
    def union(self) -> Floats:
        """Distinct elements that a node sends, what a broadcast carries, (..., R, L)."""

    @property
    @abstractmethod
    def send_peers(self) -> Floats:
        """Nodes that a node sends to, (..., R, L)."""

    @property
    @abstractmethod
    def recv_peers(self) -> Floats:
        """Nodes that a node receives from, (..., R, L)."""

    @property
    @abstractmethod
    def pair(self) -> Floats:
        """Elements of the largest ordered pair, (..., 1, L)."""

    @property
    @abstractmethod
    def link(self) -> Floats:
        """The most elements between two nodes, both ways together, (..., 1, L)."""

    @property
    def ring(self) -> Floats:
        """Elements that pass the busiest direction of a ring's link, (..., 1, L)."""
        ahead, back = self._ring_loads
        return np.maximum(largest(ahead), largest(back))

    @property
    def ring_both(self) -> Floats:
        """Elements that pass the busiest link of a ring, both ways together, (..., 1, L)."""
        ahead, back = self._ring_loads
        return largest(ahead + back)

    @property
    @abstractmethod
    def ring_steps(self) -> Floats:
        """Messages one after the other on a ring: the hops of the longest way, (..., 1, L)."""

    @property
    def total(self) -> Floats:
        """Elements that all nodes send, (..., 1, L)."""
        return self._of_all(self.sent)

    @property
    def total_union(self) -> Floats:
        """Elements that all nodes send if a medium carries each once, (..., 1, L)."""
        return self._of_all(self.union)

    @property
    def total_messages(self) -> Floats:
        """Messages of all nodes, (..., 1, L)."""
        return self._of_all(self.send_peers)

    @property
    def senders(self) -> Floats:
        """Nodes that send, (..., 1, L)."""
        return self._of_all((self.send_peers > 0).astype(float))

    @property
    def port(self) -> Floats:
        """The most elements that a node sends or receives, (..., 1, L)."""
        return largest(np.maximum(self.sent, self.received))

    @property
    def port_both(self) -> Floats:
        """The most elements that a node sends and receives together, (..., 1, L)."""
        return largest(self.sent + self.received)

    @property
    def port_messages(self) -> Floats:
        """The most messages that a node sends or receives, (..., 1, L)."""
        return largest(np.maximum(self.send_peers, self.recv_peers))

    @property
    def port_exchanges(self) -> Floats:
        """Whether anything is sent: one latency where all messages leave together, (..., 1, L)."""
        return np.minimum(1.0, self.port_messages)

    @property
    def steps(self) -> Floats:
        """Messages one after the other where each pair has a link, (..., 1, L)."""
        return np.minimum(1.0, largest(self.send_peers))

    def in_rounds(self) -> "tuple[Exchange, ...]":
        """Return the exchanges that follow one another, of all layers."""
        return (self,)

    @cached_property
    def _ring_loads(self) -> tuple[Floats, Floats]:
        """Over each link of a ring ahead and back, (..., N, L)."""
        return ring_loads(self.between)

    def _of_all(self, per_node: Floats) -> Floats:
        total: Floats = per_node.sum(-2, keepdims=True)
        return total


@dataclass(frozen=True, eq=False)
class PairExchange(Exchange):
    """An Exchange given pair by pair: elems, (..., N, N, L), from node i to j at [i, j].

    distinct: the most distinct elements that a node sends, (N, L) or infinite.
    """

    elems: Floats
    distinct: Floats

    @property
    def nodes(self) -> int:
        """N."""
        return int(self.elems.shape[-2])

    @cached_property
    def between(self) -> Floats:
        """Elements from node i to node j; none from a node to itself."""
        return np.where(itself(self.nodes), 0.0, self.elems)

    @cached_property
    def sent(self) -> Floats:
        """Elements that a node sends."""
        sent: Floats = self.between.sum(-2)
        return sent

    @cached_property
    def received(self) -> Floats:
        """Elements that a node receives."""
        received: Floats = self.between.sum(-3)
        return received

    @property
    def union(self) -> Floats:
        """Distinct elements that a node sends, at most."""
        return np.minimum(self.distinct, self.sent)

    @cached_property
    def send_peers(self) -> Floats:
        """Nodes that a node sends to."""
        peers: Floats = (self.between > 0).sum(-2).astype(float)
        return peers

    @property
    def recv_peers(self) -> Floats:
        """Nodes that a node receives from."""
        peers: Floats = (self.between > 0).sum(-3).astype(float)
        return peers

    @property
    def pair(self) -> Floats:
        """Elements of the largest pair."""
        return largest(self.between.max(-3))

    @property
    def link(self) -> Floats:
        """The most elements between two nodes, both ways."""
        return largest((self.between + self.between.swapaxes(-3, -2)).max(-3))

    @property
    def ring_steps(self) -> Floats:
        """Hops of the longest way among the pairs that send."""
        far = (np.arange(self.nodes)[None] - np.arange(self.nodes)[:, None]) % self.nodes
        hops = np.minimum(far, self.nodes - far)[..., None]
        steps: Floats = (hops * (self.between > 0)).max((-3, -2))[..., None, :].astype(float)
        return steps


def itself(nodes: int) -> NDArray[np.bool_]:
    """Return where a node would send to itself, (N, N, 1)."""
    return np.eye(nodes, dtype=bool)[..., None]


def largest(per_node: Floats) -> Floats:
    """Return the largest over the nodes, (..., 1, L)."""
    most: Floats = per_node.max(axis=-2, keepdims=True)
    return most
