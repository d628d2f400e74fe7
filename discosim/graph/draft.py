"""A network while it is written down: its tensors, layers and edges so far."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import networkx as nx

from discosim.errors import DiscosimError, suggest
from discosim.graph.layer import Layer, Shape
from discosim.graph.network import INPUT, NO_REMARKS, Network, loose_ends
from discosim.graph.parameters import with_parameters_of


class Draft:
    """A network that grows by a layer at a time; each is called after the tensor that it makes."""

    def __init__(self, name: str, input_shape: Shape) -> None:
        self._name = name
        self._graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        self._graph.add_node(INPUT)
        self._shapes: dict[str, Shape] = {INPUT: input_shape}
        self._inputs: dict[str, Shape] = {}
        self._block = ""

    def enter(self, name: str, shape: Shape) -> str:
        """Add a further tensor that enters the network, beside the first; return its name."""
        if name in self._shapes:
            raise DiscosimError(f"{self._name}: two tensors are called {name!r}")
        self._graph.add_node(name)
        self._shapes[name] = self._inputs[name] = shape
        return name

    @contextmanager
    def block(self, name: str) -> Iterator[None]:
        """Put the layers written inside into block `name`; `--at` cuts between blocks."""
        outer, self._block = self._block, name
        try:
            yield
        finally:
            self._block = outer

    def shape(self, tensor: str) -> Shape:
        """Return the shape of `tensor`, features first."""
        return self._shapes[tensor]

    def build(
        self,
        remarks: Mapping[str, str] = NO_REMARKS,
        dtype: str = "",
        outputs: Sequence[str] | None = None,
        notes: Sequence[str] = (),
        kept: Sequence[str] = (),
    ) -> Network:
        """Return the network as written so far.

        `outputs` are the tensors that are wanted, by default those that nobody reads; `kept` the
        inputs that are wanted beside them.
        """
        wanted = loose_ends(self._graph) if outputs is None else tuple(dict.fromkeys(outputs))
        missing = [name for name in wanted if name not in self.names()]
        if missing or not wanted:
            raise DiscosimError(
                f"{self._name}: no layer makes its output {missing[0]!r:.40}"
                if missing
                else f"{self._name}: none of its tensors is an output"
            )
        return Network(
            self._name,
            nx.freeze(self._graph),
            self._shapes[INPUT],
            wanted,
            tuple(remarks.items()),
            dtype,
            tuple(self._inputs.items()),
            tuple(notes),
            tuple(dict.fromkeys(kept)),
        )

    def append(
        self,
        op: str,
        name: str,
        operands: Sequence[str],
        shape: Shape,
        *,
        in_shapes: Sequence[Shape] | None = None,
        **fields: Any,
    ) -> str:
        """Write a layer of any operator, whose shapes an importer knows.

        `in_shapes` are the operands' as this layer sees them, their own if not given.
        """
        return self._add(op, name, tuple(operands), shape, in_shapes, **fields)

    def layer(self, name: str) -> Layer:
        """Return a layer that was written before."""
        layer: Layer = self._graph.nodes[name]["layer"]
        return layer

    def amend(self, name: str, **fields: Any) -> None:
        """Change fields of a layer that was written before."""
        node = self._graph.nodes[name]
        node["layer"] = replace(node["layer"], **fields)

    def reorder(self, names: list[str]) -> None:
        """Put the layers into another order of execution."""
        if names == self.names():
            return
        graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        graph.add_nodes_from((INPUT, *self._inputs))
        graph.add_nodes_from((name, self._graph.nodes[name]) for name in names)
        graph.add_edges_from(self._graph.edges(data=True))
        self._graph = graph

    def names(self) -> list[str]:
        """Return the layers written so far, in their order."""
        return [name for name, data in self._graph.nodes(data=True) if "layer" in data]

    def operands(self, name: str) -> list[str]:
        """Return the tensors that a layer reads."""
        return [tensor for tensor, _ in self._graph.in_edges(name)]

    def readers(self, tensor: str) -> list[str]:
        """Return the layers that read a tensor."""
        return list(self._graph.successors(tensor))

    def _add(
        self,
        op: str,
        name: str,
        operands: tuple[str, ...],
        shape: Shape,
        in_shapes: Sequence[Shape] | None = None,
        shares: str = "",
        **fields: Any,
    ) -> str:
        if name in self._shapes:
            raise DiscosimError(f"{self._name}: two layers are called {name!r}")
        shapes = tuple(in_shapes or (self._shapes[t] for t in operands))
        layer = Layer(name, op, self._block, shapes, shape, **fields)
        if shares:
            layer = self._sharing(layer, shares)
        self._graph.add_node(name, layer=layer)
        for operand, tensor in enumerate(operands):
            self._graph.add_edge(tensor, name, operand=operand)
        self._shapes[name] = shape
        return name

    def _sharing(self, layer: Layer, owner: str) -> Layer:
        """The layer with the parameters of an earlier one, which is told their names."""
        if owner not in self.names():
            raise DiscosimError(
                f"{self._name}: {layer.name} shares the parameters of {owner!r}; "
                f"{suggest(owner, self.names())}"
            )
        first, layer = with_parameters_of(self.layer(owner), layer)
        self.amend(owner, weight=first.weight, held=first.held)
        return layer
