"""DeepLabV3+ with a ResNet: atrous last stages, spatial pyramid pooling (ASPP), small decoder.

Chen et al., Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation,
ECCV 2018, Figure 2. The details are those of the VainF/DeepLabV3Plus-Pytorch repository, which fit
the DISCO paper's Table IV: ResNet v1.5, plain convolutions, one 3x3 of 304 to 256 channels in the
decoder, 21 classes of PASCAL VOC, 513 pixels. Output stride 16; `-os8` names stride 8.
"""

from functools import partial
from typing import NamedTuple

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.resnet import DEPTHS, conv_norm, stages, stem

FEATURES = 256
LOW_LEVEL_FEATURES = 48
CLASSES = 21


class Atrous(NamedTuple):
    """Strides and dilations of the backbone's stages, dilations of the pyramid's branches."""

    strides: Shape
    dilations: Shape
    rates: Shape


ATROUS = {  # by output stride
    16: Atrous((1, 2, 2, 1), (1, 1, 1, 2), (6, 12, 18)),
    8: Atrous((1, 2, 1, 1), (1, 1, 2, 4), (12, 24, 36)),
}


def _conv_norm_relu(
    net: Builder, x: str, features: int, kernel: int, at: str, *, dilation: int = 1
) -> str:
    y = conv_norm(net, x, features, kernel, f"{at}.conv", f"{at}.bn", dilation=dilation)
    return net.activation(y, f"{at}.relu")


def _pyramid(net: Builder, x: str, rates: Shape, features: int) -> str:
    """Look at the features at several scales side by side, the largest being the whole image."""
    with net.block("aspp.0"):
        branches = [_conv_norm_relu(net, x, features, 1, "aspp.0")]
    for index, rate in enumerate(rates, start=1):
        at = f"aspp.{index}"
        with net.block(at):
            branches.append(_conv_norm_relu(net, x, features, 3, at, dilation=rate))
    with net.block("aspp.pool"):
        y = _conv_norm_relu(net, net.global_pool(x, "aspp.pool"), features, 1, "aspp.pool")
        branches.append(net.upsample(y, net.shape(x)[1:], "aspp.pool.upsample"))
    with net.block("aspp.project"):
        y = net.concat(branches, "aspp.concat")
        return _conv_norm_relu(net, y, features, 1, "aspp.project")


def deeplabv3plus(
    name: str, input_shape: Shape, channels: Width, *, depths: Shape, output_stride: int = 16
) -> Network:
    """Return the segmentation network; `output_stride` is that of its last stage, 16 or 8."""
    strides, dilations, rates = ATROUS[output_stride]
    net = Builder(name, input_shape)
    x = stem(net, channels)
    low_level, *_, x = stages(net, x, channels, depths=depths, strides=strides, dilations=dilations)
    x = _pyramid(net, x, rates, channels(FEATURES))
    with net.block("decoder"):
        y = _conv_norm_relu(net, low_level, channels(LOW_LEVEL_FEATURES), 1, "decoder.low_level")
        x = net.upsample(x, net.shape(y)[1:], "decoder.upsample")
        x = net.concat([y, x], "decoder.concat")
        x = _conv_norm_relu(net, x, channels(FEATURES), 3, "decoder.fuse")
    with net.block("classifier"):
        x = net.conv(x, CLASSES, 1, "classifier", bias=True)
        net.upsample(x, input_shape[1:], "upsample")
    return net.build()


for _layers in (50, 101):
    for _stride, _suffix in ((16, ""), (8, "-os8")):
        NETWORKS.register(f"deeplabv3plus-resnet{_layers}{_suffix}")(
            Recipe(
                partial(deeplabv3plus, depths=DEPTHS[_layers], output_stride=_stride),
                (3, 513, 513),
            )
        )
