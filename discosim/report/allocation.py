"""An allocation as data, as a table and in words."""

import pandas as pd

from discosim.explore.allocation.allocate import LIMITS, Allocation, Outcome
from discosim.report.summary import node_text
from discosim.report.tables import scaled
from discosim.units import format_quantity


def to_frame(found: Allocation) -> pd.DataFrame:
    """Return one row per layer, `layer s_comm loss`, and a last one, without a layer, on the plan.

    Only the last row has the further columns; its s_comm is the average over what is sent, its
    loss the sum of the others.
    """
    plan = found.plan
    rows = [{"layer": n, "s_comm": s, "loss": plan.loss[n]} for n, s in plan.s_comm.items()]
    setting = found.setting
    summary = {
        "layer": None,
        "s_comm": float(plan.cost.avg_s_comm.item()),
        "loss": plan.total_loss,
        "model": setting.study.model,
        "hardware": setting.hardware.name,
        "nodes": setting.nodes,
        "overlap": setting.overlap,
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


def show(found: Allocation) -> pd.DataFrame:
    """Return the layers for people."""
    names = list(found.plan.s_comm)
    table = found.setting.study.table
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
    return pd.DataFrame(cells)


def findings(found: Allocation, convention: str) -> list[str]:
    """Return what was asked, what the plan takes and loses, and the uniform plan beside it."""
    setting, plan = found.setting, found.plan
    lines = [
        f"{setting.study.model} on {setting.nodes} nodes of {node_text(setting.hardware)}; "
        f"overlap {setting.overlap}, {convention} conventions",
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
