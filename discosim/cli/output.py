"""Where results go: stdout or a file, and pictures; checked before the work starts."""

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from discosim.door.hearing import progress
from discosim.errors import DiscosimError
from discosim.files import check_file, check_writable, write_bytes
from discosim.report.layout import RULE

if TYPE_CHECKING:
    from discosim.door.answer import Answer
    from discosim.report.style import Sheet

SUFFIXES = {
    ".csv": "csv",
    ".json": "json",
    ".md": "md",
    ".txt": "table",
    ".tex": "tex",
    ".parquet": "parquet",
}


@dataclass(frozen=True)
class Output:
    """Where an answer goes: the form of its data or table, its file, its picture and its looks."""

    form: str | None = None
    path: str | None = None
    plot_path: str | None = None
    html_path: str | None = None
    width: float | None = None
    style: str | None = None
    dpi: int | None = None
    title: str | None = None
    log: bool = False

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
        if self.plot_path is not None:
            from discosim.report.style import check_suffix

            check_suffix(self.plot_path)
            check_writable(self.plot_path)
        elif self.log or (self.width, self.style, self.dpi, self.title) != (None,) * 4:
            raise DiscosimError("--width, --style, --dpi, --title and --log are of --plot: give it")
        check_file(self.html_path, "page", ".html")

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

    def write(self, answer: "Answer") -> None:
        """Write an answer to stdout or to its file."""
        with progress("table"):
            content = self._content(answer)
        if self.path is None:
            sys.stdout.write(_drawable(str(content), sys.stdout.encoding))
            return
        write_bytes(self.path, content if isinstance(content, bytes) else content.encode())
        wrote(self.path)

    def draw(self, answer: "Answer") -> None:
        """Draw an answer where a picture of it is wanted."""
        if self.plot_path is not None:
            from discosim.report.style import drawn_on, save

            with progress("picture"), drawn_on(self._sheet()):
                save(answer.plot(), self.plot_path)
            wrote(self.plot_path)

    def hand_on(self, answer: "Answer") -> None:
        """Write an answer as a page where one is wanted, with the command that gave it."""
        if self.html_path is not None:
            command = shlex.join(["discosim", *sys.argv[1:]])
            with progress("page"):
                write_bytes(self.html_path, answer.page(command).encode())
            wrote(self.html_path)

    def _sheet(self) -> "Sheet":
        from discosim.report.style import Sheet

        return Sheet(self.width, self.style or "screen", self.dpi, self.title, self.log)

    def _content(self, answer: "Answer") -> str | bytes:
        if self.kind == "table":
            return answer.text(*self._width())
        if self.kind == "md":
            return answer.markdown()
        if self.kind == "tex":
            return answer.tex()
        from discosim.report import frames

        if self.kind == "parquet":
            return frames.to_parquet(answer.frame)
        return frames.to_json(answer.data) if self.kind == "json" else frames.to_csv(answer.frame)

    def _width(self) -> tuple[int, ...]:
        """The columns of the terminal; nothing where it is none, or one that does not know."""
        if self.path is not None or not sys.stdout.isatty():
            return ()
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
        return (columns,) if columns else ()


def _drawable(text: str, encoding: str | None) -> str:
    """The text with ASCII for the lines of tables where the terminal's encoding has none."""
    try:
        RULE.encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return text.replace(RULE, "-")
    return text


def wrote(path: str) -> None:
    """Tell the user which file was written, on stderr."""
    print(f"wrote {path}", file=sys.stderr)


def note(text: str) -> None:
    """Tell the user something that is not the answer, on stderr."""
    print(f"note: {text}", file=sys.stderr)
