"""What one node computes of one layer, as its plan says: a step or a few for each rectangle."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from discosim.errors import DiscosimError
from discosim.graph.layer import Layer
from discosim.graph.reach import rows_of
from discosim.graph.table import Ints
from discosim.partition.kinds import Kind
from discosim.partition.lay import Laid, Part
from discosim.partition.needs import reached
from discosim.runtime.groups import shared_groups
from discosim.runtime.holdings import NO_PAD, Pad, Rectangle, Rectangles, all_of
from discosim.runtime.pieces import GroupPiece, alike, mask_of_part, pieces
from discosim.runtime.program import (
    Apply,
    Attend,
    BiasAlone,
    Combine,
    Excerpt,
    GroupedProduct,
    GroupPart,
    Join,
    Mixing,
    Normalize,
    OnRows,
    PartOfMean,
    Put,
    Range,
    Statistics,
    Step,
    Wait,
    statistics_swap,
)

EACH = {"activation", "batch_norm", "layer_norm", "l2_norm"}
"""The operators whose output row is of the same row."""

MOVED = {"pool", "upsample", "embed", "reshape"}
"""Those whose output row is of other rows."""


@dataclass(frozen=True, eq=False)
class Begun:
    """A slot of output rows of which those in `right` are made, while messages are under way."""

    slot: str
    right: Range


class PartSteps:
    """Writes the steps by which a node computes its part of a layer.

    dies: the tensors that no later layer reads, whose memory may be used.
    """

    def __init__(self, laid: Laid, part: Part, rank: int, here: Rectangles, dies: set[str]) -> None:
        self.laid, self.part, self.layer = laid, part, part.layer
        self.rank, self.here, self.dies = rank, here, dies
        self.tensors = [read.tensor for read in part.reads]
        self.steps: list[Step] = []

    def made(self, begun: Begun | None) -> list[Rectangle]:
        """Return what there is of the output in the end; of the first rectangle some has begun."""
        every = self.rectangles()
        found = []
        if begun is not None:
            (features, rows), every = every[0], every[1:]
            self._finish(begun, features, rows)
            found.append(Rectangle(begun.slot, features, rows))
        return found + [one for features, rows in every for one in self._made(features, rows)]

    def _finish(self, begun: Begun, features: Ints, rows: Range) -> None:
        """Make the rows in front of those that are made, and behind them."""
        low, high = begun.right
        for first, last in ((rows[0], low), (high, rows[1])):
            if last > first:
                strip = self.mix(features, (first, last))
                at = first - rows[0], last - rows[0]
                self.steps.append(Put(strip, Excerpt(begun.slot, None, at)))

    def rectangles(self) -> list[tuple[Ints, Range]]:
        """Return features and rows of the output that the node computes, or has a part of."""
        out, kind, every = self.part.out, self.part.choice.kind, all_of(self.layer.out_shape)
        if out.summands is not None:
            return [every] if out.summands[self.rank] else []
        if out.owners is not None:
            own = np.flatnonzero(out.owners == self.rank)
            return [(own, every[1])] if len(own) else []
        if kind is Kind.OUTPUTS:
            return [every]
        rows = int(self.part.rows[self.rank, 0]), int(self.part.rows[self.rank, 1])
        low, high = self.part.choice.everywhere
        found = [(np.delete(every[0], np.s_[low:high]), rows)] if rows[1] > rows[0] else []
        if high > low:
            found.append((np.arange(low, high), every[1]))
        return [each for each in found if len(each[0])]

    def _made(self, features: Ints, rows: Range) -> list[Rectangle]:
        """The steps for one rectangle."""
        layer = self.layer
        masked = mask_of_part(self.laid, self.part)
        if masked is not None:
            slot = _masked(self, pieces(layer, masked, self.rank), rows)
        elif layer.operator.placing == "mixes":
            slot = self.mix(features, rows)
        elif self.part.out.summands is not None:
            slot = self._part_of_mean()
        elif layer.operator.statistics and len(features) < layer.in_features:
            slot = self._normalize(features, rows)
        elif layer.op == "group_norm":
            slot = self._normalize_groups(features, rows)
        elif layer.op in EACH:
            slot = self._each(features, rows)
        elif layer.op in MOVED:
            slot = self._moved(features, rows)
        elif layer.op == "flatten":
            return [self._flatten(features)]
        elif layer.op == "attention":
            slot = self._attend(features, rows)
        elif layer.op in ("slice", "shuffle"):
            wanted = layer.operator.carry(layer, features)
            slot = self.here.filled(self.steps, self.tensors[0], wanted, rows)
        elif layer.op in ("add", "multiply"):
            slot = self._combine(features, rows)
        elif layer.op == "concat":
            slot = self._concat(features, rows)
        else:
            raise DiscosimError(f"{layer.name}: no run knows the operator {layer.op!r}")
        return [Rectangle(slot, features, rows)]

    def new(self, make: Callable[[str], Step]) -> str:
        """Write a step that makes a slot of the output."""
        slot = self.here.new_slot(self.layer.name)
        self.steps.append(make(slot))
        self.here.fresh.add(slot)
        return slot

    def _operand(self, operand: int, features: Ints, rows: Range, pad: Pad = NO_PAD) -> str:
        return self.here.rectangle(self.steps, self.tensors[operand], features, rows, pad)

    def reach(self, operand: int, rows: Range) -> Range:
        """Return the rows of an operand that output rows come from."""
        held = self.part.reads[operand].before
        if self.part.choice.kind in (Kind.OUTPUTS, Kind.INPUTS):
            return 0, held.row_count
        first, last = reached(self.layer, operand, held, np.array([rows]))[0]
        return int(first), int(last)

    def _is_all(self, rows: Range) -> bool:
        """Whether these are all output rows, of all input rows."""
        every = 0, rows_of(self.layer.in_shape)
        return rows == (0, rows_of(self.layer.out_shape)) and self.reach(0, rows) == every

    def _overwrites(self, operand: int, slot: str) -> bool:
        """Whether the memory of an operand, which is in that slot, may be used for the output."""
        tensor = self.tensors[operand]
        return tensor in self.dies and self.tensors.count(tensor) == 1 and slot in self.here.fresh

    def mix(self, features: Ints, rows: Range) -> str:
        """Return the slot of a product; group by group where these have unequally many outputs."""
        inputs, per_group = self._inputs(features)
        weights = self._weight_rows(features)
        sizes = {len(outputs) for _, outputs in per_group}
        if len(sizes) == 1:
            return self._product(inputs, rows, weights, len(per_group))
        slots = [
            self._product(some, rows, self._weight_rows(outputs), 1) for some, outputs in per_group
        ]
        return self.new(lambda into: Join(tuple(slots), into))

    def _inputs(self, features: Ints) -> tuple[Ints, list[tuple[Ints, Ints]]]:
        """The input features that outputs need, and both group by group."""
        layer = self.layer
        if self.part.choice.kind is Kind.INPUTS:
            members = self.part.reads[0].needs[0].members
            assert members is not None
            own = np.flatnonzero(members[self.rank])
            return own, [(own, features)]
        found = _by_group(layer, features)
        return np.concatenate([some for some, _ in found]), found

    def _weight_rows(self, features: Ints) -> Ints | None:
        have = _weight_outputs(self.part, self.rank)
        return None if len(have) == len(features) else np.searchsorted(have, features)

    def _product(self, inputs: Ints, rows: Range, weights: Ints | None, groups: int) -> str:
        layer = self.layer
        pad = self._pad(rows)
        source = self._operand(0, inputs, self.reach(0, rows), pad or NO_PAD)
        padded = pad is not None
        return self.new(lambda into: Mixing(layer, source, weights, groups, padded, into))

    def _pad(self, rows: Range, value: float = 0.0) -> Pad | None:
        """What of the padding lies next to some output rows; None where the operator pads."""
        layer = self.layer
        if not layer.stride or self._is_all(rows) or len(layer.in_shape) < 2:
            return None
        return _padding(layer, rows, self.reach(0, rows), value)

    def _each(self, features: Ints, rows: Range) -> str:
        layer = self.layer
        source = self._operand(0, features, rows)
        free = self._overwrites(0, source)
        return self.new(lambda into: Apply(layer, source, into, free))

    def _moved(self, features: Ints, rows: Range) -> str:
        """Pooling, interpolation, embedding, rearranging."""
        layer = self.layer
        if self._is_all(rows):
            source = self._operand(0, features, self.reach(0, rows))
            return self.new(lambda into: Apply(layer, source, into, False))
        reach = self.reach(0, rows)
        pad = None
        if layer.op == "pool":
            pad = self._pad(rows, float("-inf") if layer.function == "max" else 0.0)
        source = self._operand(0, features, reach, pad or NO_PAD)
        return self.new(lambda into: OnRows(layer, source, reach[0], rows, into))

    def _part_of_mean(self) -> str:
        layer, [need] = self.layer, self.part.reads[0].needs
        rows = int(need.rows[self.rank, 0]), int(need.rows[self.rank, 1])
        source = self._operand(0, np.arange(layer.in_features), rows)
        return self.new(lambda into: PartOfMean(layer, source, rows[0], into))

    def _flatten(self, features: Ints) -> Rectangle:
        """All elements of the features, or of the rows, that the node needs."""
        layer, shape = self.layer, self.layer.in_shape
        elements = np.arange(layer.out_features).reshape(shape[0], rows_of(shape), -1)
        wanted = np.zeros(layer.out_features, dtype=bool)
        wanted[features] = True
        wanted = wanted.reshape(elements.shape)
        channels = np.flatnonzero(wanted.any(axis=(1, 2)))
        lines = np.flatnonzero(wanted.any(axis=(0, 2)))
        rows = int(lines[0]), int(lines[-1]) + 1
        source = self._operand(0, channels, rows)
        slot = self.new(lambda into: Apply(layer, source, into, False))
        return Rectangle(slot, elements[channels, rows[0] : rows[1]].ravel(), (0, 1))

    def _attend(self, features: Ints, rows: Range) -> str:
        layer = self.layer
        keys, values = (part * layer.out_features + features for part in (1, 2))
        queries = self._operand(0, features, rows)
        every = 0, rows_of(layer.in_shape)
        others = self._operand(0, np.concatenate([keys, values]), every)
        return self.new(lambda into: Attend(layer, queries, others, into))

    def _combine(self, features: Ints, rows: Range) -> str:
        layer = self.layer
        one, other = (self._operand(k, features, self.reach(k, rows)) for k in (0, 1))
        free = self._overwrites(0, one)
        return self.new(lambda into: Combine(layer, (one, other), into, free))

    def _concat(self, features: Ints, rows: Range) -> str:
        """The wanted features of each operand side by side."""
        slots, begin = [], 0
        for operand, shape in enumerate(self.layer.in_shapes):
            own = features[(features >= begin) & (features < begin + shape[0])] - begin
            begin += shape[0]
            if len(own):
                slots.append(self._operand(operand, own, self.reach(operand, rows)))
        return self.new(lambda into: Join(tuple(slots), into))

    def _normalize(self, features: Ints, rows: Range) -> str:
        """From mean and squared deviations, or the sum of squares, of each position."""
        layer = self.layer
        own, theirs = (self.here.new_slot(f"statistics of {layer.name}") for _ in range(2))
        counts: tuple[int, ...] = (layer.in_features,)
        source = self._operand(0, features, rows)
        if self.part.statistics is None:  # every node has all features
            every = self._operand(0, np.arange(layer.in_features), rows)
            self.steps.append(Statistics(layer, every, own))
        else:
            self.steps.append(Statistics(layer, source, own))
            counts = self._share(own, theirs)
        free = self._overwrites(0, source)
        return self.new(lambda into: Normalize(layer, source, (own, theirs), counts, into, free))

    def _normalize_groups(self, features: Ints, rows: Range) -> str:
        """From mean and squared deviations of each group, of what each node answers for."""
        shared, own, counted = shared_groups(self.part, self.rank, features, rows)
        self.steps += shared.steps(self._operand(0, own, counted), own)
        read = self._operand(0, features, rows)
        free = self._overwrites(0, read)
        return self.new(lambda into: shared.normalize(read, features, into, overwrites=free))

    def _share(self, own: str, theirs: str) -> tuple[int, ...]:
        """Exchange statistics; return how many features those are of, the node's own first."""
        of_node = np.bincount(np.asarray(self.part.out.owners), minlength=self.laid.nodes).tolist()
        others = [node for node, count in enumerate(of_node) if count and node != self.rank]
        self.steps += [statistics_swap(self.layer, own, theirs, others), Wait()]
        return of_node[self.rank], *(of_node[node] for node in others)


def _padding(layer: Layer, rows: Range, has: Range, value: float) -> Pad:
    """What lies outside the input rows that there are, of the windows of output rows."""
    spread = (layer.kernel[0] - 1) * layer.dilation
    first = rows[0] * layer.stride[0] - layer.padding[0]
    last = (rows[1] - 1) * layer.stride[0] - layer.padding[0] + spread + 1
    if has[1] <= has[0]:
        return Pad(last - first, 0, value)
    return Pad(has[0] - first, last - has[1], value)


def _by_group(layer: Layer, features: Ints) -> list[tuple[Ints, Ints]]:
    """The input features of each group that outputs are of, and those outputs."""
    group = features * layer.groups // layer.out_features
    width = layer.in_features // layer.groups
    return [
        (np.arange(one * width, (one + 1) * width), features[group == one])
        for one in np.unique(group).tolist()
    ]


def _weight_outputs(part: Part, rank: int) -> Ints:
    """The output features of which the node has weights."""
    if part.out.owners is not None:
        return np.flatnonzero(part.out.owners == rank)
    return np.arange(part.layer.out_features)


def _masked(steps: PartSteps, parts: tuple[GroupPiece, ...], rows: Range) -> str:
    """Return the slot of a product of the features that are named for the node."""
    layer, inputs = steps.layer, np.concatenate([part.inputs for part in parts])
    if not len(inputs):
        shape = (1, sum(len(part.outputs) for part in parts), *layer.out_shape[1:])
        return steps.new(lambda into: BiasAlone(shape, f"{layer.name}.bias", into))
    reach = steps.reach(0, rows)
    source = steps.here.rectangle(steps.steps, steps.tensors[0], inputs, reach)
    groups = _side_by_side(layer, parts)
    return steps.new(lambda into: GroupedProduct(layer, (source,), groups, into))


def _side_by_side(layer: Layer, parts: tuple[GroupPiece, ...]) -> tuple[GroupPart, ...]:
    """The groups of a product whose inputs lie one group after the other."""
    name, outputs = f"{layer.name}.weight", [len(part.outputs) for part in parts]
    if alike(parts):
        return (GroupPart(name, None, sum(outputs), len(parts)),)
    ends = np.cumsum([len(part.inputs) for part in parts])
    begins = ends - [len(part.inputs) for part in parts]
    return tuple(
        GroupPart(f"{name}.{part.group}", np.arange(begin, end), count)
        for part, begin, end, count in zip(parts, begins, ends, outputs, strict=True)
    )
