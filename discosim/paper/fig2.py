"""Figure 2: communication and computation of ResNet-50's 54 layers, dense, N = 2."""

from typing import TYPE_CHECKING

import pandas as pd

from discosim.configuration import Configuration
from discosim.explore.layers import layers
from discosim.networks import build
from discosim.paper import Section, enter
from discosim.paper.costs import hardware
from discosim.paper.row import EXACT, claim, frame
from discosim.strategies.strategy import STRATEGIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Figure 2: ResNet-50, dense on two nodes, 37.5 MB/s links, 125 GOP/s a node"


def layer_rows() -> pd.DataFrame:
    """Return what the figure draws: a row per layer."""
    return layers(
        Configuration(build("resnet50"), hardware(), strategy=STRATEGIES["dense"], nodes=2)
    )


def compute_rows() -> pd.DataFrame:
    """Return the numbers of the caption: 54 layers with 4 skip links."""
    drawn = layer_rows()
    skips = drawn["layer"].str.contains("downsample").sum()
    return frame(
        [
            claim("fig2.layers", float(len(drawn)), tolerance=EXACT),
            claim("fig2.skip-links", float(skips), tolerance=EXACT),
        ]
    )


def picture() -> "Figure":
    """Return the figure."""
    from discosim.report.layers import draw_layers

    return draw_layers(layer_rows(), TITLE)


SECTION = enter(
    Section(
        name="fig2",
        title="Figure 2: communication and computation, layer by layer",
        rows=compute_rows,
        conventions=(
            "Points are not printed as numbers; their ratios are among the claims "
            "(claims.magnitude).",
            "The first layer reads the image, which both nodes have: it has no communication.",
        ),
        costs=layer_rows,
        pictures={"fig2": picture},
    )
)
