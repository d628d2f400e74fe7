"""Operators whose output has elements of several tensors, or the same one several times."""

from collections.abc import Callable, Mapping
from math import prod
from types import MappingProxyType

from discosim.graph.network import INPUT
from discosim.importers.lowering.layout import Axes, features, merged, network_shape, plain
from discosim.importers.lowering.program import Constant, Node
from discosim.importers.lowering.values import View
from discosim.importers.lowering.writer import Writer

UNLIKE = "it joins tensors whose features lie on different axes; costed as a full exchange"


def concat(writer: Writer, node: Node) -> None:
    """Features side by side; or positions one after the other, where features lie alike."""
    shape = writer.shape(node)
    axis = int(node.attributes.get("axis", 1)) % len(shape)
    values = [writer.value(name) for name in node.inputs]
    learned: dict[str, int] = {}
    for value in values:
        learned.update(value.parameters if isinstance(value, Constant) else {})
    views = [writer.settle(writer.written(value), node.label) for value in values]
    moving = [view for view in views if not writer.is_input(view.tensor)]
    at = {n for view in moving for n, atoms in enumerate(view.axes) if features(atoms)}
    entering = [
        view
        for view, value in zip(views, values, strict=True)
        if writer.is_input(view.tensor) and not isinstance(value, Constant)
    ]
    if not moving and len(entering) > 1:
        _join_entering(writer, node, entering, axis)
    elif not moving:
        writer.give(node, View(INPUT, plain(shape, 1 if len(shape) > 1 else None)))
    elif at == {axis}:
        views = [writer.focus(view, axis, node.label)[0] for view in views]
        in_shapes = [network_shape(view.axes, axis) for view in views]
        tensors = [view.tensor for view in views]
        row = writer.row("concat", node.label, tensors, plain(shape, axis), in_shapes=in_shapes)
        writer.give(node, row)
    elif axis not in at:
        _join_positions(writer, node, moving, axis, learned, entering)
    elif len(moving) == len(views) and _alike_runs(views, axis):
        _join_inner(writer, node, views, axis)
    elif len(at) == 2:  # boxes of several maps, as detectors join them
        [kept] = at - {axis}
        focused = [writer.focus(view, kept, node.label)[0] for view in moving]
        _join_positions(writer, node, focused, axis, learned, entering)
    else:
        writer.exchange(node, UNLIKE)


def _alike_runs(views: list[View], axis: int) -> bool:
    """Whether all operands have the same axes, and only features on the one that is joined."""
    pure = len(views[0].axes[axis]) == 1 and bool(features(views[0].axes[axis]))
    return pure and len({view.axes for view in views}) == 1


def _join_inner(writer: Writer, node: Node, views: list[View], axis: int) -> None:
    """Join on one of several axes with features, as the halves of each head."""
    tensors = [view.tensor for view in views]
    shape = writer.net.shape(tensors[0])
    axes = list(views[0].axes)
    axes[axis] = merged(((len(views), shape[0]), *axes[axis]))
    whole = (shape[0] * len(views), *network_shape(views[0].axes)[1:])
    writer.give(node, View(writer.append("concat", node.label, tensors, whole), tuple(axes)))


def _join_positions(
    writer: Writer,
    node: Node,
    views: list[View],
    axis: int,
    learned: Mapping[str, int],
    entering: list[View],
) -> None:
    """Positions one after the other: of tensors, of ones that enter, or of learned ones."""
    kinds = {tuple(tuple(features(atoms)) for atoms in view.axes) for view in views}
    if len(kinds) > 1:
        writer.exchange(node, UNLIKE)
        return
    length = writer.shape(node)[axis]

    def of_length(positions: int) -> Axes:
        return tuple(
            merged(((positions, 0),)) if n == axis else atoms
            for n, atoms in enumerate(views[0].axes)
        )

    tensors = [view.tensor for view in (*views, *entering)]
    in_shapes = [network_shape(view.axes) for view in views]
    in_shapes += [network_shape(of_length(view.shape[axis])) for view in entering]
    axes = of_length(length)
    if len(tensors) > 1 or len(node.inputs) == 1:
        row = writer.row("stack", node.label, tensors, axes, in_shapes=in_shapes)
    else:
        count = sum(learned.values())
        row = writer.row("embed", node.label, tensors, axes, in_shapes=in_shapes, learned=count)
        writer.reads(row.tensor, learned)
    writer.give(node, row)


def _join_entering(writer: Writer, node: Node, views: list[View], axis: int) -> None:
    """Tensors that enter, side by side: every node has all of them and what they make."""
    at = 1 if len(writer.shape(node)) > 1 else 0
    op = "concat" if axis == at else "stack"
    in_shapes = [network_shape(plain(view.shape, at), at) for view in views]
    tensors = [view.tensor for view in views]
    axes = plain(writer.shape(node), at)
    writer.give(node, writer.row(op, node.label, tensors, axes, in_shapes=in_shapes))


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
        writer.exchange(node, "it repeats features; costed as a full exchange")
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
        writer.exchange(node, "it pads features among positions; costed as a full exchange")
        return
    own = network_shape(view.axes)
    zeros = (shape[at[0]] - own[0], *own[1:])
    row = writer.row(
        "concat", node.label, (view.tensor, INPUT), plain(shape, at[0]), in_shapes=(own, zeros)
    )
    writer.give(node, row)


TABLE: Mapping[str, Callable[[Writer, Node], None]] = MappingProxyType(
    {"Concat": concat, "Expand": expand, "Tile": tile, "Pad": pad}
)
