"""Operators with operands that are computed where most have weights, written out in plainer ones.

A bias that depends on the input is an addition, a computed scale of a norm (adaptive instance
normalisation) a multiplication: each reads the tensor that it is given.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from types import MappingProxyType

from discosim.graph.layer import Shape
from discosim.importers.lowering.caches import put_in, with_caches
from discosim.importers.lowering.equations import equation_of, steps_of
from discosim.importers.lowering.program import Constant, Node
from discosim.importers.lowering.values import Value
from discosim.importers.lowering.writer import Writer

SCALED: Mapping[int, str] = MappingProxyType({1: "Mul", 2: "Add"})
ADDED: Mapping[int, str] = MappingProxyType({2: "Add"})

APPLIED: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        **dict.fromkeys(("Gemm", "Conv", "ConvTranspose"), ADDED),
        **dict.fromkeys(("InstanceNormalization", "GroupNormalization"), SCALED),
        **dict.fromkeys(("LayerNormalization", "RMSNormalization"), SCALED),
        # the mean taken off, divided by the deviation, scaled and shifted
        "BatchNormalization": MappingProxyType({3: "Add", 4: "Mul", 1: "Mul", 2: "Add"}),
    }
)
"""What an operator does with its operands after the first, by operand, in that order."""

STATISTICS = (3, 4)
"""The mean and the variance of a batch norm: numbers that nobody learned, which a runtime folds."""

LAST_AXIS = ("Gemm", "LayerNormalization", "RMSNormalization")
"""Operators whose vectors lie along the last axis; the others' lie along the features'."""


def written_out(writer: Writer, node: Node) -> list[Node]:
    """Return the operators that a node stands for: itself, where its weights are constants."""
    if node.op == "Einsum":
        return _equations(writer, node)
    if node.op == "Attention":
        return with_caches(writer, node)
    if node.op == "ScatterElements" and len(node.inputs) == 3:
        return put_in(writer, node)
    given = [at for at in APPLIED.get(node.op, {}) if at < len(node.inputs) and node.inputs[at]]
    values = {at: writer.value(node.inputs[at]) for at in given}
    if node.op == "Gemm" and 2 in values and not float(node.attributes.get("beta", 1.0)):
        return [replace(node, inputs=node.inputs[:2])]
    added = [at for at in given if not _is_own(writer, node, values[at])]
    return _Steps(writer, node).without(added) if added else [node]


def _is_own(writer: Writer, node: Node, value: Value) -> bool:
    """Whether an operand is a constant of the operator itself, as a bias of one number a feature.

    The third operand of Gemm may be of any shape that repeats to the output's.
    """
    if not isinstance(value, Constant):
        return False
    width = writer.shape(node)[-1:]
    return node.op != "Gemm" or value.shape[-1:] == width == (prod(value.shape),)


def _equations(writer: Writer, node: Node) -> list[Node]:
    """An equation of two operands each, or axes that are moved and summed."""
    shapes = [writer.shapes[name] for name in node.inputs]
    equation = equation_of(str(node.attributes.get("equation", "")), shapes)
    if equation is None or len(node.inputs) == 2:
        return [node]
    steps = steps_of(node, equation)
    for step, shape in steps:
        writer.shapes[step.outputs[0]] = shape
        writer.uses[step.outputs[0]] = max(1, writer.uses[step.outputs[0]])
    return [step for step, _ in steps] or [node]


class _Steps:
    """The operators that one stands for, each reading what the one before makes."""

    def __init__(self, writer: Writer, node: Node) -> None:
        self.writer = writer
        self.node = node
        self.steps: list[Node] = []

    def without(self, computed: list[int]) -> list[Node]:
        """The operator without those operands, and what they do to its output."""
        node, shape = self.node, self.writer.shape(self.node)
        made = node.inputs[0]
        if node.op == "BatchNormalization":  # nothing is left of it
            computed = [at for at in APPLIED[node.op] if at < len(node.inputs)]
        else:
            kept = ("" if at in computed else name for at, name in enumerate(node.inputs))
            made = self._step(replace(node, inputs=tuple(kept)), shape)
        for at, op in APPLIED[node.op].items():
            if at in computed:
                name = node.inputs[at]
                if node.op == "BatchNormalization" and at in STATISTICS:
                    name = self._unlearned(name)
                operand = self._aligned(name, len(shape))
                made = self._step(Node(op, (made, operand), (), {}, f"{node.label}.{at}"), shape)
        self.steps[-1] = replace(self.steps[-1], outputs=node.outputs[:1])
        return self.steps

    def _step(self, node: Node, shape: Shape) -> str:
        name = f"{self.node.outputs[0]}~{len(self.steps)}"
        self.writer.shapes[name] = shape
        self.writer.uses[name] = 1
        self.steps.append(replace(node, outputs=(name,)))
        return name

    def _unlearned(self, name: str) -> str:
        """The same numbers as no parameters."""
        value = self.writer.value(name)
        if not isinstance(value, Constant) or not value.parameters:
            return name
        bare = f"{name}~numbers"
        self.writer.values[bare] = Constant(value.shape, value=value.value)
        self.writer.shapes[bare], self.writer.uses[bare] = value.shape, 1
        return bare

    def _aligned(self, name: str, rank: int) -> str:
        """A vector of one number a feature, along the axis of the features."""
        own = self.writer.shapes[name]
        if self.node.op in LAST_AXIS or len(own) != 1:
            return name
        node = Node("Reshape", (name,), (), {}, f"{self.node.label}.features")
        return self._step(node, (1, own[0], *(1,) * (rank - 2)))
