"""Tables of measured latencies: one row a device, runtime and network."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import isfinite, nan
from pathlib import Path

from discosim.errors import DiscosimError, FaultsError, suggest
from discosim.hardware import data_folder

COLUMNS = (
    "device", "runtime", "network", "input", "dtype", "threads", "nodes", "link", "metric", "value",
    "unit", "source", "url_or_repo_path", "note",
)  # fmt: skip
TEXTS = (
    "device", "runtime", "network", "input", "dtype", "threads", "link", "value", "unit", "source",
    "note",
)  # fmt: skip
NEEDED = ("device", "runtime", "network", "metric", "value", "unit")

LATENCY, RATES = "latency", ("throughput", "rate")
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
    value: str
    unit: str
    seconds: float | None
    source: str
    note: str


def shipped_table() -> Path:
    """Return the table that comes with the package."""
    return data_folder() / "measured.csv"


def read_measured(
    path: str | Path,
    check: Callable[[Measurement], list[str]] = lambda _: [],
    check_all: Callable[[list[Measurement]], list[str]] = lambda _: [],
) -> list[Measurement]:
    """Return the rows of a table; raises DiscosimError with all its faults, one line each.

    check: what further is wrong with a row; check_all: with the rows together. Both also see rows
    that have a fault; a time that cannot be is NaN there.
    """
    title = f"measurements {path}"
    lines = _cells(path, title)
    rows, faults = [], []
    for line, cells in lines:
        found, wrong = _measurement(line, cells)
        faults += [f"{title}, line {line}: {each}" for each in (*wrong, *check(found))]
        rows.append(found)
    if not rows:
        raise DiscosimError(f"{title} has no rows; wanted columns {', '.join(COLUMNS)}")
    faults += check_all(rows)
    if faults:
        raise FaultsError(faults)
    return rows


def _cells(path: str | Path, title: str) -> list[tuple[int, dict[str, str]]]:
    """The rows as they stand, with their lines; raises DiscosimError where there is no table."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise DiscosimError(f"{title} cannot be read: {reason}") from None
    except (UnicodeDecodeError, ValueError):
        raise DiscosimError(f"{title} cannot be read: not UTF-8 text") from None
    if not text.strip():
        raise DiscosimError(f"{title} is empty; wanted columns {', '.join(COLUMNS)}")
    try:
        reader = csv.reader(io.StringIO(text), delimiter=_delimiter(text))
        has = [name.strip().lower() for name in next(reader)]
        lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DiscosimError(f"{title} is not a table: {error}") from None
    wrong = [f"{title}: no column {name!r}; {suggest(name, has)}"
             for name in NEEDED if name not in has]  # fmt: skip
    wrong += [f"{title}: {has.count(name)} columns {name!r}"
              for name in dict.fromkeys(has) if name and has.count(name) > 1]  # fmt: skip
    if wrong:
        raise FaultsError(wrong)
    wrong = [f"{title}, line {line}: {len(row)} cells, the head has {len(has)}; a text with commas "
             "stands in quotes" for line, row in lines if len(row) > len(has)]  # fmt: skip
    if wrong:
        raise FaultsError(wrong)
    return [(line, {name: cell.strip() for name, cell in zip_longest(has, row, fillvalue="")})
            for line, row in lines]  # fmt: skip


def _delimiter(text: str) -> str:
    """What stands between the cells of the head: spreadsheets write ; or tabs too."""
    head = text.lstrip().partition("\n")[0]
    return max(",;\t", key=head.count)


def _measurement(line: int, cells: dict[str, str]) -> tuple[Measurement, list[str]]:
    """A row, and what is wrong with it."""
    wrong = [f"no {name}" for name in ("device", "runtime", "network") if not cells[name]]
    metric = cells["metric"].lower()
    seconds = None
    unit = cells["unit"].lower()
    if not metric:
        wrong.append(f"no metric; wanted {LATENCY}, {' or '.join(RATES)}, or what else it is")
    elif metric == LATENCY and unit in PER_SECOND:
        wrong.append(f"a {LATENCY} in {cells['unit']!r}; wanted metric {RATES[0]}, or a time")
    elif metric == LATENCY or (metric in RATES and unit in PER_SECOND):
        seconds, said = _seconds(cells["value"], unit)
        wrong += said
    nodes = cells.get("nodes") or "1"
    if not nodes.isdecimal() or int(nodes) < 1:
        wrong.append(f"{nodes!r} nodes; wanted a whole number from 1 up")
        nodes = "1"
    texts = {name: cells.get(name, "") for name in TEXTS}
    texts["dtype"] = texts["dtype"].lower()
    return Measurement(line=line, nodes=int(nodes), metric=metric, seconds=seconds, **texts), wrong


def _seconds(value: str, unit: str) -> tuple[float, list[str]]:
    """The seconds of one inference, NaN with all that is wrong with them."""
    wrong = []
    try:
        number = float(value)
        if not isfinite(number) or number <= 0:
            wrong.append(f"value {value!r}; wanted a time above 0")
    except ValueError:
        point = ", which has a point: 60.5" if "," in value else ""
        wrong.append(f"value {value!r} is not a number{point}")
    if not unit:
        wrong.append(f"no unit; wanted one of {', '.join(SECONDS)}")
    elif unit not in SECONDS and unit not in PER_SECOND:
        wrong.append(f"unit {unit!r}; wanted one of {', '.join([*SECONDS, PER_SECOND[0]])}")
    if wrong:
        return nan, wrong
    return (1.0 / number if unit in PER_SECOND else number * SECONDS[unit]), []


def written(rows: Iterable[Sequence[object]]) -> str:
    """Return a table of rows in the order of `COLUMNS`, as `read_measured` takes it."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return stream.getvalue()
