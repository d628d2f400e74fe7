"""What unlike nodes cost together: their prices, and the energy of one inference."""

from collections.abc import Sequence

import numpy as np

from discosim.hardware import Hardware
from discosim.model.energy import work_J
from discosim.timeline.schedule import Timeline
from discosim.timeline.work import Work


def price_usd(nodes: Sequence[Hardware]) -> float:
    """Return the price of all nodes in US dollars, NaN where one of them states none."""
    prices = [np.nan if node.price_usd is None else float(node.price_usd) for node in nodes]
    return float(np.sum(prices))


def energy_J(timeline: Timeline) -> float:
    """Return joules of one inference, each node's by its own figures; NaN where one has none.

    MACs, bytes sent, and idle power over the latency; bytes and idle power that a node does not
    state count as nothing (docs/size.md).
    """
    nodes = timeline.work.cluster.nodes[: timeline.work.plan.nodes]
    idle_W = sum(node.idle_power_W or 0.0 for node in nodes)
    return spent_J(timeline.work) + timeline.latency_s * float(idle_W)


def spent_J(work: Work) -> float:
    """Return joules of MACs and of bytes that are sent; NaN where a node has no figure."""
    shares, spent = np.broadcast_to(work.plan.local + work.plan.remote, work.local_s.shape), 0.0
    for node, hardware in enumerate(work.cluster.nodes[: work.plan.nodes]):
        if hardware.energy_per_mac_J is None:
            return float("nan")
        macs, sent_bytes = shares[node] @ work.table.macs, work.message_bytes[node].sum()
        spent += float(
            work_J(macs, sent_bytes, hardware.energy_per_mac_J, hardware.energy_per_byte_J)
        )
    return spent
