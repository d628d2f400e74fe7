"""DenseNet: every layer of a block reads the outputs of all layers before it.

Huang et al., Densely Connected Convolutional Networks, CVPR 2017, Table 1; layer names as in
torchvision's `models/densenet.py`.
"""

from functools import partial

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width

DEPTHS = {  # layers of each block, features that a layer adds, features of the stem
    121: ((6, 12, 24, 16), 32, 64),
    161: ((6, 12, 36, 24), 48, 96),
    169: ((6, 12, 32, 32), 32, 64),
    201: ((6, 12, 48, 32), 32, 64),
}
BOTTLENECK = 4
CLASSES = 1000


def _norm_relu(net: Builder, x: str, name: str) -> str:
    return net.activation(net.batch_norm(x, name), f"{name}.relu")


def _dense_layer(net: Builder, x: str, growth: int, at: str) -> str:
    y = net.conv(_norm_relu(net, x, f"{at}.norm1"), BOTTLENECK * growth, 1, f"{at}.conv1")
    y = net.conv(_norm_relu(net, y, f"{at}.norm2"), growth, 3, f"{at}.conv2")
    return net.concat([x, y], f"{at}.concat")


def densenet(
    name: str, input_shape: Shape, channels: Width, *, depths: Shape, growth: int, stem: int
) -> Network:
    """Return the classifier: four dense blocks, between them a convolution and a mean of 2x2."""
    net = Builder(name, input_shape)
    with net.block("stem"):
        x = net.conv(INPUT, channels(stem), 7, "conv0", stride=2)
        x = net.pool(_norm_relu(net, x, "norm0"), 3, "pool0", stride=2, padding=1)
    for number, depth in enumerate(depths, start=1):
        for index in range(1, depth + 1):
            at = f"block{number}.{index}"
            with net.block(at):
                x = _dense_layer(net, x, channels(growth), at)
        if number < len(depths):
            at = f"transition{number}"
            with net.block(at):
                y = _norm_relu(net, x, f"{at}.norm")
                y = net.conv(y, net.shape(x)[0] // 2, 1, f"{at}.conv")
                x = net.pool(y, 2, f"{at}.pool", stride=2, function="mean")
    with net.block("classifier"):
        x = net.global_pool(_norm_relu(net, x, "norm5"), "avgpool")
        net.linear(net.flatten(x, "flatten"), CLASSES, "classifier")
    return net.build()


for _layers, (_depths, _growth, _stem) in DEPTHS.items():
    NETWORKS.register(f"densenet{_layers}")(
        Recipe(partial(densenet, depths=_depths, growth=_growth, stem=_stem), (3, 224, 224))
    )
