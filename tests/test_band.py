"""The band around a sweep's latencies."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discosim.cli.app import run
from discosim.explore.band import HIGH, LOW, band_columns
from discosim.explore.sweep import sweep_columns
from discosim.graph.table import LayerTable
from discosim.hardware import Hardware, load_profile
from discosim.report.sweep import verdicts
from discosim.report.sweep_plot import draw_sweep
from discosim.simulate import least_s
from discosim.timeline.cluster import Cluster
from discosim.timeline.schedule import schedule
from discosim.timeline.work import work_of
from tests.configurations import on, swept
from tests.strategies import hardware, tables

PI = replace(load_profile("rpi4-gigabit").hardware(), held_out_error=None)
STUDY = on("resnet18")


def _banded(node: Hardware, overlaps: list[str], **axes: list[float] | list[int]) -> pd.DataFrame:
    asked = {
        "strategies": ["disco", "branches", "single", "pipeline"],
        "nodes": axes.get("nodes", [2, 4]),
        "s_comm": axes.get("s_comm", [0.0, 0.8, 0.99]),
    }
    rows = sweep_columns(STUDY, hardware=[node], overlaps=overlaps, **asked)
    return pd.DataFrame(band_columns(rows, STUDY, [node], **asked))


@settings(max_examples=20)
@given(hardware(), st.lists(st.sampled_from(["none", "layer", "layer:5", "layer:best", "ideal"]),
                            min_size=1, max_size=3, unique=True))  # fmt: skip
def test_every_latency_lies_in_its_band(node: Hardware, overlaps: list[str]) -> None:
    frame = _banded(node, overlaps)
    assert (frame[LOW] <= frame["latency_s"] * (1 + 1e-9)).all()
    assert (frame["latency_s"] <= frame[HIGH] * (1 + 1e-9)).all()


def test_the_ends_are_what_is_busy_and_none_with_alpha() -> None:
    frame = _banded(PI, ["layer:4"])
    asked = {"strategies": ["disco", "branches", "single", "pipeline"], "nodes": [2, 4]}
    knob = [0.0, 0.8, 0.99]
    none = swept(STUDY, [PI], overlaps=["none"], s_comm=knob, **asked)
    ideal = swept(
        STUDY, [replace(PI, link_latency_s=0.0)], overlaps=["ideal"], s_comm=knob, **asked
    )
    busy = np.maximum(ideal["comm_s"], ideal["comp_s"])
    split = frame["strategy"] != "pipeline"
    assert frame[LOW][split].to_numpy() == pytest.approx(busy[split].to_numpy())
    assert frame[LOW][~split].to_numpy() == pytest.approx(ideal["latency_s"][~split].to_numpy())
    assert (frame[HIGH] >= none["latency_s"]).all()
    assert frame.drop(columns=[LOW, HIGH]).equals(
        swept(STUDY, [PI], overlaps=["layer:4"], s_comm=knob, **asked)
    )


@given(
    tables(), hardware(), st.integers(1, 4), st.floats(0, 1), st.sampled_from(["paper", "runtime"]),
    st.sampled_from(["stream:1", "stream:3", "stream:16", "ideal"]),
)  # fmt: skip
def test_no_schedule_is_below_the_band(
    table: LayerTable, node: Hardware, nodes: int, s_comm: float, kind: str, overlap: str
) -> None:
    """Layers stream into each other, and still no node or link does two things at once."""
    split = on(table, hardware=node, nodes=nodes, s_comm=s_comm, conventions=kind, overlap=overlap)
    played = schedule(work_of(split, Cluster((node,) * nodes)), split.overlap).latency_s
    low = float(least_s(table, split.plan(), node).item())
    assert low <= played * (1 + 1e-9)


def test_arrays_of_the_hardware_keep_their_order() -> None:
    node = replace(PI, bandwidth_Bps=np.geomspace(1e6, 1e9, 3), link_latency_s=np.array([0, 1e-3]))
    frame = _banded(node, ["none", "ideal"], nodes=[2], s_comm=[0.0, 0.9])
    assert (frame[LOW] <= frame["latency_s"] * (1 + 1e-9)).all()
    ideal = frame[(frame["overlap"] == "ideal") & (frame["link_latency_s"] == 0)]
    single = np.maximum(ideal["comm_s"], ideal["comp_s"])
    busy = np.where(ideal["strategy"] == "pipeline", ideal["latency_s"], single)
    assert ideal[LOW].tolist() == pytest.approx(busy.tolist())
    none = frame[frame["overlap"] == "none"]
    assert none[HIGH].tolist() == pytest.approx(none["latency_s"].tolist())


def test_the_error_of_a_profile_widens_the_band() -> None:
    sure, off = _banded(PI, ["none"]), _banded(replace(PI, held_out_error=0.5), ["none"])
    assert sure["latency_s"].tolist() == off["latency_s"].tolist()
    alone = off[off["strategy"] == "single"]
    assert alone[LOW].tolist() == pytest.approx((alone["latency_s"] / 1.5).tolist())
    assert alone[HIGH].tolist() == pytest.approx((alone["latency_s"] * 1.5).tolist())
    assert (off[LOW] <= sure[LOW] * (1 + 1e-12)).all()
    assert (off[HIGH] >= sure[HIGH] * (1 - 1e-12)).all()


def test_one_node_has_no_band() -> None:
    frame = _banded(PI, ["none"])
    alone = frame[frame["strategy"] == "single"]
    assert alone[LOW].tolist() == alone[HIGH].tolist() == alone["latency_s"].tolist()


def test_a_verdict_is_left_open_where_one_node_lies_within_the_band() -> None:
    frame = pd.DataFrame({"nodes": [2, 2, 2], "latency_s": 3.0, "speedup_vs_single": [0.5, 1, 2]})
    banded = frame.assign(latency_low_s=2.0, latency_high_s=4.0)
    assert [text.split(":")[0] for text in verdicts(banded)] == [
        "one node is faster", "open", "faster than one node"
    ]  # fmt: skip
    assert "open" not in " ".join(verdicts(frame))


def test_the_command_shows_and_draws_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    picture = tmp_path / "band.png"
    words = ["sweep", "--model", "resnet18", "--hw", "rpi4-gigabit", "--band"]
    monkeypatch.setattr(sys, "argv", ["discosim", *words, "--plot", str(picture)])
    assert run() == 0
    out = capsys.readouterr().out
    assert "at best" in out
    assert "at worst" in out
    assert picture.stat().st_size > 10_000


def test_the_picture_shades_it() -> None:
    frame = _banded(PI, ["none"])
    plain = frame.drop(columns=[LOW, HIGH])
    shaded, bare = (
        sum(len(axes.collections) for axes in draw_sweep(each).axes) for each in (frame, plain)
    )
    assert shaded > bare
