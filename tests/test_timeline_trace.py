"""The trace against the published format, the picture, and the command."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from discosim.cli.app import run
from discosim.hardware import load_profile
from discosim.report.timeline import MOST_LINKS, draw_gantt, events_frame, links_busy, nodes_frame
from discosim.timeline.cluster import Cluster
from discosim.timeline.schedule import Timeline, schedule
from discosim.timeline.trace import to_chrome, trace_records
from discosim.timeline.work import work_of
from tests.configurations import on

Answer = Callable[..., tuple[int, str, str]]


def _timeline(nodes: int = 2, overlap: str = "layer:4", topology: str = "full-mesh") -> Timeline:
    node = replace(load_profile("splitnets-hmd").hardware(), topology=topology)
    given = on("resnet18", hardware=node, nodes=nodes, s_comm=0.8, overlap=overlap)
    return schedule(work_of(given, Cluster((node,) * nodes)), given.overlap)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Answer:
    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["discosim", "timeline", *words])
        code = run()
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def _check_format(document: Any) -> list[dict[str, Any]]:
    """The JSON Object Format: its fields, and those of complete ("X") and metadata ("M") events."""
    assert document["displayTimeUnit"] in ("ms", "ns")
    assert isinstance(document["otherData"], dict)
    complete = []
    for event in document["traceEvents"]:
        assert isinstance(event["name"], str)
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        if event["ph"] == "M":
            key = {"process_name": "name", "thread_name": "name"}.get(event["name"], "sort_index")
            assert event["name"] in ("process_name", "process_sort_index",
                                     "thread_name", "thread_sort_index")  # fmt: skip
            assert list(event["args"]) == [key]
            assert isinstance(event["args"][key], str if key == "name" else int)
        else:
            assert event["ph"] == "X"
            assert isinstance(event["cat"], str)
            assert event["ts"] >= 0
            assert event["dur"] >= 0
            complete.append(event)
    return complete


@pytest.mark.parametrize("overlap", ["none", "layer:4", "ideal", "stream:4"])
@pytest.mark.parametrize("topology", ["full-mesh", "switch", "shared", "ring"])
def test_the_trace_is_in_the_published_format(topology: str, overlap: str) -> None:
    timeline = _timeline(3, overlap, topology)
    document = json.loads(
        to_chrome(trace_records(timeline.events, ["a", "b", "c"]), {"run": "a test"})
    )
    complete = _check_format(document)
    assert len(complete) == len(timeline.events)
    threads: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for event in complete:
        threads.setdefault((event["pid"], event["tid"]), []).append(event)
    named = {(e["pid"], e["tid"]) for e in document["traceEvents"] if e["name"] == "thread_name"}
    assert set(threads) <= named
    # events of one thread have to nest: here they follow one another
    for events in threads.values():
        assert all(b["ts"] - a["ts"] - a["dur"] > -1e-6 for a, b in pairwise(events))
    last_us = max(event["ts"] + event["dur"] for event in complete)
    assert last_us == pytest.approx(timeline.latency_s * 1e6, abs=2e-3)


def test_tables_add_up() -> None:
    timeline = _timeline(3)
    nodes, events = nodes_frame(timeline), events_frame(timeline.events)
    total = events[events["kind"] == "message"]["bytes"].sum()
    assert nodes["sent_bytes"].sum() == pytest.approx(total)
    assert nodes["received_bytes"].sum() == pytest.approx(total)
    assert (nodes["compute_s"] + nodes["waiting_s"]).to_numpy() == pytest.approx(timeline.latency_s)
    assert max(links_busy(timeline).values()) <= timeline.latency_s


@pytest.mark.parametrize("nodes", [1, 2, 5])
def test_the_picture_has_a_row_for_each_node_and_link(nodes: int) -> None:
    timeline = _timeline(nodes)
    names = [f"board {i}" for i in range(nodes)]
    [axes] = draw_gantt(timeline.events, names, "a title").axes
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels[:nodes] == [f"node {i}: board {i}" for i in range(nodes)]
    assert len(labels) == nodes + min(MOST_LINKS, nodes * (nodes - 1))
    assert axes.get_xlabel() == "time [ms]"
    assert axes.get_xlim()[1] == pytest.approx(1e3 * timeline.latency_s)
    assert bool(axes.get_title()) == (nodes * (nodes - 1) > MOST_LINKS)


# The command


def test_the_command_writes_the_trace_and_the_picture(answer: Answer, tmp_path: Path) -> None:
    trace, picture = tmp_path / "trace.json", tmp_path / "gantt.png"
    code, out, err = answer(
        "--model", "resnet18", "--overlap", "stream:4", "--hw", "rpi4-gigabit,rpi5-gigabit",
        "-o", str(trace), "--plot", str(picture),
    )  # fmt: skip
    assert code == 0
    assert "rpi5-gigabit" in out
    assert "shares chosen" in err
    complete = _check_format(json.loads(trace.read_text(encoding="utf-8")))
    assert {event["cat"] for event in complete} == {"local", "remote", "message"}
    assert picture.stat().st_size > 10_000


def test_the_command_gives_the_events_as_data(answer: Answer) -> None:
    code, out, _ = answer("--model", "resnet18", "--format", "json")
    rows = json.loads(out)
    assert code == 0
    assert {"layer", "kind", "begin_s", "end_s", "bytes", "track"} <= set(rows[0])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--shares", "0.7,0.3,0.1"], "3 shares for 2 nodes"),
        (["--shares", "evn"], "wanted even, balanced, speed or one a node"),
        (["--shares", "1,-1"], "wanted even, balanced, speed or one a node"),
        (["--overlap", "stream:0"], "stream:K"),
        (["--hw", "rpi4-gigabit,rpi4-wifi"], "nodes of different topologies"),
        (["--hw", "rpi4-gigabit,rpi5-gigabit", "--nodes", "1"], "2 profiles for 1 nodes"),
        (["-o", "trace.csv"], "wanted a suffix of .json"),
        (["-o", "/nowhere/trace.json"], "cannot write"),
        (["--plot", "picture.doc"], "wanted a suffix"),
        (["--strategy", "pipeline", "--shares", "0.5,0.5"], "no --shares"),
        (["--nodes", "2,4"], "--nodes takes one value"),
        (["--strategy", "disko"], "did you mean disco"),
    ],
)
def test_a_mistake_is_answered_in_one_line(answer: Answer, words: list[str], says: str) -> None:
    code, out, err = answer("--model", "resnet18", *words)
    assert code == 2
    assert out == ""
    assert says in err
    assert err.count("\n") == 1


def test_what_was_chosen_is_told(answer: Answer) -> None:
    _, _, err = answer("--model", "resnet18", "--strategy", "dense-then-split", "--s-comm", "0.5")
    assert "--s-comm has no effect" in err
    assert "cuts at" in err
    code, out, _ = answer("--model", "resnet18", "--strategy", "single", "--shares", "balanced")
    assert code == 0
    assert "node 0 computes most" in out.lower()
