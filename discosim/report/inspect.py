"""What `inspect` shows: a row an operator, what there is to say of the whole, and its picture."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from discosim.errors import DiscosimError
from discosim.graph.counts import NOT_PLACED, NOT_UNDERSTOOD, counts, remarks
from discosim.graph.network import Network, inputs_text, shape_text
from discosim.graph.table import tabulate
from discosim.partition.plan import Plan
from discosim.partition.split import split
from discosim.report.alike import Run, runs_of
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


ALIKE = ["op", "input", "output", "params", "macs", "mixes", "statistics", "entering", "lacking",
         "split"]  # fmt: skip
"""What is the same in blocks that are alike."""


def folded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of operators, those of consecutive blocks that are alike once.

    Their block says which they are; times: how many, as "x 12".
    """
    blocks = list(frame["block"])
    shown: list[int] = []
    words: list[str] = []
    times: list[str] = []
    for run in runs_of(blocks, list(frame[ALIKE].itertuples(index=False, name=None))):
        shown += range(run.begin, run.begin + run.size)
        first, last = blocks[run.begin], blocks[run.end - 1]
        words += [first if run.times == 1 else f"{first} to {last}"] * run.size
        times += ["" if run.times == 1 else f"x {run.times}"] * run.size
    return frame.iloc[shown].assign(block=words, times=times)


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
        **({"times": list(chosen["times"])} if "times" in chosen and any(chosen["times"]) else {}),
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


def draw_graph(
    network: Network, nodes: int, plan: Plan | None = None, how: str = "", *, unfold: bool = False
) -> "Figure":
    """Return the graph, an operator that only follows another one in the other's row.

    Consecutive blocks that are alike are drawn once, unless `unfold`. Raises DiscosimError for a
    network with more rows than can be read.
    """
    import matplotlib as mpl

    heads, members = _heads(network)
    frame = rows(network, nodes, plan).set_index("layer")
    looks = {
        name: (*_kind(network, name, frame), _label(network, members[name])) for name in members
    }
    runs = _runs(network, members, looks, unfold=unfold)
    shown = [place for run in runs for place in range(run.begin, run.begin + run.size)]
    if len(shown) > MOST_ROWS:
        raise DiscosimError(
            f"a drawing of {network.name} would have {len(shown)} rows; "
            f"at most {MOST_ROWS} can be read"
        )
    stands = _stands(runs)
    place = {name: stands[number] for number, name in enumerate(members)}
    edges = {
        (place[heads[tensor]], place[heads[layer.name]])
        for layer in network.layers
        for tensor in network.operands(layer.name)
    }
    edges = {(begin, end) for begin, end in edges if begin < end}
    with mpl.rc_context(rc()):
        height = 1.6 + INCH_A_ROW * len(shown)
        title = f"{network.name} at {inputs_text(network)}, on {nodes} nodes{how}"
        figure = new_figure(9.0, height, title, rows=len(shown))
        axes: Axes = figure.subplots()
        axes.set_axis_off()
        lanes = _lanes([edge for edge in edges if edge[1] - edge[0] > 1])
        left = -0.35 * max(lanes.values(), default=0) - 0.3
        _draw_edges(axes, edges, lanes)
        names, kinds = list(members), {}
        for row, number in enumerate(shown):
            name = names[number]
            kind, colour, shape, label = looks[name]
            [kinds[kind]] = axes.plot([0], [row], shape, ms=5, color=colour)
            named = name if len(name) <= 48 else f"…{name[-47:]}"
            axes.text(0.35, row, f"{named}  {label}", va="center", fontsize=small())
        _draw_times(axes, runs, stands, left)
        axes.set_xlim(left - 1.6 * any(run.times > 1 for run in runs) - 0.2, 12)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        legend_below(figure, list(kinds.values()), list(kinds), ncols=2)
        return fitted(figure)


def _runs(
    network: Network, members: dict[str, list[str]], looks: dict[str, Any], *, unfold: bool
) -> list[Run]:
    """Stretches of the rows, blocks that are alike together."""
    blocks = {layer.name: layer.block for layer in network.layers}
    owns = ["" if unfold else blocks.get(name, "") for name in members]
    return runs_of(owns, [looks[name] for name in members])


def _stands(runs: list[Run]) -> list[int]:
    """For each row the one in which it is drawn: of blocks that are alike, in the first."""
    stands, first = [], 0
    for run in runs:
        stands += [first + offset for _ in range(run.times) for offset in range(run.size)]
        first += run.size
    return stands


def _draw_times(axes: "Axes", runs: list[Run], stands: list[int], left: float) -> None:
    """Write left of blocks that are alike how many there are."""
    for run in runs:
        if run.times > 1:
            first, last = stands[run.begin], stands[run.begin] + run.size - 1
            ends = [first - 0.35, last + 0.35]
            axes.plot([left, left], ends, color=SINGLE, lw=1.2)
            axes.text(
                left - 0.15,
                (first + last) / 2,
                f"x {run.times}",
                ha="right",
                va="center",
                fontsize=small(),
            )


def _heads(network: Network) -> tuple[dict[str, str], dict[str, list[str]]]:
    """For each tensor the row that it stands in, and for each row its operators."""
    entering = [name for name, _ in network.inputs]
    heads, members = {name: name for name in entering}, {name: [name] for name in entering}
    blocks = {layer.name: layer.block for layer in network.layers}
    for layer in network.layers:
        operands = network.operands(layer.name)
        alone = network.graph.out_degree(operands[0]) == 1 and len(operands) == 1
        alone &= blocks.get(heads[operands[0]], "") == layer.block
        placing = layer.operator.placing
        if placing == "carries" and not layer.macs and alone and operands[0] not in entering:
            heads[layer.name] = heads[operands[0]]
            members[heads[layer.name]].append(layer.name)
        else:
            heads[layer.name] = layer.name
            members[layer.name] = [layer.name]
    return heads, members


def _kind(network: Network, name: str, frame: pd.DataFrame) -> tuple[str, str, str]:
    """What a row does, its colour, and its shape."""
    if name in dict(network.inputs):
        return "on every node", SINGLE, "^"
    op, lacking = frame.loc[name, "op"], frame.loc[name, "lacking"]
    if op == NOT_UNDERSTOOD or (op in NOT_PLACED and name in dict(network.remarks)):
        return "not understood: a full exchange", LOST, "X"
    if float(str(lacking)) > 0:
        return "exchanges features", COMM, "D"
    return "exchanges nothing", COMP, "o"


def _label(network: Network, members: list[str]) -> str:
    """What stands behind the name of a row."""
    if members[0] in dict(network.inputs):
        return shape_text(dict(network.inputs)[members[0]])
    layers = [network.graph.nodes[member]["layer"] for member in members]
    ops = ", ".join(layer.op for layer in layers)
    return f"({ops})  {shape_text(layers[-1].out_shape)}"


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
