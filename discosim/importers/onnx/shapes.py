"""Shapes of all tensors of an ONNX graph: by the onnx package, and by numbers that shapes hold.

The package infers the whole graph at once. Where a shape is computed by the graph itself (Shape,
Gather, Concat, Reshape), the small tensors on the way are evaluated and the rest is inferred node
by node.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TypeProto,
    defs,
    helper,
    numpy_helper,
    shape_inference,
)

from discosim.errors import DiscosimError
from discosim.graph.layer import Ints, Shape
from discosim.importers.lowering.fused import MICROSOFT, shapes_of
from discosim.importers.lowering.program import (
    NOTHING,
    SELECTING,
    Constant,
    part_of,
    which_part,
)
from discosim.importers.lowering.rows import LARGEST_TENSOR
from discosim.importers.onnx.control import CONTROL_FLOW, REPEATED, unfold
from discosim.importers.onnx.folding import evaluate
from discosim.importers.onnx.initializers import (
    DTYPES,
    SPARSE,
    angles,
    held_of,
    held_of_sparse,
    masked,
    strip,
)
from discosim.importers.onnx.lists import follow, reads_list
from discosim.importers.onnx.protos import array_of, attributes_of, can_be_set

NUMBERS_OF = {
    "value_int": "int64",
    "value_ints": "int64",
    "value_float": "float32",
    "value_floats": "float32",
}
"""Attributes of Constant beside a tensor, and the data types of what they hold."""

SHAPED = ("Reshape", "Expand", "Tile", "Slice", "Pad", "Resize", "ConstantOfShape", "Range", "TopK")
"""Operators whose output has the shape that numbers of an operand say."""

UNCHANGED = ("GroupNormalization", "MeanVarianceNormalization")
"""Operators with outputs in the shape of their first operand, which onnx does not infer."""


@dataclass(frozen=True, eq=False)
class Inferred:
    """What is known of a graph: shapes of all tensors, what is constant, and its operators.

    made: elements of all tensors that are computed, by data type; lists: the tensors of sequences;
    notes: what has to be told.
    """

    shapes: dict[str, Shape]
    constants: dict[str, Constant]
    nodes: list[tuple[NodeProto, dict[str, Any]]]
    made: Counter[str]
    lists: Mapping[str, Sequence[str]]
    notes: tuple[str, ...]


def infer(
    model: ModelProto, name: str, initial: Mapping[str, Constant], numbers: Mapping[str, Any]
) -> Inferred:
    """Return what is known of a graph, with the attributes of its operators.

    Control flow is written out; numbers: of inputs that are set. Raises DiscosimError where a shape
    depends on the data, or the graph contradicts itself.
    """
    found = _Inference(model, name, initial)
    for tensor, value in numbers.items():
        found.know(tensor, value)
    for node in model.graph.node:
        found.take(node)
    return Inferred(
        found.shapes, found.constants, found.nodes, _made(found), found.lists, tuple(found.notes)
    )


class _Inference:
    def __init__(self, model: ModelProto, name: str, initial: Mapping[str, Constant]) -> None:
        self.nodes: list[tuple[NodeProto, dict[str, Any]]] = []
        self.name = name
        self.opsets = list(model.opset_import)
        opset = next(o.version for o in self.opsets if o.domain in ("", "ai.onnx"))
        self.opset = opset
        self.read = {value.name for value in model.graph.output}
        self.read |= set(_read_by(model.graph.node))
        self.masked = set(masked(model.graph.node))
        self.turned = angles(model.graph.node)
        self.numbers: dict[str, Any] = {}
        self.constants = dict(initial)
        self.shapes: dict[str, Shape] = {n: c.shape for n, c in initial.items()}
        self.types: dict[str, TypeProto] = {}
        self._inside = 0  # how deep in control flow, or in what stands for an operator
        self.lists: dict[str, list[str]] = {}
        self.notes: list[str] = []
        self.makers: dict[str, NodeProto] = {}
        self.settable = [value.name for value in model.graph.input if can_be_set(value)]
        self._enter(model.graph)
        try:
            inferred = shape_inference.infer_shapes(model)
        except Exception as error:  # onnx raises its own C++ exceptions here
            raise DiscosimError(f"{name}: its shapes contradict each other: {error}") from None
        graph = inferred.graph
        for value in (*graph.input, *graph.value_info, *graph.output):
            self._type(value.name, value.type)

    def _type(self, tensor: str, kind: TypeProto) -> None:
        if not kind.HasField("tensor_type"):
            return
        self.types[tensor] = kind
        if kind.tensor_type.HasField("shape"):
            dims = kind.tensor_type.shape.dim
            shape = tuple([dim.dim_value for dim in dims])
            if all(shape) or all(dim.HasField("dim_value") for dim in dims):
                self.shapes[tensor] = shape
                self._check(tensor)

    def _check(self, tensor: str) -> None:
        shape = self.shapes[tensor]
        if min(shape, default=1) < 0 or prod(shape) > LARGEST_TENSOR:
            raise DiscosimError(f"{self.name}: tensor {tensor!r} cannot have the shape {shape}")

    def know(self, tensor: str, numbers: Any, held: Mapping[str, int] = NOTHING) -> None:
        """Keep the numbers of a small tensor, made of others that hold parameters."""
        if numbers is None:
            return
        self.numbers[tensor] = numbers
        self.shapes[tensor] = numbers.shape
        value: Ints | None = None
        if numbers.dtype.kind in "iub":
            value = numbers.astype("int64")
        before = self.constants.get(tensor)
        parameters = {**(before.parameters if before else {}), **held}
        with np.errstate(invalid="ignore"):
            zero = numbers.dtype.kind == "f" and not numbers.any()
        taken_for = before.taken_for if before else ""
        self.constants[tensor] = Constant(numbers.shape, parameters, value, zero, taken_for)

    def hold(self, graph: GraphProto) -> None:
        """Take the constants of a subgraph in."""
        for name, constant in strip(graph).items():
            if name not in self.constants:
                self.constants[name] = constant
                self.shapes[name] = constant.shape
        self._enter(graph)

    def _enter(self, graph: GraphProto) -> None:
        for tensor in graph.initializer:
            self.types[tensor.name] = helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
            self.know(tensor.name, array_of(tensor))

    def take(self, node: NodeProto) -> None:
        """Take an operator in, or those that control flow comes to."""
        try:
            attributes = attributes_of(node, self.opset)
        except ValueError as error:
            label = node.name or next(iter(node.output), "")
            raise DiscosimError(f"{self.name}: {node.op_type} {label!r}: {error}") from None
        flows = node.op_type in CONTROL_FLOW
        if flows or reads_list(self, node):
            self._inside += 1
            (unfold if flows else follow)(self, node, attributes)
            self._inside -= 1
        else:
            self._add(node, attributes)
            self.nodes.append((node, attributes))
            self.makers.update(dict.fromkeys(node.output, node))

    def _add(self, node: NodeProto, attributes: Mapping[str, Any]) -> None:
        """Find out an operator's numbers where they are known, its shapes otherwise."""
        if node.op_type == "Constant":
            self._constant(node, attributes)
        elif node.op_type == "ConstantOfShape" and node.input[0] in self.numbers:
            self._filled(node, attributes)
        elif node.op_type in ("Shape", "Size"):
            self._shape(node, attributes)
        elif node.input and all(name in self.numbers or not name for name in node.input):
            inputs = {name: self.numbers[name] for name in node.input if name}
            held: dict[str, int] = {}
            for name in filter(None, node.input):
                held.update(self.constants[name].parameters)
            found = evaluate(node, inputs, self.opsets) or {}
            for output, (name, numbers) in enumerate(found.items()):
                own = held
                if node.op_type in SELECTING:
                    which = which_part(output, list(inputs.values())[1:], attributes)
                    own = part_of(held, numbers.shape, which)
                self.know(name, numbers, own)
        for name in node.output:
            if (
                name not in self.read and not self._inside
            ):  # an output that nobody wants, as the mask of dropout
                self.shapes.setdefault(name, ())
        if any(name and name not in self.shapes for name in node.output):
            self._infer(node)

    def _constant(self, node: NodeProto, attributes: Mapping[str, Any]) -> None:
        out = node.output[0]
        name = self._of_body(out)
        added, turned = name in self.masked, name in self.turned
        tensor = attributes.get("value")
        for key, kind in NUMBERS_OF.items():
            if key in attributes:
                tensor = numpy_helper.from_array(np.array(attributes[key], dtype=kind))
        if tensor is not None:
            self.constants[out] = held_of(tensor, name, added=added, turned=turned)
            self.know(out, array_of(tensor))
        elif "sparse_value" in attributes:
            self.constants[out] = held_of_sparse(attributes["sparse_value"], name)
            self.notes.append(f"{SPARSE}: {name}")
        if out in self.constants:
            self.shapes[out] = self.constants[out].shape

    def _of_body(self, tensor: str) -> str:
        """The name of a constant inside a loop: it is the same one each time."""
        return tensor.partition(REPEATED)[0] if self._inside else tensor

    def _filled(self, node: NodeProto, attributes: Mapping[str, Any]) -> None:
        """A tensor of one number: of floats it stands for weights, as in files without them."""
        out = node.output[0]
        shape = tuple(int(size) for size in self.numbers[node.input[0]].ravel())
        fill = attributes.get("value")
        number = None if fill is None else array_of(fill)
        self.shapes[out] = shape
        self._check(out)
        count = prod(shape)
        floats = number is None or number.dtype.kind == "f"
        held = {out: count} if floats and count > 1 else {}
        self.constants[out] = Constant(shape, held, is_zero=number is None or not number.any())
        if not floats:
            inputs = {node.input[0]: self.numbers[node.input[0]]}
            for numbers in (evaluate(node, inputs, self.opsets) or {}).values():
                self.know(out, numbers)

    def _shape(self, node: NodeProto, attributes: Mapping[str, Any]) -> None:
        shape = self.shapes.get(node.input[0])
        if shape is None:
            return
        if node.op_type == "Size":
            self.know(node.output[0], np.array(prod(shape), dtype="int64"))
            return
        end = attributes.get("end")
        part = shape[slice(attributes.get("start", 0), end)]
        self.know(node.output[0], np.array(part, dtype="int64"))

    def _infer(self, node: NodeProto) -> None:
        """Infer the shapes of one node from what is known by now."""
        missing = [name for name in node.input if name and name not in self.shapes]
        if missing:
            raise self._refusal(node, missing[0])
        if node.domain == MICROSOFT:
            self._fused(node)
            return
        if node.op_type in UNCHANGED:
            self._as(node.output[0], node.input[0], self.shapes[node.input[0]])
            return
        try:
            schema = defs.get_schema(node.op_type, self.opset, "")
            types = {}
            for name in filter(None, node.input):
                known = self.types.get(name)
                kind = known.tensor_type.elem_type if known is not None else 0
                if not kind and name in self.numbers:
                    kind = helper.np_dtype_to_tensor_dtype(self.numbers[name].dtype)
                types[name] = helper.make_tensor_type_proto(kind or 1, self.shapes[name])
            data = {
                name: numpy_helper.from_array(self.numbers[name])
                for name in node.input
                if name in self.numbers
            }
            found = shape_inference.infer_node_outputs(
                schema, node, types, data, opset_imports=self.opsets
            )
        except Exception as error:  # onnx raises its own C++ exceptions here
            why = " ".join(str(error).split())
            raise DiscosimError(
                f"{self.name}: {node.op_type} {node.name or node.output[0]!r}: {why}"
            ) from None
        for name, kind in found.items():
            self._type(name, kind)
        for name in filter(None, node.output):
            if name not in self.shapes:
                raise self._refusal(node, name)

    def _fused(self, node: NodeProto) -> None:
        """The shapes of an operator that is not ONNX's own; its type is that of its operand."""
        given = [self.shapes[name] if name else () for name in node.input]
        found = shapes_of(node.op_type, attributes_of(node, self.opset), given)
        if found is None or any(node.output[len(found) :]):
            label = node.name or node.output[0]
            raise DiscosimError(
                f"{self.name}: {node.op_type} {label!r} of domain {node.domain!r} is not known "
                "with such operands: give the file as it was before a runtime's optimisation, or "
                f"cut it before and behind what makes {node.output[0]!r} (onnx.utils.extract_model)"
            )
        for name, shape in zip(node.output, found, strict=False):
            self._as(name, node.input[0], shape)

    def _as(self, tensor: str, like: str, shape: Shape) -> None:
        """Give a tensor its shape, and the type of another one."""
        self.shapes[tensor] = shape
        if like in self.types:
            self.types[tensor] = self.types[like]

    def _refusal(self, node: NodeProto, tensor: str) -> DiscosimError:
        label = node.name or tensor
        beside = [
            name
            for name in node.input
            if name in self.types and name in self.constants and name not in self.numbers
        ]
        if beside and node.op_type in SHAPED:
            return DiscosimError(
                f"{self.name}: the shape of {tensor!r} follows from the numbers of {beside[0]!r} "
                f"({node.op_type} {label!r}), which are not in the file: put its external data "
                "beside it"
            )
        return DiscosimError(
            f"{self.name}: the shape of {tensor!r} depends on the data ({node.op_type} {label!r})"
        )


def _made(found: _Inference) -> Counter[str]:
    """The elements of all tensors that are computed, by data type."""
    elems: Counter[str] = Counter()
    fixed = set(found.constants)
    for node, _ in found.nodes:
        if all(name in fixed for name in node.input):
            fixed.update(node.output)
            continue
        for name in filter(None, node.output):
            kind = found.types.get(name)
            dtype = DTYPES.get(kind.tensor_type.elem_type) if kind is not None else None
            if dtype:
                elems[dtype] += prod(found.shapes.get(name, ()))
    return elems


def _read_by(nodes: Iterable[NodeProto]) -> Iterator[str]:
    """All tensors that operators read, those in subgraphs too, and what these hand out."""
    for node in nodes:
        yield from node.input
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from _read_by(attribute.g.node)
                yield from (value.name for value in attribute.g.output)
