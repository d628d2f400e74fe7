"""Operators that ONNX Runtime's optimiser puts in the place of several of ONNX's own.

https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from collections.abc import Mapping, Sequence
from typing import Any

from discosim.graph.layer import Shape
from discosim.importers.lowering.program import Node
from discosim.importers.lowering.writer import Writer

MICROSOFT = "com.microsoft"
NORMS = {
    "SkipLayerNormalization": "LayerNormalization",
    "SkipSimplifiedLayerNormalization": "RMSNormalization",
    "SimplifiedLayerNormalization": "RMSNormalization",
}
ATTENTION = "Attention"
ATTENDS = "com.microsoft.Attention"
"""What that is called here: ONNX has one of its own, with other operands."""
MOST_OPERANDS = 4
"""Of attention: its input, weights, bias and mask; not keys of before."""
FUSED = ("Gelu", "BiasGelu", "FastGelu", "QuickGelu", "FusedMatMul", ATTENTION, ATTENDS, *NORMS)


def shapes_of(op: str, attributes: Mapping[str, Any], given: Sequence[Shape]) -> list[Shape] | None:
    """Return the shapes of a fused operator's outputs, None where its operands do not fit.

    given: the operands' shapes, () for one that is left out.
    """
    if op in NORMS:
        single = (*given[0][:-1], 1)
        return [given[0], single, single, given[0]]
    if op == ATTENTION:
        fits = len(given[0]) == 3 and len(given[1]) == 2 and given[1][1] % 3 == 0
        plain = not attributes.get("qkv_hidden_sizes") and not any(given[MOST_OPERANDS:])
        return [(*given[0][:2], given[1][1] // 3)] if fits and plain else None
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
        return _attention(writer, node)
    added = node.inputs[1] if len(node.inputs) > 1 else ""
    made, steps = _added(writer, node, node.inputs[0], [added])
    return [*steps, Node("Gelu", (made,), node.outputs, {}, node.label)]


def _attention(writer: Writer, node: Node) -> list[Node]:
    """Queries, keys and values by one matrix, and attention of their heads."""
    source, weight, bias, mask = (*node.inputs, "", "")[:MOST_OPERANDS]
    batch, tokens, width = writer.shape(node)
    names = [f"{node.outputs[0]}~{part}" for part in ("all", "q", "k", "v", "mask")]
    writer.shapes[names[0]] = (batch, tokens, 3 * width)
    writer.shapes.update(dict.fromkeys(names[1:4], (batch, tokens, width)))
    writer.uses.update(dict.fromkeys(names, 1))
    product = Node("Gemm", tuple(filter(None, (source, weight, bias))), (names[0],), {}, node.label)
    steps = [product, Node("Split", (names[0],), tuple(names[1:4]), {"axis": 2}, node.label)]
    heads = int(node.attributes.get("num_heads", 1))
    attributes = {"q_num_heads": heads, "kv_num_heads": heads}
    operands = tuple(names[1:4])
    if mask and len(writer.shapes[mask]) == 2:  # of the keys
        writer.shapes[names[4]] = (batch, 1, 1, writer.shapes[mask][1])
        steps.append(Node("Reshape", (mask,), (names[4],), {}, f"{node.label}.mask"))
        operands = tuple(names[1:])
    label = f"{node.label}.attention"
    return [*steps, Node("Attention", operands, node.outputs[:1], attributes, label)]


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
