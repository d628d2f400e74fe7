"""`discosim mask` for people: what is kept, in words, as a table and as a picture."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discosim.errors import DiscosimError, UnknownNameError
from discosim.graph.network import Network, shape_text
from discosim.masks.mask import Bools, LayerMask, Mask
from discosim.report.lettering import fitted
from discosim.report.style import COMM, legend_below, new_figure, rc
from discosim.report.tables import Cells
from discosim.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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


def promise_finding(cost: "pd.Series[float]", promised_s: float) -> str:
    """Return the latency of the mask beside that of its S_comm: the slowest pair decides.

    `cost` is the mask's row of a sweep; promised_s: where every pair sends what S_comm says.
    """
    took, promised = (
        format_quantity(seconds, "s", 4) for seconds in (cost["latency_s"], promised_s)
    )
    return (
        f"Latency on {cost['hardware']}: {took}; {promised} where every pair of nodes sends what "
        "S_comm says."
    )


def plan_finding(cost: "pd.Series[float]", path: str) -> str:
    """Return the latency where a plan says how layers are split; `cost` is its row of a sweep."""
    took = format_quantity(cost["latency_s"], "s", 4)
    return f"Latency on {cost['hardware']}: {took}, split as plan {path} says."


def search_finding(before: float) -> str:
    """Return what the contiguous blocks would keep in the place of the searched placement."""
    return f"Contiguous blocks instead of the searched placement would keep {100 * before:.4g} %."


def show_masks(frame: pd.DataFrame) -> Cells:
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
    return cells


def _range(pairs: "np.ndarray[tuple[int, int], np.dtype[np.int64]]") -> str:
    apart = pairs[~np.eye(len(pairs), dtype=bool)]
    if not apart.any():
        return "-"
    least, most = apart.min(), apart.max()
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


OWN = "#7FB3D5"
"""Lighter than what is received, in grey too."""

PAPER_FEATURES = 256
"""Input and output features of the layer in the paper's Figure 3(c)."""


def draw_mask(network: Network, mask: Mask, layer: str | None = None) -> "Figure":
    """Return the mask matrix of a layer: input features down, output features across.

    Features are sorted by the node that owns them. Without `layer` it is the one whose features
    are nearest to the paper's 256 x 256. Raises DiscosimError for a layer that exchanges nothing.
    """
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    chosen = drawn_layer(mask, layer)
    groups = network.graph.nodes[chosen.layer]["layer"].groups
    kinds, in_owner, out_owner = _matrix(chosen, groups)
    with mpl.rc_context(rc()):
        sent = 100 * (kinds == 2).any(axis=1).mean()
        title = (
            f"{mask.model}, {chosen.layer} on {mask.nodes} nodes: {mask.criterion}\n"
            f"{sent:.3g} % of the input features leave their node"
        )
        figure = new_figure(6.4, 6.6, title)
        axes: Axes = figure.subplots()
        colours = ListedColormap(["white", OWN, COMM])
        axes.imshow(kinds, cmap=colours, vmin=0, vmax=2, aspect="auto", interpolation="nearest")
        axes.grid(False)
        for owner, draw in ((in_owner, axes.axhline), (out_owner, axes.axvline)):
            for edge in np.flatnonzero(np.diff(owner)):
                draw(edge + 0.5, color="#333333", lw=0.6)
        axes.set(
            xlabel="output features, sorted by their node",
            ylabel="input features, sorted by their node",
        )
        handles = [
            Patch(color=OWN, label="own features"),
            Patch(color=COMM, label="received"),
            Patch(facecolor="white", edgecolor="#999999", label="pruned"),
        ]
        legend_below(figure, handles, ncols=3)
        return fitted(figure)


def drawn_layer(mask: Mask, layer: str | None) -> LayerMask:
    """Return the layer that is drawn; raises DiscosimError for one that exchanges nothing."""
    exchanging = {n: each for n, each in mask.layers.items() if each.in_owner is not None}
    if layer is not None and layer not in exchanging:
        raise UnknownNameError("layer with an exchange", layer, exchanging)
    if not exchanging:
        raise DiscosimError(f"{mask.model} has no layer that exchanges features")

    def unlike(each: LayerMask) -> int:
        shape = each.kept.shape[1], len(each.out_owner)
        return sum(abs(features - PAPER_FEATURES) for features in shape)

    return exchanging[layer] if layer else min(exchanging.values(), key=unlike)


def _matrix(layer: LayerMask, groups: int) -> "tuple[np.ndarray, ...]":
    """0 pruned, 1 own, 2 received, (I, O), and the owners, all sorted by owner."""
    assert layer.in_owner is not None
    rows, columns = (np.argsort(o, kind="stable") for o in (layer.in_owner, layer.out_owner))
    in_owner, out_owner = layer.in_owner[rows], layer.out_owner[columns]
    kept: Bools = layer.kept[out_owner][:, rows].T
    own = in_owner[:, None] == out_owner
    in_group, out_group = (order * groups // len(order) for order in (rows, columns))
    connected = in_group[:, None] == out_group
    return np.where(kept & connected, np.where(own, 1, 2), 0), in_owner, out_owner
