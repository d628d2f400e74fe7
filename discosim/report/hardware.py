"""The hardware profiles, as a table."""

import numpy as np
import pandas as pd

from discosim.hardware import Hardware
from discosim.report.tables import Cells
from discosim.units import format_quantity

COLUMNS = (
    "name",
    "bandwidth_Bps",
    "link_latency_s",
    "topology",
    "duplex",
    "dtype",
    "compute_macps",
    "memory_bytes",
)
"""Numbers and words of a Hardware that are listed."""


def show_profiles(frame: pd.DataFrame) -> Cells:
    """Return rows of `hardware` for people."""

    def quantities(name: str, unit: str) -> list[str]:
        return ["-" if np.isnan(v) else format_quantity(v, unit) for v in frame[name].astype(float)]

    memory = [
        has if np.isnan(fast) else f"{has} ({format_quantity(fast, 'B')} fast)"
        for fast, has in zip(frame["fast_bytes"], quantities("memory_bytes", "B"), strict=True)
    ]
    return {
        "name": list(frame["name"]),
        "bandwidth": quantities("bandwidth_Bps", "B/s"),
        "latency": quantities("link_latency_s", "s"),
        "topology": list(frame["topology"]),
        "compute": [
            f"{rate} ({dtype})"
            for rate, dtype in zip(
                quantities("compute_macps", "MAC/s"), frame["dtype"], strict=True
            )
        ],
        "memory": memory,
        "runtime": [runtime or "-" for runtime in frame["runtime"]],
        "off by [%]": [
            "-" if np.isnan(error) else f"{100 * error:.0f}" for error in frame["held_out_error"]
        ],
        "description": list(frame["description"]),
    }


def tiers(node: Hardware) -> list[str]:
    """Return how a node's memory is divided, where weights beyond a fast one come from a slower."""
    if node.spill_Bps is None:
        return []
    fast, rate = format_quantity(node.fast_bytes, "B"), format_quantity(node.spill_Bps, "B/s")
    return [f"Weights beyond {fast} arrive at {rate} in each inference: `fits` says spills."]
