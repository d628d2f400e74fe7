"""Writes the network of a program: what is known of its tensors, and rows as they are needed.

Reshapes and transposes write no rows: they change the view of a tensor. Elementwise functions
wait until something else reads them, so that a chain of them on one tensor is one row.
"""

from collections.abc import Callable, Mapping
from typing import Any

from discosim.errors import DiscosimError
from discosim.graph.layer import Shape
from discosim.graph.network import INPUT
from discosim.importers.lowering.layout import (
    Axes,
    features,
    plain,
    positions,
    renumbered,
)
from discosim.importers.lowering.program import Constant, Node, Program
from discosim.importers.lowering.rows import RowWriter
from discosim.importers.lowering.values import Function, ReducedValue, Scores, Value, View


class Writer(RowWriter):
    """The network so far, and what is known of each tensor of the program.

    write_scores: writes products of queries and keys that nothing attends with.
    """

    def __init__(self, program: Program, write_scores: Callable[["Writer", Scores], View]) -> None:
        super().__init__(program)
        self._write_scores = write_scores
        self.values: dict[str, Value] = {**program.constants, **self.entered}
        self.remarks: dict[str, str] = {}
        self.notes: list[str] = []
        self._written: dict[Function | ReducedValue | Scores | Constant, View] = {}

    # What is known

    def value(self, name: str) -> Value:
        """Return what is known of a tensor; raises DiscosimError where nothing makes it."""
        if name not in self.values:
            raise DiscosimError(f"{self.program.name}: nothing makes the tensor {name!r}")
        value = self.values[name]
        if isinstance(value, Scores) and self.uses[name] > 1:  # made once, kept for all readers
            value = self.values[name] = self.written(value)
        return value

    def constant(self, node: Node, operand: int) -> Constant | None:
        """Return an operand that does not depend on the input, or None."""
        if operand >= len(node.inputs) or not node.inputs[operand]:
            return None
        value = self.values[node.inputs[operand]]
        return value if isinstance(value, Constant) else None

    def shape(self, node: Node, output: int = 0) -> Shape:
        """Return the shape of an output in the program."""
        return self.shapes[node.outputs[output]]

    def view(self, name: str) -> View:
        """Return a tensor as a view, written if it was not."""
        value = self.values[name] = self.written(self.value(name))
        return value

    def give(self, node: Node, value: Value, output: int = 0) -> None:
        """Say what an output is; what enters is on all nodes, so its features may lie anew."""
        if isinstance(value, View) and self.is_input(value.tensor):
            at = [axis for axis, atoms in enumerate(value.axes) if features(atoms)]
            axis = self.features_at(node.outputs[output], at[0]) if len(at) == 1 else None
            value = value if axis is None else View(value.tensor, plain(value.shape, axis))
        self.values[node.outputs[output]] = value

    # Writing

    def written(self, value: Value) -> View:
        """Return the view of a value; writes what waits."""
        if isinstance(value, View):
            return value
        if value not in self._written:
            reader, self.now = self.now, self.now if isinstance(value, Constant) else value.at
            self._written[value] = self._write(value)
            self.now = reader
        return self._written[value]

    def _write(self, value: Function | ReducedValue | Scores | Constant) -> View:
        if isinstance(value, Constant):  # as an operand of something that is not a weight
            label = f"{self.program.nodes[self.now].label}.constant"
            return self.learned(value, plain(value.shape, len(value.shape) - 1), label)
        if isinstance(value, Function):
            return self._write_function(value)
        if isinstance(value, Scores):
            return self._write_scores(self, value)
        return self._write_reduction(value)

    def _write_function(self, value: Function) -> View:
        if not value.applied:
            return value.base
        base = self.whole(value.base, value.label)
        shape = self.extent(base)
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
        tensor = self.append(op, value.label, (base.tensor,), shape, in_shapes=(shape,), **fields)
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

    def with_learned(self, view: View, parameters: Mapping[str, int], label: str) -> View:
        """Write parameters that are applied to a tensor, if there are any."""
        if not parameters:
            return view
        return self.written(Function(view, label, self.now, parameters))

    def learned(self, constant: Constant, axes: Axes, label: str) -> View:
        """Write a constant as a tensor that is read beside others: each node has its part."""
        count = sum(constant.parameters.values())
        row = self.row("constant", label, (INPUT,), axes, in_shapes=((1,),), learned=count)
        self.reads(row.tensor, constant.parameters)
        return row

    def refuse(self, node: Node, why: str) -> DiscosimError:
        """Return the error for a node that cannot be costed."""
        return DiscosimError(f"{self.program.name}: {node.op} {node.label!r} {why}")
