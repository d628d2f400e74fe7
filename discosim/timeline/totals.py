"""What unlike nodes cost together: their prices, and the energy of one inference."""

import numpy as np

from discosim.model.energy import work_J
from discosim.timeline.cluster import Cluster
from discosim.timeline.schedule import Timeline


def price_usd(cluster: Cluster) -> float:
    """Return the price of all nodes in US dollars, NaN where one of them states none."""
    prices = [np.nan if node.price_usd is None else float(node.price_usd) for node in cluster.nodes]
    return float(np.sum(prices))


def energy_J(timeline: Timeline) -> float:
    """Return joules of one inference, each node's by its own figures; NaN where one has none.

    MACs, bytes sent, and idle power over the latency; bytes and idle power that a node does not
    state count as nothing (docs/size.md).
    """
    work, spent = timeline.work, 0.0
    shares = np.broadcast_to(work.plan.local + work.plan.remote, work.local_s.shape)
    for node, hardware in enumerate(work.cluster.nodes[: work.plan.nodes]):
        if hardware.energy_per_mac_J is None:
            return float("nan")
        macs, sent_bytes = shares[node] @ work.table.macs, work.message_bytes[node].sum()
        spent += float(
            work_J(macs, sent_bytes, hardware.energy_per_mac_J, hardware.energy_per_byte_J)
            + timeline.latency_s * (hardware.idle_power_W or 0.0)
        )
    return spent
