"""Reductions on a real dask.distributed cluster, also when a part of it is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from discosim.errors import DiscosimError
from discosim.explore.grid.engine import reduce_grid
from discosim.explore.grid.reduce import Histogram
from tests.test_engine import equal, small_grid

pytestmark = [
    pytest.mark.extras,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        silence_logs="CRITICAL",
    ) as made:
        yield made


def test_a_killed_worker_loses_nothing(cluster: Any) -> None:
    pids = [worker.pid for worker in cluster.workers.values()]
    seen: list[int] = []

    def progress(done: int, _total: int) -> None:
        seen.append(done)
        if len(seen) == 3:
            os.kill(pids[0], signal.SIGKILL)

    grid, reduction = small_grid(s_comm=np.linspace(0, 1, 60)), Histogram("latency")
    expected = reduce_grid(grid, reduction, task=500)
    found = reduce_grid(
        grid, reduction, task=500, scheduler=cluster.scheduler_address, progress=progress
    )
    assert equal(found, expected)
    assert seen[-1] == grid.size
    assert found["counts"].sum() == grid.size


@pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1:1"])
def test_a_scheduler_that_is_not_there_is_named(address: str) -> None:
    with pytest.raises(DiscosimError, match=f"no scheduler at {address}"):
        reduce_grid(small_grid(), Histogram("latency"), scheduler=address)


def test_a_scheduler_that_dies_leaves_what_is_done(tmp_path: Path) -> None:
    run = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    port = 20_000 + os.getpid() % 20_000
    address = f"tcp://127.0.0.1:{port}"
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    options = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    scheduler = subprocess.Popen([*run, *options], **quiet)
    grid, reduction = small_grid(s_comm=np.linspace(0, 1, 60)), Histogram("latency")
    try:
        _wait_for(grid, address, "has no workers")
        code = (
            f"from distributed.cli.dask_worker import main; main(['{address}', '--no-dashboard'])"
        )
        worker = subprocess.Popen([sys.executable, "-c", code], **quiet)
        try:
            _wait_for(grid, address, None)
            kept = tmp_path / "kept"
            with pytest.raises(DiscosimError, match="went away"):
                reduce_grid(
                    grid,
                    reduction,
                    task=100,
                    scheduler=address,
                    resume=str(kept),
                    progress=lambda *_: scheduler.kill(),
                )
            seen: list[int] = []
            state = reduce_grid(
                grid,
                reduction,
                task=100,
                resume=str(kept),
                progress=lambda done, _: seen.append(done),
            )
            assert seen[0] > 100
            assert equal(state, reduce_grid(grid, reduction, task=100))
        finally:
            worker.kill()
            worker.wait()
    finally:
        scheduler.kill()
        scheduler.wait()


def _wait_for(grid: Any, address: str, refusal: str | None) -> None:
    """Until the cluster answers as it should: its processes take seconds to start."""
    for _ in range(150):
        try:
            reduce_grid(grid, Histogram("latency"), task=50_000, scheduler=address)
            if refusal is None:
                return
        except DiscosimError as error:
            if refusal is not None and refusal in str(error):
                return
        time.sleep(0.2)
    raise AssertionError(f"no cluster at {address}")
