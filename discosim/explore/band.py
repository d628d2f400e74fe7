"""The band around a prediction: what the same configuration takes at best and at worst.

Of overlap and latency per message little is known before a program runs: at best communication
is hidden as far as it can be and messages are free, at worst nothing overlaps and each message
costs what the profile says.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from discosim.configuration import Configuration
from discosim.explore.sweep import Columns, sweep_columns
from discosim.hardware import Hardware

if TYPE_CHECKING:
    import pandas as pd

LOW, HIGH = "latency_low_s", "latency_high_s"


def with_band(
    frame: "pd.DataFrame", base: Configuration, hardware: Sequence[Hardware], **axes: Any
) -> "pd.DataFrame":
    """Return what `band_columns` returns as a frame."""
    import pandas as pd

    columns = {str(name): frame[name].to_numpy() for name in frame}
    return pd.DataFrame(band_columns(columns, base, hardware, **axes))


def band_columns(
    columns: Columns,
    base: Configuration,
    hardware: Sequence[Hardware],
    *,
    strategies: Sequence[str],
    nodes: Sequence[int],
    s_comm: ArrayLike,
) -> Columns:
    """Return `columns`, a sweep of the same arguments, with latency_low_s and latency_high_s.

    low: overlap ideal, alpha zero; high: no overlap, the profile's alpha, or the row's own
    latency where its many messages make it slower still.
    """
    free = [
        replace(node, link_latency_s=0.0 * np.asarray(node.link_latency_s)) for node in hardware
    ]
    low, high = (
        sweep_columns(
            base,
            hardware=each,
            strategies=strategies,
            nodes=nodes,
            s_comm=s_comm,
            overlaps=[overlap],
        )
        for each, overlap in ((free, "ideal"), (hardware, "none"))
    )
    band = {name: np.full(len(columns["latency_s"]), np.nan) for name in (LOW, HIGH)}
    for overlap in dict.fromkeys(columns["overlap"]):  # each a sweep in the order of the other two
        rows = columns["overlap"] == overlap
        band[LOW][rows] = low["latency_s"]
        band[HIGH][rows] = np.maximum(high["latency_s"], columns["latency_s"][rows])
    names = list(columns)
    place = names.index("latency_s") + 1
    return {n: columns.get(n, band.get(n)) for n in (*names[:place], LOW, HIGH, *names[place:])}
