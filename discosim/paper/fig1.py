"""Figure 1: the five schemes, read from the plans of their strategies on a small network."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discosim.configuration import Configuration
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT
from discosim.graph.table import LayerTable, tabulate
from discosim.paper import Section, enter
from discosim.paper.costs import hardware
from discosim.paper.row import EXACT, claim, frame
from discosim.partition.pairs import exchange_of_pairs
from discosim.strategies.strategy import STRATEGIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAYERS = 6
FEATURES = 16
SIZE = 8
S_COMM = 0.75

SCHEMES = (  # title, strategy, the block of its cut
    ("(a) dense", "dense", ""),
    ("(b) dense-then-split", "dense-then-split", "conv4"),
    ("(c) split-then-aggregate", "split-then-aggregate", "conv3"),
    ("(d) independent branches", "branches", ""),
    ("(e) DISCO, S_comm = 75 %", "disco", ""),
)


def small_network() -> LayerTable:
    """Return six convolutions of 16 features, each a block of its own."""
    net = Builder("figure 1", (3, SIZE, SIZE))
    x = INPUT
    for index in range(1, LAYERS + 1):
        with net.block(f"conv{index}"):
            x = net.conv(x, FEATURES, 3, f"conv{index}")
    return tabulate(net.build())


def scheme_rows() -> pd.DataFrame:
    """Return what the figure draws: the density that each layer's plan sends, by scheme.

    density: elements sent of the elements of a node; NaN for the first layer, which reads the
    image.
    """
    table = small_network()
    own = table.in_elems / 2
    rows = []
    for title, strategy, at in SCHEMES:
        scheme = Configuration(
            table.network, hardware(), strategy=STRATEGIES[strategy], s_comm=S_COMM, at=at
        )
        sent = scheme.plan().exchange.sent.reshape(-1)
        for row in np.flatnonzero(table.mixes):
            first = table.source[row] == 0
            density = float("nan") if first else float(sent[row] / own[row])
            rows.append({"scheme": title, "layer": table.name[row], "density": density})
    return pd.DataFrame(rows)


def compute_rows() -> pd.DataFrame:
    """Return the reductions of Figure 1(f), from the exchange of two unlike nodes."""
    kept = np.zeros((2, 2, 1))
    kept[0, 1], kept[1, 0] = 3.0, 2.0
    own = np.full((2, 1), FEATURES / 2)
    sent = exchange_of_pairs(kept, own, np.ones(1)).sent.reshape(-1)
    saved = 1 - sent / own.reshape(-1)
    return frame(
        claim(f"fig1.reduction.{node}", float(saved[node]), tolerance=EXACT) for node in (0, 1)
    )


def picture() -> "Figure":
    """Return the figure."""
    from discosim.report.reproduce import draw_schemes

    return draw_schemes(scheme_rows())


SECTION = enter(
    Section(
        name="fig1",
        title="Figure 1: five schemes of distributed inference",
        rows=compute_rows,
        conventions=(
            "Drawn from the plans of the registered strategies on six convolutions; every node "
            "has the image, so the first layer receives nothing.",
            "(f): 3 and 2 of 8 features are sent, a one-way reduction of 5/8 and 6/8.",
        ),
        costs=scheme_rows,
        pictures={"fig1": picture},
    )
)
