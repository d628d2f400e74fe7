"""The page's document: knots, columns kept once, coefficients that hold, text that stays text."""

import json
import re
import shlex
import sys
import zlib
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import discosim as ds
from discosim.cli.app import run
from discosim.errors import DiscosimError
from discosim.graph.table import Floats
from discosim.hardware import Hardware, load_profile, profile_names
from discosim.page.coefficients import network_json
from discosim.page.knots import STEPS, knots
from discosim.page.pool import Pool, packed
from discosim.page.write import packed_document
from discosim.simulate import simulate
from discosim.strategies.strategy import STRATEGIES
from tests.configurations import on

shares = st.floats(0.05, 0.95)
sizes = st.floats(1e-3, 1e9)
FREE = [name for name in STRATEGIES if not STRATEGIES[name].weighs]
"""Strategies whose plans are the same whatever the numbers of the hardware."""


# Functions of S_comm


@given(at=shares, low=sizes, kink=sizes, high=sizes, end=sizes)
def test_straight_pieces_and_a_jump_are_found(
    at: float, low: float, kink: float, high: float, end: float
) -> None:
    def of(s: Floats) -> Floats:
        bent = np.interp(s, [0.0, at, 1.0], [low, kink, high])
        return np.stack([np.where(s == 1, end, bent), 3.0 + 0.0 * s], axis=1)

    found = knots(of, knob=True)
    if found.stepped:  # a bend too slight to be told from none, or too near an end
        return
    assert found.s[0] == 0
    assert found.s[-1] == 1
    assert (np.diff(found.s) >= 0).all()
    tried = np.linspace(0.0, 0.998, 57)
    place = np.clip(np.searchsorted(found.s, tried, side="right") - 1, 0, len(found.s) - 2)
    a, b = found.s[place], found.s[place + 1]
    part = ((tried - a) / (b - a))[:, None]
    values = (1 - part) * found.values[place] + part * found.values[place + 1]
    scale = max(low, kink, high, end)
    assert np.abs(values - of(tried)).max() <= 1e-9 * scale
    assert np.abs(found.values[-1] - [end, 3.0]).max() <= 1e-9 * scale


def test_a_bend_and_no_bend() -> None:
    bent = knots(lambda s: np.minimum(1.0, 3.0 * (1.0 - s))[:, None], knob=True)
    assert bent.s.tolist() == pytest.approx([0.0, 2 / 3, 1.0])
    straight = knots(lambda s: (1.0 - s)[:, None], knob=True)
    assert straight.s.tolist() == [0.0, 1.0]
    assert knots(lambda s: 7.0 + 0.0 * s[:, None], knob=False).values.tolist() == [[7.0]]


def test_whole_features_are_kept_in_steps() -> None:
    found = knots(lambda s: np.floor((1.0 - s) * 64 + 0.5)[:, None], knob=True)
    assert found.stepped
    assert found.s.tolist() == STEPS.tolist()


# Columns


def test_a_multiple_of_a_column_is_that_column() -> None:
    pool = Pool()
    column = np.array([3.0, 0.0, 5.0, 3.0])
    assert pool.add(4 * column) == [0, 4]
    assert pool.columns[0].tolist() == column.tolist()
    assert pool.add(column / 7) == [0, pytest.approx(1 / 7, rel=1e-13)]
    assert pool.add(np.zeros(4)) == 0
    assert pool.add(np.array([1.0, 0.0, 0.0, 1.0])) == [1, 1]
    firsts, kinds = pool.alike(4)
    assert len(firsts) == 3
    assert kinds[0] == kinds[3]


def test_runs_are_packed() -> None:
    assert packed([0.0, 0.0, 0.0, 2.0, 2.0, 0.0, 0.5]) == [-3, 0, 2, 2, 0, 0.5]


# Coefficients


def _nodes(every: int) -> list[Hardware]:
    """Profiles, one of so many."""
    profiles = [load_profile(name) for name in profile_names()[::every]]
    return [profile.hardware(profile.dtypes[0]) for profile in profiles]


@pytest.mark.parametrize(
    ("model", "names", "every"),
    [("resnet18/8", ["disco", "rows", "pipeline"], 1), ("deit-ti/3", FREE, 8)],
)
def test_coefficients_hold_on_every_profile(model: str, names: list[str], every: int) -> None:
    """`Sampled.exact` holds them against `simulate`: where they did not, there would be a curve."""
    nodes = _nodes(every)
    base = on(model, hardware=nodes[0])
    found, left_out = network_json(base, nodes, names, [5], ("none", "layer", "ideal"))
    assert (found["curves"], left_out) == ({}, [])


@pytest.mark.parametrize("name", FREE)
def test_a_plan_that_does_not_weigh_is_the_same_on_other_numbers(name: str) -> None:
    node = load_profile("rpi4-gigabit").hardware()
    other = replace(node, bandwidth_Bps=1e4, link_latency_s=0.1, compute_macps=1e13)
    base = on("deit-ti/3", hardware=node, strategy=name, nodes=3)
    costs = [
        simulate(base.table, replace(base, hardware=each).plan(), node) for each in (node, other)
    ]
    assert costs[0].latency_s == costs[1].latency_s
    assert costs[0].node_bytes == costs[1].node_bytes


def test_what_cannot_be_is_left_out_and_told() -> None:
    node = load_profile("rpi4-gigabit").hardware()
    base = on("resnet18/8", hardware=node)
    places, left_out = network_json(base, [node], ["disco"], [2, 5000], ["none"])
    assert list(places["places"]) == ["0/disco/2"]  # type: ignore[call-overload]
    assert "5000 nodes" in left_out[0]
    with pytest.raises(DiscosimError, match="5000 nodes"):
        network_json(base, [node], ["disco"], [5000], ["none"])


# Files


def _document(html: str) -> dict[str, object]:
    [text] = re.findall(r'<script type="text/plain" id="document">(.*?)</script>', html)
    found: dict[str, object] = json.loads(zlib.decompress(b64decode(text)))
    return found


def test_a_page_is_whole_and_says_its_version() -> None:
    page = ds.explore(
        "resnet18/8", ["rpi4-gigabit", "rpi5-gigabit"], nodes="1:3", bandwidth="5MB/s"
    )
    made = _document(page.html)
    assert (made["format"], made["version"]) == ("discosim-explore", 1)
    assert [each["name"] for each in made["networks"]] == ["resnet18/8"]  # type: ignore[attr-defined]
    assert not re.search(r"\{\{|https?://(?!www\.w3\.org/2000/svg)|\bimport .* from", page.html)
    assert len(page.frame) == 2
    number = made["profiles"][0]["numbers"]["bandwidth"]  # type: ignore[index]
    assert number == {"value": 5e6, "text": "5MB/s", "given": True}


@given(name=st.text())
def test_a_document_stays_text_inside_html(name: str) -> None:
    text = packed_document({name: [name, "</script><!-- & \u2028"]})
    assert not set("<>&\u2028\"'") & set(text)
    kept = json.loads(zlib.decompress(b64decode(text)))
    assert kept == {name: [name, "</script><!-- & \u2028"]}


def _command(line: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["discosim", *shlex.split(line)])
    return run()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("explore --model resnet18/8 -o page.txt", "wanted a suffix of .html"),
        ("explore --model resnet18/8 -o nowhere/page.html", "cannot write"),
        ("explore --model resnet18/8", "wanted -o page.html or --open"),
        ("explore --model resnet18/8 --nodes 5000 -o page.html", "5000 nodes"),
        ("explore --model resnet51 -o page.html", "resnet50"),
        ("explore --model resnet18/8 --strategy disc -o page.html", "disco"),
        ("explore --model resnet18/8 --s-comm 0,1 -o page.html", "--s-comm takes one value"),
        ("sweep --model resnet18/8 --html page.htm", "wanted a suffix of .html"),
        ("size --model resnet18/8 --latency 1s --html nowhere/page.html", "cannot write"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    line: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _command(line, monkeypatch) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "picture"),
    [
        ("sweep --model resnet18/8 --nodes 2", True),
        ("size --model resnet18/8 --latency 1s --max-nodes 2 --jobs 1", True),
        ("plan --model resnet18/8 --hw rpi4-gigabit", True),
    ],
)
def test_an_answer_is_handed_on_as_one_file(
    line: str,
    picture: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "<b>.html"
    assert _command(f"{line} --html '{path}'", monkeypatch) == 0
    html = path.read_text(encoding="utf-8")
    shown = capsys.readouterr().out
    assert shown.splitlines()[0].split(";")[0] in html
    assert ("data:image/svg+xml;base64," in html) == picture
    assert "<table>" in html
    assert f"discosim {line.split()[0]}" in html
    assert "<b>" not in html
    assert not re.search(r"\{\{|<script|https?://", html)


def test_names_in_a_report_are_text() -> None:
    evil = "</title><script>alert(1)</script>\"'\u2028"
    named = replace(ds.network("resnet18/8"), name=evil)
    html = ds.sweep(named, "rpi4-gigabit", nodes=2).page(f"discosim sweep --model '{evil}'")
    assert "&lt;script&gt;alert(1)" in html
    assert "<script" not in html
    assert html.count("</title>") == 1


def test_the_browser_is_opened_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    path = tmp_path / "page.html"
    assert _command(f"explore --model resnet18/8 --nodes 2 -o {path} --open", monkeypatch) == 0
    assert opened == [path.as_uri()]
    assert _command("explore --model resnet18/8 --nodes 2 --open", monkeypatch) == 0
    assert opened[1].startswith(tmp_path.as_uri())
    assert opened[1].endswith("/page.html")
