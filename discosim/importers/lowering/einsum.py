"""Products in Einstein's notation, written as the products that they are."""

from math import prod

from discosim.importers.lowering.equations import Equation, equation_of
from discosim.importers.lowering.exchange import exchange
from discosim.importers.lowering.layout import reshaped, transposed
from discosim.importers.lowering.products import linear, matmul
from discosim.importers.lowering.program import Constant, Node
from discosim.importers.lowering.values import Scores, Value, View
from discosim.importers.lowering.writer import Writer

NO_FORM = "not one of the products that are known; costed as a full exchange"


def einstein(writer: Writer, node: Node) -> None:
    """Einsum of two operands: a linear layer, a product by heads, or a product without a place."""
    values = [writer.value(name) for name in node.inputs]
    text = str(node.attributes.get("equation", ""))
    equation = equation_of(text, [value.shape for value in values])
    if equation is None or len(values) != 2:
        exchange(writer, node, f"{node.op}: {NO_FORM}", op="opaque")
        return
    found = _product(writer, node, equation, values[0], values[1])
    if found is not None and found.shape == writer.shape(node):
        writer.give(node, found)
        return
    first, second = equation.terms
    summed = [x for x in equation.size if x in first and x in second and x not in equation.out]
    terms = prod(equation.size[x] for x in summed) if summed else 0
    exchange(writer, node, NO_FORM, op="matmul", terms=terms)


def _product(
    writer: Writer, node: Node, equation: Equation, left: Value, right: Value
) -> Value | None:
    """A product of those that are known, or None."""
    (first, second), out, size = equation.terms, equation.out, equation.size
    if any(len(set(text)) != len(text) for text in (first, second)):
        return None
    batch = [x for x in out if x in first and x in second]
    summed = [x for x in first if x in second and x not in out]
    rows = [x for x in out if x in first and x not in second]
    columns = [x for x in out if x in second and x not in first]
    if len(batch + rows + columns) != len(out) or len(summed) + len(batch + rows) != len(first):
        return None
    if len(batch) + len(summed) + len(columns) != len(second) or not summed:
        return None
    if isinstance(right, Constant) and not batch:
        return _weighted(writer, node, left, right, first, (rows, summed, columns), equation)
    if isinstance(left, Constant) and not batch:
        return _weighted(writer, node, right, left, second, (columns, summed, rows), equation)
    if isinstance(left, Constant) or isinstance(right, Constant):
        return None
    shape = tuple(prod(size[x] for x in part) for part in (rows, columns))
    a = _grouped(writer, left, first, [*([x] for x in batch), rows, summed])
    b = _grouped(writer, right, second, [*([x] for x in batch), summed, columns])
    if a is None or b is None:
        return None
    product = matmul(writer, node, a, b, (*(size[x] for x in batch), *shape))
    return _as_written(writer, product, [*batch, *rows, *columns], equation)


def _grouped(writer: Writer, value: Value, letters: str, groups: list[list[str]]) -> Value | None:
    """The value with its axes in groups, one axis each."""
    order = tuple(letters.index(x) for group in groups for x in group)
    if isinstance(value, Scores):
        single = all(len(group) == 1 for group in groups)
        if single and order == tuple(range(len(letters))):
            return value
    view = writer.written(value)
    axes = transposed(view.axes, order)
    sizes = dict(zip(letters, view.shape, strict=True))
    shape = tuple(prod(sizes[x] for x in group) for group in groups)
    joined = reshaped(axes, shape)
    return None if joined is None else View(view.tensor, joined, view.start)


def _as_written(
    writer: Writer, product: Value, order: list[str], equation: Equation
) -> Value | None:
    """The product with its axes as the equation wants them."""
    out = equation.out
    if isinstance(product, Scores) and "".join(order) == out and len(out) == len(product.shape):
        return product
    view = writer.written(product)
    axes = reshaped(view.axes, tuple(equation.size[x] for x in order))
    if axes is None:
        return None
    return View(view.tensor, transposed(axes, tuple(order.index(x) for x in out)), view.start)


def _weighted(
    writer: Writer,
    node: Node,
    value: Value,
    weight: Constant,
    letters: str,
    parts: tuple[list[str], list[str], list[str]],
    equation: Equation,
) -> Value | None:
    """A linear layer over the summed axes."""
    rows, summed, columns = parts
    view = _grouped(writer, value, letters, [*([x] for x in rows), summed])
    if view is None:
        return None
    width = prod(equation.size[x] for x in columns)
    product = linear(writer, node, writer.written(view), weight, -1, width, bias=False)
    return _as_written(writer, product, [*rows, *columns], equation)
