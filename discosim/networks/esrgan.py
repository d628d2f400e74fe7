"""ESRGAN's generator: 23 residual-in-residual dense blocks (RRDB), then four times the size.

Wang et al., ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks, ECCV Workshops
2018, Figure 4; 64 features and growth 32 as in the authors' `RRDBNet_arch.py`, whose layer names
are used here. The input is our choice, the size for a 512x512 result: the network takes any, and
the shares that the DISCO paper prints do not depend on it.
"""

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width

BLOCKS = 23
DENSE_BLOCKS = 3
DENSE_CONVS = 5
FEATURES = 64
GROWTH = 32
COLOURS = 3


def _conv(net: Builder, x: str, features: int, name: str) -> str:
    return net.conv(x, features, 3, name, bias=True)


def _conv_act(net: Builder, x: str, features: int, name: str) -> str:
    return net.activation(_conv(net, x, features, name), f"{name}.lrelu", "leaky_relu", 0.2)


def _scaled_add(net: Builder, y: str, x: str, at: str) -> str:
    """Add 0.2 y to x: the residual scaling."""
    return net.add(net.activation(y, f"{at}.scale", "scale", 0.2), x, f"{at}.add")


def _dense_block(net: Builder, x: str, growth: int, at: str) -> str:
    """Write five convolutions, each of which reads the block's input and all outputs before it."""
    seen, y = [x], x
    for index in range(1, DENSE_CONVS):
        seen.append(_conv_act(net, y, growth, f"{at}.conv{index}"))
        y = net.concat(seen, f"{at}.concat{index}")
    y = _conv(net, y, net.shape(x)[0], f"{at}.conv{DENSE_CONVS}")
    return _scaled_add(net, y, x, at)


def esrgan(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the generator: first convolution, RRDB trunk with its skip, two doublings, output."""
    net = Builder(name, input_shape)
    features = channels(FEATURES)
    with net.block("head"):
        first = x = _conv(net, INPUT, features, "conv_first")
    for index in range(BLOCKS):
        at = f"rrdb.{index}"
        with net.block(at):
            y = x
            for dense in range(1, DENSE_BLOCKS + 1):
                y = _dense_block(net, y, channels(GROWTH), f"{at}.rdb{dense}")
            x = _scaled_add(net, y, x, at)
    with net.block("tail"):
        x = net.add(_conv(net, x, features, "trunk_conv"), first, "trunk.add")
        for step in (1, 2):
            _, height, width = net.shape(x)
            x = net.upsample(x, (2 * height, 2 * width), f"upsample{step}", "nearest")
            x = _conv_act(net, x, features, f"upconv{step}")
        x = _conv_act(net, x, features, "hr_conv")
        _conv(net, x, COLOURS, "conv_last")
    return net.build()


NETWORKS.register("esrgan")(Recipe(esrgan, (3, 128, 128)))
