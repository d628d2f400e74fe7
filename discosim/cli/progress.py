"""A progress bar for work that takes longer than a second."""

import sys
import time
from typing import TYPE_CHECKING

from discosim.units import format_quantity

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE_S = 1.0


class LazyProgress:
    """Called with (done, total): shows a bar on a terminal's stderr once a second has passed."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._begin = time.monotonic()
        self._bar: Progress | None = None
        self._first = (self._begin, 0)

    def __enter__(self) -> "LazyProgress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` is done."""
        if self._bar is None:
            late = time.monotonic() - self._begin > PATIENCE_S
            if not (late and sys.stderr.isatty()):
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
            self._first = (time.monotonic(), done)
        begin, first = self._first
        passed = time.monotonic() - begin
        rate = f"{format_quantity((done - first) / passed, '/s', 3)}" if passed > 0 else ""
        self._bar.update(self._bar.task_ids[0], completed=done, rate=rate)
