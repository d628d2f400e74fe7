"""A split for each layer of a network, as a person writes it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from discosim.graph.network import Network
from discosim.graph.reach import rows_of
from discosim.graph.table import LayerTable
from discosim.partition.kinds import Kind, RowRanges


@dataclass(frozen=True, slots=True)
class LayerSplit:
    """How a layer is split: its kind; of outputs or inputs with S_comm, on one node its number.

    S_comm is the part of what it receives that is left out, by inputs of the features of its sum.
    rows: of rows, those that each node computes; usual ones if empty.
    """

    kind: Kind
    s_comm: float = 0.0
    node: int = 0
    rows: RowRanges = ()

    @property
    def exact(self) -> bool:
        """Whether the layer computes what it was trained to."""
        return self.s_comm == 0.0

    def __str__(self) -> str:
        """Return it in words."""
        if self.kind is Kind.ONE:
            return f"node {self.node} alone"
        return f"{self.kind}, S_comm {self.s_comm:g}" if self.s_comm else str(self.kind)


@dataclass(frozen=True, slots=True)
class Throughout:
    """What holds of all layers that are split so.

    joined: layers by rows in groups without an exchange (partition/fused.py); repeated: keys and
    values of attention by rows are computed on every node where that sends less
    (partition/repeated.py); handed_on: whatever layers on one node need of another node comes in
    one message (partition/handed.py).
    """

    joined: bool = False
    repeated: bool = True
    handed_on: bool = False


Splits = tuple[LayerSplit, ...]
"""The split of each layer of a network, in their order."""


def named_splits(table: LayerTable, splits: Splits) -> dict[str, LayerSplit]:
    """Return the splits, by name, from which `spread_out` makes all of them.

    Of layers that mix features, and of those that are split otherwise than the layer before.
    """
    return {
        layer: split
        for row, (layer, split) in enumerate(zip(table.name, splits, strict=False))
        if not row or table.mixes[row] or split != splits[row - 1]
    }


def spread_out(network: Network, named: Mapping[str, LayerSplit]) -> Splits:
    """Return the split of every layer: one that is not named is split as the layer before it.

    It has the same rows where there are as many.
    """
    current, count = next(iter(named.values())), 0
    found = []
    for layer in network.layers:
        if layer.name in named:
            current, count = named[layer.name], rows_of(layer.out_shape)
        elif current.rows and rows_of(layer.out_shape) != count:
            current = replace(current, rows=())
        found.append(current)
    return tuple(found)
