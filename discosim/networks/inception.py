"""Inception v3: modules of branches with factorised convolutions.

Szegedy et al., Rethinking the Inception Architecture for Computer Vision, CVPR 2016, Table 1,
without the auxiliary head; names and sizes as in torchvision's `models/inception.py`.
"""

from collections.abc import Callable, Sequence
from functools import partial

from discosim.graph.builder import Builder, Size
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width

Convolution = tuple[int, Size, Size]
"""Features, kernel, stride."""

CLASSES = 1000
ROW, COLUMN = (1, 7), (7, 1)


class BranchWriter:
    """Writes the branches of one module; every convolution has a norm and an activation."""

    def __init__(self, net: Builder, at: str, channels: Width) -> None:
        self.net, self.at, self.channels = net, at, channels
        self.count = 0

    def chain(self, x: str, *convolutions: Convolution, padded: bool = True) -> str:
        """Write convolutions one after the other; without padding where `padded` is false."""
        for features, kernel, stride in convolutions:
            name = f"{self.at}.conv{self.count}"
            self.count += 1
            padding = None if padded and stride == 1 else 0
            y = self.net.conv(
                x, self.channels(features), kernel, name, stride=stride, padding=padding
            )
            x = self.net.activation(self.net.batch_norm(y, f"{name}.norm"), f"{name}.relu")
        return x

    def pooled(self, x: str, function: str, stride: int) -> str:
        """Write a pooling of 3x3; with a stride it has no padding."""
        padding = int(stride == 1)
        name = f"{self.at}.pool"
        return self.net.pool(x, 3, name, stride=stride, padding=padding, function=function)

    def join(self, branches: Sequence[str]) -> str:
        """Put the branches side by side."""
        return self.net.concat(list(branches), f"{self.at}.concat")


Module = Callable[[BranchWriter, str], str]
"""Writes one module behind a tensor."""


def stem(write: BranchWriter, x: str) -> str:
    """Write the convolutions and poolings before the modules."""
    x = write.chain(x, (32, 3, 2), (32, 3, 1), padded=False)
    x = write.net.pool(write.chain(x, (64, 3, 1)), 3, "stem.pool1", stride=2)
    x = write.chain(x, (80, 1, 1), (192, 3, 1), padded=False)
    return write.net.pool(x, 3, "stem.pool2", stride=2)


def small(write: BranchWriter, x: str, pooled: int, own: int = 64) -> str:
    """Write module A: 5x5 and two 3x3; features of its pooled branch, and of the 1x1 by itself."""
    return write.join(
        [
            write.chain(x, (own, 1, 1)),
            write.chain(x, (48, 1, 1), (64, 5, 1)),
            write.chain(x, (64, 1, 1), (96, 3, 1), (96, 3, 1)),
            write.chain(write.pooled(x, "mean", 1), (pooled, 1, 1)),
        ]
    )


def first_reduction(write: BranchWriter, x: str, hidden: tuple[int, int, int]) -> str:
    """Write module B, to half as many positions; hidden: features of its longest branch."""
    first, second, third = hidden
    return write.join(
        [
            write.chain(x, (384, 3, 2)),
            write.chain(x, (first, 1, 1), (second, 3, 1), (third, 3, 2)),
            write.pooled(x, "max", 2),
        ]
    )


def _factorised(write: BranchWriter, x: str, hidden: int) -> str:
    """Module C: 7x7 as 1x7 and 7x1."""
    return write.join(
        [
            write.chain(x, (192, 1, 1)),
            write.chain(x, (hidden, 1, 1), (hidden, ROW, 1), (192, COLUMN, 1)),
            write.chain(
                x,
                (hidden, 1, 1),
                (hidden, COLUMN, 1),
                (hidden, ROW, 1),
                (hidden, COLUMN, 1),
                (192, ROW, 1),
            ),
            write.chain(write.pooled(x, "mean", 1), (192, 1, 1)),
        ]
    )


def _second_reduction(write: BranchWriter, x: str) -> str:
    """Module D: to half as many positions."""
    return write.join(
        [
            write.chain(x, (192, 1, 1), (320, 3, 2)),
            write.chain(x, (192, 1, 1), (192, ROW, 1), (192, COLUMN, 1), (192, 3, 2)),
            write.pooled(x, "max", 2),
        ]
    )


def _wide(write: BranchWriter, x: str) -> str:
    """Module E: 3x3 as 1x3 beside 3x1."""
    three = write.chain(x, (384, 1, 1))
    double = write.chain(x, (448, 1, 1), (384, 3, 1))
    return write.join(
        [
            write.chain(x, (320, 1, 1)),
            write.chain(three, (384, (1, 3), 1)),
            write.chain(three, (384, (3, 1), 1)),
            write.chain(double, (384, (1, 3), 1)),
            write.chain(double, (384, (3, 1), 1)),
            write.chain(write.pooled(x, "mean", 1), (192, 1, 1)),
        ]
    )


def inception_v3(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the classifier."""
    net = Builder(name, input_shape)
    with net.block("stem"):
        x = stem(BranchWriter(net, "stem", channels), INPUT)
    modules: tuple[Module, ...] = (
        *(partial(small, pooled=pooled) for pooled in (32, 64, 64)),
        partial(first_reduction, hidden=(64, 96, 96)),
        *(partial(_factorised, hidden=hidden) for hidden in (128, 160, 160, 192)),
        _second_reduction,
        _wide,
        _wide,
    )
    for number, module in enumerate(modules, start=1):
        at = f"mixed{number}"
        with net.block(at):
            x = module(BranchWriter(net, at, channels), x)
    with net.block("fc"):
        net.linear(net.flatten(net.global_pool(x, "avgpool"), "flatten"), CLASSES, "fc")
    return net.build()


NETWORKS.register("inceptionv3")(Recipe(inception_v3, (3, 299, 299)))
