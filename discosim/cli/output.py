"""Where results go: stdout or a file, and pictures; checked before the work starts."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from discosim.errors import DiscosimError
from discosim.files import check_writable, write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from discosim.door.answer import Answer

FORMATS = ("table", "csv", "json")
SUFFIXES = {
    ".csv": "csv",
    ".json": "json",
    ".md": "md",
    ".txt": "table",
    ".parquet": "parquet",
}
WIDE = 400
"""Columns of a table that does not go to a terminal: it is never folded."""


def check_plot(path: str | None) -> None:
    """Raise DiscosimError where no picture can be written at `path`."""
    if path is not None:
        from discosim.report.style import check_suffix

        check_suffix(path)
        check_writable(path)


@dataclass(frozen=True)
class Output:
    """Where an answer goes: the form of its data or table, its file, its picture."""

    form: str | None = None
    path: str | None = None
    plot_path: str | None = None

    @property
    def kind(self) -> str:
        """The form that is written."""
        if self.path is None:
            return self.form or "table"
        return SUFFIXES[Path(self.path).suffix.lower()]

    def check(self) -> None:
        """Raise DiscosimError, before any work is done, for what cannot be written."""
        if self.path is not None:
            self._check_path(self.path)
        check_plot(self.plot_path)

    def _check_path(self, path: str) -> None:
        if Path(path).suffix.lower() not in SUFFIXES:
            raise DiscosimError(
                f"output file {path!r}: its suffix says the format; wanted {', '.join(SUFFIXES)}"
            )
        if self.form is not None and self.form != self.kind:
            raise DiscosimError(f"--format {self.form} and output file {path!r} disagree; give one")
        check_writable(path)
        if self.kind == "parquet":
            from discosim.report.frames import check_parquet

            check_parquet()

    def give(
        self,
        answer: "Answer",
        *files: tuple[str | None, Callable[[str], object]],
        figure: "Figure | None" = None,
    ) -> None:
        """Write an answer, further files by what writes each, and the picture."""
        self._write(answer)
        for path, save in files:
            if path is not None:
                save(path)
                wrote(path)
        if self.plot_path is not None:
            from discosim.report.style import save as save_picture

            save_picture(figure or answer.plot(), self.plot_path)
            wrote(self.plot_path)

    def _write(self, answer: "Answer") -> None:
        content = self._content(answer)
        if self.path is None:
            sys.stdout.write(str(content))
            return
        write_bytes(self.path, content if isinstance(content, bytes) else content.encode())
        wrote(self.path)

    def _content(self, answer: "Answer") -> str | bytes:
        if self.kind == "table":
            return answer.text(self._width())
        if self.kind == "md":
            return answer.markdown()
        from discosim.report import frames

        if self.kind == "parquet":
            return frames.to_parquet(answer.frame)
        return frames.to_json(answer.data) if self.kind == "json" else frames.to_csv(answer.frame)

    def _width(self) -> int:
        terminal = self.path is None and sys.stdout.isatty()
        width = os.get_terminal_size(sys.stdout.fileno()).columns if terminal else WIDE
        return width or WIDE  # 0: a terminal that does not know


def wrote(path: str) -> None:
    """Tell the user which file was written, on stderr."""
    print(f"wrote {path}", file=sys.stderr)


def note(text: str) -> None:
    """Tell the user something that is not the answer, on stderr."""
    print(f"note: {text}", file=sys.stderr)
