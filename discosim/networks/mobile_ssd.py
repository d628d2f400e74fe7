"""SSD on small backbones: MobileNets and SqueezeNet, a place and classes for boxes on six maps.

Liu et al., SSD: Single Shot MultiBox Detector, ECCV 2016. `mobilenet-ssd` and `squeezenet-ssd-300`
are the Caffe networks by chuanqi305 (21 classes, Pascal VOC), as in ncnn's `benchmark/`;
`ssd-mobilenetv1-1.0`, `-0.75` and `ssd-mobilenetv2` are those of TensorFlow's object detection API
(91 classes, COCO), `ssd_mobilenet_v1_*_coco` and `ssd_mobilenet_v2_coco`.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width, mobilenet, mobilenetv1

COORDINATES = 4
VOC, COCO = 21, 91
BOXES = (3, 6, 6, 6, 6, 6)
FIRE_BOXES = (4, 6, 6, 6, 6, 4)
EXTRAS = ((256, 512), (128, 256), (128, 256), (64, 128))  # squeezed features, features
BACKBONE_MAPS = (11, 13)  # separable convolutions whose outputs have boxes


class Fire(NamedTuple):
    """Squeezed features, expanded features of each branch, and what stands around them."""

    squeezed: int
    expanded: int
    pooled: bool = False
    norm: bool = False
    boxes: bool = False


FIRES = (
    Fire(16, 64, pooled=True),
    Fire(16, 64),
    Fire(32, 128, pooled=True),
    Fire(32, 128, boxes=True),
    Fire(48, 192, pooled=True),
    Fire(48, 192),
    Fire(64, 256),
    Fire(64, 256, norm=True, boxes=True),
    Fire(96, 384, pooled=True, norm=True, boxes=True),
    Fire(96, 384, pooled=True, norm=True, boxes=True),
)
FIRE_EXTRAS = ((128, 256), (64, 128))


def _heads(
    net: Builder, maps: Sequence[str], boxes: Sequence[int], classes: int, kernel: int
) -> None:
    for index, (x, count) in enumerate(zip(maps, boxes, strict=True)):
        at = f"head.{index}"
        with net.block(at):
            net.conv(x, count * COORDINATES, kernel, f"{at}.loc", bias=True)
            net.conv(x, count * classes, kernel, f"{at}.conf", bias=True)


def _extras(
    net: Builder,
    x: str,
    plan: Sequence[tuple[int, int]],
    channels: Width,
    separable: bool = False,
) -> list[str]:
    """Write pairs of convolutions, each to half as many positions; return their outputs."""
    maps = []
    for index, (squeezed, features) in enumerate(plan):
        at, made = f"extra.{index}", channels(features)
        with net.block(at):
            y = mobilenetv1.conv_norm_relu(net, x, channels(squeezed), 1, f"{at}.conv1")
            if separable:
                x = mobilenetv1.separable(net, y, made, f"{at}.conv2", stride=2)
            else:
                x = mobilenetv1.conv_norm_relu(net, y, made, 3, f"{at}.conv2", stride=2)
        maps.append(x)
    return maps


def mobilenet_ssd(
    name: str, input_shape: Shape, channels: Width, *, multiplier: float, classes: int
) -> Network:
    """Return the detector on MobileNetV1."""
    net = Builder(name, input_shape)
    outputs = mobilenetv1.backbone(net, channels, multiplier)
    maps = [outputs[number] for number in BACKBONE_MAPS]
    extras = [(int(a * multiplier), int(b * multiplier)) for a, b in EXTRAS]
    maps += _extras(net, maps[-1], extras, channels)
    _heads(net, maps, BOXES, classes, 1)
    return net.build()


def mobilenetv2_ssd(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the detector on MobileNetV2."""
    net = Builder(name, input_shape)
    x = mobilenet.inverted_residual_features(
        net, channels, stem=mobilenet.STEM, stages=mobilenet.STAGES, last=mobilenet.LAST
    )
    maps = [mobilenet.SIXTEENTH, x]
    maps += _extras(net, x, EXTRAS, channels, separable=True)
    _heads(net, maps, BOXES, COCO, 3)
    return net.build()


def _fire(net: Builder, x: str, fire: Fire, at: str, channels: Width) -> str:
    def conv(y: str, features: int, kernel: int, name: str, norm: bool) -> str:
        y = net.conv(y, channels(features), kernel, name, bias=True)
        return net.activation(net.batch_norm(y, f"{name}.norm") if norm else y, f"{name}.relu")

    if fire.pooled:
        x = net.pool(x, 3, f"{at}.pool", stride=2, ceil=True)
    x = conv(x, fire.squeezed, 1, f"{at}.squeeze", fire.norm and fire.pooled)
    branches = [
        conv(x, fire.expanded, 1, f"{at}.expand1x1", fire.norm),
        conv(x, fire.expanded, 3, f"{at}.expand3x3", fire.norm),
    ]
    return net.concat(branches, f"{at}.concat")


def squeezenet_ssd(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the detector on SqueezeNet 1.1 with two more fire modules."""
    net = Builder(name, input_shape)
    with net.block("conv1"):
        x = net.conv(INPUT, channels(64), 3, "conv1", stride=2, padding=0, bias=True)
        x = net.activation(x, "conv1.relu")
    maps = []
    for number, fire in enumerate(FIRES, start=2):
        at = f"fire{number}"
        with net.block(at):
            x = _fire(net, x, fire, at, channels)
        if fire.boxes:
            maps.append(x)
    maps += _extras(net, x, FIRE_EXTRAS, channels)
    with net.block("norm"):
        maps[0] = net.batch_norm(maps[0], "fire5.norm")
    _heads(net, maps, FIRE_BOXES, VOC, 3)
    return net.build()


NETWORKS.register("ssd-mobilenetv2")(Recipe(mobilenetv2_ssd, (3, 300, 300)))
NETWORKS.register("squeezenet-ssd-300")(Recipe(squeezenet_ssd, (3, 300, 300)))
for _name, _multiplier, _classes in (
    ("mobilenet-ssd", 1.0, VOC),
    ("ssd-mobilenetv1-1.0", 1.0, COCO),
    ("ssd-mobilenetv1-0.75", 0.75, COCO),
):
    NETWORKS.register(_name)(
        Recipe(partial(mobilenet_ssd, multiplier=_multiplier, classes=_classes), (3, 300, 300))
    )
