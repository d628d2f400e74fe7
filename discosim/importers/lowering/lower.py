"""From a program to a network: every node by the operator table, then blocks."""

from dataclasses import replace
from math import prod

from discosim.errors import DiscosimError
from discosim.graph.network import Network
from discosim.importers.lowering.blocks import write_blocks
from discosim.importers.lowering.ops import TABLE
from discosim.importers.lowering.products import write_scores
from discosim.importers.lowering.program import Constant, Node, Program
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
    for name in program.outputs:
        if not isinstance(writer.value(name), Constant):
            writer.view(name)
    for tensor, parameters in writer.looked_up.items():
        shared = sum(parameters[name] for name in writer.stored & set(parameters))
        if shared:  # with the last layer of a language model, mostly
            writer.net.amend(tensor, learned=writer.net.layer(tensor).learned - shared)
    if not writer.net.names():
        raise DiscosimError(f"{program.name}: nothing is computed between its input and output")
    writer.net.reorder(sorted(writer.net.names(), key=writer.made.__getitem__))
    write_blocks(writer.net)
    return writer.net.build(writer.remarks, program.dtype)


def _lower(writer: Writer, node: Node) -> None:
    if all(name in writer.program.constants for name in node.outputs):
        return
    values = [writer.value(name) for name in node.inputs if name]
    handler = TABLE.get(node.op)
    if values and all(isinstance(value, Constant) for value in values):
        parameters = {
            name: count
            for value in values
            if isinstance(value, Constant)
            for name, count in value.parameters.items()
        }
        for output, name in enumerate(node.outputs):
            if name:
                shape = writer.shape(node, output)
                held = parameters
                if node.op == "Split":  # each part holds its own
                    held = {each: min(n, prod(shape)) for each, n in parameters.items()}
                writer.give(node, Constant(shape, held), output)
    elif not values:  # random numbers, as of dropout
        for output in range(len(node.outputs)):
            writer.give(node, Constant(writer.shape(node, output)), output)
    elif handler is None:
        writer.exchange(node, f"{node.op} is not understood", op="opaque")
    else:
        handler(writer, node)


def _wanted(program: Program) -> tuple[Node, ...]:
    """The nodes that an output depends on."""
    wanted = set(program.outputs)
    kept = []
    for node in reversed(program.nodes):
        if wanted & set(node.outputs):
            wanted |= set(node.inputs)
            kept.append(node)
    return tuple(reversed(kept))
