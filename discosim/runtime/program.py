"""What one node does, as data: for each row of the network the steps, on named slots.

A slot holds a tensor, (1, features, positions…), of those features that the node has. Steps say
which features by their positions in a slot, so that whoever executes them knows neither networks
nor masks nor nodes' shares, only torch's operators.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from discosim.graph.layer import Layer
from discosim.masks.mask import Ints


@dataclass(frozen=True, eq=False)
class Swap:
    """Begin to send features of `source` and to receive into `into`, until `Wait`.

    sends: by receiver, their positions in `source`, None for all of it; receives: by sender, how
    many features of `into` are from it, one sender after the other; positions: the shape of each.
    """

    kind: str
    source: str
    sends: Mapping[int, Ints | None]
    receives: Mapping[int, int]
    positions: tuple[int, ...]
    into: str


@dataclass(frozen=True, eq=False)
class Wait:
    """Until what `Swap` began has been sent and received."""


@dataclass(frozen=True, eq=False)
class Product:
    """The product of features of `source` with columns of the node's weight of a layer.

    at: the features, None for all; columns: as many of the weight. What stands in `into` is added
    to where `adds`; otherwise the bias is.
    """

    layer: Layer
    source: str
    at: Ints | None
    columns: Ints
    into: str
    adds: bool


@dataclass(frozen=True, eq=False)
class GroupPart:
    """One group of a convolution on a node, or several alike: its weight, inputs and outputs."""

    weight: str
    at: Ints | None
    outputs: int
    groups: int = 1


@dataclass(frozen=True, eq=False)
class GroupedProduct:
    """A convolution with groups, of the sources side by side; parts after one another."""

    layer: Layer
    sources: tuple[str, ...]
    parts: tuple[GroupPart, ...]
    into: str


@dataclass(frozen=True, eq=False)
class BiasAlone:
    """Features that nothing reaches: the bias of that name, or zero; `shape` with the batch."""

    shape: tuple[int, ...]
    bias: str
    into: str


@dataclass(frozen=True, eq=False)
class Apply:
    """An operator on each of the features alone; `overwrites` allows it to use their memory."""

    layer: Layer
    source: str
    into: str
    overwrites: bool


@dataclass(frozen=True, eq=False)
class Statistics:
    """What a norm has to know of the node's features, at each position."""

    layer: Layer
    source: str
    into: str


@dataclass(frozen=True, eq=False)
class Normalize:
    """A norm, from the statistics of all nodes.

    statistics: the slots of the node's own and of the others'; counts: how many features they are
    of, the node's own first.
    """

    layer: Layer
    source: str
    statistics: tuple[str, str]
    counts: tuple[int, ...]
    into: str
    overwrites: bool


@dataclass(frozen=True, eq=False)
class Pick:
    """Features of the sources side by side, by their positions there."""

    sources: tuple[str, ...]
    at: Ints
    into: str


@dataclass(frozen=True, eq=False)
class Join:
    """The features of all sources, side by side."""

    sources: tuple[str, ...]
    into: str


@dataclass(frozen=True, eq=False)
class Combine:
    """The sum or product of two slots with the same features."""

    layer: Layer
    sources: tuple[str, str]
    into: str
    overwrites: bool


@dataclass(frozen=True, eq=False)
class Pack:
    """All elements of the sources, one after the other, as features without positions."""

    sources: tuple[str, ...]
    into: str


@dataclass(frozen=True, eq=False)
class PackedPart:
    """Elements of a packed slot: where they begin, and the features of the whole that they are."""

    begin: int
    at: Ints


@dataclass(frozen=True, eq=False)
class Assemble:
    """A whole tensor of that shape from the node's own part and sections of a packed slot."""

    source: str
    at: Ints
    packed: str
    sections: tuple[PackedPart, ...]
    shape: tuple[int, ...]
    into: str


Step = (
    Swap
    | Wait
    | Product
    | GroupedProduct
    | BiasAlone
    | Apply
    | Statistics
    | Normalize
    | Pick
    | Join
    | Combine
    | Pack
    | Assemble
)


@dataclass(frozen=True, eq=False)
class ProgramRow:
    """The steps of one row of the network; frees: the slots that nobody reads any more."""

    name: str
    steps: tuple[Step, ...]
    frees: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class NodeProgram:
    """All that the node `rank` does; outputs: the slots that are the result, none but on node 0."""

    rank: int
    rows: tuple[ProgramRow, ...]
    outputs: tuple[str, ...]
