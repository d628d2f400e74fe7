"""Pictures of the ways to split a layer, drawn from plans of a small network."""

from typing import TYPE_CHECKING

import numpy as np

from discosim.graph.builder import Builder
from discosim.graph.layer import Layer
from discosim.graph.network import INPUT, Network
from discosim.graph.table import Ints, tabulate
from discosim.partition.held import Held
from discosim.partition.kinds import Choice, Kind
from discosim.partition.lay import Laid, Part, lay
from discosim.partition.plan import CONVENTIONS
from discosim.report.lettering import filled, fitted
from discosim.report.style import COMM, COMP, legend_below, new_figure, rc, small

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NODES = 2
FEATURES, ROWS = 6, 8
OWN = (COMP, "#E69F00")
"""What node 0 and node 1 have."""
SHARED, RECEIVED, NOTHING = "#CCCCCC", COMM, "#FFFFFF"

TITLE = "A 3x3 convolution on two nodes, split in five ways: features down, rows across"

SPLITS = (
    ("outputs", Kind.OUTPUTS, "each node its output features; it gets all input features"),
    ("rows", Kind.ROWS, "each node its rows; it gets the rows that its windows reach"),
    ("inputs", Kind.INPUTS, "each node a summand from its input features; sums are added up"),
    ("whole", Kind.WHOLE, "each node computes everything"),
    ("one", Kind.ONE, "one node computes everything"),
)


def draw_splits() -> "Figure":
    """Return a row of panels for each split: what the nodes have, get, and leave."""
    import matplotlib as mpl
    from matplotlib.patches import Patch

    with mpl.rc_context(rc()):
        figure = new_figure(8.5, 10.5, TITLE, rows=34)
        panels = figure.subplots(len(SPLITS), 3)
        for row, (name, kind, words) in zip(panels, SPLITS, strict=True):
            part = _second(kind)
            sent = _draw_row(row, part)
            row[0].set_ylabel(name, fontweight="bold")
            told = f"{words}: {sent} elements sent in all"
            told = filled(told, 0.85 * figure.get_figwidth(), small())
            row[0].set_title(told, loc="left", fontsize=small())
        for axes, title in zip(panels[-1], ("input: what each has", "what node 0 gets", "output"),
                               strict=True):  # fmt: skip
            axes.set_xlabel(title)
        handles = [
            Patch(fc=OWN[0], label="node 0"),
            Patch(fc=OWN[1], label="node 1"),
            Patch(fc=SHARED, label="both"),
            Patch(fc=RECEIVED, hatch="xxx", ec="white", label="sent to node 0"),
            Patch(fc="#FFFFFF", ec="#333333", hatch="///", label="summands, to be added up"),
        ]
        legend_below(figure, handles, ncols=len(handles))
        return fitted(figure)


def _network() -> Network:
    net = Builder("two", (3, ROWS, 4))
    net.conv(net.conv(INPUT, FEATURES, 3, "first"), FEATURES, 3, "second")
    return net.build()


def _second(kind: Kind) -> Part:
    """The second convolution, split so, after a first one that leaves what is usual before it."""
    before = {Kind.INPUTS: Kind.OUTPUTS, Kind.ONE: Kind.ROWS, Kind.WHOLE: Kind.ROWS}

    def rule(layer: Layer, _: tuple[Held, ...]) -> Choice:
        return Choice(kind if layer.name == "second" else before.get(kind, kind))

    laid: Laid = lay(tabulate(_network()), rule, NODES, CONVENTIONS["runtime"])
    return laid.parts[1]


def _draw_row(row: "list[Axes]", part: Part) -> int:
    """Draw input, messages and output of a layer; return how many elements are sent."""
    [read] = part.reads
    _cells(row[0], _owners(read.before))
    got = np.full((FEATURES, ROWS), -1)
    for one in read.rounds:
        for piece in one.pieces():
            if piece.sink == 0:
                got[piece.features, piece.first : piece.last] = 3
    _cells(row[1], got)
    _cells(row[2], _owners(part.out), summed=part.out.layout == "parts")
    return sum(int(one.pairs.sum()) for one in read.rounds)


def _owners(held: Held) -> Ints:
    """The node that has each element: 0, 1, 2 for both, -1 for none."""
    has = np.zeros((NODES, FEATURES, ROWS), dtype=bool)
    for node in range(NODES):
        low, high = held.rows[node]
        mine = np.ones(FEATURES, dtype=bool) if held.owners is None else held.owners == node
        has[node, mine, low:high] = True
    found: Ints = np.where(has.all(0), 2, np.where(has.any(0), has.argmax(0), -1))
    return found


def _cells(axes: "Axes", owners: Ints, *, summed: bool = False) -> None:
    from matplotlib.patches import Rectangle

    colours = {0: OWN[0], 1: OWN[1], 2: SHARED, 3: RECEIVED, -1: NOTHING}
    for (feature, row), owner in np.ndenumerate(owners):
        axes.add_patch(
            Rectangle((row, feature), 1, 1, fc=NOTHING if summed else colours[int(owner)],
                      ec="#333333" if summed else "#FFFFFF",
                      hatch="///" if summed else "xxx" if owner == 3 else None, lw=0.5)
        )  # fmt: skip
    axes.add_patch(Rectangle((0, 0), ROWS, FEATURES, fill=False, ec="#333333", lw=0.8))
    axes.set(xlim=(-0.1, ROWS + 0.1), ylim=(FEATURES + 0.1, -0.1), aspect="equal")
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
