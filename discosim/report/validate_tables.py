"""Measured against predicted, as tables for people and as the document that is kept."""

import json
from typing import Any

import numpy as np
import pandas as pd

from discosim.units import format_quantity
from discosim.validate.judge import counts_exact, held_out, mean_error, order_right
from discosim.validate.levels import LEVELS, Validation

KEYS = ["overlap", "s_comm"]


def show_validation(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row a configuration: measured, and each level's prediction and error."""
    rows = []
    for (overlap, s_comm), group in frame.groupby(KEYS, sort=False):
        first = group.iloc[0]
        row: dict[str, str] = {
            "overlap": str(overlap),
            "S_comm": f"{s_comm:g}",
            "measured": format_quantity(float(first["measured_s"]), "s"),
            "spread [%]": f"{100 * first['spread']:.1f}",
        }
        for level, each in group.set_index("level").iterrows():
            said = format_quantity(float(each["predicted_s"]), "s")
            row[f"{level} (error)"] = f"{said} ({100 * each['error']:+.0f} %)"
        link, node = first["link_share"], first["node_share"]
        row["dominates"] = "link" if link > node else "computation"
        row["verdict"] = "" if first["conclusive"] else "inconclusive"
        rows.append(row)
    return pd.DataFrame(rows)


def validation_findings(validation: Validation) -> list[str]:
    """Return how it was measured, how far each level is off, and what that is worth."""
    records, about = validation.records, validation.about
    lines = [
        f"Link: {about['link']}; measured {format_quantity(about['link_Bps'], 'B/s')} and "
        f"{format_quantity(about['link_latency_s'], 's')} a message."
    ]
    unseen = held_out(records)
    for level in LEVELS:
        right, total = order_right(records, level)
        text = f"{level}: mean absolute error {_percent(mean_error(records, level))}"
        if unseen:
            text += f", {_percent(mean_error(unseen, level))} at S_comm that were not profiled"
        lines.append(f"{text}; the faster of two is named right in {right} of {total} pairs.")
    errors = np.array([abs(row["error"]) for row in validation.rows])
    middle, high = np.percentile(errors, [50, 90])
    lines.append(
        f"Layer by layer, profiled: half are within {_percent(middle)}, "
        f"nine of ten within {_percent(high)}."
    )
    same = "are the model's, exactly" if counts_exact(records) else "are NOT the model's"
    off = max(record["output_error"] for record in records)
    lines.append(
        f"Bytes and messages on the wire {same}; outputs are within {off:.2g} of those of the "
        "masked network on one process."
    )
    unsure = {(r["overlap"], r["s_comm"]) for r in records if not r["conclusive"]}
    if unsure:
        lines.append(
            f"{len(unsure)} of {len(records) // len(LEVELS)} configurations are inconclusive: "
            "too few runs had cores of their own at the usual speed. Where others are not, the "
            "errors above leave them out: theirs say more of the machine than of the model."
        )
    return lines


def to_document(validation: Validation, command: str) -> str:
    """Return the JSON that is kept of a validation: command, machine, records, layers."""
    document: dict[str, Any] = {
        "command": command,
        "about": dict(validation.about),
        "records": list(validation.records),
        "layers": list(validation.rows),
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
