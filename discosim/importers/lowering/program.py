"""What every front end hands over: operators in ONNX's vocabulary, with the shapes of all tensors.

Shapes here are the file's own, batch included.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from discosim.graph.layer import Ints, Shape

NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Node:
    """One operator: the tensors that it reads ("" for one left out) and makes.

    label: a name for people.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    label: str = ""


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor that does not depend on the network's input.

    parameters: what has to be stored for it, elements by name; value: of small tensors whose
    numbers shapes may depend on, else None; is_zero: whether all its numbers are known to be 0;
    taken_for: why its numbers are no parameters, where that has to be told.
    """

    shape: Shape
    parameters: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    value: Ints | None = None
    is_zero: bool = False
    taken_for: str = ""


SELECTING = ("Slice", "Split", "Gather", "GatherElements", "GatherND", "Compress")
"""Operators that take a part of a tensor."""


MOVING = (*SELECTING, "Expand", "Identity", "Reshape", "Squeeze", "Tile", "Transpose", "Unsqueeze")
"""Operators that take numbers of a tensor as they are."""


PART = " part "


def part_of(parameters: Mapping[str, int], shape: Shape, which: str) -> dict[str, int]:
    """Return the parameters of a part of a constant: each part of one is its own, called `which`.

    A part that is taken twice is the same one.
    """
    count = prod(shape)
    return {
        name if n <= count else f"{name}{PART}{which}": min(n, count)
        for name, n in parameters.items()
    }


def base_of(parameter: str) -> str:
    """Return the parameter that one is a part of, or itself."""
    return parameter.partition(PART)[0]


def which_part(output: int, numbers: Iterable[Any], attributes: Mapping[str, Any]) -> str:
    """Return what tells one part of a constant from another: where an operator takes it."""
    known = [tuple(each.ravel().tolist()) for each in numbers if each is not None]
    given = sorted((key, value) for key, value in attributes.items())
    return f"{output} of {known}, {given}"


@dataclass(frozen=True, eq=False)
class Program:
    """A network as it was read: nodes in execution order.

    inputs: the tensors that enter, the first of them being the network's input; outputs: what is
    wanted; constants: by tensor; shapes: of every tensor; dtype: of the features, or ""
    for fp32; indices: inputs that are whole numbers, as tokens are; notes: what has to be told.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, Constant]
    shapes: Mapping[str, Shape]
    dtype: str = ""
    indices: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
