"""Operators that move elements: reshapes, slices, joins. Most of them only change a view."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from types import MappingProxyType

from discosim.graph.layer import Shape
from discosim.importers.lowering.exchange import exchange
from discosim.importers.lowering.layout import (
    cut,
    features,
    merged,
    network_shape,
    plain,
    reshaped,
    transposed,
)
from discosim.importers.lowering.program import Node
from discosim.importers.lowering.values import Scores, View
from discosim.importers.lowering.writer import Writer

TORN = "it tears features and positions apart; costed as a full exchange"
BY_DATA = "it chooses features by data; costed as a full exchange"


def read_as(writer: Writer, view: View, shape: Shape) -> View | None:
    """Return the same elements in another shape, or None where their features are torn apart."""
    if writer.is_input(view.tensor):
        axis = 1 if len(shape) > 1 else None
        return View(view.tensor, plain(shape, axis))
    axes = reshaped(view.axes, shape)
    return None if axes is None else View(view.tensor, axes, view.start)


def reshape(writer: Writer, node: Node) -> None:
    """Reshape, Flatten, Squeeze, Unsqueeze: the output's shape says all."""
    shape = writer.shape(node)
    value = writer.value(node.inputs[0])
    if value.shape == shape:
        writer.give(node, value)
        return
    if isinstance(value, Scores) and len(shape) > 2 and shape[-2:] == value.shape[-2:]:
        queries = read_as(writer, value.queries, (*shape[:-2], *value.queries.shape[-2:]))
        keys = read_as(writer, value.keys, (*shape[:-2], *value.keys.shape[-2:]))
        if queries is not None and keys is not None:
            writer.give(node, replace(value, queries=queries, keys=keys, shape=shape))
            return
    view = read_as(writer, writer.view(node.inputs[0]), shape)
    if view is None:
        exchange(writer, node, TORN)
    else:
        writer.give(node, view)


def transpose(writer: Writer, node: Node) -> None:
    """Put the axes in another order, by default the reverse."""
    view = writer.view(node.inputs[0])
    rank = len(view.axes)
    order = tuple(node.attributes.get("perm") or reversed(range(rank)))
    if sorted(order) != list(range(rank)):
        raise writer.refuse(node, f"has an order {order} that does not fit {rank} axes")
    writer.give(node, View(view.tensor, transposed(view.axes, order), view.start))


def depth_to_space(writer: Writer, node: Node) -> None:
    """Make a larger image of fewer channels (pixel shuffle)."""
    view = writer.view(node.inputs[0])
    batch, channels, height, width = view.shape
    size = int(node.attributes["blocksize"])
    count = channels // size**2
    if node.attributes.get("mode", "DCR") in ("CRD", b"CRD"):
        split, order = (batch, count, size, size, height, width), (0, 1, 4, 2, 5, 3)
    else:
        split, order = (batch, size, size, count, height, width), (0, 3, 4, 1, 5, 2)
    _split_and_join(writer, node, view, split, order)


def unfold(writer: Writer, node: Node) -> None:
    """What each window of an image reads, side by side: (C, H, W) as (C x window, windows)."""
    view, shape = writer.view(node.inputs[0]), writer.shape(node)
    source, in_shape = writer.focus(view, -3, node.label)
    _windows(writer, node, "unfold", source, in_shape, (shape[-2], *in_shape[1:-2]))


def fold(writer: Writer, node: Node) -> None:
    """The sum of windows at their places in an image, the inverse of `unfold` but for a factor."""
    view, shape = writer.view(node.inputs[0]), writer.shape(node)
    source, in_shape = writer.focus(view, -2, node.label)
    _windows(writer, node, "fold", source, in_shape, (shape[-3], *in_shape[1:-1]))


def _windows(
    writer: Writer, node: Node, op: str, source: View, in_shape: Shape, made: Shape
) -> None:
    """Write a row between an image and its windows; made: the output's features, and its batch."""
    kernel = _numbers(writer, node, "block_shape", 2)
    if kernel is None or len(kernel) != 2:
        exchange(writer, node, BY_DATA)
        return
    shape = writer.shape(node)
    size = in_shape[-2:] if op == "unfold" else shape[-2:]
    strides = [int(each) for each in node.attributes.get("strides") or (1, 1)]
    pads = [int(each) for each in node.attributes.get("pads") or (0, 0, 0, 0)]
    dilations = [int(each) for each in node.attributes.get("dilations") or (1, 1)]
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    windows = tuple(
        (size[axis] + pads[axis] + pads[axis + 2] - spans[axis]) // strides[axis] + 1
        for axis in (0, 1)
    )
    alike = dilations[0] == dilations[1]
    tensor = writer.append(
        op,
        node.label,
        (source.tensor,),
        (*made, *(windows if op == "unfold" else size)),
        in_shapes=(in_shape if op == "unfold" else (*in_shape[:-1], *windows),),
        kernel=tuple(kernel if alike else spans),
        stride=tuple(strides),
        padding=tuple(pads[:2]),
        dilation=dilations[0] if alike else 1,
    )
    at = len(shape) - (2 if op == "unfold" else 3)
    writer.give(node, View(tensor, plain(shape, at)))


def frames(writer: Writer, node: Node) -> None:
    """Windows along one axis, what each reads on an axis behind all others (torch's x.unfold)."""
    view, shape = writer.view(node.inputs[0]), writer.shape(node)
    axis, size, step = (int(node.attributes[key]) for key in ("axis", "size", "step"))
    axis %= len(view.axes)
    if size == step and size * shape[axis] == view.shape[axis]:  # side by side: none is read twice
        split = (*view.shape[:axis], shape[axis], size, *view.shape[axis + 1 :])
        rest = tuple(at for at in range(len(split)) if at != axis + 1)
        _split_and_join(writer, node, view, split, (*rest, axis + 1))
        return
    base = writer.settle(view, node.label)
    if writer.is_input(view.tensor) and features(view.axes[axis]):  # every node has all of it
        base = View(view.tensor, plain(view.shape, None))
    given = network_shape(base.axes)
    at = [n for n in range(len(view.axes)) if network_shape(base.axes[: n + 1])[1:]]
    counted = len(network_shape(base.axes[: axis + 1])) - 2
    if features(base.axes[axis]) or axis not in at or given[counted + 1] != view.shape[axis]:
        exchange(writer, node, TORN)
        return
    axes = list(base.axes)
    axes[axis] = merged(((shape[axis], 0),))
    ones = [1] * (len(given) - 1)
    kernel, stride = ((*ones[:counted], n, *ones[counted + 1 :]) for n in (size, step))
    fields = {"kernel": kernel, "stride": stride, "padding": (0,) * len(ones)}
    out = (*axes, merged(((size, 0),)))
    row = writer.row("unfold", node.label, (base.tensor,), out, in_shapes=(given,), **fields)
    writer.give(node, row)


def space_to_depth(writer: Writer, node: Node) -> None:
    """Make more channels of a smaller image."""
    view = writer.view(node.inputs[0])
    batch, channels, height, width = view.shape
    size = int(node.attributes["blocksize"])
    split = (batch, channels, height // size, size, width // size, size)
    order = (0, 1, 3, 5, 2, 4) if node.attributes.get("mode") == "CRD" else (0, 3, 5, 1, 2, 4)
    _split_and_join(writer, node, view, split, order)


def _split_and_join(writer: Writer, node: Node, view: View, split: Shape, order: Shape) -> None:
    parts = read_as(writer, view, split)
    turned = parts and View(parts.tensor, transposed(parts.axes, order), parts.start)
    joined = turned and read_as(writer, turned, writer.shape(node))
    if joined is None:
        exchange(writer, node, TORN)
    else:
        writer.give(node, joined)


def taken(
    writer: Writer, view: View, cuts: Mapping[int, tuple[int, int, int]], label: str
) -> View | None:
    """Return a part of a view: of each axis, (start, length, step).

    A cut of features changes the view; one of positions is a row. None where features are torn.
    """
    axes, start = list(view.axes), view.start
    for axis, (first, length, step) in cuts.items():
        if features(axes[axis]):
            part = cut(axes[axis], first, length, step) if step > 0 else None
            if part is None:
                return None
            axes[axis], start = part[0], start + part[1]
    left = View(view.tensor, tuple(axes), start)
    shorter = {
        axis: merged(((length, 0),))
        for axis, (_, length, _) in cuts.items()
        if not features(view.axes[axis]) and length != view.shape[axis]
    }
    if not shorter:
        return left
    if writer.is_input(view.tensor):
        return View(view.tensor, tuple(shorter.get(n, a) for n, a in enumerate(left.axes)))
    base = writer.settle(left, label)
    out = tuple(shorter.get(number, atoms) for number, atoms in enumerate(base.axes))
    count, *positions = network_shape(out)
    shape = (count, *(size for size in positions if size > 1))  # one of them is none
    return View(writer.append("reshape", label, (base.tensor,), shape), out)


def slices(writer: Writer, node: Node) -> None:
    """A slice of some axes, known from attributes or constants."""
    view = writer.view(node.inputs[0])
    shape = writer.shape(node)
    given = [_numbers(writer, node, name, at) for at, name in enumerate(("starts", "ends"), 1)]
    starts = given[0]
    axes = _numbers(writer, node, "axes", 3) or list(range(len(starts or ())))
    steps = _numbers(writer, node, "steps", 4) or [1] * len(axes)
    if starts is None:
        exchange(writer, node, BY_DATA)
        return
    cuts = {}
    for axis, start, step in zip(axes, starts, steps, strict=True):
        axis %= len(view.axes)
        size = view.shape[axis]
        first = min(max(start + size if start < 0 else start, 0), size)
        cuts[axis] = (first, shape[axis], step)
    _give_taken(writer, node, view, cuts)


def _give_taken(
    writer: Writer, node: Node, view: View, cuts: Mapping[int, tuple[int, int, int]]
) -> None:
    part = taken(writer, view, cuts, node.label)
    if part is None:
        exchange(writer, node, TORN)
    else:
        writer.give(node, part)


def _numbers(writer: Writer, node: Node, name: str, at: int) -> list[int] | None:
    """Whole numbers given as an attribute, or as a constant operand."""
    if name in node.attributes:
        return [int(number) for number in node.attributes[name]]
    constant = writer.constant(node, at)
    if constant is None or constant.value is None:
        return None
    return [int(number) for number in constant.value.ravel()]


def split(writer: Writer, node: Node) -> None:
    """Several slices side by side."""
    view = writer.view(node.inputs[0])
    axis = int(node.attributes.get("axis", 0)) % len(view.axes)
    start = 0
    for output, name in enumerate(node.outputs):
        length = writer.shapes[name][axis]
        part = taken(writer, view, {axis: (start, length, 1)}, name)
        if part is None:
            exchange(writer, node, TORN)
            return
        writer.give(node, part, output)
        start += length


def gather(writer: Writer, node: Node) -> None:
    """Rows of a tensor chosen by an index: a slice where they follow each other."""
    view = writer.view(node.inputs[0])
    axis = int(node.attributes.get("axis", 0)) % len(view.axes)
    index, constant = writer.value(node.inputs[1]), writer.constant(node, 1)
    if constant is None:
        _chosen(writer, node, view, axis)
        return
    numbers = None if constant.value is None else constant.value.ravel()
    across = prod(index.shape)
    if numbers is None or (len(numbers) > 1 and len(set(numbers[1:] - numbers[:-1])) > 1):
        if features(view.axes[axis]):
            exchange(writer, node, BY_DATA)
            return
        start, step = 0, 1
    else:
        start = int(numbers[0]) % view.shape[axis] if len(numbers) else 0
        step = int(numbers[1] - numbers[0]) if len(numbers) > 1 else 1
    part = taken(writer, view, {axis: (start, across, step)}, node.label)
    if part is not None and len(index.shape) != 1:
        part = read_as(writer, part, writer.shape(node))
    if part is None:
        exchange(writer, node, TORN)
    else:
        writer.give(node, part)


def _chosen(writer: Writer, node: Node, view: View, axis: int) -> None:
    """Positions that another tensor chooses: every node needs all of that."""
    if features(view.axes[axis]):
        exchange(writer, node, BY_DATA)
        return
    source = writer.settle(view, node.label)
    index = writer.settle(writer.view(node.inputs[1]), node.label)
    rank = len(index.shape)
    across = tuple(merged(((size, 0),)) for size in writer.shape(node)[axis : axis + rank])
    axes = (*source.axes[:axis], *across, *source.axes[axis + 1 :])
    in_shapes = [network_shape(each.axes) for each in (source, index)]
    tensors = (source.tensor, index.tensor)
    writer.give(node, writer.row("sample", node.label, tensors, axes, in_shapes=in_shapes))


def roll(writer: Writer, node: Node) -> None:
    """Turn axes round: nothing moves between features unless they are turned themselves."""
    view = writer.view(node.inputs[0])
    rank = len(view.axes)
    if any(features(view.axes[int(axis) % rank]) for axis in node.attributes["axes"]):
        exchange(writer, node, "it turns features round; costed as a full exchange")
    else:
        writer.give(node, view)


TABLE: Mapping[str, Callable[[Writer, Node], None]] = MappingProxyType(
    {
        "Reshape": reshape,
        "Flatten": reshape,
        "Squeeze": reshape,
        "Unsqueeze": reshape,
        "Transpose": transpose,
        "DepthToSpace": depth_to_space,
        "SpaceToDepth": space_to_depth,
        "Frames": frames,
        "Im2Col": unfold,
        "Col2Im": fold,
        "Roll": roll,
        "Slice": slices,
        "Split": split,
    }
)
