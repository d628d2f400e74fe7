"""The builder that writes a network down."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from typing import Any

import networkx as nx

from discosim.errors import DiscosimError
from discosim.graph.layer import Layer, Shape
from discosim.graph.network import INPUT, NO_REMARKS, Network, shape_text

Size = int | tuple[int, ...]


class Builder:
    """Writes a network down, one call per operator; each call returns the output's name."""

    def __init__(self, name: str, input_shape: Shape) -> None:
        self._name = name
        self._graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        self._graph.add_node(INPUT)
        self._shapes: dict[str, Shape] = {INPUT: input_shape}
        self._block = ""

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

    def build(self, remarks: Mapping[str, str] = NO_REMARKS, dtype: str = "") -> Network:
        """Return the network as written so far."""
        shape = self._shapes[INPUT]
        return Network(self._name, nx.freeze(self._graph), shape, tuple(remarks.items()), dtype)

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
        graph.add_node(INPUT)
        graph.add_nodes_from((name, self._graph.nodes[name]) for name in names)
        graph.add_edges_from(self._graph.edges(data=True))
        self._graph = graph

    def names(self) -> list[str]:
        """Return the layers written so far, in their order."""
        return list(self._graph)[1:]

    def operands(self, name: str) -> list[str]:
        """Return the tensors that a layer reads."""
        return [tensor for tensor, _ in self._graph.in_edges(name)]

    def readers(self, tensor: str) -> list[str]:
        """Return the layers that read a tensor."""
        return list(self._graph.successors(tensor))

    def conv(
        self,
        x: str,
        features: int,
        kernel: Size,
        name: str,
        *,
        stride: Size = 1,
        padding: Size | None = None,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        ceil: bool = False,
    ) -> str:
        """Convolve; without `padding` the output is as large as the input over the stride."""
        shape = self._shapes[x]
        if shape[0] % groups or features % groups:
            raise DiscosimError(
                f"{self._name}: {name} has {shape[0]} input and {features} output features, "
                f"which {groups} groups do not divide"
            )
        rank = len(shape) - 1
        kernels, strides = _spread(kernel, rank), _spread(stride, rank)
        reach = tuple(dilation * (k - 1) for k in kernels)
        pads = tuple(r // 2 for r in reach) if padding is None else _spread(padding, rank)
        out = self._window(name, shape, reach, strides, pads, ceil)
        layer: dict[str, Any] = {
            "kernel": kernels,
            "stride": strides,
            "groups": groups,
            "bias": bias,
        }
        run: dict[str, Any] = {"padding": pads, "dilation": dilation}
        return self._add("conv", name, (x,), (features, *out), **layer, **run)

    def pool(
        self,
        x: str,
        kernel: Size,
        name: str,
        *,
        stride: Size,
        padding: Size = 0,
        ceil: bool = False,
        function: str = "max",
    ) -> str:
        """Pool (maximum or mean) over windows."""
        shape = self._shapes[x]
        rank = len(shape) - 1
        kernels, strides = _spread(kernel, rank), _spread(stride, rank)
        reach, pads = tuple(k - 1 for k in kernels), _spread(padding, rank)
        out = self._window(name, shape, reach, strides, pads, ceil)
        run: dict[str, Any] = {"padding": pads, "function": function}
        return self._add(
            "pool", name, (x,), (shape[0], *out), kernel=kernels, stride=strides, **run
        )

    def global_pool(self, x: str, name: str, *, size: Size = 1) -> str:
        """Take the mean over all positions, which stay as positions of size one, or of `size`."""
        features, *positions = self._shapes[x]
        out = _spread(size, len(positions))
        kernel = tuple(-(-p // o) for p, o in zip(positions, out, strict=True))
        return self._add("pool", name, (x,), (features, *out), kernel=kernel, function="mean")

    def linear(self, x: str, features: int, name: str, *, bias: bool = True, heads: int = 1) -> str:
        """Apply one matrix at every position; `heads` keeps the output's heads whole on nodes."""
        positions = self._shapes[x][1:]
        return self._add("linear", name, (x,), (features, *positions), bias=bias, heads=heads)

    def attention(self, qkv: str, heads: int, name: str) -> str:
        """Attend: `qkv` holds queries, keys and values side by side, each head by head."""
        features, *positions = self._shapes[qkv]
        return self._add("attention", name, (qkv,), (features // 3, *positions), heads=heads)

    def batch_norm(self, x: str, name: str) -> str:
        """Normalise each feature with learned statistics."""
        return self._add("batch_norm", name, (x,), self._shapes[x])

    def layer_norm(self, x: str, name: str) -> str:
        """Normalise each position over its features."""
        return self._add("layer_norm", name, (x,), self._shapes[x])

    def l2_norm(self, x: str, name: str) -> str:
        """Give each position's features unit length, then each feature its learned scale."""
        return self._add("l2_norm", name, (x,), self._shapes[x])

    def activation(self, x: str, name: str, function: str = "relu", factor: float = 1.0) -> str:
        """Apply a function to each element."""
        run: dict[str, Any] = {"function": function, "factor": factor}
        return self._add("activation", name, (x,), self._shapes[x], **run)

    def upsample(self, x: str, size: Size, name: str, function: str = "bilinear") -> str:
        """Interpolate to the positions of `size`."""
        shape = self._shapes[x]
        out = (shape[0], *_spread(size, len(shape) - 1))
        return self._add("upsample", name, (x,), out, function=function)

    def embed(self, x: str, positions: int, learned: int, name: str) -> str:
        """Turn positions into `positions` tokens, with `learned` parameters (class token, …)."""
        shape = (self._shapes[x][0], positions)
        return self._add("embed", name, (x,), shape, learned=learned)

    def reshape(self, x: str, positions: Shape, name: str) -> str:
        """Keep the features and rearrange, or select, their positions."""
        return self._add("reshape", name, (x,), (self._shapes[x][0], *positions))

    def flatten(self, x: str, name: str) -> str:
        """Make every element a feature."""
        return self._add("flatten", name, (x,), (prod(self._shapes[x]),))

    def shuffle(self, x: str, groups: int, name: str) -> str:
        """Shuffle the channels of `groups` groups."""
        return self._add("shuffle", name, (x,), self._shapes[x], groups=groups)

    def slice(self, x: str, start: int, features: int, name: str) -> str:
        """Take `features` features from `start` on."""
        shape = (features, *self._shapes[x][1:])
        return self._add("slice", name, (x,), shape, start=start)

    def add(self, x: str, y: str, name: str) -> str:
        """Add two tensors of one shape."""
        if self._shapes[x] != self._shapes[y]:
            raise DiscosimError(
                f"{self._name}: {name} adds shapes {self._shapes[x]} and {self._shapes[y]}"
            )
        return self._add("add", name, (x, y), self._shapes[x])

    def multiply(self, x: str, y: str, name: str) -> str:
        """Multiply by a tensor with as many features; its positions may be of size one."""
        shape, factor = self._shapes[x], self._shapes[y]
        fits = len(shape) == len(factor) and shape[0] == factor[0]
        if not fits or any(f not in (1, s) for s, f in zip(shape, factor, strict=True)):
            raise DiscosimError(f"{self._name}: {name} multiplies shapes {shape} and {factor}")
        return self._add("multiply", name, (x, y), shape)

    def concat(self, tensors: list[str], name: str) -> str:
        """Put the features of several tensors side by side."""
        shapes = [self._shapes[t] for t in tensors]
        if len({shape[1:] for shape in shapes}) > 1:
            raise DiscosimError(f"{self._name}: {name} joins tensors of shapes {shapes}")
        features = sum(shape[0] for shape in shapes)
        return self._add("concat", name, tuple(tensors), (features, *shapes[0][1:]))

    def _window(
        self, name: str, shape: Shape, reach: Shape, stride: Shape, padding: Shape, ceil: bool
    ) -> Shape:
        spans = [p + 2 * a - r for p, a, r in zip(shape[1:], padding, reach, strict=True)]
        steps = zip(spans, stride, strict=True)
        out = [(p - 1 + (s - 1) * ceil) // s + 1 for p, s in steps]
        if min(out) < 1:
            raise DiscosimError(
                f"{self._name}: its input {shape_text(self._shapes[INPUT])} is too small, "
                f"nothing is left at {name}"
            )
        if ceil:  # a last window may not begin in the padding behind the input
            edges = zip(out, shape[1:], padding, stride, strict=True)
            out = [o - ((o - 1) * s >= p + a) for o, p, a, s in edges]
        return tuple(out)

    def _add(
        self,
        op: str,
        name: str,
        operands: tuple[str, ...],
        shape: Shape,
        in_shapes: Sequence[Shape] | None = None,
        **fields: Any,
    ) -> str:
        if name in self._shapes:
            raise DiscosimError(f"{self._name}: two layers are called {name!r}")
        shapes = tuple(in_shapes or (self._shapes[t] for t in operands))
        layer = Layer(name, op, self._block, shapes, shape, **fields)
        self._graph.add_node(name, layer=layer)
        for operand, tensor in enumerate(operands):
            self._graph.add_edge(tensor, name, operand=operand)
        self._shapes[name] = shape
        return name


def _spread(size: Size, rank: int) -> Shape:
    return (size,) * rank if isinstance(size, int) else size
