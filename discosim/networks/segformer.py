"""SegFormer-B0: attention to a coarser map in four stages, all of them joined by linear layers.

Xie et al., SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers,
NeurIPS 2021, Table 6; as in the authors' repository (NVlabs/SegFormer), 150 classes of ADE20K, maps
of a quarter of the side.
"""

from typing import NamedTuple

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width
from discosim.networks.parts import conv_norm


class SegformerStage(NamedTuple):
    """Kernel and stride of what merges patches, heads, and by how much keys are coarser a side."""

    kernel: int
    stride: int
    features: int
    heads: int
    coarser: int


STAGES = (
    SegformerStage(7, 4, 32, 1, 8),
    SegformerStage(3, 2, 64, 2, 4),
    SegformerStage(3, 2, 160, 5, 2),
    SegformerStage(3, 2, 256, 8, 1),
)
DEPTH = 2
EXPANSION = 4
DECODER = 256
CLASSES = 150


def _attention(net: Builder, x: str, stage: SegformerStage, at: str) -> str:
    """Write attention whose keys and values are of a coarser map."""
    features, heads, ratio = net.shape(x)[0], stage.heads, stage.coarser
    coarse = x
    if ratio > 1:
        coarse = net.conv(x, features, ratio, f"{at}.coarse", stride=ratio, padding=0, bias=True)
        coarse = net.layer_norm(coarse, f"{at}.coarse.norm")
    q = net.linear(x, features, f"{at}.q", heads=heads)
    k, v = (net.linear(coarse, features, f"{at}.{part}", heads=heads) for part in "kv")
    return net.linear(net.cross_attention(q, k, v, heads, f"{at}.attn"), features, f"{at}.proj")


def _block(net: Builder, x: str, stage: SegformerStage, hidden: int, at: str) -> str:
    """Write attention, then a perceptron with a depthwise convolution in it."""
    features = net.shape(x)[0]
    x = net.add(x, _attention(net, net.layer_norm(x, f"{at}.norm1"), stage, at), f"{at}.add1")
    y = net.linear(net.layer_norm(x, f"{at}.norm2"), hidden, f"{at}.fc1")
    y = net.conv(y, hidden, 3, f"{at}.depthwise", groups=hidden, bias=True)
    y = net.linear(net.activation(y, f"{at}.act", "gelu"), features, f"{at}.fc2")
    return net.add(x, y, f"{at}.add2")


def segformer(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the segmentation."""
    net = Builder(name, input_shape)
    x, maps = INPUT, []
    for number, stage in enumerate(STAGES):
        features = stage.heads * channels(stage.features // stage.heads)
        at = f"stage{number}"
        with net.block(f"{at}.merge"):
            x = net.conv(x, features, stage.kernel, f"{at}.merge", stride=stage.stride, bias=True)
            x = net.layer_norm(x, f"{at}.merge.norm")
        for index in range(DEPTH):
            with net.block(f"{at}.{index}"):
                hidden = channels(EXPANSION * stage.features)
                x = _block(net, x, stage, hidden, f"{at}.{index}")
                if index == DEPTH - 1:
                    x = net.layer_norm(x, f"{at}.norm")
        maps.append(x)
    with net.block("decoder"):
        joined = []
        for number, x in reversed(list(enumerate(maps))):
            y = net.linear(x, channels(DECODER), f"decoder.{number}")
            joined.append(net.upsample(y, net.shape(maps[0])[1:], f"decoder.{number}.up"))
        x = net.concat(joined, "decoder.concat")
        x = conv_norm(net, x, channels(DECODER), 1, "decoder.fuse", "relu")
        net.conv(x, CLASSES, 1, "classifier", bias=True)
    return net.build()


NETWORKS.register("segformer-b0")(Recipe(segformer, (3, 512, 512)))
