"""DeiT and ViT with 16x16 patches: one class token, twelve pre-norm blocks.

Touvron et al., Training Data-Efficient Image Transformers & Distillation through Attention, ICML
2021, Table 1, without the distillation token; Dosovitskiy et al., An Image is Worth 16x16 Words,
ICLR 2021, Table 1. DeiT-B is ViT-B/16. Layer names as in timm's `models/vision_transformer.py`.
"""

from functools import partial

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width

PATCH = 16
DEPTH = 12
HEAD_FEATURES = 64
EXPANSION = 4
CLASSES = 1000
HEADS = {"deit-ti": 3, "deit-s": 6, "deit-b": 12, "vit-b16": 12}


def _embed(net: Builder, features: int) -> str:
    """Write the patches as tokens, after the class token, and add the position embedding."""
    x = net.conv(INPUT, features, PATCH, "patch_embed", stride=PATCH, padding=0, bias=True)
    _, rows, columns = net.shape(x)
    tokens = 1 + rows * columns
    return net.embed(x, tokens, features + tokens * features, "pos_embed")


def block(net: Builder, x: str, heads: int, hidden: int, at: str) -> str:
    """Write attention and a two-layer perceptron, each behind a layer norm and around a skip."""
    features = net.shape(x)[0]
    y = net.layer_norm(x, f"{at}.norm1")
    y = net.linear(y, 3 * features, f"{at}.attn.qkv", heads=heads)
    y = net.attention(y, heads, f"{at}.attn")
    x = net.add(x, net.linear(y, features, f"{at}.attn.proj"), f"{at}.add1")
    y = net.layer_norm(x, f"{at}.norm2")
    y = net.activation(net.linear(y, hidden, f"{at}.mlp.fc1"), f"{at}.mlp.act", "gelu")
    return net.add(x, net.linear(y, features, f"{at}.mlp.fc2"), f"{at}.add2")


def vision_transformer(name: str, input_shape: Shape, channels: Width, *, heads: int) -> Network:
    """Return the classifier; a narrower one keeps its heads, each with fewer features."""
    net = Builder(name, input_shape)
    with net.block("embed"):
        x = _embed(net, heads * channels(HEAD_FEATURES))
    hidden = channels(EXPANSION * heads * HEAD_FEATURES)
    for index in range(DEPTH):
        with net.block(f"block.{index}"):
            x = block(net, x, heads, hidden, f"block.{index}")
    with net.block("head"):
        x = net.reshape(net.layer_norm(x, "norm"), (), "class_token")
        net.linear(x, CLASSES, "head")
    return net.build()


for _name, _heads in HEADS.items():
    NETWORKS.register(_name)(Recipe(partial(vision_transformer, heads=_heads), (3, 224, 224)))
