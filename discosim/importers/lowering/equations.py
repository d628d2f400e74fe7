"""Equations in Einstein's notation: their letters, and steps of two operands each."""

from dataclasses import dataclass
from string import ascii_letters

from discosim.graph.layer import Shape
from discosim.importers.lowering.program import Node


@dataclass(frozen=True, slots=True)
class Equation:
    """Letters of the axes of each operand and of the output, and their sizes; no ellipsis."""

    terms: tuple[str, ...]
    out: str
    size: dict[str, int]

    @property
    def text(self) -> str:
        """The equation as operators hold it."""
        return f"{','.join(self.terms)}->{self.out}"

    def shape(self, letters: str) -> Shape:
        """Return the shape of axes."""
        return tuple(self.size[x] for x in letters)


def equation_of(text: str, shapes: list[Shape]) -> Equation | None:
    """Return an equation with its ellipses written out, or None where it does not fit the shapes.

    https://numpy.org/doc/stable/reference/generated/numpy.einsum.html
    """
    left, arrow, out = text.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes) or any(x.count("...") > 1 for x in (*terms, out)):
        return None
    widths = [len(s) - len(t.replace("...", "")) for t, s in zip(terms, shapes, strict=True)]
    hidden = max((w for w, t in zip(widths, terms, strict=True) if "..." in t), default=0)
    free = [x for x in ascii_letters if x not in text][:hidden]
    if not arrow:
        letters = sorted({x for x in left if x.isalpha() and left.count(x) == 1})
        out = "..." * ("..." in left) + "".join(letters)
    written = []
    for term, width in zip(terms, widths, strict=True):
        if width < 0 or (width and "..." not in term):
            return None
        written.append(term.replace("...", "".join(free[len(free) - width :])))
    out = out.replace("...", "".join(free))
    size: dict[str, int] = {}
    for term, shape in zip(written, shapes, strict=True):
        for letter, count in zip(term, shape, strict=True):
            size[letter] = max(size.get(letter, 1), count)
    known = set(out) <= set(size) and len(set(out)) == len(out)
    return Equation(tuple(written), out, size) if known and all(map(str.isalpha, size)) else None


def steps_of(node: Node, equation: Equation) -> list[tuple[Node, Shape]]:
    """Return the operators of at most two operands that an equation stands for, and their shapes.

    Of several operands the first two come first, as torch does without another order.
    """
    if len(equation.terms) == 1:
        return _moved(node, equation)
    steps = []
    made, term = node.inputs[0], equation.terms[0]
    for number in range(1, len(equation.terms)):
        right = equation.terms[number]
        later = {*equation.out, *"".join(equation.terms[number + 1 :])}
        both = dict.fromkeys(term + right)
        out = "".join(x for x in both if x in later)
        last = number == len(equation.terms) - 1
        out = equation.out if last else out
        name = node.outputs[0] if last else f"{node.outputs[0]}~{number}"
        label = node.label if last else f"{node.label}.{number}"
        attributes = {"equation": f"{term},{right}->{out}"}
        step = Node("Einsum", (made, node.inputs[number]), (name,), attributes, label)
        steps.append((step, equation.shape(out)))
        made, term = name, out
    return steps


def _moved(node: Node, equation: Equation) -> list[tuple[Node, Shape]]:
    """Axes in another order, and a sum over those that are not wanted."""
    [term] = equation.terms
    if len(set(term)) != len(term):  # a diagonal
        return []
    summed = "".join(x for x in term if x not in equation.out)
    order = equation.out + summed
    turned = f"{node.outputs[0]}~turned"
    perm = tuple(term.index(x) for x in order)
    first = Node("Transpose", node.inputs, (turned,), {"perm": perm}, node.label)
    if not summed:
        return [
            (
                Node("Transpose", node.inputs, node.outputs, {"perm": perm}, node.label),
                equation.shape(order),
            )
        ]
    axes = tuple(range(len(equation.out), len(order)))
    attributes = {"axes": axes, "keepdims": 0}
    last = Node("ReduceSum", (turned,), node.outputs, attributes, node.label)
    return [(first, equation.shape(order)), (last, equation.shape(equation.out))]
