"""What the importer knows of a tensor while it writes a network: one of five forms."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from discosim.graph.layer import Shape
from discosim.importers.lowering.layout import Axes, shape_of
from discosim.importers.lowering.program import NOTHING, Constant


@dataclass(frozen=True, eq=False)
class View:
    """The elements of the network's tensor `tensor`, or a part of them, along `axes`.

    start: the feature at which the first element lies.
    """

    tensor: str
    axes: Axes
    start: int = 0

    @property
    def shape(self) -> Shape:
        """The sizes of the axes."""
        return shape_of(self.axes)


@dataclass(frozen=True, eq=False)
class Function:
    """A function of each element of a view, not written yet.

    at: the node that makes it; learned: parameters in it, elements by name; statistics: how many
    sums over features it needs; applied: whether there is any function, and not the view itself;
    scales: whether it only multiplies by a number.
    """

    base: View
    label: str
    at: int
    learned: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    statistics: int = 0
    applied: bool = True
    scales: bool = False

    @property
    def shape(self) -> Shape:
        """The shape of the view."""
        return self.base.shape


@dataclass(frozen=True, eq=False)
class ReducedValue:
    """A sum, mean or norm of a function over some axes, not written yet."""

    of: Function
    label: str
    at: int
    shape: Shape
    over: Shape
    keeps: bool


@dataclass(frozen=True, eq=False)
class Scores:
    """Products of queries with keys on their way to be multiplied with values.

    keys: axes (..., features, positions); learned: parameters added on the way, as a position bias;
    masks: tensors added on the way of which every node has all.
    """

    queries: View
    keys: View
    label: str
    at: int
    shape: Shape
    learned: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    masks: tuple[View, ...] = ()


Value = View | Function | ReducedValue | Scores | Constant
