"""How a layer is split over nodes, and what operators without weights do where nobody says."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import prod

from discosim.graph.layer import Layer
from discosim.partition.held import Held

RowRanges = tuple[tuple[int, int], ...]
"""Rows first..last of each node."""


class Kind(StrEnum):
    """What a node computes of a layer.

    outputs: its output features; rows: its output rows, all features; inputs: a summand of all
    outputs, from its own input features; whole: everything; one: everything, on one node.
    """

    OUTPUTS = "outputs"
    ROWS = "rows"
    INPUTS = "inputs"
    WHOLE = "whole"
    ONE = "one"


@dataclass(frozen=True, slots=True)
class Choice:
    """How one layer is split.

    node: where it is computed on `one`; everywhere: output features low..high that every node
    computes on all rows, of a layer split by rows; sparse: S_comm counts for what it receives, or
    for its sum where it is split by inputs; s_comm: of that sum, where a plan says so.
    rows: the output rows that each node computes, of a layer split by rows; usual ones if empty.
    """

    kind: Kind
    node: int = 0
    everywhere: tuple[int, int] = (0, 0)
    sparse: bool = False
    rows: RowRanges = ()
    s_comm: float | None = None

    @property
    def plain_rows(self) -> bool:
        """Whether the layer is split by rows and nothing of it is on every node."""
        return self.kind is Kind.ROWS and self.everywhere == (0, 0)


Rule = Callable[[Layer, tuple[Held, ...]], Choice]
"""(layer, what nodes have of its operands) -> how it is split."""


def follow(layer: Layer, operands: tuple[Held, ...]) -> Choice:
    """Return the split by which an operator keeps to how its largest operand lies.

    Parts are added up where another operand lies, or on every node. Where the rows that it reads
    are not known its operands become whole; its MACs, if it has any, are divided by outputs.
    """
    lying = [held for held in operands if held.layout != "parts"]
    if not lying:
        return Choice(Kind.WHOLE)
    largest = max(prod(held.shape) for held in lying)
    main = [held for held in lying if prod(held.shape) == largest]
    first = next((held for held in main if held.layout != "whole"), main[0])
    match first.layout:
        case "one":
            return Choice(Kind.ONE, int((first.rows[:, 1] > first.rows[:, 0]).argmax()))
        case "features":
            return Choice(Kind.OUTPUTS)
        case "rows" if layer.operator.reach is not None:
            return Choice(Kind.ROWS)
        case "rows":
            return Choice(Kind.OUTPUTS if layer.macs else Kind.WHOLE)
        case _:
            return Choice(Kind.WHOLE)
