"""Where results go: stdout or a file, and pictures; checked before the work starts."""

import os
import sys
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from discosim.errors import DiscosimError
from discosim.files import write_bytes, write_text

if TYPE_CHECKING:
    import pandas as pd

    from discosim.report.tables import Cells

SUFFIXES = {
    ".csv": "csv",
    ".json": "json",
    ".md": "md",
    ".txt": "table",
    ".parquet": "parquet",
}
WIDE = 400
"""Columns of a table that does not go to a terminal: it is never folded."""


def check_writable(path: str) -> None:
    """Raise DiscosimError where no file can be written at `path`."""
    target = Path(path)
    try:
        if target.is_dir():
            raise IsADirectoryError(0, "it is a directory")
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(0, "it may not be overwritten")
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".discosim-"):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DiscosimError(f"cannot write {path}: {reason.lower()}") from None


def check_file(path: str | None, what: str, suffix: str) -> None:
    """Raise DiscosimError where `path` has another suffix, or no file can be written there."""
    if path is None:
        return
    if not path.lower().endswith(suffix):
        raise DiscosimError(f"{what} {path!r}; wanted a suffix of {suffix}")
    check_writable(path)


@dataclass(frozen=True)
class Output:
    """A destination that is known to be writable, and the form of what goes there."""

    form: str
    path: str | None

    @classmethod
    def open(cls, form: str | None, path: str | None) -> "Output":
        """Return the destination; raises DiscosimError before any work is done."""
        if path is None:
            return cls(form or "table", None)
        suffix = Path(path).suffix.lower()
        if suffix not in SUFFIXES:
            raise DiscosimError(
                f"output file {path!r}: its suffix says the format; wanted {', '.join(SUFFIXES)}"
            )
        if form is not None and form != SUFFIXES[suffix]:
            raise DiscosimError(f"--format {form} and output file {path!r} disagree; give one")
        check_writable(path)
        if SUFFIXES[suffix] == "parquet":
            from discosim.report.frames import check_parquet

            check_parquet()
        return cls(SUFFIXES[suffix], path)

    def write(
        self,
        frame: "pd.DataFrame",
        summary: list[str],
        shown: "Cells",
        words: "Collection[str] | None" = None,
    ) -> None:
        """Write `frame` as data, or `summary` and then `shown`, the table for people."""
        from discosim.report.frames import to_csv, to_json, to_markdown, to_parquet

        if self.form == "parquet" and self.path is not None:
            write_bytes(self.path, to_parquet(frame))
            print(f"wrote {self.path}", file=sys.stderr)
            return

        texts: dict[str, Callable[[], str]] = {
            "csv": lambda: to_csv(frame),
            "json": lambda: to_json(frame),
            "md": lambda: to_markdown(shown, summary),
            "table": lambda: self._table(shown, summary, words),
        }
        text = texts[self.form]()
        if self.path is None:
            sys.stdout.write(text)
            return
        write_text(self.path, text)
        print(f"wrote {self.path}", file=sys.stderr)

    def _table(self, shown: "Cells", summary: list[str], words: "Collection[str] | None") -> str:
        from discosim.report.tables import TEXT_COLUMNS, to_text

        terminal = self.path is None and sys.stdout.isatty()
        width = os.get_terminal_size(sys.stdout.fileno()).columns if terminal else WIDE
        return to_text(shown, summary, width or WIDE, words or TEXT_COLUMNS)  # 0: not known
