"""ResNet-18 to ResNet-152, v1.5: the stride of a bottleneck stands on its 3x3 convolution.

He et al., Deep Residual Learning for Image Recognition, CVPR 2016, Table 1; v1.5 as in
torchvision's `models/resnet.py`, whose layer names are used here.
"""

from functools import partial

from discosim.graph.builder import INPUT, Builder, Network
from discosim.graph.layer import Shape
from discosim.networks import NETWORKS, Recipe, Width

STAGE_WIDTHS = (64, 128, 256, 512)
CLASSES = 1000


def _conv_norm(
    net: Builder, x: str, features: int, kernel: int, name: str, norm: str, stride: int = 1
) -> str:
    return net.batch_norm(net.conv(x, features, kernel, name, stride=stride), norm)


def _basic(net: Builder, x: str, width: int, stride: int, at: str, channels: Width) -> str:
    features = channels(width)
    y = _conv_norm(net, x, features, 3, f"{at}.conv1", f"{at}.bn1", stride)
    y = net.activation(y, f"{at}.relu1")
    return _conv_norm(net, y, features, 3, f"{at}.conv2", f"{at}.bn2")


def _bottleneck(net: Builder, x: str, width: int, stride: int, at: str, channels: Width) -> str:
    features = channels(width)
    y = _conv_norm(net, x, features, 1, f"{at}.conv1", f"{at}.bn1")
    y = net.activation(y, f"{at}.relu1")
    y = _conv_norm(net, y, features, 3, f"{at}.conv2", f"{at}.bn2", stride)
    y = net.activation(y, f"{at}.relu2")
    return _conv_norm(net, y, channels(4 * width), 1, f"{at}.conv3", f"{at}.bn3")


def stem(net: Builder, channels: Width) -> str:
    """Write the 7x7 convolution and the pooling before the first stage."""
    with net.block("stem"):
        x = _conv_norm(net, INPUT, channels(64), 7, "conv1", "bn1", stride=2)
        x = net.activation(x, "relu")
        return net.pool(x, 3, "maxpool", stride=2, padding=1)


def resnet(name: str, input_shape: Shape, channels: Width, *, deep: bool, depths: Shape) -> Network:
    """Return a ResNet with bottleneck (deep) or basic blocks, `depths` blocks in each stage."""
    residual = _bottleneck if deep else _basic
    net = Builder(name, input_shape)
    x = stem(net, channels)
    for stage, (width, depth) in enumerate(zip(STAGE_WIDTHS, depths, strict=True), start=1):
        for index in range(depth):
            at = f"layer{stage}.{index}"
            with net.block(at):
                stride = 2 if stage > 1 and index == 0 else 1
                y = residual(net, x, width, stride, at, channels)
                if index == 0 and (deep or stage > 1):  # the skip changes its shape
                    names = f"{at}.downsample.0", f"{at}.downsample.1"
                    x = _conv_norm(net, x, net.shape(y)[0], 1, *names, stride=stride)
                x = net.activation(net.add(y, x, f"{at}.add"), f"{at}.relu")
    with net.block("fc"):
        x = net.flatten(net.global_pool(x, "avgpool"), "flatten")
        net.linear(x, CLASSES, "fc")
    return net.build()


for _name, _deep, _depths in (
    ("resnet18", False, (2, 2, 2, 2)),
    ("resnet34", False, (3, 4, 6, 3)),
    ("resnet50", True, (3, 4, 6, 3)),
    ("resnet101", True, (3, 4, 23, 3)),
    ("resnet152", True, (3, 8, 36, 3)),
):
    NETWORKS.register(_name)(Recipe(partial(resnet, deep=_deep, depths=_depths), (3, 224, 224)))
