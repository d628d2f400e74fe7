"""MobileNetV2: stages of inverted residuals around a depthwise convolution.

Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018, Table 2; as in
torchvision's `models/mobilenetv2.py`.
"""

from functools import partial
from typing import Any, NamedTuple

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.parts import classifier, conv_norm, depthwise, squeeze_excite

CLASSES = 1000


class Stage(NamedTuple):
    """A row of the paper's table: `depth` blocks, of which the first one takes the stride."""

    expansion: int
    kernel: int
    stride: int
    features: int
    depth: int
    dilation: int = 1


STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 3, 2, 32, 3),
    Stage(6, 3, 2, 64, 4),
    Stage(6, 3, 1, 96, 3),
    Stage(6, 3, 2, 160, 3),
    Stage(6, 3, 1, 320, 1),
)
STEM, LAST = 32, 1280
SIXTEENTH = "stage6.0.expand.act"
"""The last features of a 16th of the side, which detectors read beside the last of all."""


def inverted_residual(
    net: Builder,
    x: str,
    before: int,
    stage: Stage,
    stride: int,
    at: str,
    channels: Width,
    function: str,
    se: bool = False,
) -> str:
    """Expand, filter each channel, weight the channels if `se`, project; `before` is full width."""
    hidden = channels(stage.expansion * before)
    y = x
    if stage.expansion > 1:
        y = conv_norm(net, y, hidden, 1, f"{at}.expand", function)
    y = depthwise(
        net, y, stage.kernel, f"{at}.depthwise", function, stride=stride, dilation=stage.dilation
    )
    if se:
        y = squeeze_excite(net, y, channels(max(1, before // 4)), f"{at}.se", function)
    y = conv_norm(net, y, channels(stage.features), 1, f"{at}.project")
    return net.add(y, x, f"{at}.add") if stride == 1 and before == stage.features else y


def inverted_residual_features(
    net: Builder,
    channels: Width,
    *,
    stem: int,
    stages: tuple[Stage, ...],
    last: int = 0,
    function: str = "relu6",
    squeeze_excite: bool = False,
) -> str:
    """Write everything but the classifier; `stem` and `last` are the features around the stages.

    function: of the activations; squeeze_excite: in every block. Without `last` the stages end it.
    """
    with net.block("stem"):
        x = conv_norm(net, INPUT, channels(stem), 3, "stem", function, stride=2)
    before = stem
    for number, stage in enumerate(stages, start=1):
        for index in range(stage.depth):
            at = f"stage{number}.{index}"
            stride = stage.stride if index == 0 else 1
            with net.block(at):
                x = inverted_residual(
                    net, x, before, stage, stride, at, channels, function, squeeze_excite
                )
            before = stage.features
    if not last:
        return x
    with net.block("head"):
        return conv_norm(net, x, channels(last), 1, "head", function)


def inverted_residual_network(
    name: str, input_shape: Shape, channels: Width, **features: Any
) -> Network:
    """Return the classifier; `features` as in inverted_residual_features."""
    net = Builder(name, input_shape)
    x = inverted_residual_features(net, channels, **features)
    with net.block("head"):
        classifier(net, x, CLASSES)
    return net.build()


def scaled(features: int, width: float, unit: int = 8) -> int:
    """Return the multiple of `unit` nearest to `features` x `width`, and not below 90 % of it."""
    exact = features * width
    nearest = max(unit, int(exact + unit / 2) // unit * unit)
    return nearest if nearest >= 0.9 * exact else nearest + unit


def _register(name: str, width: float) -> None:
    """Register a width of the paper's Section 6; the last layer is never narrower than `LAST`."""
    stages = tuple(stage._replace(features=scaled(stage.features, width)) for stage in STAGES)
    build = partial(
        inverted_residual_network,
        stem=scaled(STEM, width),
        stages=stages,
        last=max(LAST, scaled(LAST, width)),
    )
    NETWORKS.register(name)(Recipe(build, (3, 224, 224)))


_register("mobilenetv2", 1.0)
for _width in (0.35, 0.5, 0.75, 1.4):
    _register(f"mobilenetv2-{_width}", _width)
