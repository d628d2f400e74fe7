"""Weights of an ONNX graph: their shapes, and what they are stored as; not their numbers."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from onnx import (
    AttributeProto,
    GraphProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
    numpy_helper,
)
from onnx.checker import ValidationError
from onnx.external_data_helper import load_external_data_for_tensor

from discosim.importers.lowering.program import Constant
from discosim.importers.onnx.protos import INLINE_ELEMENTS

# fmt: off
NUMBERS = (
    "raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data",
    "string_data",
)
SHAPES = (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL)
MASKED = ("Add", "Sub", "Mul", "Where", "Attention", "MultiHeadAttention", "GroupQueryAttention")
# fmt: on
MOST_MASK_ELEMENTS = 1 << 24
"""Of a constant that is looked at for being a mask."""
SPARSE = "sparse weights count as if they had all their numbers"
MASK = "taken for masks, which do not count as parameters"
TURNED = {"RotaryEmbedding": slice(1, 4), "GroupQueryAttention": slice(7, 9)}
"""Operators that turn features by angles, and which of their operands may hold these."""
CARRYING = ("Gather", "Cast", "Slice", "Squeeze", "Unsqueeze", "Identity")
ANGLES = "cosines and sines of rotations, which do not count as parameters"
MOST_STATE_ELEMENTS = 1 << 16
"""Of a constant that is looked at for being a state of zeros."""

DTYPES = {
    TensorProto.FLOAT: "fp32",
    TensorProto.FLOAT16: "fp16",
    TensorProto.BFLOAT16: "bf16",
    TensorProto.DOUBLE: "fp64",
    TensorProto.INT8: "int8",
    TensorProto.UINT8: "int8",
    TensorProto.INT16: "int16",
    TensorProto.UINT16: "int16",
    **{kind: "fp8" for name, kind in TensorProto.DataType.items() if name.startswith("FLOAT8")},
    **{kind: "int4" for name, kind in TensorProto.DataType.items() if name in ("INT4", "UINT4")},
    **{kind: "fp4" for name, kind in TensorProto.DataType.items() if name.startswith("FLOAT4")},
}
"""What tensors of weights and features are stored as; whole numbers of 32 bits are indices."""


def strip(graph: GraphProto) -> dict[str, Constant]:
    """Throw the numbers of the weights away, and return what is known of all initializers."""
    added, turned = set(masked(graph.node)), angles(graph.node)
    constants = {}
    for tensor in graph.initializer:
        name = tensor.name
        constants[name] = held_of(tensor, name, added=name in added, turned=name in turned)
        count = prod(tensor.dims)
        if count > INLINE_ELEMENTS and tensor.data_location != TensorProto.EXTERNAL:
            for numbers in NUMBERS:
                tensor.ClearField(numbers)
            tensor.data_location = TensorProto.EXTERNAL
    for sparse in graph.sparse_initializer:
        constants[sparse.values.name] = held_of_sparse(sparse, sparse.values.name)
    return constants


def held_of(tensor: TensorProto, name: str, *, added: bool, turned: bool) -> Constant:
    """Return what is known of a constant, be it an initializer or an operator's, stored as `name`.

    added: whether something reads it that takes masks; turned: or that takes angles.
    """
    shape = tuple(tensor.dims)
    count = prod(shape)
    weighs = count > 1 and tensor.data_type in DTYPES
    if weighs and added and is_mask(tensor):
        return Constant(shape, taken_for=MASK)
    if weighs and turned:
        return Constant(shape, taken_for=ANGLES)
    return Constant(shape, {name: count} if weighs else {}, is_zero=weighs and is_zero(tensor))


def held_of_sparse(tensor: SparseTensorProto, name: str) -> Constant:
    """Return the same of a sparse constant, which counts as if it had all its numbers."""
    shape = tuple(tensor.dims)
    return Constant(shape, {name: prod(shape)})


def masked(nodes: Iterable[NodeProto]) -> Iterator[str]:
    """Yield the tensors that operators read which take masks, in branches and loops too."""
    for node in nodes:
        if node.op_type in MASKED:
            yield from node.input
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from masked(attribute.g.node)


def angles(nodes: Sequence[NodeProto]) -> set[str]:
    """Return the tensors that operators read which take angles, and of which these are taken."""
    found = {
        name
        for node in nodes
        if node.op_type in TURNED
        for name in node.input[TURNED[node.op_type]]
    }
    for node in reversed(nodes):
        if node.op_type in CARRYING and found.intersection(node.output):
            found.add(node.input[0])
    return found


def is_zero(tensor: TensorProto) -> bool:
    """Whether all numbers of a constant are 0, as of the states that exporters write."""
    numbers = _numbers(tensor, MOST_STATE_ELEMENTS)
    with np.errstate(invalid="ignore"):
        return numbers is not None and not numbers.any()


def _numbers(tensor: TensorProto, most: int) -> Any:
    """The numbers of a constant with up to so many, None where they are not there."""
    if tensor.data_location == TensorProto.EXTERNAL or prod(tensor.dims) > most:
        return None
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError):
        return None


def is_mask(tensor: TensorProto) -> bool:
    """Whether a constant holds 0 and one other number, as masks do, which nobody learned."""
    numbers = _numbers(tensor, MOST_MASK_ELEMENTS) if len(tensor.dims) > 1 else None
    if numbers is None:
        return False
    low, high = numbers.min(), numbers.max()
    return bool(low != high and 0 in (low, high) and ((numbers == low) | (numbers == high)).all())


def stored(graph: GraphProto) -> Counter[str]:
    """Return how many elements of weights are stored as each data type."""
    found: Counter[str] = Counter()
    for tensor in _weights(graph):
        count = prod(tensor.dims)
        if count > 1 and tensor.data_type in DTYPES:
            found[DTYPES[tensor.data_type]] += count
    return found


def _weights(graph: GraphProto) -> Iterator[TensorProto]:
    """All tensors that a graph holds, those of branches and loops too."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                yield attribute.t
            elif attribute.type == AttributeProto.GRAPH:
                yield from _weights(attribute.g)


def read_small(graph: GraphProto, folder: Path) -> None:
    """Read the small tensors of whole numbers that lie beside the graph: shapes follow from them.

    Those that cannot be read are left as they are.
    """
    for tensor in _weights(graph):
        beside = tensor.data_location == TensorProto.EXTERNAL
        if beside and tensor.data_type in SHAPES and prod(tensor.dims) <= INLINE_ELEMENTS:
            try:
                load_external_data_for_tensor(tensor, str(folder))
            except (OSError, ValueError, ValidationError):
                continue
            tensor.data_location = TensorProto.DEFAULT


def missing_data(graph: GraphProto, folder: Path) -> list[str]:
    """Return what is wrong with the files beside the graph that hold its weights."""
    sizes: dict[str, int | None] = {}
    faults = {}
    for tensor in _weights(graph):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        if location not in sizes:
            target = folder / location
            sizes[location] = target.stat().st_size if location and target.is_file() else None
        size = sizes[location]
        if size is None:
            faults[location] = f"its external data {location!r} is missing beside the file"
            continue
        numbers = [entries.get(key, "0") for key in ("offset", "length")]
        known = all(re.fullmatch(r"[0-9]{1,18}", number) for number in numbers)
        if known and sum(map(int, numbers)) > size:
            faults[location] = f"its external data {location!r} is cut short"
    return [f"{fault}; weights are not read, and count all the same" for fault in faults.values()]
