"""What gives a latency, as data, as a table and in words."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from discosim.explore.target import Reached
from discosim.report.tables import Cells
from discosim.units import format_quantity

NOUNS = {
    "bw": "bandwidth",
    "link-latency": "latency of a message",
    "s-comm": "S_comm",
    "nodes": "nodes",
}


def to_frame(answers: Sequence[Reached]) -> pd.DataFrame:
    """Return one row an answer, SI units; what is solved for is null in its own column."""
    rows = [
        {
            "solve": each.solve,
            "value": None if each.value is None or np.isinf(each.value) else each.value,
            "unit": each.unit,
            "reason": each.reason or None,
            "target_s": each.target_s,
            "latency_s": each.latency_s,
            "model": each.configuration.model,
            "hardware": each.configuration.hardware.name,
            "strategy": each.configuration.strategy.name,
            "overlap": str(each.configuration.overlap),
            "nodes": None if each.solve == "nodes" else each.configuration.nodes,
            "s_comm": None if each.solve == "s-comm" else each.configuration.s_comm,
        }
        for each in answers
    ]
    return pd.DataFrame(rows, dtype=object)


def show(answers: Sequence[Reached]) -> Cells:
    """Return the answers for people."""
    cases = [each.configuration for each in answers]
    found: dict[str, list[str]] = {}
    if len({case.hardware.name for case in cases}) > 1:
        found["hardware"] = [case.hardware.name for case in cases]
    found["N"] = [_other(each, "nodes", f"{each.configuration.nodes}") for each in answers]
    if cases[0].strategy.has_knob:
        found["S_comm"] = [
            _other(each, "s-comm", f"{float(each.configuration.s_comm):g}") for each in answers
        ]
    found["needs"] = [NOUNS[each.solve] for each in answers]
    found["value"] = [_value(each) for each in answers]
    found["as it is"] = [_here(each) for each in answers]
    found["latency as it is"] = [format_quantity(each.latency_s, "s", 4) for each in answers]
    return found


def sentence(answer: Reached) -> str:
    """Return an answer in words, beside what it takes as it is."""
    case = answer.configuration
    target = format_quantity(answer.target_s, "s", 4)
    told = answer.solve != "s-comm" and case.strategy.has_knob
    knob = f" at S_comm {float(case.s_comm):g}" if told else ""
    who = (case.strategy.name if answer.solve == "nodes" else f"{case.nodes} nodes") + knob
    noun = NOUNS[answer.solve]
    if answer.value is None:
        return f"{who}: no {noun} gives {target}: {answer.reason}."
    need = {
        "bw": f"{_value(answer)} or more",
        "link-latency": f"a message of at most {_value(answer)}",
        "s-comm": f"S_comm {_value(answer)} or more",
        "nodes": f"{_value(answer)} nodes",
    }[answer.solve]
    if answer.value == 0 and answer.solve != "link-latency":
        need = f"any {noun}: it is enough already"
    elif np.isinf(answer.value):
        need = "no faster message: it is enough already"
    took = format_quantity(answer.latency_s, "s", 4)
    return f"{who} for {target}: {need}; with {_here(answer)} it takes {took}."


def _other(answer: Reached, solve: str, text: str) -> str:
    return "-" if answer.solve == solve else text


def _value(answer: Reached) -> str:
    if answer.value is None:
        return "none"
    if np.isinf(answer.value) or (answer.value == 0 and answer.solve == "bw"):
        return "any"
    if answer.unit in ("B/s", "s"):
        return format_quantity(answer.value, answer.unit, 4)
    return f"{answer.value:.6g}"


def _here(answer: Reached) -> str:
    """What is solved for, as it is."""
    case = answer.configuration
    if answer.solve == "bw":
        return format_quantity(float(case.hardware.bandwidth_Bps), "B/s", 4)
    if answer.solve == "link-latency":
        return format_quantity(float(case.hardware.link_latency_s), "s", 4)
    if answer.solve == "s-comm":
        return f"S_comm {float(case.s_comm):g}"
    return f"{case.nodes} nodes"
