"""Reducing a grid: tasks done here, on all cores or on a cluster, kept on the way, resumed."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from discosim.errors import DiscosimError
from discosim.explore.grid.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from discosim.explore.grid.evaluate import evaluate
from discosim.explore.grid.executors import Done, Tasks, on_cluster, on_cores, serially
from discosim.explore.grid.grid import TASK, Grid, Task
from discosim.explore.grid.reduce import Reduction, State

Progress = Callable[[int, int], None]

SMALL = 50_000_000
"""Configurations below which starting other processes takes longer than the work."""

KEEP_S = 10.0
"""Seconds between two writings of the resume file."""

TOGETHER = 16
"""States that are merged at once."""


@dataclass(frozen=True)
class TaskWork:
    """What a worker does with a task."""

    grid: Grid
    reduction: Reduction

    def __call__(self, task: Task) -> State:
        """Return the state of the task's configurations."""
        place = self.grid.places[task.place]
        return self.reduction.of_blocks(evaluate(place, task.box))


def reduce_grid(
    grid: Grid,
    reduction: Reduction,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    resume: str | None = None,
    keep_as: str | None = None,
    progress: Progress | None = None,
    kept: Callable[[str], None] | None = None,
    task: int = TASK,
) -> State:
    """Return the reduction of all of the grid's configurations.

    `jobs` processes, by default all cores for a large grid and none for a small one; or the
    workers of the dask scheduler at `scheduler`. `resume` names a file that is written as the
    work goes on and read where it exists; without it, `keep_as` is written where the work is
    interrupted, and `kept` is then told its path. `progress` is called with the configurations
    done and those in all. Raises DiscosimError.
    """
    tasks = grid.tasks(task)
    fingerprint = grid.fingerprint(repr(reduction), task)
    before = read_checkpoint(resume, fingerprint) if resume else Checkpoint()
    run = _Reducing(reduction, tasks, before)
    left = {number: each for number, each in enumerate(tasks) if number not in before.done}
    saved = time.monotonic()
    try:
        for number, state in _done(TaskWork(grid, reduction), left, jobs, scheduler):
            run.add(number, state)
            if progress is not None:
                progress(run.size, grid.size)
            if resume and time.monotonic() - saved > KEEP_S:
                write_checkpoint(resume, fingerprint, run.kept())
                saved = time.monotonic()
    except BaseException as stop:
        path = resume or keep_as
        fault = isinstance(stop, Exception) and not isinstance(stop, DiscosimError)
        if path and run.done and not fault:
            write_checkpoint(path, fingerprint, run.kept())
            if kept is not None:
                kept(path)
        raise
    if resume and left:
        write_checkpoint(resume, fingerprint, run.kept())
    return run.state()


class _Reducing:
    """What is done so far."""

    def __init__(self, reduction: Reduction, tasks: list[Task], kept: Checkpoint) -> None:
        self.done = set(kept.done)
        self.size = sum(tasks[number].size for number in kept.done)
        self._reduction = reduction
        self._tasks = tasks
        self._states: list[State] = [] if kept.state is None else [kept.state]

    def add(self, number: int, state: State) -> None:
        self.done.add(number)
        self.size += self._tasks[number].size
        self._states.append(state)
        if len(self._states) >= TOGETHER:
            self._states = [self.state()]

    def state(self) -> State:
        return self._reduction.merged(self._states)

    def kept(self) -> Checkpoint:
        return Checkpoint(frozenset(self.done), self.state())


def _done(work: TaskWork, tasks: Tasks, jobs: int | None, scheduler: str | None) -> Done:
    if not tasks:
        return iter(())
    if scheduler is not None:
        return on_cluster(work, tasks, scheduler)
    if jobs is None:
        jobs = 1 if work.grid.size < SMALL else (os.cpu_count() or 1)
    if jobs < 1:
        raise DiscosimError(f"{jobs} jobs; wanted a whole number from 1 up")
    return serially(work, tasks) if jobs == 1 else on_cores(work, tasks, jobs)
