"""How long an exchange takes on each kind of network between the nodes.

The alpha-beta model: bytes over bandwidth, and a latency for each message.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from discosim.model.exchange import Exchange

Floats = NDArray[np.float64]

LATENCY_PER = ("message", "exchange")
"""What the latency of a link is paid for, where a node sends to several others through one port."""


@dataclass(frozen=True, slots=True)
class Topology:
    """Elements and messages that pass the busiest link one after the other (model.md §2).

    half_elems: the elements where a link carries one direction at a time; carried, half_carried:
    those that pass each carrier, or on average one of a node's links, (..., carriers, L).
    together: the latencies that follow one another where all messages that leave a node at once are
    under way together; None where they cannot be.
    one_medium: all nodes share it, and who sends does not receive; broadcasts: each feature is
    sent once for all; one_port: what a node sends and receives passes one port of its own.
    """

    elems: Callable[[Exchange], Floats]
    half_elems: Callable[[Exchange], Floats]
    messages: Callable[[Exchange], Floats]
    carried: Callable[[Exchange], Floats]
    half_carried: Callable[[Exchange], Floats]
    one_medium: bool = False
    broadcasts: bool = False
    one_port: bool = False
    together: Callable[[Exchange], Floats] | None = None

    def latencies(self, exchange: Exchange, per: str) -> Floats:
        """Return how many latencies follow one another, each paid per message or per exchange."""
        count = self.messages if per == LATENCY_PER[0] or self.together is None else self.together
        return count(exchange)


def _ports(exchange: Exchange) -> Floats:
    """What passes the ports of the nodes, out and in, (..., 2 R, L)."""
    sent, received = np.broadcast_arrays(exchange.sent, exchange.received)
    return np.concatenate([sent, received], axis=-2)


TOPOLOGIES: Mapping[str, Topology] = MappingProxyType(
    {
        # one link per pair
        "full-mesh": Topology(
            lambda x: x.pair,
            lambda x: x.link,
            lambda x: x.steps,
            lambda x: _ports(x) / max(1, x.nodes - 1),
            lambda x: (x.sent + x.received) / max(1, x.nodes - 1),
        ),
        # one port per node
        "switch": Topology(
            lambda x: x.port,
            lambda x: x.port_both,
            lambda x: x.port_messages,
            lambda x: _ports(x),
            lambda x: x.sent + x.received,
            one_port=True,
            together=lambda x: x.port_exchanges,
        ),
        # one medium, unicast
        "shared": Topology(
            lambda x: x.total,
            lambda x: x.total,
            lambda x: x.total_messages,
            lambda x: x.total,
            lambda x: x.total,
            one_medium=True,
        ),
        # one medium, each node's features once for all
        "broadcast": Topology(
            lambda x: x.total_union,
            lambda x: x.total_union,
            lambda x: x.senders,
            lambda x: x.total_union,
            lambda x: x.total_union,
            one_medium=True,
            broadcasts=True,
        ),
        # two neighbours a node, the shortest way round
        "ring": Topology(
            lambda x: x.ring,
            lambda x: x.ring_both,
            lambda x: x.ring_steps,
            lambda x: x.ring,
            lambda x: x.ring_both,
        ),
    }
)


def congested(elems: Floats, senders: Floats, keeps_up: float, times: float) -> Floats:
    """Return elements, which count so many times where more send than the links keep up with."""
    return elems * np.where(senders > keeps_up, times, 1.0)


def transfer_s(nbytes: Floats, bandwidth_Bps: Floats | float) -> Floats:
    """Seconds for `nbytes` at `bandwidth_Bps`: L_comm = bytes / B (the paper's Section V)."""
    return nbytes / bandwidth_Bps
