"""Nodes that may be unlike, and the links between them."""

from dataclasses import dataclass

import numpy as np

from discosim.errors import DiscosimError
from discosim.graph.table import Floats
from discosim.hardware import Hardware
from discosim.model.traffic import LATENCY_PER, TOPOLOGIES


@dataclass(frozen=True, eq=False)
class Cluster:
    """One Hardware a node, all on one kind of network and in one data type.

    Raises DiscosimError where the nodes cannot be joined.
    """

    nodes: tuple[Hardware, ...]

    def __post_init__(self) -> None:
        """Check that the nodes can be joined."""
        for what, words in (
            ("topologies", [node.topology for node in self.nodes]),
            ("kinds of duplex", [node.duplex for node in self.nodes]),
            ("latencies", [f"per {node.latency_per}" for node in self.nodes]),
            ("congestion", [f"{n.congestion:g}x beyond {n.senders:g}" for n in self.nodes]),
            ("data types", [node.dtype for node in self.nodes]),
            ("data types of weights", [f"{node.weight_elem_bytes} B" for node in self.nodes]),
        ):
            if len(set(words)) > 1:
                raise DiscosimError(
                    f"nodes of different {what}: {', '.join(dict.fromkeys(words))}; "
                    f"wanted one for all (--topology, --set link.duplex=full, --dtype)"
                )

    def __len__(self) -> int:
        """Return N."""
        return len(self.nodes)

    @property
    def topology(self) -> str:
        """How the nodes are joined."""
        return self.nodes[0].topology

    @property
    def half_duplex(self) -> bool:
        """Whether a link carries one direction at a time."""
        return self.nodes[0].duplex == "half"

    @property
    def together(self) -> bool:
        """Whether messages that leave a node at once are under way together."""
        per_exchange = self.nodes[0].latency_per != LATENCY_PER[0]
        return per_exchange and TOPOLOGIES[self.topology].together is not None

    @property
    def alike(self) -> bool:
        """Whether all nodes and links are the same."""
        return all(node == self.nodes[0] for node in self.nodes)

    def kinds(self, nodes: int) -> list[tuple[list[int], Hardware]]:
        """Return the places of each kind among the first `nodes` nodes, and the kind."""
        found: list[tuple[list[int], Hardware]] = []
        for place, node in enumerate(self.nodes[:nodes]):
            alike = next((places for places, kind in found if kind == node), None)
            if alike is None:
                found.append(([place], node))
            else:
                alike.append(place)
        return found

    @property
    def link_Bps(self) -> Floats:
        """Bandwidth between each two nodes, (N, N): that of the slower end."""
        each = np.array([float(node.bandwidth_Bps) for node in self.nodes])
        slower: Floats = np.minimum(each[:, None], each[None])
        return slower

    @property
    def link_latency_s(self) -> Floats:
        """Latency of a message between each two nodes, (N, N): that of the slower end."""
        each = np.array([float(node.link_latency_s) for node in self.nodes])
        slower: Floats = np.maximum(each[:, None], each[None])
        return slower
