"""How far work is: a bar after a second on a terminal, elsewhere a line after half a minute."""

import sys
import time
from typing import TYPE_CHECKING

from discosim.units import format_quantity

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE_S = 1.0

FIRST_LINE_S, NEXT_LINES_S = 30.0, 60.0
"""When a line is said where there is no terminal, and how long after it the next one."""


class LazyProgress:
    """Called with (done, total): shows a bar on a terminal's stderr once a second has passed.

    Where stderr is no terminal it says a line now and then, with the time that is left.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._begin = time.monotonic()
        self._bar: Progress | None = None
        self._first: tuple[float, int] | None = None
        self._next_line_s = FIRST_LINE_S

    def __enter__(self) -> "LazyProgress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` is done."""
        if self._first is None:  # from here on it is known how fast it goes
            self._first = (time.monotonic(), done)
        if self._bar is None:
            passed_s = time.monotonic() - self._begin
            if not sys.stderr.isatty():
                self._say(done, total, passed_s)
                return
            if passed_s <= PATIENCE_S:
                return
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                Progress,
                TaskProgressColumn,
                TextColumn,
                TimeRemainingColumn,
            )

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.add_task(self.title, total=total, rate="")
            self._bar.start()
        begin, first = self._first
        passed = time.monotonic() - begin
        rate = f"{format_quantity((done - first) / passed, '/s', 3)}" if passed > 0 else ""
        self._bar.update(self._bar.task_ids[0], completed=done, total=total, rate=rate)

    def _say(self, done: int, total: int, passed_s: float) -> None:
        """A line, where the last one was long ago and there is more to do."""
        assert self._first is not None
        begin, first = self._first
        if passed_s < self._next_line_s or not first < done < total:
            return
        self._next_line_s = passed_s + NEXT_LINES_S
        left_s = (time.monotonic() - begin) / (done - first) * (total - done)
        left = f"{left_s / 60:.0f} min" if left_s > 90 else f"{left_s:.0f} s"
        print(f"discosim: {self.title}: {done} of {total}, about {left} left", file=sys.stderr)
