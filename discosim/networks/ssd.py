"""SSD300: a backbone, smaller and smaller maps after it, and two small convolutions on each map.

Liu et al., SSD: Single Shot MultiBox Detector, ECCV 2016, Figure 2. `ssd300-resnet50` is version
1.1 of NVIDIA's DeepLearningExamples (`PyTorch/Detection/SSD`), which the DISCO paper trains: a
ResNet-50 without its last stage, the third with stride 1; 81 classes. `ssd300-vgg16` is
torchvision's `ssd300_vgg16` (`models/detection/ssd.py`) with 91 classes; the original has 21.
"""

from collections.abc import Sequence

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width, vgg
from discosim.networks.resnet import DEPTHS, stages, stem

BOXES = (4, 6, 6, 6, 4, 4)
COORDINATES = 4
RESNET50_CLASSES = 81
VGG16_CLASSES = 91
RESNET50_EXTRAS = (  # squeezed features, features, stride; the last maps come without padding
    (256, 512, 2),
    (256, 512, 2),
    (128, 256, 2),
    (128, 256, 1),
    (128, 256, 1),
)
VGG16_EXTRAS = ((256, 512, 2), (128, 256, 2), (128, 256, 1), (128, 256, 1))


def _conv_relu(
    net: Builder,
    x: str,
    features: int,
    kernel: int,
    name: str,
    *,
    norm: bool,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> str:
    """Write a convolution with batch normalisation, or with a bias, and its activation."""
    y = net.conv(
        x,
        features,
        kernel,
        name,
        stride=stride,
        padding=padding,
        dilation=dilation,
        bias=not norm,
    )
    return net.activation(net.batch_norm(y, f"{name}.bn") if norm else y, f"{name}.relu")


def _extras(
    net: Builder, x: str, plan: Sequence[tuple[int, int, int]], channels: Width, *, norm: bool
) -> list[str]:
    """Write the layers behind the backbone and return the map that each of them ends in."""
    maps = []
    for index, (squeezed, features, stride) in enumerate(plan):
        at = f"extra.{index}"
        with net.block(at):
            y = _conv_relu(net, x, channels(squeezed), 1, f"{at}.conv1", norm=norm)
            x = _conv_relu(
                net,
                y,
                channels(features),
                3,
                f"{at}.conv2",
                norm=norm,
                stride=stride,
                padding=int(stride > 1),
            )
        maps.append(x)
    return maps


def _heads(net: Builder, maps: Sequence[str], classes: int) -> None:
    """Write the place and the classes of every box on every map: the outputs of the network."""
    for index, (x, boxes) in enumerate(zip(maps, BOXES, strict=True)):
        at = f"head.{index}"
        with net.block(at):
            net.conv(x, boxes * COORDINATES, 3, f"{at}.loc", bias=True)
            net.conv(x, boxes * classes, 3, f"{at}.conf", bias=True)


def ssd300_resnet50(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return NVIDIA's SSD300 v1.1: maps of 38, 19, 10, 5, 3 and 1 pixels a side."""
    net = Builder(name, input_shape)
    backbone = stages(net, stem(net, channels), channels, depths=DEPTHS[50][:3], strides=(1, 2, 1))
    extras = _extras(net, backbone[-1], RESNET50_EXTRAS, channels, norm=True)
    _heads(net, [backbone[-1], *extras], RESNET50_CLASSES)
    return net.build()


def ssd300_vgg16(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return torchvision's SSD300: VGG-16 with its linear layers as convolutions, then extras."""
    net = Builder(name, input_shape)
    x = INPUT
    for stage, depth in enumerate(vgg.DEPTHS[16], start=1):
        x = vgg.convolutions(net, x, stage, depth, channels)
        if stage == 4:
            with net.block("conv4.norm"):
                first = net.l2_norm(x, "conv4.norm")
        with net.block(f"conv{stage}.pool"):
            if stage < 5:
                x = net.pool(x, 2, f"conv{stage}.pool", stride=2, ceil=stage == 3)
            else:
                x = net.pool(x, 3, f"conv{stage}.pool", stride=1, padding=1)
    with net.block("fc6"):
        x = _conv_relu(net, x, channels(1024), 3, "fc6", norm=False, padding=6, dilation=6)
    with net.block("fc7"):
        x = _conv_relu(net, x, channels(1024), 1, "fc7", norm=False)
    extras = _extras(net, x, VGG16_EXTRAS, channels, norm=False)
    _heads(net, [first, x, *extras], VGG16_CLASSES)
    return net.build()


NETWORKS.register("ssd300-resnet50")(Recipe(ssd300_resnet50, (3, 300, 300)))
NETWORKS.register("ssd300-vgg16")(Recipe(ssd300_vgg16, (3, 300, 300)))
