"""The operator table: what each operator of ONNX becomes, for all front ends.

A handler says what the outputs of a node are, and writes rows where work is done.
"""

from collections.abc import Callable, Mapping
from math import prod
from types import MappingProxyType
from typing import Any

from discosim.importers.lowering import joins, moves, norms
from discosim.importers.lowering.elementwise import POINTWISE, pointwise
from discosim.importers.lowering.layout import plain
from discosim.importers.lowering.products import einsum, linear, matmul, placed, weight_label
from discosim.importers.lowering.program import Constant, Node
from discosim.importers.lowering.values import View
from discosim.importers.lowering.writer import Writer

Handler = Callable[[Writer, Node], None]

NO_WEIGHT = "its weights depend on the input; costed as a full exchange"
NO_FORM = "not one of the products that are known; costed as a full exchange"

# fmt: off
HANDED_ON = (
    "Identity", "Dropout", "Cast", "CastLike", "QuantizeLinear", "DequantizeLinear",
    "DynamicQuantizeLinear", "Trilu",
)
BY_DATA = (
    "TopK", "GatherElements", "GatherND", "ScatterND", "ScatterElements", "CumSum", "RoiAlign",
    "MaxRoiPool",
)
# fmt: on


def _convolve(writer: Writer, node: Node, op: str, weight_at: int = 1, bias_at: int = 2) -> None:
    weight = writer.constant(node, weight_at)
    shape = writer.shape(node)
    if weight is None:
        writer.exchange(node, NO_WEIGHT)
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
    if weight is None or len(weight.shape) != 2:
        writer.exchange(node, NO_WEIGHT)
        return
    view = writer.view(node.inputs[0])
    if node.attributes.get("transA"):
        view = View(view.tensor, view.axes[::-1], view.start)
    width = weight.shape[0] if node.attributes.get("transB") else weight.shape[1]
    bias = len(node.inputs) > 2 and bool(node.inputs[2])
    out = linear(writer, node, view, weight, -1, width, bias=bias)
    writer.has_bias(out.tensor, writer.constant(node, 2) if bias else None)
    writer.give(node, out)


def _multiply(writer: Writer, node: Node, at_left: int, at_right: int) -> None:
    first, second = (writer.value(node.inputs[at]) for at in (at_left, at_right))
    if isinstance(first, Constant) and isinstance(second, Constant):
        writer.give(node, Constant(writer.shape(node), {**first.parameters, **second.parameters}))
        return
    for value in (first, second):
        stacked = isinstance(value, Constant) and prod(value.shape[:-2]) > 1
        if stacked and len(value.shape) > 2:
            _stacked_weights(writer, node, second if value is first else first)
            return
    left, right = _without_batch(first), _without_batch(second)
    writer.give(node, matmul(writer, node, left, right, writer.shape(node)))


def _without_batch(value: Any) -> Any:
    """A constant without leading axes of one."""
    if isinstance(value, Constant) and len(value.shape) > 2:
        return Constant(value.shape[-2:], value.parameters)
    return value


def _stacked_weights(writer: Writer, node: Node, value: Any) -> None:
    """A matrix of weights for each index of a batch, as of experts."""
    writer.exchange(node, "a stack of weights; costed as a full exchange")
    name = writer.view(node.outputs[0]).tensor
    writer.net.amend(name, op="matmul", terms=value.shape[-1])


def product(writer: Writer, node: Node) -> None:
    """MatMul, with weights or of two tensors."""
    _multiply(writer, node, 0, 1)


def quantised_product(writer: Writer, node: Node) -> None:
    """QLinearMatMul: a, scale, zero, b, scale, zero, scale, zero."""
    _multiply(writer, node, 0, 3)


def einstein(writer: Writer, node: Node) -> None:
    """Einsum, where it is one of the products above."""
    values = [writer.value(name) for name in node.inputs]
    if len(values) == 2:
        equation = str(node.attributes.get("equation", ""))
        found = einsum(writer, node, equation, values[0], values[1])
        if found is not None:
            writer.give(node, found)
            return
    writer.exchange(node, NO_FORM)


def attention(writer: Writer, node: Node) -> None:
    """Attention in one operator: queries, keys and values, by heads or to be split into heads."""
    views: list[View] = []
    learned_queries = writer.constant(node, 0)
    for operand, kind in zip(node.inputs[:3], ("q_num_heads", *("kv_num_heads",) * 2), strict=True):
        view = writer.view(operand)
        heads = int(node.attributes.get(kind) or 0)
        if len(view.axes) == 3:
            split = moves.read_as(
                writer, view, (*view.shape[:2], heads, view.shape[2] // max(1, heads))
            )
            if split is None:
                writer.exchange(node, NO_FORM)
                return
            view = View(split.tensor, tuple(split.axes[a] for a in (0, 2, 1, 3)), split.start)
        views.append(view)
    queries, keys, values = views
    if learned_queries is not None and len(learned_queries.shape) == len(keys.axes):
        queries = placed(writer, node, learned_queries, keys)
    rank = len(keys.axes)
    order = (*range(rank - 2), rank - 1, rank - 2)
    turned = View(keys.tensor, tuple(keys.axes[axis] for axis in order), keys.start)
    shape = (*queries.shape[:-1], keys.shape[-2])
    scores = matmul(writer, node, queries, turned, shape)
    out_shape = (*queries.shape[:-1], values.shape[-1])
    out = writer.written(matmul(writer, node, scores, values, out_shape))
    if len(writer.shape(node)) == 3:
        turned_back = View(out.tensor, tuple(out.axes[a] for a in (0, 2, 1, 3)), out.start)
        joined = moves.read_as(writer, turned_back, writer.shape(node))
        if joined is None:
            writer.exchange(node, NO_FORM)
            return
        out = joined
    writer.give(node, out)


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


def gather(writer: Writer, node: Node) -> None:
    """Rows of a table, or a selection of positions or features."""
    data, index = (writer.value(name) for name in node.inputs[:2])
    if isinstance(data, Constant) and isinstance(index, Constant):
        writer.give(node, Constant(writer.shape(node), data.parameters))
    elif isinstance(data, Constant):
        lookup(writer, node)
    else:
        moves.gather(writer, node)


def same(writer: Writer, node: Node) -> None:
    """Hand the first operand on: its numbers change, no placement and no work."""
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
    writer.exchange(node, f"{node.op} chooses by data; costed as a full exchange")


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
        "Attention": attention,
        "Gather": gather,
        **dict.fromkeys(HANDED_ON, same),
        **dict.fromkeys(("If", "Loop", "Scan", "SequenceMap"), control_flow),
        **dict.fromkeys(("NonMaxSuppression", "NonZero", "Unique", "Compress"), data_shaped),
        **dict.fromkeys(BY_DATA, select),
        **dict.fromkeys(POINTWISE, pointwise),
        **moves.TABLE,
        **joins.TABLE,
        **norms.TABLE,
    }
)
