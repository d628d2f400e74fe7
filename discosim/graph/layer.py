"""One operator of a network: its shapes, and what follows from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from discosim.graph import carry, reach
from discosim.graph.reach import Reach

Ints = NDArray[np.int64]
Shape = tuple[int, ...]
"""Features first, then positions: (C, H, W) of an image, (D, tokens) of a sequence."""

Atom = tuple[int, int]
"""(size, stride): a run of indices into the features of a tensor, `stride` apart."""

WINOGRAD_FEATURES = 16
"""Features from which on runtimes transform a 3x3 convolution (ncnn's convolution_arm.cpp)."""

LANES = 4
"""Features that a vector register holds, by which runtimes pack them (ncnn's `elempack`)."""

COLOURS = 4
"""Input features up to which a convolution is the first one, of an image's colours."""

TILE = 4
"""Outputs on a side that Winograd's F(4x4, 3x3) computes at once (arXiv 1509.09308)."""

FOLDED = frozenset(
    {"batch_norm", "affine", "flatten", "reshape", "view", "constant", "side_output", "gather"}
)
"""Operators that runtimes fold into the one before them, or that only rename what is there."""

POINTWISE = "pointwise"
"""The function of an exchange that works element by element, on operands that lie apart."""

CLAMPS = frozenset({"", "relu", "relu6", "leaky_relu", "prelu", "hardtanh"})
"""Activations that runtimes compute while they write the operator before them."""

Placing = Literal["mixes", "carries", "aligns", "joins", "looks-up", "reduces", "exchanges"]
"""How an operator's output features lie on the nodes.

mixes: every output depends on all inputs (of its group), so the output is placed anew;
carries: output feature f lives where input feature `carry(f)` lives;
aligns: elementwise on several operands, the first one's placement wins;
joins: the operands' placements side by side;
looks-up: the output is placed anew, and each node makes its part from what all nodes hold;
reduces: over the features, so that every node has the result;
exchanges: all operands are sent to all nodes whatever S_comm, and the output is placed anew.
"""


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator; every count below follows from the shapes and these fields alone.

    learned: parameters that no shape tells; terms: products that are summed into one output of a
    matmul, or the positions that attention looks at (0: all of its own); parts: how many blocks
    of `heads` heads lie side by side (0: as many as the attention that reads them has operands).
    view, inner: of a view, where in the input its features and their positions come from, as
    runs of indices from `start` on; see `carry.strided`.
    weight, held: the names of parameters that other rows read too: of the kernel or matrix, and of
    those among the biases, with their elements. Rows that name one parameter hold it once.
    groups: of a convolution, a shuffle, or the features that a group norm normalises together.
    padding, dilation, function and factor change no count; they say what a run computes.
    function: of an activation (relu, gelu, …), a pooling (max, mean) or an upsampling (nearest,
    bilinear), or of an exchange POINTWISE; factor: its parameter, as the slope of leaky_relu.
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
    terms: int = 0
    parts: int = 0
    view: tuple[Atom, ...] = ()
    inner: tuple[Atom, ...] = ()
    padding: Shape = ()
    dilation: int = 1
    function: str = ""
    factor: float = 1.0
    weight: str = ""
    held: tuple[tuple[str, int], ...] = ()

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
    def scratch(self) -> int:
        """Elements that it takes and gives back, beside what it reads and makes."""
        return self.operator.scratch(self)

    @property
    def in_place(self) -> bool:
        """Whether the output may take the memory of an operand that nobody reads later."""
        return self.operator.in_place or (self.op == "exchange" and self.function == POINTWISE)

    @property
    def has_statistics(self) -> bool:
        """Whether it looks at many features or positions before it makes the first output."""
        return self.operator.statistics > 0 or self.operator.row_statistics > 0

    @property
    def kind(self) -> str:
        """Operator class, by which a profile may state an efficiency."""
        depthwise = self.op == "conv" and self.groups > 1 and self.groups == self.in_features
        return "depthwise" if depthwise else self.op

    @property
    def folded(self) -> bool:
        """Whether a runtime computes it with the operator before it, or only renames features.

        Whether there is such an operator before it, its network tells (graph/table.py).
        """
        return self.op in FOLDED or (self.op == "activation" and self.function in CLAMPS)

    @property
    def classes(self) -> tuple[str, ...]:
        """Operator classes by which a profile may state a number, the narrowest first.

        conv3x3: what runtimes compute by Winograd's algorithm (arXiv 1509.09308); unaligned: whose
        output features fill no whole vector registers, so that some runtimes take one at a time;
        stem: of an image, whose few features fill none of them either; wide_depthwise: of kernels
        beyond 3x3, for which runtimes have slower code.
        """
        if self.kind == "depthwise":
            return ("wide_depthwise", "depthwise") if max(self.kernel) > 3 else ("depthwise",)
        if self.kind != "conv":
            return (self.kind,)
        if self.groups > 1 and max(self.kernel) > 1:
            return ("grouped", "conv")
        if self.in_features <= COLOURS:
            return ("stem", *self._shape_class, "conv")
        unaligned = ("unaligned",) if self.out_features % LANES else ()
        return (*unaligned, *self._shape_class, "conv")

    @property
    def _shape_class(self) -> tuple[str, ...]:
        if max(self.kernel) == 1:
            return ("pointwise",)
        even = self.kernel == (3, 3) and max(self.stride, default=1) == 1 and self.dilation == 1
        wide = min(self.in_features, self.out_features) >= WINOGRAD_FEATURES
        return ("conv3x3",) if even and wide else ()


def _none(_: Layer) -> int:
    return 0


def _kernel_weights(layer: Layer) -> int:
    return layer.in_features // layer.groups * layer.out_features * prod(layer.kernel)


def _per_output_position(layer: Layer) -> int:
    return layer.weights * prod(layer.out_shape[1:])


def _per_input_position(layer: Layer) -> int:
    return layer.weights * prod(layer.in_shape[1:])


def _sums(layer: Layer) -> int:
    return layer.out_elems * layer.terms


def _per_position(layer: Layer) -> int:
    return prod(layer.in_shape[1:]) * layer.terms


def _bias(layer: Layer) -> int:
    return layer.out_features * layer.bias + layer.learned


def _scale_and_shift(layer: Layer) -> int:
    return 2 * layer.out_features


def _scale(layer: Layer) -> int:
    return layer.out_features


def _learned(layer: Layer) -> int:
    return layer.learned


def _attention_products(layer: Layer) -> int:
    """Scores q k^T, T x K x D_q, and their product with v, T x K x D."""
    tokens = prod(layer.out_shape[1:])
    queries = layer.in_features // 3 if carry.is_fused(layer) else layer.in_features
    return tokens * (layer.terms or tokens) * (queries + layer.out_features)


def _scores(layer: Layer) -> int:
    """Scores of all heads, h x T x K, which the softmax overwrites."""
    tokens = prod(layer.out_shape[1:])
    return layer.heads * tokens * (layer.terms or tokens)


@dataclass(frozen=True, slots=True)
class Operator:
    """How one kind of operator counts and places its features.

    carry: the input feature that each of the given output features comes from.
    reads: (F, R), the features of an operand that each of F given output features needs, where
    these are more, or others, than `carry` says.
    in_place: the output may take the memory of an operand that nobody reads later.
    statistics: scalars per position that each node sends when features are spread over nodes.
    reach: the rows of an operand that rows of the output are made of (graph/reach.py); None where
    they are not known. row_statistics: scalars per group of features that each node sends when
    rows, or the features of the group, are spread.
    scratch: elements that live inside the row alone where its steps are written out.
    reads_nothing: its operand only says where it stands, and need not be in memory for it.
    """

    placing: Placing
    weights: Callable[[Layer], int] = _none
    biases: Callable[[Layer], int] = _none
    macs: Callable[[Layer], int] = _none
    carry: Callable[[Layer, Ints], Ints] = lambda _, features: features
    reads: Callable[[Layer, int, Ints], Ints] | None = None
    in_place: bool = False
    statistics: int = 0
    reach: Reach | None = reach.same
    row_statistics: int = 0
    scratch: Callable[[Layer], int] = _none
    reads_nothing: bool = False


OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        "conv": Operator(
            "mixes", _kernel_weights, _bias, _per_output_position, reach=reach.windows
        ),
        "conv_transpose": Operator(
            "mixes", _kernel_weights, _bias, _per_input_position, reach=reach.transposed_windows
        ),
        "linear": Operator("mixes", _kernel_weights, _bias, _per_output_position),
        # q, k and v of a head lie together, and head h of the output is where its values are
        "attention": Operator(
            "carries",
            biases=_learned,
            macs=_attention_products,
            carry=carry.of_queries,
            reads=carry.head_reads,
            reach=reach.attention,
            scratch=_scores,
        ),
        "mix_positions": Operator("carries", biases=_learned, macs=_sums, reach=reach.everything),
        "head_matmul": Operator(
            "carries", macs=_sums, carry=carry.of_heads, reads=carry.whole_head_reads, reach=None
        ),
        "matmul": Operator("exchanges", biases=_learned, macs=_sums, reach=None),
        "exchange": Operator("exchanges", biases=_learned, reach=None),
        "opaque": Operator("exchanges", biases=_learned, reach=None),
        # LSTM, GRU, RNN: `terms` products a position of the input, all gates, directions
        "recurrent": Operator("exchanges", biases=_learned, macs=_per_position, reach=None),
        "deform_conv": Operator("exchanges", biases=_learned, macs=_sums, reach=None),
        # a further output of the row that it reads, made with it
        "side_output": Operator("looks-up", reach=None),
        "lookup": Operator("looks-up", biases=_learned),
        # a tensor that does not depend on what enters: it is read beside others
        "constant": Operator("looks-up", biases=_learned, reads_nothing=True),
        # a tensor of which only the shape is known, as in a table without edges
        "assume": Operator("looks-up"),
        "batch_norm": Operator("carries", biases=_scale_and_shift, in_place=True),
        "group_norm": Operator("carries", biases=_learned, in_place=True, row_statistics=2),
        "layer_norm": Operator("carries", biases=_scale_and_shift, in_place=True, statistics=2),
        "feature_norm": Operator("carries", biases=_learned, in_place=True, statistics=2),
        "l2_norm": Operator("carries", biases=_scale, in_place=True, statistics=1),
        "window_norm": Operator("carries", reads=carry.window_reads, in_place=True),
        "softmax": Operator("carries", in_place=True, statistics=2),
        "reduce": Operator("reduces", statistics=1),
        "activation": Operator("carries", in_place=True),
        "affine": Operator("carries", biases=_learned, in_place=True),
        "pool": Operator("carries", reach=reach.pooling),
        "upsample": Operator("carries", reach=reach.interpolation),
        # what each window reads, side by side (im2col), and the sum of such windows (col2im)
        "unfold": Operator("carries", carry=carry.unfolded, reach=reach.windows),
        "fold": Operator(
            "carries", carry=carry.folded, reads=carry.fold_reads, reach=reach.transposed_windows
        ),
        # positions that another operand chooses, as a grid or an index
        "sample": Operator("carries", reads=carry.sample_reads, reach=reach.sampled),
        "pad": Operator("carries", reach=reach.padding),
        "embed": Operator("carries", biases=_learned, reach=reach.tokens),
        "flatten": Operator(
            "carries", carry=carry.flattened, in_place=True, reach=reach.everything
        ),
        "shuffle": Operator("carries", carry=carry.shuffled),
        "slice": Operator("carries", carry=carry.sliced, in_place=True),
        "view": Operator(
            "carries", carry=carry.viewed, reads=carry.view_reads, reach=reach.shuffled
        ),
        "reshape": Operator("carries", in_place=True, reach=reach.rearranged),
        "add": Operator("aligns", reads=carry.broadcast_reads, in_place=True),
        "multiply": Operator("aligns", reads=carry.broadcast_reads, in_place=True),
        "stack": Operator("aligns", reads=carry.broadcast_reads),
        "concat": Operator("joins"),
        "gather": Operator("joins"),
    }
)
