"""SqueezeNet: fire modules, which squeeze the channels and expand them on two branches.

Iandola et al., SqueezeNet, arXiv 1602.07360: version 1.0, and the changes of version 1.1 in the
authors' repository; as in torchvision's `models/squeezenet.py`.
"""

from functools import partial
from typing import NamedTuple

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
CLASSES = 1000


class Version(NamedTuple):
    """What differs: the first convolution, and the fire modules that a pooling stands before."""

    features: int
    kernel: int
    pooled_before: tuple[int, ...]


VERSIONS = {"1-0": Version(96, 7, (2, 5, 9)), "1-1": Version(64, 3, (2, 4, 6))}


def _conv_relu(
    net: Builder, x: str, features: int, kernel: int, name: str, *, stride: int = 1
) -> str:
    padding = kernel // 2 if stride == 1 else 0
    y = net.conv(x, features, kernel, name, stride=stride, padding=padding, bias=True)
    return net.activation(y, f"{name}.relu")


def fires(net: Builder, channels: Width, version: Version) -> list[str]:
    """Write a convolution and eight fire modules; return the output of each."""
    with net.block("conv1"):
        features, kernel = channels(version.features), version.kernel
        outputs = [_conv_relu(net, INPUT, features, kernel, "conv1", stride=2)]
    for module, (squeezed, expanded) in enumerate(FIRES, start=2):
        at, x = f"fire{module}", outputs[-1]
        with net.block(at):
            if module in version.pooled_before:
                x = net.pool(x, 3, f"{at}.pool", stride=2, ceil=True)
            x = _conv_relu(net, x, channels(squeezed), 1, f"{at}.squeeze")
            branches = [
                _conv_relu(net, x, channels(expanded), 1, f"{at}.expand1x1"),
                _conv_relu(net, x, channels(expanded), 3, f"{at}.expand3x3"),
            ]
            outputs.append(net.concat(branches, f"{at}.concat"))
    return outputs


def squeezenet(name: str, input_shape: Shape, channels: Width, *, version: Version) -> Network:
    """Return the classifier: a convolution, eight fire modules, a convolution to the classes."""
    net = Builder(name, input_shape)
    x = fires(net, channels, version)[-1]
    with net.block("conv10"):
        x = _conv_relu(net, x, CLASSES, 1, "conv10")
        net.flatten(net.global_pool(x, "avgpool"), "flatten")
    return net.build()


for _name, _version in VERSIONS.items():
    NETWORKS.register(f"squeezenet{_name}")(
        Recipe(partial(squeezenet, version=_version), (3, 224, 224))
    )
