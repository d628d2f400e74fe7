"""YOLO-FastestV2 and FastestDet: ShuffleNetV2 as first published by its authors, small heads.

dog-qiuqiu/Yolo-FastestV2 and dog-qiuqiu/FastestDet, as in ncnn's `benchmark/yolo-fastestv2.param`
and `FastestDet.param`: 80 classes; three boxes a position of two maps, or one of one map. A unit of
this backbone shuffles what it reads, not what it makes.
"""

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.parts import conv_norm, depthwise

STEM = 24
STAGES = ((48, 4), (96, 8), (192, 4))  # features, units
CLASSES = 80
BOXES = 3
NECK = 72
SINGLE = 96
RELU = "relu"


def _unit(net: Builder, x: str, half: int, at: str, stride: int) -> str:
    """Write one unit of twice `half` features; with a stride both branches read all of `x`."""
    if stride == 1:
        y = net.shuffle(x, 2, f"{at}.shuffle")
        kept = net.slice(y, 0, half, f"{at}.kept")
        y = net.slice(y, half, half, f"{at}.filtered")
    else:
        kept = depthwise(net, x, 3, f"{at}.skip.depthwise", stride=stride)
        kept = conv_norm(net, kept, half, 1, f"{at}.skip.pointwise", RELU)
        y = x
    y = conv_norm(net, y, half, 1, f"{at}.conv1", RELU)
    y = depthwise(net, y, 3, f"{at}.depthwise", stride=stride)
    return net.concat([kept, conv_norm(net, y, half, 1, f"{at}.conv2", RELU)], f"{at}.concat")


def _backbone(net: Builder, channels: Width) -> list[str]:
    """Write the stem and the three stages; return the output of each stage."""
    with net.block("stem"):
        x = conv_norm(net, INPUT, channels(STEM), 3, "stem", RELU, stride=2)
        x = net.pool(x, 3, "maxpool", stride=2, padding=1)
    outputs = []
    for stage, (features, depth) in enumerate(STAGES, start=2):
        for index in range(depth):
            at = f"stage{stage}.{index}"
            with net.block(at):
                x = _unit(net, x, channels(features // 2), at, 1 if index else 2)
        outputs.append(x)
    return outputs


def _tower(net: Builder, x: str, at: str) -> str:
    """Write two depthwise convolutions of 5x5, each with the pointwise one behind it."""
    own = net.shape(x)[0]
    for index in range(2):
        x = depthwise(net, x, 5, f"{at}.{index}.depthwise", RELU)
        x = conv_norm(net, x, own, 1, f"{at}.{index}.pointwise")
    return x


def _map(net: Builder, x: str, at: str, channels: Width) -> None:
    """Write the heads of one map: a tower for places, one for classes and for objects."""
    with net.block(at):
        x = conv_norm(net, x, channels(NECK), 1, f"{at}.neck", RELU)
        seen = _tower(net, x, f"{at}.seen")
        placed = _tower(net, x, f"{at}.placed")
        net.conv(placed, BOXES * 4, 1, f"{at}.place", bias=True)
        net.conv(seen, BOXES, 1, f"{at}.object", bias=True)
        net.conv(seen, CLASSES, 1, f"{at}.class", bias=True)


def yolo_fastestv2(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the detector; maps of one 32nd and one 16th of the input's side."""
    net = Builder(name, input_shape)
    _, fine, coarse = _backbone(net, channels)
    _map(net, coarse, "head0", channels)
    with net.block("merge"):
        up = net.upsample(coarse, net.shape(fine)[1:], "merge.upsample", "nearest")
        merged = net.concat([up, fine], "merge.concat")
    _map(net, merged, "head1", channels)
    return net.build()


def fastestdet(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the detector; one map of one 16th of the input's side."""
    net = Builder(name, input_shape)
    finest, fine, coarse = _backbone(net, channels)
    features = channels(SINGLE)
    with net.block("neck"):
        down = net.pool(finest, 3, "neck.pool", stride=2, padding=1, function="mean")
        up = net.upsample(coarse, net.shape(fine)[1:], "neck.upsample", "nearest")
        merged = net.concat([down, fine, up], "neck.concat")
        x = conv_norm(net, merged, features, 1, "neck.conv", RELU)
    with net.block("pyramid"):
        levels = []
        for depth in (1, 2, 3):
            y = x
            for index in range(depth):
                y = depthwise(net, y, 5, f"pyramid.{depth}.{index}", RELU)
            levels.append(y)
        y = conv_norm(net, net.concat(levels, "pyramid.concat"), features, 1, "pyramid.conv")
        x = net.activation(net.add(x, y, "pyramid.add"), "pyramid.relu")
    with net.block("head"):
        x = conv_norm(net, x, features, 1, "head.conv", RELU)
        for what, outputs in (("object", 1), ("place", 4), ("class", CLASSES)):
            y = depthwise(net, x, 5, f"head.{what}.depthwise", RELU)
            net.conv(y, outputs, 1, f"head.{what}", bias=True)
    return net.build()


NETWORKS.register("yolo-fastestv2")(Recipe(yolo_fastestv2, (3, 352, 352)))
NETWORKS.register("fastestdet")(Recipe(fastestdet, (3, 352, 352)))
