"""What one node does, as data: for each row of the network the steps, on named slots.

A slot holds a tensor, (1, features, positions…), of those features that the node has. Steps say
which features by their positions in a slot, so that whoever executes them knows neither networks
nor masks nor nodes' shares, only torch's operators.
"""

from collections.abc import Iterable, Mapping, Sequence
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

    statistics: the slots of the node's own and of the others', where there are any; counts: how
    many features they are of, the node's own first.
    """

    layer: Layer
    source: str
    statistics: tuple[str, str]
    counts: tuple[int, ...]
    into: str
    overwrites: bool


@dataclass(frozen=True, eq=False)
class GroupStatistics:
    """What a group norm has to know of the node's features, of each group that it has some of.

    groups: (F,), which of the node's groups each feature of the source is of.
    """

    layer: Layer
    source: str
    groups: Ints
    into: str


@dataclass(frozen=True, eq=False)
class NormalizeGroups:
    """A group norm, from the statistics of all nodes that have some of the same groups.

    groups: (F,), which of the node's K groups each feature of the source is of; statistics: the
    slots of the node's own and of the others'; counts: (K,), of how many elements its own are;
    others: of each sender, for which of the K groups, and of how many elements.
    """

    layer: Layer
    source: str
    groups: Ints
    statistics: tuple[str, str]
    counts: Ints
    others: tuple[tuple[Ints, Ints], ...]
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


Range = tuple[int, int]
"""Half-open: rows first..last of a tensor, counted along its first position axis."""


@dataclass(frozen=True, eq=False)
class Excerpt:
    """A rectangle of a slot: features `at`, on `rows`; all where None."""

    slot: str
    at: Ints | None = None
    rows: Range | None = None


@dataclass(frozen=True, eq=False)
class Trade:
    """Begin to send and to receive messages of several cuts each, until `Wait`.

    sends: by receiver, the cuts, one after the other; receives: by sender, how many elements of
    the packed slot `into` are from it, one sender after the other.
    """

    kind: str
    sends: Mapping[int, tuple[Excerpt, ...]]
    receives: Mapping[int, int]
    into: str


@dataclass(frozen=True, eq=False)
class Unpack:
    """A section of a packed slot, from `begin` on, as a tensor of that shape; nothing is copied."""

    packed: str
    begin: int
    shape: tuple[int, ...]
    into: str


@dataclass(frozen=True, eq=False)
class Alias:
    """A cut of a slot as a slot: of rows, and of features side by side, without a copy."""

    cut: Excerpt
    into: str


@dataclass(frozen=True, eq=False)
class AddTo:
    """Add a slot to a cut of another one, in place."""

    source: str
    cut: Excerpt


@dataclass(frozen=True, eq=False)
class Put:
    """Write a slot over an excerpt of another one, in place."""

    source: str
    cut: Excerpt


@dataclass(frozen=True, eq=False)
class Placed:
    """A cut and where it goes: features `at` of the new tensor, all where None; its first row."""

    cut: Excerpt
    at: Ints | None
    first: int


@dataclass(frozen=True, eq=False)
class Fill:
    """A tensor of that shape from what is placed there, and `value` where nothing is."""

    shape: tuple[int, ...]
    placed: tuple[Placed, ...]
    value: float | None
    into: str


@dataclass(frozen=True, eq=False)
class Mixing:
    """A convolution or matrix product of all that a slot has with the node's weight of a layer.

    outputs: rows of that weight, None for all; of the input's rows none lie outside where
    `padded`: the source has what pads them.
    """

    layer: Layer
    source: str
    outputs: Ints | None
    groups: int
    padded: bool
    into: str


@dataclass(frozen=True, eq=False)
class OnRows:
    """An operator that makes output rows `rows` from a source whose first row is `begins`."""

    layer: Layer
    source: str
    begins: int
    rows: Range
    into: str


@dataclass(frozen=True, eq=False)
class PartOfMean:
    """What input rows from `begins` on, which are the source, add to a mean over more of them."""

    layer: Layer
    source: str
    begins: int
    into: str


@dataclass(frozen=True, eq=False)
class Attend:
    """Attention of the queries in one slot to the keys and values, side by side, in another."""

    layer: Layer
    queries: str
    others: str
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
    | GroupStatistics
    | NormalizeGroups
    | Pick
    | Join
    | Combine
    | Pack
    | Assemble
    | Trade
    | Unpack
    | Alias
    | AddTo
    | Put
    | Fill
    | Mixing
    | OnRows
    | PartOfMean
    | Attend
)


def made_by(steps: Iterable[Step]) -> set[str]:
    """Return the slots that steps make."""
    return {step.into for step in steps if not isinstance(step, Wait | AddTo | Put)}


def statistics_swap(layer: Layer, own: str, theirs: str, others: Sequence[int]) -> Swap:
    """Return what begins to tell the other nodes the statistics of a norm, and to hear theirs."""
    count = 1 if layer.op == "l2_norm" else 2
    sends, receives = dict.fromkeys(others), dict.fromkeys(others, count)
    return Swap("statistics", own, sends, receives, layer.in_shape[1:], theirs)


@dataclass(frozen=True, eq=False)
class ProgramRow:
    """The steps of one row of the network; frees: the slots that nobody reads any more."""

    name: str
    steps: tuple[Step, ...]
    frees: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class NodeProgram:
    """All that the node `rank` does.

    outputs: the slots that are the result, none but on node 0; takes_input: whether it has to have
    the network's input.
    """

    rank: int
    rows: tuple[ProgramRow, ...]
    outputs: tuple[str, ...]
    takes_input: bool = True
