"""ONNX's messages as Python values."""

from collections.abc import Mapping
from math import prod
from typing import Any

from onnx import (
    AttributeProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    defs,
    helper,
    numpy_helper,
)

INLINE_ELEMENTS = 1024
"""Initializers with more are weights: their numbers are thrown away before shapes are inferred."""


KINDS: Mapping[int, str] = {
    AttributeProto.INT: "a whole number",
    AttributeProto.FLOAT: "a number",
    AttributeProto.STRING: "a text",
    AttributeProto.INTS: "whole numbers",
    AttributeProto.FLOATS: "numbers",
    AttributeProto.TENSOR: "a tensor",
}


def is_whole(elem_type: int) -> bool:
    """Return whether a type is that of indices and conditions."""
    return elem_type in (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL)


def can_be_set(value: ValueInfoProto) -> bool:
    """Return whether `--input` gives an input its number: there is no size that it could mean."""
    kind = value.type.tensor_type
    sizes = [dim.dim_value for dim in kind.shape.dim]
    return not sizes or (sizes == [1] and is_whole(kind.elem_type))


def attributes_of(node: NodeProto, opset: int) -> dict[str, Any]:
    """Return a node's attributes as Python values; subgraphs and tensors as they are.

    Raises ValueError where one is missing, or of another type than the operator's.
    """
    declared = _declared(node.op_type, opset)
    values: dict[str, Any] = {}
    for attribute in node.attribute:
        wanted = declared.get(attribute.name)
        if wanted is not None and int(wanted.type) != attribute.type:
            kind = KINDS.get(int(wanted.type), "another kind of value")
            raise ValueError(f"its attribute {attribute.name!r} is not {kind}")
        value = helper.get_attribute_value(attribute)
        match attribute.type:
            case AttributeProto.STRING:
                value = value.decode("utf-8", "replace")
            case AttributeProto.INTS:
                value = tuple(value)
        values[attribute.name] = value
    for name, attribute in declared.items():
        if attribute.required and name not in values:
            raise ValueError(f"its attribute {name!r} is missing")
    return values


def _declared(op: str, opset: int) -> Mapping[str, Any]:
    """The attributes that an operator has in an opset; none where it is not in it."""
    try:
        return defs.get_schema(op, opset, "").attributes
    except defs.SchemaError:
        return {}


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
