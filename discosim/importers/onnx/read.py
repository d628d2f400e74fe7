"""ONNX files: the front end. Weights are not read, only their shapes are.

https://onnx.ai/onnx/operators; opset 7 and later.
"""

import re
from collections.abc import Iterator
from math import prod
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, TensorProto
from onnx.defs import onnx_opset_version
from onnx.inliner import inline_local_functions

from discosim.errors import DiscosimError
from discosim.importers.lowering.program import Constant, Node, Program
from discosim.importers.onnx.protos import INLINE_ELEMENTS
from discosim.importers.onnx.shapes import Attributes, infer
from discosim.importers.sizes import Sizes, check_names, size_of

OLDEST_OPSET = 7
DOMAINS = ("", "ai.onnx")
CONTROL_FLOW = ("If", "Loop", "Scan", "SequenceMap")
QUANTISED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger")


def read_onnx(path: str, given: Sizes | None) -> Program:
    """Return the program in an ONNX file; `given` are input sizes, where dimensions are open.

    Raises DiscosimError for a file that cannot be read or costed.
    """
    model = _load(path)
    name = Path(path).stem
    _check(model, name)
    _check_external(model.graph, Path(path))
    _set_inputs(model.graph, name, given)
    initial = _strip(model.graph)
    shapes, constants, attributes = infer(model, name, initial)
    nodes = tuple(_nodes(model.graph, attributes))
    held = {tensor.name for tensor in model.graph.initializer} | {
        tensor.values.name for tensor in model.graph.sparse_initializer
    }
    entering = [value for value in model.graph.input if value.name not in held | set(initial)]
    outputs = tuple(value.name for value in model.graph.output)
    indices = frozenset(v.name for v in entering if _is_whole(v.type.tensor_type.elem_type))
    return Program(
        name=name,
        inputs=tuple(sorted((v.name for v in entering), key=lambda n: n in indices)),
        outputs=outputs,
        nodes=nodes,
        constants=constants,
        shapes=shapes,
        dtype="int8" if any(node.op in QUANTISED for node in nodes) else "",
        indices=indices,
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
    """Refuse what no shape can be inferred of: old opsets, foreign domains, control flow."""
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    opset = opsets.get("", opsets.get("ai.onnx", 0))
    if model.functions:
        try:
            model.CopyFrom(inline_local_functions(model))
        except Exception as error:  # onnx raises its own C++ exceptions here
            raise DiscosimError(f"{name}: its functions cannot be inlined: {error}") from None
    for node in model.graph.node:
        if node.domain not in DOMAINS:
            raise DiscosimError(
                f"{name}: operator {node.op_type} of domain {node.domain!r} is unknown; "
                "only ONNX's own operators can be costed"
            )
        if node.op_type in CONTROL_FLOW:
            raise DiscosimError(
                f"{name}: {node.op_type} {node.name!r} is control flow, whose work is not known "
                "before it runs"
            )
    if opset < OLDEST_OPSET:
        raise DiscosimError(f"{name}: opset {opset}; wanted {OLDEST_OPSET} or later")
    if opset > onnx_opset_version():
        raise DiscosimError(
            f"{name}: opset {opset} is newer than the onnx package, which knows "
            f"{onnx_opset_version()}"
        )


def _check_external(graph: GraphProto, path: Path) -> None:
    """Refuse a file whose external data is not there; it is not read."""
    checked: dict[str, int] = {}
    for tensor in graph.initializer:
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        if location not in checked:
            target = path.parent / location
            if not location or not target.is_file():
                raise DiscosimError(
                    f"{path}: its external data {location!r} is missing beside the file"
                )
            checked[location] = target.stat().st_size
        numbers = [entries.get(key, "0") for key in ("offset", "length")]
        stated = all(re.fullmatch(r"[0-9]{1,18}", number) for number in numbers)
        if stated and sum(map(int, numbers)) > checked[location]:
            raise DiscosimError(f"{path}: its external data {location!r} is cut short")


def _is_whole(elem_type: int) -> bool:
    return elem_type in (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL)


def _set_inputs(graph: GraphProto, name: str, given: Sizes | None) -> None:
    """Give every dimension of the inputs a size."""
    held = {tensor.name for tensor in graph.initializer}
    symbols: dict[str, int] = {}
    entering = [value for value in graph.input if value.name not in held]
    entering.sort(key=lambda value: _is_whole(value.type.tensor_type.elem_type))
    check_names(given, [value.name for value in entering], name)
    for number, value in enumerate(entering):
        if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
            raise DiscosimError(f"{name}: the shape of its input {value.name!r} is not stated")
        dims = value.type.tensor_type.shape.dim
        sizes = [
            dim.dim_value if dim.HasField("dim_value") else symbols.get(dim.dim_param, 0)
            for dim in dims
        ]
        what = f"{name}: input {value.name!r}"
        shape = size_of(value.name, tuple(sizes), given, what, first=number == 0)
        for dim, size in zip(dims, shape, strict=True):
            if dim.dim_param:
                symbols.setdefault(dim.dim_param, size)
            dim.dim_value = size
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    del graph.value_info[:]


def _strip(graph: GraphProto) -> dict[str, Constant]:
    """Throw the numbers of the weights away, and return what is known of all initializers."""
    constants = {}
    for tensor in graph.initializer:
        shape = tuple(tensor.dims)
        count = prod(shape)
        weighs = count > 1 and not _is_whole(tensor.data_type)
        constants[tensor.name] = Constant(shape, {tensor.name: count} if weighs else {})
        if count > INLINE_ELEMENTS and tensor.data_location != TensorProto.EXTERNAL:
            for numbers in (
                "raw_data",
                "float_data",
                "int32_data",
                "int64_data",
                "double_data",
                "uint64_data",
                "string_data",
            ):
                tensor.ClearField(numbers)
            tensor.data_location = TensorProto.EXTERNAL
    for sparse in graph.sparse_initializer:
        shape = tuple(sparse.dims)
        constants[sparse.values.name] = Constant(shape, {sparse.values.name: prod(shape)})
    return constants


def _nodes(graph: GraphProto, attributes: Attributes) -> Iterator[Node]:
    for number, node in enumerate(graph.node):
        outputs = tuple(node.output)
        label = node.name or next(filter(None, outputs), node.op_type)
        yield Node(node.op_type, tuple(node.input), outputs, attributes[number], label)
