"""The command line where nodes are unlike, and where something was assumed for the user."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from discosim.cli.app import run
from discosim.hardware import load_profile

PROFILE = """
description = "a node"
[link]
bandwidth = {{ value = "1000TB/s", source = "test" }}
latency = {{ value = "0s", source = "test" }}
topology = "full-mesh"
source = "test"
[compute]
fp32 = {{ value = "{rate}", source = "test" }}
[memory]
capacity = {{ value = "{memory}", source = "test" }}
"""


def _asked(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[str, str]:
    monkeypatch.setattr(sys, "argv", ["discosim", *shlex.split(command)])
    code = run()
    out, err = capsys.readouterr()
    assert code == 0, err
    return out, err


@pytest.fixture
def two(tmp_path: Path) -> str:
    """A: 1 GMAC/s, 10 MB. B: 0.25 GMAC/s, 64 MB."""
    for name, rate, memory in (("a", "1GMAC/s", "10MB"), ("b", "0.25GMAC/s", "64MB")):
        (tmp_path / f"{name}.toml").write_text(
            PROFILE.format(rate=rate, memory=memory), encoding="utf-8"
        )
    return f"{tmp_path}/a.toml,{tmp_path}/b.toml"


def test_a_list_of_nodes_keeps_its_places(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three nodes of one kind and one of another, not two of each in turn."""
    names = ["rpi5-gigabit"] * 3 + ["rpi4-gigabit"]
    out, _ = _asked(
        f"timeline --model resnet18 --nodes 4 --hw {','.join(names)} --shares even",
        monkeypatch, capsys,
    )  # fmt: skip
    rows = [line.split() for line in out.splitlines() if "gigabit" in line]
    assert [row[1] for row in rows] == names


def test_a_sweep_takes_each_profile_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = _asked(
        "sweep --model resnet18 --nodes 2 --s-comm 0.8 --hw rpi5-gigabit,rpi5-gigabit "
        "--format json", monkeypatch, capsys,
    )  # fmt: skip
    assert len(json.loads(out)) == 1


def test_a_node_that_does_not_hold_its_share_is_named(
    two: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By speed, A gets 80 % of the weights, more than its 10 MB; balanced shares fit."""
    given = f"timeline --model resnet18 --input 64 --s-comm 0.8 --hw {two}"
    by_speed, _ = _asked(f"{given} --shares 0.8,0.2", monkeypatch, capsys)
    assert "Node 0 (a) does not fit" in by_speed
    assert "of its 10 MB" in by_speed
    balanced, _ = _asked(given, monkeypatch, capsys)
    assert "does not fit" not in balanced


def test_a_stream_through_unlike_nodes_is_told(
    two: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = _asked(
        f"timeline --model resnet18 --input 64 --strategy pipeline --hw {two}", monkeypatch, capsys
    )
    assert "Of a stream of inputs, a result comes every" in out
    assert "does not fit" not in out


def test_tops_are_those_of_data_sheets_and_it_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = "sweep --model resnet18 --nodes 2 --s-comm 0.8 --format json --compute"
    for text, macps in (("4TOPS", 2e12), ("4TOP/s", 4e12), ("2TMAC/s", 2e12)):
        out, err = _asked(f"{given} {text}", monkeypatch, capsys)
        assert json.loads(out)[0]["compute_macps"] == macps
        assert ("two operations a MAC" in err) == (text == "4TOPS")


def test_a_profile_says_what_its_own_tops_are(tmp_path: Path) -> None:
    for line, macps in (("", 2e12), ("ops_per_mac = 1", 4e12), ("ops_per_mac = 2", 2e12)):
        path = tmp_path / "node.toml"
        path.write_text(line + PROFILE.format(rate="4TOPS", memory="1GB"), encoding="utf-8")
        assert load_profile(str(path)).hardware().compute_macps == macps


def test_whole_heads_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = _asked("sweep --model deit-ti --nodes 3,8 --s-comm 0.8", monkeypatch, capsys)
    assert "3 heads: on 8 nodes heads and groups are placed whole" in err
    _, err = _asked("sweep --model deit-ti --nodes 3 --s-comm 0.8", monkeypatch, capsys)
    assert "whole" not in err


@pytest.mark.parametrize("selection", ["independent", "common", "apart"])
def test_selections_are_a_choice(
    selection: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """resnet18 on 13 nodes at S_comm 0.9: 2.527 ms with one selection for all readers."""
    out, _ = _asked(
        "sweep --model resnet18 --nodes 13 --s-comm 0.9 --conventions runtime --format json "
        f"--selection {selection}", monkeypatch, capsys,
    )  # fmt: skip
    latency_s = json.loads(out)[0]["latency_s"]
    said, _ = _asked(
        f"sweep --model resnet18 --nodes 2 --s-comm 0.9 --no-resend --selection {selection}",
        monkeypatch, capsys,
    )  # fmt: skip
    assert f"{selection} selections, paper conventions" in said
    assert (latency_s == pytest.approx(2.527e-3, abs=5e-7)) == (selection == "common")
