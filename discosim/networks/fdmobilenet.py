"""FD-MobileNet: MobileNetV1 with fast downsampling, a 32nd of the side after twelve convolutions.

Qin et al., FD-MobileNet: Improved MobileNet with a Fast Downsampling Strategy, ICIP 2018, Table 1.
"""

from functools import partial

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.mobilenetv1 import conv_norm_relu, separable
from discosim.networks.parts import classifier

STEM = 32
BODY = (  # features, stride
    (64, 2),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 4,
    (1024, 1),
)
WIDTHS = (1.0, 0.5, 0.25)
CLASSES = 1000


def fdmobilenet(name: str, input_shape: Shape, channels: Width, *, multiplier: float) -> Network:
    """Return the classifier."""
    net = Builder(name, input_shape)
    with net.block("stem"):
        x = conv_norm_relu(net, INPUT, channels(int(STEM * multiplier)), 3, "stem", stride=2)
    for number, (full, stride) in enumerate(BODY, start=1):
        at = f"block{number}"
        with net.block(at):
            x = separable(net, x, channels(int(full * multiplier)), at, stride=stride)
    with net.block("classifier"):
        classifier(net, x, CLASSES)
    return net.build()


for _multiplier in WIDTHS:
    NETWORKS.register(f"fdmobilenet-{_multiplier}")(
        Recipe(partial(fdmobilenet, multiplier=_multiplier), (3, 224, 224))
    )
