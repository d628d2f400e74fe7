"""How much saliency a layer loses with the sub-rows that it does not use: curves over S_comm.

The saliency of a sub-row is the L1 norm of its weights (paper, Section III-B); those of least
norm go first. Without weights, they are taken to be drawn as He initialisation draws them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from discosim.graph.table import Floats, LayerTable
from discosim.partition.split import split

POINTS = 201
STATED = "surrogate: L1 norms of He-normal sub-rows, the least go first; no weights were read"


@dataclass(frozen=True, eq=False)
class Curve:
    """What a layer loses: `lost`, (P,), of the L1 norm at each of `s_comm`, (P,), ascending.

    The last point is S_comm 1: all that is prunable. Any unit serves, the same for all layers.
    """

    s_comm: Floats
    lost: Floats

    def at(self, s_comm: Floats) -> Floats:
        """Return what is lost at any S_comm, on lines between the points."""
        return np.interp(s_comm, self.s_comm, self.lost)


Curves = Mapping[str, Curve]
"""A Curve for each layer that exchanges features, by the layer's name."""


def lost_share(s_comm: Floats, weights: Floats) -> Floats:
    """Share of the L1 norm in the fraction S of the sub-rows that have the least, (L, P).

    The norm of n independent normal weights has mean n sigma sqrt(2/pi) and squared coefficient
    of variation (pi/2 - 1)/n. It is taken as gamma distributed with these, whose quantiles are
    (a + b z)^3 with z normal (Wilson, Hilferty, PNAS 17(12), 1931); the integral of the least S
    of them is closed. `weights`: n of each layer, (L,).
    """
    shape = (np.asarray(weights, dtype=float) / (np.pi / 2 - 1))[:, None]
    a, b = 1 - 1 / (9 * shape), 1 / (3 * np.sqrt(shape))
    normal = NormalDist()
    inside = (s_comm > 0) & (s_comm < 1)
    z = np.array([normal.inv_cdf(s) if ok else 0.0 for s, ok in zip(s_comm, inside, strict=True)])
    density = np.exp(-np.square(z) / 2) / np.sqrt(2 * np.pi) * inside
    moments = (s_comm, -density, s_comm - z * density, -(np.square(z) + 2) * density)
    parts = (a**3, 3 * a**2 * b, 3 * a * b**2, b**3)
    total = a**3 + 3 * a * b**2
    share: Floats = sum(p * m for p, m in zip(parts, moments, strict=True)) / total
    return np.clip(share, 0.0, 1.0)


def he_normal_curves(table: LayerTable, nodes: int, *, whole: bool = False) -> Curves:
    """Return curves of weights drawn with variance 2 / fan-in, for all layers that mix features.

    A sub-row connects one input feature to the outputs of one node: the feature's weights over
    the nodes that exchange. A layer counts with the L1 norm of its weights between nodes.
    He et al.: Delving Deep into Rectifiers, ICCV 2015.
    """
    peers = np.maximum(split(table, nodes, whole).peers, 1.0)
    peers = np.where((peers > 1) | (table.groups == 1), peers, float(nodes))
    rows = np.flatnonzero(table.mixes)
    row_weights = np.maximum(1.0, table.weights / (table.in_features * peers))[rows]
    fan_in = (table.weights / table.out_features)[rows]
    mean_abs = np.sqrt(2 / fan_in) * np.sqrt(2 / np.pi)
    norm = table.weights[rows] * ((peers - 1) / peers)[rows] * mean_abs
    s_comm = np.linspace(0.0, 1.0, POINTS)
    lost = norm[:, None] * lost_share(s_comm, row_weights)
    return {table.name[row]: Curve(s_comm, curve) for row, curve in zip(rows, lost, strict=True)}
