"""Exchanges that are made of others: some rows of another one, or several rounds."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from discosim.model.exchange import Exchange, PairExchange

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class CombinedExchange(Exchange):
    """An Exchange whose amounts follow from those of others."""

    @cached_property
    def between(self) -> Floats:
        """Elements from node i to node j."""
        return self._of("between")

    @cached_property
    def sent(self) -> Floats:
        """Elements that a node sends."""
        return self._of("sent")

    @cached_property
    def received(self) -> Floats:
        """Elements that a node receives."""
        return self._of("received")

    @cached_property
    def union(self) -> Floats:
        """Distinct elements that a node sends."""
        return self._of("union")

    @cached_property
    def send_peers(self) -> Floats:
        """Nodes that a node sends to."""
        return self._of("send_peers")

    @cached_property
    def recv_peers(self) -> Floats:
        """Nodes that a node receives from."""
        return self._of("recv_peers")

    @cached_property
    def pair(self) -> Floats:
        """Elements of the largest pair."""
        return self._of("pair")

    @cached_property
    def link(self) -> Floats:
        """The most elements between two nodes."""
        return self._of("link")

    @cached_property
    def ring(self) -> Floats:
        """Elements that pass the busiest direction of a ring's link."""
        return self._of("ring")

    @cached_property
    def ring_both(self) -> Floats:
        """Elements that pass it both ways."""
        return self._of("ring_both")

    @cached_property
    def ring_steps(self) -> Floats:
        """Hops of the longest way."""
        return self._of("ring_steps")

    @cached_property
    def total(self) -> Floats:
        """Elements that all nodes send."""
        return self._of("total")

    @cached_property
    def total_union(self) -> Floats:
        """Distinct ones among them."""
        return self._of("total_union")

    @cached_property
    def total_messages(self) -> Floats:
        """Messages of all nodes."""
        return self._of("total_messages")

    @cached_property
    def senders(self) -> Floats:
        """Nodes that send."""
        return self._of("senders")

    @cached_property
    def port(self) -> Floats:
        """The most elements that a node sends or receives."""
        return self._of("port")

    @cached_property
    def port_both(self) -> Floats:
        """The most elements that a node sends and receives together."""
        return self._of("port_both")

    @cached_property
    def port_messages(self) -> Floats:
        """The most messages that a node sends or receives."""
        return self._of("port_messages")

    @cached_property
    def port_exchanges(self) -> Floats:
        """Rounds in which anything is sent."""
        return self._of("port_exchanges")

    @cached_property
    def steps(self) -> Floats:
        """Messages one after the other where each pair has a link."""
        return self._of("steps")

    @abstractmethod
    def _of(self, name: str) -> Floats:
        """Return one of the amounts above."""


@dataclass(frozen=True, eq=False)
class PartsExchange(CombinedExchange):
    """The Exchange `base`, but for `rows`, (K,), which exchange as `other` does."""

    base: Exchange
    rows: Ints
    other: Exchange

    @property
    def nodes(self) -> int:
        """N."""
        return self.base.nodes

    def in_rounds(self) -> tuple[Exchange, ...]:
        """Return the exchanges that follow one another; later ones are of `rows` alone."""
        first, *later = self.other.in_rounds()
        layers = self.base.sent.shape[-1]
        nothing = PairExchange(
            np.zeros((self.nodes, self.nodes, layers)), np.zeros((self.nodes, layers))
        )
        return (
            PartsExchange(self.base, self.rows, first),
            *(PartsExchange(nothing, self.rows, each) for each in later),
        )

    def _of(self, name: str) -> Floats:
        return put(getattr(self.base, name), self.rows, getattr(self.other, name))


@dataclass(frozen=True, eq=False)
class RoundsExchange(CombinedExchange):
    """An Exchange in rounds: each begins when all messages of the one before have arrived.

    Amounts add up: the largest pair of each round, the messages of all.
    """

    rounds: tuple[Exchange, ...]

    @property
    def nodes(self) -> int:
        """N."""
        return self.rounds[0].nodes

    def in_rounds(self) -> tuple[Exchange, ...]:
        """Return the rounds."""
        return self.rounds

    def _of(self, name: str) -> Floats:
        amounts: Floats = np.sum([getattr(each, name) for each in self.rounds], axis=0)
        return amounts


def put(base: Floats, rows: Ints, values: Floats) -> Floats:
    """Return `base` (..., L) with `values` (..., K) at `rows`."""
    leading = np.broadcast_shapes(base.shape[:-1], values.shape[:-1])
    full = np.array(np.broadcast_to(base, (*leading, base.shape[-1])), dtype=float)
    full[..., rows] = values
    return full
