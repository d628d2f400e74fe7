"""GoogLeNet: modules of four branches side by side.

Szegedy et al., Going Deeper with Convolutions, CVPR 2015, Table 1, without the auxiliary heads;
with batch normalisation and the 5x5 convolutions as 3x3, as in torchvision's `models/googlenet.py`.
"""

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width

MODULES = {  # of each branch: 1x1; 1x1 and 3x3; 1x1 and 3x3; 1x1 behind the pooling
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
POOLED_BEFORE = {"4a": 3, "5a": 2}  # kernel of the pooling
CLASSES = 1000


def _conv(net: Builder, x: str, features: int, kernel: int, name: str, *, stride: int = 1) -> str:
    y = net.batch_norm(net.conv(x, features, kernel, name, stride=stride), f"{name}.norm")
    return net.activation(y, f"{name}.relu")


def _module(net: Builder, x: str, sizes: tuple[int, ...], at: str, channels: Width) -> str:
    one, three_in, three, five_in, five, pooled = map(channels, sizes)
    branches = [
        _conv(net, x, one, 1, f"{at}.branch1"),
        _conv(net, _conv(net, x, three_in, 1, f"{at}.branch2.0"), three, 3, f"{at}.branch2.1"),
        _conv(net, _conv(net, x, five_in, 1, f"{at}.branch3.0"), five, 3, f"{at}.branch3.1"),
        _conv(
            net,
            net.pool(x, 3, f"{at}.branch4.0", stride=1, padding=1, ceil=True),
            pooled,
            1,
            f"{at}.branch4.1",
        ),
    ]
    return net.concat(branches, f"{at}.concat")


def googlenet(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the classifier."""
    net = Builder(name, input_shape)
    with net.block("stem"):
        x = _conv(net, INPUT, channels(64), 7, "conv1", stride=2)
        x = net.pool(x, 3, "maxpool1", stride=2, ceil=True)
        x = _conv(net, _conv(net, x, channels(64), 1, "conv2"), channels(192), 3, "conv3")
        x = net.pool(x, 3, "maxpool2", stride=2, ceil=True)
    for number, sizes in MODULES.items():
        at = f"inception{number}"
        with net.block(at):
            if number in POOLED_BEFORE:
                x = net.pool(x, POOLED_BEFORE[number], f"{at}.pool", stride=2, ceil=True)
            x = _module(net, x, sizes, at, channels)
    with net.block("fc"):
        net.linear(net.flatten(net.global_pool(x, "avgpool"), "flatten"), CLASSES, "fc")
    return net.build()


NETWORKS.register("googlenet")(Recipe(googlenet, (3, 224, 224)))
