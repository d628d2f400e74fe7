"""ProxylessNAS for mobile phones: inverted residuals whose kernels and widths a search chose.

Cai, Zhu and Han, ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware,
ICLR 2019, Figure 6b; rows as in the authors' repository (`proxyless_mobile`).
"""

from functools import partial

from discosim.networks import NETWORKS, Recipe
from discosim.networks.mobilenet import Stage, inverted_residual_network

STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(3, 5, 2, 32, 1),
    Stage(3, 3, 1, 32, 1),
    Stage(3, 7, 2, 40, 1),
    Stage(3, 3, 1, 40, 1),
    Stage(3, 5, 1, 40, 2),
    Stage(6, 7, 2, 80, 1),
    Stage(3, 5, 1, 80, 3),
    Stage(6, 5, 1, 96, 1),
    Stage(3, 5, 1, 96, 3),
    Stage(6, 7, 2, 192, 1),
    Stage(6, 7, 1, 192, 1),
    Stage(3, 7, 1, 192, 2),
    Stage(6, 7, 1, 320, 1),
)

NETWORKS.register("proxylessnas")(
    Recipe(partial(inverted_residual_network, stem=32, stages=STAGES, last=1280), (3, 224, 224))
)
