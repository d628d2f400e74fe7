"""Plans on unlike nodes: as data, in words and as a picture."""

from typing import TYPE_CHECKING

import numpy as np

from discosim.explore.planning.unlike import UnlikeCandidate, UnlikePlanned
from discosim.report.joined import shares_text
from discosim.report.lettering import fitted
from discosim.report.own import cluster_text
from discosim.report.plan import stretches
from discosim.report.style import LINES, hatched_bars, legend_below, new_figure, rc, time_unit
from discosim.report.tables import Cells, cells, times
from discosim.units import format_quantity

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def to_frame(found: UnlikePlanned) -> "pd.DataFrame":
    """Return one row a way to split and node, SI units, the best first."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "plan": each.name,
                "exact": each.exact,
                "latency_s": each.latency_s,
                "node": place,
                "hardware": node.name,
                "share": each.shares[place],
                "node_bytes": each.node_bytes[place],
            }
            for each in found.every
            for place, node in enumerate(found.cluster.nodes)
        ]
    )


def findings(found: UnlikePlanned, convention: str) -> list[str]:
    """Return what was asked, the splits, the shares and what they take."""
    given, best = found.configuration, found.best
    nodes = cluster_text(found.cluster.nodes)
    lines = [
        f"{given.model} on {given.nodes} nodes, {nodes}; overlap {given.overlap}, {convention} "
        "conventions",
        *stretches(given.table, best.splits, best.throughout),
    ]
    if best.alone:
        least = format_quantity(best.latency_s, "s")
        lines.append(f"{least}: of what was weighed no split over several nodes takes less.")
    else:
        fastest = min((each for each in found.every if each.alone), key=lambda each: each.latency_s)
        [ratio] = times([fastest.latency_s / best.latency_s])
        lines.append(
            f"{format_quantity(best.latency_s, 's')}; {_name(found, fastest)}: "
            f"{format_quantity(fastest.latency_s, 's')}, {ratio} as long."
        )
        lines.append(f"Shares of the nodes, in the order given: {_shares(best)} %.")
    needs = ", ".join(format_quantity(each, "B") for each in best.node_bytes)
    lines.append(f"Memory of the nodes, in the order given: {needs}.")
    if best.fullness > 1:
        lines.append(f"No plan that was found fits: a node needs {best.fullness:.3g}x its memory.")
    lines.append(
        "Nothing has to be trained: the network computes what it did."
        if best.exact
        else "Layers at an S_comm over 0 have to be trained so."
    )
    lines.append(
        "Sought on nodes of the mean speed, then balanced event by event. No plan takes less than "
        f"{format_quantity(found.bound, 's')}: all nodes busy all the time, and nothing sent."
    )
    return lines


def _name(found: UnlikePlanned, candidate: UnlikeCandidate) -> str:
    """What a way to split is called: where one node has all, by what that is."""
    of = {split.node for split in candidate.splits}
    if candidate.alone and len(of) == 1:
        return f"{found.cluster.nodes[of.pop()].name} alone"
    return candidate.name


def _shares(candidate: UnlikeCandidate) -> str:
    return shares_text(" ".join(map(str, candidate.shares)))


def show(found: UnlikePlanned) -> Cells:
    """Return what was weighed, a row each, with the shares that suit it."""
    return {
        "plan": [_name(found, each) for each in found.every],
        **dict([cells("latency_s", [each.latency_s for each in found.every])]),
        "shares [%]": ["" if each.alone else _shares(each) for each in found.every],
        "fits": ["yes" if each.fullness <= 1 else "no" for each in found.every],
        "training": ["none" if each.exact else "needed" for each in found.every],
    }


def draw(found: UnlikePlanned, title: str) -> "Figure":
    """Return a bar for each way to split."""
    import matplotlib as mpl

    with mpl.rc_context(rc()):
        count = len(found.every)
        figure = new_figure(8.0, 1.2 + 0.32 * count, title, rows=count)
        axes = figure.subplots()
        factor, unit = time_unit([each.latency_s for each in found.every])
        values = np.array([each.latency_s for each in found.every]) / factor
        exact = np.array([each.exact for each in found.every])
        names = ("nothing to train", "has to be trained")
        hatched_bars(axes, values, exact, names, (LINES[3], LINES[3]))
        axes.set_yticks(range(count), [_name(found, each) for each in found.every])
        axes.set_ylim(count - 0.4, -0.6)
        axes.set_xlabel(f"latency [{unit}]")
        legend_below(figure, ncols=2)
        return fitted(figure)
