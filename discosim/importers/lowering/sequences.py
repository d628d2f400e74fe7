"""Operators on sequences that are one in a file: attention, and recurrent layers."""

from dataclasses import replace
from math import prod

from discosim.errors import some_of
from discosim.graph.layer import Shape
from discosim.importers.lowering import moves, norms
from discosim.importers.lowering.einsum import NO_FORM
from discosim.importers.lowering.elementwise import pointwise
from discosim.importers.lowering.exchange import exchange
from discosim.importers.lowering.layout import Axes, merged, network_shape
from discosim.importers.lowering.products import matmul, placed
from discosim.importers.lowering.program import Constant, Node
from discosim.importers.lowering.values import Scores, Value, View
from discosim.importers.lowering.writer import Writer

STEPS = "each step needs all of the one before; costed as one full exchange of its input"


def attention(writer: Writer, node: Node) -> None:
    """Attention in one operator: queries, keys and values, by heads or to be split into heads."""
    heads, key_heads = (int(node.attributes.get(f"{of}_num_heads") or 1) for of in ("q", "kv"))
    learned = writer.constant(node, 0)
    found = [_by_heads(writer, name, key_heads) for name in node.inputs[1:3]]
    if learned is None:
        found.append(_by_heads(writer, node.inputs[0], heads))
    elif found[0] is not None:
        found.append(placed(writer, node, _constant_by_heads(learned, heads), found[0]))
    if None in found:
        exchange(writer, node, f"{node.op}: {NO_FORM}", op="opaque")
        return
    keys, values, queries = (view for view in found if view is not None)
    rank = len(keys.axes)
    order = (*range(rank - 2), rank - 1, rank - 2)
    turned = View(keys.tensor, tuple(keys.axes[axis] for axis in order), keys.start)
    shape = (*queries.shape[:-1], keys.shape[-2])
    scores = matmul(writer, node, queries, turned, shape)
    if len(node.inputs) > 3 and node.inputs[3]:
        scores = _masked(writer, node, scores, shape)
    out_shape = (*queries.shape[:-1], values.shape[-1])
    out = writer.written(matmul(writer, node, scores, values, out_shape))
    if len(writer.shape(node)) == 3:
        turned_back = View(out.tensor, tuple(out.axes[a] for a in (0, 2, 1, 3)), out.start)
        joined = moves.read_as(writer, turned_back, writer.shape(node))
        if joined is None:
            exchange(writer, node, f"{node.op}: {NO_FORM}", op="opaque")
            return
        out = joined
    writer.give(node, out)


def _by_heads(writer: Writer, name: str, heads: int) -> View | None:
    """An operand of attention with an axis of heads, or None where it cannot be read so."""
    view = writer.view(name)
    if len(view.axes) != 3:
        return view
    split = moves.read_as(writer, view, (*view.shape[:2], heads, view.shape[2] // heads))
    if split is None:
        return None
    return View(split.tensor, tuple(split.axes[a] for a in (0, 2, 1, 3)), split.start)


def _constant_by_heads(value: Constant, heads: int) -> Constant:
    if len(value.shape) != 3:
        return value
    batch, tokens, features = value.shape
    return Constant((batch, heads, tokens, features // heads), value.parameters)


def _masked(writer: Writer, node: Node, scores: Value, shape: Shape) -> Value:
    """The scores with what is added to them, learned or computed."""
    bare, masked = f"{node.outputs[0]}~scores", f"{node.outputs[0]}~masked"
    writer.values[bare] = scores
    writer.shapes[bare] = writer.shapes[masked] = shape
    pointwise(writer, Node("Add", (bare, node.inputs[3]), (masked,), {}, f"{node.label}.mask"))
    value = writer.value(masked)
    if isinstance(value, Scores):
        return value
    weights = f"{node.outputs[0]}~weights"
    writer.shapes[weights] = shape
    norms.softmax(writer, Node("Softmax", (masked,), (weights,), {}, f"{node.label}.softmax"))
    return writer.value(weights)


def recurrent(writer: Writer, node: Node) -> None:
    """LSTM, GRU and RNN: every step multiplies the input and the state with all weights.

    T x directions x gates x H (I + H) products; element by element operations count none.
    """
    node = _without_zero_states(writer, node)
    matrices = node.attributes.get("matrices", (1, 2))
    products = sum(prod(writer.shapes[node.inputs[at]]) for at in matrices)
    view = writer.view(node.inputs[0])
    source, in_shape = writer.focus(view, len(view.axes) - 1, node.label)
    beside = [
        writer.settle(writer.view(name), node.label)
        for name in node.inputs[1:]
        if name and not isinstance(writer.value(name), Constant)
    ]
    operands = [source, *(view for view in beside if view.tensor != source.tensor)]
    in_shapes = [in_shape, *(network_shape(view.axes) for view in operands[1:])]
    over = 2 if node.attributes.get("layout") else 1
    axes = {name: _states(writer.shapes[name], over) for name in node.outputs if name}
    exchange(
        writer,
        node,
        f"{node.op}: {STEPS}",
        op="recurrent",
        terms=products,
        operands=operands,
        in_shapes=in_shapes,
        axes=axes,
    )


def _without_zero_states(writer: Writer, node: Node) -> Node:
    """The node without states of zeros, which is what it begins with where none are given."""
    if "matrices" in node.attributes:  # torch makes its zeros, and holds none
        return node
    zero = [at for at in (5, 6) if (state := writer.constant(node, at)) and state.is_zero]
    if zero:
        named = some_of(list(dict.fromkeys(node.inputs[at] for at in zero)))
        writer.notes.append(f"initial states of zeros are no parameters: {named}")
    return replace(
        node, inputs=tuple("" if at in zero else name for at, name in enumerate(node.inputs))
    )


def _states(shape: Shape, over: int) -> Axes:
    """States of all directions are features: the last axis, and axis `over` where there are four.

    (steps, directions, batch, H), or (batch, steps, directions, H).
    """
    width = shape[-1]
    return tuple(
        merged(((size, 1),))
        if at == len(shape) - 1
        else merged(((size, width if at == over and len(shape) == 4 else 0),))
        for at, size in enumerate(shape)
    )
