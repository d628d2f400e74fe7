"""Results as tables for people: text cells in units chosen for each column."""

import io

import numpy as np
import pandas as pd

from discosim.units import format_quantity

UNITS: dict[str, tuple[tuple[float, str], ...]] = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")),
    "B": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
    "": ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")),
}


FOLDED_ROWS = 500
"""Longer tables are not folded to a narrow terminal: that takes milliseconds a row."""


def to_text(frame: pd.DataFrame, summary: list[str], width: int) -> str:
    """Return the summary's lines and the frame, whose cells are text, for `width` columns."""
    text = _aligned(frame)
    if len(text.partition("\n")[0]) > width and len(frame) <= FOLDED_ROWS:
        text = _folded(frame, width)
    return "\n".join([*summary, "", text])


def _aligned(frame: pd.DataFrame) -> str:
    columns = []
    for name in frame.columns:
        cells = [name, *map(str, frame[name])]
        wide = max(map(len, cells))
        pad = str.ljust if name in TEXT_COLUMNS else str.rjust
        columns.append([pad(cell, wide) for cell in cells])
    lines = ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]
    rule = "  ".join("─" * len(column[0]) for column in columns)
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"


def _folded(frame: pd.DataFrame, width: int) -> str:
    """The same with cells folded to fit a narrow terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in frame.columns:
        words = name in TEXT_COLUMNS
        table.add_column(name, justify="left" if words else "right", overflow="fold")
    for row in frame.to_numpy().tolist():
        table.add_row(*map(str, row))
    stream = io.StringIO()
    Console(
        file=stream, width=width, force_terminal=False, highlight=False, markup=False, emoji=False
    ).print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def scaled(values: pd.Series, name: str, unit: str) -> tuple[str, list[str]]:
    """Return the column's name with its unit, and its cells to three digits.

    One unit serves the whole column: that of its median, so that most cells read easily.
    """
    numbers = values.to_numpy(dtype=float)
    sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
    typical = float(np.median(sizes)) if len(sizes) else 1.0
    factor, text = next((u for u in UNITS[unit] if typical >= u[0]), UNITS[unit][-1])
    header = f"{name} [{text}]" if text else name
    return header, [_digits(number / factor) for number in numbers]


def _digits(number: float) -> str:
    if not np.isfinite(number):
        return "-"
    if number == 0:
        return "0"
    if abs(number) < 1e-3:
        return f"{number:.1e}"
    places = max(0, 2 - int(np.floor(np.log10(abs(number)))))
    return f"{number:,.{min(places, 4)}f}"


def _s_comm(values: pd.Series) -> list[str]:
    return ["-" if np.isnan(value) else f"{value:.6g}" for value in values]


def _percent(values: pd.Series) -> list[str]:
    return [f"{100 * value:.1f}" for value in values]


def _times(values: pd.Series) -> list[str]:
    return [f"{_digits(value)}x" for value in values]


def verdicts(frame: pd.DataFrame) -> list[str]:
    """Return for each row whether it, or one node, is faster, or that its band leaves it open."""
    words = []
    columns = (frame["nodes"], frame["speedup_vs_single"], _within_band(frame))
    for nodes, speedup, either in zip(*columns, strict=True):
        if nodes == 1:
            words.append("is one node")
        elif either:
            words.append("open: one node lies within the band")
        elif speedup < 1:
            words.append("one node is faster")
        else:
            words.append("faster than one node" if speedup > 1 else "as fast as one node")
    return words


def _within_band(frame: pd.DataFrame) -> list[bool]:
    """Whether the latency of one node lies within each row's band; never without one."""
    if "latency_low_s" not in frame:
        return [False] * len(frame)
    alone = frame["latency_s"] * frame["speedup_vs_single"]
    return list((frame["latency_low_s"] < alone) & (alone < frame["latency_high_s"]))


TEXT_COLUMNS = {"strategy", "at", "hardware", "overlap", "verdict", "layer", "op", "block"}
TEXT_COLUMNS |= {"model", "input", "name", "figure", "value", "kind", "source", "description"}
TEXT_COLUMNS |= {"binding", "bar", "dtype"}


def show_results(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `sweep` or `compare` for people; what never differs is left out."""
    cells: dict[str, list[str]] = {}
    for name in ("hardware", "strategy", "at", "overlap"):
        if (frame[name] != frame[name].iloc[0]).any():
            cells[name] = list(frame[name])
    cells["N"] = [str(nodes) for nodes in frame["nodes"]]
    if frame["s_comm"].notna().any():
        cells["S_comm"] = _s_comm(frame["s_comm"])
    if frame["s_comm"].isna().any():
        cells["avg S_comm [%]"] = _percent(frame["avg_s_comm"])
        cells["avg S_comp [%]"] = _percent(frame["avg_s_comp"])
    banded = "latency_low_s" in frame
    columns = [
        ("comm", "comm_s", "s"),
        ("comp", "comp_s", "s"),
        ("latency", "latency_s", "s"),
        *((("at best", "latency_low_s", "s"), ("at worst", "latency_high_s", "s")) * banded),
        ("interval", "interval_s", "s"),
        ("sent per node", "bytes_per_node", "B"),
        ("memory per node", "node_bytes", "B"),
    ]
    for name, column, unit in columns:
        if column == "interval_s" and (frame["interval_s"] == frame["latency_s"]).all():
            continue
        header, texts = scaled(frame[column], name, unit)
        cells[header] = texts
    if frame["fits"].notna().any():
        cells["fits"] = [{True: "yes", False: "no"}.get(fit, "-") for fit in frame["fits"]]
    cells["vs dense"] = _times(frame["speedup_vs_dense"])
    cells["vs one node"] = _times(frame["speedup_vs_single"])
    cells["verdict"] = verdicts(frame)
    return pd.DataFrame(cells)


def show_layers(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `layers` for people."""
    cells = {name: list(frame[name]) for name in ("layer", "op", "block")}
    columns = [
        ("in", "in_elems", ""),
        ("out", "out_elems", ""),
        ("params", "params", ""),
        ("MACs", "macs", ""),
        ("sent per node", "bytes", "B"),
        ("comm", "comm_s", "s"),
        ("comp", "comp_s", "s"),
        ("layer", "layer_s", "s"),
    ]
    for name, column, unit in columns:
        header, texts = scaled(frame[column], name, unit)
        cells[header] = texts
    share = frame["layer_s"] / max(frame["layer_s"].sum(), np.finfo(float).tiny)
    cells["share [%]"] = _percent(share)
    return pd.DataFrame(cells)


def show_networks(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `networks` for people."""
    return pd.DataFrame(
        {
            "model": frame["model"],
            "input": frame["input"],
            "layers": frame["layers"].map(str),
            "params [M]": (frame["params"] / 1e6).map("{:,.2f}".format),
            "MACs [G]": (frame["macs"] / 1e9).map("{:,.3f}".format),
            "exchanged if dense [M elements]": (frame["in_elems"] / 1e6).map("{:,.2f}".format),
        }
    )


def show_profiles(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `hardware` for people."""

    def quantities(name: str, unit: str) -> list[str]:
        return ["-" if np.isnan(v) else format_quantity(v, unit) for v in frame[name].astype(float)]

    return pd.DataFrame(
        {
            "name": frame["name"],
            "bandwidth": quantities("bandwidth_Bps", "B/s"),
            "latency": quantities("link_latency_s", "s"),
            "topology": frame["topology"],
            "compute": [
                f"{rate} ({dtype})"
                for rate, dtype in zip(
                    quantities("compute_macps", "MAC/s"), frame["dtype"], strict=True
                )
            ],
            "memory": quantities("memory_bytes", "B"),
            "description": frame["description"],
        }
    )
