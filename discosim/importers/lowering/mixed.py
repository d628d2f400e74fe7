"""Which axis of a tensor its features lie on: the one over which what reads it mixes.

A tensor that enters, or that an unknown operator makes, says nothing of its axes. Its readers do:
a convolution sums over axis 1, a matrix over the axis that it is multiplied with, whatever stands
in between and leaves the elements where they are.
"""

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from math import prod

from discosim.graph.layer import Shape
from discosim.importers.lowering.equations import equation_of
from discosim.importers.lowering.layout import Axes, Axis, merged, reshaped, strides, transposed
from discosim.importers.lowering.program import Node, Program

# fmt: off
OVER_CHANNELS = (
    "Conv", "ConvInteger", "QLinearConv", "ConvTranspose", "DeformConv",
)
PER_CHANNEL = (
    "BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN", "MaxPool",
    "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "AdaptivePool",
    "Resize", "Upsample", "GridSample", "DepthToSpace", "SpaceToDepth", "Im2Col", "Col2Im",
)
RECURRENT = ("LSTM", "GRU", "RNN")
NORMS = ("LayerNormalization", "RMSNormalization")
RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
PLACED_ANEW = (*OVER_CHANNELS, *RECURRENT, "Gemm", "MatMul", "MatMulInteger", "QLinearMatMul")
# fmt: on
MATRICES: Mapping[str, tuple[int, int]] = {
    "MatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "QLinearMatMul": (0, 3),
}


class Mixers:
    """What the readers of a program's tensors say of them."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.readers: dict[str, list[int]] = {}
        for number, node in enumerate(program.nodes):
            for name in dict.fromkeys(node.inputs):
                self.readers.setdefault(name, []).append(number)
        self.fixed = set(program.constants)
        for node in program.nodes:
            if all(name in self.fixed for name in node.inputs if name):
                self.fixed |= set(node.outputs)

    def axis(self, tensor: str) -> int | None:
        """Return the axis on which the features of a tensor lie, None where no reader tells.

        The first that mixes decides. Where several mix over different axes, as in MLP-Mixer, the
        one over which the tensor is normalised counts; without any, the norm's own.
        """
        shape = self.program.shapes[tensor]
        if sum(size > 1 for size in shape) < 2:
            read = self._mixed_by_a_reader(tensor)
            longest = next((at for at, size in enumerate(shape) if size > 1), None)
            return longest if read is None else read
        every: Axes = tuple(
            merged(((size, stride),)) for size, stride in zip(shape, strides(shape), strict=True)
        )
        known: dict[str, Axes] = {tensor: every}
        todo = list(self.readers.get(tensor, ()))
        queued = set(todo)
        first: int | None = None
        normed: int | None = None
        while todo:
            number = heappop(todo)
            node = self.program.nodes[number]
            for operand, name in enumerate(node.inputs):
                if name not in known:
                    continue
                over, mixes = self._over(node, operand, len(known[name]))
                at = None if over is None else _origin(known[name][over], shape)
                if at is not None and not mixes and normed is None:
                    normed = at
                elif at is not None and mixes:
                    if normed in (None, at):
                        return at
                    first = at if first is None else first
                for made, axes in self._carried(node, operand, known[name]).items():
                    known.setdefault(made, axes)
                    for reader in self.readers.get(made, ()):
                        if reader not in queued:
                            queued.add(reader)
                            heappush(todo, reader)
        return normed if first is None else first

    def _mixed_by_a_reader(self, tensor: str) -> int | None:
        """The axis over which a reader of the tensor itself mixes, as of one sound."""
        for number in self.readers.get(tensor, ()):
            node = self.program.nodes[number]
            for operand, name in enumerate(node.inputs):
                if name == tensor:
                    over, mixes = self._over(node, operand, len(self.program.shapes[tensor]))
                    if mixes and over is not None:
                        return over
        return None

    def _over(self, node: Node, operand: int, rank: int) -> tuple[int | None, bool]:
        """The axis that a node says to hold features, and whether it mixes over it."""
        op = node.op
        if op in OVER_CHANNELS or op in PER_CHANNEL:
            return (1 if operand == 0 and rank > 2 else None), op in OVER_CHANNELS
        if op in RECURRENT:
            return (rank - 1 if operand == 0 else None), True
        if op in NORMS:
            axis = int(node.attributes.get("axis", -1)) % max(1, rank)
            return (axis if operand == 0 and axis == rank - 1 else None), False
        if op == "Gemm" and operand == 0:
            return (0 if node.attributes.get("transA") else rank - 1), True
        if op in MATRICES:
            left, right = MATRICES[op]
            if operand == left and node.inputs[right] in self.fixed:
                return rank - 1, True
            if operand == right and node.inputs[left] in self.fixed and rank > 1:
                return rank - 2, True
        if op == "Einsum":
            return self._summed(node, operand, rank), True
        return None, False

    def _summed(self, node: Node, operand: int, rank: int) -> int | None:
        """The one axis that an equation sums over, together with weights."""
        shapes = [self.program.shapes[name] for name in node.inputs]
        equation = equation_of(str(node.attributes.get("equation", "")), shapes)
        others = [name for number, name in enumerate(node.inputs) if number != operand]
        if equation is None or not others or not all(name in self.fixed for name in others):
            return None
        own = equation.terms[operand]
        elsewhere = {
            x for number, text in enumerate(equation.terms) if number != operand for x in text
        }
        found = [at for at, x in enumerate(own) if x not in equation.out and x in elsewhere]
        return found[0] if len(found) == 1 and len(own) == rank else None

    def _carried(self, node: Node, operand: int, axes: Axes) -> dict[str, Axes]:
        """The outputs of a node whose elements lie as those of an operand do."""
        if node.op in PLACED_ANEW and not (node.op == "Gemm" and operand == 2):
            return {}
        made = {}
        for name in filter(None, node.outputs):
            shape = self.program.shapes.get(name, ())
            out = _moved(node, operand, axes, shape)
            if out is not None:
                made[name] = out
        return made


def _moved(node: Node, operand: int, axes: Axes, shape: Shape) -> Axes | None:
    if node.op in RESHAPES:
        return reshaped(axes, shape) if operand == 0 else None
    if node.op == "Transpose":
        order = tuple(node.attributes.get("perm") or reversed(range(len(axes))))
        return transposed(axes, order) if len(order) == len(axes) else None
    if node.op in ("Gather", "Einsum", "Attention") or (operand and node.op == "Expand"):
        return None
    if node.op.startswith("Reduce") and len(shape) < len(axes):
        over = {int(axis) % len(axes) for axis in node.attributes.get("axes") or ()}
        left = tuple(axis for at, axis in enumerate(axes) if at not in over)
        return left if len(left) == len(shape) else None
    if len(shape) < len(axes):
        return None
    aligned = ((),) * (len(shape) - len(axes)) + axes
    return tuple(_resized(axis, size) for axis, size in zip(aligned, shape, strict=True))


def _resized(axis: Axis, size: int) -> Axis:
    """An axis of which a part was taken, or to which something was joined."""
    if prod(count for count, _ in axis) == size:
        return axis
    return ((size, axis[-1][1]),) if len(axis) == 1 and size > 1 else ()


def _origin(axis: Axis, shape: Sequence[int]) -> int | None:
    """The one axis of the tensor that began on which the elements of an axis lie."""
    found = set()
    steps = strides(tuple(shape))
    for _, stride in axis:
        found |= {
            at
            for at, (size, step) in enumerate(zip(shape, steps, strict=True))
            if size > 1 and step <= stride < step * size
        }
    return found.pop() if len(found) == 1 else None
