"""ONNX files: the front end. Weights are not read, only their shapes are.

https://onnx.ai/onnx/operators; opset 7 and later.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto, helper
from onnx.defs import onnx_opset_version
from onnx.inliner import inline_local_functions

from discosim.errors import DiscosimError, some_of
from discosim.importers.lowering.fused import CALLED, FUSED, MICROSOFT
from discosim.importers.lowering.program import Node, Program
from discosim.importers.onnx.initializers import SPARSE, missing_data, read_small, stored, strip
from discosim.importers.onnx.protos import can_be_set, is_whole
from discosim.importers.onnx.shapes import Inferred, infer
from discosim.importers.sizes import NamedSizes, Sizes, check_names, size_of
from discosim.importers.stored import as_stored

OLDEST_OPSET = 7
DOMAINS = ("", "ai.onnx")
EQUATION = r"[A-Za-z,.\s]+(->[A-Za-z.\s]*)?"


def read_onnx(path: str, given: Sizes | None) -> Program:
    """Return the program in an ONNX file; `given` are input sizes, where dimensions are open.

    Raises DiscosimError for a file that cannot be read or costed.
    """
    model = _load(path)
    name = Path(path).stem
    _check(model, name)
    told = missing_data(model.graph, Path(path).parent)
    read_small(model.graph, Path(path).parent)
    numbers = _set_inputs(model.graph, name, given)
    kinds = stored(model.graph)
    initial = strip(model.graph)
    inferred = infer(model, name, initial, numbers)
    nodes = tuple(_nodes(inferred))
    held = {tensor.name for tensor in model.graph.initializer} | {
        tensor.values.name for tensor in model.graph.sparse_initializer
    }
    known = held | set(initial) | set(numbers)
    entering = [value for value in model.graph.input if value.name not in known]
    indices = frozenset(v.name for v in entering if is_whole(v.type.tensor_type.elem_type))
    ops = {node.op for node in nodes}
    dtype, notes = as_stored(kinds, inferred.made, ops)
    if model.graph.sparse_initializer:
        names = [each.values.name for each in model.graph.sparse_initializer]
        told.append(f"{SPARSE}: {some_of(names)}")
    return Program(
        name=name,
        inputs=tuple(sorted((v.name for v in entering), key=lambda n: n in indices)),
        outputs=tuple(_outputs(model.graph, inferred)),
        nodes=nodes,
        constants=inferred.constants,
        shapes=inferred.shapes,
        dtype=dtype,
        indices=indices,
        notes=(*told, *notes, *inferred.notes),
    )


def _load(path: str) -> ModelProto:
    try:
        model: ModelProto = onnx.load(path, format="protobuf", load_external_data=False)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DiscosimError(f"cannot read {path}: {reason}") from None
    except (DecodeError, ValueError, UnicodeDecodeError):
        raise DiscosimError(f"{path} is not an ONNX file, or is cut short") from None
    texts = [
        text
        for node in model.graph.node
        for text in (node.op_type, node.name, node.domain, *node.input, *node.output)
    ]
    if any(isinstance(text, bytes) for text in texts):  # not UTF-8
        raise DiscosimError(f"{path} is not an ONNX file: its names are no texts")
    if not model.ir_version or not model.graph.node:
        raise DiscosimError(f"{path} is not an ONNX file, or holds no operators")
    return model


def _check(model: ModelProto, name: str) -> None:
    """Refuse what no shape can be inferred of: old opsets, foreign domains, sequences."""
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    opset = opsets.get("", opsets.get("ai.onnx", 0))
    if model.functions:
        try:
            model.CopyFrom(inline_local_functions(model))
        except Exception as error:  # onnx raises its own C++ exceptions here
            raise DiscosimError(f"{name}: its functions cannot be inlined: {error}") from None
    for node in model.graph.node:
        known = node.domain == MICROSOFT and node.op_type in FUSED
        if node.domain not in DOMAINS and not known:
            raise DiscosimError(
                f"{name}: operator {node.op_type} of domain {node.domain!r} is unknown; "
                "only ONNX's own operators can be costed: give the file as it was before a "
                "runtime's optimisation, or cut it before and behind what makes "
                f"{next(iter(node.output), '')!r} (onnx.utils.extract_model)"
            )
        _check_equation(node, name)
    if opset < OLDEST_OPSET:
        raise DiscosimError(f"{name}: opset {opset}; wanted {OLDEST_OPSET} or later")
    if opset > onnx_opset_version():
        raise DiscosimError(
            f"{name}: opset {opset} is newer than the onnx package, which knows "
            f"{onnx_opset_version()}"
        )


def _check_equation(node: NodeProto, name: str) -> None:
    """Refuse what is no equation: the onnx package's inference does not end on some."""
    for attribute in node.attribute:
        text = attribute.s.decode("utf-8", "replace")
        if node.op_type == "Einsum" and not re.fullmatch(EQUATION, text):
            raise DiscosimError(
                f"{name}: Einsum {node.name or node.output[0]!r}: its equation {text!r:.40} is none"
            )


def _set_inputs(graph: GraphProto, name: str, given: Sizes | None) -> dict[str, Any]:
    """Give every dimension of the inputs a size; return the numbers of those that are set."""
    numbers: dict[str, Any] = {}
    held = {tensor.name for tensor in graph.initializer}
    symbols: dict[str, int] = {}
    entering = [value for value in graph.input if value.name not in held]
    entering.sort(key=lambda value: is_whole(value.type.tensor_type.elem_type))
    check_names(given, [value.name for value in entering], name)
    for number, value in enumerate(entering):
        if value.type.HasField("sequence_type") or value.type.HasField("optional_type"):
            readers = [node.output[0] for node in graph.node if value.name in node.input]
            raise DiscosimError(
                f"{name}: its input {value.name!r} is a sequence of tensors, whose number is not "
                f"known: cut the file behind {some_of(readers)} (onnx.utils.extract_model)"
            )
        if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
            raise DiscosimError(f"{name}: the shape of its input {value.name!r} is not stated")
        dims = value.type.tensor_type.shape.dim
        sizes = [
            dim.dim_value if dim.HasField("dim_value") else symbols.get(dim.dim_param, 0)
            for dim in dims
        ]
        what = f"{name}: input {value.name!r}"
        chosen = given.of(value.name) if isinstance(given, NamedSizes) else None
        kind = value.type.tensor_type.elem_type
        if chosen is not None and len(chosen) == 1 and can_be_set(value):
            as_stored_in = helper.tensor_dtype_to_np_dtype(kind)
            numbers[value.name] = np.array(chosen, dtype=as_stored_in).reshape(sizes)
            continue
        shape = size_of(value.name, tuple(sizes), given, what, first=number == 0)
        for dim, size in zip(dims, shape, strict=True):
            if dim.dim_param:
                symbols.setdefault(dim.dim_param, size)
            dim.dim_value = size
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    del graph.value_info[:]
    return numbers


def _outputs(graph: GraphProto, inferred: Inferred) -> Iterator[str]:
    """What is wanted; of a sequence every tensor of it."""
    for value in graph.output:
        yield from inferred.lists.get(value.name, [value.name])


def _nodes(inferred: Inferred) -> Iterator[Node]:
    for node, attributes in inferred.nodes:
        outputs = tuple(node.output)
        label = node.name or next(filter(None, outputs), node.op_type)
        foreign = node.domain == MICROSOFT and node.op_type in CALLED
        op = CALLED[node.op_type] if foreign else node.op_type
        yield Node(op, tuple(node.input), outputs, attributes, label)
