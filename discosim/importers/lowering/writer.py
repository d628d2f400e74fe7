"""Writes the network of a program: what is known of its tensors, and rows as they are needed.

Reshapes and transposes write no rows: they change the view of a tensor. Elementwise functions
wait until something else reads them, so that a chain of them on one tensor is one row.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from discosim.errors import DiscosimError
from discosim.graph.builder import Builder
from discosim.graph.layer import Atom, Shape
from discosim.graph.network import INPUT
from discosim.importers.lowering.layout import (
    Axes,
    covers,
    features,
    merged,
    network_shape,
    plain,
    positions,
    renumbered,
    strides,
)
from discosim.importers.lowering.parameters import ParameterUses
from discosim.importers.lowering.program import Constant, Node, Program
from discosim.importers.lowering.rearrange import rearrangement
from discosim.importers.lowering.values import Function, ReducedValue, Scores, Value, View

LARGEST_TENSOR = 1 << 50
"""Elements; beyond, counts leave the range in which floats are exact."""
MOST_FEATURES = 1 << 22
"""Of a tensor: each is placed on a node."""


class Writer(ParameterUses):
    """The network so far, and what is known of each tensor of the program.

    write_scores: writes products of queries and keys that nothing attends with.
    """

    def __init__(self, program: Program, write_scores: Callable[["Writer", Scores], View]) -> None:
        super().__init__()
        self.program = program
        self._write_scores = write_scores
        self.values: dict[str, Value] = dict(program.constants)
        self.uses = Counter(name for node in program.nodes for name in node.inputs)
        self.uses.update(program.outputs)
        self.remarks: dict[str, str] = {}
        self.now = 0  # the node that is being lowered
        self.made: dict[str, int] = {}  # the node that makes each row
        self._written: dict[Function | ReducedValue | Scores, View] = {}
        self._names: set[str] = {INPUT}
        self.net = Builder(program.name, self._entering_shape(program.inputs[0]))
        self.inputs = [INPUT]
        for number, name in enumerate(program.inputs):
            if number and self.uses[name]:
                tensor = self.net.enter(self.name(name), self._entering_shape(name))
                self.inputs.append(tensor)
            self.values[name] = View(self.inputs[-1] if number else INPUT, self._entering(name))
        self._replicated = dict.fromkeys(self.inputs, True)

    def _features_at(self, name: str) -> int | None:
        whole_numbers = name in self.program.indices
        return None if len(self.program.shapes[name]) < 2 or whole_numbers else 1

    def _entering(self, name: str) -> Axes:
        return plain(self.program.shapes[name], self._features_at(name))

    def _entering_shape(self, name: str) -> Shape:
        return network_shape(self._entering(name), self._features_at(name))

    # What is known

    def value(self, name: str) -> Value:
        """Return what is known of a tensor; raises DiscosimError where nothing makes it."""
        if name not in self.values:
            raise DiscosimError(f"{self.program.name}: nothing makes the tensor {name!r}")
        return self.values[name]

    def constant(self, node: Node, operand: int) -> Constant | None:
        """Return an operand that does not depend on the input, or None."""
        if operand >= len(node.inputs) or not node.inputs[operand]:
            return None
        value = self.values[node.inputs[operand]]
        return value if isinstance(value, Constant) else None

    def shape(self, node: Node, output: int = 0) -> Shape:
        """Return the shape of an output in the program."""
        return self.program.shapes[node.outputs[output]]

    def view(self, name: str) -> View:
        """Return a tensor as a view, written if it was not."""
        value = self.written(self.value(name))
        self.values[name] = value
        return value

    def is_input(self, tensor: str) -> bool:
        """Whether a tensor of the network is one that enters it."""
        return tensor in self.inputs

    def is_replicated(self, tensor: str) -> bool:
        """Whether every node has all of a tensor of the network."""
        todo = [tensor]
        while todo:
            name = todo[-1]
            if name in self._replicated:
                todo.pop()
                continue
            placing = self.net.layer(name).operator.placing
            operands = self.net.operands(name)
            missing = [operand for operand in operands if operand not in self._replicated]
            if placing in ("carries", "aligns", "joins") and missing:
                todo += missing
                continue
            follows = placing in ("carries", "aligns", "joins")
            everywhere = follows and all(self._replicated[operand] for operand in operands)
            self._replicated[name] = placing == "reduces" or everywhere
        return self._replicated[tensor]

    def give(self, node: Node, value: Value, output: int = 0) -> None:
        """Say what an output is."""
        self.values[node.outputs[output]] = value

    # Writing

    def name(self, wanted: str) -> str:
        """Return a name that no row has: `wanted`, or with a number behind it."""
        stem = wanted.strip("/") or "layer"
        name, number = stem, 1
        while name in self._names:
            number += 1
            name = f"{stem}.{number}"
        self._names.add(name)
        return name

    def append(
        self,
        op: str,
        wanted: str,
        operands: Sequence[str],
        shape: Shape,
        *,
        in_shapes: Sequence[Shape] | None = None,
        **fields: Any,
    ) -> str:
        """Write a row of a known shape, called `wanted` if no other is; return its name."""
        if shape[0] > MOST_FEATURES:
            raise DiscosimError(
                f"{self.program.name}: {wanted} has {shape[0]:,} features; wanted at most "
                f"{MOST_FEATURES:,}"
            )
        name = self.name(wanted)
        self.made[name] = self.now
        return self.net.append(op, name, operands, shape, in_shapes=in_shapes, **fields)

    def row(
        self,
        op: str,
        name: str,
        operands: Sequence[str],
        axes: Axes,
        *,
        in_shapes: Sequence[Shape] | None = None,
        **fields: Any,
    ) -> View:
        """Write a row whose output has the features of `axes`, in the order of the axes."""
        shape = network_shape(axes)
        tensor = self.append(op, name, operands, shape, in_shapes=in_shapes, **fields)
        return View(tensor, axes)

    def written(self, value: Value) -> View:
        """Return the view of a value; writes what waits."""
        if isinstance(value, View):
            return value
        if isinstance(value, Constant):  # as an operand of something that is not a weight
            return View(INPUT, plain(value.shape, None))
        if value not in self._written:
            reader, self.now = self.now, value.at
            self._written[value] = self._write(value)
            self.now = reader
        return self._written[value]

    def _write(self, value: Function | ReducedValue | Scores) -> View:
        if isinstance(value, Function):
            return self._write_function(value)
        if isinstance(value, Scores):
            return self._write_scores(self, value)
        return self._write_reduction(value)

    def _write_function(self, value: Function) -> View:
        if not value.applied:
            return value.base
        base = self.whole(value.base, value.label)
        shape = self.net.shape(base.tensor)
        learned = sum(value.learned.values())
        op = "affine" if learned else "activation"
        if value.statistics:
            op = {2 * shape[0]: "layer_norm", shape[0]: "l2_norm"}.get(learned, "feature_norm")
        elif learned and self._is_embedding(base.tensor):
            layer = self.net.layer(base.tensor)
            self.net.amend(base.tensor, learned=layer.learned + learned)
            self.reads(base.tensor, value.learned)
            return base
        fields: dict[str, Any] = {"learned": learned} if op in ("affine", "feature_norm") else {}
        tensor = self.append(op, value.label, (base.tensor,), shape, **fields)
        self.reads(tensor, value.learned)
        return View(tensor, base.axes)

    def _is_embedding(self, tensor: str) -> bool:
        """Whether a tensor is made of embeddings, to which those of positions are added."""
        return not self.is_input(tensor) and self.net.layer(tensor).op in ("embed", "lookup")

    def _write_reduction(self, value: ReducedValue) -> View:
        base = self.whole(self.written(value.of), value.label)
        axes = tuple((() if axis in value.over else atoms) for axis, atoms in enumerate(base.axes))
        summed = any(features(base.axes[axis]) for axis in value.over)
        kept = self.settle(base, value.label)
        left = renumbered(axes)
        kernel = tuple(positions(base.axes[axis]) for axis in value.over)
        if summed:
            view = self.row("reduce", value.label, (kept.tensor,), left)
        else:
            view = self.row("pool", value.label, (kept.tensor,), left, kernel=kernel)
        if value.keeps:
            return view
        return View(
            view.tensor, tuple(a for axis, a in enumerate(view.axes) if axis not in value.over)
        )

    # Views as operators need them

    def covers(self, view: View) -> bool:
        """Whether a view goes once over each element of its tensor."""
        return covers(view.axes, view.start, self.net.shape(view.tensor))

    def whole(self, view: View, label: str) -> View:
        """Return a view that goes over all of its tensor: a part of one becomes a row."""
        return view if self.covers(view) else self._rearranged(view, None, label)

    def settle(self, view: View, label: str) -> View:
        """Return a view of all features of a tensor in the order of the view's axes."""
        atoms = [atom for axis in view.axes for atom in features(axis)]
        steps = strides(tuple(size for size, _ in atoms))
        ordered = all(stride == step for (_, stride), step in zip(atoms, steps, strict=True))
        if self.is_input(view.tensor) or (ordered and self.covers(view)):
            return view
        return self._rearranged(view, None, label)

    def focus(self, view: View, axis: int, label: str) -> tuple[View, Shape]:
        """Return a view whose features are all that is on `axis`, and its shape for a reader."""
        axis %= len(view.axes)
        shape = network_shape(view.axes, axis)
        if self.is_input(view.tensor):
            return View(view.tensor, plain(view.shape, axis)), shape
        own = self.net.shape(view.tensor)
        elsewhere = any(features(a) for n, a in enumerate(view.axes) if n != axis)
        ordered = view.axes[axis] == merged(((own[0], 1),)) and view.start == 0
        flattens = len(shape) == 1 and len(own) > 1
        if ordered and not elsewhere and not flattens and self.covers(view):
            return view, shape
        out = self._rearranged(view, axis, label)
        return out, self.net.shape(out.tensor)

    def _rearranged(self, view: View, axis: int | None, label: str) -> View:
        """Write the row that puts the features of a view, or all of an axis, in their order."""
        if axis is None:
            run = merged(tuple(atom for atoms in view.axes for atom in features(atoms)))
            inner: tuple[Atom, ...] = ()
            axes = renumbered(view.axes)
        else:
            run = view.axes[axis]
            inner = tuple(a for n, x in enumerate(view.axes) if n != axis for a in features(x))
            axes = plain(view.shape, axis)
        own = self.net.shape(view.tensor)
        op, fields = rearrangement(view.start, run, inner, own, network_shape(axes))
        return self.row(op, f"{label}.{op}", (view.tensor,), axes, **fields)

    # What is not understood

    def exchange(self, node: Node, reason: str, *, op: str = "exchange") -> None:
        """Write a node as a full exchange: every output is taken to depend on every input."""
        operands: list[View] = []
        learned: dict[str, int] = {}
        for name in filter(None, node.inputs):
            value = self.values[name]
            if isinstance(value, Constant):
                learned.update(value.parameters)
            else:
                operands.append(self.settle(self.view(name), node.label))
        operands = operands or [View(INPUT, self._entering(self.program.inputs[0]))]
        tensors = list(dict.fromkeys(view.tensor for view in operands))
        for name in filter(None, node.outputs):
            shape = self.program.shapes[name]
            axes = plain(shape, _likely_features(shape, operands[0]))
            counted = sum(learned.values())
            view = self.row(op, node.label, tensors, axes, learned=counted)
            self.reads(view.tensor, learned)
            self.remarks[view.tensor] = reason
            self.values[name] = view

    def refuse(self, node: Node, why: str) -> DiscosimError:
        """Return the error for a node that cannot be costed."""
        return DiscosimError(f"{self.program.name}: {node.op} {node.label!r} {why}")


def _likely_features(shape: Shape, like: View) -> int | None:
    """The axis on which the features of an unknown operator's output lie, most likely."""
    at = [axis for axis, atoms in enumerate(like.axes) if features(atoms)]
    if at and len(at) == 1 and at[0] < len(shape) and len(shape) == len(like.axes):
        return at[0]
    if not shape:
        return None
    return 1 if len(shape) > 3 else len(shape) - 1
