"""MobileViT-S: inverted residuals, and attention over every second pixel a side between them.

Mehta and Rastegari, MobileViT: Light-weight, General-purpose, and Mobile-friendly Vision
Transformer, ICLR 2022; as in the authors' repository (apple/ml-cvnets).
"""

from typing import NamedTuple

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.deit import block
from discosim.networks.mobilenet import Stage, inverted_residual
from discosim.networks.parts import classifier, conv_norm

SILU = "silu"
STEM = 16
HEADS = 4
PATCH = 2
PERCEPTRON = 2
LAST = 640
CLASSES = 1000


class MobileVitStage(NamedTuple):
    """Inverted residuals, then blocks of attention over `tokens` features."""

    residuals: Stage
    tokens: int = 0
    attention: int = 0


STAGES = (
    MobileVitStage(Stage(4, 3, 1, 32, 1)),
    MobileVitStage(Stage(4, 3, 2, 64, 3)),
    MobileVitStage(Stage(4, 3, 2, 96, 1), tokens=144, attention=2),
    MobileVitStage(Stage(4, 3, 2, 128, 1), tokens=192, attention=4),
    MobileVitStage(Stage(4, 3, 2, 160, 1), tokens=240, attention=3),
)


def _attending(net: Builder, x: str, stage: MobileVitStage, at: str, channels: Width) -> str:
    """Write attention of each pixel to those in its place of the other patches of 2x2."""
    own, *size = net.shape(x)
    rows, columns = size
    features = HEADS * channels(stage.tokens // HEADS)
    y = conv_norm(net, x, own, 3, f"{at}.local", SILU)
    y = net.reshape(net.conv(y, features, 1, f"{at}.embed"), (rows * columns,), f"{at}.tokens")
    patches = -(-rows // PATCH) * -(-columns // PATCH)
    for index in range(stage.attention):
        name, hidden = f"{at}.{index}", channels(PERCEPTRON * stage.tokens)
        y = block(net, y, HEADS, hidden, name, function=SILU, terms=patches)
    y = net.reshape(net.layer_norm(y, f"{at}.norm"), (rows, columns), f"{at}.image")
    y = conv_norm(net, y, own, 1, f"{at}.project", SILU)
    return conv_norm(net, net.concat([x, y], f"{at}.concat"), own, 3, f"{at}.fuse", SILU)


def mobilevit(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the classifier."""
    net = Builder(name, input_shape)
    with net.block("stem"):
        x = conv_norm(net, INPUT, channels(STEM), 3, "stem", SILU, stride=2)
    before = STEM
    for number, stage in enumerate(STAGES, start=1):
        residuals = stage.residuals
        for index in range(residuals.depth):
            at = f"stage{number}.{index}"
            with net.block(at):
                stride = 1 if index else residuals.stride
                x = inverted_residual(net, x, before, residuals, stride, at, channels, SILU)
            before = residuals.features
        if stage.attention:
            with net.block(f"stage{number}.vit"):
                x = _attending(net, x, stage, f"stage{number}.vit", channels)
    with net.block("head"):
        classifier(net, conv_norm(net, x, channels(LAST), 1, "head", SILU), CLASSES)
    return net.build()


NETWORKS.register("mobilevit-s")(Recipe(mobilevit, (3, 256, 256)))
