"""The answer of `size` for people."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from discosim.explore.accuracy import NODES
from discosim.explore.grid.metrics import METRICS
from discosim.explore.limits import Limits
from discosim.explore.sizing import NAMES
from discosim.report.labels import several
from discosim.report.summary import WIRE_DIFFERS
from discosim.report.tables import Cells, cells, scaled
from discosim.units import format_quantity

LISTED = 12
"""Networks whose answer is a line of the summary; of more, the table tells."""


def summary(frame: pd.DataFrame, limits: Limits) -> list[str]:
    """Return the limits, and for each network its smallest cluster or what to give up."""
    lines = [f"Wanted: {_wanted(frame, limits)}."]
    answers = frame.groupby("model", sort=False)
    for place, (model, rows) in enumerate(answers):
        if place == LISTED:
            lines.append(f"... and {answers.ngroups - LISTED} more networks: see the table.")
            break
        lines.append(f"{model}: {_answer(rows.iloc[0].to_dict())}")
    first = answers.head(1)
    if (first["s_comm"] > 0).any() and limits.accuracy is None:
        lines.append(
            "What pruning costs in accuracy is not in this answer: it has to be trained, or is "
            "limited with --accuracy where it is published."
        )
    left = [count for count in limits.numbers if count != NODES]
    if limits.accuracy is not None and left:
        verb = "are" if len(left) > 1 else "is"
        lines.append(
            f"Where something is pruned N = {_numbers(left)} {verb} left out: "
            f"accuracy is published for {NODES} nodes only."
        )
    count = int(frame["feasible"].sum())
    if len(frame) > 1:
        lines.append(f"{count:,} of the {len(frame):,} combinations below keep all limits.")
    return lines


def _numbers(counts: Sequence[int]) -> str:
    """Numbers of nodes, those that follow one another as a range: 3 to 16."""
    if len(counts) > 2 and counts[-1] - counts[0] == len(counts) - 1:
        return f"{counts[0]} to {counts[-1]}"
    return ", ".join(map(str, counts))


def as_sent(row: Mapping[Any, Any], wire_s: float | None) -> list[str]:
    """Return what an answer takes as a program sends it, where that is another answer.

    wire_s: those seconds, None where the answer is counted so already.
    """
    seconds = float(row["latency_s"])
    if wire_s is None or abs(wire_s - seconds) <= WIRE_DIFFERS * seconds:
        return []
    line = f"As a program sends it (--as-built) that takes {format_quantity(wire_s, 's')}"
    if row["feasible"] and wire_s > row["latency_limit"]:
        line += f", more than the {format_quantity(row['latency_limit'], 's')} that are wanted"
    return [f"{line}."]


def unpruned(frame: pd.DataFrame, exact: pd.DataFrame) -> list[str]:
    """Return that an exact split keeps the limits on as few nodes as a sparse answer, or fewer."""
    best = frame.iloc[0].to_dict()
    if exact.empty or not (best["s_comm"] > 0 or not best["feasible"]):
        return []
    other = exact.iloc[0].to_dict()
    if best["feasible"] and other["nodes"] > best["nodes"]:
        return []
    return [f"Without pruning: {_cluster(other)}, {_quantities(other)}."]


def branches(frame: pd.DataFrame) -> list[str]:
    """Return what keeps all limits with nothing sent, where that is all that does."""
    row = frame.iloc[0].to_dict()
    if not row["feasible"]:
        return []
    return [f"Only with nothing sent: {_cluster(row)}, {_quantities(row)}."]


def replicas(frame: pd.DataFrame, in_turn_per_s: float | None = None) -> list[str]:
    """Return how many whole nodes in turn keep a throughput, where one keeps all other limits.

    in_turn_per_s: of a cluster, what its nodes give so.
    """
    if in_turn_per_s is not None:
        return [f"Whole nodes in turn give {in_turn_per_s:.3g} a second without any network."]
    lines = []
    alone = frame[(frame["strategy"] == "single") & frame["throughput_limit"].notna()]
    for row in alone.to_dict("records"):
        others = (row[f"{name}_margin"] for name in ("latency", "memory", "accuracy", "energy"))
        count = int(np.ceil(row["throughput_limit"] * row["latency_s"] * (1 - ROUNDING)))
        price = row["price_usd"] * count <= row["price_limit"] or np.isnan(row["price_limit"])
        if count > 1 and price and all(np.isnan(margin) or margin >= 0 for margin in others):
            each = f" of {row['hardware']}" if len(alone) > 1 else ""
            rate = _quantity("throughput", row["throughput_limit"])
            lines.append(f"{count} whole nodes{each} in turn keep {rate} without any network.")
    return lines


ROUNDING = 1e-12
"""Of a count of nodes that is whole but for the last digit."""


def _wanted(frame: pd.DataFrame, limits: Limits) -> str:
    words = []
    for name in NAMES:
        given = frame[f"{name}_limit"].dropna().unique()
        if len(given) == 1:
            value = _quantity(name, float(given[0]))
            words.append(f"{name} {'from' if METRICS[name].most else 'up to'} {value}")
        elif len(given):
            words.append(f"{name} as each profile states it")
    most = f"up to {limits.nodes} nodes" if limits.nodes > 1 else "one node"
    if limits.counts is not None:
        most = f"{' or '.join(map(str, limits.counts))} nodes"
    return ", ".join([*words, most])


def _quantity(name: str, value: float) -> str:
    """A limit with its unit: 10/s, not 10 1/s."""
    unit = METRICS[name].unit
    return f"{format_quantity(value, '')}/s" if unit == "1/s" else format_quantity(value, unit)


def _answer(row: dict[Any, Any]) -> str:
    what = f"{_cluster(row)}, {_quantities(row)}"
    if row["feasible"]:
        return f"{what}. {_why(row)}"
    names = " and ".join(row["binding"].split("+"))
    return f"nothing keeps all limits. Nearest: {what}: give up {names} by {row['give_up']:.3g}x."


def _cluster(row: dict[Any, Any]) -> str:
    nodes = "one node of" if row["nodes"] == 1 else f"{row['nodes']} nodes of"
    s_comm = "" if np.isnan(row["s_comm"]) else f" at S_comm {row['s_comm']:.6g}"
    how = "" if row["nodes"] == 1 else f", {row['strategy']}{s_comm}"
    if row["s_comm"] == 1 and row["nodes"] > 1:
        how += " (independent branches, which costs accuracy)"
    return f"{nodes} {row['hardware']}{how}"


def _quantities(row: dict[Any, Any]) -> str:
    latency, memory = (
        format_quantity(row["latency_s"], "s"),
        format_quantity(row["node_bytes"], "B"),
    )
    said = {"tight": ", which is tight", "spills": ", of which weights spill from fast memory"}
    return f"{latency}, at least {memory} a node{said.get(row['memory_word'], '')}"


def _why(row: dict[Any, Any]) -> str:
    if row["less_sparse"]:
        return f"{_first(row['less_sparse'])} binds: one step less sparse misses it."
    if row["fewer_nodes"]:
        return f"One node fewer misses {row['fewer_nodes']}."
    return "Nothing smaller exists." if row["nodes"] == 1 else "Nothing has to be pruned."


def _first(reasons: str) -> str:
    name = reasons.split()[0]
    return name[0].upper() + name[1:]


def show(frame: pd.DataFrame) -> Cells:
    """Return rows for people; what never differs is left out."""
    names = [name for name in ("model", "hardware", "dtype") if several(frame[name])]
    names += ["strategy", "nodes", "s_comm", "latency_s", "interval_s", "node_bytes"]
    latency_s = frame["latency_s"]
    found = dict(
        cells(name, frame[name], latency_s if name == "interval_s" else None) for name in names
    )
    for name in ("price", "energy", "accuracy"):
        if frame[f"{name}_limit"].notna().any():
            metric = METRICS[name]
            unit = f" [{metric.unit}]" if metric.unit else ""
            header, texts = scaled(frame[metric.column], f"{metric.quantity}{unit}", "")
            found[header] = texts
    found["margin [%]"] = [_margin(row) for row in frame.to_dict("records")]
    words = zip(frame["feasible"], frame["memory_word"], strict=True)
    found["fits"] = [word if feasible else "no" for feasible, word in words]
    found["binding"] = [_binding(row) for row in frame.to_dict("records")]
    return found


def _margin(row: dict[Any, Any]) -> str:
    """What is left of the limit that is nearest, or missing of the one that is missed most."""
    margins = [row[f"{name}_margin"] for name in NAMES if not np.isnan(row[f"{name}_margin"])]
    return f"{100 * min(margins):.1f}" if margins else "-"


def _binding(row: dict[Any, Any]) -> str:
    if row["feasible"]:
        return row["binding"] or ("one node does it" if row["fewer_nodes"] else "-")
    return f"give up {row['binding'].replace('+', ' and ')}, {row['give_up']:.3g}x"
