"""Nodes joined to one cluster, as one Hardware: the mean node, with each of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np

from discosim.hardware import Hardware
from discosim.timeline.cluster import Cluster

Shares = tuple[float, ...]

PUSHED = ("bandwidth_Bps", "link_latency_s", "compute_macps", "memory_Bps", "memory_bytes")
"""Numbers that become those of every node where they are replaced."""

SHARES = ("balanced", "even", "speed")
"""Words for shares of the features: by a search for each configuration, equal, by speed alone."""


@dataclass(frozen=True)
class Joined(Hardware):
    """A cluster: the numbers of its mean node, its slowest link and its least memory.

    members: each node, by which everything is computed; a number of PUSHED that is replaced by
    another, or by an array, is that of every node. shares: one of SHARES, or shares of which the
    best counts; those of another number of nodes do not.
    """

    members: tuple[Hardware, ...] = ()
    shares: str | tuple[Shares, ...] = SHARES[0]

    @cached_property
    def _own(self) -> Hardware:
        return joined(self.members)

    @property
    def nodes(self) -> tuple[Hardware, ...]:
        """The nodes, (N,), with the numbers that are given for all of them."""
        other = {n: v for n in PUSHED if self._differs(n, v := getattr(self, n))}
        return tuple(replace(node, **self._given(node, other)) for node in self.members)

    def alike(self, nodes: int) -> bool:
        """Return whether the first nodes are all the same."""
        return all(node == self.members[0] for node in self.members[:nodes])

    def _differs(self, name: str, value: Any) -> bool:
        return np.ndim(value) > 0 or value != getattr(self._own, name)

    def _given(self, node: Hardware, other: dict[str, Any]) -> dict[str, Any]:
        """What is other in a node: of an array, those values that are not the cluster's own."""
        return {
            name: np.where(np.equal(value, getattr(self._own, name)), getattr(node, name), value)
            if np.ndim(value) > 0 and getattr(self._own, name) is not None
            else value
            for name, value in other.items()
        }

    def each(self, change: Callable[[Hardware], Hardware]) -> "Joined":
        """Return the same with each node changed."""
        found = joined([change(node) for node in self.nodes], self.shares)
        return replace(found, name=self.name)


def joined(nodes: Sequence[Hardware], shares: str | tuple[Shares, ...] = SHARES[0]) -> Joined:
    """Return nodes as one cluster; raises DiscosimError where they cannot be joined.

    Numbers that are arrays, the same ones in each node, are those of every node.
    """
    Cluster(tuple(nodes))
    arrays = {n: v for n in PUSHED if np.ndim(v := getattr(nodes[0], n)) > 0}
    first: dict[str, Any] = {n: float(np.ravel(values)[0]) for n, values in arrays.items()}
    members = tuple(replace(node, **first) for node in nodes)
    given = {field.name: getattr(members[0], field.name) for field in fields(Hardware)}
    given["name"] = ",".join(
        f"{count}x{name}" if (count := len(list(alike))) > 1 else name
        for name, alike in groupby(node.name for node in members)
    )
    for name, together in (
        ("bandwidth_Bps", min),
        ("link_latency_s", max),
        ("compute_macps", _mean),
        ("memory_Bps", _mean),
        ("memory_bytes", min),
        ("price_usd", _mean),
        ("idle_power_W", _mean),
        ("energy_per_mac_J", _mean),
        ("held_out_error", max),
        ("workspace", max),
        ("spill_Bps", _mean),
    ):
        known = [value for node in members if (value := getattr(node, name)) is not None]
        some = name in ("memory_bytes", "held_out_error", "workspace")  # of those that state it
        whole = len(known) == len(members) or some
        given[name] = together(known) if known and whole else None
    given["fast_bytes"] = min(node.fast_bytes for node in members)
    given["run_s"] = _mean([node.run_s for node in members])
    return Joined(**{**given, **arrays}, members=members, shares=shares)


def _mean(values: Sequence[float]) -> float:
    """The mean, to the last digit where all are the same."""
    return values[0] if len(set(values)) == 1 else sum(values) / len(values)
