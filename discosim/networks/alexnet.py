"""AlexNet, the one-column variant: five convolutions and three linear layers.

Krizhevsky, One Weird Trick for Parallelizing Convolutional Neural Networks, arXiv 1404.5997; as
in torchvision's `models/alexnet.py`.
"""

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.vgg import classifier

CONVOLUTIONS = (  # features, kernel, stride, padding, pooled
    (64, 11, 4, 2, True),
    (192, 5, 1, 2, True),
    (384, 3, 1, 1, False),
    (256, 3, 1, 1, False),
    (256, 3, 1, 1, True),
)


def alexnet(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the classifier; its last features are pooled to 6x6 whatever the input."""
    net = Builder(name, input_shape)
    x = INPUT
    for index, (features, kernel, stride, padding, pooled) in enumerate(CONVOLUTIONS, start=1):
        at = f"conv{index}"
        with net.block(at):
            y = net.conv(
                x, channels(features), kernel, at, stride=stride, padding=padding, bias=True
            )
            x = net.activation(y, f"{at}.relu")
            if pooled:
                x = net.pool(x, 3, f"{at}.pool", stride=2)
    classifier(net, x, channels, pooled=6)
    return net.build()


NETWORKS.register("alexnet")(Recipe(alexnet, (3, 224, 224)))
