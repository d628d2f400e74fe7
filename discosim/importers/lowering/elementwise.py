"""Operators that work element by element: on one tensor and constants, or on several tensors."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from discosim.graph.layer import POINTWISE as ELEMENT_BY_ELEMENT
from discosim.importers.lowering.exchange import exchange
from discosim.importers.lowering.layout import Axes, features, merged, network_shape, positions
from discosim.importers.lowering.program import Constant, Node
from discosim.importers.lowering.values import Function, ReducedValue, Scores, Value, View
from discosim.importers.lowering.writer import Writer

# fmt: off
POINTWISE = (
    "Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BitShift",
    "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Ceil", "Celu", "Clip", "Cos", "Cosh",
    "Div", "Elu", "Equal", "Erf", "Exp", "Floor", "Gelu", "Greater", "GreaterOrEqual",
    "HardSigmoid", "HardSwish", "IsInf", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max",
    "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "QLinearAdd",
    "QLinearMul", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin",
    "Sinh", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Swish", "Tan", "Tanh",
    "ThresholdedRelu", "Where", "Xor", "Pointwise",
)
# fmt: on
PRODUCTS = ("Mul", "Div", "QLinearMul", "And")
SCALINGS = ("Mul", "Div")
MIXING = ("conv", "conv_transpose", "linear")
QUANTISED = {"QLinearAdd": (0, 3), "QLinearMul": (0, 3)}
APART = "its operands have their features on different axes; costed as a full exchange"


def function_of(writer: Writer, node: Node, value: Value) -> Function:
    """Return a value as a function of a view, if only the view itself."""
    if isinstance(value, Function):
        return value
    return Function(writer.written(value), node.label, writer.now, applied=False, scales=True)


def pointwise(writer: Writer, node: Node) -> None:
    """Give the function, the row, or the attention scores that come out."""
    operands = node.inputs
    if node.op in QUANTISED:
        operands = tuple(node.inputs[at] for at in QUANTISED[node.op])
    values = [writer.value(name) for name in operands if name]
    learned = {
        name: count
        for value in values
        if isinstance(value, Constant)
        for name, count in value.parameters.items()
    }
    moving = [value for value in values if not isinstance(value, Constant)]
    scores = [value for value in moving if isinstance(value, Scores)]
    if len(scores) == 1 and all(v is scores[0] or _is_mask(writer, v) for v in moving):
        writer.give(node, _biased(writer, node, scores[0], values))
        return
    if len(moving) == 1 and _folds_bias(writer, node, operands, moving[0]):
        writer.give(node, moving[0])
        return
    if len(moving) == 1 and isinstance(moving[0], ReducedValue) and not learned:
        writer.give(node, moving[0])  # of no account beside what it was reduced from
        return
    if any(not isinstance(value, ReducedValue) for value in moving):
        numbers = all(prod(v.shape) == 1 for v in values if isinstance(v, Constant))
        scales = numbers and node.op in SCALINGS
        together = _of_one(node, writer.now, moving, learned, scales=scales)
        if together is not None and together.shape == writer.shape(node):
            writer.give(node, together)
            return
    row = _aligned(writer, node, [writer.written(value) for value in moving], learned)
    if row is not None:
        writer.give(node, row)
    else:
        exchange(writer, node, APART, function=ELEMENT_BY_ELEMENT)


def _is_mask(writer: Writer, value: Value) -> bool:
    """Whether a value follows from the network's input alone, so that every node has it."""
    while isinstance(value, ReducedValue):
        value = value.of
    if isinstance(value, Scores):
        return False
    base = value.base if isinstance(value, Function) else value
    return isinstance(base, View) and writer.is_replicated(base.tensor)


def _biased(writer: Writer, node: Node, scores: Scores, values: list[Value]) -> Scores:
    """The scores with what is learned and added to them, and masks that are computed."""
    learned = dict(scores.learned)
    masks = {view.tensor: view for view in scores.masks}
    for value in values:
        if isinstance(value, Constant):
            learned.update(value.parameters)
        elif value is not scores:
            view = writer.settle(writer.written(value), node.label)
            masks[view.tensor] = view
    shape = writer.shape(node)
    return replace(scores, shape=shape, learned=learned, masks=tuple(masks.values()))


def _folds_bias(writer: Writer, node: Node, operands: tuple[str, ...], value: Value) -> bool:
    """Whether a constant is the bias of the layer before, which is then told."""
    if node.op != "Add" or not isinstance(value, View) or not writer.covers(value):
        return False
    names = [name for name in operands if not isinstance(writer.value(name), Constant)]
    constants = [v for v in map(writer.value, operands) if isinstance(v, Constant)]
    if not constants or writer.uses[names[0]] > 1 or writer.is_input(value.tensor):
        return False
    constant = constants[0]
    if not constant.parameters:
        return False
    layer = writer.net.layer(value.tensor)
    if layer.op not in MIXING or layer.bias or prod(constant.shape) != layer.out_features:
        return False
    shape = (1,) * (len(value.axes) - len(constant.shape)) + constant.shape
    at = [axis for axis, size in enumerate(shape) if size > 1]
    if len(at) == 1 and value.axes[at[0]] != merged(((layer.out_features, 1),)):
        return False
    writer.net.amend(value.tensor, bias=True)
    writer.has_bias(value.tensor, constant)
    return True


def _of_one(
    node: Node, now: int, values: Sequence[Value], learned: dict[str, int], *, scales: bool
) -> Function | None:
    """One function of one view, where all values are functions of it or statistics of those."""
    base: View | None = None
    statistics = 0
    scales = scales and len(values) == 1
    found = dict(learned)
    for value in values:
        inner: Function | View
        if isinstance(value, ReducedValue) and value.keeps:
            inner = value.of
            statistics += any(features(inner.base.axes[axis]) for axis in value.over)
        elif isinstance(value, (Function, View)):
            inner = value
        else:
            return None
        if isinstance(inner, Function):
            found.update(inner.learned)
            statistics = max(statistics, inner.statistics)
            scales = scales and inner.scales
            inner = inner.base
        if base is not None and not _alike(base, inner):
            return None
        base = inner
    if base is None:
        return None
    return Function(base, node.label, now, found, statistics, scales=scales)


def _alike(one: View, other: View) -> bool:
    return (one.tensor, one.start, one.axes) == (other.tensor, other.start, other.axes)


def _aligned(writer: Writer, node: Node, views: list[View], learned: dict[str, int]) -> View | None:
    """Write a row of several tensors whose features lie alike, or are the same for all."""
    shape = writer.shape(node)
    views = [_ranked(writer.settle(view, node.label), len(shape)) for view in views]
    main = max(views, key=lambda v: (not writer.is_replicated(v.tensor), prod(v.shape)))
    axes: list[tuple[tuple[int, int], ...]] = []
    for axis, size in enumerate(shape):
        fits = main.shape[axis] == size
        axes.append(main.axes[axis] if fits else merged(((size, 0),)))
    for view in views:
        placed = view is not main and not writer.is_replicated(view.tensor)
        if placed and not _fits(view.axes, tuple(axes)):
            return None
    ordered = [main, *(view for view in views if view is not main)]
    op = "multiply" if node.op in PRODUCTS else "add"
    tensors = [view.tensor for view in ordered]
    in_shapes = [network_shape(view.axes) for view in ordered]
    if learned:
        op_name = f"{node.label}.affine"
        row = writer.row(op, node.label, tensors, tuple(axes), in_shapes=in_shapes)
        return writer.written(Function(row, op_name, writer.now, learned))
    if len(ordered) == 1:
        return writer.row("upsample", node.label, tensors, tuple(axes), in_shapes=in_shapes)
    return writer.row(op, node.label, tensors, tuple(axes), in_shapes=in_shapes)


def _ranked(view: View, rank: int) -> View:
    return View(view.tensor, ((),) * (rank - len(view.axes)) + view.axes, view.start)


def _fits(axes: Axes, main: Axes) -> bool:
    """Whether features lie on the same axes, or are the same for all of the inner ones."""
    missing = False
    for here, there in zip(axes, main, strict=True):
        count = [size for size, _ in features(here)]
        if not features(there) and not count:
            continue
        if not here:
            missing = True
        else:
            alike = count == [size for size, _ in features(there)]
            if missing or not alike or positions(here) not in (1, positions(there)):
                return False
    return True
