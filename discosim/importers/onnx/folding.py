"""Small tensors that shapes are computed from, evaluated: what follows a Shape operator.

The arithmetic is that of the onnx package's reference implementation.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, OperatorSetIdProto, helper
from onnx.reference import ReferenceEvaluator

Array = NDArray[Any]

MOST_ELEMENTS = 4096
"""Elements of a tensor that is evaluated: shapes and indices are small."""

# fmt: off
FOLDED = frozenset((
    "Abs", "Add", "And", "Cast", "Ceil", "Clip", "Concat", "ConstantOfShape", "CumSum", "Div",
    "Equal", "Expand", "Flatten", "Floor", "Gather", "GatherElements", "GatherND", "Greater",
    "GreaterOrEqual", "Identity", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Neg", "Not",
    "Or", "Pow", "Range", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum", "Reshape", "Round",
    "ScatterElements", "ScatterND", "Sign", "Slice", "Split", "Sqrt", "Squeeze", "Sub", "Sum",
    "Tile", "Transpose", "Trilu", "Unsqueeze", "Where", "Xor",
))
# fmt: on


def evaluate(
    node: NodeProto, inputs: Mapping[str, Any], opsets: Sequence[OperatorSetIdProto]
) -> dict[str, Array] | None:
    """Return the outputs of an operator on small tensors, or None where it is not evaluated."""
    if node.op_type not in FOLDED or sum(each.size for each in inputs.values()) > MOST_ELEMENTS:
        return None
    if _made(node, inputs) > MOST_ELEMENTS:
        return None
    entering = [_value(name, array) for name, array in inputs.items()]
    leaving = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
    graph = helper.make_graph([node], "folded", entering, leaving)
    model = helper.make_model(graph, opset_imports=opsets)
    with np.errstate(all="ignore"):
        try:
            found = ReferenceEvaluator(model).run(None, dict(inputs))
        except Exception:  # of the package: wrong in the file, and shape inference says what
            return None
    arrays = {value.name: np.asarray(each) for value, each in zip(leaving, found, strict=True)}
    return None if any(each.size > MOST_ELEMENTS for each in arrays.values()) else arrays


def _value(name: str, array: Array) -> Any:
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, kind, array.shape)


def _made(node: NodeProto, inputs: Mapping[str, Any]) -> float:
    """How many elements come out of an operator whose output may be much larger than its inputs."""
    given = [inputs.get(name) for name in node.input]
    sizes: list[float] = [prod(map(float, x.ravel()), start=1.0) for x in given if x is not None]
    match node.op_type:
        case "ConstantOfShape":
            return sizes[0]
        case "Expand" | "Tile" if len(sizes) > 1 and given[0] is not None:
            return sizes[1] * float(given[0].size)
        case "Range" if len(sizes) == 3:
            start, limit, step = sizes
            return (limit - start) / step if step else float("inf")
        case "Gather" | "GatherElements" | "GatherND" if len(sizes) > 1:
            return float(prod(x.size for x in given if x is not None)) / 64
    return 0.0
