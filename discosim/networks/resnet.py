"""ResNet-18 to ResNet-152, v1.5: the stride of a bottleneck stands on its 3x3 convolution.

In v1, as the paper has it, it stands on the first 1x1.

He et al., Deep Residual Learning for Image Recognition, CVPR 2016, Table 1; ResNeXt: Xie et al.,
CVPR 2017, Table 1; Wide ResNet: Zagoruyko and Komodakis, BMVC 2016; all as in torchvision's
`models/resnet.py`, whose layer names are used here.
"""

from collections.abc import Callable
from functools import partial

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width

STAGE_WIDTHS = (64, 128, 256, 512)
STRIDES = (1, 2, 2, 2)
DEPTHS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
CLASSES = 1000

Residual = Callable[[Builder, str, int, int, int, str, Width], str]
"""Writes what is added to the skip: builder, input, width, stride, dilation, place, channels."""


def conv_norm(
    net: Builder,
    x: str,
    features: int,
    kernel: int,
    name: str,
    norm: str,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> str:
    """Write a convolution without bias and its batch normalisation."""
    y = net.conv(x, features, kernel, name, stride=stride, dilation=dilation, groups=groups)
    return net.batch_norm(y, norm)


def basic(
    net: Builder, x: str, width: int, stride: int, dilation: int, at: str, channels: Width
) -> str:
    """Write the two 3x3 convolutions of a basic block and return the tensor that is added."""
    features = channels(width)
    y = conv_norm(net, x, features, 3, f"{at}.conv1", f"{at}.bn1", stride=stride, dilation=dilation)
    y = net.activation(y, f"{at}.relu1")
    return conv_norm(net, y, features, 3, f"{at}.conv2", f"{at}.bn2", dilation=dilation)


def _bottleneck(
    net: Builder,
    x: str,
    width: int,
    stride: int,
    dilation: int,
    at: str,
    channels: Width,
    *,
    groups: int = 1,
    group_width: int = 64,
    early: bool = False,
) -> str:
    """Write a bottleneck; its 3x3 has `groups` groups, each `group_width` / 64 times as wide.

    early: whether the stride is the first convolution's, as in v1.
    """
    features = groups * channels(width * group_width // 64)
    first, second = (stride, 1) if early else (1, stride)
    y = conv_norm(net, x, features, 1, f"{at}.conv1", f"{at}.bn1", stride=first)
    y = net.activation(y, f"{at}.relu1")
    y = conv_norm(
        net,
        y,
        features,
        3,
        f"{at}.conv2",
        f"{at}.bn2",
        stride=second,
        dilation=dilation,
        groups=groups,
    )
    y = net.activation(y, f"{at}.relu2")
    return conv_norm(net, y, channels(4 * width), 1, f"{at}.conv3", f"{at}.bn3")


def stem(net: Builder, channels: Width) -> str:
    """Write the 7x7 convolution and the pooling before the first stage."""
    with net.block("stem"):
        x = conv_norm(net, INPUT, channels(64), 7, "conv1", "bn1", stride=2)
        x = net.activation(x, "relu")
        return net.pool(x, 3, "maxpool", stride=2, padding=1)


def stages(
    net: Builder,
    x: str,
    channels: Width,
    *,
    depths: Shape,
    residual: Residual = _bottleneck,
    strides: Shape = STRIDES,
    dilations: Shape = (1, 1, 1, 1),
) -> list[str]:
    """Write one stage for each of `depths` and return their outputs.

    A stage is made of `residual` blocks, bottlenecks or basic ones. Its first takes the stride, and
    still the dilation of the stage before, as in torchvision's `replace_stride_with_dilation`.
    """
    outputs = []
    before = 1
    plan = zip(STAGE_WIDTHS, depths, strides, dilations, strict=False)
    for stage, (width, depth, first_stride, dilation) in enumerate(plan, start=1):
        for index in range(depth):
            at = f"layer{stage}.{index}"
            with net.block(at):
                stride = first_stride if index == 0 else 1
                y = residual(net, x, width, stride, before, at, channels)
                if index == 0 and (stage > 1 or residual is not basic):  # the skip changes
                    names = f"{at}.downsample.0", f"{at}.downsample.1"
                    x = conv_norm(net, x, net.shape(y)[0], 1, *names, stride=stride)
                x = net.activation(net.add(y, x, f"{at}.add"), f"{at}.relu")
            before = dilation
        outputs.append(x)
    return outputs


def resnet(
    name: str, input_shape: Shape, channels: Width, *, residual: Residual, depths: Shape
) -> Network:
    """Return the classifier: stem, four stages, pooling and one linear layer."""
    net = Builder(name, input_shape)
    x = stages(net, stem(net, channels), channels, depths=depths, residual=residual)[-1]
    with net.block("fc"):
        x = net.flatten(net.global_pool(x, "avgpool"), "flatten")
        net.linear(x, CLASSES, "fc")
    return net.build()


def _register(name: str, layers: int, residual: Residual) -> None:
    build = partial(resnet, residual=residual, depths=DEPTHS[layers])
    NETWORKS.register(name)(Recipe(build, (3, 224, 224)))


for _layers in DEPTHS:
    _register(f"resnet{_layers}", _layers, _bottleneck if _layers >= 50 else basic)
for _layers in (50, 101, 152):
    _register(f"resnet{_layers}-v1", _layers, partial(_bottleneck, early=True))
for _layers, _groups, _group_width in ((50, 32, 4), (101, 32, 4), (101, 32, 8), (101, 64, 4)):
    _register(
        f"resnext{_layers}-{_groups}x{_group_width}d",
        _layers,
        partial(_bottleneck, groups=_groups, group_width=_group_width),
    )
for _layers in (50, 101):
    _register(f"wide-resnet{_layers}-2", _layers, partial(_bottleneck, group_width=128))
