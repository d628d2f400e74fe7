"""A network: a frozen DAG with one Layer per node."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from operator import attrgetter
from types import MappingProxyType
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

import networkx as nx

from discosim.graph.layer import Layer, Shape
from discosim.graph.parameters import distinct_params

INPUT = "input"
"""The name of the tensor that enters the network, of several the first."""

NO_REMARKS: Mapping[str, str] = MappingProxyType({})


_BUT_NAMES = attrgetter(
    *(field.name for field in fields(Layer) if field.name not in ("name", "block"))
)


@dataclass(frozen=True, eq=False)
class Network:
    """A network: a frozen DAG whose nodes carry a Layer, in execution order.

    A tensor is called after the layer that makes it, the network's input is called "input";
    `more_inputs` are the others that enter it, by name: nodes without a Layer. `outputs` are the
    tensors that are wanted. An edge's key `operand` says which operand of the reader the tensor
    is. `remarks` tell, by layer, what an importer did not understand; `dtype` is the one that
    its file holds features in, "" for fp32; `notes` tell what else an importer assumed; `kept` are
    the inputs that are handed out again: in memory to the end, and never sent.
    """

    name: str
    graph: "nx.MultiDiGraph[str]"
    input_shape: Shape
    outputs: tuple[str, ...]
    remarks: tuple[tuple[str, str], ...] = ()
    dtype: str = ""
    more_inputs: tuple[tuple[str, Shape], ...] = ()
    notes: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[tuple[str, Shape], ...]:
        """All tensors that enter, by name, with their shapes."""
        return ((INPUT, self.input_shape), *self.more_inputs)

    def enters(self, tensor: str) -> bool:
        """Whether a tensor is one that enters the network."""
        return "layer" not in self.graph.nodes[tensor]

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
        return tuple(data["layer"] for _, data in self.graph.nodes(data=True) if "layer" in data)

    def operands(self, name: str) -> list[str]:
        """Return the tensors that layer `name` reads, in the order of its operands."""
        return list(self._operands[name])

    @cached_property
    def _operands(self) -> dict[str, list[str]]:
        found: dict[str, list[tuple[int, str]]] = {name: [] for name in self.graph}
        for tensor, name, data in self.graph.edges(data=True):
            found[name].append((data["operand"], tensor))
        return {name: [tensor for _, tensor in sorted(pairs)] for name, pairs in found.items()}

    @cached_property
    def kinds(self) -> dict[str, int]:
        """A number for each layer, by name: the same for those that differ in their names alone."""
        numbers: dict[tuple[object, ...], int] = {}
        return {
            layer.name: numbers.setdefault(_BUT_NAMES(layer), len(numbers)) for layer in self.layers
        }

    @property
    def params(self) -> int:
        """All parameters, biases, norms and embeddings included; a shared one counts once."""
        return distinct_params(self.layers)

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


def inputs_text(network: Network) -> str:
    """Return the shapes of all inputs: 3x64x64, or 3x64x64,mask=1x256x256 where there are more."""
    more = (f"{name}={shape_text(shape)}" for name, shape in network.more_inputs)
    return ",".join([shape_text(network.input_shape), *more])


def loose_ends(graph: "nx.MultiDiGraph[str]") -> tuple[str, ...]:
    """Return the layers whose output nobody reads, in their order."""
    layers = (name for name, data in graph.nodes(data=True) if "layer" in data)
    return tuple(name for name in layers if not graph.out_degree(name))
