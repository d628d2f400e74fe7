"""The rows of a network that is written, and views of tensors as operators need them."""

from collections import Counter
from collections.abc import Sequence
from math import prod
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
    renumbered,
    strides,
)
from discosim.importers.lowering.mixed import Mixers
from discosim.importers.lowering.parameters import ParameterUses
from discosim.importers.lowering.program import Program
from discosim.importers.lowering.rearrange import rearrangement
from discosim.importers.lowering.values import View

LARGEST_TENSOR = 1 << 50
"""Elements; beyond, counts leave the range in which floats are exact."""
MOST_FEATURES = 1 << 22
"""Of a tensor: each is placed on a node."""


class RowWriter(ParameterUses):
    """The network so far: what enters it, and a row for each operator that does work."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program
        self.shapes = dict(program.shapes)
        self._mixers = Mixers(program)
        self.uses = Counter(name for node in program.nodes for name in node.inputs)
        self.uses.update(program.outputs)
        self.now = 0  # the node that is being lowered
        self.made: dict[str, int] = {}  # the node that makes each row
        self._names: set[str] = {INPUT}
        self.net = Builder(program.name, self._entering_shape(program.inputs[0]))
        self.inputs = [INPUT]
        self.entered: dict[str, View] = {}
        for number, name in enumerate(program.inputs):
            if number and self.uses[name]:
                tensor = self.net.enter(self.name(name), self._entering_shape(name))
                self.inputs.append(tensor)
            self.entered[name] = View(self.inputs[-1] if number else INPUT, self.entering(name))
        self._replicated = dict.fromkeys(self.inputs, True)

    # What enters

    def _features_at(self, name: str) -> int | None:
        if len(self.shapes[name]) < 2 or name in self.program.indices:
            return None
        return self.features_at(name, 1)

    def entering(self, name: str) -> Axes:
        """Return the axes of a tensor that enters."""
        return plain(self.shapes[name], self._features_at(name))

    def _entering_shape(self, name: str) -> Shape:
        return network_shape(self.entering(name), self._features_at(name))

    def features_at(self, name: str, otherwise: int | None) -> int | None:
        """Return the axis on which what reads a tensor takes its features to lie."""
        found = self._mixers.axis(name) if name in self.program.shapes else None
        return otherwise if found is None else found

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

    # Rows

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

    # Views as operators need them

    def covers(self, view: View) -> bool:
        """Whether a view goes once over each element of its tensor."""
        return covers(view.axes, view.start, self.net.shape(view.tensor))

    def whole(self, view: View, label: str) -> View:
        """Return a view that goes over all of its tensor: a part of one becomes a row."""
        entering = self.is_input(view.tensor)
        if entering and prod(view.shape) == prod(self.net.shape(view.tensor)):
            return view
        return view if self.covers(view) else self._rearranged(view, None, label)

    def extent(self, view: View) -> Shape:
        """Return the shape of a whole view's tensor; what enters is read in the view's own."""
        return (
            network_shape(view.axes) if self.is_input(view.tensor) else self.net.shape(view.tensor)
        )

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
