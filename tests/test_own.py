"""`size --own`: of nodes that are there, which ones; alike nodes are those of a sweep."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import discosim as ds
from discosim.cli.app import run
from discosim.door.own import inventory, own
from discosim.errors import DiscosimError
from discosim.hardware import load_profile
from discosim.networks import build

NODE = load_profile("disco-fig4").hardware()
FAST = replace(NODE, name="fast", compute_macps=4e9 * 4)
NET = build("resnet18/8", (3, 32, 32))


@settings(max_examples=10)
@given(st.floats(2e-5, 5e-3), st.integers(1, 3))
def test_alike_nodes_take_what_a_sweep_says(latency: float, count: int) -> None:
    answer = own(NET, [(NODE, count)], latency=latency)
    for row in answer.frame.to_dict("records"):
        knob = 0.0 if np.isnan(row["s_comm"]) else row["s_comm"]
        asked = {"strategies": row["strategy"], "nodes": int(row["nodes"]), "s_comm": knob}
        [seconds] = ds.sweep(NET, NODE, **asked).frame["latency_s"]
        assert row["latency_s"] == pytest.approx(seconds, rel=1e-9)
        assert row["kept"] == (row["latency_s"] <= latency)


@settings(max_examples=8)
@given(st.floats(1e-5, 5e-3))
def test_what_is_chosen_keeps_the_latency_with_the_fewest_nodes_and_the_least_s_comm(
    latency: float,
) -> None:
    frame = own(NET, [(FAST, 1), (NODE, 1)], latency=latency).frame
    kept = frame[frame["kept"]]
    assert frame["kept"].is_monotonic_decreasing
    assert kept["nodes"].is_monotonic_increasing
    for row in kept[kept["strategy"] == "disco"].to_dict("records"):
        if row["s_comm"] > 0:  # a step less sparse misses it, with either shares
            less = own(NET, [(FAST, 1), (NODE, 1)], latency=row["latency_s"] * 0.999).frame
            again = less[(less["strategy"] == "disco") & (less["nodes"] == row["nodes"])]
            assert (again["s_comm"] >= row["s_comm"]).all() or not again["kept"].any()


def test_where_nothing_keeps_it_that_is_said_and_the_nearest() -> None:
    answer = own(NET, [(NODE, 2)], latency=1e-9)
    assert answer.lines[0].startswith("Nothing of these nodes keeps 1 ns. Nearest: ")
    assert not answer.frame["kept"].any()
    full = own(NET, [(replace(NODE, memory_bytes=1e3), 2)], latency=1.0)
    assert "does not fit" in full.lines[0]


def test_whole_nodes_in_turn_add_up() -> None:
    one = own(NET, [(NODE, 1)], latency=1.0)
    assert own(NET, [(NODE, 3)], latency=1.0).per_s == pytest.approx(3 * one.per_s)
    assert one.per_s == pytest.approx(1 / one.frame["latency_s"].item())


def test_an_inventory_is_written_as_people_count() -> None:
    found = inventory("rpi5-gigabit, 3xRPi4-gigabit,2 x raspberrypi4")
    assert [(node.name, count) for node, count in found] == [
        ("rpi5-gigabit", 1), ("rpi4-gigabit", 3), ("rpi4-gigabit", 2),
    ]  # fmt: skip
    with pytest.raises(DiscosimError, match="none of a node"):
        inventory("0xrpi4-gigabit")
    with pytest.raises(DiscosimError, match="--latency or --throughput"):
        own(NET, "2xdisco-fig4")
    with pytest.raises(DiscosimError, match="ways to choose"):
        own(NET, [(NODE, 300)], latency=1.0)


def test_the_command_takes_one_or_the_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "size resnet18/8 --input 32 --own disco-fig4,disco-fig4 --latency 1s --as-built"
    monkeypatch.setattr(sys, "argv", ["discosim", *line.split()])
    assert run() == 0
    assert "resnet18/8 within 1 s: 1 disco-fig4" in capsys.readouterr().out
    for flag, text in (("--price", "3USD"), ("--objective", "memory")):  # of which one is usual
        monkeypatch.setattr(sys, "argv", ["discosim", *line.split(), flag, text])
        assert run() == 2
        assert f"--own takes no {flag}" in capsys.readouterr().err
