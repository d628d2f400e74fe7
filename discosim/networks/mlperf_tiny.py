"""The networks of MLPerf Tiny: keyword spotting, image classification, anomaly detection.

Banbury et al., MLPerf Tiny Benchmark, NeurIPS 2021 (datasets and benchmarks), Section 4; as in the
reference implementations of `mlcommons/tiny`. Visual wake words is `mobilenetv1-0.25` at 96x96,
with two classes there. `resnet32-cifar100` of STM32's model zoo is the image classification with
five blocks a stage: He et al., CVPR 2016, Section 4.2.
"""

from functools import partial

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.mobilenetv1 import separable

KEYWORDS = 12
KEYWORD_FEATURES = 64
SEPARABLES = 4
STAGE_WIDTHS = (16, 32, 64)
SPECTROGRAM = 640
HIDDEN = 128
CODE = 8


def keyword_spotting(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return DS-CNN: one convolution, four separable ones, over 49 frames of 10 coefficients."""
    net = Builder(name, input_shape)
    features = channels(KEYWORD_FEATURES)
    with net.block("stem"):
        x = net.conv(INPUT, features, (10, 4), "stem", stride=2, padding=(4, 1), bias=True)
        x = net.activation(net.batch_norm(x, "stem.norm"), "stem.relu")
    for index in range(1, SEPARABLES + 1):
        at = f"block{index}"
        with net.block(at):
            x = separable(net, x, features, at, bias=True)
    with net.block("classifier"):
        x = net.flatten(net.global_pool(x, "avgpool"), "flatten")
        net.linear(x, KEYWORDS, "classifier")
    return net.build()


def image_classification(
    name: str, input_shape: Shape, channels: Width, *, depth: int, classes: int
) -> Network:
    """Return a residual network of three stages with `depth` blocks each."""
    net = Builder(name, input_shape)

    def conv(x: str, features: int, kernel: int, at: str, stride: int = 1) -> str:
        return net.conv(x, channels(features), kernel, at, stride=stride, bias=True)

    with net.block("stem"):
        x = net.batch_norm(conv(INPUT, STAGE_WIDTHS[0], 3, "stem"), "stem.norm")
        x = net.activation(x, "stem.relu")
    for number, width in enumerate(STAGE_WIDTHS, start=1):
        for index in range(depth):
            at = f"stage{number}.{index}" if depth > 1 else f"stage{number}"
            stride = 2 if number > 1 and index == 0 else 1
            with net.block(at):
                y = net.batch_norm(conv(x, width, 3, f"{at}.conv1", stride), f"{at}.norm1")
                y = conv(net.activation(y, f"{at}.relu1"), width, 3, f"{at}.conv2")
                y = net.batch_norm(y, f"{at}.norm2")
                if stride > 1:
                    x = conv(x, width, 1, f"{at}.skip", stride)
                x = net.activation(net.add(y, x, f"{at}.add"), f"{at}.relu2")
    with net.block("classifier"):
        x = net.flatten(net.global_pool(x, "avgpool"), "flatten")
        net.linear(x, classes, "classifier")
    return net.build()


def anomaly_detection(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the autoencoder: ten linear layers over five frames of 128 mel bands."""
    net = Builder(name, input_shape)
    x = INPUT
    hidden = channels(HIDDEN)
    widths = (*(hidden,) * 4, channels(CODE), *(hidden,) * 4)
    for index, width in enumerate(widths, start=1):
        with net.block(f"fc{index}"):
            y = net.batch_norm(net.linear(x, width, f"fc{index}"), f"fc{index}.norm")
            x = net.activation(y, f"fc{index}.relu")
    with net.block("fc10"):
        net.linear(x, net.shape(INPUT)[0], "fc10")
    return net.build()


NETWORKS.register("ds-cnn-kws")(Recipe(keyword_spotting, (1, 49, 10)))
for _name, _depth, _classes in (("resnet8-cifar10", 1, 10), ("resnet32-cifar100", 5, 100)):
    NETWORKS.register(_name)(
        Recipe(partial(image_classification, depth=_depth, classes=_classes), (3, 32, 32))
    )
NETWORKS.register("ad-autoencoder")(Recipe(anomaly_detection, (SPECTROGRAM,)))
