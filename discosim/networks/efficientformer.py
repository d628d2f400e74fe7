"""EfficientFormer: means over neighbours and small perceptrons, attention in the last block alone.

Li et al., EfficientFormer: Vision Transformers at MobileNet Speed, NeurIPS 2022; L1 as in the
authors' repository (snap-research/EfficientFormer), with both its classifiers, of which the mean is
taken.
"""

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width

STAGES = ((48, 3), (96, 2), (224, 6), (448, 3))  # features, blocks of means
EXPANSION = 4
HEADS = 8
KEY_FEATURES, VALUE_FEATURES = 32, 128  # of each head
CLASSES = 1000


def _conv(net: Builder, x: str, features: int, kernel: int, at: str, stride: int = 1) -> str:
    y = net.conv(x, features, kernel, at, stride=stride, bias=True)
    return net.batch_norm(y, f"{at}.norm")


def _mean_block(net: Builder, x: str, hidden: int, at: str) -> str:
    """Write what differs from the mean of the neighbours, then a perceptron, each around a skip."""
    y = net.pool(x, 3, f"{at}.mean", stride=1, padding=1, function="mean")
    y = net.scale(net.add(y, x, f"{at}.differ"), f"{at}.scale1")
    x = net.add(x, y, f"{at}.add1")
    y = net.activation(_conv(net, x, hidden, 1, f"{at}.fc1"), f"{at}.act", "gelu")
    y = net.scale(_conv(net, y, net.shape(x)[0], 1, f"{at}.fc2"), f"{at}.scale2")
    return net.add(x, y, f"{at}.add2")


def _attention_block(net: Builder, x: str, hidden: int, channels: Width, at: str) -> str:
    """Write attention whose scores have a learned part for each distance, and a perceptron."""
    features, positions = net.shape(x)
    y = net.layer_norm(x, f"{at}.norm1")
    keys, values = HEADS * channels(KEY_FEATURES), HEADS * channels(VALUE_FEATURES)
    q, k, v = (
        net.linear(y, width, f"{at}.{part}", heads=HEADS)
        for part, width in (("q", keys), ("k", keys), ("v", values))
    )
    y = net.cross_attention(q, k, v, HEADS, f"{at}.attn", learned=HEADS * positions)
    y = net.scale(net.linear(y, features, f"{at}.proj"), f"{at}.scale1")
    x = net.add(x, y, f"{at}.add1")
    y = net.linear(net.layer_norm(x, f"{at}.norm2"), hidden, f"{at}.fc1")
    y = net.linear(net.activation(y, f"{at}.act", "gelu"), features, f"{at}.fc2")
    return net.add(x, net.scale(y, f"{at}.scale2"), f"{at}.add2")


def efficientformer(name: str, input_shape: Shape, channels: Width) -> Network:
    """Return the classifier."""
    net = Builder(name, input_shape)
    with net.block("stem"):
        x = INPUT
        for index, features in enumerate((STAGES[0][0] // 2, STAGES[0][0])):
            x = _conv(net, x, channels(features), 3, f"stem{index}", stride=2)
            x = net.activation(x, f"stem{index}.relu")
    for number, (features, depth) in enumerate(STAGES):
        hidden = channels(EXPANSION * features)
        if number:
            with net.block(f"stage{number}.down"):
                x = _conv(net, x, channels(features), 3, f"stage{number}.down", stride=2)
        for index in range(depth):
            with net.block(f"stage{number}.{index}"):
                x = _mean_block(net, x, hidden, f"stage{number}.{index}")
    with net.block("attention"):
        _, rows, columns = net.shape(x)
        x = net.reshape(x, (rows * columns,), "tokens")
        x = _attention_block(net, x, channels(EXPANSION * STAGES[-1][0]), channels, "attention")
    with net.block("head"):
        x = net.flatten(net.global_pool(net.layer_norm(x, "norm"), "avgpool"), "flatten")
        both = net.add(
            net.linear(x, CLASSES, "head"), net.linear(x, CLASSES, "head.distilled"), "head.sum"
        )
        net.activation(both, "head.mean", "scale", 0.5)
    return net.build()


NETWORKS.register("efficientformer-l1")(Recipe(efficientformer, (3, 224, 224)))
