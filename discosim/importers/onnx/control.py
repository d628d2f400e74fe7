"""Control flow whose course is known before it runs: branches taken, loops written out.

The operators of the branch or of the loop's body stand in the graph then, one after the other.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from onnx import AttributeProto, GraphProto, NodeProto, helper

from discosim.errors import DiscosimError
from discosim.graph.layer import Shape
from discosim.importers.lowering.program import Constant
from discosim.importers.onnx.initializers import stored

BRANCHES, LOOPS, SCANS = "If", "Loop", "Scan"
CONTROL_FLOW = (BRANCHES, LOOPS, SCANS)
REPEATED = "~"
"""Stands between the name of a tensor in a loop's body and the repetition that makes it."""
FLOW = "is control flow that goes by"
MOST_NODES = 100_000
"""Operators that loops are written out to."""


class Scope(Protocol):
    """The graph so far: what is known of its tensors, and where operators are put."""

    name: str
    opset: int
    numbers: dict[str, Any]
    shapes: dict[str, Shape]
    constants: dict[str, Constant]
    lists: dict[str, list[str]]
    notes: list[str]
    makers: dict[str, NodeProto]
    settable: list[str]

    def know(self, tensor: str, numbers: Any) -> None:
        """Give a tensor its numbers."""

    def hold(self, graph: GraphProto) -> None:
        """Take the constants of a subgraph in."""

    def take(self, node: NodeProto) -> None:
        """Put an operator at the end."""


def unfold(scope: Scope, node: NodeProto, attributes: Mapping[str, Any]) -> None:
    """Put what a control flow operator does at the end; raises DiscosimError if it is not known."""
    if node.op_type == BRANCHES:
        _branch(scope, node, attributes)
    elif node.op_type == LOOPS:
        _loop(scope, node, attributes["body"])
    else:
        _scan(scope, node, attributes)


def _branch(scope: Scope, node: NodeProto, attributes: Mapping[str, Any]) -> None:
    condition = scope.numbers.get(node.input[0])
    if condition is None or condition.size != 1:
        raise refusal(scope, node, node.input[0])
    taken, left = ("then_branch", "else_branch")[:: 1 if condition.ravel()[0] else -1]
    branch, other = attributes[taken], attributes[left]
    unused = stored(other).total()
    if unused:
        scope.notes.append(
            f"{unused:,} parameters in the branch of {node.op_type} {tag_of(node)!r} that is not "
            f"taken ({left}) do not count"
        )
    scope.hold(branch)
    for inner in branch.node:
        scope.take(inner)
    made = [value.name for value in branch.output]
    for outer, inner_name in zip(node.output, made, strict=True):
        scope.take(helper.make_node("Identity", [inner_name], [outer], name=node.name or outer))


def _loop(scope: Scope, node: NodeProto, body: GraphProto) -> None:
    """Carried tensors pass from body to body; each further output is the bodies' side by side."""
    count_name, condition_name, *carried = [*node.input, "", ""][: max(2, len(node.input))]
    most = number_of(scope, node, count_name) if count_name else MOST_NODES
    goes_on = bool(number_of(scope, node, condition_name)) if condition_name else True
    scope.hold(body)
    tag, count = tag_of(node), 0
    scanned: list[list[str]] = [[] for _ in body.output[1 + len(carried) :]]
    while goes_on and count < most:
        _check_size(scope, node, body, count)
        number, condition = f"{tag}.{count}.number", f"{tag}.{count}.condition"
        scope.know(number, np.array(count, dtype=np.int64))
        scope.know(condition, np.array(True))
        again, *made = repeat(scope, body, [number, condition, *carried], f"{tag}.{count}")
        goes_on = bool(number_of(scope, node, again))
        carried, rest = made[: len(carried)], made[len(carried) :]
        for parts, part in zip(scanned, rest, strict=True):
            parts.append(widened(scope, part, 0))
        count += 1
    _hand_out(scope, node, carried, scanned, [0] * len(scanned))


def _scan(scope: Scope, node: NodeProto, attributes: Mapping[str, Any]) -> None:
    """As a loop over the slices of some of its inputs."""
    body = attributes["body"]
    over = int(attributes["num_scan_inputs"])
    carried, sliced = list(node.input[: len(node.input) - over]), node.input[-over:]
    axes = list(attributes.get("scan_input_axes") or [0] * over)
    backwards = list(attributes.get("scan_input_directions") or [0] * over)
    count_out = len(body.output) - len(carried)
    out_axes = list(attributes.get("scan_output_axes") or [0] * count_out)
    shape = scope.shapes.get(sliced[0])
    if shape is None:
        raise refusal(scope, node, sliced[0])
    scope.hold(body)
    tag = tag_of(node)
    scanned: list[list[str]] = [[] for _ in range(count_out)]
    length = shape[axes[0]]
    for number in range(length):
        _check_size(scope, node, body, number)
        entering = list(carried)
        for each, name in enumerate(sliced):
            index, part = f"{tag}.{number}.index{each}", f"{tag}.{number}.slice{each}"
            at = length - 1 - number if backwards[each] else number
            scope.know(index, np.array(at, dtype=np.int64))
            scope.take(helper.make_node("Gather", [name, index], [part], axis=axes[each]))
            entering.append(part)
        made = repeat(scope, body, entering, f"{tag}.{number}")
        carried, rest = made[: len(carried)], made[len(carried) :]
        for parts, part, axis in zip(scanned, rest, out_axes, strict=True):
            parts.append(widened(scope, part, axis))
    _hand_out(scope, node, carried, scanned, out_axes)


def _hand_out(
    scope: Scope,
    node: NodeProto,
    carried: Sequence[str],
    scanned: Sequence[Sequence[str]],
    axes: Sequence[int],
) -> None:
    for outer, inner in zip(node.output, carried, strict=False):
        if outer:
            scope.take(helper.make_node("Identity", [inner], [outer]))
    for outer, parts, axis in zip(node.output[len(carried) :], scanned, axes, strict=False):
        if outer and not parts:
            raise DiscosimError(f"{scope.name}: {node.op_type} {tag_of(node)!r} runs no time")
        if outer:
            scope.take(helper.make_node("Concat", parts, [outer], axis=axis, name=outer))


def repeat(scope: Scope, body: GraphProto, entering: Sequence[str], tag: str) -> list[str]:
    """Put a body at the end, with names of its own; return what it makes."""
    names = dict(zip((value.name for value in body.input), entering, strict=True))
    for node in body.node:
        names |= {name: f"{name}{REPEATED}{tag}" for name in node.output if name}
        scope.take(_renamed(node, names, tag))
    return [names.get(value.name, value.name) for value in body.output]


def _renamed(node: NodeProto, names: Mapping[str, str], tag: str) -> NodeProto:
    """A copy of an operator that reads and makes other tensors, in its subgraphs too."""
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.name = f"{node.name}.{tag}" if node.name else ""
    for field in (copy.input, copy.output):
        field[:] = [names.get(name, name) for name in field]
    for attribute in copy.attribute:
        if attribute.type == AttributeProto.GRAPH:
            for inner in attribute.g.node:
                inner.CopyFrom(_renamed(inner, names, tag))
            for value in attribute.g.output:
                value.name = names.get(value.name, value.name)
    return copy


def widened(scope: Scope, tensor: str, axis: int, tag: str = "") -> str:
    """Return the tensor with an axis of one more, made for `tag`."""
    wide = f"{tensor}~wide{tag}"
    if scope.opset < 13:
        scope.take(helper.make_node("Unsqueeze", [tensor], [wide], axes=[axis]))
    else:
        scope.know(f"{wide}.axes", np.array([axis], dtype=np.int64))
        scope.take(helper.make_node("Unsqueeze", [tensor, f"{wide}.axes"], [wide]))
    return wide


def _check_size(scope: Scope, node: NodeProto, body: GraphProto, count: int) -> None:
    if (count + 1) * max(1, len(body.node)) > MOST_NODES:
        raise DiscosimError(
            f"{scope.name}: {node.op_type} {tag_of(node)!r} would be more than {MOST_NODES:,} "
            "operators; cut the file before it"
        )


def number_of(scope: Scope, node: NodeProto, tensor: str, what: str = FLOW) -> int:
    """Return a single number; raises DiscosimError where it is not known."""
    known = scope.numbers.get(tensor)
    if known is None or known.size != 1:
        raise refusal(scope, node, tensor, what)
    return int(known.ravel()[0])


def tag_of(node: NodeProto) -> str:
    """Return what an operator is called."""
    return node.name or next(filter(None, node.output), node.op_type)


def refusal(scope: Scope, node: NodeProto, tensor: str, what: str = FLOW) -> DiscosimError:
    """Return the error for what goes by data: what can be set, and where to cut the file."""
    inputs = _settings(scope, tensor)
    if inputs == [tensor]:
        why = f"an input that is not set: set it (--input {tensor}=1), or"
    elif inputs:
        follows = ", ".join(map(repr, inputs))
        given = ",".join(f"{name}=1" for name in inputs)
        why = f"which follows from the input {follows}: set it (--input {given}), or"
    else:
        why = "which is not known before it runs:"
    known = set(scope.shapes) - set(scope.constants)
    named = {*filter(None, node.input), *_captured(node)}
    read = sorted(named.union(*(scope.lists.get(name, ()) for name in named)) & known)
    listed = ", ".join(repr(name) for name in read[:4] if name != tensor) or "its inputs"
    return DiscosimError(
        f"{scope.name}: {node.op_type} {tag_of(node)!r} {what} "
        f"{tensor.partition(REPEATED)[0]!r}, "
        f"{why} cut the file there (onnx.utils.extract_model): before it at {listed}, behind it at "
        f"{', '.join(repr(name) for name in node.output if name)}"
    )


def _settings(scope: Scope, tensor: str) -> list[str]:
    """The inputs that a tensor follows from where `--input` can set all of them, else none."""
    todo, leaves = [tensor], set()
    seen = {"", tensor, *scope.constants}
    while todo:
        name = todo.pop()
        maker = scope.makers.get(name)
        if maker is None:
            leaves.add(name)
        else:
            todo += [each for each in maker.input if each not in seen]
            seen |= set(maker.input)
    return (
        [name for name in scope.settable if name in leaves] if leaves <= set(scope.settable) else []
    )


def _captured(node: NodeProto) -> Iterator[str]:
    """The tensors that the subgraphs of an operator read."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            for inner in attribute.g.node:
                yield from inner.input
                yield from _captured(inner)
