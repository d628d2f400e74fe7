"""Operators that move elements: reshapes, slices, joins. Most of them only change a view."""

from collections.abc import Callable, Mapping
from math import prod
from types import MappingProxyType

from discosim.graph.builder import INPUT
from discosim.graph.layer import Shape
from discosim.importers.layout import cut, features, merged, plain, reshaped, transposed
from discosim.importers.program import Constant, Node
from discosim.importers.values import Scores, View
from discosim.importers.writer import Writer, network_shape

TORN = "it tears features and positions apart; costed as a full exchange"
BY_DATA = "it chooses features by data; costed as a full exchange"
UNLIKE = "it joins tensors whose features lie on different axes; costed as a full exchange"


def read_as(view: View, shape: Shape) -> View | None:
    """Return the same elements in another shape, or None where their features are torn apart."""
    if view.tensor == INPUT:
        axis = 1 if len(shape) > 1 else None
        return View(INPUT, plain(shape, axis))
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
        queries = read_as(value.queries, (*shape[:-2], *value.queries.shape[-2:]))
        keys = read_as(value.keys, (*shape[:-2], *value.keys.shape[-2:]))
        if queries is not None and keys is not None:
            writer.give(node, Scores(queries, keys, value.label, shape, value.learned))
            return
    view = read_as(writer.view(node.inputs[0]), shape)
    if view is None:
        writer.exchange(node, TORN)
    else:
        writer.give(node, view)


def transpose(writer: Writer, node: Node) -> None:
    """Put the axes in another order, by default the reverse."""
    view = writer.view(node.inputs[0])
    order = tuple(node.attributes.get("perm") or reversed(range(len(view.axes))))
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


def space_to_depth(writer: Writer, node: Node) -> None:
    """Make more channels of a smaller image."""
    view = writer.view(node.inputs[0])
    batch, channels, height, width = view.shape
    size = int(node.attributes["blocksize"])
    split = (batch, channels, height // size, size, width // size, size)
    order = (0, 1, 3, 5, 2, 4) if node.attributes.get("mode") == "CRD" else (0, 3, 5, 1, 2, 4)
    _split_and_join(writer, node, view, split, order)


def _split_and_join(writer: Writer, node: Node, view: View, split: Shape, order: Shape) -> None:
    parts = read_as(view, split)
    turned = parts and View(parts.tensor, transposed(parts.axes, order), parts.start)
    joined = turned and read_as(turned, writer.shape(node))
    if joined is None:
        writer.exchange(node, TORN)
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
    if view.tensor == INPUT:
        return View(INPUT, tuple(shorter.get(n, a) for n, a in enumerate(left.axes)))
    base = writer.settle(left, label)
    out = tuple(shorter.get(number, atoms) for number, atoms in enumerate(base.axes))
    return writer.row("reshape", label, (base.tensor,), out)


def slices(writer: Writer, node: Node) -> None:
    """A slice of some axes, known from attributes or constants."""
    view = writer.view(node.inputs[0])
    shape = writer.shape(node)
    given = [_numbers(writer, node, name, at) for at, name in enumerate(("starts", "ends"), 1)]
    starts = given[0]
    axes = _numbers(writer, node, "axes", 3) or list(range(len(starts or ())))
    steps = _numbers(writer, node, "steps", 4) or [1] * len(axes)
    if starts is None:
        writer.exchange(node, BY_DATA)
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
        writer.exchange(node, TORN)
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
        length = writer.program.shapes[name][axis]
        part = taken(writer, view, {axis: (start, length, 1)}, name)
        if part is None:
            writer.exchange(node, TORN)
            return
        writer.give(node, part, output)
        start += length


def gather(writer: Writer, node: Node) -> None:
    """Rows of a tensor chosen by an index: a slice where they follow each other."""
    view = writer.view(node.inputs[0])
    axis = int(node.attributes.get("axis", 0)) % len(view.axes)
    index, constant = writer.value(node.inputs[1]), writer.constant(node, 1)
    numbers = None if constant is None or constant.value is None else constant.value.ravel()
    across = prod(index.shape)
    if numbers is None or (len(numbers) > 1 and len(set(numbers[1:] - numbers[:-1])) > 1):
        if features(view.axes[axis]):
            writer.exchange(node, BY_DATA)
            return
        start, step = 0, 1
    else:
        start = int(numbers[0]) % view.shape[axis] if len(numbers) else 0
        step = int(numbers[1] - numbers[0]) if len(numbers) > 1 else 1
    part = taken(writer, view, {axis: (start, across, step)}, node.label)
    if part is not None and len(index.shape) != 1:
        part = read_as(part, writer.shape(node))
    if part is None:
        writer.exchange(node, TORN)
    else:
        writer.give(node, part)


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
    name = writer.name(node.label)
    whole = (count * len(views), *in_shapes[0][1:])
    writer.net.append("concat", name, tensors, whole, in_shapes=in_shapes)
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
    {
        "Reshape": reshape,
        "Flatten": reshape,
        "Squeeze": reshape,
        "Unsqueeze": reshape,
        "Transpose": transpose,
        "DepthToSpace": depth_to_space,
        "SpaceToDepth": space_to_depth,
        "Slice": slices,
        "Split": split,
        "Concat": concat,
        "Expand": expand,
        "Tile": tile,
        "Pad": pad,
    }
)
