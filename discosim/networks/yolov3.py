"""YOLOv3 and YOLOv3-tiny: Darknet's features, maps of boxes that are made top down.

Redmon and Farhadi, YOLOv3: An Incremental Improvement, arXiv 1804.02767, Table 1; layers as in the
authors' `cfg/yolov3.cfg` and `cfg/yolov3-tiny.cfg`. The tiny one's last pooling, two positions wide
by steps of one, is three wide here, which keeps the size without padding one side alone.
"""

from functools import partial

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.parts import conv_norm

STEM = 32
STAGES = ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4))
TINY_WIDTHS = (16, 32, 64, 128, 256, 512)
OUTPUTS = 3 * (80 + 5)
_conv = partial(conv_norm, function="leaky_relu", factor=0.1)


def _beside(net: Builder, x: str, finer: str, features: int, at: str) -> str:
    """Twice as many positions a side, beside the features that have them already."""
    y = _conv(net, x, features, 1, f"{at}.reduce")
    y = net.upsample(y, net.shape(finer)[1:], f"{at}.upsample", "nearest")
    return net.concat([y, finer], f"{at}.concat")


def yolov3(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the detector: maps of one 32nd, one 16th and one 8th of the input's side."""
    net = Builder(name, input_shape)
    with net.block("stem"):
        x = _conv(net, INPUT, channels(STEM), 3, "stem")
    maps = []
    for number, (width, depth) in enumerate(STAGES, start=1):
        at = f"stage{number}"
        with net.block(f"{at}.down"):
            x = _conv(net, x, channels(width), 3, f"{at}.down", stride=2)
        for index in range(depth):
            with net.block(f"{at}.{index}"):
                y = _conv(net, x, channels(width // 2), 1, f"{at}.{index}.conv1")
                y = _conv(net, y, channels(width), 3, f"{at}.{index}.conv2")
                x = net.add(x, y, f"{at}.{index}.add")
        maps.append(x)
    for number, width in enumerate((512, 256, 128), start=1):
        at = f"head{number}"
        with net.block(at):
            if number > 1:
                x = _beside(net, x, maps[-number], channels(width), at)
            for index in range(2):
                x = _conv(net, x, channels(width), 1, f"{at}.{index}.conv1")
                x = _conv(net, x, channels(2 * width), 3, f"{at}.{index}.conv2")
            x = _conv(net, x, channels(width), 1, f"{at}.mixed")
            y = _conv(net, x, channels(2 * width), 3, f"{at}.last")
            net.conv(y, OUTPUTS, 1, at, bias=True)
    return net.build()


def yolov3_tiny(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the detector of seven convolutions: maps of one 32nd and one 16th."""
    net = Builder(name, input_shape)
    x = finer = INPUT
    for number, width in enumerate(TINY_WIDTHS, start=1):
        at = f"conv{number}"
        with net.block(at):
            x = _conv(net, x, channels(width), 3, at)
            finer = x if width == 256 else finer
            if number < len(TINY_WIDTHS):
                x = net.pool(x, 2, f"{at}.pool", stride=2)
            else:
                x = net.pool(x, 3, f"{at}.pool", stride=1, padding=1)
    with net.block("neck"):
        x = _conv(net, x, channels(1024), 3, "neck1")
        x = _conv(net, x, channels(256), 1, "neck2")
    with net.block("head1"):
        y = _conv(net, x, channels(512), 3, "head1.conv")
        net.conv(y, OUTPUTS, 1, "head1", bias=True)
    with net.block("head2"):
        y = _beside(net, x, finer, channels(128), "head2")
        y = _conv(net, y, channels(256), 3, "head2.conv")
        net.conv(y, OUTPUTS, 1, "head2", bias=True)
    return net.build()


NETWORKS.register("yolov3-tiny")(Recipe(yolov3_tiny, (3, 416, 416)))
NETWORKS.register("yolov3")(Recipe(yolov3, (3, 416, 416)))
