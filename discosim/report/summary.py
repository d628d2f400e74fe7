"""The first lines of an answer: what a person would otherwise have to work out of the table."""

import numpy as np
import pandas as pd

from discosim.hardware import Hardware
from discosim.units import format_quantity


def setting(frame: pd.DataFrame, hardware: list[Hardware], convention: str) -> list[str]:
    """Return what was asked: network, nodes, links, and how it is counted."""
    model, size = frame["model"].iloc[0], frame["input"].iloc[0]
    overlap = ", ".join(dict.fromkeys(frame["overlap"]))
    return [
        f"{model} at {size} on {node_text(each)}; overlap {overlap}, {convention} conventions"
        for each in hardware
    ]


def node_text(each: Hardware) -> str:
    """Return what a node and its links are."""
    links = {"full-mesh": "a link per pair", "switch": "a switch", "ring": "a ring"}
    kind = links.get(each.topology, f"one {each.topology} medium")
    bandwidth = format_quantity(float(each.bandwidth_Bps), "B/s")
    rate = format_quantity(float(each.compute_macps), "MAC/s")
    latency = format_quantity(float(each.link_latency_s), "s")
    alpha = f", {latency} a message" if each.link_latency_s else ""
    return f"{each.name}: {rate} a node in {each.dtype}, {bandwidth} over {kind}{alpha}"


def findings(frame: pd.DataFrame, single: pd.DataFrame, hardware: list[Hardware]) -> list[str]:
    """Return the best row, whether one node beats it, from where splitting pays, what fits.

    `single` is the one-node result on each hardware, in the same order.
    """
    lines = []
    for each, (_, alone) in zip(hardware, single.iterrows(), strict=True):
        rows = frame[frame["hardware"] == each.name] if len(hardware) > 1 else frame
        prefix = f"{each.name}: " if len(hardware) > 1 else ""
        lines += [prefix + line for line in _of_one(rows, alone, each)]
    return lines


def _of_one(rows: pd.DataFrame, alone: "pd.Series[float]", each: Hardware) -> list[str]:
    best = rows.iloc[int(rows["latency_s"].argmin())]
    alone_s = format_quantity(float(alone["latency_s"]), "s")
    latency = format_quantity(float(best["latency_s"]), "s")
    line = f"Best: {_row(best)} takes {latency}; one node takes {alone_s}"
    if best["nodes"] > 1:
        speedup = float(best["speedup_vs_single"])
        ratio = f"{speedup:.3g}x faster" if speedup >= 1 else f"{1 / speedup:.3g}x slower"
        line += f", so the best row is {ratio}" if speedup != 1 else ", the same"
    lines = [line + _independent(best) + "."]
    lines += _pays(rows)
    return [*lines, _memory(rows, alone, each)]


def _row(row: "pd.Series[float]") -> str:
    knob = "" if np.isnan(row["s_comm"]) else f" at S_comm {row['s_comm']:.4g}"
    cut = f" at {row['at']}" if row["at"] else ""
    nodes = f"{row['nodes']} nodes" if row["nodes"] > 1 else "1 node"
    return f"{row['strategy']}{cut} on {nodes}{knob}"


def _independent(row: "pd.Series[float]") -> str:
    """A warning where nothing is sent: fast, but not the same network (the paper's Table I)."""
    if row["bytes_per_node"] == 0 and row["nodes"] > 1:
        return " (nothing is sent: the nodes are independent branches, which costs accuracy)"
    return ""


def _pays(rows: pd.DataFrame) -> list[str]:
    """From which S_comm on splitting beats one node, for each N, on the values asked for."""
    split = rows[(rows["nodes"] > 1) & rows["s_comm"].notna()]
    if split.empty:
        return []
    words = []
    for nodes, group in split.groupby("nodes"):
        wins = group.loc[group["speedup_vs_single"] > 1, "s_comm"]
        words.append(
            f"N = {nodes} from S_comm {wins.min():.4g}" if len(wins) else f"N = {nodes} never"
        )
    tried = split["s_comm"].unique()
    if len(tried) == 1:
        return []
    count = int((split["speedup_vs_single"] < 1).sum())
    head = f"One node is faster than {count} of {len(split)} rows with S_comm"
    return [f"{head}; splitting wins: {', '.join(words)} (of the values asked for)."]


def _memory(rows: pd.DataFrame, alone: "pd.Series[float]", each: Hardware) -> str:
    need = float(alone["node_bytes"])
    least = rows.iloc[int(rows["node_bytes"].argmin())]
    smallest = format_quantity(float(least["node_bytes"]), "B")
    text = f"Memory: one node needs {format_quantity(need, 'B')}"
    if len(rows) > 1 or least["nodes"] > 1:
        text += f", the least is {smallest} a node ({_row(least)})"
    if each.memory_bytes is None:
        return f"{text}; the profile states none (--memory)."
    have = float(each.memory_bytes)
    fitting = int((rows["node_bytes"] <= have).sum())
    alone_fits = "one node fits" if need <= have else "one node does not fit"
    many = "all rows fit" if fitting == len(rows) else f"{fitting} of {len(rows)} rows fit"
    return f"{text}; of {format_quantity(have, 'B')}: {alone_fits}, {many}."
