"""Tables of measured latencies: one row a device, runtime and network."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from discosim.errors import DiscosimError, FaultsError, suggest
from discosim.hardware import data_folder

COLUMNS = (
    "device", "runtime", "network", "input", "dtype", "threads", "nodes", "link", "metric", "value",
    "unit", "source", "url_or_repo_path", "note",
)  # fmt: skip
TEXTS = ("device", "runtime", "network", "input", "dtype", "threads", "link", "source", "note")
NEEDED = ("device", "runtime", "network", "metric", "value", "unit")

LATENCY = "latency"
SECONDS = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
PER_SECOND = ("inferences/s", "inf/s", "images/s", "fps", "1/s", "hz", "qps")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row of a table; seconds is None where the metric is no latency of one inference."""

    line: int
    device: str
    runtime: str
    network: str
    input: str
    dtype: str
    threads: str
    nodes: int
    link: str
    metric: str
    seconds: float | None
    source: str
    note: str


def shipped_table() -> Path:
    """Return the table that comes with the package."""
    return data_folder() / "measured.csv"


def read_measured(
    path: str | Path, check: Callable[[Measurement], list[str]] = lambda _: []
) -> list[Measurement]:
    """Return the rows of a table; raises DiscosimError with all its faults, one line each.

    check: what further is wrong with a row.
    """
    title = f"measurements {path}"
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise DiscosimError(f"{title} cannot be read: {reason}") from None
    except (UnicodeDecodeError, ValueError):
        raise DiscosimError(f"{title} cannot be read: not UTF-8 text") from None
    reader = csv.DictReader(io.StringIO(text))
    try:
        has = [name.strip() for name in reader.fieldnames or ()]
        lines = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise DiscosimError(f"{title} is not a table: {error}") from None
    lacks = [f"{title}: no column {name!r}; {suggest(name, has)}" if has else
             f"{title}: no column {name!r}" for name in NEEDED if name not in has]  # fmt: skip
    if lacks:
        raise FaultsError(lacks)
    rows, faults = [], []
    for line, row in lines:
        cells = {(name or "").strip(): (row[name] or "").strip() for name in row if name}
        found, wrong = _measurement(line, cells)
        wrong = wrong if found is None else check(found)
        faults += [f"{title}, line {line}: {each}" for each in wrong]
        rows += [found] if found else []
    if faults:
        raise FaultsError(faults)
    if not rows:
        raise DiscosimError(f"{title} has no rows; wanted columns {', '.join(COLUMNS)}")
    return rows


def _measurement(line: int, cells: dict[str, str]) -> tuple[Measurement | None, list[str]]:
    wrong = [f"no {name}" for name in ("device", "runtime") if not cells[name]]
    metric = cells["metric"].lower()
    seconds = None
    unit = cells["unit"].lower()
    if metric == LATENCY or (metric in ("throughput", "rate") and unit in PER_SECOND):
        seconds, said = _seconds(cells["value"], unit)
        wrong += [said] if said else []
    nodes = cells.get("nodes") or "1"
    if not nodes.isdecimal() or int(nodes) < 1:
        wrong.append(f"{nodes!r} nodes; wanted a whole number from 1 up")
    if wrong:
        return None, wrong
    texts = {name: cells.get(name, "") for name in TEXTS}
    texts["dtype"] = texts["dtype"].lower()
    return Measurement(line=line, nodes=int(nodes), metric=metric, seconds=seconds, **texts), []


def _seconds(value: str, unit: str) -> tuple[float, str]:
    """The seconds of one inference, or what is wrong with them."""
    try:
        number = float(value)
    except ValueError:
        return 0.0, f"value {value!r} is not a number"
    if not isfinite(number) or number <= 0:
        return 0.0, f"value {value!r}; wanted a time above 0"
    if unit in PER_SECOND:
        return 1.0 / number, ""
    if not unit:
        return 0.0, f"no unit; wanted one of {', '.join(SECONDS)}"
    if unit not in SECONDS:
        return 0.0, f"unit {unit!r}; wanted one of {', '.join([*SECONDS, PER_SECOND[0]])}"
    return number * SECONDS[unit], ""


def written(rows: Iterable[Sequence[object]]) -> str:
    """Return a table of rows in the order of `COLUMNS`, as `read_measured` takes it."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return stream.getvalue()
