"""Small networks whose operators are timed: those of common networks, at widths of split ones.

A network, not single operators: there each operator finds its input in a cache, its weights not,
and memory that others have freed, and so takes up to twice as long as alone in a loop.
"""

from discosim.graph.builder import Builder
from discosim.graph.network import INPUT, Network
from discosim.networks.deit import block

STAGES = ((56, 24), (56, 48), (28, 48), (28, 96), (14, 96), (14, 192), (7, 192), (7, 384))
"""Positions of a side and inner features of each block of the convolutional one."""

EXPANSION = 4
TOKENS = 160
WIDTHS = ((128, 2), (256, 4), (512, 8))
"""Features and heads of the blocks of the transformers."""


def probes() -> list[Network]:
    """Return the networks; none is one of those that come with the package."""
    return [_convolutions(), *(_transformer(*width) for width in WIDTHS)]


def _convolutions() -> Network:
    """A stem, then bottlenecks of several widths at each size; some with depthwise convolutions."""
    net = Builder("probe of convolutions", (3, 224, 224))
    x = net.conv(INPUT, 32, 7, "stem", stride=2)
    x = net.activation(net.batch_norm(x, "stem.norm"), "stem.act")
    x = net.pool(x, 3, "stem.pool", stride=2, padding=1)
    for number, (side, features) in enumerate(STAGES):
        stride = net.shape(x)[1] // side
        x = _bottleneck(net, x, features, stride, f"block.{number}")
    net.linear(net.flatten(net.global_pool(x, "pool"), "flatten"), 500, "head")
    return net.build()


def _bottleneck(net: Builder, x: str, features: int, stride: int, at: str) -> str:
    """1x1, depthwise, 3x3 and 1x1, around a skip through a 1x1."""

    def convolve(x: str, features: int, kernel: int, name: str, stride: int = 1, groups: int = 1
                 ) -> str:  # fmt: skip
        y = net.conv(x, features, kernel, f"{at}.{name}", stride=stride, groups=groups)
        return net.batch_norm(y, f"{at}.{name}.norm")

    y = net.activation(convolve(x, features, 1, "narrow"), f"{at}.act1")
    y = net.activation(convolve(y, features, 3, "deep", stride, features), f"{at}.act2")
    y = net.activation(convolve(y, features, 3, "inner"), f"{at}.act3")
    y = convolve(y, EXPANSION * features, 1, "wide")
    skip = convolve(x, EXPANSION * features, 1, "skip", stride)
    return net.activation(net.add(y, skip, f"{at}.add"), f"{at}.act4")


def _transformer(features: int, heads: int) -> Network:
    net = Builder(f"probe of a transformer of {features}", (features, TOKENS))
    x = INPUT
    for number in range(2):
        x = block(net, x, heads, EXPANSION * features, f"block.{number}")
    return net.build()
