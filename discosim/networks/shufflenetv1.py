"""ShuffleNetV1: pointwise convolutions in groups, whose channels are shuffled between them.

Zhang et al., ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile Devices,
CVPR 2018, Table 1, at full width; the first pointwise convolution is not grouped (Section 3.2).
"""

from functools import partial

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width

STEM = 24
WIDTHS = {2: 200, 3: 240, 4: 272, 8: 384}  # features of the first stage by groups
DEPTHS = (4, 8, 4)
BOTTLENECK = 4
CLASSES = 1000


def _conv_norm(
    net: Builder, x: str, features: int, name: str, *, kernel: int = 1, stride: int = 1, groups: int
) -> str:
    y = net.conv(x, features, kernel, name, stride=stride, groups=groups)
    return net.batch_norm(y, f"{name}.norm")


def _unit(
    net: Builder, x: str, made: int, at: str, *, groups: int, joined: bool, first: bool
) -> str:
    """Write one unit: `made` are added to its input, or with a stride set beside its mean."""
    stride = 2 if joined else 1
    features = net.shape(x)[0] + made if joined else made
    hidden = groups * max(1, features // (BOTTLENECK * groups))
    y = _conv_norm(net, x, hidden, f"{at}.reduce", groups=1 if first else groups)
    y = net.activation(y, f"{at}.reduce.relu")
    if not first:
        y = net.shuffle(y, groups, f"{at}.shuffle")
    y = _conv_norm(net, y, hidden, f"{at}.depthwise", kernel=3, stride=stride, groups=hidden)
    y = _conv_norm(net, y, made, f"{at}.expand", groups=groups)
    if joined:
        skip = net.pool(x, 3, f"{at}.pool", stride=2, padding=1, function="mean")
        y = net.concat([skip, y], f"{at}.join")
    else:
        y = net.add(y, x, f"{at}.join")
    return net.activation(y, f"{at}.relu")


def shufflenet(name: str, input_shape: Shape, channels: Width, *, groups: int) -> Network:
    """Return the classifier; all widths stay multiples of the groups.

    A stage has twice the features of the one before: what it sets beside its input is as wide.
    """
    net = Builder(name, input_shape)
    with net.block("stem"):
        whole = -(-channels(STEM) // groups) * groups
        x = net.conv(INPUT, whole, 3, "conv1", stride=2)
        x = net.activation(net.batch_norm(x, "conv1.norm"), "conv1.relu")
        x = net.pool(x, 3, "maxpool", stride=2, padding=1)
    made = groups * max(1, round(channels(WIDTHS[groups] - STEM) / groups))
    for stage, depth in enumerate(DEPTHS, start=2):
        for index in range(depth):
            at = f"stage{stage}.{index}"
            with net.block(at):
                x = _unit(
                    net,
                    x,
                    made if index == 0 else net.shape(x)[0],
                    at,
                    groups=groups,
                    joined=index == 0,
                    first=(stage, index) == (2, 0),
                )
        made = net.shape(x)[0]
    with net.block("fc"):
        net.linear(net.flatten(net.global_pool(x, "avgpool"), "flatten"), CLASSES, "fc")
    return net.build()


for _groups in WIDTHS:
    NETWORKS.register(f"shufflenetv1-g{_groups}")(
        Recipe(partial(shufflenet, groups=_groups), (3, 224, 224))
    )
