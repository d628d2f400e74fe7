"""Products: linear layers, attention recognised by its heads, and what is neither."""

from math import prod

from discosim.graph.layer import Shape
from discosim.graph.network import INPUT
from discosim.importers.lowering.layout import (
    Axes,
    Axis,
    features,
    merged,
    network_shape,
    plain,
    positions,
    renumbered,
    transposed,
)
from discosim.importers.lowering.program import Constant, Node, base_of
from discosim.importers.lowering.values import Function, Scores, Value, View
from discosim.importers.lowering.writer import Writer

NO_HEADS = "its placement cannot be derived: no heads that lie apart; costed as a full exchange"


def weight_label(node: Node, weight: Constant) -> str:
    """Return a layer's name: that of its weight, as torch calls both, or the node's own."""
    for parameter in weight.parameters:
        stem, dot, last = base_of(parameter).rpartition(".")
        if dot and last == "weight":
            return stem
    return node.label


def linear(
    writer: Writer, node: Node, view: View, weight: Constant, axis: int, width: int, *, bias: bool
) -> View:
    """Write a matrix of weights over what lies on `axis`, which then has `width` features."""
    label = weight_label(node, weight)
    if len(weight.shape) == 2 and prod(weight.shape) != view.shape[axis] * width:
        raise writer.refuse(node, f"has weights {weight.shape} that do not fit {view.shape}")
    axis %= len(view.axes)
    shape = (*view.shape[:axis], width, *view.shape[axis + 1 :])
    here, elsewhere = features(view.axes[axis]), features(_others(view.axes, axis))
    if elsewhere and not here and not writer.is_input(view.tensor):  # positions mix
        base = writer.settle(view, label)
        axes = tuple(
            ((width, 0),) if number == axis else atoms for number, atoms in enumerate(base.axes)
        )
        learned, terms = prod(weight.shape) + bias * width, view.shape[axis]
        row = writer.row("mix_positions", label, (base.tensor,), axes, learned=learned, terms=terms)
        writer.reads(row.tensor, weight.parameters if len(weight.parameters) == 1 else {})
        return row
    source, in_shape = writer.focus(view, axis, label)
    axes = plain(shape, axis)
    out = writer.append(
        "linear",
        label,
        (source.tensor,),
        network_shape(axes, axis),
        in_shapes=(in_shape,),
        bias=bias,
    )
    writer.has_weight(out, weight)
    return View(out, axes)


def _others(axes: Axes, axis: int) -> Axis:
    return tuple(atom for number, atoms in enumerate(axes) if number != axis for atom in atoms)


def matmul(writer: Writer, node: Node, left: Value, right: Value, shape: Shape) -> Value:
    """Return the product over the last axis of `left` and the last but one of `right`."""
    if isinstance(right, Constant) and len(right.shape) <= 2:
        width = right.shape[-1] if len(right.shape) == 2 else 1
        view = writer.written(left)
        out = linear(writer, node, view, right, -1, width, bias=False)
        return out if len(right.shape) == 2 else View(out.tensor, out.axes[:-1])
    if isinstance(left, Constant) and len(left.shape) <= 2 and not isinstance(right, Constant):
        axis = max(len(right.shape) - 2, 0)  # of a vector, its only one
        width = left.shape[0] if len(left.shape) == 2 else 1
        out = linear(writer, node, writer.written(right), left, axis, width, bias=False)
        if len(left.shape) == 2:
            return out
        return View(out.tensor, (*out.axes[:axis], *out.axes[axis + 1 :]))
    if isinstance(left, Scores) and not isinstance(right, Constant):
        attended = _attention(writer, left, writer.written(right))
        if attended is not None:
            return attended
    if isinstance(left, Constant) and isinstance(right, View):
        turned = View(right.tensor, _turned(right.axes), right.start)
        left = placed(writer, node, left, turned)
    first, second = (_unscaled(writer, value) for value in (left, right))
    if len(first.axes) < 2 or len(second.axes) < 2:
        return _product(writer, node.label, first, second, shape)
    if _over_features(first, second):
        return Scores(first, second, node.label, writer.now, shape)
    return _product(writer, node.label, first, second, shape)


def placed(writer: Writer, node: Node, value: Constant, like: View) -> View:
    """Learned queries, head by head on the nodes where their keys lie."""
    rank = len(value.shape)
    heads = {n for n, atoms in enumerate(like.axes[:-2]) if features(atoms)}
    axes = tuple(
        merged(((size, int(n in heads or n == rank - 1)),)) for n, size in enumerate(value.shape)
    )
    label = f"{node.label}.queries"
    learned = sum(value.parameters.values())
    row = writer.row(
        "constant", label, (INPUT,), renumbered(axes), in_shapes=((1,),), learned=learned
    )
    writer.reads(row.tensor, value.parameters)
    return row


def _unscaled(writer: Writer, value: Value) -> View:
    """The view of a factor; that it is multiplied by a number is part of the product."""
    if isinstance(value, Function) and value.scales:
        return value.base
    return writer.written(value)


def _heads(view: View) -> int:
    """How many features lie on the axes before the last two."""
    return prod(size for atoms in view.axes[:-2] for size, _ in features(atoms))


def _over_features(queries: View, keys: View) -> bool:
    """Whether a product is over features, head by head."""
    apart = positions(queries.axes[-1]) == positions(keys.axes[-2]) == 1
    across = not (features(queries.axes[-2]) or features(keys.axes[-1]))
    return apart and across and _heads(queries) % _heads(keys) == 0


def _attention(writer: Writer, scores: Scores, values: View) -> View | None:
    """Write attention, or return None where the values do not lie by heads as the queries do."""
    queries, keys = scores.queries, scores.keys
    heads = _heads(queries)
    fits = len(values.axes) >= 2 and positions(values.axes[-1]) == 1
    if not fits or features(values.axes[-2]) or heads % _heads(values):
        return None
    if any(writer.is_input(view.tensor) for view in (queries, keys, values)):
        return None
    label = scores.label
    for view in (queries, keys, values):
        keep_heads_whole(writer, view)
    operands, in_shapes = _operands(writer, label, queries, keys, values)
    if scores.masks:
        in_shapes = in_shapes or [writer.net.shape(operands[0])]
        operands += [mask.tensor for mask in scores.masks]
        in_shapes += [network_shape(mask.axes) for mask in scores.masks]
    width = values.shape[-1]
    batch = tuple(
        tuple((size, stride * width) for size, stride in atoms) if features(atoms) else atoms
        for atoms in renumbered(queries.axes[:-2])
    )
    axes = (*batch, queries.axes[-2], merged(((width, 1),)))
    shape = network_shape(axes)
    looked_at = values.shape[-2]
    terms = 0 if looked_at == prod(shape[1:]) else looked_at
    learned = sum(scores.learned.values())
    fields = {"heads": heads, "terms": terms, "learned": learned}
    row = writer.row("attention", label, operands, axes, in_shapes=in_shapes, **fields)
    writer.reads(row.tensor, scores.learned)
    return row


def _unrepeated(writer: Writer, view: View) -> View:
    """The view without the repetition of each head for several of the queries."""
    batch = tuple(features(atoms) or atoms for atoms in view.axes[:-2])
    once = View(view.tensor, (*batch, *view.axes[-2:]), view.start)
    return once if writer.covers(once) else view


def _operands(
    writer: Writer, label: str, queries: View, keys: View, values: View
) -> tuple[list[str], list[Shape] | None]:
    """One tensor in which q, k and v lie side by side, or the three."""
    keys = View(keys.tensor, _turned(keys.axes), keys.start)
    views = (queries, _unrepeated(writer, keys), _unrepeated(writer, values))
    tensors = {view.tensor for view in views}
    count = writer.net.shape(queries.tensor)[0]
    side_by_side = [view.start * 3 for view in views] == [0, count, 2 * count]
    if len(tensors) == 1 and side_by_side and all(_ordered(view, count // 3) for view in views):
        return [queries.tensor], None
    settled = [writer.settle(view, label) for view in views]
    return [view.tensor for view in settled], [network_shape(view.axes) for view in settled]


def _turned(axes: Axes) -> Axes:
    rank = len(axes)
    return transposed(axes, (*range(rank - 2), rank - 1, rank - 2))


def _ordered(view: View, count: int) -> bool:
    """Whether a view goes through `count` features one after the other."""
    atoms = tuple(atom for axis in view.axes for atom in features(axis))
    return merged(atoms) == merged(((count, 1),))


def keep_heads_whole(writer: Writer, view: View) -> None:
    """Tell the layers that a view comes from to keep its heads whole on a node."""
    atoms = [atom for axis in view.axes[:-2] for atom in features(axis)]
    if len(atoms) != 1 or writer.is_input(view.tensor):
        return
    [(heads, stride)] = atoms
    todo, seen = [(view.tensor, stride)], set(writer.inputs)
    while todo:
        tensor, stride = todo.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        layer = writer.net.layer(tensor)
        if layer.op in ("linear", "conv") and layer.groups == 1:
            if layer.heads == 1 and layer.out_features % (stride * heads) == 0:
                parts = layer.out_features // (stride * heads)
                writer.net.amend(tensor, heads=heads, parts=parts)
        elif layer.op == "view":
            before = _stride_before(layer.view, heads, stride)
            todo += [(writer.net.operands(tensor)[0], before)] * bool(before)
        elif layer.operator.placing in ("carries", "aligns", "joins") and layer.op != "view":
            todo += [(operand, stride) for operand in writer.net.operands(tensor)]


def _stride_before(view: Axis, heads: int, stride: int) -> int:
    """How far apart heads lie in what a view is of, 0 where they are not what it goes over."""
    if not view:
        return 0
    (count, step), *inner = view
    within = prod(size for size, _ in inner)
    if stride % within or count * within != heads * stride:
        return 0
    return stride // within * step


def write_scores(writer: Writer, scores: Scores) -> View:
    """Write products of queries and keys that no values are multiplied with."""
    view = _product(writer, scores.label, scores.queries, scores.keys, scores.shape)
    if scores.masks:
        tensors = [view.tensor, *(mask.tensor for mask in scores.masks)]
        in_shapes = [network_shape(each.axes) for each in (view, *scores.masks)]
        label = f"{scores.label}.mask"
        view = writer.row("add", label, tensors, view.axes, in_shapes=in_shapes)
    return writer.with_learned(view, scores.learned, f"{scores.label}.bias")


def _product(writer: Writer, label: str, left: View, right: View, shape: Shape) -> View:
    """Write a product of two tensors: head by head where heads lie apart, or a full exchange."""
    left, right = writer.settle(left, label), writer.settle(right, label)
    terms = left.shape[-1]
    operands = (left.tensor, right.tensor)
    in_shapes = (network_shape(left.axes), network_shape(right.axes))
    heads = _heads(left) if len(left.axes) > 2 and len(right.axes) > 2 else 1
    if heads > 1 and heads == _heads(right) and len(shape) == len(left.axes) == len(right.axes):
        for view in (left, right):
            keep_heads_whole(writer, view)
        marked = (*left.axes[:-2], left.axes[-2], right.axes[-1])
        axes = renumbered(marked)
        fields = {"heads": heads, "terms": terms}
        return writer.row("head_matmul", label, operands, axes, in_shapes=in_shapes, **fields)
    axes = plain(shape, len(shape) - 1 if shape else None)
    fields = {"terms": terms}
    view = writer.row("matmul", label, operands, axes, in_shapes=in_shapes, **fields)
    if not all(writer.is_input(operand) for operand in operands):
        writer.remarks[view.tensor] = NO_HEADS
    return view
