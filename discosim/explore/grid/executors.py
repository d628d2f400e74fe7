"""Where tasks are done: here, on the cores of this machine, or on the workers of a cluster.

Each takes numbered tasks and yields (number, state) as they end, in any order.
"""

import logging
import multiprocessing
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from discosim.errors import DiscosimError, require
from discosim.explore.grid.grid import Task
from discosim.explore.grid.reduce import State

Work = Callable[[Task], State]
Tasks = Mapping[int, Task]
Done = Iterator[tuple[int, State]]

TRIES = 4
"""How often the pool is started anew after one of its processes has died."""

CONNECT_S = 10
"""Patience with a scheduler that does not answer."""

_work: Work | None = None


def serially(work: Work, tasks: Tasks) -> Done:
    """Do the tasks here, one after the other."""
    for number, task in tasks.items():
        yield number, work(task)


def ignore_interrupts() -> None:
    """In a worker: leave Ctrl-C to the parent, which ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _prepare(work: Work) -> None:
    """In a worker: take the work once."""
    global _work
    ignore_interrupts()
    _work = work


def _do(number: int, task: Task) -> tuple[int, State]:
    assert _work is not None
    return number, _work(task)


def on_cores(work: Work, tasks: Tasks, jobs: int) -> Done:
    """Do the tasks in `jobs` processes; those of one that dies are done again by others.

    Raises DiscosimError where processes keep dying.
    """
    left = dict(tasks)
    for _ in range(TRIES):
        before = set(multiprocessing.active_children())
        pool = ProcessPoolExecutor(jobs, initializer=_prepare, initargs=(work,))
        try:
            for future in as_completed([pool.submit(_do, *each) for each in left.items()]):
                number, state = future.result()
                del left[number]
                yield number, state
            pool.shutdown()
            return
        except BrokenProcessPool:
            continue
        finally:
            if left:  # given up: do not wait for what is under way
                pool.shutdown(wait=False, cancel_futures=True)
                for process in set(multiprocessing.active_children()) - before:
                    process.terminate()
    raise DiscosimError(
        f"processes keep dying, {TRIES} times in a row (out of memory?); wanted fewer --jobs"
    )


def on_cluster(work: Work, tasks: Tasks, address: str) -> Done:
    """Do the tasks on the workers of the dask.distributed scheduler at `address`.

    Tasks of a worker that dies are done again by others. Raises DiscosimError where there is no
    scheduler, or it goes away.
    """
    require("--scheduler", "distributed")
    import distributed

    client = _connected(distributed, address)
    levels = {name: logging.getLogger(name).level for name in logging.root.manager.loggerDict}
    for name in levels:  # what goes wrong is told once, below
        if name.startswith(("distributed", "tornado", "asyncio")):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        futures = client.map(
            _remote, list(tasks), list(tasks.values()), work=work, pure=False, retries=TRIES
        )
        ending: Any = distributed.as_completed(  # type: ignore[no-untyped-call]
            futures, loop=client.loop, with_results=True
        )
        for future, result in ending:
            if not isinstance(result, tuple):
                raise distributed.CancelledError(str(result))
            future.release()
            yield result
    except (OSError, distributed.CancelledError) as error:
        raise DiscosimError(f"the scheduler at {address} went away: {_line(error)}") from None
    except distributed.KilledWorker as error:
        raise DiscosimError(f"the workers at {address} keep dying: {_line(error)}") from None
    finally:
        client.close(timeout=CONNECT_S)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _remote(number: int, task: Task, work: Work) -> tuple[int, State]:
    return number, work(task)


def _connected(distributed: Any, address: str) -> Any:
    try:
        where = distributed.comm.get_address_host_port(address, strict=True)
        socket.create_connection(where, CONNECT_S).close()  # a client that fails lingers
        client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise DiscosimError(
            f"no scheduler at {address}: {_line(error)}; wanted one as tcp://host:8786, which "
            "`dask scheduler` starts"
        ) from None
    if not client.scheduler_info()["workers"]:
        client.close()
        raise DiscosimError(
            f"the scheduler at {address} has no workers; start one with `dask worker {address}`"
        )
    return client


def _line(error: BaseException) -> str:
    return str(error).split("\n")[0] or type(error).__name__
