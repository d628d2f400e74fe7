"""GhostNet: half of each convolution's features are made of the other half, one of one.

Han et al., GhostNet: More Features from Cheap Operations, CVPR 2020, Table 1; as in the authors'
repository (huawei-noah/Efficient-AI-Backbones).
"""

from typing import NamedTuple

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.mobilenet import scaled
from discosim.networks.parts import conv_norm, depthwise, squeeze_excite


class GhostRow(NamedTuple):
    """A row of the paper's table; excite: with squeeze-excite."""

    kernel: int
    hidden: int
    features: int
    excite: bool = False
    stride: int = 1


ROWS = (
    GhostRow(3, 16, 16),
    GhostRow(3, 48, 24, stride=2),
    GhostRow(3, 72, 24),
    GhostRow(5, 72, 40, excite=True, stride=2),
    GhostRow(5, 120, 40, excite=True),
    GhostRow(3, 240, 80, stride=2),
    GhostRow(3, 200, 80),
    GhostRow(3, 184, 80),
    GhostRow(3, 184, 80),
    GhostRow(3, 480, 112, excite=True),
    GhostRow(3, 672, 112, excite=True),
    GhostRow(5, 672, 160, excite=True, stride=2),
    GhostRow(5, 960, 160),
    GhostRow(5, 960, 160, excite=True),
    GhostRow(5, 960, 160),
    GhostRow(5, 960, 160, excite=True),
)
STEM = 16
LAST, HIDDEN = 960, 1280
CLASSES = 1000


def _ghost(net: Builder, x: str, half: int, at: str, function: str = "") -> str:
    """Write a pointwise convolution to `half` features, and as many made of each by itself."""
    first = conv_norm(net, x, half, 1, f"{at}.own", function)
    return net.concat([first, depthwise(net, first, 3, f"{at}.ghost", function)], f"{at}.concat")


def _block(net: Builder, x: str, before: int, row: GhostRow, at: str, channels: Width) -> str:
    """Write a bottleneck of two ghost modules; `before` are the full width's features of `x`."""
    y = _ghost(net, x, channels(row.hidden // 2), f"{at}.first", "relu")
    if row.stride > 1:
        y = depthwise(net, y, row.kernel, f"{at}.depthwise", stride=row.stride)
    if row.excite:
        squeezed = channels(scaled(row.hidden, 0.25, 4))
        y = squeeze_excite(net, y, squeezed, f"{at}.se", gate="hardsigmoid")
    half = channels(row.features // 2)
    y = _ghost(net, y, half, f"{at}.second")
    if row.stride > 1 or before != row.features:
        x = depthwise(net, x, row.kernel, f"{at}.skip.depthwise", stride=row.stride)
        x = conv_norm(net, x, 2 * half, 1, f"{at}.skip")
    return net.add(y, x, f"{at}.add")


def ghostnet(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the classifier."""
    net = Builder(name, input_shape)
    with net.block("stem"):
        x = conv_norm(net, INPUT, 2 * channels(STEM // 2), 3, "stem", "relu", stride=2)
    before = STEM
    for index, row in enumerate(ROWS):
        with net.block(f"block{index}"):
            x = _block(net, x, before, row, f"block{index}", channels)
        before = row.features
    with net.block("head"):
        x = net.global_pool(conv_norm(net, x, channels(LAST), 1, "head", "relu"), "avgpool")
        x = net.linear(net.flatten(x, "flatten"), channels(HIDDEN), "classifier.hidden")
        net.linear(net.activation(x, "classifier.act"), CLASSES, "classifier")
    return net.build()


NETWORKS.register("ghostnet")(Recipe(ghostnet, (3, 224, 224)))
