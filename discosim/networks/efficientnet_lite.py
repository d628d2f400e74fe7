"""EfficientNet-Lite0 to Lite4: EfficientNet without squeeze-excite, its ends not scaled.

The authors' repository (tensorflow/tpu, models/official/efficientnet/lite): clipped activations, a
stem of 32 and a last convolution of 1280 features; first and last stage of one block at any scale.
"""

from functools import partial
from math import ceil

from discosim.networks import NETWORKS, Recipe
from discosim.networks.efficientnet import STAGES, STEM
from discosim.networks.mobilenet import Stage, inverted_residual_network, scaled

LAST = 1280
SCALES = (  # width, depth, input size
    (1.0, 1.0, 224),
    (1.0, 1.1, 240),
    (1.1, 1.2, 260),
    (1.2, 1.4, 280),
    (1.4, 1.8, 300),
)


def _scaled(stage: Stage, width: float, depth: float) -> Stage:
    ends = stage in (STAGES[0], STAGES[-1])
    return stage._replace(
        features=scaled(stage.features, width),
        depth=stage.depth if ends else ceil(stage.depth * depth),
    )


for _index, (_width, _depth, _size) in enumerate(SCALES):
    _build = partial(
        inverted_residual_network,
        stem=STEM,
        stages=tuple(_scaled(stage, _width, _depth) for stage in STAGES),
        last=LAST,
    )
    NETWORKS.register(f"efficientnet-lite{_index}")(Recipe(_build, (3, _size, _size)))
