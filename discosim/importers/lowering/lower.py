"""From a program to a network: every node by the operator table, then blocks."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from discosim.errors import DiscosimError, some_of
from discosim.graph.network import Network
from discosim.importers.lowering.blocks import write_blocks
from discosim.importers.lowering.exchange import beside, exchange
from discosim.importers.lowering.fused import FUSED, fused_steps
from discosim.importers.lowering.layout import features
from discosim.importers.lowering.ops import COMPUTED, TABLE
from discosim.importers.lowering.products import write_scores
from discosim.importers.lowering.program import (
    MOVING,
    SELECTING,
    Constant,
    Node,
    Program,
    base_of,
    part_of,
    which_part,
)
from discosim.importers.lowering.spelled import STATISTICS, written_out
from discosim.importers.lowering.values import Value, View
from discosim.importers.lowering.writer import Writer


def lower(program: Program) -> Network:
    """Return the network of a program; raises DiscosimError for what cannot be costed."""
    if not program.inputs:
        raise DiscosimError(f"{program.name}: it has no input, so nothing in it depends on one")
    program = replace(program, nodes=_wanted(program))
    writer = Writer(program, write_scores)
    for number, node in enumerate(program.nodes):
        writer.now = number
        _lower(writer, node)
    outputs, kept = _outputs(writer)
    if not writer.net.names():
        raise DiscosimError(f"{program.name}: nothing is computed between its input and output")
    writer.net.reorder(sorted(writer.net.names(), key=writer.made.__getitem__))
    writer.keep_whole(_stored(program))
    writer.name_shared()
    write_blocks(writer.net, outputs)
    notes = (
        *program.notes,
        *dict.fromkeys(writer.notes),
        *writer.made_weights(),
        *_taken(program),
        *_unread(program),
    )
    return writer.net.build(writer.remarks, program.dtype, outputs, notes, kept)


def _stored(program: Program) -> dict[str, int]:
    """Elements of all parameters of a program, whole."""
    constants = program.constants.values()
    held = {name: n for each in constants for name, n in each.parameters.items()}
    return {name: n for name, n in held.items() if name == base_of(name)}


def _taken(program: Program) -> tuple[str, ...]:
    """The notes on constants that are read and taken to be no parameters."""
    read = {
        name
        for node in program.nodes
        for at, name in enumerate(node.inputs)
        if node.op != "BatchNormalization" or at not in STATISTICS
    }
    found: dict[str, dict[str, int]] = {}
    for name, constant in program.constants.items():
        if name in read and constant.taken_for:
            found.setdefault(constant.taken_for, {})[name] = prod(constant.shape)
    return tuple(
        f"{sum(each.values()):,} numbers are {what}: {some_of(list(each))}"
        for what, each in found.items()
    )


def _unread(program: Program) -> tuple[str, ...]:
    """The note on parameters that nothing reads on which an output depends, if there are any."""
    read = {name for node in program.nodes for name in node.inputs} | set(program.outputs)
    used: set[str] = set()
    held: dict[str, int] = {}
    for name, constant in program.constants.items():
        if name in read:
            used |= set(constant.parameters)
        else:
            held.update(constant.parameters)
    left = {name: n for name, n in held.items() if not {name, base_of(name)} & used}
    if not left:
        return ()
    return (
        f"{sum(left.values()):,} parameters are read by nothing on which an output depends, and "
        f"do not count: {some_of(list(left))}",
    )


def _outputs(writer: Writer) -> tuple[list[str], list[str]]:
    """The tensors that the program wants, each of them whole, and the inputs among them.

    A constant is one where it holds parameters.
    """
    wanted = {name: writer.value(name) for name in writer.program.outputs}
    if all(isinstance(value, Constant) for value in wanted.values()):
        raise DiscosimError(f"{writer.program.name}: no output of it is computed")
    views: dict[str, list[View]] = {}
    for name, value in wanted.items():
        if not isinstance(value, Constant) or value.parameters:
            view = writer.view(name)
            views.setdefault(view.tensor, []).append(view)
    outputs, kept = [], []
    for tensor, parts in views.items():
        if writer.is_input(tensor):
            kept.append(tensor)
            continue
        shape = writer.net.shape(tensor)
        wide = [part for part in parts if prod(part.shape) > prod(shape)]  # repeated on the way
        once = [part for part in parts if part not in wide]
        whole = any(map(writer.covers, once))
        if whole or len(set().union(*map(_features_of, once))) == shape[0]:
            outputs.append(tensor)
            once = []
        apart = {_features_of(part): part for part in once}
        rows = [writer.whole(part, f"{tensor}.output") for part in (*wide, *apart.values())]
        outputs += [row.tensor for row in rows]
    if not outputs and writer.net.names():
        raise DiscosimError(f"{writer.program.name}: no output of it is computed")
    return outputs, kept


def _features_of(view: View) -> tuple[int, ...]:
    """The features of its tensor that a view goes through."""
    found = [view.start]
    for size, stride in (atom for atoms in view.axes for atom in features(atoms)):
        found = [first + index * stride for first in found for index in range(size)]
    return tuple(found)


def _lower(writer: Writer, node: Node) -> None:
    if all(name in writer.program.constants for name in node.outputs):
        return
    values = [writer.value(name) for name in node.inputs if name]
    if values and all(isinstance(value, Constant) for value in values):
        _fold(writer, node, values)
    elif not values:  # random numbers, as of dropout
        for output in range(len(node.outputs)):
            writer.give(node, Constant(writer.shape(node, output)), output)
    elif node.op in FUSED and node.op not in TABLE:
        for step in fused_steps(writer, node):
            _lower(writer, step)
    elif node.op not in TABLE:
        exchange(writer, node, f"{node.op} is not understood", op="opaque")
    else:
        steps = written_out(writer, node)
        if steps == [node]:
            _handle(writer, node)
        else:
            for step in steps:
                _lower(writer, step)


def _fold(writer: Writer, node: Node, values: Sequence[Value]) -> None:
    """Give outputs that depend on constants alone: they hold the parameters of these."""
    parameters: dict[str, int] = {}
    scaled = node.op in ("QuantizeLinear", "DequantizeLinear")  # by numbers that nobody learned
    for value in values[:1] if scaled else values:
        parameters.update(value.parameters if isinstance(value, Constant) else {})
    numbers = [value.value for value in values[1:] if isinstance(value, Constant)]
    for output, name in enumerate(node.outputs):
        if name:
            shape, held = writer.shape(node, output), parameters
            if node.op in SELECTING:
                held = part_of(parameters, shape, which_part(output, numbers, node.attributes))
            zero = node.op in MOVING and isinstance(values[0], Constant) and values[0].is_zero
            writer.give(node, Constant(shape, held, is_zero=zero), output)


def _handle(writer: Writer, node: Node) -> None:
    """Call the operator's handler, or write an exchange where it would not read an operand."""
    for at in range(COMPUTED.get(node.op, 1), len(node.inputs)):
        name = node.inputs[at]
        if name and not isinstance(writer.value(name), Constant):
            reason = f"{node.op} whose {name!r} is computed; costed as a full exchange"
            exchange(writer, node, reason, op="opaque")
            return
    TABLE[node.op](writer, node)
    first = node.outputs[0]
    for output, name in enumerate(node.outputs):
        if name and writer.uses[name] and name not in writer.values:
            beside(writer, node, writer.view(first).tensor, output)


def _wanted(program: Program) -> tuple[Node, ...]:
    """The nodes that an output depends on."""
    wanted = set(program.outputs)
    kept = []
    for node in reversed(program.nodes):
        if wanted & set(node.outputs):
            wanted |= set(node.inputs)
            kept.append(node)
    return tuple(reversed(kept))
