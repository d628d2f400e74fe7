"""BlazeFace: residual blocks of one depthwise and one pointwise convolution, without its heads.

Bazarevsky et al., BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs, arXiv
1907.05047; MediaPipe's network of the front camera up to its last features, as in ncnn's
`benchmark/blazeface.param`. A skip that has too few features gets zeros beside them.
"""

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width

STEM = 24
BLOCKS = (  # features that are added, stride
    (0, 1),
    (4, 1),
    (4, 2),
    (4, 1),
    (6, 1),
    (6, 2),
    *((8, 1),) * 5,
    (8, 2),
    *((0, 1),) * 4,
)


def _block(net: Builder, x: str, added: int, stride: int, at: str) -> str:
    own = net.shape(x)[0]
    y = net.conv(x, own, 3, f"{at}.depthwise", stride=stride, groups=own, bias=True)
    y = net.conv(y, own + added, 1, f"{at}.pointwise", bias=True)
    if stride > 1:
        x = net.pool(x, 2, f"{at}.pool", stride=stride, ceil=True)
    if added:
        x = net.concat([x, net.zeros(x, added, f"{at}.zeros")], f"{at}.widened")
    return net.activation(net.add(y, x, f"{at}.add"), f"{at}.relu")


def blazeface(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the features of one 16th of the input's side."""
    net = Builder(name, input_shape)
    with net.block("stem"):
        x = net.conv(INPUT, channels(STEM), 5, "stem", stride=2, bias=True)
        x = net.activation(x, "stem.relu")
    for index, (added, stride) in enumerate(BLOCKS):
        at = f"block{index}"
        with net.block(at):
            x = _block(net, x, channels(added) if added else 0, stride, at)
    return net.build()


NETWORKS.register("blazeface")(Recipe(blazeface, (3, 128, 128)))
