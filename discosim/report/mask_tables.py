"""`discosim mask` for people: what is kept, in words and as a table."""

import numpy as np
import pandas as pd

from discosim.graph.network import shape_text
from discosim.masks.mask import Mask


def mask_findings(mask: Mask, cost: "pd.Series[float]", retained: float) -> list[str]:
    """Return what was chosen from what, and what it keeps and saves in all.

    `cost` is the mask's row of a sweep, `retained` the share of the weights' L1 norm that is
    kept, a node's own features included.
    """
    nodes = f"{mask.nodes} node{'s' * (mask.nodes > 1)}"
    return [
        f"{mask.model} at {shape_text(mask.input_shape)} on {nodes}: {mask.criterion}; "
        f"{mask.weights}",
        f"Kept: {100 * retained:.4g} % of the weights' L1 norm; average "
        f"S_comm {100 * cost['avg_s_comm']:.3g} %, S_comp {100 * cost['avg_s_comp']:.3g} %.",
    ]


def search_finding(before: float) -> str:
    """Return what the contiguous blocks would keep in the place of the searched placement."""
    return f"Contiguous blocks instead of the searched placement would keep {100 * before:.4g} %."


def show_masks(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `mask` for people: the least and the most that an ordered pair keeps."""
    cells = {name: list(frame[name]) for name in ("layer", "op")}
    cells["in"] = [f"{value:,}" for value in frame["in_features"]]
    cells["out"] = [f"{value:,}" for value in frame["out_features"]]
    cells["kept per pair"] = [_range(np.array(pairs)) for pairs in frame["kept_pairs"]]
    for name, column in (
        ("S_comm [%]", "s_comm"),
        ("S_comp [%]", "s_comp"),
        ("busiest node [%]", "s_comp_worst"),
        ("L1 kept [%]", "retained_l1"),
    ):
        cells[name] = [f"{100 * value:.1f}" for value in frame[column]]
    return pd.DataFrame(cells)


def _range(pairs: "np.ndarray[tuple[int, int], np.dtype[np.int64]]") -> str:
    apart = pairs[~np.eye(len(pairs), dtype=bool)]
    if not apart.any():
        return "-"
    least, most = apart.min(), apart.max()
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
