"""ShuffleNetV2: half of the channels pass by, the others are filtered, then all are shuffled.

Ma et al., ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design, ECCV 2018,
Table 5; as in torchvision's `models/shufflenetv2.py`.
"""

from functools import partial

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.parts import depthwise

WIDTHS = {  # features of the three stages, and of the last convolution
    "x0.5": (48, 96, 192, 1024),
    "x1.0": (116, 232, 464, 1024),
    "x1.5": (176, 352, 704, 1024),
    "x2.0": (244, 488, 976, 2048),
}
STEM = 24
DEPTHS = (4, 8, 4)
CLASSES = 1000


def _relu(net: Builder, x: str, name: str, slope: float) -> str:
    """Write the activation, which keeps `slope` of what is negative."""
    if slope:
        return net.activation(x, f"{name}.relu", "leaky_relu", slope)
    return net.activation(x, f"{name}.relu")


def _conv_norm(net: Builder, x: str, features: int, name: str, slope: float = 0.0) -> str:
    y = net.batch_norm(net.conv(x, features, 1, name), f"{name}.norm")
    return _relu(net, y, name, slope)


def unit(net: Builder, x: str, features: int, at: str, *, stride: int, slope: float = 0.0) -> str:
    """Write one unit; with a stride both branches read all channels."""
    half = features // 2
    if stride == 1:
        kept = net.slice(x, 0, half, f"{at}.kept")
        y = net.slice(x, half, half, f"{at}.filtered")
    else:
        kept = depthwise(net, x, 3, f"{at}.skip.depthwise", stride=stride)
        kept = _conv_norm(net, kept, half, f"{at}.skip.pointwise", slope)
        y = x
    y = _conv_norm(net, y, half, f"{at}.conv1", slope)
    y = depthwise(net, y, 3, f"{at}.depthwise", stride=stride)
    y = _conv_norm(net, y, half, f"{at}.conv2", slope)
    return net.shuffle(net.concat([kept, y], f"{at}.concat"), 2, f"{at}.shuffle")


def backbone(net: Builder, widths: Shape, channels: Width, slope: float = 0.0) -> list[str]:
    """Write the stem and the three stages; return the output of each stage.

    slope: of the activations where their input is negative.
    """
    with net.block("stem"):
        x = net.conv(INPUT, channels(STEM), 3, "conv1", stride=2)
        x = _relu(net, net.batch_norm(x, "conv1.norm"), "conv1", slope)
        x = net.pool(x, 3, "maxpool", stride=2, padding=1)
    outputs = []
    for stage, (features, depth) in enumerate(zip(widths, DEPTHS, strict=True), start=2):
        for index in range(depth):
            at = f"stage{stage}.{index}"
            even = 2 * channels(features // 2)
            with net.block(at):
                x = unit(net, x, even, at, stride=1 if index else 2, slope=slope)
        outputs.append(x)
    return outputs


def shufflenet(name: str, input_shape: Shape, channels: Width, *, widths: Shape) -> Network:
    """Return the classifier; `widths` are the features of the stages and of the last layer."""
    net = Builder(name, input_shape)
    x = backbone(net, widths[:-1], channels)[-1]
    with net.block("conv5"):
        x = _conv_norm(net, x, channels(widths[-1]), "conv5")
    with net.block("fc"):
        net.linear(net.flatten(net.global_pool(x, "avgpool"), "flatten"), CLASSES, "fc")
    return net.build()


for _name, _widths in WIDTHS.items():
    NETWORKS.register(f"shufflenetv2-{_name}")(
        Recipe(partial(shufflenet, widths=_widths), (3, 224, 224))
    )
