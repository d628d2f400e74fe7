"""Operators whose output has elements of several tensors, or the same one several times."""

from collections.abc import Callable, Mapping
from math import prod
from types import MappingProxyType

from discosim.graph.builder import INPUT
from discosim.importers.layout import features, merged, network_shape, plain
from discosim.importers.program import Constant, Node
from discosim.importers.values import View
from discosim.importers.writer import Writer

UNLIKE = "it joins tensors whose features lie on different axes; costed as a full exchange"


def concat(writer: Writer, node: Node) -> None:
    """Features side by side; or positions one after the other, where features lie alike."""
    shape = writer.shape(node)
    axis = int(node.attributes.get("axis", 1)) % len(shape)
    values = [writer.value(name) for name in node.inputs]
    learned = sum(sum(v.parameters.values()) for v in values if isinstance(v, Constant))
    views = [writer.settle(writer.written(value), node.label) for value in values]
    moving = [view for view in views if view.tensor != INPUT]
    if not moving:
        writer.give(node, View(INPUT, plain(shape, 1 if len(shape) > 1 else None)))
    elif any(features(view.axes[axis]) for view in moving):
        _join_features(writer, node, views, axis)
    else:
        _join_positions(writer, node, moving, axis, learned, len(values))


def _join_features(writer: Writer, node: Node, views: list[View], axis: int) -> None:
    moving = [view for view in views if view.tensor != INPUT]
    shape = writer.shape(node)
    at = [n for n, atoms in enumerate(moving[0].axes) if features(atoms)]
    alike = all([n for n, x in enumerate(view.axes) if features(x)] == at for view in moving)
    pure = all(len(view.axes[axis]) <= 1 and features(view.axes[axis]) for view in moving)
    outermost = bool(at) and at[0] == axis
    equal = len({view.shape for view in views}) == 1 and len(moving) == len(views)
    if not (alike and pure) or not (outermost or equal) or (len(at) > 1 and not equal):
        writer.exchange(node, UNLIKE)
        return
    tensors = [view.tensor for view in views]
    if len(at) == 1:
        in_shapes = [network_shape(view.axes, axis) for view in views]
        axes = plain(shape, axis)
        writer.give(node, writer.row("concat", node.label, tensors, axes, in_shapes=in_shapes))
        return
    count = writer.net.shape(tensors[0])[0]
    one = list(moving[0].axes)
    in_shapes = [network_shape(view.axes) for view in views]
    one[axis] = merged(((len(views), count), *one[axis]))
    whole = (count * len(views), *in_shapes[0][1:])
    name = writer.append("concat", node.label, tensors, whole, in_shapes=in_shapes)
    writer.give(node, View(name, tuple(one)))


def _join_positions(
    writer: Writer, node: Node, views: list[View], axis: int, learned: int, count: int
) -> None:
    kinds = {tuple(tuple(features(atoms)) for atoms in view.axes) for view in views}
    if len(kinds) > 1:
        writer.exchange(node, UNLIKE)
        return
    length = writer.shape(node)[axis]
    axes = tuple(
        merged(((length, 0),)) if n == axis else atoms for n, atoms in enumerate(views[0].axes)
    )
    tensors = [view.tensor for view in views]
    in_shapes = [network_shape(view.axes) for view in views]
    if len(views) == 1 and count > 1:
        row = writer.row("embed", node.label, tensors, axes, in_shapes=in_shapes, learned=learned)
    else:
        row = writer.row("stack", node.label, tensors, axes, in_shapes=in_shapes)
    writer.give(node, row)


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
    if torn and view.tensor != INPUT:
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
    if view.tensor == INPUT or not set(wider) & set(at):
        axes = tuple(
            merged(((shape[n], 0),)) if n in wider else atoms for n, atoms in enumerate(view.axes)
        )
        if view.tensor == INPUT:
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
