"""The picture of a small network: its layers from top to bottom, and who reads what."""

from typing import TYPE_CHECKING

from discosim.errors import DiscosimError
from discosim.graph.counts import NOT_PLACED, NOT_UNDERSTOOD
from discosim.graph.network import INPUT, Network, shape_text
from discosim.report.inspection import rows
from discosim.report.style import COMM, COMP, RC, SINGLE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ROWS = 150
"""Beyond, a picture of the whole cannot be read."""
INCH_A_ROW = 0.19
LOST = "#CC79A7"


def draw_graph(network: Network, nodes: int) -> "Figure":
    """Return the graph, an operator that only follows another one in the other's row.

    Raises DiscosimError for a network with more rows than can be read.
    """
    import matplotlib as mpl

    heads, members = _folded(network)
    if len(members) > MOST_ROWS:
        raise DiscosimError(
            f"a drawing of {network.name} would have {len(members)} rows; "
            f"at most {MOST_ROWS} can be read"
        )
    frame = rows(network, nodes).set_index("layer")
    place = {name: row for row, name in enumerate(members)}
    edges = {
        (place[heads[tensor]], place[heads[layer.name]])
        for layer in network.layers
        for tensor in network.operands(layer.name)
        if heads[tensor] != heads[layer.name]
    }
    with mpl.rc_context(RC):
        height = 1.6 + INCH_A_ROW * len(members)
        title = f"{network.name} at {shape_text(network.input_shape)}, on {nodes} nodes"
        figure = new_figure(9.0, height, title)
        axes: Axes = figure.subplots()
        axes.set_axis_off()
        lanes = _lanes([edge for edge in edges if edge[1] - edge[0] > 1])
        wide = max(lanes.values(), default=0)
        _draw_edges(axes, edges, lanes)
        kinds = {}
        for name, row in place.items():
            kind, colour = _kind(network, name, frame)
            kinds[kind] = axes.plot([0], [row], "o", ms=5, color=colour)[0]
            axes.text(0.35, row, _label(network, name, members[name]), va="center", fontsize=7)
        axes.set_xlim(-0.35 * wide - 0.5, 12)
        axes.set_ylim(len(members) - 0.4, -0.6)
        figure.legend(kinds.values(), kinds.keys(), loc="outside lower center", ncols=2)
        return figure


def _folded(network: Network) -> tuple[dict[str, str], dict[str, list[str]]]:
    """For each tensor the row that it stands in, and for each row its operators."""
    heads, members = {INPUT: INPUT}, {INPUT: [INPUT]}
    for layer in network.layers:
        operands = network.operands(layer.name)
        alone = network.graph.out_degree(operands[0]) == 1 and len(operands) == 1
        placing = layer.operator.placing
        if placing == "carries" and not layer.macs and alone and operands[0] != INPUT:
            heads[layer.name] = heads[operands[0]]
            members[heads[layer.name]].append(layer.name)
        else:
            heads[layer.name] = layer.name
            members[layer.name] = [layer.name]
    return heads, members


def _kind(network: Network, name: str, frame: "object") -> tuple[str, str]:
    import pandas as pd

    assert isinstance(frame, pd.DataFrame)
    if name == INPUT:
        return "on every node", SINGLE
    op, lacking = frame.loc[name, "op"], frame.loc[name, "lacking"]
    if op == NOT_UNDERSTOOD or (op in NOT_PLACED and name in dict(network.remarks)):
        return "not understood: a full exchange", LOST
    return ("exchanges features", COMM) if float(str(lacking)) > 0 else ("exchanges nothing", COMP)


def _label(network: Network, name: str, members: list[str]) -> str:
    if name == INPUT:
        return f"input  {shape_text(network.input_shape)}"
    layers = [network.graph.nodes[member]["layer"] for member in members]
    shown = name if len(name) <= 48 else f"…{name[-47:]}"
    ops = ", ".join(layer.op for layer in layers)
    return f"{shown}  ({ops})  {shape_text(layers[-1].out_shape)}"


def _lanes(edges: list[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """How far out each edge that skips rows runs, so that no two lie on each other."""
    lanes: dict[tuple[int, int], int] = {}
    for begin, end in sorted(edges, key=lambda edge: (edge[1] - edge[0], edge)):
        taken = {lane for (b, e), lane in lanes.items() if b < end and begin < e}
        lanes[begin, end] = next(n for n in range(1, len(edges) + 1) if n not in taken)
    return lanes


def _draw_edges(
    axes: "Axes", edges: set[tuple[int, int]], lanes: dict[tuple[int, int], int]
) -> None:
    for begin, end in sorted(edges):
        out = -0.35 * lanes.get((begin, end), 0)
        turn = 0.3 if out else 0.0
        line = ([0, out, out, 0], [begin, begin + turn, end - turn, end])
        axes.plot(*line, color="#999999", lw=0.9, zorder=1)
