"""Norms, pooling, reductions and interpolation: operators that keep features in their places."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from discosim.graph.layer import Shape
from discosim.importers.lowering.elementwise import function_of
from discosim.importers.lowering.exchange import exchange
from discosim.importers.lowering.layout import features, network_shape, plain
from discosim.importers.lowering.program import Constant, Node
from discosim.importers.lowering.values import Function, ReducedValue, Scores, View
from discosim.importers.lowering.writer import Writer


def _pooled(writer: Writer, node: Node, kernel: Shape) -> None:
    shape = writer.shape(node)
    source, in_shape = writer.focus(writer.view(node.inputs[0]), 1, node.label)
    view = writer.row(
        "pool",
        node.label,
        (source.tensor,),
        plain(shape, 1),
        in_shapes=(in_shape,),
        kernel=kernel,
        stride=tuple(node.attributes.get("strides", ())),
    )
    writer.give(node, view)


def pool(writer: Writer, node: Node) -> None:
    """Maximum or mean over windows."""
    _pooled(writer, node, tuple(node.attributes.get("kernel_shape", ())))


def global_pool(writer: Writer, node: Node) -> None:
    """Maximum or mean over all positions."""
    given, left = writer.view(node.inputs[0]).shape[2:], writer.shape(node)[2:]
    _pooled(writer, node, tuple(-(-a // max(1, b)) for a, b in zip(given, left, strict=False)))


def _norm(writer: Writer, node: Node, op: str, **fields: Any) -> None:
    source, _ = writer.focus(writer.view(node.inputs[0]), 1, node.label)
    shape = writer.extent(source)
    name = writer.append(op, node.label, (source.tensor,), shape, in_shapes=(shape,), **fields)
    if op == "batch_norm":
        for operand in (1, 2):
            writer.has_bias(name, writer.constant(node, operand))
    writer.give(node, View(name, source.axes))


def batch_norm(writer: Writer, node: Node) -> None:
    """Normalise each feature with learned statistics, which a file may leave out."""
    learned = [name for name in node.inputs[1:3] if name]
    if len(learned) == 2:
        _norm(writer, node, "batch_norm")
    else:
        own = _parameters(writer, node, 1) if learned else {}
        count = sum(own.values())
        _norm(writer, node, "affine" if count else "activation", learned=count)


def group_norm(writer: Writer, node: Node) -> None:
    """Normalise each feature, or group of features, over positions."""
    view = writer.view(node.inputs[0])
    parameters = _parameters(writer, node, 1)
    whole = writer.whole(view, node.label)
    shape = writer.net.shape(whole.tensor)
    learned = sum(parameters.values())
    groups = int(node.attributes.get("num_groups", shape[0]))  # of an instance norm each feature
    if 1 in node.attributes.get("axes", ()):  # over the features too
        groups = 1
    groups = groups if shape[0] % max(1, groups) == 0 else shape[0]
    name = writer.append(
        "group_norm", node.label, (whole.tensor,), shape, learned=learned, groups=groups
    )
    writer.reads(name, parameters)
    writer.give(node, View(name, whole.axes))


def window_norm(writer: Writer, node: Node) -> None:
    """Normalise over neighbouring features (AlexNet's)."""
    _norm(writer, node, "window_norm", kernel=(int(node.attributes.get("size", 5)),))


def _parameters(writer: Writer, node: Node, first: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for operand in range(first, len(node.inputs)):
        constant = writer.constant(node, operand)
        found.update(constant.parameters if constant else {})
    return found


def layer_norm(writer: Writer, node: Node) -> None:
    """Normalise each position over the axes from `axis` on."""
    view = writer.view(node.inputs[0])
    axis = int(node.attributes.get("axis", -1)) % len(view.axes)
    over = any(features(atoms) for atoms in view.axes[axis:])
    learned = _parameters(writer, node, 1)
    function = Function(view, node.label, writer.now, learned, statistics=2 if over else 0)
    writer.give(node, writer.written(function))
    over_axes = tuple(range(axis, len(view.axes)))
    bare = Function(view, node.label, writer.now, applied=False)
    for output, name in enumerate(node.outputs):  # the mean and the deviation of each position
        if output and name and writer.uses[name]:
            label, shape = f"{node.label}.{output}", writer.shape(node, output)
            writer.give(node, ReducedValue(bare, label, writer.now, shape, over_axes, True), output)


def softmax(writer: Writer, node: Node) -> None:
    """Divide exponentials by their sum over an axis; over keys it belongs to attention."""
    value = writer.value(node.inputs[0])
    axis = int(node.attributes.get("axis", -1)) % len(value.shape)
    if isinstance(value, Scores):
        writer.give(node, value)
        return
    if isinstance(value, Constant):
        writer.give(node, Constant(value.shape, value.parameters))
        return
    view = writer.whole(writer.view(node.inputs[0]), node.label)
    op = "softmax" if features(view.axes[axis]) else "activation"
    shape = writer.extent(view)
    name = writer.append(op, node.label, (view.tensor,), shape, in_shapes=(shape,))
    writer.give(node, View(name, view.axes))


def reduce(writer: Writer, node: Node) -> None:
    """A sum, mean, maximum or norm over axes."""
    value = writer.value(node.inputs[0])
    if isinstance(value, Constant):
        writer.give(node, Constant(writer.shape(node), value.parameters))
        return
    function = function_of(writer, node, value)
    rank = len(function.shape)
    axes = node.attributes.get("axes")
    given = writer.constant(node, 1)
    if node.op in PLACES:
        axes = (node.attributes.get("axis", 0),)
    elif axes is None and given is not None and given.value is not None:
        axes = given.value.ravel().tolist()
    if axes is None or len(axes) == 0:
        axes = range(rank) if not node.attributes.get("noop_with_empty_axes") else ()
    over = tuple(sorted({int(axis) % rank for axis in axes}))
    keeps = bool(node.attributes.get("keepdims", 1))
    writer.give(
        node, ReducedValue(function, node.label, writer.now, writer.shape(node), over, keeps)
    )


def resize(writer: Writer, node: Node) -> None:
    """Interpolate positions."""
    source, in_shape = writer.focus(writer.view(node.inputs[0]), 1, node.label)
    axes = plain(writer.shape(node), 1)
    if axes[1] != source.axes[1] and not writer.is_input(source.tensor):
        exchange(writer, node, "it interpolates features; costed as a full exchange")
        return
    tensors = (source.tensor,)
    writer.give(node, writer.row("upsample", node.label, tensors, axes, in_shapes=(in_shape,)))


def grid_sample(writer: Writer, node: Node) -> None:
    """Interpolate at the positions that a grid holds, which every node needs whole."""
    source, in_shape = writer.focus(writer.view(node.inputs[0]), 1, node.label)
    grid = writer.value(node.inputs[1])
    axes = plain(writer.shape(node), 1)
    if isinstance(grid, Constant):
        learned = grid.parameters
        row = writer.row("upsample", node.label, (source.tensor,), axes, in_shapes=(in_shape,))
        writer.give(
            node,
            writer.written(
                Function(row, f"{node.label}.grid", writer.now, learned, applied=bool(learned))
            ),
        )
        return
    chosen = writer.settle(writer.written(grid), node.label)
    tensors, shapes = (source.tensor, chosen.tensor), (in_shape, network_shape(chosen.axes))
    writer.give(node, writer.row("sample", node.label, tensors, axes, in_shapes=shapes))


PLACES = ("ArgMax", "ArgMin")
"""Reductions over one axis, as their attribute says."""
# fmt: off
REDUCTIONS = (
    "Mean", "Sum", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp",
)
# fmt: on

TABLE: Mapping[str, Callable[[Writer, Node], None]] = MappingProxyType(
    {
        "BatchNormalization": batch_norm,
        "InstanceNormalization": group_norm,
        "GroupNormalization": group_norm,
        "MeanVarianceNormalization": group_norm,
        "LayerNormalization": layer_norm,
        "RMSNormalization": layer_norm,
        "LRN": window_norm,
        **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax", "LpNormalization"), softmax),
        **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), pool),
        **dict.fromkeys(
            ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "AdaptivePool"), global_pool
        ),
        **dict.fromkeys((f"Reduce{name}" for name in REDUCTIONS), reduce),
        **dict.fromkeys(PLACES, reduce),
        **dict.fromkeys(("Resize", "Upsample"), resize),
        "GridSample": grid_sample,
    }
)
