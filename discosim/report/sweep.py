"""Rows of `sweep` and `compare` as a table."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from discosim.explore.accuracy import printed
from discosim.report.joined import shares_text
from discosim.report.judged import fitting
from discosim.report.tables import Cells, Columns, as_columns, cells

if TYPE_CHECKING:
    import pandas as pd

TIMES = ("comm_s", "comp_s", "latency_s", "latency_low_s", "latency_high_s", "interval_s")
"""Columns of one unit, that of the latency."""


def verdicts(
    frame: "Columns | pd.DataFrame", alone_fits: Mapping[str, bool | None] | None = None
) -> list[str]:
    """Return for each row whether it, or one node, is faster, does not fit, or is left open.

    alone_fits: whether one node fits, by the name of the hardware; None where that is not known.
    """
    words, frame = [], as_columns(frame)
    every = len(frame["nodes"])
    one_fits = [True] * every
    if alone_fits:
        one_fits = [alone_fits.get(name) is not False for name in frame["hardware"]]
    row_fits = fitting(frame) if "fits" in frame else [True] * every
    columns = (frame["nodes"], frame["speedup_vs_single"], _within_band(frame), row_fits, one_fits)
    for nodes, speedup, either, fits, alone in zip(*columns, strict=True):
        if not fits:
            words.append("does not fit")
        elif nodes == 1:
            words.append("is one node")
        elif not alone:
            words.append("fits; one node does not")
        elif either:
            words.append("open: one node lies within the band")
        elif speedup < 1:
            words.append("one node is faster")
        else:
            words.append("faster than one node" if speedup > 1 else "as fast as one node")
    return words


def _within_band(frame: Columns) -> list[bool]:
    """Whether the latency of one node lies within each row's band; never without one."""
    if "latency_low_s" not in frame:
        return [False] * len(frame["nodes"])
    alone = frame["latency_s"] * frame["speedup_vs_single"]
    return list((frame["latency_low_s"] < alone) & (alone < frame["latency_high_s"]))


def show_results(
    frame: "Columns | pd.DataFrame", alone_fits: Mapping[str, bool | None] | None = None
) -> Cells:
    """Return rows of `sweep` or `compare` for people; what never differs is left out.

    alone_fits: as `verdicts` takes it.
    """
    frame = as_columns(frame)
    names = [n for n in ("hardware", "strategy", "at", "overlap") if len(set(frame[n])) > 1]
    names.append("nodes")
    missing = np.isnan(frame["s_comm"])
    names += ["s_comm"] * (not missing.all()) + ["avg_s_comm", "avg_s_comp"] * bool(missing.any())
    names += ["comm_s", "comp_s", "latency_s"]
    names += ["latency_low_s", "latency_high_s"] * ("latency_low_s" in frame)
    names += ["interval_s"] * bool((frame["interval_s"] != frame["latency_s"]).any())
    found = dict(
        cells(name, frame[name], frame["latency_s"] if name in TIMES else None)
        for name in [*names, "bytes_per_node", "node_bytes"]
    )
    if any(fit is not None for fit in frame["fits"]):
        found["fits"] = [word if isinstance(word, str) else "-" for word in frame["fits_word"]]
    if "shares" in frame and len(set(frame["shares"]) - {""}) > 1:
        found["shares [%]"] = [shares_text(shares) or "-" for shares in frame["shares"]]
    found |= dict(cells(name, frame[name]) for name in ("speedup_vs_dense", "speedup_vs_single"))
    if len(set(frame["strategy"])) > 1:
        found["result"] = ["exact" if exact else "needs training" for exact in frame["exact"]]
    if not np.isnan(frame["accuracy"].astype(float)).all():
        header, texts = cells("accuracy", frame["accuracy"])
        stands = printed(frame["model"][0], frame["s_comm"], frame["exact"].astype(bool))
        found[header] = [
            "not published" if text == "-" else text if as_it_is else f"~{text}"
            for text, as_it_is in zip(texts, stands, strict=True)
        ]
    return {**found, "verdict": verdicts(frame, alone_fits)}
