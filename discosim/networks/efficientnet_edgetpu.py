"""EfficientNet-EdgeTPU: dense convolutions in the early stages, neither squeeze-excite nor swish.

Gupta and Akin, Accelerator-aware Neural Network Design using AutoML, 2020; as in the authors'
repository (tensorflow/tpu, models/official/efficientnet/edgetpu). The first block adds nothing.
"""

from functools import partial

from discosim.networks import NETWORKS, Recipe
from discosim.networks.efficientnetv2 import ResidualStage, scaled_stages, staged_network
from discosim.networks.mobilenet import scaled

STEM = 32
STAGES = (
    ResidualStage("fused", 4, 3, 1, 24, 1, adds=False, widened=True),
    ResidualStage("fused", 8, 3, 2, 32, 2),
    ResidualStage("fused", 8, 3, 2, 48, 4),
    ResidualStage("inverted", 8, 5, 2, 96, 5),
    ResidualStage("inverted", 8, 5, 1, 144, 4),
    ResidualStage("inverted", 8, 5, 2, 192, 2),
)
LAST = 1280
SCALES = {"s": (1.0, 1.0, 224), "m": (1.0, 1.1, 240), "l": (1.2, 1.4, 300)}


for _name, (_width, _depth, _size) in SCALES.items():
    _build = partial(
        staged_network,
        stem=scaled(STEM, _width),
        stages=scaled_stages(STAGES, _width, _depth),
        last=scaled(LAST, _width),
        function="relu",
    )
    NETWORKS.register(f"efficientnet-edgetpu-{_name}")(Recipe(_build, (3, _size, _size)))
