"""YOLOv8 and YOLO11: a backbone, features joined top down and bottom up, three maps of boxes.

Ultralytics, `cfg/models/v8/yolov8.yaml` and `cfg/models/11/yolo11.yaml` (docs.ultralytics.com);
blocks as in `nn/modules/block.py`, the head as in `nn/modules/head.py`. The fixed sum over 16
distances of a box is not in the network: it stands behind the last convolutions.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.mobilenet import scaled

CLASSES = 80
DISTANCES = 4 * 16
KEY_RATIO = 0.5
HEAD_FEATURES = 64


class YoloScale(NamedTuple):
    """Factors of depth and width, the most features before the factor, three-convolution blocks.

    deep: whether every block of YOLO11 holds blocks of three convolutions, as from size m on.
    """

    depth: float
    width: float
    most: int
    deep: bool = False

    def features(self, full: int) -> int:
        """Return how many features stand for `full` ones."""
        return scaled(min(full, self.most), self.width)

    def repeats(self, full: int) -> int:
        """Return how often a block that is written `full` times stands in a row."""
        return max(1, round(full * self.depth))


class YoloWriter:
    """Writes the convolutions and blocks of one network."""

    def __init__(self, net: Builder, scale: YoloScale, channels: Width) -> None:
        self.net, self.scale, self.channels = net, scale, channels

    def conv(
        self,
        x: str,
        features: int,
        kernel: int,
        name: str,
        *,
        stride: int = 1,
        groups: int = 1,
        act: bool = True,
    ) -> str:
        """Write a convolution, its norm, and SiLU unless `act` is false."""
        y = self.net.conv(x, features, kernel, name, stride=stride, groups=groups)
        y = self.net.batch_norm(y, f"{name}.norm")
        return self.net.activation(y, f"{name}.act", "silu") if act else y

    def bottleneck(self, x: str, at: str, *, hidden: int, kernel: int = 3, add: bool = True) -> str:
        """Write two convolutions around `hidden` features, added to their input if `add`."""
        y = self.conv(x, hidden, kernel, f"{at}.cv1")
        y = self.conv(y, self.net.shape(x)[0], 3, f"{at}.cv2")
        return self.net.add(y, x, f"{at}.add") if add else y

    def csp(
        self,
        x: str,
        features: int,
        depth: int,
        at: str,
        inner: Callable[[str, str], str],
        hidden: int,
    ) -> str:
        """Write a C2f: half of the features go through `depth` inner blocks, all are joined."""
        y = self.conv(x, 2 * hidden, 1, f"{at}.cv1")
        parts = [
            self.net.slice(y, 0, hidden, f"{at}.first"),
            self.net.slice(y, hidden, hidden, f"{at}.second"),
        ]
        for index in range(depth):
            parts.append(inner(parts[-1], f"{at}.m{index}"))
        return self.conv(self.net.concat(parts, f"{at}.concat"), features, 1, f"{at}.cv2")


def c2f(write: YoloWriter, x: str, features: int, depth: int, at: str, add: bool) -> str:
    """Write YOLOv8's block."""
    hidden = max(1, features // 2)
    return write.csp(
        x, features, depth, at, lambda y, name: write.bottleneck(y, name, hidden=hidden, add=add),
        hidden,
    )  # fmt: skip


def c3k2(
    write: YoloWriter, x: str, features: int, depth: int, at: str, deep: bool, ratio: float = 0.5
) -> str:
    """Write YOLO11's block; its inner blocks are bottlenecks, or two of them in a C3 (deep)."""
    hidden = max(1, int(features * ratio))

    def c3(y: str, name: str) -> str:
        half = max(1, hidden // 2)
        kept = write.conv(y, half, 1, f"{name}.cv2")
        y = write.conv(y, half, 1, f"{name}.cv1")
        for index in range(2):
            y = write.bottleneck(y, f"{name}.m{index}", hidden=half)
        return write.conv(write.net.concat([y, kept], f"{name}.concat"), hidden, 1, f"{name}.cv3")

    def inner(y: str, name: str) -> str:
        return c3(y, name) if deep else write.bottleneck(y, name, hidden=max(1, hidden // 2))

    return write.csp(x, features, depth, at, inner, hidden)


def sppf(write: YoloWriter, x: str, features: int, at: str) -> str:
    """Write three poolings of 5x5 one after the other, all of them joined."""
    parts = [write.conv(x, max(1, write.net.shape(x)[0] // 2), 1, f"{at}.cv1")]
    for index in range(3):
        parts.append(write.net.pool(parts[-1], 5, f"{at}.pool{index}", stride=1, padding=2))
    return write.conv(write.net.concat(parts, f"{at}.concat"), features, 1, f"{at}.cv2")


def _attention(write: YoloWriter, x: str, at: str) -> str:
    """Write attention over all positions; queries and keys have half of a head's features."""
    net = write.net
    features, *positions = net.shape(x)
    heads = max(1, features // HEAD_FEATURES)
    width = features // heads
    key = max(1, int(width * KEY_RATIO))
    stride = 2 * key + width
    qkv = write.conv(x, heads * stride, 1, f"{at}.qkv", act=False)
    net.amend(f"{at}.qkv", heads=heads)
    query, keys, values = (
        net.append(
            "view",
            f"{at}.{name}",
            (qkv,),
            (heads * size, *positions),
            start=start,
            view=((heads, stride), (size, 1)),
        )
        for name, start, size in (("q", 0, key), ("k", key, key), ("v", 2 * key, width))
    )
    tokens = positions[0] * positions[1]
    y = net.append(
        "attention",
        at,
        (query, keys, values),
        (heads * width, *positions),
        heads=heads,
        terms=tokens,
    )
    place = write.conv(values, heads * width, 3, f"{at}.pe", groups=heads * width, act=False)
    return write.conv(net.add(y, place, f"{at}.sum"), features, 1, f"{at}.proj", act=False)


def c2psa(write: YoloWriter, x: str, depth: int, at: str) -> str:
    """Write YOLO11's attention: half of the features go through blocks of attention."""
    net, features = write.net, write.net.shape(x)[0]
    hidden = max(1, features // 2)
    y = write.conv(x, 2 * hidden, 1, f"{at}.cv1")
    kept = net.slice(y, 0, hidden, f"{at}.kept")
    y = net.slice(y, hidden, hidden, f"{at}.attended")
    for index in range(depth):
        name = f"{at}.m{index}"
        y = net.add(y, _attention(write, y, f"{name}.attn"), f"{name}.add1")
        z = write.conv(y, 2 * hidden, 1, f"{name}.ffn1")
        y = net.add(y, write.conv(z, hidden, 1, f"{name}.ffn2", act=False), f"{name}.add2")
    return write.conv(net.concat([kept, y], f"{at}.concat"), features, 1, f"{at}.cv2")


def _classes(write: YoloWriter, x: str, hidden: int, at: str, *, separable: bool) -> str:
    if not separable:
        return write.conv(write.conv(x, hidden, 3, f"{at}.0"), hidden, 3, f"{at}.1")
    for index in range(2):
        own = write.net.shape(x)[0]
        x = write.conv(x, own, 3, f"{at}.{index}.depthwise", groups=own)
        x = write.conv(x, hidden, 1, f"{at}.{index}.pointwise")
    return x


def detect(write: YoloWriter, maps: list[str], *, separable: bool) -> None:
    """Write what each map says of every position: distances of a box, and classes."""
    net = write.net
    first = net.shape(maps[0])[0]
    boxes, classes = max(16, first // 4, DISTANCES), max(first, min(CLASSES, 100))
    for index, x in enumerate(maps):
        at = f"detect.{index}"
        with net.block(at):
            y = write.conv(x, boxes, 3, f"{at}.box.0")
            y = write.conv(y, boxes, 3, f"{at}.box.1")
            net.conv(y, DISTANCES, 1, f"{at}.box", bias=True)
            y = _classes(write, x, classes, f"{at}.class", separable=separable)
            net.conv(y, CLASSES, 1, f"{at}.class", bias=True)


def yolov8(name: str, input_shape: Shape, channels: Width, *, scale: YoloScale) -> Network:
    """Return the detector of version 8."""
    net = Builder(name, input_shape)
    write = YoloWriter(net, scale, channels)

    def wide(full: int) -> int:
        return channels(scale.features(full))

    def block(x: str, full: int, depth: int, number: int, *, add: bool) -> str:
        with net.block(f"model.{number}"):
            return c2f(write, x, wide(full), scale.repeats(depth), f"model.{number}", add)

    def down(x: str, full: int, number: int) -> str:
        with net.block(f"model.{number}"):
            return write.conv(x, wide(full), 3, f"model.{number}", stride=2)

    x = block(down(down(INPUT, 64, 0), 128, 1), 128, 3, 2, add=True)
    third = block(down(x, 256, 3), 256, 6, 4, add=True)
    fourth = block(down(third, 512, 5), 512, 6, 6, add=True)
    x = block(down(fourth, 1024, 7), 1024, 3, 8, add=True)
    with net.block("model.9"):
        fifth = sppf(write, x, wide(1024), "model.9")
    middle = block(_joined(net, fifth, fourth, 10), 512, 3, 12, add=False)
    small = block(_joined(net, middle, third, 13), 256, 3, 15, add=False)
    x = _beside(net, down(small, 256, 16), middle, 17)
    middle = block(x, 512, 3, 18, add=False)
    x = _beside(net, down(middle, 512, 19), fifth, 20)
    large = block(x, 1024, 3, 21, add=False)
    detect(write, [small, middle, large], separable=False)
    return net.build()


def _beside(net: Builder, x: str, y: str, number: int) -> str:
    """Two maps of one size side by side."""
    with net.block(f"model.{number}"):
        return net.concat([x, y], f"model.{number}")


def _joined(net: Builder, x: str, skip: str, number: int) -> str:
    """Twice as many positions a side, beside the features that have them already."""
    with net.block(f"model.{number}"):
        x = net.upsample(x, net.shape(skip)[1:], f"model.{number}", "nearest")
    return _beside(net, x, skip, number + 1)


def yolo11(name: str, input_shape: Shape, channels: Width, *, scale: YoloScale) -> Network:
    """Return the detector of version 11."""
    net = Builder(name, input_shape)
    write = YoloWriter(net, scale, channels)
    depth = scale.repeats(2)

    def wide(full: int) -> int:
        return channels(scale.features(full))

    def block(x: str, full: int, number: int, *, deep: bool = False, ratio: float = 0.5) -> str:
        at = f"model.{number}"
        with net.block(at):
            return c3k2(write, x, wide(full), depth, at, deep or scale.deep, ratio)

    def down(x: str, full: int, number: int) -> str:
        with net.block(f"model.{number}"):
            return write.conv(x, wide(full), 3, f"model.{number}", stride=2)

    x = block(down(down(INPUT, 64, 0), 128, 1), 256, 2, ratio=0.25)
    third = block(down(x, 256, 3), 512, 4, ratio=0.25)
    fourth = block(down(third, 512, 5), 512, 6, deep=True)
    x = block(down(fourth, 1024, 7), 1024, 8, deep=True)
    with net.block("model.9"):
        x = sppf(write, x, wide(1024), "model.9")
    with net.block("model.10"):
        fifth = c2psa(write, x, depth, "model.10")
    middle = block(_joined(net, fifth, fourth, 11), 512, 13)
    small = block(_joined(net, middle, third, 14), 256, 16)
    middle = block(_beside(net, down(small, 256, 17), middle, 18), 512, 19)
    large = block(_beside(net, down(middle, 512, 20), fifth, 21), 1024, 22, deep=True)
    detect(write, [small, middle, large], separable=True)
    return net.build()


V8 = {
    "n": YoloScale(0.33, 0.25, 1024),
    "s": YoloScale(0.33, 0.5, 1024),
    "m": YoloScale(0.67, 0.75, 768),
    "l": YoloScale(1.0, 1.0, 512),
    "x": YoloScale(1.0, 1.25, 512),
}
V11 = {
    "n": YoloScale(0.5, 0.25, 1024),
    "s": YoloScale(0.5, 0.5, 1024),
    "m": YoloScale(0.5, 1.0, 512, deep=True),
    "l": YoloScale(1.0, 1.0, 512, deep=True),
    "x": YoloScale(1.0, 1.5, 512, deep=True),
}
for _size, _scale in V8.items():
    NETWORKS.register(f"yolov8{_size}")(Recipe(partial(yolov8, scale=_scale), (3, 640, 640)))
for _size, _scale in V11.items():
    NETWORKS.register(f"yolo11{_size}")(Recipe(partial(yolo11, scale=_scale), (3, 640, 640)))
