"""MixNet-S, M and L: depthwise convolutions of several kernels, each over its part of the channels.

Tan and Le, MixConv: Mixed Depthwise Convolutional Kernels, BMVC 2019; as in the authors' repository
(tensorflow/tpu, models/official/mnasnet/mixnet). Pointwise convolutions of some blocks have two
groups.
"""

from functools import partial
from typing import NamedTuple

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.mobilenet import scaled
from discosim.networks.parts import classifier, conv_norm, squeeze_excite


class MixedStage(NamedTuple):
    """`depth` blocks alike, of which the first one takes the stride.

    split: whether expansion and projection have two groups, one after the other; squeezed: the
    share of its input's features to which a block squeezes, 0 for none; swish: instead of ReLU.
    """

    kernels: tuple[int, ...]
    expansion: int
    stride: int
    features: int
    depth: int
    split: tuple[bool, bool] = (False, False)
    squeezed: float = 0.5
    swish: bool = True


BOTH, LATER = (True, True), (False, True)
SMALL = (
    MixedStage((3,), 1, 1, 16, 1, squeezed=0, swish=False),
    MixedStage((3,), 6, 2, 24, 1, BOTH, squeezed=0, swish=False),
    MixedStage((3,), 3, 1, 24, 1, BOTH, squeezed=0, swish=False),
    MixedStage((3, 5, 7), 6, 2, 40, 1),
    MixedStage((3, 5), 6, 1, 40, 3, BOTH),
    MixedStage((3, 5, 7), 6, 2, 80, 1, LATER, squeezed=0.25),
    MixedStage((3, 5), 6, 1, 80, 2, LATER, squeezed=0.25),
    MixedStage((3, 5, 7), 6, 1, 120, 1, BOTH),
    MixedStage((3, 5, 7, 9), 3, 1, 120, 2, BOTH),
    MixedStage((3, 5, 7, 9, 11), 6, 2, 200, 1),
    MixedStage((3, 5, 7, 9), 6, 1, 200, 2, LATER),
)
MEDIUM = (
    MixedStage((3,), 1, 1, 24, 1, squeezed=0, swish=False),
    MixedStage((3, 5, 7), 6, 2, 32, 1, BOTH, squeezed=0, swish=False),
    MixedStage((3,), 3, 1, 32, 1, BOTH, squeezed=0, swish=False),
    MixedStage((3, 5, 7, 9), 6, 2, 40, 1),
    MixedStage((3, 5), 6, 1, 40, 3, BOTH),
    MixedStage((3, 5, 7), 6, 2, 80, 1, squeezed=0.25),
    MixedStage((3, 5, 7, 9), 6, 1, 80, 3, BOTH, squeezed=0.25),
    MixedStage((3,), 6, 1, 120, 1),
    MixedStage((3, 5, 7, 9), 3, 1, 120, 3, BOTH),
    MixedStage((3, 5, 7, 9), 6, 2, 200, 1),
    MixedStage((3, 5, 7, 9), 6, 1, 200, 3, LATER),
)
LAST = 1536
CLASSES = 1000


def _mixed(
    net: Builder, x: str, parts: list[int], kernels: tuple[int, ...], at: str, stride: int
) -> str:
    """Write one depthwise convolution for each of `parts`, which lie side by side in `x`."""
    if len(parts) == 1:
        own = parts[0]
        return net.conv(x, own, kernels[0], at, stride=stride, groups=own)
    made, start = [], 0
    for part, kernel in zip(parts, kernels, strict=True):
        name = f"{at}.{kernel}x{kernel}"
        y = net.slice(x, start, part, f"{name}.part")
        made.append(net.conv(y, part, kernel, name, stride=stride, groups=part))
        start += part
    return net.concat(made, f"{at}.concat")


def _block(
    net: Builder, x: str, before: int, stage: MixedStage, stride: int, at: str, channels: Width
) -> str:
    """Write one block; `before` are the full width's features of `x`. All features are even."""
    function = "silu" if stage.swish else "relu"
    share = stage.expansion * before // len(stage.kernels)
    parts = [2 * channels(share // 2)] * len(stage.kernels)
    y = x
    if stage.expansion > 1:
        groups = 1 + stage.split[0]
        y = conv_norm(net, y, sum(parts), 1, f"{at}.expand", function, groups=groups)
    y = net.batch_norm(
        _mixed(net, y, parts, stage.kernels, f"{at}.depthwise", stride), f"{at}.depthwise.norm"
    )
    y = net.activation(y, f"{at}.depthwise.act", function)
    if stage.squeezed:
        squeezed = channels(int(before * stage.squeezed))
        y = squeeze_excite(net, y, squeezed, f"{at}.se", function)
    features = 2 * channels(stage.features // 2)
    y = conv_norm(net, y, features, 1, f"{at}.project", groups=1 + stage.split[1])
    return net.add(y, x, f"{at}.add") if stride == 1 and before == stage.features else y


def mixnet(
    name: str, input_shape: Shape, channels: Width, *, stages: tuple[MixedStage, ...]
) -> Network:
    """Return the classifier; the stem has as many features as the first stage."""
    net = Builder(name, input_shape)
    before = stages[0].features
    with net.block("stem"):
        x = conv_norm(net, INPUT, 2 * channels(before // 2), 3, "stem", "relu", stride=2)
    for number, stage in enumerate(stages):
        for index in range(stage.depth):
            at = f"stage{number}.{index}"
            with net.block(at):
                x = _block(net, x, before, stage, 1 if index else stage.stride, at, channels)
            before = stage.features
    with net.block("head"):
        classifier(net, conv_norm(net, x, channels(LAST), 1, "head", "relu"), CLASSES)
    return net.build()


LARGE = tuple(stage._replace(features=scaled(stage.features, 1.3)) for stage in MEDIUM)
for _name, _stages in (("s", SMALL), ("m", MEDIUM), ("l", LARGE)):
    NETWORKS.register(f"mixnet-{_name}")(Recipe(partial(mixnet, stages=_stages), (3, 224, 224)))
