"""VGG-11 to VGG-19: 3x3 convolutions in five stages, then three linear layers.

Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition,
ICLR 2015, Table 1, columns A, B, D and E, without and with batch norms, as in torchvision's
`models/vgg.py`, which pools the last features to 7x7 whatever the input.
"""

from functools import partial

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width

STAGE_WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
HIDDEN = 4096
CLASSES = 1000


def convolutions(
    net: Builder, x: str, stage: int, depth: int, channels: Width, *, norms: bool = False
) -> str:
    """Write the `depth` convolutions of `stage`, which is counted from 1."""
    for index in range(1, depth + 1):
        at = f"conv{stage}.{index}"
        with net.block(at):
            y = net.conv(x, channels(STAGE_WIDTHS[stage - 1]), 3, at, bias=True)
            y = net.batch_norm(y, f"{at}.norm") if norms else y
            x = net.activation(y, f"{at}.relu")
    return x


def classifier(net: Builder, x: str, channels: Width, *, pooled: int) -> str:
    """Pool to `pooled` x `pooled` positions and write the linear layers fc6, fc7 and fc8."""
    with net.block("fc6"):
        x = net.flatten(net.global_pool(x, "avgpool", size=pooled), "flatten")
        x = net.activation(net.linear(x, channels(HIDDEN), "fc6"), "fc6.relu")
    with net.block("fc7"):
        x = net.activation(net.linear(x, channels(HIDDEN), "fc7"), "fc7.relu")
    with net.block("fc8"):
        return net.linear(x, CLASSES, "fc8")


def vgg(
    name: str, input_shape: Shape, channels: Width, *, depths: Shape, norms: bool = False
) -> Network:
    """Return the classifier with `depths` convolutions in the five stages."""
    net = Builder(name, input_shape)
    x = INPUT
    for stage, depth in enumerate(depths, start=1):
        x = convolutions(net, x, stage, depth, channels, norms=norms)
        with net.block(f"conv{stage}.pool"):
            x = net.pool(x, 2, f"conv{stage}.pool", stride=2)
    classifier(net, x, channels, pooled=7)
    return net.build()


for _layers, _depths in DEPTHS.items():
    NETWORKS.register(f"vgg{_layers}")(Recipe(partial(vgg, depths=_depths), (3, 224, 224)))
    NETWORKS.register(f"vgg{_layers}-bn")(
        Recipe(partial(vgg, depths=_depths, norms=True), (3, 224, 224))
    )
