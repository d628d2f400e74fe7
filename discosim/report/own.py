"""What is chosen of nodes that are there, as data, as a table and in words."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from discosim.explore.own import Muster
from discosim.hardware import Hardware
from discosim.report.tables import Cells, cells, s_comm_texts
from discosim.units import format_quantity


def cluster_text(nodes: Sequence[Hardware]) -> str:
    """Return nodes by their kinds: 1 rpi5-gigabit, 3 rpi4-gigabit."""
    return ", ".join(f"{n} {name}" for name, n in Counter(node.name for node in nodes).items())


def to_frame(model: str, found: Sequence[Muster]) -> pd.DataFrame:
    """Return one row a choice, SI units, the best first."""
    return pd.DataFrame(
        {
            "model": model,
            "cluster": [cluster_text(each.nodes) for each in found],
            "nodes": [len(each.nodes) for each in found],
            "strategy": [each.strategy for each in found],
            "s_comm": [each.s_comm for each in found],
            "shares": [" ".join(f"{share:.6g}" for share in each.shares) for each in found],
            "latency_s": [each.latency_s for each in found],
            "node_bytes": [each.node_bytes for each in found],
            "fullness": [each.fullness for each in found],
            "kept": [each.kept for each in found],
        }
    )


def show(found: Sequence[Muster]) -> Cells:
    """Return the choices for people."""
    fits = ["yes" if each.fullness <= 1 else "no" for each in found]
    return {
        "cluster": [cluster_text(each.nodes) for each in found],
        **dict([cells("strategy", [each.strategy for each in found])]),
        "S_comm": s_comm_texts(each.s_comm for each in found),
        **dict([cells("latency_s", [each.latency_s for each in found])]),
        "shares [%]": [_shares(each) for each in found],
        **dict([cells("node_bytes", [each.node_bytes for each in found])]),
        "fits": fits,
        "verdict": ["does it" if each.kept else "misses it" for each in found],
    }


def sentences(model: str, found: Sequence[Muster], latency_s: float, rate: float) -> list[str]:
    """Return what does it, or comes nearest; what does it exactly; and whole nodes in turn."""
    best = found[0]
    limit = format_quantity(latency_s, "s")
    if best.kept:
        lines = [f"{model} within {limit}: {_choice(best)}."]
    else:
        lines = [f"Nothing of these nodes keeps {limit}. Nearest: {_choice(best)}."]
    exact = next((each for each in found if each.kept and np.isnan(each.s_comm)), None)
    if best.kept and not np.isnan(best.s_comm) and exact is not None:
        lines.append(f"Without pruning: {_choice(exact)}.")
    if rate:
        lines.append(f"Whole nodes in turn give {rate:.3g} a second without any network.")
    return lines


def _choice(each: Muster) -> str:
    knob = "" if np.isnan(each.s_comm) else f" at S_comm {each.s_comm:g}"
    how = "" if len(each.nodes) == 1 else f" by {each.strategy}{knob}, shares {_shares(each)} %"
    need = format_quantity(each.node_bytes, "B")
    full = "" if each.fullness <= 1 else ", which does not fit"
    took = format_quantity(each.latency_s, "s")
    return f"{cluster_text(each.nodes)}{how}, {took}, at most {need} a node{full}"


def _shares(each: Muster) -> str:
    """Shares in percent, those of alike nodes once."""
    names = [node.name for node in each.nodes]
    once = dict(zip(names, each.shares, strict=True))
    return " / ".join(f"{100 * share:.3g}" for share in once.values())
