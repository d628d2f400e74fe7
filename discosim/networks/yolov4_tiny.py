"""YOLOv4-tiny: three stages of which half of the features are filtered, two maps of boxes.

Wang, Bochkovskiy and Liao, Scaled-YOLOv4, CVPR 2021, Section 3.4; layers as in the authors'
`cfg/yolov4-tiny.cfg`.
"""

from functools import partial

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.parts import conv_norm

STAGE_WIDTHS = (64, 128, 256)
ANCHORS = 3
CLASSES = 80
_conv = partial(conv_norm, function="leaky_relu", factor=0.1)


def _stage(net: Builder, x: str, features: int, at: str) -> tuple[str, str]:
    """Write a stage; return its output and what its last convolution made."""
    half = features // 2
    x = _conv(net, x, features, 3, f"{at}.conv1")
    first = _conv(net, net.slice(x, half, half, f"{at}.half"), half, 3, f"{at}.conv2")
    second = _conv(net, first, half, 3, f"{at}.conv3")
    mixed = _conv(net, net.concat([second, first], f"{at}.inner"), features, 1, f"{at}.conv4")
    x = net.concat([x, mixed], f"{at}.outer")
    return net.pool(x, 2, f"{at}.pool", stride=2), mixed


def yolov4_tiny(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the detector: maps of one 32nd and one 16th of the input's side."""
    net = Builder(name, input_shape)
    outputs = ANCHORS * (CLASSES + 5)
    with net.block("stem"):
        x = _conv(net, INPUT, channels(32), 3, "stem1", stride=2)
        x = _conv(net, x, channels(64), 3, "stem2", stride=2)
    mixed = x
    for number, width in enumerate(STAGE_WIDTHS, start=1):
        with net.block(f"stage{number}"):
            x, mixed = _stage(net, x, 2 * channels(width // 2), f"stage{number}")
    with net.block("neck"):
        x = _conv(net, x, channels(512), 3, "neck1")
        x = _conv(net, x, channels(256), 1, "neck2")
    with net.block("head1"):
        y = _conv(net, x, channels(512), 3, "head1.conv")
        net.conv(y, outputs, 1, "head1", bias=True)
    with net.block("head2"):
        y = _conv(net, x, channels(128), 1, "head2.reduce")
        y = net.upsample(y, net.shape(mixed)[1:], "head2.upsample", "nearest")
        y = _conv(net, net.concat([y, mixed], "head2.concat"), channels(256), 3, "head2.conv")
        net.conv(y, outputs, 1, "head2", bias=True)
    return net.build()


NETWORKS.register("yolov4-tiny")(Recipe(yolov4_tiny, (3, 416, 416)))
