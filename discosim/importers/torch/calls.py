"""Calls of torch operators, and the steps in ONNX's vocabulary that they become."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from discosim.graph.layer import Shape

Arguments = Mapping[str, Any]


class Ref(str):
    """The name of a tensor, among arguments that may be texts too."""

    __slots__ = ()


@dataclass(frozen=True)
class Call:
    """One call of an ATen operator, its arguments by name; shapes are those of its outputs.

    given: shapes of the tensors that it may read, by name.
    """

    name: str
    arguments: Arguments
    shapes: tuple[Shape, ...]
    given: Mapping[str, Shape]

    def __getitem__(self, key: str) -> Any:
        return self.arguments.get(key)

    @property
    def shape(self) -> Shape:
        """Shape of the first output."""
        return self.shapes[0]


@dataclass(frozen=True)
class Step:
    """One operator of ONNX that a call becomes; `outputs` are those of the call if empty."""

    op: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    outputs: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()


Translation = Callable[[Call], list[Step]]


def single(op: str, inputs: Sequence[str | None], **attributes: Any) -> list[Step]:
    """Return the one step that a call becomes, with the call's own outputs."""
    return [Step(op, tuple(name or "" for name in inputs), attributes)]


def listed(value: Any) -> list[Any]:
    """Return a value that may stand alone as a list."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def output_names(call: Call) -> tuple[str, ...]:
    """Return the names of the outputs of a call that has several."""
    return tuple(f"{call.name}#{number}" for number in range(len(call.shapes)))
