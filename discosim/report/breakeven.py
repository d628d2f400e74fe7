"""Break-even as data, as a table and in words."""

import pandas as pd

from discosim.explore.breakeven import BreakEven
from discosim.units import format_quantity

NOUNS = {
    "bw": "a bandwidth",
    "link-latency": "a message latency",
    "s-comm": "S_comm",
    "nodes": "a number of nodes",
}


def to_frame(answers: list[BreakEven]) -> pd.DataFrame:
    """Return one row per answer, SI units; `nodes` and `s_comm` are null where solved for."""
    rows = [
        {
            "solve": answer.solve,
            "value": answer.value,
            "unit": answer.unit,
            "faster": answer.faster,
            "reason": answer.reason or None,
            "method": answer.method,
            "latency_s": answer.latency_s,
            "model": answer.pair.study.model,
            "hardware": answer.pair.hardware.name,
            "overlap": answer.pair.overlap,
            "nodes": None if answer.solve == "nodes" else answer.pair.nodes,
            "versus": _versus(answer),
            "s_comm": None if answer.solve == "s-comm" else answer.pair.s_comm,
        }
        for answer in answers
    ]
    return pd.DataFrame(rows, dtype=object)


def show(answers: list[BreakEven]) -> pd.DataFrame:
    """Return the answers for people."""
    cells: dict[str, list[str]] = {}
    names = [answer.pair.hardware.name for answer in answers]
    if len(set(names)) > 1:
        cells["hardware"] = names
    if answers[0].solve != "nodes":
        cells["N"] = [str(answer.pair.nodes) for answer in answers]
    if answers[0].solve != "s-comm":
        cells["S_comm"] = [f"{answer.pair.s_comm:g}" for answer in answers]
    cells["against"] = [_versus(answer) for answer in answers]
    cells["break-even"] = [_value(answer) for answer in answers]
    cells["latency there"] = [
        "-" if answer.latency_s is None else format_quantity(answer.latency_s, "s", 4)
        for answer in answers
    ]
    cells["N nodes are faster"] = [answer.faster for answer in answers]
    return pd.DataFrame(cells)


def sentence(answer: BreakEven) -> str:
    """Return an answer in words, with where the hardware at hand stands."""
    pair = answer.pair
    if answer.value is None:
        return f"No break-even: {answer.reason}."
    few = "one node" if pair.versus == 1 else f"{pair.versus} nodes"
    jump = f" ({answer.reason})" if answer.reason else ""
    if answer.solve == "nodes":
        return _nodes(answer)
    many = f"{pair.nodes} nodes"
    side = {"above": "From {} up", "below": "Below {}"}[answer.faster].format(_value(answer))
    knob = "" if answer.solve == "s-comm" else f" at S_comm {pair.s_comm:g}"
    line = f"{side}, {many}{knob} are faster than {few}{jump}"
    here = {
        "bw": (float(pair.hardware.bandwidth_Bps), "B/s"),
        "link-latency": (float(pair.hardware.link_latency_s), "s"),
    }.get(answer.solve)
    if here is None:
        return f"{line}."
    wins = (here[0] > answer.value) == (answer.faster == "above")
    at_hand = format_quantity(here[0], here[1], 4)
    faster = many if wins else few
    verb = "is" if faster == "one node" else "are"
    return f"{line}; at {at_hand}, as on {pair.hardware.name}, {faster} {verb} faster."


def _nodes(answer: BreakEven) -> str:
    count = int(answer.value or 0)
    if not answer.pair.previous:
        return f"{count} nodes are the least that are as fast as one."
    if count == 1:
        return "A second node makes it no faster."
    return f"Up to {count} nodes each one more makes it faster; the next one does not."


def _versus(answer: BreakEven) -> str:
    return "N-1" if answer.pair.previous else "1"


def _value(answer: BreakEven) -> str:
    if answer.value is None:
        return "none"
    if answer.unit in ("B/s", "s"):
        return format_quantity(answer.value, answer.unit, 4)
    prefix = "S_comm " if answer.solve == "s-comm" else ""
    return f"{prefix}{answer.value:.6g}"
