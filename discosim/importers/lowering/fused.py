"""Operators that ONNX Runtime's optimiser puts in the place of several of ONNX's own.

https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from collections.abc import Mapping, Sequence
from typing import Any

from discosim.graph.layer import Shape
from discosim.importers.lowering.caches import fused_attention, fused_shapes
from discosim.importers.lowering.heads import (
    GROUPED,
    MULTI_HEAD,
    ROTARY,
    attention_of_heads,
    head_shapes,
    rotated,
)
from discosim.importers.lowering.program import Node
from discosim.importers.lowering.writer import Writer

MICROSOFT = "com.microsoft"
NORMS = {
    "SkipLayerNormalization": "LayerNormalization",
    "SkipSimplifiedLayerNormalization": "RMSNormalization",
    "SimplifiedLayerNormalization": "RMSNormalization",
}
ATTENTION = "Attention"
ATTENDS, TURNS = f"{MICROSOFT}.{ATTENTION}", f"{MICROSOFT}.{ROTARY}"
CALLED = {ATTENTION: ATTENDS, ROTARY: TURNS}
"""What is called otherwise here: ONNX has one of its own, with other operands."""
HEADS = (MULTI_HEAD, GROUPED)
# fmt: off
FUSED = (
    "Gelu", "BiasGelu", "FastGelu", "QuickGelu", "FusedMatMul", *NORMS, *HEADS, *CALLED,
    *CALLED.values(),
)
# fmt: on


def shapes_of(op: str, attributes: Mapping[str, Any], given: Sequence[Shape]) -> list[Shape] | None:
    """Return the shapes of a fused operator's outputs, None where its operands do not fit.

    given: the operands' shapes, () for one that is left out.
    """
    if op in NORMS:
        single = (*given[0][:-1], 1)
        return [given[0], single, single, given[0]]
    if op == ATTENTION:
        return fused_shapes(attributes, given)
    if op in HEADS:
        return head_shapes(op, attributes, given)
    if op != "FusedMatMul":
        return [given[0]]
    left, right = (
        (*shape[:-2], shape[-1], shape[-2]) if attributes.get(turned) else shape
        for shape, turned in zip(given[:2], ("transA", "transB"), strict=True)
    )
    if min(len(left), len(right)) < 2 or left[-1] != right[-2]:
        return None
    longer = max(left[:-2], right[:-2], key=len)
    return [(*longer, left[-2], right[-1])]


def fused_steps(writer: Writer, node: Node) -> list[Node]:
    """Return ONNX's own operators that a fused one stands for."""
    if node.op == "FusedMatMul":
        first = "...ji" if node.attributes.get("transA") else "...ij"
        second = "...kj" if node.attributes.get("transB") else "...jk"
        equation = f"{first},{second}->...ik"
        return [Node("Einsum", node.inputs[:2], node.outputs, {"equation": equation}, node.label)]
    if node.op in NORMS:
        return _norm(writer, node)
    if node.op == ATTENDS:
        return fused_attention(writer, node)
    if node.op in HEADS:
        return attention_of_heads(writer, node)
    if node.op in (ROTARY, TURNS):
        return rotated(writer, node, node.inputs[1:4])
    added = node.inputs[1] if len(node.inputs) > 1 else ""
    made, steps = _added(writer, node, node.inputs[0], [added])
    return [*steps, Node("Gelu", (made,), node.outputs, {}, node.label)]


def _norm(writer: Writer, node: Node) -> list[Node]:
    """A sum, of which a further output is handed out, and its norm."""
    skips = node.op.startswith("Skip")
    kept = (*node.inputs, "", "", "", "")
    biased = node.op == "SkipLayerNormalization"
    beside = [kept[1], kept[4 if biased else 3]] if skips else []
    scales = kept[2 : 4 if biased else 3] if skips else kept[1:2]
    made, steps = _added(writer, node, kept[0], beside)
    operands = (made, *filter(None, scales))
    last = Node(NORMS[node.op], operands, node.outputs[:3], {"axis": -1}, node.label)
    handed = node.outputs[3:4] if skips else ()
    shared = [Node("Identity", (made,), (name,), {}, node.label) for name in handed if name]
    return [*steps, *shared, last]


def _added(
    writer: Writer, node: Node, made: str, operands: Sequence[str]
) -> tuple[str, list[Node]]:
    """The operators that add those operands that are given, one after the other."""
    steps = []
    for number, operand in enumerate(filter(None, operands)):
        name = f"{node.outputs[0]}~{number}"
        writer.shapes[name], writer.uses[name] = writer.shapes[made], 1
        steps.append(Node("Add", (made, operand), (name,), {}, f"{node.label}.add"))
        made = name
    return made, steps
