"""The first lines of an answer: what a person would otherwise have to work out of the table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from discosim.hardware import Hardware
from discosim.model.memory import ATTENTION
from discosim.report import labels
from discosim.report.tables import Columns, as_columns
from discosim.units import format_quantity

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

Row = Mapping[str, Any]

SPLITS = ("rows", "paired")
"""Exact strategies beside which sparse ones are told."""

FITS = {"yes": "one node fits", "tight": "one node fits, tightly", "no": "one node does not fit"}


def setting(
    frame: "Columns | pd.DataFrame", hardware: Sequence[Hardware], convention: str
) -> list[str]:
    """Return what was asked: network, nodes, links, and how it is counted."""
    rows = as_columns(frame)
    overlap = ", ".join(dict.fromkeys(rows["overlap"]))
    return [
        f"{rows['model'][0]} at {rows['input'][0]} on {node_text(each)}; overlap {overlap}, "
        f"{convention} conventions"
        for each in hardware
    ]


def node_text(each: Hardware) -> str:
    """Return what a node and its links are."""
    links = {"full-mesh": "a link per pair", "switch": "a switch", "ring": "a ring"}
    kind = links.get(each.topology, f"one {each.topology} medium")
    bandwidth = _quantities(each.bandwidth_Bps, "B/s")
    rate = _quantities(each.compute_macps, "MAC/s")
    latency = _quantities(each.link_latency_s, "s")
    alpha = f", {latency} a message" if np.any(each.link_latency_s) else ""
    return f"{each.name}: {rate} a node in {each.dtype}, {bandwidth} over {kind}{alpha}"


def _quantities(values: "ArrayLike", unit: str) -> str:
    """A number, or the least and the most of an axis."""
    ends = (float(np.min(values)), float(np.max(values)))
    return " to ".join(format_quantity(end, unit) for end in dict.fromkeys(ends))


def findings(
    frame: "Columns | pd.DataFrame",
    single: "Columns | pd.DataFrame",
    hardware: Sequence[Hardware],
) -> list[str]:
    """Return the best row, whether one node beats it, from where splitting pays, what fits.

    `single` is the one-node result on each hardware. Of hardware whose numbers are axes only the
    best row is told.
    """
    rows, alone = as_columns(frame), as_columns(single)
    lines = []
    for each in hardware:
        own, one = rows, alone
        if len(hardware) > 1:
            own, one = (_where(table, table["hardware"] == each.name) for table in (rows, alone))
        prefix = f"{each.name}: " if len(hardware) > 1 else ""
        told = _of_one(own, _at(one, 0), each) if len(one["nodes"]) == 1 else [_best(own)]
        lines += [prefix + line for line in told]
    return lines


def _where(rows: Columns, chosen: "NDArray[np.bool_]") -> Columns:
    return {name: values[chosen] for name, values in rows.items()}


def _at(rows: Columns, place: int) -> Row:
    return {name: values[place] for name, values in rows.items()}


def _of_one(rows: Columns, alone: Row, each: Hardware) -> list[str]:
    best = _best(rows, float(alone["latency_s"]))
    return [best, *_pays(rows), _memory(rows, alone, each), *_scores(rows, alone, each)]


def _best(rows: Columns, single_s: float | None = None) -> str:
    """The fastest row, beside one node; where the hardware has axes, with its numbers."""
    best = _at(rows, int(rows["latency_s"].argmin()))
    speedup = float(best["speedup_vs_single"])
    single_s = float(best["latency_s"]) * speedup if single_s is None else single_s
    latency = format_quantity(float(best["latency_s"]), "s")
    axes = labels.words(best, [n for n in labels.NUMBERS if len(np.unique(rows[n])) > 1])
    what = f"{_row(best)} with {axes}" if axes else _row(best)
    line = f"Best: {what} takes {latency}; one node takes {format_quantity(single_s, 's')}"
    if best["nodes"] > 1:
        ratio = f"{speedup:.3g}x faster" if speedup >= 1 else f"{1 / speedup:.3g}x slower"
        line += f", so the best row is {ratio}" if speedup != 1 else ", the same"
    return line + _independent(best) + "."


def _row(row: Row) -> str:
    knob = "" if np.isnan(row["s_comm"]) else f" at S_comm {row['s_comm']:.4g}"
    cut = f" at {row['at']}" if row["at"] else ""
    nodes = f"{row['nodes']} nodes" if row["nodes"] > 1 else "1 node"
    return f"{row['strategy']}{cut} on {nodes}{knob}"


def _independent(row: Row) -> str:
    """A warning where nothing is sent: fast, but not the same network (the paper's Table I)."""
    if row["bytes_per_node"] == 0 and row["nodes"] > 1:
        return " (nothing is sent: the nodes are independent branches, which costs accuracy)"
    return ""


def _pays(rows: Columns) -> list[str]:
    """From which S_comm on splitting beats one node, for each N, on the values asked for."""
    split = _where(rows, (rows["nodes"] > 1) & ~np.isnan(rows["s_comm"]))
    if len(np.unique(split["s_comm"])) < 2:
        return []
    words = []
    for nodes in np.unique(split["nodes"]):
        won = (split["nodes"] == nodes) & (split["speedup_vs_single"] > 1)
        least = f"from S_comm {split['s_comm'][won].min():.4g}" if won.any() else "never"
        words.append(f"N = {nodes} {least}")
    count = int((split["speedup_vs_single"] < 1).sum())
    head = f"One node is faster than {count} of {len(split['nodes'])} rows with S_comm"
    return [f"{head}; splitting wins: {', '.join(words)} (of the values asked for)."]


def _memory(rows: Columns, alone: Row, each: Hardware) -> str:
    need, needs = float(alone["node_bytes"]), rows["node_bytes"]
    least = _at(rows, int(needs.argmin()))
    smallest = format_quantity(float(least["node_bytes"]), "B")
    text = f"Memory: one node needs at least {format_quantity(need, 'B')}"
    if len(needs) > 1 or least["nodes"] > 1:
        text += f", the least is {smallest} a node ({_row(least)})"
    if each.memory_bytes is None:
        return f"{text}; the profile states none (--memory)."
    have = float(each.memory_bytes)
    fitting = int((needs <= have).sum())
    many = "all rows fit" if fitting == len(needs) else f"{fitting} of {len(needs)} rows fit"
    tight = list(rows["fits_word"]).count("tight")
    if tight:
        many += f", {tight} of them tightly"
    text = f"{text}; of {format_quantity(have, 'B')}: {FITS[alone['fits_word']]}, {many}."
    if tight or alone["fits_word"] == "tight":
        said = "up to 2.6" if each.workspace is None else f"{each.workspace:g}"
        text += f" Tight: a runtime that holds {said} times the features may not fit."
    return text


def _scores(rows: Columns, alone: Row, each: Hardware) -> list[str]:
    """How attention is counted, where that changes the memory, and which verdicts rest on it."""
    needs, scores = (
        np.append(alone[name], rows[name]).astype(float) for name in ("node_bytes", "scores_bytes")
    )
    if not scores.any():
        return []
    counted = each.attention == ATTENTION[0]
    text = f"Attention is {each.attention}: its scores, up to {format_quantity(scores.max(), 'B')} "
    text += "a node, are counted" if counted else "a node, are not counted"
    if each.memory_bytes is not None:
        have, otherwise = float(each.memory_bytes), needs - scores if counted else needs + scores
        turned = (needs <= have) != (otherwise <= have)
        if turned.any():
            other = ATTENTION[counted]
            who = "one node" if turned[0] else f"{turned.sum()} rows"
            verb = "would fit" if counted else "would not fit"
            return [f"{text}; {other} (--attention {other}) {who} {verb}."]
    return [f"{text} (--attention)."]


def beaten(frame: "Columns | pd.DataFrame", exact: "Columns | pd.DataFrame") -> list[str]:
    """Return which sparse rows an exact split beats, for each kind of node and overlap."""
    rows, others = as_columns(frame), as_columns(exact)
    lines = []
    for name, overlap in dict.fromkeys(zip(rows["hardware"], rows["overlap"], strict=True)):
        own, theirs = (
            _where(each, (each["hardware"] == name) & (each["overlap"] == overlap))
            for each in (rows, others)
        )
        own = _where(own, ~own["exact"].astype(bool))
        if not len(own["latency_s"]) or not len(theirs["latency_s"]):
            continue
        sparse = _at(own, int(own["latency_s"].argmin()))
        best = _at(theirs, int(theirs["latency_s"].argmin()))
        ratio = float(sparse["latency_s"]) / float(best["latency_s"])
        faster = int((own["latency_s"] > best["latency_s"]).sum())
        if not faster:
            continue
        where = f"{name}: " if len(set(rows["hardware"])) > 1 else ""
        beats = f"{faster} of {len(own['latency_s'])} rows that prune"
        if ratio > 1:
            beats = f"every row that prunes, {ratio:.3g}x as fast as {_row(sparse)}"
        lines.append(
            f"{where}Without pruning, {_row(best)} takes "
            f"{format_quantity(float(best['latency_s']), 's')}: faster than {beats}."
        )
    return lines
