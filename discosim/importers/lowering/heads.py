"""Attention of queries, keys and values that are there already, as ONNX Runtime fuses it.

Written out in ONNX's own attention; rotations by position turn pairs of a head's features, and are
a function of each element.
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from discosim.graph.layer import Shape
from discosim.importers.lowering.caches import Expansion, mask_of
from discosim.importers.lowering.program import Constant, Node
from discosim.importers.lowering.writer import Writer

MULTI_HEAD = "MultiHeadAttention"
GROUPED = "GroupQueryAttention"
ROTARY = "RotaryEmbedding"


@dataclass(frozen=True)
class _Sizes:
    """Numbers of heads of queries and of keys, and the sizes of what they attend with."""

    batch: int
    tokens: int
    heads: int
    key_heads: int
    keys: int  # without those of before
    before: int
    size: int
    value_size: int

    @property
    def outputs(self) -> list[Shape]:
        """The output, keys and values handed out, and the scores."""
        total = self.before + self.keys
        caches = [(self.batch, self.key_heads, total, n) for n in (self.size, self.value_size)]
        out = (self.batch, self.tokens, self.heads * self.value_size)
        return [out, *caches, (self.batch, self.heads, self.tokens, total)]

    @property
    def kept(self) -> tuple[Shape, Shape]:
        """Keys and values of before."""
        caches = (self.batch, self.key_heads, self.before)
        return (*caches, self.size), (*caches, self.value_size)


def head_shapes(
    op: str, attributes: Mapping[str, Any], given: Sequence[Shape]
) -> list[Shape] | None:
    """Return the shapes of an attention's outputs, None where its operands do not fit.

    given: the operands' shapes, () for one that is left out.
    """
    sizes = _sizes(op, attributes, given)
    return None if sizes is None else sizes.outputs


def _sizes(op: str, attributes: Mapping[str, Any], given: Sequence[Shape]) -> _Sizes | None:
    padded = (*given, *[()] * 10)
    if op == MULTI_HEAD:
        query, key, value, _, padding, _, *past = padded[:8]
        heads = key_heads = int(attributes.get("num_heads") or 1)
        if padded[8] or padded[9]:  # a buffer of unknown length, beams
            return None
    else:
        query, key, value, *past = padded[:5]
        padding = ()
        heads, key_heads = (int(attributes.get(f"{of}num_heads") or 1) for of in ("", "kv_"))
    if len(query) == 5:  # queries, keys and values of a head one behind the other
        fits, (batch, tokens, size) = query[2:4] == (heads, 3) and not key, (*query[:2], query[4])
        keys, value_size = tokens, size
    elif len(query) == 3 and not key:
        batch, tokens, width = query
        together = heads + 2 * key_heads
        fits, keys, size = op == GROUPED and width % together == 0, tokens, width // together
        value_size = size
    elif len(query) == 3:
        batch, tokens, width = query
        size = width // heads
        fits, keys, value_size = _of_keys(key, value, (batch, key_heads, size))
        fits = fits and width % heads == 0
    else:
        return None
    before = past[0][2] if len(past[0]) == 4 else 0
    found = _Sizes(batch, tokens, heads, key_heads, keys, before, size, value_size)
    if any(past) and tuple(past) != found.kept:
        return None
    if len(padding) in (2, 3) and padding[-1] != before + keys:
        return None
    return found if fits and heads % key_heads == 0 else None


def _of_keys(key: Shape, value: Shape, like: Shape) -> tuple[bool, int, int]:
    """Whether keys and values fit (batch, heads, size), how many there are, a value's size."""
    batch, heads, size = like
    if len(key) == 5:  # keys and values of a head one behind the other
        return (key[0], *key[2:]) == (batch, heads, 2, size) and not value, key[1], size
    if len(key) == 4:
        fits = (*key[:2], key[3]) == like and value[:3] == key[:3]
        return fits and len(value) == 4, key[2], value[-1] if value else 0
    fits = len(key) == len(value) == 3 and (key[0], key[2]) == (batch, heads * size)
    fits = fits and value[:2] == key[:2] and value[2] % heads == 0
    return fits, key[1] if len(key) > 1 else 0, value[-1] // heads if value else 0


def attention_of_heads(writer: Writer, node: Node) -> list[Node]:
    """Return ONNX's own attention, and what is done before it with what it reads."""
    inputs = (*node.inputs, *[""] * 12)
    shapes = [writer.shapes[name] if name else () for name in inputs]
    sizes = _sizes(node.op, node.attributes, shapes)
    assert sizes is not None  # as its shapes were inferred
    steps = Expansion(writer, node)
    operands = _apart(steps, inputs[:3], sizes)
    if node.op == MULTI_HEAD:
        operands = _with_bias(steps, operands, inputs[3])
        mask = mask_of(steps, inputs[4], sizes.batch, sizes.outputs[3][-1]) if inputs[4] else ""
        mask, caches, lengths = _added(steps, mask, inputs[5]), inputs[6:8], ""
    else:
        caches, (lengths, _, *angles, places, mask, sink) = inputs[3:5], inputs[5:12]
        if node.attributes.get("do_rotary"):
            read = [*angles, places]
            operands[:2] = [_turned(steps, name, read) for name in operands[:2]]
        if sink:
            wide = (1, sizes.heads, 1, 1)
            mask = _added(steps, steps.one("Reshape", (sink,), wide, label=".sink"), mask)
        if lengths:
            lengths = steps.one("Reshape", (lengths,), (sizes.batch,), label=".lengths")
    attributes = {"q_num_heads": sizes.heads, "kv_num_heads": sizes.key_heads}
    steps.nodes.append(
        Node("Attention", (*operands, mask, *caches, lengths), node.outputs, attributes, node.label)
    )
    return steps.nodes


def _apart(steps: Expansion, given: Sequence[str], sizes: _Sizes) -> list[str]:
    """Queries, keys and values, each a tensor, (batch, tokens, features) or as they are given."""
    query, key, value = given
    if value:
        return [query, key, value]
    batch, tokens, heads = sizes.batch, sizes.tokens, sizes.heads
    if not key and len(steps.writer.shapes[query]) == 3:
        widths = [of * sizes.size for of in (heads, sizes.key_heads, sizes.key_heads)]
        return steps.several("Split", (query,), [(batch, tokens, n) for n in widths], {"axis": 2})
    packed, count, length = (key, 2, sizes.keys) if key else (query, 3, tokens)
    one = (batch, length, heads, 1, sizes.size)
    parts = steps.several("Split", (packed,), [one] * count, {"axis": 3})
    flat = (batch, length, heads * sizes.size)
    apart = [steps.one("Reshape", (part,), flat) for part in parts]
    return [query, *apart] if key else apart


def _with_bias(steps: Expansion, operands: list[str], bias: str) -> list[str]:
    """The same with their parts of a bias; keys that are kept by heads have theirs already."""
    if not bias:
        return operands
    shapes = [steps.writer.shapes[name] for name in operands]
    widths = [shape[-1] * (shape[1] if len(shape) == 4 else 1) for shape in shapes]
    parts = steps.several("Split", (bias,), [(width,) for width in widths], {"axis": 0})
    return [
        steps.one("Add", (name, part), shape, label=".bias") if len(shape) == 3 else name
        for name, part, shape in zip(operands, parts, shapes, strict=True)
    ]


def _added(steps: Expansion, first: str, second: str) -> str:
    """What is added to the scores, of two that may be left out."""
    if not (first and second):
        return first or second
    one, other = (steps.writer.shapes[name] for name in (first, second))
    shape = tuple(max(sizes) for sizes in zip(one, other, strict=True))
    return steps.one("Add", (first, second), shape, label=".mask")


def rotated(writer: Writer, node: Node, read: Sequence[str]) -> list[Node]:
    """Return what a rotation of features by position is: a function of each, and of `read`.

    read: cosines, sines and positions, "" for one that is left out.
    """
    steps = Expansion(writer, node)
    _turned(steps, node.inputs[0], read, node.outputs[0])
    return steps.nodes


def _turned(steps: Expansion, name: str, read: Sequence[str], output: str = "") -> str:
    """A tensor turned, by a number for each position where these are computed."""
    shape = steps.writer.shapes[name]
    operands = [name]
    for each in filter(None, read):
        if isinstance(steps.writer.value(each), Constant):
            continue
        own = steps.writer.shapes[each]
        if len(own) == 3:  # cosines of each position
            own = (*own[:2], 1)
            numbers = {"starts": [0], "ends": [1], "axes": [2], "steps": [1]}
            each = steps.one("Slice", (each,), own, numbers, label=".angles")
        else:
            own = (*own, 1)
        wide = (*own[:1], *(1,) * (len(shape) - len(own)), *own[1:])
        operands.append(steps.one("Reshape", (each,), wide, label=".angles"))
    return steps.one("Pointwise", operands, shape, output=output, label=".rotated")
