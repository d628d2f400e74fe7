"""The band around a prediction: what the same configuration takes at best and at worst.

Of overlap and latency per message little is known before a program runs: at best communication
is hidden as far as it can be and messages are free, at worst nothing overlaps and each message
costs what the profile says.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from discosim.configuration import Configuration
from discosim.explore.sweep import sweep
from discosim.hardware import Hardware

LOW, HIGH = "latency_low_s", "latency_high_s"


def with_band(
    frame: pd.DataFrame,
    base: Configuration,
    hardware: Sequence[Hardware],
    *,
    strategies: Sequence[str],
    nodes: Sequence[int],
    s_comm: ArrayLike,
) -> pd.DataFrame:
    """Return `frame`, a sweep of the same arguments, with latency_low_s and latency_high_s.

    low: overlap ideal, alpha zero; high: no overlap, the profile's alpha, or the row's own
    latency where its many messages make it slower still.
    """
    free = [
        replace(node, link_latency_s=0.0 * np.asarray(node.link_latency_s)) for node in hardware
    ]
    low, high = (
        sweep(
            base,
            hardware=each,
            strategies=strategies,
            nodes=nodes,
            s_comm=s_comm,
            overlaps=[overlap],
        )
        for each, overlap in ((free, "ideal"), (hardware, "none"))
    )
    banded = frame.copy()
    place = banded.columns.get_loc("latency_s")
    assert isinstance(place, int)
    banded.insert(place + 1, LOW, np.nan)
    banded.insert(place + 2, HIGH, np.nan)
    for overlap in frame["overlap"].unique():  # each a sweep in the order of the other two
        rows = frame["overlap"] == overlap
        own = frame.loc[rows, "latency_s"].to_numpy()
        banded.loc[rows, LOW] = low["latency_s"].to_numpy()
        banded.loc[rows, HIGH] = np.maximum(high["latency_s"].to_numpy(), own)
    return banded
