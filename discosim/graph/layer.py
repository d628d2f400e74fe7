"""One operator of a network: its shapes, and what follows from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Literal

Shape = tuple[int, ...]
"""Features first, then positions: (C, H, W) of an image, (D, tokens) of a sequence."""

Placing = Literal["mixes", "carries", "aligns", "joins"]
"""How an operator's output features lie on the nodes.

mixes: every output depends on all inputs (of its group), so the output is placed anew;
carries: output feature f lives where input feature `carry(f)` lives;
aligns: elementwise on two operands, the first one's placement wins;
joins: the operands' placements side by side.
"""


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator; every count below follows from the shapes alone.

    padding, dilation, function and factor change no count; they say what a run computes.
    function: of an activation (relu, gelu, …), a pooling (max, mean) or an upsampling (nearest,
    bilinear); factor: its parameter, as the slope of leaky_relu.
    """

    name: str
    op: str
    block: str
    in_shapes: tuple[Shape, ...]
    out_shape: Shape
    kernel: Shape = ()
    stride: Shape = ()
    groups: int = 1
    bias: bool = False
    heads: int = 1
    start: int = 0
    learned: int = 0
    padding: Shape = ()
    dilation: int = 1
    function: str = ""
    factor: float = 1.0

    @property
    def operator(self) -> "Operator":
        """The entry of `OPERATORS` for this layer's op."""
        return OPERATORS[self.op]

    @property
    def in_shape(self) -> Shape:
        """Shape of the first operand."""
        return self.in_shapes[0]

    @property
    def in_elems(self) -> int:
        """Elements of all operands."""
        return sum(prod(shape) for shape in self.in_shapes)

    @property
    def out_elems(self) -> int:
        """Elements of the output."""
        return prod(self.out_shape)

    @property
    def in_features(self) -> int:
        """Features of the first operand."""
        return self.in_shape[0]

    @property
    def out_features(self) -> int:
        """Features of the output."""
        return self.out_shape[0]

    @property
    def weights(self) -> int:
        """Parameters that connect inputs with outputs: what a mask can prune."""
        return self.operator.weights(self)

    @property
    def biases(self) -> int:
        """Parameters that belong to single features: biases, norms, embeddings."""
        return self.operator.biases(self)

    @property
    def params(self) -> int:
        """All parameters."""
        return self.weights + self.biases

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions, linear layers and attention products."""
        return self.operator.macs(self)

    @property
    def kind(self) -> str:
        """Operator class, by which a profile may state an efficiency."""
        depthwise = self.op == "conv" and self.groups > 1 and self.groups == self.in_features
        return "depthwise" if depthwise else self.op


def _none(_: Layer) -> int:
    return 0


def _kernel_weights(layer: Layer) -> int:
    return layer.in_features // layer.groups * layer.out_features * prod(layer.kernel)


def _per_output_position(layer: Layer) -> int:
    return layer.weights * prod(layer.out_shape[1:])


def _bias(layer: Layer) -> int:
    return layer.out_features * layer.bias


def _scale_and_shift(layer: Layer) -> int:
    return 2 * layer.out_features


def _scale(layer: Layer) -> int:
    return layer.out_features


def _learned(layer: Layer) -> int:
    return layer.learned


def _attention_products(layer: Layer) -> int:
    """Scores q k^T and their product with v: T x T x D each."""
    tokens = prod(layer.out_shape[1:])
    return 2 * tokens * tokens * layer.out_features


@dataclass(frozen=True, slots=True)
class Operator:
    """How one kind of operator counts and places its features.

    in_place: the output may take the memory of an operand that nobody reads later.
    statistics: scalars per position that each node sends when features are spread over nodes.
    """

    placing: Placing
    weights: Callable[[Layer], int] = _none
    biases: Callable[[Layer], int] = _none
    macs: Callable[[Layer], int] = _none
    carry: Callable[[Layer, int], int] = lambda _, feature: feature
    in_place: bool = False
    statistics: int = 0


def _flatten_carry(layer: Layer, feature: int) -> int:
    return feature // prod(layer.in_shape[1:])


def _shuffle_carry(layer: Layer, feature: int) -> int:
    """Channel shuffle: the groups x (C/groups) grid of channels, read the other way."""
    row, column = feature % layer.groups, feature // layer.groups
    return row * (layer.in_features // layer.groups) + column


OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        "conv": Operator("mixes", _kernel_weights, _bias, _per_output_position),
        "linear": Operator("mixes", _kernel_weights, _bias, _per_output_position),
        # q, k and v of a head lie together, and head h of the output is where its values are
        "attention": Operator("carries", macs=_attention_products),
        "batch_norm": Operator("carries", biases=_scale_and_shift, in_place=True),
        "layer_norm": Operator("carries", biases=_scale_and_shift, in_place=True, statistics=2),
        "l2_norm": Operator("carries", biases=_scale, in_place=True, statistics=1),
        "activation": Operator("carries", in_place=True),
        "pool": Operator("carries"),
        "upsample": Operator("carries"),
        "embed": Operator("carries", biases=_learned),
        "flatten": Operator("carries", carry=_flatten_carry, in_place=True),
        "shuffle": Operator("carries", carry=_shuffle_carry),
        "slice": Operator("carries", carry=lambda layer, f: layer.start + f, in_place=True),
        "reshape": Operator("carries", in_place=True),
        "add": Operator("aligns", in_place=True),
        "multiply": Operator("aligns", in_place=True),
        "concat": Operator("joins"),
        "gather": Operator("joins"),
    }
)
