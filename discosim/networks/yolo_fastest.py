"""YOLO-Fastest 1.1: inverted residuals of very few features, pooled at four sizes, two maps.

dog-qiuqiu/Yolo-Fastest, `ModelZoo/yolo-fastest-1.1_coco`, as in ncnn's `benchmark/`: 80 classes,
three boxes a position.
"""

from typing import NamedTuple

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.parts import conv_norm, depthwise


class FastestRow(NamedTuple):
    """`depth` blocks alike, each with the stride."""

    hidden: int
    features: int
    stride: int = 1
    depth: int = 1


STEM = 8
ROWS = (
    FastestRow(8, 4),
    FastestRow(8, 4),
    FastestRow(24, 8, stride=2),
    FastestRow(32, 8, depth=2),
    FastestRow(32, 8, stride=2),
    FastestRow(48, 8, depth=2),
    FastestRow(48, 16),
    FastestRow(96, 16, depth=4),
    FastestRow(96, 24, stride=2),
    FastestRow(136, 24, depth=4),
    FastestRow(136, 48, stride=2),
    FastestRow(224, 48, depth=5),
)
TAPPED = 9  # the row whose output the second map reads as well
POOLS = (9, 5, 3)
NECK = 96
OUTPUTS = 3 * (80 + 5)
LEAKY, SLOPE = "leaky_relu", 0.1
HEAD_DEPTH = 2


def _block(net: Builder, x: str, before: int, row: FastestRow, at: str, channels: Width) -> str:
    """Write one block; `before` are the full width's features of `x`."""
    y = conv_norm(net, x, channels(row.hidden), 1, f"{at}.expand", LEAKY, factor=SLOPE)
    y = depthwise(net, y, 3, f"{at}.depthwise", LEAKY, factor=SLOPE, stride=row.stride)
    y = conv_norm(net, y, channels(row.features), 1, f"{at}.project")
    return net.add(y, x, f"{at}.add") if row.stride == 1 and before == row.features else y


def _head(net: Builder, x: str, at: str) -> None:
    own = net.shape(x)[0]
    for index in range(HEAD_DEPTH):
        x = depthwise(net, x, 5, f"{at}.{index}.depthwise", LEAKY, factor=SLOPE)
        x = conv_norm(net, x, own, 1, f"{at}.{index}.pointwise")
    net.conv(x, OUTPUTS, 1, at, bias=True)


def yolo_fastest(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the detector; maps of one 32nd and one 16th of the input's side."""
    net = Builder(name, input_shape)
    with net.block("stem"):
        x = conv_norm(net, INPUT, channels(STEM), 3, "stem", LEAKY, factor=SLOPE, stride=2)
    outputs, before = [], STEM
    for number, row in enumerate(ROWS):
        for index in range(row.depth):
            at = f"row{number}.{index}"
            with net.block(at):
                x = _block(net, x, before, row, at, channels)
            before = row.features
        outputs.append(x)
    with net.block("neck"):
        pooled = [net.pool(x, k, f"neck.pool{k}", stride=1, padding=k // 2) for k in POOLS]
        y = net.concat([*pooled, x], "neck.pyramid")
        neck = conv_norm(net, y, channels(NECK), 1, "neck.conv", LEAKY, factor=SLOPE)
    with net.block("head0"):
        _head(net, neck, "head0")
    with net.block("head1"):
        fine = outputs[TAPPED]
        up = net.upsample(neck, net.shape(fine)[1:], "head1.upsample", "nearest")
        _head(net, net.concat([up, fine], "head1.concat"), "head1")
    return net.build()


NETWORKS.register("yolo-fastest-1.1")(Recipe(yolo_fastest, (3, 320, 320)))
