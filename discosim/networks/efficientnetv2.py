"""EfficientNetV2: early stages whose expansion and depthwise convolution are one dense convolution.

Tan and Le, EfficientNetV2: Smaller Models and Faster Training, ICML 2021, Table 4; the other
sizes and the rounding as in the authors' repository (google/automl, efficientnetv2) and
`keras.applications`.
"""

from collections.abc import Callable
from functools import partial
from math import ceil
from typing import Literal, NamedTuple

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.mobilenet import scaled
from discosim.networks.parts import classifier, conv_norm, depthwise, squeeze_excite

CLASSES = 1000


class ResidualStage(NamedTuple):
    """`depth` blocks alike, of which the first one takes the stride.

    kind: one convolution; one that expands and one that projects; or expansion, depthwise and
    projection. excite: with squeeze-excite; adds: whether a block that changes neither size nor
    features adds its input; widened: whether `expansion` is of the features that a block makes.
    """

    kind: Literal["single", "fused", "inverted"]
    expansion: int
    kernel: int
    stride: int
    features: int
    depth: int
    excite: bool = False
    adds: bool = True
    widened: bool = False


SMALLEST = (
    ResidualStage("single", 1, 3, 1, 16, 1),
    ResidualStage("fused", 4, 3, 2, 32, 2),
    ResidualStage("fused", 4, 3, 2, 48, 2),
    ResidualStage("inverted", 4, 3, 2, 96, 3, excite=True),
    ResidualStage("inverted", 6, 3, 1, 112, 5, excite=True),
    ResidualStage("inverted", 6, 3, 2, 192, 8, excite=True),
)
SMALL = (
    ResidualStage("single", 1, 3, 1, 24, 2),
    ResidualStage("fused", 4, 3, 2, 48, 4),
    ResidualStage("fused", 4, 3, 2, 64, 4),
    ResidualStage("inverted", 4, 3, 2, 128, 6, excite=True),
    ResidualStage("inverted", 6, 3, 1, 160, 9, excite=True),
    ResidualStage("inverted", 6, 3, 2, 256, 15, excite=True),
)
MEDIUM = (
    ResidualStage("single", 1, 3, 1, 24, 3),
    ResidualStage("fused", 4, 3, 2, 48, 5),
    ResidualStage("fused", 4, 3, 2, 80, 5),
    ResidualStage("inverted", 4, 3, 2, 160, 7, excite=True),
    ResidualStage("inverted", 6, 3, 1, 176, 14, excite=True),
    ResidualStage("inverted", 6, 3, 2, 304, 18, excite=True),
    ResidualStage("inverted", 6, 3, 1, 512, 5, excite=True),
)
LARGE = (
    ResidualStage("single", 1, 3, 1, 32, 4),
    ResidualStage("fused", 4, 3, 2, 64, 7),
    ResidualStage("fused", 4, 3, 2, 96, 7),
    ResidualStage("inverted", 4, 3, 2, 192, 10, excite=True),
    ResidualStage("inverted", 6, 3, 1, 224, 19, excite=True),
    ResidualStage("inverted", 6, 3, 2, 384, 25, excite=True),
    ResidualStage("inverted", 6, 3, 1, 640, 7, excite=True),
)
STEM = 32
BY_SIZE = {"s": (SMALL, 384), "m": (MEDIUM, 480), "l": (LARGE, 480)}
LAST = 1280
SCALES = ((1.0, 1.0, 224), (1.0, 1.1, 240), (1.1, 1.2, 260), (1.2, 1.4, 300))  # as in EfficientNet


def _nearest(features: int, width: float) -> int:
    """Return the multiple of 8 nearest to `features` x `width`, however far below it is."""
    return max(8, int(features * width + 4) // 8 * 8)


def _block(
    net: Builder,
    x: str,
    before: int,
    stage: ResidualStage,
    stride: int,
    at: str,
    channels: Width,
    function: str,
) -> str:
    """Write one block; `before` are the full width's features of `x`."""
    features, kernel = channels(stage.features), stage.kernel
    hidden = channels(stage.expansion * (stage.features if stage.widened else before))
    match stage.kind:
        case "single":
            y = conv_norm(net, x, features, kernel, f"{at}.conv", function, stride=stride)
        case "fused":
            y = conv_norm(net, x, hidden, kernel, f"{at}.expand", function, stride=stride)
        case "inverted":
            y = conv_norm(net, x, hidden, 1, f"{at}.expand", function)
            y = depthwise(net, y, kernel, f"{at}.depthwise", function, stride=stride)
    if stage.excite:
        y = squeeze_excite(net, y, channels(max(1, before // 4)), f"{at}.se", function)
    if stage.kind != "single":
        y = conv_norm(net, y, features, 1, f"{at}.project")
    adds = stage.adds and stride == 1 and before == stage.features
    return net.add(y, x, f"{at}.add") if adds else y


def staged_network(
    name: str,
    input_shape: Shape,
    channels: Width,
    *,
    stem: int,
    stages: tuple[ResidualStage, ...],
    last: int,
    function: str,
) -> Network:
    """Return the classifier; `stem` and `last` are the features around the stages."""
    net = Builder(name, input_shape)
    with net.block("stem"):
        x = conv_norm(net, INPUT, channels(stem), 3, "stem", function, stride=2)
    before = stem
    for number, stage in enumerate(stages, start=1):
        for index in range(stage.depth):
            at = f"stage{number}.{index}"
            with net.block(at):
                stride = 1 if index else stage.stride
                x = _block(net, x, before, stage, stride, at, channels, function)
            before = stage.features
    with net.block("head"):
        x = conv_norm(net, x, channels(last), 1, "head", function)
        classifier(net, x, CLASSES)
    return net.build()


def scaled_stages(
    stages: tuple[ResidualStage, ...],
    width: float,
    depth: float,
    nearest: Callable[[int, float], int] = scaled,
) -> tuple[ResidualStage, ...]:
    """Return the stages with features `width` times and blocks `depth` times as many."""
    return tuple(
        stage._replace(features=nearest(stage.features, width), depth=ceil(stage.depth * depth))
        for stage in stages
    )


for _index, (_width, _depth, _size) in enumerate(SCALES):
    _build = partial(
        staged_network,
        stem=_nearest(STEM, _width),
        stages=scaled_stages(SMALLEST, _width, _depth, _nearest),
        last=_nearest(LAST, _width),
        function="silu",
    )
    NETWORKS.register(f"efficientnetv2-b{_index}")(Recipe(_build, (3, _size, _size)))
for _name, (_stages, _size) in BY_SIZE.items():
    _build = partial(
        staged_network, stem=_stages[0].features, stages=_stages, last=LAST, function="silu"
    )
    NETWORKS.register(f"efficientnetv2-{_name}")(Recipe(_build, (3, _size, _size)))
