"""Modules of torch: exported by torch.export, which runs no arithmetic, and lowered as ONNX is."""

import logging
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr
from importlib import import_module
from inspect import Parameter, signature
from io import StringIO
from math import prod
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from discosim.errors import DiscosimError, install_hint, one_line, require, some_of
from discosim.graph.layer import Shape
from discosim.graph.network import Network
from discosim.importers.lowering.lower import lower
from discosim.importers.lowering.program import Constant, Node, Program
from discosim.importers.sizes import NamedSizes, Sizes, check_names, size_of
from discosim.importers.stored import as_stored
from discosim.importers.torch.aten import RESHAPES, SAME, TRANSLATIONS, pointwise
from discosim.importers.torch.calls import Call, Ref, Step, output_names
from discosim.importers.torch.functional import without_writes
from discosim.registry import function_of

if TYPE_CHECKING:
    import torch

DEFAULT_INPUT = (1, 3, 224, 224)
CONTROL_FLOW = ("cond", "while_loop", "scan", "map_impl", "associative_scan")
MOST_NUMBERS = 4096
"""Elements of a constant whose numbers are kept: indices are small."""
BUFFER = "in buffers, which count as parameters only where they are a kernel or a matrix"
OF_COMPLEX = ("view_as_complex", "view_as_real", "mul", *SAME.split(), *RESHAPES.split())
"""Operators that are known of complex tensors too, of which the parts are a last axis."""
SKIPPED = ("_assert_tensor_metadata", "_assert_async", "sym_constrain_range_for_size")


def trace(module: "torch.nn.Module", example_input: Any, name: str = "module") -> Network:
    """Return the network of a torch module, for an example of its input: a tensor, or several.

    Raises DiscosimError where torch cannot export it or it cannot be costed.
    """
    _require_torch()
    import torch

    examples = (
        tuple(example_input) if isinstance(example_input, (tuple, list)) else (example_input,)
    )
    training, said, disabled = module.training, StringIO(), logging.root.manager.disable
    logging.disable()
    try:
        with warnings.catch_warnings(), torch.no_grad(), redirect_stderr(said):
            warnings.simplefilter("ignore")
            exported = without_writes(torch.export.export(module.eval(), examples))
    except Exception as error:  # the module's own code runs here
        raise DiscosimError(f"{name}: {_refusal(module, error)}") from None
    finally:
        logging.disable(disabled)
        module.train(training)
    sys.stderr.write(said.getvalue())
    return lower(_ExportReader(exported, name).program())


def _refusal(module: "torch.nn.Module", error: Exception) -> str:
    """Why torch does not export a module, in one line, and what can be done."""
    quantized = [
        f"{path} ({type(each).__name__})"
        for path, each in module.named_modules()
        if ".quantized." in f"{type(each).__module__}." and not path.endswith("_packed_params")
    ]
    if quantized:
        return (
            f"torch.export cannot read layers that are quantised already: {some_of(quantized)}; "
            "give the module as it was before, with --weight-dtype int8 (dynamic) or --dtype int8"
        )
    line = shorten(str(error), 300, placeholder=" …")
    if "data-dependent" in line:
        line += "; what goes by data has to stay outside: cut the module before and behind it"
    return f"torch.export refuses it: {line}"


def load_named(name: str, given: Sizes | None) -> Network:
    """Return the network that `torch:package.module:factory`, `timm:…` or `torchvision:…` names.

    A factory returns a module, or a module and an example of its input.
    """
    _require_torch()
    prefix, _, rest = name.partition(":")
    made = _factory_of(name, rest) if prefix == "torch" else _from_library(prefix, rest)
    return trace(*_module_and_example(name, made, given), name=name)


def _require_torch() -> None:
    require("a model of torch", "torch")


def _factory_of(name: str, rest: str) -> Any:
    path, colon, factory = rest.partition(":")
    if not (path and colon and factory):
        raise DiscosimError(f"{name!r}; wanted torch:package.module:factory")
    made = function_of(name, path, factory)
    try:
        return made()
    except Exception as error:  # the user's function runs here
        raise DiscosimError(f"{name}: {factory}() failed: {one_line(error)}") from None


def _from_library(library: str, model: str) -> Any:
    try:
        package = import_module(library if library == "timm" else "torchvision.models")
    except Exception as error:  # not installed, or not for this torch
        raise DiscosimError(
            f"{library}:{model} needs {library}: {install_hint(library)} ({one_line(error)})"
        ) from None
    try:
        if library == "timm":
            return package.create_model(model, pretrained=False)
        return package.get_model(model, weights=None)
    except Exception as error:  # an unknown name, mostly
        raise DiscosimError(f"{library}:{model}: {one_line(error)}") from None


def _module_and_example(name: str, made: Any, given: Sizes | None) -> tuple[Any, Any]:
    import torch

    module, example = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(module, torch.nn.Module):
        raise DiscosimError(
            f"{name}: its factory returns {type(module).__name__}, wanted a torch.nn.Module, or "
            "one and an example of its input"
        )
    if example is None:
        config = getattr(module, "default_cfg", None) or {}
        shape = (1, *config.get("input_size", DEFAULT_INPUT[1:]))
        floats = (x.dtype for x in module.parameters() if x.is_floating_point())
        example = torch.zeros(shape, dtype=next(floats, torch.float32))
    examples = list(example) if isinstance(example, (tuple, list)) else [example]
    if given is None:
        return module, tuple(examples)
    arguments = _arguments(module, len(examples))
    check_names(given, arguments, name)
    for number, (argument, tensor) in enumerate(zip(arguments, examples, strict=True)):
        if isinstance(given, NamedSizes) or number == 0:
            what = f"{name}: its input {argument!r}"
            shape = size_of(argument, tuple(tensor.shape), given, what, first=number == 0)
            examples[number] = torch.zeros(shape, dtype=tensor.dtype)
    return module, tuple(examples)


def _arguments(module: Any, count: int) -> list[str]:
    """The names of the arguments that a module's examples stand for."""
    parameters = signature(module.forward).parameters.values()
    places = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    names = [each.name for each in parameters if each.kind in places]
    return [*names, *(f"input{n}" for n in range(len(names), count))][:count]


class _ExportReader:
    """An exported program on its way to ours."""

    def __init__(self, exported: "torch.export.ExportedProgram", name: str) -> None:
        self.exported = exported
        self.name = name
        self.shapes: dict[str, Shape] = {}
        self.constants: dict[str, Constant] = {}
        self.named: dict[str, str] = {}  # what a node of several outputs hands on, by its reader
        self.held: dict[int, str] = {}  # parameters by what they are: tied ones are one
        self.inputs: list[str] = []
        self.indices: set[str] = set()
        self.kinds: Counter[str] = Counter()  # elements of parameters by data type
        self.made: Counter[str] = Counter()  # elements of what is computed, by data type

    def program(self) -> Program:
        """Return the program; raises DiscosimError for control flow."""
        nodes = []
        for node in self.exported.graph.nodes:
            if node.op == "placeholder":
                self._placeholder(node)
            elif node.op == "call_function":
                nodes += list(self._call(node))
            elif node.op == "output":
                outputs = tuple(self._tensors(node.args[0]))
        dtype, notes = as_stored(self.kinds, self.made, ())
        wanted = set(self.exported.graph_signature.user_outputs)
        mutated = len(outputs) - len(wanted) if len(outputs) > len(wanted) else 0
        return Program(
            self.name,
            tuple(sorted(self.inputs, key=lambda n: n in self.indices)),
            outputs[mutated:],
            tuple(nodes),
            self.constants,
            self.shapes,
            dtype=dtype,
            indices=frozenset(self.indices),
            notes=notes,
        )

    def _tensors(self, argument: Any) -> Iterator[str]:
        if isinstance(argument, (list, tuple)):
            for each in argument:
                yield from self._tensors(each)
        elif hasattr(argument, "meta"):
            yield self.named.get(argument.name, argument.name)

    def _placeholder(self, node: Any) -> None:
        signature = self.exported.graph_signature
        value = node.meta.get("val")
        if not hasattr(value, "shape"):
            return
        shape = _shape(value)
        self.shapes[node.name] = shape
        parameter = signature.inputs_to_parameters.get(node.name)
        buffer = signature.inputs_to_buffers.get(node.name)
        lifted = signature.inputs_to_lifted_tensor_constants.get(node.name)
        if parameter is not None:
            held = self.exported.state_dict.get(parameter)
            name = self.held.setdefault(id(held), parameter) if held is not None else parameter
            self.constants[node.name] = Constant(shape, {name: prod(shape)})
            self.kinds[_dtype_of(value)] += prod(shape)
        elif buffer is not None or lifted is not None:
            numbers = self._numbers(buffer or lifted, shape)
            real = value.dtype.is_floating_point and prod(shape) > 1
            told = BUFFER if buffer is not None and real else ""
            self.constants[node.name] = Constant(shape, {}, numbers, taken_for=told)
        else:
            self.inputs.append(node.name)
            if not value.dtype.is_floating_point:
                self.indices.add(node.name)

    def _numbers(self, name: str | None, shape: Shape) -> Any:
        """The numbers of a small constant of whole numbers."""
        held = {**self.exported.state_dict, **self.exported.constants}
        tensor = held.get(name or "")
        if tensor is None or prod(shape) > MOST_NUMBERS or tensor.dtype.is_floating_point:
            return None
        return None if tensor.is_complex() else tensor.cpu().numpy().astype("int64")

    def _call(self, node: Any) -> Iterator[Node]:
        if getattr(node.target, "__name__", "") == "getitem":
            source, number = node.args
            self.named[node.name] = f"{source.name}#{number}"
            return
        schema = getattr(node.target, "_schema", None)
        kind = schema.name.rpartition("::")[2] if schema is not None else str(node.target)
        if schema is None:
            if getattr(node.target, "__name__", kind) in CONTROL_FLOW:
                raise DiscosimError(
                    f"{self.name}: {node.target} {node.name!r} is control flow that goes by data, "
                    f"whose work is not known before it runs; cut the module there{_cut(node)}"
                )
            raise DiscosimError(f"{self.name}: {node.target} {node.name!r} cannot be costed")
        kind = kind.removesuffix("_") if not kind.endswith("__") else kind
        values = node.meta.get("val")
        several = isinstance(values, (list, tuple))
        found = values if isinstance(values, (list, tuple)) else [values]
        shapes = tuple(_shape(v) if hasattr(v, "shape") else () for v in found)
        if kind in SKIPPED or not shapes:
            return
        for value in found:
            if hasattr(value, "dtype") and value.dtype.is_floating_point:
                self.made[_dtype_of(value)] += value.numel()
        call = Call(node.name, self._arguments(node, schema), shapes, self.shapes)
        outputs = output_names(call) if several else (node.name,)
        label = _label(node)
        for step in self._steps(kind, node, call):
            names, sizes = (step.outputs, step.shapes) if step.outputs else (outputs, shapes)
            self.shapes.update(zip(names, sizes, strict=True))
            yield Node(step.op, step.inputs, names, step.attributes, label)

    def _arguments(self, node: Any, schema: Any) -> Mapping[str, Any]:
        arguments = {}
        for position, argument in enumerate(schema.arguments):
            value = node.args[position] if position < len(node.args) else None
            if position >= len(node.args):
                value = node.kwargs.get(argument.name, argument.default_value)
            arguments[argument.name] = self._named(value)
        return arguments

    def _named(self, value: Any) -> Any:
        """An argument with tensors by their names."""
        if isinstance(value, (list, tuple)):
            return [self._named(each) for each in value]
        if hasattr(value, "meta") and hasattr(value, "name"):
            return Ref(self.named.get(value.name, value.name))
        return value

    def _steps(self, kind: str, node: Any, call: Call) -> list[Step]:
        import torch

        if kind not in OF_COMPLEX and any(map(_is_complex, [node, *node.all_input_nodes])):
            return [Step(kind, tuple(self._tensors([*node.args, *node.kwargs.values()])), {})]
        if kind in TRANSLATIONS:
            return TRANSLATIONS[kind](call)
        if torch.Tag.pointwise in getattr(node.target, "tags", ()):
            return pointwise(call)
        tensors = tuple(self._tensors([*node.args, *node.kwargs.values()]))
        fills = kind.endswith("_like") or kind.startswith("new_")
        return [Step(kind, () if fills else tensors, {})]


def _shape(value: Any) -> Shape:
    """The shape of a tensor; of a complex one that of its real and imaginary parts."""
    parts = (2,) if value.dtype.is_complex else ()
    return (*(int(size) for size in value.shape), *parts)


def _is_complex(node: Any) -> bool:
    value = node.meta.get("val")
    return hasattr(value, "dtype") and bool(value.dtype.is_complex)


def _cut(node: Any) -> str:
    """Which calls make what a call reads, and which read what it makes."""
    before = [_label(each) for each in node.all_input_nodes if each.op == "call_function"]
    parts = [each for each in node.users if getattr(each.target, "__name__", "") == "getitem"]
    behind = [
        _label(user) for each in parts or [node] for user in each.users if user.op != "output"
    ]
    where = [f"before it at {some_of(before)}"] * bool(before)
    where += [f"behind it at {some_of(behind)}"] * bool(behind)
    return f": {', '.join(where)}" if where else ""


def _dtype_of(value: Any) -> str:
    """A data type as options call it: fp16 for torch.float16."""
    name = str(value.dtype).removeprefix("torch.")
    return {"bfloat16": "bf16", "uint8": "int8"}.get(name, name.replace("float", "fp"))


def _label(node: Any) -> str:
    """The path of the module that a call belongs to, with the call where it holds more of them."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path, kind = stack[-1] if stack else ("", "")
    kind = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    if path and kind.startswith("torch.nn.modules"):
        return str(path)
    return f"{path}.{node.name}".strip(".")
