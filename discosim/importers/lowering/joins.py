"""Operators whose output has elements of several tensors, or the same one several times."""

from collections.abc import Callable, Iterator, Mapping
from math import prod
from types import MappingProxyType

from discosim.graph.layer import Shape
from discosim.importers.lowering.exchange import exchange
from discosim.importers.lowering.layout import (
    Axes,
    features,
    merged,
    network_shape,
    plain,
    positions,
)
from discosim.importers.lowering.program import Constant, Node
from discosim.importers.lowering.values import Value, View
from discosim.importers.lowering.writer import Writer

UNLIKE = "it joins tensors whose features lie on different axes; costed as a full exchange"


def concat(writer: Writer, node: Node) -> None:
    """Features side by side; or positions one after the other, where features lie alike."""
    shape = writer.shape(node)
    axis = int(node.attributes.get("axis", 1)) % len(shape)
    values = [writer.value(name) for name in node.inputs]
    constants = [value for value in values if isinstance(value, Constant)]
    views = [
        writer.settle(writer.written(value), node.label)
        for value in values
        if not isinstance(value, Constant)
    ]
    moving = [view for view in views if not writer.is_input(view.tensor)]
    at = {n for view in moving for n, atoms in enumerate(view.axes) if features(atoms)}
    entering = [view for view in views if writer.is_input(view.tensor)]
    if not moving:
        _join_entering(writer, node, entering, axis, constants)
    elif at == {axis}:
        _join_features(writer, node, values, iter(views), axis)
    elif axis not in at and len(moving) == len(values) and _interleaved(writer, node, views, axis):
        _join_inner(writer, node, views, axis)
    elif axis not in at:
        _join_positions(writer, node, moving, axis, constants, entering)
    elif len(moving) == len(values) and _alike_runs(views, axis):
        _join_inner(writer, node, views, axis)
    elif len(at) == 2:  # boxes of several maps, as detectors join them
        [kept] = at - {axis}
        focused = [writer.focus(view, kept, node.label)[0] for view in moving]
        _join_positions(writer, node, focused, axis, constants, entering)
    else:
        exchange(writer, node, UNLIKE)


def _join_features(
    writer: Writer, node: Node, values: list[Value], computed: Iterator[View], axis: int
) -> None:
    views = []
    for value in values:
        if isinstance(value, Constant):
            view = writer.learned(value, plain(value.shape, axis), f"{node.label}.learned")
        else:
            view = next(computed)
        views.append(writer.focus(view, axis, node.label)[0])
    in_shapes = [network_shape(view.axes, axis) for view in views]
    axes = plain(writer.shape(node), axis)
    tensors = [view.tensor for view in views]
    writer.give(node, writer.row("concat", node.label, tensors, axes, in_shapes=in_shapes))


def _alike_runs(views: list[View], axis: int) -> bool:
    """Whether all operands have the same axes, and only features on the one that is joined."""
    pure = len(views[0].axes[axis]) == 1 and bool(features(views[0].axes[axis]))
    return pure and len({view.axes for view in views}) == 1


def _interleaved(writer: Writer, node: Node, views: list[View], axis: int) -> bool:
    """Whether single elements are joined behind alike features only to become features too.

    As the two of each pair that is turned by an angle.
    """
    shape = writer.shape(node)
    readers = [each for each in writer.program.nodes if node.outputs[0] in each.inputs]
    read = [each for each in readers if each.op not in ("Shape", "Size")]
    alike = len({view.axes for view in views}) == 1 and not views[0].axes[-1]
    behind = axis == len(shape) - 1 > 0 and positions(views[0].axes[-2]) == 1
    return (
        alike
        and behind
        and bool(read)
        and all(_joins_last_two(writer, each, shape) for each in read)
    )


def _joins_last_two(writer: Writer, node: Node, shape: Shape) -> bool:
    return node.op in ("Reshape", "Flatten") and writer.shape(node) == (
        *shape[:-2],
        shape[-2] * shape[-1],
    )


def _join_inner(writer: Writer, node: Node, views: list[View], axis: int) -> None:
    """Join on one of several axes with features, as the halves of each head."""
    tensors = [view.tensor for view in views]
    shape = writer.net.shape(tensors[0])
    axes = list(views[0].axes)
    axes[axis] = merged(((len(views), shape[0]), *axes[axis]))
    apart = views[0].axes[axis]
    own = network_shape(tuple(each for n, each in enumerate(views[0].axes) if apart or n != axis))
    whole = (shape[0] * len(views), *own[1:])
    writer.give(node, View(writer.append("concat", node.label, tensors, whole), tuple(axes)))


def _join_positions(
    writer: Writer,
    node: Node,
    views: list[View],
    axis: int,
    constants: list[Constant],
    entering: list[View],
) -> None:
    """Positions one after the other: of tensors, of ones that enter, or of learned ones."""
    kinds = {tuple(tuple(features(atoms)) for atoms in view.axes) for view in views}
    if len(kinds) > 1:
        exchange(writer, node, UNLIKE)
        return

    def of_length(positions: int) -> Axes:
        return tuple(
            merged(((positions, 0),)) if n == axis else atoms
            for n, atoms in enumerate(views[0].axes)
        )

    beside = [*entering]
    if len(views) + len(entering) > 1:
        beside += [
            writer.learned(each, of_length(each.shape[axis]), f"{node.label}.learned")
            for each in constants
            if each.parameters
        ]
    tensors = [view.tensor for view in (*views, *beside)]
    in_shapes = [network_shape(view.axes) for view in views]
    in_shapes += [network_shape(of_length(view.shape[axis])) for view in beside]
    axes = of_length(writer.shape(node)[axis])
    if len(tensors) > 1 or len(node.inputs) == 1:
        row = writer.row("stack", node.label, tensors, axes, in_shapes=in_shapes)
    else:
        row = _embedded(writer, node, views[0], in_shapes[0], axes, constants)
    writer.give(node, row)


def _embedded(
    writer: Writer, node: Node, view: View, in_shape: Shape, axes: Axes, constants: list[Constant]
) -> View:
    """A tensor with learned positions beside its own, as a class token."""
    learned = {name: n for each in constants for name, n in each.parameters.items()}
    count = sum(learned.values())
    row = writer.row(
        "embed", node.label, (view.tensor,), axes, in_shapes=(in_shape,), learned=count
    )
    writer.reads(row.tensor, learned)
    return row


def _join_entering(
    writer: Writer, node: Node, views: list[View], axis: int, constants: list[Constant]
) -> None:
    """Tensors that enter, side by side: every node has all of them and what they make."""
    shape = writer.shape(node)
    at = writer.features_at(node.outputs[0], 1 if len(shape) > 1 else 0)
    if len(node.inputs) == 1:
        writer.give(node, views[0])
        return
    in_shapes = [network_shape(plain(view.shape, at), at) for view in views]
    if len(views) == 1:
        row = _embedded(writer, node, views[0], in_shapes[0], plain(shape, at), constants)
        writer.give(node, row)
        return
    tensors = [view.tensor for view in views]
    for each in constants:
        if each.parameters:
            axes = plain(each.shape, at)
            row = writer.learned(each, axes, f"{node.label}.learned")
            tensors.append(row.tensor)
            in_shapes.append(network_shape(axes, at))
    op = "concat" if axis == at else "stack"
    writer.give(node, writer.row(op, node.label, tensors, plain(shape, at), in_shapes=in_shapes))


def expand(writer: Writer, node: Node) -> None:
    """Repeat along axes of one: nothing moves."""
    shape = writer.shape(node)
    view = writer.view(node.inputs[0])
    axes = ((),) * (len(shape) - len(view.axes)) + view.axes
    wide = tuple(
        atoms if prod(size for size, _ in atoms) == size else merged(((size, 0),))
        for atoms, size in zip(axes, shape, strict=True)
    )
    writer.give(node, View(view.tensor, wide, view.start))


def tile(writer: Writer, node: Node) -> None:
    """Repeat along any axes of positions."""
    view = writer.settle(writer.view(node.inputs[0]), node.label)
    shape = writer.shape(node)
    axes = tuple(
        atoms if size == before else merged(((size, 0),))
        for atoms, size, before in zip(view.axes, shape, view.shape, strict=True)
    )
    torn = any(features(a) and a != b for a, b in zip(view.axes, axes, strict=True))
    if torn and not writer.is_input(view.tensor):
        exchange(writer, node, "it repeats features; costed as a full exchange")
    else:
        writer.give(node, writer.row("upsample", node.label, (view.tensor,), axes))


def pad(writer: Writer, node: Node) -> None:
    """Pad positions, which moves nothing; or features, with ones that nobody has to send."""
    view = writer.settle(writer.view(node.inputs[0]), node.label)
    shape = writer.shape(node)
    wider = [n for n, (a, b) in enumerate(zip(view.shape, shape, strict=True)) if a != b]
    if not wider:
        writer.give(node, view)
        return
    at = [n for n, atoms in enumerate(view.axes) if features(atoms)]
    if writer.is_input(view.tensor) or not set(wider) & set(at):
        axes = tuple(
            merged(((shape[n], 0),)) if n in wider else atoms for n, atoms in enumerate(view.axes)
        )
        if writer.is_input(view.tensor):
            axes = plain(shape, 1 if len(shape) > 1 else None)
        writer.give(node, writer.row("pad", node.label, (view.tensor,), axes))
        return
    if len(at) > 1 or len(wider) > 1:
        exchange(writer, node, "it pads features among positions; costed as a full exchange")
        return
    own = network_shape(view.axes)
    more = tuple(shape[n] - own[0] if n == at[0] else size for n, size in enumerate(shape))
    zeros = writer.learned(Constant(more), plain(more, at[0]), f"{node.label}.zeros")
    in_shapes = (own, network_shape(zeros.axes))
    row = writer.row(
        "concat", node.label, (view.tensor, zeros.tensor), plain(shape, at[0]), in_shapes=in_shapes
    )
    writer.give(node, row)


TABLE: Mapping[str, Callable[[Writer, Node], None]] = MappingProxyType(
    {"Concat": concat, "Expand": expand, "Tile": tile, "Pad": pad}
)
