"""The operator table: what each operator of ONNX becomes, for all front ends.

A handler says what the outputs of a node are, and writes rows where work is done.
"""

from collections.abc import Callable, Mapping
from math import prod
from types import MappingProxyType
from typing import Any

from discosim.graph.layer import Shape
from discosim.importers.lowering import joins, moves, norms
from discosim.importers.lowering.einsum import einstein
from discosim.importers.lowering.elementwise import POINTWISE, pointwise
from discosim.importers.lowering.exchange import exchange
from discosim.importers.lowering.layout import features, plain
from discosim.importers.lowering.products import linear, matmul, weight_label
from discosim.importers.lowering.program import Constant, Node
from discosim.importers.lowering.sequences import attention, recurrent
from discosim.importers.lowering.values import Function, View
from discosim.importers.lowering.writer import Writer

Handler = Callable[[Writer, Node], None]

NO_WEIGHT = "its weights depend on the input; costed as a full exchange"
OFFSETS = "its offsets lie on other nodes than its input; costed as a full exchange"

# fmt: off
HANDED_ON = (
    "Identity", "Dropout", "Cast", "CastLike", "QuantizeLinear", "DequantizeLinear",
    "DynamicQuantizeLinear", "Trilu",
)
RECURRENT = ("LSTM", "GRU", "RNN")
BY_DATA = (
    "TopK", "GatherElements", "GatherND", "ScatterND", "ScatterElements", "CumSum", "RoiAlign",
    "MaxRoiPool",
)
ALL_READ = (
    *POINTWISE, *HANDED_ON, *BY_DATA, *RECURRENT, "Concat", "DeformConv", "Einsum",
)
TWO_READ = ("MatMul", "Gemm", "Conv", "ConvTranspose", "Gather", "GridSample")
# fmt: on


def _convolve(writer: Writer, node: Node, op: str, weight_at: int = 1, bias_at: int = 2) -> None:
    weight = writer.constant(node, weight_at)
    shape = writer.shape(node)
    if weight is None:
        _convolve_computed(writer, node, op, writer.value(node.inputs[weight_at]).shape)
        return
    label = weight_label(node, weight)
    source, in_shape = writer.focus(writer.view(node.inputs[0]), 1, label)
    rank = len(shape) - 2
    groups = int(node.attributes.get("group", 1))
    if groups < 1 or len(weight.shape) != len(shape):
        raise writer.refuse(node, f"has weights {weight.shape} and {groups} groups")
    given = in_shape[0] if op == "conv_transpose" else in_shape[0] / groups
    fits = weight.shape[0] == shape[1] if op == "conv" else weight.shape[1] * groups == shape[1]
    at = 0 if op == "conv_transpose" else 1
    if shape[1] % groups or in_shape[0] % groups or weight.shape[at] != given or not fits:
        raise writer.refuse(
            node, f"has weights {weight.shape} that do not fit its input {in_shape}"
        )
    axes = plain(shape, 1)
    batch = shape[:1] if shape[0] > 1 else ()
    bias = bias_at < len(node.inputs) and bool(node.inputs[bias_at])
    out = writer.append(
        op,
        label,
        (source.tensor,),
        (shape[1], *batch, *shape[2:]),
        in_shapes=(in_shape,),
        kernel=weight.shape[2:],
        stride=tuple(node.attributes.get("strides") or (1,) * rank),
        groups=groups,
        bias=bias,
    )
    writer.has_weight(out, weight)
    writer.has_bias(out, writer.constant(node, bias_at) if bias else None)
    writer.give(node, View(out, axes))


def _convolve_computed(writer: Writer, node: Node, op: str, weight: Shape) -> None:
    """A convolution with weights that depend on the input: its MACs are known."""
    made = prod(writer.shape(node))
    macs = made * prod(weight[1:])
    if op == "conv_transpose":  # each input is multiplied with all weights of its channel
        macs = prod(writer.value(node.inputs[0]).shape) * prod(weight[1:])
    if macs % max(1, made):
        exchange(writer, node, NO_WEIGHT, op="opaque")
    else:
        exchange(writer, node, NO_WEIGHT, op="matmul", terms=macs // made)


def conv(writer: Writer, node: Node) -> None:
    """Any convolution: of one, two or three dimensions, grouped, depthwise, dilated."""
    _convolve(writer, node, "conv")


def conv_transpose(writer: Writer, node: Node) -> None:
    """A transposed convolution."""
    _convolve(writer, node, "conv_transpose")


def quantised_conv(writer: Writer, node: Node) -> None:
    """QLinearConv: input, scale, zero, weight, scale, zero, scale, zero, bias."""
    _convolve(writer, node, "conv", 3, 8)


def integer_conv(writer: Writer, node: Node) -> None:
    """ConvInteger: input, weight, zeros."""
    _convolve(writer, node, "conv", 1, 99)


def gemm(writer: Writer, node: Node) -> None:
    """A matrix of weights, with a bias."""
    weight = writer.constant(node, 1)
    view = writer.view(node.inputs[0])
    if node.attributes.get("transA"):
        view = View(view.tensor, view.axes[::-1], view.start)
    if weight is None or len(weight.shape) != 2:
        _gemm_computed(writer, node, view)
        return
    width = weight.shape[0] if node.attributes.get("transB") else weight.shape[1]
    bias = len(node.inputs) > 2 and bool(node.inputs[2])
    out = linear(writer, node, view, weight, -1, width, bias=bias)
    writer.has_bias(out.tensor, writer.constant(node, 2) if bias else None)
    writer.give(node, out)


def _gemm_computed(writer: Writer, node: Node, left: View) -> None:
    """A product of two tensors, with a bias that is learned."""
    right = writer.view(node.inputs[1])
    if node.attributes.get("transB"):
        right = View(right.tensor, right.axes[::-1], right.start)
    out = writer.written(matmul(writer, node, left, right, writer.shape(node)))
    bias = writer.constant(node, 2)
    learned = bias.parameters if bias else {}
    writer.give(node, writer.with_learned(out, learned, f"{node.label}.bias"))


def _multiply(writer: Writer, node: Node, at_left: int, at_right: int) -> None:
    first, second = (writer.value(node.inputs[at]) for at in (at_left, at_right))
    if isinstance(first, Constant) and isinstance(second, Constant):
        writer.give(node, Constant(writer.shape(node), {**first.parameters, **second.parameters}))
        return
    stacked = [isinstance(each, Constant) and prod(each.shape[:-2]) > 1 for each in (first, second)]
    if stacked[0] and isinstance(second, Function) and second.scales:
        second = second.base  # that it is multiplied by a number is part of the product
    if stacked[1] or (stacked[0] and not _by_heads(second)):
        _stacked_weights(writer, node, first)
        return
    left = first if stacked[0] else _without_batch(first)
    right = _without_batch(second)
    writer.give(node, matmul(writer, node, left, right, writer.shape(node)))


def _without_batch(value: Any) -> Any:
    """A constant without leading axes of one."""
    if isinstance(value, Constant) and len(value.shape) > 2:
        return Constant(value.shape[-2:], value.parameters)
    return value


def _by_heads(value: Any) -> bool:
    """Whether features lie on the axes before the last two, as of keys that are turned."""
    return isinstance(value, View) and any(features(atoms) for atoms in value.axes[:-2])


def _stacked_weights(writer: Writer, node: Node, first: Any) -> None:
    """A matrix of weights for each index of a batch, as of experts; `first` is the left factor."""
    reason = "a stack of weights; costed as a full exchange"
    exchange(writer, node, reason, op="matmul", terms=first.shape[-1])


def product(writer: Writer, node: Node) -> None:
    """MatMul, with weights or of two tensors."""
    _multiply(writer, node, 0, 1)


def quantised_product(writer: Writer, node: Node) -> None:
    """QLinearMatMul: a, scale, zero, b, scale, zero, scale, zero."""
    _multiply(writer, node, 0, 3)


def deform_conv(writer: Writer, node: Node) -> None:
    """A convolution at positions that offsets choose: input, weight, offset, bias, mask."""
    weight = writer.constant(node, 1)
    if weight is None:
        exchange(writer, node, NO_WEIGHT, op="opaque")
    else:
        terms = prod(weight.shape[1:])
        exchange(writer, node, f"{node.op}: {OFFSETS}", op="deform_conv", terms=terms)


def lookup(writer: Writer, node: Node) -> None:
    """Rows of a constant table, chosen by an input: each node looks its own features up."""
    table = writer.constant(node, 0)
    assert table is not None
    shape = writer.shape(node)
    index = writer.view(node.inputs[1])
    learned = sum(table.parameters.values())
    axes = plain(shape, len(shape) - 1)
    view = writer.row("lookup", node.label, (index.tensor,), axes, learned=learned)
    writer.reads(view.tensor, table.parameters)
    writer.give(node, view)


def one_hot(writer: Writer, node: Node) -> None:
    """1 at the index, 0 elsewhere, which no table has to hold."""
    shape = writer.shape(node)
    axis = int(node.attributes.get("axis", -1)) % len(shape)
    index = writer.view(node.inputs[0])
    at = writer.features_at(node.outputs[0], axis)
    writer.give(node, writer.row("lookup", node.label, (index.tensor,), plain(shape, at)))


def gather(writer: Writer, node: Node) -> None:
    """Rows of a table, or a selection of positions or features."""
    if writer.constant(node, 0) is not None:
        lookup(writer, node)
    else:
        moves.gather(writer, node)


def same(writer: Writer, node: Node) -> None:
    """Hand the first operand on: its numbers change, no placement and no work."""
    computed = [n for n in node.inputs if n and not isinstance(writer.value(n), Constant)]
    if len(computed) > 1 and len(node.outputs) == 1:  # as a scale that is computed
        pointwise(writer, node)
        return
    for output, name in enumerate(node.outputs):
        if name and output == 0:
            writer.give(node, writer.value(node.inputs[0]))
        elif name:
            writer.give(node, Constant(writer.shape(node, output)), output)


def control_flow(writer: Writer, node: Node) -> None:
    """Refuse what runs an unknown number of times."""
    raise writer.refuse(node, "is control flow, whose work is not known before it runs")


def data_shaped(writer: Writer, node: Node) -> None:
    """Refuse what makes a shape that depends on data."""
    raise writer.refuse(node, "makes a shape that depends on the data")


def select(writer: Writer, node: Node) -> None:
    """Positions chosen by what the tensor holds; or a known operator with no known placement."""
    exchange(writer, node, f"{node.op} chooses by data; costed as a full exchange")


TABLE: Mapping[str, Handler] = MappingProxyType(
    {
        "Conv": conv,
        "ConvInteger": integer_conv,
        "QLinearConv": quantised_conv,
        "ConvTranspose": conv_transpose,
        "Gemm": gemm,
        "MatMul": product,
        "MatMulInteger": product,
        "QLinearMatMul": quantised_product,
        "Einsum": einstein,
        "DeformConv": deform_conv,
        **dict.fromkeys(RECURRENT, recurrent),
        "Attention": attention,
        "Gather": gather,
        "OneHot": one_hot,
        **dict.fromkeys(HANDED_ON, same),
        **dict.fromkeys(("If", "Loop", "Scan"), control_flow),
        **dict.fromkeys(("NonMaxSuppression", "NonZero", "Unique", "Compress"), data_shaped),
        **dict.fromkeys(BY_DATA, select),
        **dict.fromkeys(POINTWISE, pointwise),
        **moves.TABLE,
        **joins.TABLE,
        **norms.TABLE,
    }
)

COMPUTED: Mapping[str, int] = MappingProxyType(
    {
        **dict.fromkeys(ALL_READ, 1 << 30),
        **dict.fromkeys(TWO_READ, 2),
        "MatMulInteger": 2,
        "ConvInteger": 2,
        "QLinearMatMul": 4,
        "QLinearConv": 4,
        "Attention": 4,
    }
)
"""How many of its first operands an operator's handler reads where they are computed: one, if not
here. Where a later one is, it is costed as an exchange of all."""
