"""Where the rows of tensors are divided among nodes: evenly, or by share, so that least is sent."""

from collections.abc import Mapping
from functools import lru_cache
from itertools import product

import numpy as np

from discosim.graph.layer import Layer, Shape
from discosim.graph.network import Network
from discosim.graph.reach import row_elems, rows_of, through
from discosim.graph.table import Floats, Ints

MOST_TRIED = 256
"""Combinations of boundaries up to which all are tried; beyond, one after the other moves."""

Costs = dict[tuple[int, int], Floats]
"""By (rows of the output, rows of the operand): elements that cross, (K, 2, 2); see `_costs`."""


@lru_cache(maxsize=64)
def row_bounds(network: Network, shares: tuple[float, ...]) -> Mapping[int, Ints]:
    """Return the rows of each node (N, 2), by the number of rows that a tensor has.

    Node r has `shares[r]` of the rows, rounded up or down; of the two, what sends least over all
    layers is taken. Nodes for which no row is left have an empty range.
    """
    inner = np.cumsum(shares)[:-1] / sum(shares)
    entering = (shape for _, shape in network.inputs)
    shapes = [*entering, *(layer.out_shape for layer in network.layers)]
    counts = sorted({rows_of(shape) for shape in shapes})
    options = {
        count: np.stack(
            [np.floor(count * inner + 1e-9), np.ceil(count * inner - 1e-9)], axis=-1
        ).astype(np.int64)
        for count in counts
    }
    chosen = {count: option[:, 0].copy() for count, option in options.items()}
    costs = _costs(network, options)
    for boundary in range(len(inner)):
        picked = _best(boundary, options, costs)
        for count, pick in picked.items():
            chosen[count][boundary] = options[count][boundary, pick]
    return {count: _ranges(chosen[count], count) for count in counts}


def _ranges(inner: Ints, count: int) -> Ints:
    ends = np.concatenate([[0], np.maximum.accumulate(inner), [count]]).astype(np.int64)
    return np.stack([ends[:-1], ends[1:]], axis=-1)


def _costs(network: Network, options: Mapping[int, Ints]) -> Costs:
    """Elements that pass each boundary, where output and operand are divided so and so."""
    costs: Costs = {}
    for layer, operand, shape, times in _reads(network):
        made, count = rows_of(layer.out_shape), rows_of(shape)
        crossing = _crossing(layer, operand, shape, options)
        if crossing is not None:
            elems = times * shape[0] * row_elems(shape) * crossing.astype(float)
            costs[made, count] = costs[made, count] + elems if (made, count) in costs else elems
    return costs


@lru_cache(maxsize=64)
def _reads(network: Network) -> tuple[tuple[Layer, int, Shape, int], ...]:
    """Layers, operands, the operands' shapes and how often there are such, where rows may cross."""
    found: dict[tuple[int, int, Shape], list[Layer]] = {}
    kinds = network.kinds
    for layer in network.layers:
        made = rows_of(layer.out_shape)
        if layer.operator.reach is None or (layer.op == "pool" and made == 1):
            continue
        for operand, tensor in enumerate(network.operands(layer.name)):
            if network.enters(tensor):
                continue  # every node has it
            shape = network.graph.nodes[tensor]["layer"].out_shape
            if rows_of(shape) > 1:
                found.setdefault((kinds[layer.name], operand, shape), []).append(layer)
    return tuple((same[0], key[1], key[2], len(same)) for key, same in found.items())


def _crossing(layer: Layer, operand: int, shape: Shape, options: Mapping[int, Ints]) -> Ints | None:
    """Rows of an operand that pass each boundary, (K, 2, 2); None where nobody knows."""
    reach, made, count = layer.operator.reach, rows_of(layer.out_shape), rows_of(shape)
    assert reach is not None
    ends, at = options[made], options[count][:, None, :]
    above = np.stack([np.zeros_like(ends), ends], axis=-1)
    below = np.stack([ends, np.full_like(ends, made)], axis=-1)
    reached = [
        rows if rows is None else through(layer.in_shapes[operand], shape, rows)
        for rows in (reach(layer, operand, each) for each in (above, below))
    ]
    if reached[0] is None or reached[1] is None:
        return None
    over = np.maximum(0, reached[0][..., 1][..., None] - at)
    under = np.maximum(0, at - _begins(reached[1], count)[..., None])
    crossing: Ints = over + under
    return crossing


def _begins(rows: Ints, count: int) -> Ints:
    return np.where(rows[..., 1] > rows[..., 0], rows[..., 0], count)


def _best(boundary: int, options: Mapping[int, Ints], costs: Costs) -> dict[int, int]:
    free = [count for count, each in options.items() if each[boundary, 0] != each[boundary, 1]]
    picked = dict.fromkeys(options, 0)

    def sent(picks: Mapping[int, int]) -> float:
        return sum(
            float(each[boundary, picks[made], picks[count]])
            for (made, count), each in costs.items()
        )

    if 2 ** len(free) <= MOST_TRIED:
        tries = [
            {**picked, **dict(zip(free, p, strict=True))} for p in product((0, 1), repeat=len(free))
        ]
        return min(tries, key=sent)
    moved = True
    while moved:
        moved = False
        for count in free:
            other = {**picked, count: 1 - picked[count]}
            if sent(other) < sent(picked):
                picked, moved = other, True
    return picked


def even_shares(nodes: int) -> tuple[float, ...]:
    """Return equal shares of N nodes."""
    return (1.0 / nodes,) * nodes
