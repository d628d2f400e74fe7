"""Attention with keys and values of before, and as ONNX Runtime fuses it with its matrix.

Written out in ONNX's own operators: what enters is joined before the new keys and values, attended
to, and handed out again where a file wants it.
https://onnx.ai/onnx/operators/onnx__Attention.html
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.Attention
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from discosim.graph.layer import Shape
from discosim.importers.lowering.program import NOTHING, Node
from discosim.importers.lowering.writer import Writer

LENGTHS = "attention takes key lengths; all keys count, also those beyond a length"


def fused_shapes(attributes: Mapping[str, Any], given: Sequence[Shape]) -> list[Shape] | None:
    """Return the shapes of com.microsoft.Attention's outputs, None where its operands do not fit.

    given: the operands' shapes, () for one that is left out: input, weights, bias, mask, past
    (2, batch, heads, before, size), a bias of the scores, the length of the past in its buffer.
    """
    source, weights, _, mask, past, added, used = (*given, *[()] * 7)[:7]
    heads = int(attributes.get("num_heads", 1))
    fits = len(source) == 3 and len(weights) == 2 and source[-1] == weights[0]
    if not fits or used or attributes.get("past_present_share_buffer") or (mask and added):
        return None
    widths = _widths(attributes, weights[1])
    if sum(widths) != weights[1] or any(width % heads for width in widths):
        return None
    batch, tokens, _ = source
    size = widths[2] // heads
    if past and (len(past) != 5 or past[:3] != (2, batch, heads) or past[4] != size):
        return None
    before = past[3] if past else 0
    if len(mask) > 2 and mask[-1] != before + tokens:
        return None
    return [(batch, tokens, widths[2]), (2, batch, heads, before + tokens, size)]


def _widths(attributes: Mapping[str, Any], together: int) -> Shape:
    """Features of queries, keys and values."""
    return tuple(attributes.get("qkv_hidden_sizes") or (together // 3,) * 3)


class Expansion:
    """The operators that one stands for, each with the shape of what it makes."""

    def __init__(self, writer: Writer, node: Node) -> None:
        self.writer, self.node = writer, node
        self.nodes: list[Node] = []

    def one(
        self,
        op: str,
        inputs: Sequence[str],
        shape: Shape,
        attributes: Mapping[str, Any] = NOTHING,
        *,
        output: str = "",
        label: str = "",
    ) -> str:
        """Put an operator at the end, making `output` if that is given; return what it makes."""
        return self.several(op, inputs, [shape], attributes, output=output, label=label)[0]

    def several(
        self,
        op: str,
        inputs: Sequence[str],
        shapes: Sequence[Shape],
        attributes: Mapping[str, Any] = NOTHING,
        *,
        output: str = "",
        label: str = "",
    ) -> list[str]:
        """The same of an operator with several outputs."""
        writer, stem = self.writer, f"{self.node.outputs[0]}~{self.node.op}~{len(self.nodes)}"
        names = [output or f"{stem}.{at}" for at, _ in enumerate(shapes)]
        for name, shape in zip(names, shapes, strict=True):
            writer.shapes[name] = shape
            writer.uses[name] = max(1, writer.uses[name])
        named = f"{self.node.label}{label}"
        self.nodes.append(Node(op, tuple(inputs), tuple(names), attributes, named))
        return names


def fused_attention(writer: Writer, node: Node) -> list[Node]:
    """Return queries, keys and values by one matrix, and the attention of their heads."""
    source, weights, bias, mask, past, added = (*node.inputs, *[""] * 6)[:6]
    batch, tokens, _ = writer.shapes[source]
    widths = _widths(node.attributes, writer.shapes[weights][1])
    steps = Expansion(writer, node)
    product = tuple(filter(None, (source, weights, bias)))
    made = steps.one("Gemm", product, (batch, tokens, sum(widths)))
    shapes = [(batch, tokens, width) for width in widths]
    operands = steps.several("Split", (made,), shapes, {"axis": 2})
    heads = int(node.attributes.get("num_heads", 1))
    kept = len(node.outputs) > 1 and bool(node.outputs[1])
    caches = ["", ""]
    before = writer.shapes[past][3] if past else 0
    if past:
        one = writer.shapes[past][1:]
        halves = steps.several("Split", (past,), [(1, *one)] * 2, {"axis": 0})
        caches = [steps.one("Reshape", (half,), one) for half in halves]
    beside = added or (mask_of(steps, mask, batch, before + tokens) if mask else "")
    presents = [f"{node.outputs[1]}~{at}" for at in (0, 1)] if kept else ["", ""]
    attributes = {"q_num_heads": heads, "kv_num_heads": heads}
    inputs, outputs = (*operands, beside, *caches), (node.outputs[0], *presents)
    steps.nodes.append(Node("Attention", inputs, outputs, attributes, f"{node.label}.attention"))
    if kept:
        whole = (batch, heads, before + tokens, widths[2] // heads)
        writer.shapes.update(dict.fromkeys(presents, whole))
        writer.uses.update(dict.fromkeys(presents, 1))
        wide = [steps.one("Reshape", (name,), (1, *whole)) for name in presents]
        steps.one("Concat", wide, (2, *whole), {"axis": 0}, output=node.outputs[1], label=".kv")
    return steps.nodes


def mask_of(steps: Expansion, mask: str, batch: int, keys: int) -> str:
    """Return a mask of the scores: by keys, by queries and keys, or how many keys count."""
    shape = steps.writer.shapes[mask]
    if len(shape) == 4:
        return mask
    if len(shape) == 3:
        return steps.one("Reshape", (mask,), (batch, 1, *shape[1:]), label=".mask")
    if len(shape) == 2:
        return steps.one("Reshape", (mask,), (batch, 1, 1, keys), label=".mask")
    steps.writer.notes.append(LENGTHS)
    wide = steps.one("Reshape", (mask,), (prod(shape), 1, 1, 1), label=".mask")
    return steps.one("Less", (wide,), (batch, 1, 1, keys), label=".mask")


def with_caches(writer: Writer, node: Node) -> list[Node]:
    """Return ONNX's own attention without caches, and the joins that make and hand them out.

    Operands: queries, keys, values, mask, past keys and values (batch, heads, before, size), and
    how many keys of each batch count.
    """
    mask, *caches, lengths = (*node.inputs[3:7], *[""] * 4)[:4]
    presents = (*node.outputs[1:3], "", "")[:2]
    if not any((*caches, *presents, lengths)):
        return [node]
    steps = Expansion(writer, node)
    heads = [int(node.attributes.get(f"{of}_num_heads") or 1) for of in ("q", "kv", "kv")]
    operands = [
        _by_heads(steps, name, count) for name, count in zip(node.inputs[:3], heads, strict=True)
    ]
    for at, (cache, present) in enumerate(zip(caches, presents, strict=True), start=1):
        operands[at] = _with_past(steps, operands[at], cache, present, f".{'kv'[at - 1]}")
    batch, count, tokens, _ = writer.shapes[operands[0]]
    if lengths:
        mask = _of_lengths(steps, mask, lengths, (tokens, writer.shapes[operands[1]][2]))
    shape = (batch, count, tokens, writer.shapes[operands[2]][-1])
    scores = (*node.outputs[3:4], "")[0]
    made = "" if len(writer.shape(node)) == 3 else node.outputs[0]
    out = steps.one("Attention", (*operands, *filter(None, (mask,))), shape, output=made)
    if scores:
        last = steps.nodes[-1]
        steps.nodes[-1] = replace(last, outputs=(*last.outputs, "", "", scores))
    if not made:
        turned = (batch, tokens, count, shape[-1])
        out = steps.one("Transpose", (out,), turned, {"perm": (0, 2, 1, 3)})
        steps.one("Reshape", (out,), writer.shape(node), output=node.outputs[0])
    return steps.nodes


def put_in(writer: Writer, node: Node) -> list[Node]:
    """Return the join that a write along one axis is, as of keys into a buffer; or the node.

    Where the other axes are covered whole, nothing moves but along that one.
    """
    shape, put = (writer.shapes[node.inputs[at]] for at in (0, 2))
    axis = int(node.attributes.get("axis", len(shape))) % (len(shape) + 1)
    beside = [(a, b) for at, (a, b) in enumerate(zip(shape, put, strict=True)) if at != axis]
    added = node.attributes.get("reduction", b"none") not in (b"none", "none")
    if axis == len(shape) or added or any(a != b for a, b in beside) or put[axis] > shape[axis]:
        return [node]
    steps = Expansion(writer, node)
    parts = [node.inputs[2]]
    if put[axis] < shape[axis]:
        left = (*shape[:axis], shape[axis] - put[axis], *shape[axis + 1 :])
        cut = {"starts": [put[axis]], "ends": [shape[axis]], "axes": [axis], "steps": [1]}
        parts.append(steps.one("Slice", node.inputs[:1], left, cut, label=".rest"))
    steps.one("Concat", parts, shape, {"axis": axis}, output=node.outputs[0])
    return steps.nodes


def _with_past(steps: Expansion, name: str, cache: str, present: str, label: str) -> str:
    """Keys or values with those of before, handed out as `present` where that is wanted."""
    batch, count, length, size = steps.writer.shapes[name]
    if not cache:
        shape = (batch, count, length, size)
        return steps.one("Identity", (name,), shape, output=present) if present else name
    shape = (batch, count, length + steps.writer.shapes[cache][2], size)
    attributes = {"axis": 2}
    return steps.one("Concat", (cache, name), shape, attributes, output=present, label=label)


def _of_lengths(steps: Expansion, mask: str, lengths: str, scores: Shape) -> str:
    """A mask of how many keys count, and of another mask where there is one."""
    steps.writer.notes.append(LENGTHS)
    [batch] = steps.writer.shapes[lengths]
    counted = steps.one("Reshape", (lengths,), (batch, 1, 1, 1), label=".lengths")
    if mask:
        return steps.one("Add", (mask, counted), (batch, 1, *scores), label=".lengths")
    return steps.one("Less", (counted,), (batch, 1, 1, scores[1]), label=".lengths")


def _by_heads(steps: Expansion, name: str, heads: int) -> str:
    """An operand of attention as (batch, heads, positions, size)."""
    shape = steps.writer.shapes[name]
    if len(shape) == 4:
        return name
    batch, tokens, width = shape
    split = steps.one("Reshape", (name,), (batch, tokens, heads, width // heads))
    turned = (batch, heads, tokens, width // heads)
    return steps.one("Transpose", (split,), turned, {"perm": (0, 2, 1, 3)})
