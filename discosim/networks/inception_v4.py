"""Inception v4 and Inception-ResNet v2: modules of branches, without and with skips around them.

Szegedy et al., Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning,
AAAI 2017; Inception-ResNet with the features of the authors' code (TensorFlow's slim), which its
figures differ from.
"""

from collections.abc import Callable, Sequence
from functools import partial

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.inception import (
    COLUMN,
    ROW,
    BranchWriter,
    Module,
    first_reduction,
    small,
    stem,
)
from discosim.networks.parts import classifier

CLASSES = 1000
SHORT_ROW, SHORT_COLUMN = (1, 3), (3, 1)


def _first_stem(write: BranchWriter, x: str) -> str:
    x = write.chain(x, (32, 3, 2), (32, 3, 1), padded=False)
    x = write.chain(x, (64, 3, 1))
    return write.join([write.pooled(x, "max", 2), write.chain(x, (96, 3, 2))])


def _second_stem(write: BranchWriter, x: str) -> str:
    short = write.chain(x, (64, 1, 1))
    long = write.chain(x, (64, 1, 1), (64, ROW, 1), (64, COLUMN, 1))
    return write.join([write.chain(y, (96, 3, 1), padded=False) for y in (short, long)])


def _third_stem(write: BranchWriter, x: str) -> str:
    return write.join([write.chain(x, (192, 3, 2)), write.pooled(x, "max", 2)])


def _small(write: BranchWriter, x: str) -> str:
    """Module A."""
    return write.join(
        [
            write.chain(x, (96, 1, 1)),
            write.chain(x, (64, 1, 1), (96, 3, 1)),
            write.chain(x, (64, 1, 1), (96, 3, 1), (96, 3, 1)),
            write.chain(write.pooled(x, "mean", 1), (96, 1, 1)),
        ]
    )


def _factorised(write: BranchWriter, x: str) -> str:
    """Module B."""
    twice = ((192, COLUMN, 1), (224, ROW, 1), (224, COLUMN, 1), (256, ROW, 1))
    return write.join(
        [
            write.chain(x, (384, 1, 1)),
            write.chain(x, (192, 1, 1), (224, ROW, 1), (256, COLUMN, 1)),
            write.chain(x, (192, 1, 1), *twice),
            write.chain(write.pooled(x, "mean", 1), (128, 1, 1)),
        ]
    )


def _second_reduction(write: BranchWriter, x: str) -> str:
    return write.join(
        [
            write.chain(x, (192, 1, 1), (192, 3, 2)),
            write.chain(x, (256, 1, 1), (256, ROW, 1), (320, COLUMN, 1), (320, 3, 2)),
            write.pooled(x, "max", 2),
        ]
    )


def _wide(write: BranchWriter, x: str) -> str:
    """Module C: 3x3 as 1x3 beside 3x1."""
    three = write.chain(x, (384, 1, 1))
    double = write.chain(x, (384, 1, 1), (448, SHORT_COLUMN, 1), (512, SHORT_ROW, 1))
    beside = [
        write.chain(y, (256, kernel, 1))
        for y in (three, double)
        for kernel in (SHORT_ROW, SHORT_COLUMN)
    ]
    pooled = write.chain(write.pooled(x, "mean", 1), (256, 1, 1))
    return write.join([write.chain(x, (256, 1, 1)), *beside, pooled])


V4: tuple[Module, ...] = (
    _first_stem,
    _second_stem,
    _third_stem,
    *(_small,) * 4,
    partial(first_reduction, hidden=(192, 224, 256)),
    *(_factorised,) * 7,
    _second_reduction,
    *(_wide,) * 3,
)


def _residual(
    write: BranchWriter, x: str, branches: Callable[[str], list[str]], scale: float, last: bool
) -> str:
    """Add a projection of the branches, `scale` of it; the last one is not activated."""
    net, at = write.net, write.at
    y = net.conv(write.join(branches(x)), net.shape(x)[0], 1, f"{at}.project", bias=True)
    y = net.add(net.activation(y, f"{at}.scale", "scale", scale), x, f"{at}.add")
    return y if last else net.activation(y, f"{at}.relu")


def _small_residual(write: BranchWriter, x: str) -> str:
    def branches(x: str) -> list[str]:
        return [
            write.chain(x, (32, 1, 1)),
            write.chain(x, (32, 1, 1), (32, 3, 1)),
            write.chain(x, (32, 1, 1), (48, 3, 1), (64, 3, 1)),
        ]

    return _residual(write, x, branches, 0.17, last=False)


def _factorised_residual(write: BranchWriter, x: str) -> str:
    def branches(x: str) -> list[str]:
        return [
            write.chain(x, (192, 1, 1)),
            write.chain(x, (128, 1, 1), (160, ROW, 1), (192, COLUMN, 1)),
        ]

    return _residual(write, x, branches, 0.1, last=False)


def _last_reduction(write: BranchWriter, x: str) -> str:
    return write.join(
        [
            write.chain(x, (256, 1, 1), (384, 3, 2)),
            write.chain(x, (256, 1, 1), (288, 3, 2)),
            write.chain(x, (256, 1, 1), (288, 3, 1), (320, 3, 2)),
            write.pooled(x, "max", 2),
        ]
    )


def _wide_residual(write: BranchWriter, x: str, scale: float = 0.2, last: bool = False) -> str:
    def branches(x: str) -> list[str]:
        return [
            write.chain(x, (192, 1, 1)),
            write.chain(x, (192, 1, 1), (224, SHORT_ROW, 1), (256, SHORT_COLUMN, 1)),
        ]

    return _residual(write, x, branches, scale, last)


RESIDUAL: tuple[Module, ...] = (
    stem,
    partial(small, pooled=64, own=96),
    *(_small_residual,) * 10,
    partial(first_reduction, hidden=(256, 256, 384)),
    *(_factorised_residual,) * 20,
    _last_reduction,
    *(_wide_residual,) * 9,
    partial(_wide_residual, scale=1.0, last=True),
)
LAST = 1536


def inception(
    name: str,
    input_shape: Shape,
    channels: Width,
    *,
    modules: Sequence[Module],
    last: int = 0,
) -> Network:
    """Return the classifier; `last` are the features of a convolution behind the modules."""
    net = Builder(name, input_shape)
    x = INPUT
    for number, module in enumerate(modules):
        at = f"module{number}"
        with net.block(at):
            x = module(BranchWriter(net, at, channels), x)
    with net.block("head"):
        if last:
            x = BranchWriter(net, "head", channels).chain(x, (last, 1, 1))
        classifier(net, x, CLASSES)
    return net.build()


NETWORKS.register("inceptionv4")(Recipe(partial(inception, modules=V4), (3, 299, 299)))
NETWORKS.register("inception-resnet-v2")(
    Recipe(partial(inception, modules=RESIDUAL, last=LAST), (3, 299, 299))
)
