"""Sequences of tensors whose number is known before anything runs: each tensor stands for itself.

What puts tensors into a sequence and takes them out is no operator then; what joins or splits them
is Concat or Split. https://onnx.ai/onnx/operators (SequenceConstruct and those beside it)
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto, helper

from discosim.errors import DiscosimError
from discosim.importers.onnx.control import Scope, number_of, refusal, repeat, tag_of, widened

MAPPED = "SequenceMap"
LISTS = frozenset(
    (
        "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert",
        "SequenceLength", "ConcatFromSequence", "SplitToSequence", MAPPED,
    )
)  # fmt: skip


def reads_list(scope: Scope, node: NodeProto) -> bool:
    """Return whether an operator is one on sequences, or is given one."""
    return node.op_type in LISTS or any(name in scope.lists for name in node.input)


def follow(scope: Scope, node: NodeProto, attributes: Mapping[str, Any]) -> None:
    """Put what an operator on sequences does at the end; raises DiscosimError if not known."""
    op, out = node.op_type, node.output[0]
    if op == "SequenceEmpty":
        scope.lists[out] = []
    elif op == "SequenceConstruct":
        scope.lists[out] = list(node.input)
    elif op == "SplitToSequence":
        scope.lists[out] = _split(scope, node, attributes)
    elif op == MAPPED:
        _map(scope, node, attributes["body"])
    else:
        _on_list(scope, node, attributes)


def _on_list(scope: Scope, node: NodeProto, attributes: Mapping[str, Any]) -> None:
    op, out = node.op_type, node.output[0]
    items = scope.lists.get(node.input[0])
    if items is None:
        raise refusal(scope, node, node.input[0], "is given")
    if op == "Identity":
        scope.lists[out] = items
    elif op == "SequenceLength":
        scope.know(out, np.array(len(items), dtype=np.int64))
    elif op == "SequenceAt":
        item = items[_place(scope, node, 1, len(items), len(items) - 1)]
        scope.take(helper.make_node("Identity", [item], [out], name=node.name))
    elif op == "SequenceInsert":
        at = _place(scope, node, 2, len(items), len(items))
        scope.lists[out] = [*items[:at], node.input[1], *items[at:]]
    elif op == "SequenceErase":
        at = _place(scope, node, 1, len(items), len(items) - 1)
        scope.lists[out] = [*items[:at], *items[at + 1 :]]
    elif op == "ConcatFromSequence":
        _join(scope, node, items, int(attributes["axis"]), bool(attributes.get("new_axis")))
    else:
        raise refusal(scope, node, node.input[0], "is given the sequence")


def _place(scope: Scope, node: NodeProto, operand: int, count: int, last: int) -> int:
    """A place in a sequence, counted from its end where it is negative; `last` if not given."""
    given = node.input[operand] if operand < len(node.input) else ""
    at = number_of(scope, node, given, "goes by") if given else last
    place = at + count if at < 0 else at
    if not 0 <= place <= last:
        raise DiscosimError(
            f"{scope.name}: {node.op_type} {tag_of(node)!r} goes to place {at} of {count} tensors"
        )
    return place


def _join(scope: Scope, node: NodeProto, items: Sequence[str], axis: int, wide: bool) -> None:
    if not items:
        raise DiscosimError(f"{scope.name}: {node.op_type} {tag_of(node)!r} joins no tensors")
    if wide:
        rank = len(scope.shapes[items[0]]) + 1
        items = [
            widened(scope, item, axis % rank, f"{tag_of(node)}.{n}") for n, item in enumerate(items)
        ]
    scope.take(helper.make_node("Concat", items, [node.output[0]], axis=axis, name=node.name))


def _split(scope: Scope, node: NodeProto, attributes: Mapping[str, Any]) -> list[str]:
    """The parts of a tensor: of one size but for the last, of sizes that are given, or of one."""
    source, given = (*node.input, "")[:2]
    shape = scope.shapes.get(source)
    if shape is None:
        raise refusal(scope, node, source, "splits")
    axis = int(attributes.get("axis", 0)) % max(1, len(shape))
    sizes = scope.numbers.get(given) if given else np.array(1)
    if sizes is None:
        raise refusal(scope, node, given, "goes by")
    lengths = [int(size) for size in sizes.ravel()]
    if not sizes.ndim:
        full, left = divmod(shape[axis], max(1, lengths[0]))
        lengths = [lengths[0]] * full + [left] * bool(left)
    stem = tag_of(node)
    parts = [f"{node.output[0]}~{n}" for n in range(len(lengths))]
    if scope.opset < 13:
        scope.take(helper.make_node("Split", [source], parts, name=stem, axis=axis, split=lengths))
    else:
        scope.know(f"{stem}~sizes", np.array(lengths, dtype=np.int64))
        scope.take(
            helper.make_node("Split", [source, f"{stem}~sizes"], parts, name=stem, axis=axis)
        )
    if given or attributes.get("keepdims", 1):
        return parts
    narrow = [f"{part}~narrow" for part in parts]
    shape = (*shape[:axis], *shape[axis + 1 :])
    scope.know(f"{stem}~shape", np.array(shape, dtype=np.int64))
    for part, name in zip(parts, narrow, strict=True):
        scope.take(helper.make_node("Reshape", [part, f"{stem}~shape"], [name]))
    return narrow


def _map(scope: Scope, node: NodeProto, body: GraphProto) -> None:
    """Put a body at the end for each tensor of a sequence, in step with further sequences."""
    first = scope.lists.get(node.input[0])
    if first is None:
        raise refusal(scope, node, node.input[0], "is given")
    scope.hold(body)
    made: list[list[str]] = []
    for number in range(len(first)):
        entering = [
            scope.lists[name][number] if name in scope.lists else name for name in node.input
        ]
        made.append(repeat(scope, body, entering, f"{tag_of(node)}.{number}"))
    for output, name in enumerate(node.output):
        if name:
            scope.lists[name] = [each[output] for each in made]
