"""NanoDet-m: ShuffleNetV2, features that are added top down and bottom up, a small head a map.

RangiLyu/nanodet v0.x, `nanodet-m`, as in ncnn's `benchmark/nanodet_m.param`: 80 classes, and for
each of a box's four sides a distribution over 8 distances.
"""

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import Network
from discosim.networks import NETWORKS, Recipe, Width, shufflenetv2
from discosim.networks.parts import conv_norm, depthwise

STAGE_WIDTHS = (116, 232, 464)
NECK = 96
OUTPUTS = 80 + 4 * 8
SLOPE = 0.1
HEAD_DEPTH = 2


def _resized_sum(net: Builder, x: str, other: str, at: str) -> str:
    """Add `other`, brought to the size of `x`."""
    with net.block(at):
        y = net.upsample(other, net.shape(x)[1:], f"{at}.resize")
        return net.add(x, y, f"{at}.add")


def _head(net: Builder, x: str, at: str) -> None:
    leaky = "leaky_relu"
    with net.block(at):
        for index in range(HEAD_DEPTH):
            own = net.shape(x)[0]
            x = depthwise(net, x, 3, f"{at}.{index}.depthwise", leaky, factor=SLOPE)
            x = conv_norm(net, x, own, 1, f"{at}.{index}.pointwise", leaky, factor=SLOPE)
        net.conv(x, OUTPUTS, 1, at, bias=True)


def nanodet_m(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the detector; maps of one 8th, 16th and 32nd of the input's side."""
    net = Builder(name, input_shape)
    stages = shufflenetv2.backbone(net, STAGE_WIDTHS, channels, SLOPE)
    maps = []
    for index, x in enumerate(stages):
        with net.block(f"lateral{index}"):
            maps.append(net.conv(x, channels(NECK), 1, f"lateral{index}", bias=True))
    for index in (1, 0):
        maps[index] = _resized_sum(net, maps[index], maps[index + 1], f"down{index}")
    for index in (1, 2):
        maps[index] = _resized_sum(net, maps[index], maps[index - 1], f"up{index}")
    for index, x in enumerate(maps):
        _head(net, x, f"head.{index}")
    return net.build()


NETWORKS.register("nanodet-m")(Recipe(nanodet_m, (3, 320, 320)))
