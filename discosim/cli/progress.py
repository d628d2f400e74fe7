"""How far work is: a bar after a second on a terminal, elsewhere a line after half a minute."""

import sys
import threading
import time
from typing import TYPE_CHECKING, ClassVar

from discosim.units import format_quantity

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE_S = 1.0

FIRST_LINE_S, NEXT_LINES_S = 30.0, 60.0
"""When a line is said where there is no terminal, and how long after it the next one."""


class LazyProgress:
    """Called with (done, total, at): shows a bar on a terminal's stderr once a second has passed.

    It is shown of work that never calls too. Of work inside other work the inner one is shown.
    Where stderr is no terminal it says a line now and then, with the time that is left.
    """

    _open: ClassVar[list["LazyProgress"]] = []
    _lock: ClassVar[threading.RLock] = threading.RLock()

    def __init__(self, title: str) -> None:
        self.title = title
        self._begin = time.monotonic()
        self._bar: Progress | None = None
        self._timer: threading.Timer | None = None
        self._first: tuple[float, int] | None = None
        self._last: tuple[int, int, str] | None = None
        self._next_line_s = FIRST_LINE_S

    def __enter__(self) -> "LazyProgress":
        self._open.append(self)
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            shown = self._bar is not None
            self._open.remove(self)
            self._hide()
            if self._timer is not None:
                self._timer.cancel()
            if shown and self._open:
                self._open[-1]._wait()

    def __call__(self, done: int, total: int, at: str = "") -> None:
        """Show that `done` of `total` is done, and what it is at."""
        if self._first is None:  # from here on it is known how fast it goes
            self._first = (time.monotonic(), done)
        if not self._on_a_terminal():
            self._say(done, total, time.monotonic() - self._begin)
            return
        with self._lock:
            self._last = (done, total, at)
            if self._bar is not None:
                self._update()
            elif time.monotonic() - self._begin > PATIENCE_S:
                self._show()

    @classmethod
    def _on_a_terminal(cls) -> bool:
        """Whether a bar can be shown; while one is, it stands in for stderr, and may deny it."""
        return sys.stderr.isatty() or any(each._bar is not None for each in cls._open)

    def _update(self) -> None:
        """Have the bar say what was told last."""
        if self._bar is None or self._last is None or self._first is None:
            return
        (done, total, at), (begin, first) = self._last, self._first
        passed_s = time.monotonic() - begin
        rate = format_quantity((done - first) / passed_s, "/s", 3) if done > first else ""
        title = f"{self.title}: {at}" if at else self.title
        self._bar.update(
            self._bar.task_ids[0], completed=done, total=total, description=title, rate=rate
        )

    def _wait(self) -> None:
        """Show it when patience ends, whether or not it is called."""
        if self._on_a_terminal():
            self._timer = threading.Timer(max(0.0, PATIENCE_S), self._show)
            self._timer.daemon = True
            self._timer.start()

    def _show(self) -> None:
        """Show it, unless it has ended, or what is inside it is shown."""
        with self._lock:
            if self not in self._open or any(
                each._bar is not None for each in self._open[self._open.index(self) :]
            ):
                return
            for each in self._open:
                each._hide()
            self._bar = _bar(self.title)
            self._update()
            self._bar.start()

    def _hide(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

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


def _bar(title: str) -> "Progress":
    """The bar, which pulses until it is known how much there is to do; stdout is left alone."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        refresh_per_second=4,
    )
    bar.add_task(title, total=None, rate="")
    return bar
