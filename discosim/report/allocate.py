"""An allocation as data, as a table, in words and as a picture."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from discosim.explore.allocation.allocate import FALLBACK, LIMITS, Allocation, Outcome
from discosim.masks.criteria import the_criterion
from discosim.report.lettering import fitted
from discosim.report.style import COMM, SINGLE, legend_below, new_figure, rc
from discosim.report.summary import node_text
from discosim.report.tables import UNITS, Cells, scaled
from discosim.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from discosim.explore.allocation.judged import Judgement


def to_frame(found: Allocation, judgement: "Judgement | None" = None) -> pd.DataFrame:
    """Return one row per layer, and a last one, without a layer, on the plan.

    Of a layer: `s_comm loss`, what the uniform plan loses there, and S_comm by l1-log where that
    is known. Only the last row has the further columns; its s_comm is the average over what is
    sent, its loss the sum of the others.
    """
    plan, uniform, other = found.plan, found.uniform, found.beside.get(FALLBACK)
    rows = [
        {
            "layer": name,
            "s_comm": s_comm,
            "loss": plan.loss[name],
            "uniform_loss": None if uniform is None else uniform.loss[name],
            "l1_log_s_comm": None if other is None else other.s_comm[name],
        }
        for name, s_comm in plan.s_comm.items()
    ]
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
        "uniform_s_comm": None if uniform is None else _uniform(uniform),
        "uniform_loss": None if uniform is None else uniform.total_loss,
        "saliency": found.saliency,
        "criterion": found.criterion,
        "l1_log_s_comm": None if other is None else float(other.cost.avg_s_comm.item()),
        "l1_log_loss": None if other is None else other.total_loss,
        **_judged(judgement),
    }
    columns = list(summary)
    numbered = [*({name: row.get(name) for name in columns} for row in rows), summary]
    return pd.DataFrame(numbered, columns=columns, dtype=object)


def _judged(judgement: "Judgement | None") -> dict[str, float | None]:
    """Columns of what plans were judged by: inputs, and of each plan divergence and agreement."""
    by_plan = {} if judgement is None else judgement.by_plan
    columns: dict[str, float | None] = {
        "judged_on": None if judgement is None else judgement.inputs
    }
    for name, prefix in (("plan", ""), ("uniform", "uniform_"), (FALLBACK, "l1_log_")):
        each = by_plan.get(name)
        columns[f"{prefix}divergence"] = None if each is None else each.divergence
        columns[f"{prefix}agreement"] = None if each is None else each.agreement
    return columns


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
    }
    for other, outcome in found.beside.items():
        cells[f"by {other}"] = [f"{value:.6g}" for value in outcome.s_comm.values()]
    cells["lost [%]"] = [f"{100 * value:.2f}" for value in found.plan.loss.values()]
    if found.uniform is not None:
        cells["uniform [%]"] = [f"{100 * value:.2f}" for value in found.uniform.loss.values()]
    for name, outcome in (("if dense, received", found.dense), ("received", found.plan)):
        header, texts = scaled(sent(outcome), name, "B")
        cells[header] = texts
    return cells


def findings(found: Allocation, convention: str, judgement: "Judgement | None" = None) -> list[str]:
    """Return what was asked, what the plan takes and loses, and other plans beside it."""
    case, plan = found.configuration, found.plan
    lines = [
        f"{case.model} on {case.nodes} nodes of {node_text(case.hardware)}; "
        f"overlap {case.overlap}, {convention} conventions{_within(found)}",
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
            f"{all_sent} of {'dense' if found.within is None else 'the same at S_comm 0'}."
        )
    lines.append(f"Lost by {found.criterion}, of all that could be: the plan {_lost(plan)}.")
    lines.append(f"{_proof(found)}; {_known(found)}.")
    lines += _compared(found)
    return [*lines, *_judgement_lines(judgement)]


def _within(found: Allocation) -> str:
    """Which plan says how layers are split, where one does."""
    if found.within is None:
        return ""
    count = len(found.plan.s_comm)
    return f"; split as plan {found.within.path} says, S_comm of its {count} layers by outputs"


def _known(found: Allocation) -> str:
    """On what evidence: a criterion is a proxy of what the network answers."""
    if the_criterion(found.criterion).measured:
        return "measured on inputs, it is still a proxy: no accuracy is predicted"
    return "not measured on inputs, it is a guess: no accuracy is predicted"


def _proof(found: Allocation) -> str:
    if found.gap <= 1e-9:
        return "No plan out of these levels loses less"
    return (
        f"No plan loses less than {_percent(found.bound)} (certified gap {_percent(found.gap)} "
        "of the loss)"
    )


def _compared(found: Allocation) -> list[str]:
    """What other plans within the same limits lose by the same criterion."""
    lines = [
        f"The plan that loses least by {name} loses {_lost(outcome)}."
        for name, outcome in found.beside.items()
    ]
    uniform = found.uniform
    if uniform is None:
        return ["Uniform: no single S_comm up to the sparsest level meets the limits.", *lines]
    line = f"Uniform S_comm {_uniform(uniform):.4g} meets the same limits and loses "
    if uniform.total_loss == 0:
        return [f"{line}nothing: the limits do not bind."]
    return [f"{line}{_lost(uniform)}.", *lines]


def _lost(outcome: Outcome) -> str:
    """The sum, and how much of it is in one layer: a few may decide it."""
    total = outcome.total_loss
    if not total:
        return "nothing"
    layer, most = max(outcome.loss.items(), key=lambda each: each[1])
    return f"{_percent(total)}, {100 * most / total:.3g} % of it in {layer}"


def _judgement_lines(judgement: "Judgement | None") -> list[str]:
    """How near the plans come to the dense network's answers."""
    if judgement is None:
        return []
    parts = [
        f"{name} {_percent(each.divergence)}"
        + ("" if each.agreement is None else f" ({100 * each.agreement:.3g} % answered alike)")
        for name, each in judgement.by_plan.items()
    ]
    return [
        f"Squared change of the output on {judgement.inputs} inputs that were not measured on, "
        f"before finetuning: {', '.join(parts)}."
    ]


def _uniform(outcome: Outcome) -> float:
    return max(outcome.s_comm.values())


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.3g} %" if whole else "-"


def draw_allocation(found: Allocation, title: str) -> "Figure":
    """Return S_comm of each layer above, what it loses, and what it receives below."""
    import matplotlib as mpl
    from matplotlib.ticker import MaxNLocator

    table = found.configuration.table
    places = [table.name.index(name) for name in found.plan.s_comm]
    index = np.arange(1, len(places) + 1)
    dense, plan = (
        each.cost.received_bytes.max(axis=-2).reshape(-1)[places]
        for each in (found.dense, found.plan)
    )
    with mpl.rc_context(rc()):
        figure = new_figure(float(np.clip(6.0 + 0.1 * len(index), 9.0, 16.0)), 7.4, title, rows=24)
        panels = figure.subplots(3, 1, sharex=True)
        upper, middle, lower = panels
        _draw_levels(upper, found, index, dense)
        _draw_losses(middle, found, index)
        factor, unit = next((b for b in UNITS["B"] if dense.max() >= b[0]), UNITS["B"][-1])
        lower.bar(index, dense / factor, color="#CCCCCC", label="if all is sent")
        lower.bar(index, plan / factor, color=COMM, alpha=0.65, label="by the plan")
        lower.set(xlabel="layer", ylabel=f"received by a node [{unit}]")
        lower.set_xlim(0.2, len(index) + 0.8)
        lower.xaxis.set_major_locator(MaxNLocator(12, integer=True, steps=[1, 2, 5, 10]))
        for axes in panels:
            axes.grid(False, axis="x")
        named = [axes.get_legend_handles_labels() for axes in panels]
        handles = [each for one, _ in named for each in one]
        labels = [each for _, one in named for each in one]
        legend_below(figure, handles, labels, ncols=3)
        return fitted(figure)


def _draw_losses(axes: "Axes", found: Allocation, index: object) -> None:
    """Shares of what could be lost, layer by layer."""
    at = np.asarray(index)
    plans = [("lost by the plan", found.plan, "#009E73", -0.2)]
    if found.uniform is not None:
        plans.append(("lost by uniform S_comm", found.uniform, SINGLE, 0.2))
    for label, outcome, colour, aside in plans:
        shares = 100 * np.array(list(outcome.loss.values()))
        axes.bar(at + aside, shares, width=0.4, color=colour, label=label)
    axes.set(ylabel=f"lost by {found.criterion} [%]")


def _draw_levels(axes: "Axes", found: Allocation, index: object, dense: object) -> None:
    free = np.asarray(dense) > 0
    shown = np.asarray(index)[free]
    s_comm = np.array(list(found.plan.s_comm.values()))[free]
    axes.vlines(shown, 0, s_comm, color="#009E73", lw=1.2, alpha=0.5)
    axes.plot(shown, s_comm, "o", ms=4.5, color="#009E73", label="S_comm of the plan")
    for name, outcome in found.beside.items():
        others = np.array(list(outcome.s_comm.values()))[free]
        axes.plot(shown, others, "x", ms=4.5, color=COMM, label=f"by {name}")
    if found.uniform is not None:
        level = max(found.uniform.s_comm.values())
        axes.axhline(
            level, color=SINGLE, ls=(0, (5, 2)), lw=1.2, label=f"uniform S_comm {level:.3g}"
        )
    axes.set(ylim=(-0.04, 1.04), ylabel="S_comm")
