"""What is chosen of nodes that are there, as data, as a table, in words and as a picture."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from discosim.explore.own import Muster
from discosim.hardware import Hardware
from discosim.report.lettering import fitted
from discosim.report.style import (
    COMM,
    COMP,
    SINGLE,
    hatched_bars,
    legend_below,
    new_figure,
    rc,
    time_unit,
)
from discosim.report.tables import Cells, cells, s_comm_texts
from discosim.report.titles import counted
from discosim.units import format_quantity

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def cluster_text(nodes: Sequence[Hardware]) -> str:
    """Return nodes by their kinds: 1 rpi5-gigabit, 3 rpi4-gigabit."""
    return ", ".join(f"{n} {name}" for name, n in Counter(node.name for node in nodes).items())


def to_frame(model: str, found: Sequence[Muster]) -> "pd.DataFrame":
    """Return one row a choice, SI units, the best first."""
    import pandas as pd

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


MOST_BARS = 24
"""Choices that are drawn, the best ones."""


def draw_own(model: str, found: Sequence[Muster], latency_s: float, how: str) -> "Figure":
    """Return a bar for each choice, the best first, and the latency that is to be kept."""
    import matplotlib as mpl

    few = found[:MOST_BARS]
    left = f", the first {MOST_BARS} of {len(found)}" if len(found) > MOST_BARS else ""
    knobs = (each.s_comm for each in few)
    title = f"{model}: which of the nodes there are{left}\n{counted((), knobs)}, {how}"
    with mpl.rc_context(rc()):
        names = [_bar(each) for each in few]
        figure = new_figure(8.5, 1.6 + 0.42 * len(few), title, rows=2 * len(few))
        axes: Axes = figure.subplots()
        factor, unit = time_unit([latency_s, *(each.latency_s for each in few)])
        seconds = np.array([each.latency_s for each in few]) / factor
        kept = np.array([each.kept for each in few])
        names_of = ("keeps it", "does not, or does not fit")
        hatched_bars(axes, seconds, kept, names_of, (COMP, COMM))
        limit = f"wanted: {format_quantity(latency_s, 's')}"
        axes.axvline(latency_s / factor, color=SINGLE, ls=(0, (4, 2)), lw=1.4, label=limit)
        axes.set_yticks(range(len(few)), names)
        axes.set_ylim(len(few) - 0.4, -0.6)
        axes.set_xlabel(f"latency [{unit}]")
        legend_below(figure, ncols=3)
        return fitted(figure)


def _bar(each: Muster) -> str:
    """The name of a bar."""
    nodes = Counter(node.name for node in each.nodes)
    cluster = ", ".join(f"{count}x{name}" if count > 1 else name for name, count in nodes.items())
    return cluster if len(each.nodes) == 1 else f"{cluster}\n{each.strategy}{_knob(each)}"


def _knob(each: Muster) -> str:
    return "" if np.isnan(each.s_comm) else f" at S_comm {each.s_comm:g}"


def _choice(each: Muster) -> str:
    split = f" by {each.strategy}{_knob(each)}, shares {_shares(each)} %"
    how = "" if len(each.nodes) == 1 else split
    need = format_quantity(each.node_bytes, "B")
    full = "" if each.fullness <= 1 else ", which does not fit"
    took = format_quantity(each.latency_s, "s")
    return f"{cluster_text(each.nodes)}{how}, {took}, at most {need} a node{full}"


def _shares(each: Muster) -> str:
    """Shares in percent, those of alike nodes once."""
    names = [node.name for node in each.nodes]
    once = dict(zip(names, each.shares, strict=True))
    return " / ".join(f"{100 * share:.3g}" for share in once.values())
