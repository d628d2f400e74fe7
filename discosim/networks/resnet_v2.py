"""ResNet v2: norm and activation before each convolution, and the stride at the end of a stage.

He et al., Identity Mappings in Deep Residual Networks, ECCV 2016; as in `keras.applications`
(ResNet50V2 and its larger ones), which follows TensorFlow's slim: a stage's last block takes its
stride, where others' first one does.
"""

from functools import partial

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.parts import classifier
from discosim.networks.resnet import DEPTHS, STAGE_WIDTHS

LAST_STRIDES = (2, 2, 2, 1)
EXPANSION = 4
CLASSES = 1000


def _norm_act(net: Builder, x: str, name: str) -> str:
    return net.activation(net.batch_norm(x, f"{name}.norm"), f"{name}.relu")


def _block(
    net: Builder, x: str, width: int, stride: int, widens: bool, at: str, channels: Width
) -> str:
    """Write a bottleneck; where it widens, the skip is a convolution of the activated input."""
    features, made = channels(width), channels(EXPANSION * width)
    y = _norm_act(net, x, f"{at}.conv1")
    if widens:
        x = net.conv(y, made, 1, f"{at}.skip", stride=stride, bias=True)
    elif stride > 1:
        x = net.pool(x, 1, f"{at}.skip", stride=stride)
    y = _norm_act(net, net.conv(y, features, 1, f"{at}.conv1"), f"{at}.conv2")
    y = net.conv(y, features, 3, f"{at}.conv2", stride=stride)
    y = net.conv(_norm_act(net, y, f"{at}.conv3"), made, 1, f"{at}.conv3", bias=True)
    return net.add(y, x, f"{at}.add")


def resnet_v2(name: str, input_shape: Shape, channels: Width, *, depths: Shape) -> Network:
    """Return the classifier."""
    net = Builder(name, input_shape)
    with net.block("stem"):
        x = net.conv(INPUT, channels(STAGE_WIDTHS[0]), 7, "stem", stride=2, bias=True)
        x = net.pool(x, 3, "maxpool", stride=2, padding=1)
    plan = zip(STAGE_WIDTHS, depths, LAST_STRIDES, strict=True)
    for stage, (width, depth, stride) in enumerate(plan, start=1):
        for index in range(depth):
            at = f"stage{stage}.{index}"
            with net.block(at):
                own = stride if index == depth - 1 else 1
                x = _block(net, x, width, own, index == 0, at, channels)
    with net.block("head"):
        classifier(net, _norm_act(net, x, "head"), CLASSES)
    return net.build()


for _layers in (50, 101, 152):
    NETWORKS.register(f"resnet{_layers}-v2")(
        Recipe(partial(resnet_v2, depths=DEPTHS[_layers]), (3, 224, 224))
    )
