"""A network as a structure of arrays in execution order: what the model computes with."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from discosim.graph.carry import is_fused
from discosim.graph.layer import TILE, Layer
from discosim.graph.network import Network
from discosim.graph.parameters import Parameter, shared_parameters

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

NORMS = frozenset({"batch_norm", "affine"})
"""Operators that runtimes fold into the weights of what they follow."""

WRITERS = frozenset({"add", "multiply", "pool"})
"""Operators without weights that clamp what they write."""


@dataclass(frozen=True, eq=False)
class LayerTable:
    """One row a layer, (L,) each; the last row gathers the output. Tensors are (T,).

    classes: operator classes of a row, the narrowest first; folded: rows that a runtime may fold
    into one before, as a norm into a convolution, but not into a concatenation.
    mixes: convolutions and linear layers: every output depends on all inputs of its group.
    weights, biases: parameters that a row reads; shared: those that several rows do.
    tensors: the input, what each row but the last makes, and further inputs, by name.
    source: the tensor that a row reads first, as an index into the tensors; 0 is the input.
    outputs: the tensors that are wanted.
    made, last_read: the rows that make a tensor and read it last; inputs are made at -1.
    alive: (T, L), the tensors that are in memory while a row is executed; inputs that are handed
    out again are to the end.
    scratch_elems: elements that a row takes and gives back where its steps are written out.
    cut_elems: elements of the tensors that cross from the rows before this one to it or beyond.
    """

    network: Network
    rows: tuple[Layer, ...]
    name: tuple[str, ...]
    op: tuple[str, ...]
    kind: tuple[str, ...]
    classes: tuple[tuple[str, ...], ...]
    folded: Bools
    block: tuple[str, ...]
    in_elems: Floats
    out_elems: Floats
    in_features: Floats
    out_features: Floats
    positions: Floats
    weights: Floats
    biases: Floats
    macs: Floats
    shared: tuple[Parameter, ...]
    groups: Ints
    mixes: Bools
    statistics: Floats
    tensors: tuple[str, ...]
    source: Ints
    outputs: Ints
    tensor_elems: Floats
    made: Ints
    last_read: Ints
    alive: Bools
    cut_elems: Floats
    scratch_elems: Floats

    def __len__(self) -> int:
        """Return the number of rows, the gathering of the output included."""
        return len(self.rows)

    @cached_property
    def own(self) -> tuple[Floats, Floats]:
        """Weights and biases that no other row reads, (L,) each."""
        weights, biases = self.weights.copy(), self.biases.copy()
        for parameter in self.shared:
            parts = (row for row, _ in parameter.parts)
            weights[[*parameter.as_weights, *parameter.turned, *parts]] = 0.0
            for row in parameter.as_biases:
                biases[row] -= sum(n for name, n in self.rows[row].held if name == parameter.name)
        return weights, biases

    @cached_property
    def transformed(self) -> Bools:
        """The rows that runtimes may compute by Winograd's algorithm."""
        return np.array([classes[0] == "conv3x3" for classes in self.classes])

    @cached_property
    def tiled(self) -> Floats:
        """How many times the outputs of a transformed row those of its whole tiles are, (L,)."""
        return np.array([
            prod(ceil(size / TILE) * TILE / size for size in row.out_shape[1:]) if its else 1.0
            for row, its in zip(self.rows, self.transformed, strict=True)
        ])  # fmt: skip

    @cached_property
    def params(self) -> Floats:
        """All parameters, those of several layers at the first that reads them."""
        weights, biases = self.own
        params = weights + biases
        for parameter in self.shared:
            params[parameter.rows[0]] += parameter.elems
        return params

    @cached_property
    def live_elems(self) -> Floats:
        """Elements in memory while each layer is executed on one node."""
        return self.held(self.tensor_elems)

    def held(self, elems: Floats) -> Floats:
        """Return what is in memory while each row is executed, (..., L), of elements (..., T)."""
        # not as a matrix product, for which linear algebra wakes its threads
        held: Floats = np.einsum("...t,tl->...l", elems, self.alive)
        return held


@lru_cache(maxsize=128)  # as many as the table of measurements has networks, and some
def tabulate(network: Network) -> LayerTable:
    """Return the table of `network`, which is kept for the next call."""
    elems_of = {name: prod(shape) for name, shape in network.inputs}
    elems_of |= {layer.name: layer.out_elems for layer in network.layers}
    first, *more = (name for name, _ in network.inputs)
    tensors = (first, *(layer.name for layer in network.layers), *more)
    index = {tensor: i for i, tensor in enumerate(tensors)}
    rows = (*network.layers, _gathering(network))
    reads = [[index[t] for t in network.operands(layer.name)] for layer in network.layers]
    reads.append([index[name] for name in network.outputs])

    elems = [elems_of[tensor] for tensor in tensors]
    made = np.where(np.arange(len(tensors)) < len(rows), np.arange(len(tensors)) - 1, -1)
    last_read = _last_reads(rows, reads, made)
    held = last_read.copy()
    held[[index[name] for name in network.kept]] = len(rows) - 1
    dies = _ends(rows, reads, held, elems)
    row_index = np.arange(len(rows))
    alive = (made[:, None] <= row_index) & (row_index <= dies[:, None])
    crossing = (made[:, None] < row_index) & (row_index <= last_read[:, None])
    tensor_elems = np.array(elems, dtype=float)
    scratch = [
        _scratch(layer, dies=held[operands[0]] == row)
        for row, (layer, operands) in enumerate(zip(rows, reads, strict=True))
    ]

    def column(values: list[int]) -> Floats:
        return np.array(values, dtype=float)

    return LayerTable(
        network=network,
        rows=rows,
        name=tuple(layer.name for layer in rows),
        op=tuple(layer.op for layer in rows),
        kind=tuple(layer.kind for layer in rows),
        classes=tuple(layer.classes for layer in rows),
        folded=_folded(rows, reads, made),
        block=tuple(layer.block for layer in rows),
        in_elems=column([layer.in_elems for layer in rows]),
        out_elems=column([layer.out_elems for layer in rows]),
        in_features=column([layer.in_features for layer in rows]),
        out_features=column([layer.out_features for layer in rows]),
        positions=column([prod(layer.in_shape[1:]) for layer in rows]),
        weights=column([layer.weights for layer in rows]),
        biases=column([layer.biases for layer in rows]),
        macs=column([layer.macs for layer in rows]),
        shared=shared_parameters(network.layers),
        groups=np.array([layer.groups for layer in rows]),
        mixes=np.array([layer.operator.placing == "mixes" for layer in rows]),
        statistics=column([layer.operator.statistics for layer in rows]),
        tensors=tensors,
        source=np.array([operands[0] for operands in reads]),
        outputs=np.array(reads[-1]),
        tensor_elems=tensor_elems,
        made=made,
        last_read=last_read,
        alive=alive,
        cut_elems=np.einsum("t,tl->l", tensor_elems, crossing),
        scratch_elems=column(scratch),
    )


def _last_reads(rows: Sequence[Layer], reads: Sequence[list[int]], made: Ints) -> Ints:
    """The rows that read each tensor last; what nobody reads goes with the row that makes it."""
    last_read = made.copy()
    for row, (layer, operands) in enumerate(zip(rows, reads, strict=True)):
        if not layer.operator.reads_nothing:
            last_read[operands] = row
    return last_read


def _ends(
    rows: Sequence[Layer], reads: Sequence[list[int]], held: Ints, elems: Sequence[int]
) -> Ints:
    """The rows at which each tensor, held to row `held`, takes memory of its own for the last."""
    dies = held.copy()
    for row, (layer, operands) in enumerate(zip(rows, reads, strict=True)):
        if layer.in_place:
            dying = [t for t in operands if held[t] == row and elems[t] >= layer.out_elems]
            dies[dying[:1]] = row - 1
    return dies


def _folded(rows: Sequence[Layer], reads: Sequence[list[int]], made: Ints) -> Bools:
    """The rows that may be folded: norms into weights, relus into what writes features anew."""
    takes: list[frozenset[str]] = []
    folded = []
    for layer, operands in zip(rows, reads, strict=True):
        before = made[operands[0]]
        onto = takes[before] if before >= 0 else frozenset[str]()
        needs_one = layer.op in NORMS or layer.op == "activation"
        folds = layer.folded and (layer.op in onto or not needs_one)
        folded.append(folds)
        if layer.macs:
            takes.append(NORMS | {"activation"})
        elif folds:
            takes.append(onto)
        else:
            takes.append(frozenset({"activation"} if layer.op in NORMS | WRITERS else ()))
    return np.array(folded)


def _gathering(network: Network) -> Layer:
    """The last row, which reads what is wanted of the network."""
    shapes = tuple(network.graph.nodes[name]["layer"].out_shape for name in network.outputs)
    return Layer("output", "gather", "output", shapes, (sum(prod(shape) for shape in shapes),))


def _scratch(layer: Layer, *, dies: bool) -> int:
    """Scratch beside the operands and the output; an output may take the place of queries.

    `dies`: whether nobody reads the first operand later. Attention's scores are made of queries
    and keys before there is an output, and the queries are done with when there is one.
    """
    if not layer.scratch:
        return 0
    queries = prod(layer.in_shape) // (3 if is_fused(layer) else 1)
    return max(0, layer.scratch - (min(layer.out_elems, queries) if dies else 0))
