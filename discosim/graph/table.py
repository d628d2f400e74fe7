"""A network as a structure of arrays in execution order: what the model computes with."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from discosim.graph.layer import Layer
from discosim.graph.network import INPUT, Network

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LayerTable:
    """One row a layer, (L,) each; the last row gathers the output. Tensors are (T,).

    mixes: convolutions and linear layers: every output depends on all inputs of its group.
    source: the tensor that a row reads first, as an index into the tensors; 0 is the input.
    outputs: the tensors that nobody reads.
    made, last_read: the rows that make a tensor and read it last; the input is made at -1.
    alive: (T, L), the tensors that are in memory while a row is executed.
    cut_elems: elements of the tensors that cross from the rows before this one to it or beyond.
    """

    network: Network
    rows: tuple[Layer, ...]
    name: tuple[str, ...]
    op: tuple[str, ...]
    kind: tuple[str, ...]
    block: tuple[str, ...]
    in_elems: Floats
    out_elems: Floats
    in_features: Floats
    out_features: Floats
    positions: Floats
    weights: Floats
    biases: Floats
    macs: Floats
    groups: Ints
    mixes: Bools
    statistics: Floats
    source: Ints
    outputs: Ints
    tensor_elems: Floats
    made: Ints
    last_read: Ints
    alive: Bools
    cut_elems: Floats

    def __len__(self) -> int:
        """Return the number of rows, the gathering of the output included."""
        return len(self.rows)

    @property
    def params(self) -> Floats:
        """All parameters of each layer."""
        return self.weights + self.biases

    @cached_property
    def live_elems(self) -> Floats:
        """Elements in memory while each layer is executed on one node."""
        live: Floats = self.tensor_elems @ self.alive
        return live


@lru_cache(maxsize=64)
def tabulate(network: Network) -> LayerTable:
    """Return the table of `network`, which is kept for the next call."""
    outputs = [name for name, degree in network.graph.out_degree() if degree == 0]
    shapes = tuple(network.graph.nodes[name]["layer"].out_shape for name in outputs)
    end = (sum(prod(shape) for shape in shapes),)
    gather = Layer("output", "gather", "output", shapes, end)
    rows = (*network.layers, gather)
    tensors = [INPUT, *(layer.name for layer in network.layers)]
    index = {tensor: i for i, tensor in enumerate(tensors)}
    reads = [[index[t] for t in network.operands(layer.name)] for layer in network.layers]
    reads.append([index[name] for name in outputs])

    elems = [prod(network.input_shape), *(layer.out_elems for layer in network.layers)]
    made = np.arange(-1, len(rows) - 1)
    last_read = np.zeros(len(tensors), dtype=np.int64)
    for row, operands in enumerate(reads):
        last_read[operands] = row
    row_index = np.arange(len(rows))
    dies = np.array(last_read)  # the last row at which a tensor takes memory of its own
    for row, (layer, operands) in enumerate(zip(rows, reads, strict=True)):
        if layer.operator.in_place:
            dying = [t for t in operands if last_read[t] == row and elems[t] >= layer.out_elems]
            dies[dying[:1]] = row - 1
    alive = (made[:, None] <= row_index) & (row_index <= dies[:, None])
    crossing = (made[:, None] < row_index) & (row_index <= last_read[:, None])
    tensor_elems = np.array(elems, dtype=float)

    def column(values: list[int]) -> Floats:
        return np.array(values, dtype=float)

    return LayerTable(
        network=network,
        rows=rows,
        name=tuple(layer.name for layer in rows),
        op=tuple(layer.op for layer in rows),
        kind=tuple(layer.kind for layer in rows),
        block=tuple(layer.block for layer in rows),
        in_elems=column([layer.in_elems for layer in rows]),
        out_elems=column([layer.out_elems for layer in rows]),
        in_features=column([layer.in_features for layer in rows]),
        out_features=column([layer.out_features for layer in rows]),
        positions=column([prod(layer.in_shape[1:]) for layer in rows]),
        weights=column([layer.weights for layer in rows]),
        biases=column([layer.biases for layer in rows]),
        macs=column([layer.macs for layer in rows]),
        groups=np.array([layer.groups for layer in rows]),
        mixes=np.array([layer.operator.placing == "mixes" for layer in rows]),
        statistics=column([layer.operator.statistics for layer in rows]),
        source=np.array([operands[0] for operands in reads]),
        outputs=np.array(reads[-1]),
        tensor_elems=tensor_elems,
        made=made,
        last_read=last_read,
        alive=alive,
        cut_elems=tensor_elems @ crossing,
    )
