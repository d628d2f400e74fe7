"""MobileNetV1: depthwise convolutions, each followed by a pointwise one, at several widths.

Howard et al., MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications,
arXiv 1704.04861, Table 1; the width multiplier of Section 3.3 as in `keras.applications`.
"""

from functools import partial

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width

STEM = 32
BODY = (  # features, stride
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
WIDTHS = (1.0, 0.75, 0.5, 0.25)
CLASSES = 1000


def conv_norm_relu(
    net: Builder,
    x: str,
    features: int,
    kernel: int,
    name: str,
    *,
    stride: int = 1,
    groups: int = 1,
    bias: bool = False,
) -> str:
    """Write a convolution, its batch normalisation and its activation, clipped at 6."""
    y = net.conv(x, features, kernel, name, stride=stride, groups=groups, bias=bias)
    return net.activation(net.batch_norm(y, f"{name}.norm"), f"{name}.relu", "relu6")


def separable(
    net: Builder, x: str, features: int, at: str, *, stride: int = 1, bias: bool = False
) -> str:
    """Write a depthwise convolution of 3x3 and the pointwise one that mixes its channels."""
    own = net.shape(x)[0]
    y = conv_norm_relu(net, x, own, 3, f"{at}.depthwise", stride=stride, groups=own, bias=bias)
    return conv_norm_relu(net, y, features, 1, f"{at}.pointwise", bias=bias)


def backbone(net: Builder, channels: Width, multiplier: float) -> list[str]:
    """Write the first convolution and the thirteen separable ones; return the output of each."""

    def features(full: int) -> int:
        return channels(int(full * multiplier))

    with net.block("stem"):
        outputs = [conv_norm_relu(net, INPUT, features(STEM), 3, "stem", stride=2)]
    for number, (full, stride) in enumerate(BODY, start=1):
        at = f"block{number}"
        with net.block(at):
            outputs.append(separable(net, outputs[-1], features(full), at, stride=stride))
    return outputs


def mobilenet(name: str, input_shape: Shape, channels: Width, *, multiplier: float) -> Network:
    """Return the classifier."""
    net = Builder(name, input_shape)
    x = backbone(net, channels, multiplier)[-1]
    with net.block("classifier"):
        net.linear(net.flatten(net.global_pool(x, "avgpool"), "flatten"), CLASSES, "classifier")
    return net.build()


for _multiplier in WIDTHS:
    NETWORKS.register(f"mobilenetv1-{_multiplier}")(
        Recipe(partial(mobilenet, multiplier=_multiplier), (3, 224, 224))
    )
