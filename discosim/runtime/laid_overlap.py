"""What a node computes of a layer split by rows while messages are under way: from its own rows."""

from discosim.graph.network import INPUT
from discosim.partition.kinds import Kind
from discosim.runtime.holdings import Rectangle
from discosim.runtime.laid_steps import Begun, PartSteps
from discosim.runtime.program import Mixing, Range

LEAST = 0.9
"""Share of the rows that have to come out right: the others are computed once more.

Rows alone cost more than their share, since all weights are read for them: of the convolutions of
ResNet-50 on two nodes those with 14 rows and more gain, those with 4 would take twice as long.
"""


def begin(part: PartSteps) -> Begun | None:
    """Write the steps that need no received row; None where those are all.

    A convolution pads the node's own rows itself: what comes out is right but for the rows whose
    windows go over the edge to a neighbour. Of a layer that every node computes in part for all
    rows, the rest is of the node's own.
    """
    layer, every = part.layer, part.rectangles()
    if part.part.choice.kind is not Kind.ROWS or layer.operator.placing != "mixes" or not every:
        return None
    features, rows = every[0]
    own = _own(part)
    if own is None:
        return None
    if len(every) > 1:
        first, last = part.reach(0, rows)
        inside = own.rows[0] <= first and last <= own.rows[1]
        return Begun(part.mix(features, rows), rows) if inside else None
    right = _right(part, own.rows, rows)
    if right is None or right[1] - right[0] < LEAST * (rows[1] - rows[0]):
        return None
    slot = part.new(lambda into: Mixing(layer, own.slot, None, layer.groups, False, into))
    return Begun(slot, right)


def _own(part: PartSteps) -> Rectangle | None:
    """Rows of the operand that the node has with all features, and not all rows."""
    tensor = part.tensors[0]
    if tensor == INPUT:
        return None
    every = part.layer.in_features
    return next((one for one in part.here.of.get(tensor, []) if len(one.features) == every), None)


def _right(part: PartSteps, own: Range, rows: Range) -> Range | None:
    """Output rows that the convolution of own rows makes right; None where it makes others."""
    layer = part.layer
    if not layer.stride or len(layer.in_shape) < 2:
        return None
    stride, pad = layer.stride[0], layer.padding[0]
    spread = (layer.kernel[0] - 1) * layer.dilation
    made = (own[1] - own[0] + 2 * pad - spread - 1) // stride + 1
    if own[0] != rows[0] * stride or made != rows[1] - rows[0]:
        return None
    right = [
        row
        for row in range(*rows)
        if (own[0] == 0 or row * stride - pad >= own[0])
        and (own[1] == layer.in_shape[1] or row * stride - pad + spread < own[1])
    ]
    return (right[0], right[-1] + 1) if right else None
