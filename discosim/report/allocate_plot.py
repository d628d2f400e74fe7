"""The picture of `allocate`: S_comm of each layer, and the traffic that is left."""

from typing import TYPE_CHECKING

import numpy as np

from discosim.explore.allocation.allocate import Allocation
from discosim.report.style import COMM, RC, SINGLE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))


def draw_allocation(found: Allocation, title: str) -> "Figure":
    """Return S_comm of each layer above, what it receives densely and by the plan below."""
    import matplotlib as mpl
    from matplotlib.ticker import MaxNLocator

    table = found.setting.study.table
    places = [table.name.index(name) for name in found.plan.s_comm]
    index = np.arange(1, len(places) + 1)
    dense, plan = (
        each.cost.received_bytes.max(axis=-2).reshape(-1)[places]
        for each in (found.dense, found.plan)
    )
    with mpl.rc_context(RC):
        figure = new_figure(float(np.clip(6.0 + 0.1 * len(index), 9.0, 16.0)), 5.6, title)
        upper, lower = figure.subplots(2, 1, sharex=True)
        _draw_levels(upper, found, index, dense)
        factor, unit = next((b for b in BYTES if dense.max() >= b[0]), BYTES[-1])
        lower.bar(index, dense / factor, color="#CCCCCC", label="if all is sent")
        lower.bar(index, plan / factor, color=COMM, alpha=0.8, label="by the plan")
        lower.set(xlabel="layer", ylabel=f"received by a node [{unit}]")
        lower.set_xlim(0.2, len(index) + 0.8)
        lower.xaxis.set_major_locator(MaxNLocator(12, integer=True, steps=[1, 2, 5, 10]))
        for axes in (upper, lower):
            axes.grid(False, axis="x")
        handles, labels = (
            [*one, *other]
            for one, other in zip(
                upper.get_legend_handles_labels(), lower.get_legend_handles_labels(), strict=True
            )
        )
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        return figure


def _draw_levels(axes: "Axes", found: Allocation, index: object, dense: object) -> None:
    s_comm = np.array(list(found.plan.s_comm.values()))
    free = np.asarray(dense) > 0
    shown = np.asarray(index)[free]
    axes.vlines(shown, 0, s_comm[free], color="#009E73", lw=1.2, alpha=0.5)
    axes.plot(shown, s_comm[free], "o", ms=4.5, color="#009E73", label="S_comm of the plan")
    if found.uniform is not None:
        level = max(found.uniform.s_comm.values())
        axes.axhline(
            level, color=SINGLE, ls=(0, (5, 2)), lw=1.2, label=f"uniform S_comm {level:.3g}"
        )
    axes.set(ylim=(-0.04, 1.04), ylabel="S_comm")
