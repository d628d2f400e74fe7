"""SqueezeNet 1.1: fire modules, which squeeze the channels and expand them on two branches.

Iandola et al., SqueezeNet, arXiv 1602.07360, with the changes of version 1.1 in the authors'
repository; as in torchvision's `models/squeezenet.py`.
"""

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width

FIRES = (  # squeezed features, expanded features of each branch
    (16, 64),
    (16, 64),
    (32, 128),
    (32, 128),
    (48, 192),
    (48, 192),
    (64, 256),
    (64, 256),
)
POOLED_BEFORE = (2, 4, 6)  # the fire modules that a pooling stands before
CLASSES = 1000


def _conv_relu(
    net: Builder, x: str, features: int, kernel: int, name: str, *, stride: int = 1
) -> str:
    padding = kernel // 2 if stride == 1 else 0
    y = net.conv(x, features, kernel, name, stride=stride, padding=padding, bias=True)
    return net.activation(y, f"{name}.relu")


def squeezenet(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the classifier: a convolution, eight fire modules, a convolution to the classes."""
    net = Builder(name, input_shape)
    with net.block("conv1"):
        x = _conv_relu(net, INPUT, channels(64), 3, "conv1", stride=2)
    for module, (squeezed, expanded) in enumerate(FIRES, start=2):
        at = f"fire{module}"
        with net.block(at):
            if module in POOLED_BEFORE:
                x = net.pool(x, 3, f"{at}.pool", stride=2, ceil=True)
            x = _conv_relu(net, x, channels(squeezed), 1, f"{at}.squeeze")
            branches = [
                _conv_relu(net, x, channels(expanded), 1, f"{at}.expand1x1"),
                _conv_relu(net, x, channels(expanded), 3, f"{at}.expand3x3"),
            ]
            x = net.concat(branches, f"{at}.concat")
    with net.block("conv10"):
        x = _conv_relu(net, x, CLASSES, 1, "conv10")
        net.flatten(net.global_pool(x, "avgpool"), "flatten")
    return net.build()


NETWORKS.register("squeezenet1-1")(Recipe(squeezenet, (3, 224, 224)))
