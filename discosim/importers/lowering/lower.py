"""From a program to a network: every node by the operator table, then blocks."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from discosim.errors import DiscosimError
from discosim.graph.network import Network
from discosim.importers.lowering.blocks import write_blocks
from discosim.importers.lowering.exchange import exchange
from discosim.importers.lowering.ops import COMPUTED, TABLE
from discosim.importers.lowering.products import write_scores
from discosim.importers.lowering.program import Constant, Node, Program
from discosim.importers.lowering.spelled import written_out
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
    outputs = _outputs(writer)
    if not writer.net.names():
        raise DiscosimError(f"{program.name}: nothing is computed between its input and output")
    writer.net.reorder(sorted(writer.net.names(), key=writer.made.__getitem__))
    writer.name_shared()
    write_blocks(writer.net, outputs)
    return writer.net.build(writer.remarks, program.dtype, outputs, program.notes)


def _outputs(writer: Writer) -> list[str]:
    """The tensors that the program wants, each of them whole; not its inputs and constants."""
    views: dict[str, list[View]] = {}
    for name in dict.fromkeys(writer.program.outputs):
        if not isinstance(writer.value(name), Constant):
            view = writer.view(name)
            views.setdefault(view.tensor, []).append(view)
    outputs = []
    for tensor, parts in views.items():
        if writer.is_input(tensor):
            continue
        if sum(prod(part.shape) for part in parts) >= prod(writer.net.shape(tensor)):
            outputs.append(tensor)
        else:
            outputs += [writer.whole(part, f"{tensor}.output").tensor for part in parts]
    if not outputs and writer.net.names():
        raise DiscosimError(f"{writer.program.name}: no output of it is computed")
    return outputs


def _lower(writer: Writer, node: Node) -> None:
    if all(name in writer.program.constants for name in node.outputs):
        return
    values = [writer.value(name) for name in node.inputs if name]
    if values and all(isinstance(value, Constant) for value in values):
        _fold(writer, node, values)
    elif not values:  # random numbers, as of dropout
        for output in range(len(node.outputs)):
            writer.give(node, Constant(writer.shape(node, output)), output)
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
    for value in values:
        parameters.update(value.parameters if isinstance(value, Constant) else {})
    for output, name in enumerate(node.outputs):
        if name:
            shape, held = writer.shape(node, output), parameters
            if node.op == "Split":  # each part holds its own
                held = {f"{x}[{output}]": min(n, prod(shape)) for x, n in parameters.items()}
            writer.give(node, Constant(shape, held), output)


def _handle(writer: Writer, node: Node) -> None:
    """Call the operator's handler, or write an exchange where it would not read an operand."""
    for at in range(COMPUTED.get(node.op, 1), len(node.inputs)):
        name = node.inputs[at]
        if name and not isinstance(writer.value(name), Constant):
            reason = f"{node.op} whose {name!r} is computed; costed as a full exchange"
            exchange(writer, node, reason, op="opaque")
            return
    TABLE[node.op](writer, node)


def _wanted(program: Program) -> tuple[Node, ...]:
    """The nodes that an output depends on."""
    wanted = set(program.outputs)
    kept = []
    for node in reversed(program.nodes):
        if wanted & set(node.outputs):
            wanted |= set(node.inputs)
            kept.append(node)
    return tuple(reversed(kept))
