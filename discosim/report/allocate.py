"""An allocation as data, as a table, in words and as a picture."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discosim.explore.allocation.allocate import LIMITS, Allocation, Outcome
from discosim.report.style import COMM, RC, SINGLE, new_figure
from discosim.report.summary import node_text
from discosim.report.tables import Cells, scaled
from discosim.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def to_frame(found: Allocation) -> pd.DataFrame:
    """Return one row per layer, `layer s_comm loss`, and a last one, without a layer, on the plan.

    Only the last row has the further columns; its s_comm is the average over what is sent, its
    loss the sum of the others.
    """
    plan = found.plan
    rows = [{"layer": n, "s_comm": s, "loss": plan.loss[n]} for n, s in plan.s_comm.items()]
    given = found.configuration
    summary = {
        "layer": None,
        "s_comm": float(plan.cost.avg_s_comm.item()),
        "loss": plan.total_loss,
        "model": given.model,
        "hardware": given.hardware.name,
        "nodes": given.nodes,
        "overlap": str(given.overlap),
        "method": found.method,
        "loss_bound": found.bound,
        "gap": found.gap,
        **{column: float(getattr(plan.cost, column).item()) for column in LIMITS},
        **{f"{column}_limit": found.limits.get(column) for column in LIMITS},
        "uniform_s_comm": None if found.uniform is None else _uniform(found.uniform),
        "uniform_loss": None if found.uniform is None else found.uniform.total_loss,
        "saliency": found.saliency,
    }
    columns = list(summary)
    numbered = [*({name: row.get(name) for name in columns} for row in rows), summary]
    return pd.DataFrame(numbered, columns=columns, dtype=object)


def show(found: Allocation) -> Cells:
    """Return the layers for people."""
    names = list(found.plan.s_comm)
    table = found.configuration.table
    places = [table.name.index(name) for name in names]

    def sent(outcome: Outcome) -> "pd.Series[float]":
        per_layer = outcome.cost.received_bytes.max(axis=-2).reshape(-1)
        return pd.Series(per_layer[places])

    cells = {
        "layer": names,
        "op": [table.op[place] for place in places],
        "S_comm": [f"{value:.6g}" for value in found.plan.s_comm.values()],
        "lost [%]": [f"{100 * value:.2f}" for value in found.plan.loss.values()],
    }
    for name, outcome in (("if dense, received", found.dense), ("received", found.plan)):
        header, texts = scaled(sent(outcome), name, "B")
        cells[header] = texts
    return cells


def findings(found: Allocation, convention: str) -> list[str]:
    """Return what was asked, what the plan takes and loses, and the uniform plan beside it."""
    case, plan = found.configuration, found.plan
    lines = [
        f"{case.model} on {case.nodes} nodes of {node_text(case.hardware)}; "
        f"overlap {case.overlap}, {convention} conventions",
        f"Saliency: {found.saliency}.",
    ]
    for column, limit in found.limits.items():
        noun, unit = LIMITS[column]
        used, dense = (
            float(getattr(outcome.cost, column).item()) for outcome in (plan, found.dense)
        )
        given, took, all_sent = (format_quantity(v, unit, 4) for v in (limit, used, dense))
        lines.append(
            f"Limit: {noun} {given}; the plan takes {took}, {_share(used, dense)} of the "
            f"{all_sent} of dense."
        )
    lines.append(f"Lost: {_percent(plan.total_loss)} of the prunable saliency; {_proof(found)}.")
    return [*lines, _compared(found)]


def _proof(found: Allocation) -> str:
    if found.gap <= 1e-9:
        return "no plan out of these levels loses less"
    return (
        f"no plan loses less than {_percent(found.bound)} (certified gap {_percent(found.gap)} "
        "of the loss)"
    )


def _compared(found: Allocation) -> str:
    uniform, lost = found.uniform, found.plan.total_loss
    if uniform is None:
        return "Uniform: no single S_comm up to the sparsest level meets the limits."
    line = f"Uniform S_comm {_uniform(uniform):.4g} meets the same limits and loses "
    line += _percent(uniform.total_loss)
    if uniform.total_loss == 0:
        return line + ": the limits do not bind."
    change = 1 - lost / uniform.total_loss
    words = f"{_percent(abs(change))} {'less' if change >= 0 else 'more'}"
    return f"{line}: the plan loses {words}."


def _uniform(outcome: Outcome) -> float:
    return max(outcome.s_comm.values())


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.3g} %" if whole else "-"


BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))


def draw_allocation(found: Allocation, title: str) -> "Figure":
    """Return S_comm of each layer above, what it receives densely and by the plan below."""
    import matplotlib as mpl
    from matplotlib.ticker import MaxNLocator

    table = found.configuration.table
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
