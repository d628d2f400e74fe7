"""Segmentation on MobileNetV2: DeepLabV3 without its atrous branches, and a U-Net.

`deeplabv3-mnv2`: Chen et al., arXiv 1706.05587, as `mobilenetv2_coco_voc_trainaug` of TensorFlow's
model zoo (research/deeplab), output stride 16, 21 classes. `unet-mv2`: Ronneberger et al., MICCAI
2015, on MobileNetV2 as in TensorFlow's tutorial on image segmentation, 3 classes.
"""

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.mobilenet import STAGES, STEM, Stage, inverted_residual_features
from discosim.networks.parts import conv_norm

DILATED = (
    *STAGES[:5],
    Stage(6, 3, 1, 160, 1),
    Stage(6, 3, 1, 160, 2, dilation=2),
    Stage(6, 3, 1, 320, 1, dilation=2),
)
PYRAMID = 256
VOC = 21
SKIPS = ("stage6.0", "stage4.0", "stage3.0", "stage2.0")
UP = (512, 256, 128, 64)
PETS = 3


def deeplabv3(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the segmentation: the image's mean beside each position, then the classes."""
    net = Builder(name, input_shape)
    features = channels(PYRAMID)
    x = inverted_residual_features(net, channels, stem=STEM, stages=DILATED)
    with net.block("pyramid"):
        mean = net.global_pool(x, "image.mean")
        mean = conv_norm(net, mean, features, 1, "image.conv", "relu")
        mean = net.upsample(mean, net.shape(x)[1:], "image.spread")
        own = conv_norm(net, x, features, 1, "position.conv", "relu")
        x = net.concat([mean, own], "pyramid.concat")
        x = conv_norm(net, x, features, 1, "pyramid.conv", "relu")
    with net.block("classifier"):
        x = net.conv(x, VOC, 1, "classifier", bias=True)
        net.upsample(x, net.shape(INPUT)[1:], "upsample")
    return net.build()


def unet(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the segmentation: four times up, each beside what was there on the way down."""
    net = Builder(name, input_shape)
    x = inverted_residual_features(net, channels, stem=STEM, stages=STAGES)
    for index, (place, features) in enumerate(zip(SKIPS, UP, strict=True)):
        at, skip = f"up{index}", f"{place}.expand.act"
        with net.block(at):
            size = net.shape(skip)[1:]
            y = net.conv_transpose(x, channels(features), 3, size, f"{at}.conv", stride=2)
            y = net.activation(net.batch_norm(y, f"{at}.norm"), f"{at}.relu")
            x = net.concat([y, skip], f"{at}.concat")
    with net.block("classifier"):
        size = net.shape(INPUT)[1:]
        net.conv_transpose(x, PETS, 3, size, "classifier", stride=2, bias=True)
    return net.build()


NETWORKS.register("deeplabv3-mnv2")(Recipe(deeplabv3, (3, 513, 513)))
NETWORKS.register("unet-mv2")(Recipe(unet, (3, 128, 128)))
