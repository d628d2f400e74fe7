"""The best split of each layer: as data, in words and as a picture."""

from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from discosim.explore.planning.candidates import Candidate
from discosim.explore.planning.plan import MET, Planned
from discosim.explore.planning.prices import Aim
from discosim.graph.table import LayerTable
from discosim.partition.kinds import Kind
from discosim.partition.splits import Splits, Throughout
from discosim.report.lettering import fitted
from discosim.report.style import COMM, COMP, LINES, SINGLE, legend_below, new_figure, rc, time_unit
from discosim.report.summary import node_text
from discosim.report.tables import Cells, cells
from discosim.units import format_quantity

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    Kind.ROWS: LINES[3],
    Kind.OUTPUTS: LINES[4],
    Kind.INPUTS: LINES[2],
    Kind.WHOLE: LINES[5],
    Kind.ONE: LINES[7],
}
HATCHES = {
    Kind.ROWS: "---",
    Kind.OUTPUTS: "|||",
    Kind.INPUTS: "...",
    Kind.WHOLE: "xxx",
    Kind.ONE: "ooo",
}
"""What tells the kinds apart without colours."""

SPARSE = "////"

MOST_RUNS = 8
"""Stretches of layers that are told one by one."""


def to_frame(found: Planned) -> "pd.DataFrame":
    """Return one row a layer, SI units; the last gathers the output."""
    import pandas as pd

    table, best = found.configuration.table, found.best
    cost, layers = best.cost, len(best.splits)

    def flat(per_node: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> object:
        return per_node.max(axis=-2).reshape(-1)

    return pd.DataFrame(
        {
            "layer": table.name,
            "op": table.op,
            "split": [*(str(split.kind) for split in best.splits), ""],
            "s_comm": [*(_s_comm(found, row) for row in range(layers)), np.nan],
            "node": pd.array(
                [*(s.node if s.kind is Kind.ONE else None for s in best.splits), None], "Int64"
            ),
            "block": table.block,
            "bytes": flat(np.maximum(cost.sent_bytes, cost.received_bytes)),
            "comm_s": flat(cost.comm_s),
            "comp_s": flat(cost.local_s + cost.remote_s),
            "layer_s": flat(cost.layer_s),
        }
    )


def _s_comm(found: Planned, row: int) -> float:
    split, mixes = found.best.splits[row], found.configuration.table.mixes[row]
    return split.s_comm if mixes and split.kind in (Kind.OUTPUTS, Kind.INPUTS) else float("nan")


def findings(found: Planned, convention: str) -> list[str]:
    """Return what was asked, the splits, what they cost, and what they are beside."""
    given, best = found.configuration, found.best
    single = float(found.single.latency_s.squeeze())
    lines = [
        f"{given.model} on {given.nodes} nodes of {node_text(given.hardware)}; overlap "
        f"{given.overlap}, {convention} conventions",
        *stretches(given.table, best.splits, best.throughout),
    ]
    comm = float(best.cost.total_comm_s.squeeze())
    lines.append(
        f"{_seconds(best.latency_s)}, of which communication takes {_seconds(comm)}; "
        f"{_bytes(best.bytes)} sent or received and {_bytes(best.node_bytes)} of memory a node at "
        f"most. One node: {_seconds(single)}, {single / best.latency_s:.3g}x as long, "
        f"{_bytes(float(found.single.node_bytes.squeeze()))}."
    )
    lines += _binding(found) + _training(found)
    fitting = [each for each in found.pure if _keeps(found, each)]
    if fitting:
        pure = min(fitting, key=lambda each: each.latency_s)
        lines.append(
            f"Best of the strategies that treat all layers alike: {pure.name}, "
            f"{_seconds(pure.latency_s)}."
        )
    lines.append(_proof(found))
    return lines


def stretches(table: LayerTable, splits: Splits, throughout: Throughout) -> list[str]:
    """Return the splits of consecutive layers with MACs, in a line, by their kind where many."""
    rows = [row for row in range(len(splits)) if table.mixes[row] or table.macs[row]]
    runs = [(split, list(each)) for split, each in groupby(rows, lambda row: str(splits[row]))]
    if len(runs) > MOST_RUNS:
        named = sorted({split for split, _ in runs}, key=[split for split, _ in runs].index)
        counts = [sum(len(each) for split, each in runs if split == name) for name in named]
        told = "; ".join(f"{n} {name}" for name, n in zip(named, counts, strict=True))
        lines = [f"{len(rows)} layers in {len(runs)} stretches: {told} (the table has each)."]
    else:
        told = "; ".join(f"{_ends(table.name, each)}: {split}" for split, each in runs)
        lines = [f"{told}."]
    repeats = sum(bool(split.rows) for split in splits)
    if repeats:
        lines.append(
            f"{repeats} layers by rows compute rows of other nodes as well, which so need not come."
        )
    if any(split.kind is Kind.INPUTS and split.s_comm for split in splits):
        lines.append(
            "By inputs S_comm is of the sum: that part of its features is not added up, each node "
            "goes on with its own summand."
        )
    if throughout.joined:
        lines.append("Rows in groups without an exchange: the overlap is computed again.")
    if throughout.handed_on:
        lines.append("Whatever a node needs of another comes in one message, and stays with it.")
    if not throughout.repeated:
        lines.append("Keys and values of other rows are sent, not computed again.")
    return lines


def _ends(names: tuple[str, ...], rows: list[int]) -> str:
    first, last = names[rows[0]], names[rows[-1]]
    return first if first == last else f"{first} to {last}"


def _keeps(found: Planned, plan: Candidate) -> bool:
    return found.memory is None or plan.node_bytes <= found.memory


def _binding(found: Planned) -> list[str]:
    if found.memory is None:
        return []
    limit = _bytes(found.memory)
    if found.free.latency_s >= found.best.latency_s:
        return [f"The limit of {limit} does not bind."]
    return [
        f"The memory of {limit} binds: without it {_seconds(found.free.latency_s)} with "
        f"{_bytes(found.free.node_bytes)}."
    ]


def _training(found: Planned) -> list[str]:
    best, exact = found.best, found.exact
    if best.exact:
        return ["Nothing has to be trained: the network computes what it did."]
    mixes = [row for row in range(len(best.splits)) if found.configuration.table.mixes[row]]
    sparse = sum(not best.splits[row].exact for row in mixes)
    line = f"{sparse} of {len(mixes)} layers with weights are sparse and have to be trained so"
    if exact is None:
        return [f"{line}; no plan without training that was found keeps the memory."]
    return [
        f"{line}; the best plan without training takes {_seconds(exact.latency_s)} with "
        f"{_bytes(exact.node_bytes)}."
    ]


def _proof(found: Planned) -> str:
    bound, value = found.bound, found.best.by(found.aim)[0]
    what = "no choice of a split for each layer"
    if found.groups < len(found.best.splits):
        what = f"no choice of a split for each of {found.groups} groups of layers"
    handed = " One message for several tensors is not in it." * found.best.throughout.handed_on
    if bound >= value * (1 - MET):
        return f"Layers priced one by one, {what} has less.{handed}"
    gap = 100 * (1 - bound / value) if value else 0.0
    once = ""
    if not found.configuration.conventions.resend:
        once = " What an earlier layer reads of a tensor as well is counted as nothing to send."
    return (
        f"Layers priced one by one, {what} has less than {_aimed(found.aim, bound)} (certified "
        f"gap {gap:.2g} %).{once}{handed}"
    )


UNITS = {Aim.LATENCY: "s", Aim.BYTES: "B", Aim.ENERGY: "J"}


def _aimed(aim: Aim, value: float) -> str:
    return format_quantity(value, UNITS[aim])


def _seconds(value: float) -> str:
    return format_quantity(value, "s")


def _bytes(value: float) -> str:
    return format_quantity(value, "B")


def show(found: Planned) -> Cells:
    """Return the plan beside one node, the best exact plan and the strategies."""
    rows: list[tuple[str, Candidate]] = [("plan", found.best)]
    if found.exact is not None and found.exact is not found.best:
        rows.append(("plan, exact", found.exact))
    if found.free is not found.best:
        rows.append(("plan, any memory", found.free))
    rows += [(each.name, each) for each in found.pure]
    single = float(found.single.latency_s.squeeze())
    latency = np.array([each.latency_s for _, each in rows])
    return {
        "plan": [name for name, _ in rows],
        **dict(
            cells(name, values)
            for name, values in (
                ("latency_s", latency),
                ("speedup_vs_single", single / latency),
                ("bytes_per_node", [each.bytes for _, each in rows]),
                ("node_bytes", [each.node_bytes for _, each in rows]),
            )
        ),
        **(
            {}
            if found.memory is None
            else {"memory kept": ["yes" if _keeps(found, each) else "no" for _, each in rows]}
        ),
        "training": ["none" if each.exact else "needed" for _, each in rows],
    }


def draw_plan(found: Planned, title: str) -> "Figure":
    """Return the network from left to right: each layer's split, and its time adding up.

    A dashed line is one node alone.
    """
    import matplotlib as mpl
    from matplotlib.patches import Patch

    frame = to_frame(found)
    with mpl.rc_context(rc()):
        figure = new_figure(10.0, 4.6, title)
        axes: Axes = figure.subplots()
        factor, unit = time_unit([float(frame["layer_s"].sum())])
        index = np.arange(len(frame))
        total = frame["layer_s"].cumsum().to_numpy() / factor
        comp = np.cumsum(np.minimum(frame["comp_s"], frame["layer_s"])) / factor
        axes.fill_between(index, comp, step="post", color=COMP, alpha=0.85, lw=0)
        axes.fill_between(index, comp, total, step="post", color=COMM, alpha=0.65, lw=0)
        single = float(found.single.latency_s.squeeze()) / factor
        axes.axhline(single, color=SINGLE, ls=(0, (4, 2)), lw=1.4)
        top = 1.22 * max(single, total[-1])
        kinds = [split.kind for split in found.best.splits]
        mixes, sparse = found.configuration.table.mixes, False
        for row, kind in enumerate(kinds):
            sparse = _s_comm(found, row) > 0 or (sparse and kind is Kind.OUTPUTS and not mixes[row])
            hatch = SPARSE if sparse else HATCHES[kind]
            look: Any = {"fc": COLOURS[kind], "hatch": hatch, "ec": "white", "lw": 0}
            axes.bar(row, 0.06 * top, 1.0, 0.92 * top, align="edge", **look)
        axes.set(xlim=(0, len(frame)), ylim=(0, top), ylabel=f"time up to the layer [{unit}]")
        axes.set_xlabel("layer, in the order of execution")
        _name_blocks(axes, frame)
        one = f"one node: {_seconds(single * factor)}"
        handles = [
            Patch(fc=COMP, alpha=0.85, label="computation"),
            Patch(fc=COMM, alpha=0.65, label="communication"),
            mpl.lines.Line2D([], [], color=SINGLE, ls=(0, (4, 2)), label=one),
            *(
                Patch(fc=COLOURS[kind], hatch=HATCHES[kind], ec="white", label=str(kind))
                for kind in dict.fromkeys(kinds)
            ),
        ]
        if not found.best.exact:
            handles.append(Patch(fc="#FFFFFF", ec="#777777", hatch=SPARSE, label="sparse"))
        legend_below(figure, handles, ncols=len(handles))
        return fitted(figure)


def _name_blocks(axes: "Axes", frame: "pd.DataFrame") -> None:
    """Write where each stage of blocks begins."""
    stages = [str(block).split(".")[0] for block in frame["block"]]
    begins = [i for i, name in enumerate(stages) if name and (not i or name != stages[i - 1])]
    least = len(stages) / 14
    shown = [b for k, b in enumerate(begins) if not k or b - begins[k - 1] >= least]
    axes.set_xticks(shown, [stages[begin] for begin in shown], ha="left")
    axes.grid(visible=True, axis="x")
