"""EfficientNet-B0 to B7: inverted residuals with squeeze-excite, scaled in width and depth.

Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, ICML 2019,
Table 1; the scales and the inputs of the authors' repository; rounding as in torchvision's
`models/efficientnet.py`. torchvision evaluates B2 at 288 instead of 260 pixels.
"""

from functools import partial
from math import ceil

from discosim.networks import NETWORKS, Recipe
from discosim.networks.mobilenet import Stage, inverted_residual_network, scaled

STEM = 32
STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
SCALES = (  # width, depth, input size
    (1.0, 1.0, 224),
    (1.0, 1.1, 240),
    (1.1, 1.2, 260),
    (1.2, 1.4, 300),
    (1.4, 1.8, 380),
    (1.6, 2.2, 456),
    (1.8, 2.6, 528),
    (2.0, 3.1, 600),
)


for _index, (_width, _depth, _size) in enumerate(SCALES):
    _stages = tuple(
        stage._replace(
            features=scaled(stage.features, _width),
            depth=ceil(stage.depth * _depth),
        )
        for stage in STAGES
    )
    _build = partial(
        inverted_residual_network,
        stem=scaled(STEM, _width),
        stages=_stages,
        last=4 * _stages[-1].features,
        function="silu",
        squeeze_excite=True,
    )
    NETWORKS.register(f"efficientnet-b{_index}")(Recipe(_build, (3, _size, _size)))
