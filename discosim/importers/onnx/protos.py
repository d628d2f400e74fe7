"""ONNX's messages as Python values."""

from math import prod
from typing import Any

from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper

INLINE_ELEMENTS = 1024
"""Initializers with more are weights: their numbers are thrown away before shapes are inferred."""


def attributes_of(node: NodeProto) -> dict[str, Any]:
    """Return a node's attributes as Python values; tensors with few numbers as arrays."""
    values: dict[str, Any] = {}
    for attribute in node.attribute:
        match attribute.type:
            case AttributeProto.INT:
                values[attribute.name] = attribute.i
            case AttributeProto.FLOAT:
                values[attribute.name] = attribute.f
            case AttributeProto.STRING:
                values[attribute.name] = attribute.s.decode("utf-8", "replace")
            case AttributeProto.INTS:
                values[attribute.name] = tuple(attribute.ints)
            case AttributeProto.TENSOR:
                values[attribute.name] = attribute.t
    if node.op_type == "Cast" and "to" in values:
        try:
            values["dtype"] = helper.tensor_dtype_to_np_dtype(values["to"])
        except (KeyError, TypeError, ValueError):
            values.pop("dtype", None)
    return values


def array_of(tensor: TensorProto) -> Any:
    """Return a small tensor's numbers, or None for a large or unreadable one."""
    if tensor.data_location == TensorProto.EXTERNAL or prod(tensor.dims) > INLINE_ELEMENTS:
        return None
    if tensor.data_type == TensorProto.STRING:
        return None
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError):
        return None
