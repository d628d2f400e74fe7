"""ConvNeXt: a wide depthwise convolution and a perceptron a block, layer norms, few activations.

Liu et al., A ConvNet for the 2020s, CVPR 2022, Section 3; as in torchvision's `models/convnext.py`.
"""

from functools import partial

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width

FORMS = {  # features and blocks of each stage
    "tiny": ((96, 192, 384, 768), (3, 3, 9, 3)),
    "small": ((96, 192, 384, 768), (3, 3, 27, 3)),
    "base": ((128, 256, 512, 1024), (3, 3, 27, 3)),
}
EXPANSION = 4
CLASSES = 1000


def _block(net: Builder, x: str, hidden: int, at: str) -> str:
    features = net.shape(x)[0]
    y = net.conv(x, features, 7, f"{at}.depthwise", groups=features, bias=True)
    y = net.linear(net.layer_norm(y, f"{at}.norm"), hidden, f"{at}.fc1")
    y = net.linear(net.activation(y, f"{at}.act", "gelu"), features, f"{at}.fc2")
    return net.add(x, net.scale(y, f"{at}.scale"), f"{at}.add")


def convnext(
    name: str, input_shape: Shape, channels: Width, *, widths: Shape, depths: Shape
) -> Network:
    """Return the classifier."""
    net = Builder(name, input_shape)
    with net.block("stem"):
        x = net.conv(INPUT, channels(widths[0]), 4, "stem", stride=4, padding=0, bias=True)
        x = net.layer_norm(x, "stem.norm")
    for number, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        if number:
            at = f"stage{number}.down"
            with net.block(at):
                y = net.layer_norm(x, f"{at}.norm")
                x = net.conv(y, channels(width), 2, at, stride=2, padding=0, bias=True)
        for index in range(depth):
            at = f"stage{number}.{index}"
            with net.block(at):
                x = _block(net, x, channels(EXPANSION * width), at)
    with net.block("head"):
        x = net.layer_norm(net.global_pool(x, "avgpool"), "norm")
        net.linear(net.flatten(x, "flatten"), CLASSES, "head")
    return net.build()


for _name, (_widths, _depths) in FORMS.items():
    NETWORKS.register(f"convnext-{_name}")(
        Recipe(partial(convnext, widths=_widths, depths=_depths), (3, 224, 224))
    )
