"""MNASNet-B1: inverted residuals found by search, without squeeze-excite.

Tan et al., MnasNet: Platform-Aware Neural Architecture Search for Mobile, CVPR 2019, Figure 7
without its squeeze-excite; as in torchvision's `models/mnasnet.py`.
"""

from functools import partial

from discosim.networks import NETWORKS, Recipe
from discosim.networks.mobilenet import Stage, inverted_residual_network, scaled

STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(3, 3, 2, 24, 3),
    Stage(3, 5, 2, 40, 3),
    Stage(6, 5, 2, 80, 3),
    Stage(6, 3, 1, 96, 2),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)

for _width in (0.5, 0.75, 1.0, 1.3):
    _stages = tuple(stage._replace(features=scaled(stage.features, _width)) for stage in STAGES)
    NETWORKS.register(f"mnasnet-{_width}")(
        Recipe(
            partial(
                inverted_residual_network,
                stem=scaled(32, _width),
                stages=_stages,
                last=1280,
                function="relu",
            ),
            (3, 224, 224),
        )
    )
