"""Time of one exchange on each kind of network between the nodes (alpha-beta model).

Arrays are (..., L); a node axis R, where one is needed, stands before the layer axis.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Exchange:
    """What the nodes send each other before a layer, in elements and messages.

    (..., R, L), R = 1 where all nodes are alike: sent and received by a node, and the distinct
    elements among them that it sends (union, what a broadcast carries); messages likewise.
    (..., 1, L): pair, the largest ordered pair; link, the most between two nodes both ways; total
    over all nodes; ring, the most that passes one direction of a ring's link; senders, the nodes
    that send at all; ring_steps.
    """

    sent: Floats
    received: Floats
    union: Floats
    send_peers: Floats
    recv_peers: Floats
    pair: Floats
    link: Floats
    total: Floats
    total_union: Floats
    total_messages: Floats
    senders: Floats
    ring: Floats
    ring_steps: Floats


def ring_hops(nodes: Floats | float) -> Floats:
    """Most messages over one direction of a link when all P of P nodes on a ring exchange.

    max(1, floor(P^2/4)/2): opposite nodes send half each way; two nodes share one link.
    """
    return np.maximum(1.0, np.floor(np.square(nodes) / 4) / 2)


def line_hops(nodes: Floats | float) -> Floats:
    """The same for P neighbours on a longer ring: floor(P^2/4) over the middle link."""
    return np.floor(np.square(nodes) / 4)


@dataclass(frozen=True, eq=False)
class EvenExchange:
    """The Exchange in which each of `peers` nodes sends `pair` elements to each other one.

    What a topology does not ask for is not computed. own: elements of each node, (L,).
    """

    pair: Floats
    peers: Floats
    own: Floats
    nodes: int

    @cached_property
    def sent(self) -> Floats:
        """Elements that a node sends: P - 1 times m."""
        return (self.peers - 1) * self.pair

    @property
    def received(self) -> Floats:
        """Elements that a node receives."""
        return self.sent

    @property
    def union(self) -> Floats:
        """Distinct elements that a node sends, at most: the selections need not be nested."""
        return np.minimum(self.own, self.sent)

    @cached_property
    def send_peers(self) -> Floats:
        """Nodes that a node sends to."""
        return np.where(self.pair > 0, self.peers - 1, 0.0)

    @property
    def recv_peers(self) -> Floats:
        """Nodes that a node receives from."""
        return self.send_peers

    @property
    def link(self) -> Floats:
        """Elements between two nodes, both ways."""
        return 2 * self.pair

    @property
    def total(self) -> Floats:
        """Elements that all nodes send."""
        return (self.nodes * (self.peers - 1)) * self.pair

    @property
    def total_union(self) -> Floats:
        """Elements that all nodes send if a medium carries each once."""
        return self.nodes * self.union

    @property
    def total_messages(self) -> Floats:
        """Messages of all nodes."""
        return self.nodes * self.send_peers

    @property
    def senders(self) -> Floats:
        """Nodes that send."""
        return np.where(self.send_peers > 0, np.float64(self.nodes), np.float64(0.0))

    @property
    def ring(self) -> Floats:
        """Elements that pass one direction of the busiest link of a ring."""
        whole_ring = self.peers == self.nodes
        return np.where(whole_ring, ring_hops(self.peers), line_hops(self.peers)) * self.pair

    @property
    def ring_steps(self) -> Floats:
        """Messages one after the other on a ring: the hops of the longest way."""
        steps = np.where(self.peers == self.nodes, float(self.nodes // 2), self.peers - 1)
        return steps * (self.pair > 0.0)


AnyExchange = Exchange | EvenExchange


def _largest(per_node: Floats) -> Floats:
    largest: Floats = per_node.max(axis=-2, keepdims=True)
    return largest


@dataclass(frozen=True, slots=True)
class Topology:
    """Elements and messages that pass the busiest link one after the other (model.md §2).

    half_elems: the elements where a link carries one direction at a time.
    one_medium: all nodes share it, and who sends does not receive; broadcasts: each feature is
    sent once for all.
    """

    elems: Callable[[AnyExchange], Floats]
    half_elems: Callable[[AnyExchange], Floats]
    messages: Callable[[AnyExchange], Floats]
    one_medium: bool = False
    broadcasts: bool = False


def _ring_both_ways(exchange: AnyExchange) -> Floats:
    """What passes a ring's link where the exchange goes one way only, or both."""
    pair = np.where(exchange.pair > 0, exchange.pair, 1.0)
    return exchange.ring * (exchange.link / pair)


TOPOLOGIES: Mapping[str, Topology] = MappingProxyType(
    {
        # one link per pair
        "full-mesh": Topology(
            lambda x: x.pair,
            lambda x: x.link,
            lambda x: np.minimum(1.0, _largest(x.send_peers)),
        ),
        # one port per node
        "switch": Topology(
            lambda x: _largest(np.maximum(x.sent, x.received)),
            lambda x: _largest(x.sent + x.received),
            lambda x: _largest(np.maximum(x.send_peers, x.recv_peers)),
        ),
        # one medium, unicast
        "shared": Topology(
            lambda x: x.total, lambda x: x.total, lambda x: x.total_messages, one_medium=True
        ),
        # one medium, each node's features once for all
        "broadcast": Topology(
            lambda x: x.total_union,
            lambda x: x.total_union,
            lambda x: x.senders,
            one_medium=True,
            broadcasts=True,
        ),
        # two neighbours a node, the shortest way round
        "ring": Topology(lambda x: x.ring, _ring_both_ways, lambda x: x.ring_steps),
    }
)


def transfer_s(nbytes: Floats, bandwidth_Bps: Floats | float) -> Floats:
    """Seconds for `nbytes` at `bandwidth_Bps`: L_comm = bytes / B (the paper's Section V)."""
    return nbytes / bandwidth_Bps
