"""Uneven shares: nodes that hold unequally many features, as unlike nodes should.

Blocks stay contiguous and whole (`rounding exact`): groups and heads are not divided.
"""

from functools import lru_cache

import numpy as np

from discosim.graph.builder import INPUT, Network
from discosim.graph.layer import Layer
from discosim.graph.placement import Owners, place
from discosim.graph.split import Split
from discosim.graph.table import Floats, Ints, LayerTable

Pairs = tuple[Floats, Floats]
"""needed and connected of one row, (N, N) each; see Split."""


def blocks_of(units: int, shares: tuple[float, ...]) -> Ints:
    """Return the node of each of `units` units, contiguous, as near to `shares` as whole ones go.

    What rounding leaves goes to the largest remainders, of equal ones to the first node.
    """
    wanted = units * np.array(shares) / sum(shares)
    sizes = np.floor(wanted + 1e-9)
    left = units - int(sizes.sum())
    sizes[np.argsort(sizes - wanted, kind="stable")[:left]] += 1
    return np.repeat(np.arange(len(shares)), sizes.astype(int))


def place_by_share(network: Network, shares: tuple[float, ...]) -> dict[str, Owners]:
    """Return the owners of every tensor's features where node r holds `shares[r]` of them."""
    # on more nodes than any tensor has features, a feature's owner is the number of its unit
    finest = place(network, max(layer.out_features for layer in network.layers))
    owners: dict[str, Owners] = {INPUT: None}
    for layer in network.layers:
        operands = [owners[tensor] for tensor in network.operands(layer.name)]
        owners[layer.name] = _place_output(layer, operands, finest[layer.name], shares)
    return owners


def _place_output(
    layer: Layer, operands: list[Owners], units: Owners, shares: tuple[float, ...]
) -> Owners:
    first, placing = operands[0], layer.operator.placing
    if placing == "mixes" and layer.kind == "depthwise" and first is not None:
        return np.repeat(first, layer.out_features // layer.groups)
    if placing == "mixes":
        assert units is not None
        return blocks_of(int(units.max()) + 1, shares)[units]
    if all(operand is None for operand in operands):
        return None
    if placing == "aligns":
        return next(operand for operand in operands if operand is not None)
    if placing == "joins":
        sizes = [shape[0] for shape in layer.in_shapes]
        parts = zip(operands, sizes, strict=True)
        return np.concatenate([blocks_of(n, shares) if o is None else o for o, n in parts])
    assert first is not None
    return first[[layer.operator.carry(layer, f) for f in range(layer.out_features)]]


@lru_cache(maxsize=64)
def split_by_share(table: LayerTable, shares: tuple[float, ...]) -> Split:
    """Return how `table` lies on nodes that hold `shares` of every tensor."""
    owners, nodes = place_by_share(table.network, shares), len(shares)
    features = [table.network.input_shape[0], *table.out_features[:-1]]
    replicated = np.array([held is None for held in owners.values()])
    owned = np.array(
        [
            np.full(nodes, count) if held is None else np.bincount(held, minlength=nodes)
            for held, count in zip(owners.values(), features, strict=True)
        ],
        dtype=float,
    )
    held_elems = owned / np.array(features)[:, None] * table.tensor_elems[:, None]
    placed_in = table.mixes & ~replicated[table.source]
    pairs: dict[int, Pairs] = {}
    for row, layer in enumerate(table.network.layers):
        operands = [owners[tensor] for tensor in table.network.operands(layer.name)]
        out = owners[layer.name]
        if layer.operator.placing == "aligns":
            pairs.update(_moved(row, [o for o in operands if o is not None], nodes))
        elif placed_in[row] and layer.groups > 1 and layer.kind != "depthwise":
            inputs = _per_group(operands[0], layer.groups, nodes)
            outputs = _per_group(out, layer.groups, nodes)
            pairs[row] = inputs.T @ (outputs > 0), inputs.T @ outputs
    gathered = np.zeros((nodes, nodes))
    sinks = [tensor for tensor in table.outputs if not replicated[tensor]]
    gathered[1:, 0] = held_elems[sinks, 1:].sum(0)
    if gathered.any():
        pairs[len(table) - 1] = gathered, np.zeros_like(gathered)
    counted = np.array(sorted(pairs), dtype=np.int64)
    alike = table.groups == 1
    return Split(
        nodes=nodes,
        peers=np.where(placed_in & alike, float(nodes), 1.0),
        replicated_in=replicated[table.source],
        replicated_out=np.append(replicated[1:], False),
        own_in=owned[table.source].T,
        own_out=np.concatenate([owned[1:], np.zeros((1, nodes))]).T,
        live_elems=held_elems.T @ table.alive,
        even_live_elems=held_elems.mean(1) @ table.alive,
        counted=counted,
        needed=_stack([pairs[row][0] for row in counted], nodes),
        connected=_stack([pairs[row][1] for row in counted], nodes),
        unit_elems=np.where(counted == len(table) - 1, 1.0, table.positions[counted]),
    )


def _per_group(owners: Owners, groups: int, nodes: int) -> Floats:
    """(G, N): how many features of each group each node owns."""
    assert owners is not None
    counts = np.zeros((groups, nodes))
    np.add.at(counts, (np.arange(len(owners)) * groups // len(owners), owners), 1.0)
    return counts


def _moved(row: int, placed: list[Ints], nodes: int) -> dict[int, Pairs]:
    """Features of the later operands that lie elsewhere than those of the first placed one."""
    needed = np.zeros((nodes, nodes))
    for operand in placed[1:]:
        np.add.at(needed, (operand, placed[0]), 1.0)
    np.fill_diagonal(needed, 0.0)
    return {row: (needed, np.zeros_like(needed))} if needed.any() else {}


def _stack(matrices: list[Floats], nodes: int) -> Floats:
    return np.stack(matrices, axis=-1) if matrices else np.zeros((nodes, nodes, 0))
