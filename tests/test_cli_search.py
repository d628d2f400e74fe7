"""`discosim size` and `discosim pareto`: answers as data, files and pictures; bad input; Ctrl-C."""

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from discosim.cli.app import run
from discosim.explore.grid.front import pareto_front

SIZE = "size --model resnet18/8 --input 32 --s-comm 0:1:0.1 --jobs 1"
PARETO = "pareto --model resnet18/8 --input 32 --nodes 2,3 --s-comm 0:1:0.25"


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(line: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["discosim", *line.split()])
    return run()


def records(line: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> list[dict[str, Any]]:
    assert call(f"{line} --format json", monkeypatch) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


# Answers


def test_size_gives_its_record(monkeypatch: Any, capsys: Any) -> None:
    rows = records(f"{SIZE} --latency 1ms --memory 300KB --hw rpi4-gigabit", monkeypatch, capsys)
    wanted = "hardware strategy nodes s_comm latency_s interval_s node_bytes feasible binding"
    assert {"single", "pipeline", "disco"} == {row["strategy"] for row in rows}
    for row in rows:
        assert set(wanted.split()) <= set(row)
        assert isinstance(row["feasible"], bool)
        if row["feasible"]:
            assert row["latency_s"] <= 1e-3
            assert row["node_bytes"] <= 300e3
        else:
            assert row["binding"]
            assert row["give_up"] > 1
    assert rows[0]["feasible"] == any(row["feasible"] for row in rows)


def test_size_says_it_in_words(monkeypatch: Any, capsys: Any) -> None:
    assert call(f"{SIZE} --latency 1ms --hw rpi4-gigabit,rpi4-wifi", monkeypatch) == 0
    out = capsys.readouterr().out
    assert "Wanted: latency up to 1 ms" in out
    assert "resnet18/8: one node of" in out or "nodes of" in out
    assert call(f"{SIZE} --latency 1ns", monkeypatch) == 0
    assert "nothing keeps all limits" in capsys.readouterr().out


def test_size_notes_no_option_that_nobody_gave(monkeypatch: Any, capsys: Any) -> None:
    line = "size --model resnet18/8 --input 32 --jobs 1 --latency 1s --strategy rows"
    for more, told in (("", False), (" --s-comm 0.5", True)):
        assert call(f"{line}{more}", monkeypatch) == 0
        assert ("--s-comm has no effect" in capsys.readouterr().err) == told


def test_size_takes_all_profiles_in_a_data_type_that_they_have(
    monkeypatch: Any, capsys: Any
) -> None:
    assert call(f"{SIZE} --latency 1ms --hw all --max-nodes 2 -o all.csv", monkeypatch) == 0
    assert "edgetpu-usb has no fp32 rate: taken in int8" in capsys.readouterr().err
    rows = pd.read_csv("all.csv")
    assert set(rows["dtype"]) == {"fp32", "fp16", "int8"}
    assert call(f"{SIZE} --latency 1ms --hw all --price 500USD -o all.json", monkeypatch) == 0
    assert "state no price: a100-nvlink" in capsys.readouterr().err


def test_pareto_is_the_front_of_all(monkeypatch: Any, capsys: Any) -> None:
    every = pd.DataFrame(records(f"{PARETO} --reduce all", monkeypatch, capsys))
    front = pd.DataFrame(records(f"{PARETO} --by latency,memory,nodes", monkeypatch, capsys))
    values = every[["latency_s", "node_bytes", "nodes"]].to_numpy(dtype=float)
    expected = every.iloc[pareto_front(values)]
    assert len(front) == len(expected)
    for column in ("strategy", "nodes", "latency_s", "node_bytes"):
        if not pd.api.types.is_numeric_dtype(front[column]):
            assert list(front[column]) == list(expected[column])
        else:
            np.testing.assert_allclose(front[column], expected[column], rtol=1e-12)
    best = records(f"{PARETO} --reduce best --count 3", monkeypatch, capsys)
    assert [row["latency_s"] for row in best] == pytest.approx(
        sorted(every["latency_s"])[:3], rel=1e-12
    )
    bins = records(f"{PARETO} --reduce histogram", monkeypatch, capsys)
    assert sum(row["count"] for row in bins) == len(every)
    for row in bins:
        inside = every["latency_s"].between(row["low"], row["high"] * (1 - 1e-12))
        assert inside.sum() == row["count"]


def test_what_prunes_nothing_is_not_beaten_for_what_it_does_not_send(
    monkeypatch: Any, capsys: Any
) -> None:
    """A pipeline sends little of what dense sends, but all that is wanted: as exact as one node."""
    asked = "pareto --model resnet18/8 --hw rpi4-gigabit --nodes 1,2 --format json"
    asked += " --strategy single,disco,pipeline,rows"
    every = pd.DataFrame(records(f"{asked} --reduce all", monkeypatch, capsys))
    exact = every["strategy"].isin(["single", "pipeline", "rows"])
    assert (every.loc[exact & (every["nodes"] == 2), "avg_s_comm"] > 0.5).all()
    assert (every.loc[exact, "pruned"] == 0).all()
    pruned = every.loc[~exact, ["pruned", "avg_s_comm"]].to_numpy()
    np.testing.assert_array_equal(pruned[:, 0], pruned[:, 1])
    front = pd.DataFrame(records(asked, monkeypatch, capsys))
    values = every[["latency_s", "node_bytes", "pruned"]].to_numpy(dtype=float)
    expected = every.iloc[pareto_front(values)]
    assert list(front["strategy"]) == list(expected["strategy"])
    assert "pipeline" in set(front["strategy"])


@pytest.mark.extras
def test_pareto_writes_parquet_and_csv_alike(monkeypatch: Any, capsys: Any) -> None:
    line = f"{PARETO} --bw 1MB/s:1GB/s:5 --by latency,bandwidth,s_comm"
    assert call(f"{line} -o front.parquet", monkeypatch) == 0
    assert call(f"{line} --format csv", monkeypatch) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    frame = pd.read_parquet("front.parquet")
    assert list(frame.columns) == list(rows[0])
    assert [float(row["latency_s"]) for row in rows] == pytest.approx(list(frame["latency_s"]))
    assert set(frame["bandwidth_Bps"]) <= set(np.geomspace(1e6, 1e9, 5))


@pytest.mark.parametrize(
    "more",
    [
        "--by latency,memory --plot a.png",
        "--by latency,memory,s_comm --plot a.svg",
        "--by latency --plot a.pdf",
        "--reduce histogram --plot a.png",
        "--hw rpi4-gigabit,rpi5-wifi --by throughput,energy,bytes --plot a.svg",
    ],
)
def test_pareto_draws(more: str, monkeypatch: Any, capsys: Any) -> None:
    assert call(f"{PARETO} {more}", monkeypatch) == 0
    path = more.split()[-1]
    assert Path(path).stat().st_size > 1000
    assert f"wrote {path}" in capsys.readouterr().err


def test_pareto_on_two_processes_and_resumed(monkeypatch: Any, capsys: Any) -> None:
    one = records(PARETO, monkeypatch, capsys)
    assert records(f"{PARETO} --jobs 2", monkeypatch, capsys) == one
    assert records(f"{PARETO} --resume kept", monkeypatch, capsys) == one
    assert Path("kept").exists()
    assert records(f"{PARETO} --resume kept", monkeypatch, capsys) == one


# Bad input


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("size --model resnet18", ["wanted a limit", "--latency"]),
        (f"{SIZE} --latency 0s", ["latency", "more than 0"]),
        (f"{SIZE} --latency fast", ["fast"]),
        (f"{SIZE} --throughput -3/s", ["throughput", "more than 0"]),
        (f"{SIZE} --throughput many", ["10/s"]),
        (f"{SIZE} --accuracy 70", ["resnet18/8", "published are"]),
        (f"{SIZE} --price 100USD", ["splitnets-hmd states none", "cost.price"]),
        (f"{SIZE} --latency 1s --max-nodes 0", ["--max-nodes"]),
        (f"{SIZE} --latency 1s --strategy disko", ["disco"]),
        (f"{SIZE} --latency 1s --strategy disco --max-nodes 1", ["at most 1 nodes"]),
        (f"{SIZE} --latency 1s --overlap none,ideal", ["--overlap"]),
        (f"{SIZE} --latency 1s -o answer.xls", [".parquet"]),
        (f"{PARETO} --by speed", ["speed", "latency"]),
        (f"{PARETO} --by ,", ["empty name"]),
        (f"{PARETO} --by price", ["price", "cost.price"]),
        (f"{PARETO} --by accuracy", ["accuracy", "five networks"]),
        (f"{PARETO} --reduce some", ["some", "histogram"]),
        (f"{PARETO} --reduce best --by latency,memory", ["--by"]),
        (f"{PARETO} --reduce all --plot a.png", ["--plot"]),
        (f"{PARETO} --bw 1MB/s:1GB/s", ["from:to:count"]),
        (f"{PARETO} --bw 1GB/s:1MB/s:10", ["ascending"]),
        (f"{PARETO} --bw 1MB/s:1GB/s:1", ["2 to"]),
        (f"{PARETO} --bw 1MB/s,12furlong", ["12furlong"]),
        (f"{PARETO} --nodes 5000 --strategy disco", ["5000 nodes"]),
        (f"{PARETO} --jobs 0", ["--jobs"]),
        pytest.param(
            f"{PARETO} --scheduler tcp://127.0.0.1:1", ["no scheduler"], marks=pytest.mark.extras
        ),
        (f"{PARETO} --scheduler tcp://127.0.0.1:1 --jobs 2", ["--jobs or --scheduler"]),
        (f"{PARETO} --resume no/such/folder", ["no/such/folder"]),
        (
            f"{PARETO} --reduce all --bw 1MB/s:1GB/s:9999 --compute 1GOP/s:1TOP/s:9999",
            ["GB", "10,000,000"],
        ),
    ],
)
def test_bad_input_is_one_line(line: str, words: list[str], monkeypatch: Any, capsys: Any) -> None:
    assert call(line, monkeypatch) == 2
    out, err = capsys.readouterr()
    assert out == ""
    errors = [text for text in err.splitlines() if not text.startswith("note: ")]
    assert len(errors) == 1
    assert errors[0].startswith("discosim: ")
    for word in words:
        assert word in errors[0]
    assert not list(Path().iterdir())


def test_a_foreign_resume_file_is_left_alone(monkeypatch: Any, capsys: Any) -> None:
    Path("mine.txt").write_text("my notes\n", encoding="utf-8")
    assert call(f"{PARETO} --resume mine.txt", monkeypatch) == 2
    assert "no resume file" in capsys.readouterr().err
    assert Path("mine.txt").read_text(encoding="utf-8") == "my notes\n"


# Ctrl-C

LONG = (
    "--model resnet50 --strategy disco --overlap ideal --nodes 2:8 --s-comm 0:1:0.002 "
    "--bw 1MB/s:1GB/s:1000 --compute 1GMAC/s:1TMAC/s:1000"
)


@pytest.mark.exhaustive
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interruption_keeps_what_is_done(jobs: str, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "discosim", "pareto", *LONG.split(), "--jobs", jobs]
    leader, terminal = pty.openpty()
    process = subprocess.Popen(
        [*line, "--resume", "kept"], stdout=subprocess.PIPE, stderr=terminal, cwd=tmp_path
    )
    os.close(terminal)
    seen = b""
    deadline = time.monotonic() + 120
    while b"configurations" not in seen and time.monotonic() < deadline:
        seen += os.read(leader, 4096)  # the bar: some of it is done
    process.send_signal(signal.SIGINT)
    while True:
        try:
            more = os.read(leader, 4096)
        except OSError:
            break
        seen += more
        if not more:
            break
    out, _ = process.communicate(timeout=60)
    os.close(leader)
    assert process.returncode == 130
    assert out == b""
    assert b"go on with --resume kept" in seen
    assert b"discosim: interrupted" in seen
    assert b"Traceback" not in seen
    assert (tmp_path / "kept").exists()
