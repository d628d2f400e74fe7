"""A network: a frozen DAG with one Layer per node."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from types import MappingProxyType
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

import networkx as nx

from discosim.graph.layer import Layer, Shape

INPUT = "input"
"""The name of the tensor that enters the network."""

NO_REMARKS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Network:
    """A network: a frozen DAG whose nodes carry a Layer, in execution order.

    A tensor is called after the layer that makes it, the network's input is called "input".
    An edge's key `operand` says which operand of the reader the tensor is. `remarks` tell, by
    layer, what an importer did not understand; `dtype` is the one that a file is quantised to.
    """

    name: str
    graph: "nx.MultiDiGraph[str]"
    input_shape: Shape
    remarks: tuple[tuple[str, str], ...] = ()
    dtype: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to restore it: in a process that has it already, as the same object."""
        values = tuple(getattr(self, field.name) for field in fields(self))
        return _restored, (self._key, *values)

    @cached_property
    def _key(self) -> str:
        key = uuid4().hex
        _RESTORED[key] = self
        return key

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in execution order."""
        return tuple(data["layer"] for name, data in self.graph.nodes(data=True) if name != INPUT)

    def operands(self, name: str) -> list[str]:
        """Return the tensors that layer `name` reads, in the order of its operands."""
        return list(self._operands[name])

    @cached_property
    def _operands(self) -> dict[str, list[str]]:
        found: dict[str, list[tuple[int, str]]] = {name: [] for name in self.graph}
        for tensor, name, data in self.graph.edges(data=True):
            found[name].append((data["operand"], tensor))
        return {name: [tensor for _, tensor in sorted(pairs)] for name, pairs in found.items()}

    @property
    def params(self) -> int:
        """All parameters, biases, norms and embeddings included."""
        return sum(layer.params for layer in self.layers)

    @property
    def macs(self) -> int:
        """MACs of convolutions, linear layers and attention products."""
        return sum(layer.macs for layer in self.layers)


_RESTORED: "WeakValueDictionary[str, Network]" = WeakValueDictionary()
"""Networks that went to or came from another process: what is kept by network is found again."""


def _restored(key: str, *values: Any) -> Network:
    if key not in _RESTORED:
        _RESTORED[key] = network = Network(*values)
        vars(network)["_key"] = key
        return network
    return _RESTORED[key]


def shape_text(shape: Shape) -> str:
    """Return a shape as people write it: 3x224x224."""
    return "x".join(map(str, shape))
