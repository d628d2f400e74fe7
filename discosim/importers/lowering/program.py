"""What every front end hands over: operators in ONNX's vocabulary, with the shapes of all tensors.

Shapes here are the file's own, batch included.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    numbers shapes may depend on, else None.
    """

    shape: Shape
    parameters: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    value: Ints | None = None


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
