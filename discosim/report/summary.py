"""The first lines of an answer: what a person would otherwise have to work out of the table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from discosim.explore.accuracy import NODES, TABLES, printed
from discosim.hardware import Hardware
from discosim.model.memory import ATTENTION, WORKSPACE
from discosim.partition.plan import Conventions
from discosim.report import joined, labels
from discosim.report.judged import best_row, fitting, independent, where
from discosim.report.tables import Columns, as_columns
from discosim.simulate import Overlap
from discosim.timeline.joined import Joined
from discosim.units import format_quantity

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

Row = Mapping[str, Any]

SPLITS = ("rows", "paired")
"""Exact strategies beside which sparse ones are told."""

WIRE_DIFFERS = 0.1
"""From which part of a latency on another counting is another answer."""

FITS = {
    "yes": "one node fits",
    "spills": "one node fits, its weights not in the fast memory alone",
    "tight": "one node fits, tightly",
    "no": "one node does not fit",
}


def setting(frame: "Columns | pd.DataFrame", hardware: Sequence[Hardware]) -> list[str]:
    """Return what was asked, a line a kind of node."""
    rows = as_columns(frame)
    return [f"{rows['model'][0]} at {rows['input'][0]} on {node_text(each)}." for each in hardware]


def how_counted(
    overlaps: Iterable[Overlap | str], chosen: Conventions, named: str = "paper"
) -> str:
    """Return overlap and conventions by their names, each with what it means."""
    told = [f"{each} ({_overlap_words(str(each))})" for each in dict.fromkeys(map(str, overlaps))]
    counted = [
        "whole features" if chosen.whole else "fractional features",
        "a tensor sent once for each reader" if chosen.resend else "a tensor sent once",
        *(["what norms and the output send"] if chosen.service else []),
    ]
    return f"overlap {', '.join(told)}, {named} conventions ({', '.join(counted)})"


def _overlap_words(text: str) -> str:
    """What an overlap means."""
    mode, _, chunks = text.partition(":")
    if mode == "none":
        return "a layer's exchange, then its computation"
    if mode == "ideal":
        return "of a layer's exchange and computation the longer one"
    pieces = {"": "one piece", "1": "one piece", "best": "the best number of pieces"}
    many = pieces.get(chunks, f"{chunks} pieces")
    across = "; layers stream into each other" if mode == "stream" else ""
    return f"a layer's exchange during its computation, in {many}{across}"


def node_text(each: Hardware) -> str:
    """Return what a node and its links are."""
    links = {"full-mesh": "a link per pair", "switch": "a switch", "ring": "a ring"}
    kind = links.get(each.topology, f"one {each.topology} medium")
    bandwidth = _quantities(each.bandwidth_Bps, "B/s")
    if isinstance(each, Joined):
        rate = joined.rates(each)
    else:
        rate = f"{_quantities(each.compute_macps, 'MAC/s')} a node"
    latency = _quantities(each.link_latency_s, "s")
    counted = "a message"
    if each.latency_per == "exchange" and each.topology == "switch":
        counted = "an exchange, in which a node's messages leave together"
    alpha = f", {latency} {counted}" if np.any(each.link_latency_s) else ""
    more = ""
    if each.congestion > 1:
        more = f"; bytes take {each.congestion:g} times as long where over {each.senders:g} send"
    return f"{each.name}: {rate} in {each.dtype}, {bandwidth} over {kind}{alpha}{more}"


def _quantities(values: "ArrayLike", unit: str) -> str:
    """A number, or the least and the most of an axis."""
    ends = (float(np.min(values)), float(np.max(values)))
    return " to ".join(format_quantity(end, unit) for end in dict.fromkeys(ends))


def findings(
    frame: "Columns | pd.DataFrame",
    single: "Columns | pd.DataFrame",
    hardware: Sequence[Hardware],
    exact: "Columns | None" = None,
    on_the_wire: Mapping[str, float] | None = None,
    fastest: Mapping[str, str] | None = None,
) -> list[str]:
    """Return what fits, the best row that does, what beats it, from where splitting pays.

    `single` is the one-node result on each hardware; `exact`: splits without pruning that were
    not asked for; `on_the_wire`: seconds of the best row as a program does it, by the name of the
    hardware; `fastest`: the one node of each cluster. Of hardware whose numbers are axes only the
    best row is told.
    """
    rows, alone = as_columns(frame), as_columns(single)
    lines = []
    for each in hardware:
        own, one, others = rows, alone, exact
        if len(hardware) > 1:
            own, one = (_of(table, each) for table in (rows, alone))
            others = None if exact is None else _of(exact, each)
        prefix = f"{each.name}: " if len(hardware) > 1 else ""
        if len(one["nodes"]) == 1:
            wire_s, name = (on_the_wire or {}).get(each.name), (fastest or {}).get(each.name, "")
            found = _Found(own, _at(one, 0), each, others, wire_s, name)
            told = found.lines()
        else:
            told = [*_best(own), *_nothing_sent(own)]
        lines += [prefix + line for line in told]
    return lines


def _of(rows: Columns, each: Hardware) -> Columns:
    return where(rows, (rows["hardware"] == each.name) & (rows["dtype"] == each.dtype))


def _at(rows: Columns, place: int) -> Row:
    return {name: values[place] for name, values in rows.items()}


@dataclass(frozen=True)
class _Found:
    """The rows of one kind of node, one node alone, and what stands beside them."""

    rows: Columns
    alone: Row
    each: Hardware
    exact: Columns | None
    wire_s: float | None
    fastest: str = ""

    def lines(self) -> list[str]:
        """Return the lines, those that decide first."""
        rows, single_s = self.rows, float(self.alone["latency_s"])
        return [
            *self._misfits(),
            *_best(rows, single_s, self.alone["fits"], self.fastest),
            *self._shares(),
            *self._on_the_wire(),
            *self._off(),
            *_nothing_sent(rows),
            *(beaten(rows, self.exact) if self.exact is not None else []),
            *_same_cost(rows),
            *self._pays(),
            self._memory(),
            *_published(rows),
            *_scores(rows, self.alone, self.each),
        ]

    def _misfits(self) -> list[str]:
        """That no row fits, or that one node does not: said before anything else."""
        if self.each.memory_bytes is None:
            return []
        have = format_quantity(float(self.each.memory_bytes), "B")
        if isinstance(self.each, Joined):
            have = joined.memories(self.each)
        if not fitting(self.rows).any():
            least = _at(self.rows, int(self.rows["node_bytes"].argmin()))
            need = format_quantity(float(least["node_bytes"]), "B")
            return [f"Nothing fits {have} a node: the least is {need} ({_row(least)})."]
        if self.alone["fits"]:
            return []
        need = format_quantity(float(self.alone["node_bytes"]), "B")
        return [f"One node does not fit: it needs at least {need} of {have}."]

    def _shares(self) -> list[str]:
        """What the nodes of a cluster hold in the best row."""
        best = best_row(self.rows)
        if best is None or not isinstance(self.each, Joined):
            return []
        return joined.shares_of_the_best(self.each, _at(self.rows, best))

    def _on_the_wire(self) -> list[str]:
        """What the best row takes as a program does it, where that is another answer."""
        best = best_row(self.rows)
        if best is None or self.wire_s is None:
            return []
        seconds = float(self.rows["latency_s"][best])
        if abs(self.wire_s - seconds) <= WIRE_DIFFERS * seconds:
            return []
        took = format_quantity(self.wire_s, "s")
        return [f"As a program sends it (--as-built) that takes {took}."]

    def _pays(self) -> list[str]:
        """From which S_comm on splitting beats one node, for each N, of the values below 1.

        Where one node does not fit, from which S_comm on its part of the network does.
        """
        rows = self.rows
        asked = (rows["nodes"] > 1) & ~np.isnan(rows["s_comm"]) & ~independent(rows)
        split = where(rows, asked)
        fits, counts = fitting(split), np.unique(split["nodes"])
        if len(np.unique(split["s_comm"])) < 2 or not fits.any():
            return []
        if self.alone["fits"] is False:
            froms = _from(split, fits, counts)
            return [f"It fits: {froms} (of the values asked for)."] if not fits.all() else []
        split = where(split, fits)
        faster, slower = split["speedup_vs_single"] > 1, split["speedup_vs_single"] < 1
        kept = f"{len(slower)} rows below S_comm 1" + ("" if fits.all() else " that fit")
        if faster.all():
            return [f"Splitting is always faster than one node: in all {kept}."]
        if slower.all():
            return [f"One node is always faster: than all {kept}."]
        head = f"One node is faster than {slower.sum()} of {kept}"
        froms = _from(split, faster, counts)
        return [f"{head}; splitting wins: {froms} (of the values asked for)."]

    def _off(self) -> list[str]:
        """How far the profile's own predictions were off."""
        error = self.each.held_out_error
        if error is None:
            return []
        if isinstance(self.each, Joined):
            off = f"Off were {joined.errors(self.each)} in the median"
            return [f"{off}, on networks that their profiles were not fitted to."]
        off = f"{self.each.name} alone was off by {100 * error:.0f} % in the median"
        return [f"{off}, on networks that its profile was not fitted to."]

    def _memory(self) -> str:
        """What one node and the least row need, and of what is there."""
        rows, alone, needs = self.rows, self.alone, self.rows["node_bytes"]
        least = _at(rows, int(needs.argmin()))
        smallest = format_quantity(float(least["node_bytes"]), "B")
        text = f"Memory: one node needs at least {format_quantity(float(alone['node_bytes']), 'B')}"
        if len(needs) > 1 or least["nodes"] > 1:
            text += f", the least is {smallest} a node ({_row(least)})"
        if self.each.memory_bytes is None:
            return f"{text}; the profile states none (--memory)."
        have = format_quantity(float(self.each.memory_bytes), "B")
        if isinstance(self.each, Joined):
            have = joined.memories(self.each)
        fits = int(fitting(rows).sum())
        many = "all rows fit" if fits == len(needs) else f"{fits} of {len(needs)} rows fit"
        tight = list(rows["fits_word"]).count("tight")
        if tight:
            many += f", {tight} of them tightly"
        if self.each.spill_Bps is not None:
            near = int((rows["fits_word"] == "yes").sum())
            fast = format_quantity(self.each.fast_bytes, "B")
            many += f", {near} with all weights in {fast} of fast memory"
        text = f"{text}; of {have}: {FITS[alone['fits_word']]}, {many}."
        if tight or alone["fits_word"] == "tight":
            workspace = self.each.workspace
            said = f"up to {WORKSPACE:g}" if workspace is None else f"{workspace:g}"
            text += f" Tight: a runtime that holds {said} times the features may not fit."
        return text


def _best(
    rows: Columns,
    single_s: float | None = None,
    alone_fits: bool | None = None,
    fastest: str = "",
) -> list[str]:
    """The fastest row that fits and sends something, beside one node; with its axes' numbers.

    fastest: which node of a cluster the one is.
    """
    place = best_row(rows)
    if place is None:
        return _fastest_of_what_does_not_fit(rows)
    best = _at(rows, place)
    speedup = float(best["speedup_vs_single"])
    single_s = float(best["latency_s"]) * speedup if single_s is None else single_s
    latency = format_quantity(float(best["latency_s"]), "s")
    axes = labels.words(best, [n for n in labels.NUMBERS if len(np.unique(rows[n])) > 1])
    what = f"{_row(best)} with {axes}" if axes else _row(best)
    takes = "with enough memory would take" if alone_fits is False else "takes"
    which = f" ({fastest})" if fastest else ""
    line = f"Best: {what} takes {latency}; one node{which} {takes} {format_quantity(single_s, 's')}"
    if best["nodes"] > 1 and alone_fits is not False:
        ratio = f"{speedup:.3g}x faster" if speedup >= 1 else f"{1 / speedup:.3g}x slower"
        line += f", so the best row is {ratio}" if speedup != 1 else ", the same"
    return [f"{line}."]


def _fastest_of_what_does_not_fit(rows: Columns) -> list[str]:
    if fitting(rows).any():  # those that fit send nothing: they have a line of their own
        return []
    sending = np.flatnonzero(~independent(rows))
    if not len(sending):
        return []
    fastest = _at(rows, int(sending[rows["latency_s"][sending].argmin()]))
    latency = format_quantity(float(fastest["latency_s"]), "s")
    return [f"With enough memory {_row(fastest)} would take {latency}."]


def _row(row: Row) -> str:
    knob = "" if np.isnan(row["s_comm"]) else f" at S_comm {row['s_comm']:.4g}"
    cut = f" at {row['at']}" if row["at"] else ""
    nodes = f"{row['nodes']} nodes" if row["nodes"] > 1 else "1 node"
    return f"{row['strategy']}{cut} on {nodes}{knob}"


def _nothing_sent(rows: Columns) -> list[str]:
    """The fastest row of which nodes are independent branches: not the same network."""
    places = np.flatnonzero(independent(rows) & fitting(rows))
    if not len(places):
        return []
    row = _at(rows, int(places[rows["latency_s"][places].argmin()]))
    latency = format_quantity(float(row["latency_s"]), "s")
    what = "With nothing sent" if np.isnan(row["s_comm"]) else "At S_comm 1"
    how = f"{row['strategy']} on {row['nodes']} nodes"
    return [f"{what} {how} takes {latency}: independent branches, which costs accuracy."]


def _same_cost(rows: Columns) -> list[str]:
    """Which strategies cost the same and differ in accuracy, and by how much where published."""
    pruned = np.flatnonzero(~rows["exact"].astype(bool) & ~independent(rows))
    names = ("hardware", "overlap", "nodes", "avg_s_comm", "latency_s", "bytes_per_node")
    alike: dict[tuple[Any, ...], list[Row]] = {}
    for place in pruned.tolist():
        row = _at(rows, place)
        alike.setdefault(tuple(row[name] for name in names), []).append(row)
    lines: dict[str, str] = {}
    for same in alike.values():
        strategies = " and ".join(dict.fromkeys(row["strategy"] for row in same))
        if len({row["strategy"] for row in same}) < 2 or strategies in lines:
            continue
        known = [float(row["accuracy"]) for row in same]
        told = "which is not published here"
        if not np.isnan(known).any():
            told = f"{' and '.join(f'{value:g}' for value in known)} as published"
            told += f" at S_comm {same[0]['s_comm']:g} on {same[0]['nodes']} nodes"
        lines[strategies] = f"{strategies} cost the same and differ in accuracy, {told}."
    return list(lines.values())


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


def _from(split: Columns, chosen: "NDArray[np.bool_]", counts: Iterable[int]) -> str:
    """From which S_comm on rows are `chosen`, for each number of nodes."""
    words = []
    for nodes in counts:
        mine = split["s_comm"][(split["nodes"] == nodes) & chosen]
        words.append(f"N = {nodes} " + (f"from S_comm {mine.min():.4g}" if len(mine) else "never"))
    return ", ".join(words)


def _published(rows: Columns) -> list[str]:
    """Where the accuracy beside the rows comes from."""
    known = ~np.isnan(rows["accuracy"].astype(float))
    model = str(rows["model"][0])
    if not known.any():
        return []
    between = known & ~printed(model, rows["s_comm"], rows["exact"].astype(bool))
    told = "; ~: between two of its values" if between.any() else ""
    table = TABLES[model]
    whose = f"for {NODES} nodes and its own training"
    return [f"Accuracy is the {table.measure} of {table}, {whose}{told}."]


def beaten(frame: "Columns | pd.DataFrame", exact: "Columns | pd.DataFrame") -> list[str]:
    """Return which sparse rows an exact split that fits beats, for each overlap."""
    rows, others = as_columns(frame), as_columns(exact)
    lines = []
    for overlap in dict.fromkeys(rows["overlap"]):
        pruned = ~rows["exact"].astype(bool) & ~independent(rows) & fitting(rows)
        own = where(rows, pruned & (rows["overlap"] == overlap))
        theirs = where(others, fitting(others) & (others["overlap"] == overlap))
        if not len(theirs["latency_s"]) or not pruned.any():
            continue
        sparse = _at(own, int(own["latency_s"].argmin()))
        best = _at(theirs, int(theirs["latency_s"].argmin()))
        ratio = float(sparse["latency_s"]) / float(best["latency_s"])
        faster = int((own["latency_s"] > best["latency_s"]).sum())
        if not faster:
            continue
        beats = f"{faster} of {len(own['latency_s'])} rows that prune"
        if ratio > 1:
            beats = f"every row that prunes, {ratio:.3g}x as fast as {_row(sparse)}"
        lines.append(
            f"Without pruning, {_row(best)} takes "
            f"{format_quantity(float(best['latency_s']), 's')}: faster than {beats}."
        )
    return lines
