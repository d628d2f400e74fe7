"""What `inspect` shows: a row an operator, what there is to say of the whole, and its picture."""

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discosim.errors import DiscosimError
from discosim.graph.counts import NOT_PLACED, NOT_UNDERSTOOD, counts, remarks
from discosim.graph.network import Network, inputs_text, shape_text
from discosim.graph.table import tabulate
from discosim.partition.plan import Plan
from discosim.partition.split import split
from discosim.report.lettering import fitted
from discosim.report.style import COMM, COMP, SINGLE, legend_below, new_figure, rc, small
from discosim.report.tables import Cells
from discosim.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEW = 6
"""Operators and blocks that are named in a line; of more, the first ones."""


def rows(network: Network, nodes: int, plan: Plan | None = None) -> pd.DataFrame:
    """Return one row per operator, in execution order.

    lacking: the share of its input, in elements, that a node has to receive if all is sent, on
    average over the nodes; entering: whether the input is on every node. All layers are split by
    outputs where no plan says otherwise.
    """
    table = tabulate(network)
    parts = split(table, nodes, whole=False)
    kinds = ["outputs"] * len(table)
    statistics = (table.statistics > 0) & ~parts.replicated_in
    spread = [row for row in parts.counted if table.rows[row].has_statistics]
    statistics[spread] = True  # of groups that lie on several nodes
    lacking = 1.0 - 1.0 / parts.peers
    received = parts.needed.sum(axis=(0, 1)) * parts.unit_elems / nodes
    lacking[parts.counted] = received / np.maximum(1.0, table.in_elems[parts.counted])
    if plan is not None:
        lacking = plan.exchange.received.mean(-2).ravel() / np.maximum(1.0, table.in_elems)
        if plan.stage is not None or plan.nodes == 1:
            statistics[:] = False
        if plan.laid is not None:
            kinds[:-1] = [str(part.choice.kind) for part in plan.laid.parts]
            statistics[:-1] = [part.statistics is not None for part in plan.laid.parts]
    frame = pd.DataFrame(
        {
            "layer": table.name,
            "op": table.op,
            "block": table.block,
            "input": [shape_text(layer.in_shape) for layer in table.rows],
            "output": [shape_text(layer.out_shape) for layer in table.rows],
            "in_elems": table.in_elems,
            "params": table.params,
            "macs": table.macs,
            "mixes": table.mixes,
            "statistics": statistics,
            "entering": parts.replicated_in,
            "lacking": lacking,
            "split": kinds,
        }
    )
    return frame.iloc[:-1]  # without the gathering of the output


def summary(network: Network, frame: pd.DataFrame, nodes: int, how: str = "") -> list[str]:
    """Return the findings, a line each; `how` names a strategy that was asked for."""
    record = counts(network)
    sends = frame["lacking"] > 0
    weighs = frame["mixes"]
    sent = float((frame["in_elems"] * frame["lacking"]).sum())
    lines = [
        f"{record['model']} at {record['input']}: {record['layers']} convolutions and linear "
        f"layers, {_count(record['params'])} parameters, {_count(record['macs'])} MACs",
        f"Operators: {_listed(Counter(frame['op']))}",
        f"On {nodes} nodes{how} {int((sends & weighs).sum())} of {record['layers']} of these "
        f"layers exchange; each node receives {_count(sent)} elements if all is sent.",
    ]
    others = Counter(frame["op"][sends & ~weighs & ~frame["statistics"]])
    if others:
        lines.append(f"Features also move in: {_listed(others)}")
    statistics = int(frame["statistics"].sum())
    if statistics:
        lines.append(
            f"{statistics} norms or softmaxes share sums over features (runtime conventions)"
        )
    lines += remarks(network) or ["Everything in it was understood."]
    blocks = list(dict.fromkeys(block for block in frame["block"] if block))
    if blocks:
        named = ", ".join(blocks[:FEW]) + (", …" if len(blocks) > FEW else "")
        lines.append(f"{len(blocks)} blocks to cut at (--at): {named}")
    return lines


def show(frame: pd.DataFrame, *, every: bool) -> Cells:
    """Return the rows for people: those with MACs or an exchange, or every one."""
    chosen = frame if every else frame[(frame["macs"] > 0) | (frame["lacking"] > 0)]
    return {
        "layer": list(chosen["layer"]),
        "operator": list(chosen["op"]),
        "input": list(chosen["input"]),
        "output": list(chosen["output"]),
        "params": [f"{count:,.0f}" for count in chosen["params"]],
        "MACs [M]": [f"{count / 1e6:,.3f}" for count in chosen["macs"]],
        **({"split": list(chosen["split"])} if len(set(frame["split"])) > 1 else {}),
        "receives": ["-" if share == 0 else f"{share:.3g} of input" for share in chosen["lacking"]],
        "block": list(chosen["block"]),
    }


def _count(number: object) -> str:
    return format_quantity(float(str(number)), "").strip()


def _listed(kinds: "Counter[str]") -> str:
    named = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common(FEW))
    return named + (", …" if len(kinds) > FEW else "")


MOST_ROWS = 150
"""Beyond, a picture of the whole cannot be read."""
INCH_A_ROW = 0.19
LOST = "#CC79A7"


def draw_graph(network: Network, nodes: int, plan: Plan | None = None, how: str = "") -> "Figure":
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
    frame = rows(network, nodes, plan).set_index("layer")
    place = {name: row for row, name in enumerate(members)}
    edges = {
        (place[heads[tensor]], place[heads[layer.name]])
        for layer in network.layers
        for tensor in network.operands(layer.name)
        if heads[tensor] != heads[layer.name]
    }
    with mpl.rc_context(rc()):
        height = 1.6 + INCH_A_ROW * len(members)
        title = f"{network.name} at {inputs_text(network)}, on {nodes} nodes{how}"
        figure = new_figure(9.0, height, title, rows=len(members))
        axes: Axes = figure.subplots()
        axes.set_axis_off()
        lanes = _lanes([edge for edge in edges if edge[1] - edge[0] > 1])
        wide = max(lanes.values(), default=0)
        _draw_edges(axes, edges, lanes)
        kinds = {}
        for name, row in place.items():
            kind, colour = _kind(network, name, frame)
            kinds[kind] = axes.plot([0], [row], "o", ms=5, color=colour)[0]
            axes.text(
                0.35, row, _label(network, name, members[name]), va="center", fontsize=small()
            )
        axes.set_xlim(-0.35 * wide - 0.5, 12)
        axes.set_ylim(len(members) - 0.4, -0.6)
        legend_below(figure, list(kinds.values()), list(kinds), ncols=2)
        return fitted(figure)


def _folded(network: Network) -> tuple[dict[str, str], dict[str, list[str]]]:
    """For each tensor the row that it stands in, and for each row its operators."""
    entering = [name for name, _ in network.inputs]
    heads, members = {name: name for name in entering}, {name: [name] for name in entering}
    for layer in network.layers:
        operands = network.operands(layer.name)
        alone = network.graph.out_degree(operands[0]) == 1 and len(operands) == 1
        placing = layer.operator.placing
        if placing == "carries" and not layer.macs and alone and operands[0] not in entering:
            heads[layer.name] = heads[operands[0]]
            members[heads[layer.name]].append(layer.name)
        else:
            heads[layer.name] = layer.name
            members[layer.name] = [layer.name]
    return heads, members


def _kind(network: Network, name: str, frame: "object") -> tuple[str, str]:
    import pandas as pd

    assert isinstance(frame, pd.DataFrame)
    if name in dict(network.inputs):
        return "on every node", SINGLE
    op, lacking = frame.loc[name, "op"], frame.loc[name, "lacking"]
    if op == NOT_UNDERSTOOD or (op in NOT_PLACED and name in dict(network.remarks)):
        return "not understood: a full exchange", LOST
    return ("exchanges features", COMM) if float(str(lacking)) > 0 else ("exchanges nothing", COMP)


def _label(network: Network, name: str, members: list[str]) -> str:
    if name in dict(network.inputs):
        return f"{name}  {shape_text(dict(network.inputs)[name])}"
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
