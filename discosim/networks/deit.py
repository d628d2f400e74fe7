"""DeiT and ViT: square patches, one class token, pre-norm blocks.

Touvron et al., Training Data-Efficient Image Transformers & Distillation through Attention, ICML
2021, Table 1, without the distillation token; Dosovitskiy et al., An Image is Worth 16x16 Words,
ICLR 2021, Table 1. DeiT-B is ViT-B/16. Layer names as in timm's `models/vision_transformer.py`.
"""

from functools import partial
from typing import NamedTuple

from discosim.graph.builder import Builder
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT, Network
from discosim.networks import NETWORKS, Recipe, Width

HEAD_FEATURES = 64
EXPANSION = 4
CLASSES = 1000


class Form(NamedTuple):
    """Heads of 64 features each, blocks, pixels of a patch's side, pixels of the input's."""

    heads: int
    depth: int = 12
    patch: int = 16
    size: int = 224


FORMS = {
    "deit-ti": Form(3),
    "deit-s": Form(6),
    "deit-b": Form(12),
    "vit-s16": Form(6),
    "vit-b16": Form(12),
    "vit-ti16-384": Form(3, size=384),
    "vit-s16-384": Form(6, size=384),
    "vit-b16-384": Form(12, size=384),
    "vit-s32": Form(6, patch=32),
    "vit-b32": Form(12, patch=32),
    "vit-b32-384": Form(12, patch=32, size=384),
    "vit-l16": Form(16, depth=24),
    "vit-l32": Form(16, depth=24, patch=32),
}


def _embed(net: Builder, features: int, patch: int) -> str:
    """Write the patches as tokens, after the class token, and add the position embedding."""
    x = net.conv(INPUT, features, patch, "patch_embed", stride=patch, padding=0, bias=True)
    _, rows, columns = net.shape(x)
    tokens = 1 + rows * columns
    return net.embed(x, tokens, features + tokens * features, "pos_embed")


def block(
    net: Builder,
    x: str,
    heads: int,
    hidden: int,
    at: str,
    *,
    function: str = "gelu",
    terms: int = 0,
) -> str:
    """Write attention and a two-layer perceptron, each behind a layer norm and around a skip.

    function: of the perceptron; terms: as of `Builder.attention`.
    """
    features = net.shape(x)[0]
    y = net.layer_norm(x, f"{at}.norm1")
    y = net.linear(y, 3 * features, f"{at}.attn.qkv", heads=heads)
    y = net.attention(y, heads, f"{at}.attn", terms=terms)
    x = net.add(x, net.linear(y, features, f"{at}.attn.proj"), f"{at}.add1")
    y = net.layer_norm(x, f"{at}.norm2")
    y = net.activation(net.linear(y, hidden, f"{at}.mlp.fc1"), f"{at}.mlp.act", function)
    return net.add(x, net.linear(y, features, f"{at}.mlp.fc2"), f"{at}.add2")


def vision_transformer(name: str, input_shape: Shape, channels: Width, *, form: Form) -> Network:
    """Return the classifier; a narrower one keeps its heads, each with fewer features."""
    net = Builder(name, input_shape)
    heads = form.heads
    with net.block("embed"):
        x = _embed(net, heads * channels(HEAD_FEATURES), form.patch)
    hidden = channels(EXPANSION * heads * HEAD_FEATURES)
    for index in range(form.depth):
        with net.block(f"block.{index}"):
            x = block(net, x, heads, hidden, f"block.{index}")
    with net.block("head"):
        x = net.reshape(net.layer_norm(x, "norm"), (), "class_token")
        net.linear(x, CLASSES, "head")
    return net.build()


for _name, _form in FORMS.items():
    NETWORKS.register(_name)(
        Recipe(partial(vision_transformer, form=_form), (3, _form.size, _form.size))
    )
