"""What is not understood, or cannot be placed: all operands go to all nodes."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from discosim.graph.layer import Shape
from discosim.graph.network import INPUT
from discosim.importers.lowering.layout import Axes, features, plain
from discosim.importers.lowering.program import Constant, Node
from discosim.importers.lowering.values import View
from discosim.importers.lowering.writer import Writer

NO_AXES: Mapping[str, Axes] = {}


def exchange(
    writer: Writer,
    node: Node,
    reason: str,
    *,
    op: str = "exchange",
    terms: int = 0,
    function: str = "",
    operands: Sequence[View] = (),
    in_shapes: Sequence[Shape] | None = None,
    axes: Mapping[str, Axes] = NO_AXES,
) -> None:
    """Write a node as a full exchange: every output is taken to depend on every input.

    It is one row, whose output is the largest that anybody wants; the others stand beside it.
    terms: the products that are summed, as the row's operator counts them; operands, axes: of
    the inputs and the outputs, where a handler knows them.
    """
    read = operands or _computed(writer, node)
    constants = [
        value for name in node.inputs if name and isinstance(value := writer.values[name], Constant)
    ]
    learned = {name: n for each in constants for name, n in each.parameters.items()}
    tensors = list(dict.fromkeys(view.tensor for view in read))
    named = [name for name in node.outputs if name]
    wanted = [name for name in named if writer.uses[name]] or named
    wanted.sort(key=lambda name: -prod(writer.shapes[name]))
    fields: dict[str, Any] = {
        "learned": sum(learned.values()), "terms": terms, "function": function,
    }  # fmt: skip
    for name in wanted:
        shape = writer.shapes[name]
        likely = writer.features_at(name, _likely_features(shape, read[0]))
        lie = axes.get(name) or plain(shape, likely)
        if name == wanted[0]:
            main = writer.row(op, node.label, tensors, lie, in_shapes=in_shapes, **fields)
            writer.values[name] = main
        else:
            beside(writer, node, main.tensor, node.outputs.index(name), lie)
    writer.reads(main.tensor, learned)
    writer.remarks[main.tensor] = reason


def beside(writer: Writer, node: Node, main: str, output: int, lie: Axes | None = None) -> None:
    """Write a further output of a node, made with the row `main`; lie: where its features are."""
    shape = writer.shape(node, output)
    likely = writer.features_at(node.outputs[output], (1 if len(shape) > 3 else len(shape) - 1))
    axes = lie or plain(shape, likely if shape else None)
    label = f"{node.label}.{output}"
    writer.values[node.outputs[output]] = writer.row("side_output", label, (main,), axes)


def _computed(writer: Writer, node: Node) -> list[View]:
    """The operands of a node that are no constants, or the input where there is none."""
    names = [n for n in node.inputs if n and not isinstance(writer.values[n], Constant)]
    views = [writer.settle(writer.view(name), node.label) for name in names]
    return views or [View(INPUT, writer.entering(writer.program.inputs[0]))]


def _likely_features(shape: Shape, like: View) -> int | None:
    """The axis on which the features of an unknown operator's output lie, most likely."""
    at = [axis for axis, atoms in enumerate(like.axes) if features(atoms)]
    if at and len(at) == 1 and at[0] < len(shape) and len(shape) == len(like.axes):
        return at[0]
    if not shape:
        return None
    return 1 if len(shape) > 3 else len(shape) - 1
