"""Frames of results as data: CSV, JSON records in SI units, Parquet."""

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from discosim.errors import require
from discosim.report.tables import Cells, Columns

if TYPE_CHECKING:
    import pandas as pd


def to_csv(frame: "pd.DataFrame") -> str:
    """Return the frame as CSV with a header."""
    return frame.to_csv(index=False)


def to_json(frame: "Columns | pd.DataFrame") -> str:
    """Return the frame as a JSON list of records; what is not there is null."""
    columns = {str(name): [_plain(value) for value in frame[str(name)]] for name in frame}
    rows = zip(*columns.values(), strict=True)
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    lines = ",\n".join(json.dumps(record, allow_nan=False) for record in records)
    return f"[\n{lines}\n]\n"


def as_cells(frame: "pd.DataFrame") -> Cells:
    """Return a frame as it is, each value as text."""
    return {str(name): [str(value) for value in frame[name]] for name in frame}


def to_parquet(frame: "pd.DataFrame") -> bytes:
    """Return the frame as a Parquet file, in SI units."""
    content = io.BytesIO()
    frame.to_parquet(content, engine="pyarrow", index=False)
    return content.getvalue()


def check_parquet() -> None:
    """Raise DiscosimError where Parquet cannot be written."""
    require("Parquet", "pyarrow")


def _plain(value: Any) -> Any:
    """A value as JSON knows it; an infinite or missing number is null."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
