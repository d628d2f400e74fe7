"""`discosim breakeven`: data for scripts, words for people, a picture, one line for faults."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from discosim.cli.app import run

FIRST = "breakeven --model resnet50"


class Cli:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, line: str) -> tuple[int, str, str]:
        self.monkeypatch.setattr(sys, "argv", ["discosim", *line.split()])
        code = run()
        return code, *self.capsys.readouterr()

    def records(self, line: str) -> list[dict[str, Any]]:
        code, out, err = self(f"{line} --format json")
        assert code == 0, err
        found: list[dict[str, Any]] = json.loads(out)
        return found


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    monkeypatch.chdir(tmp_path)
    return Cli(monkeypatch, capsys)


@pytest.mark.parametrize("rest", ["", "--overlap layer:2 --link-latency 10us", "--versus N-1"])
def test_sweep_finds_the_two_equal_at_the_value(rest: str, cli: Cli) -> None:
    [record] = cli.records(f"{FIRST} --nodes 2 --solve bw {rest}")
    assert record["unit"] == "B/s"
    same = rest.replace("--versus N-1", "")
    [row] = cli.records(
        f"sweep --model resnet50 --nodes 2 --s-comm 0.8 --bw {record['value']!r}B/s {same}"
    )
    assert row["speedup_vs_single"] == pytest.approx(1, rel=1e-9)
    assert row["latency_s"] == pytest.approx(record["latency_s"])


def test_a_record_for_each_hardware_n_and_s_comm(cli: Cli) -> None:
    records = cli.records(
        f"{FIRST} --hw rpi4-wifi,rpi4-gigabit --nodes 2,3 --s-comm 0.8,0.9 --solve bw"
    )
    assert len(records) == 8
    keys = ["solve", "value", "unit", "faster", "reason", "method", "latency_s"]
    assert list(records[0])[:7] == keys
    assert {(r["hardware"], r["nodes"], r["s_comm"]) for r in records} == {
        (h, n, s) for h in ("rpi4-wifi", "rpi4-gigabit") for n in (2, 3) for s in (0.8, 0.9)
    }


@pytest.mark.parametrize(
    ("solve", "unit", "null"),
    [("link-latency", "s", None), ("s-comm", "1", "s_comm"), ("nodes", "nodes", "nodes")],
)
def test_what_is_solved_for_is_null_in_its_own_column(
    solve: str, unit: str, null: str | None, cli: Cli
) -> None:
    [record] = cli.records(f"{FIRST} --solve {solve}")
    assert record["unit"] == unit
    assert (record["value"] is None) == bool(record["reason"])
    assert null is None or record[null] is None


def test_the_words_say_where_the_hardware_at_hand_stands(cli: Cli) -> None:
    _, out, _ = cli(f"{FIRST} --nodes 2,8")
    assert "at 37.5 MB/s, as on splitnets-hmd, one node is faster" in out
    assert "at 37.5 MB/s, as on splitnets-hmd, 8 nodes are faster" in out
    _, out, _ = cli(f"{FIRST} --solve link-latency")
    assert "No break-even: even if messages had no latency" in out


def test_solving_for_nodes_ends_where_it_is_told_to(cli: Cli) -> None:
    [found] = cli.records(f"{FIRST} --solve nodes")
    least = found["value"]
    [there] = cli.records(f"{FIRST} --solve nodes --max-nodes {least}")
    [before] = cli.records(f"{FIRST} --solve nodes --max-nodes {least - 1}")
    assert (there["value"], before["value"]) == (least, None)


@pytest.mark.parametrize(
    "rest", ["--nodes 2,4", "--solve link-latency --versus N-1 --nodes 3", "--hw rpi4-wifi"]
)
def test_the_surface_is_drawn(rest: str, cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli(f"breakeven --model resnet18 {rest} --plot surface.png")
    assert code == 0, err
    assert "wrote surface.png" in err
    assert (tmp_path / "surface.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"{FIRST} --solve bandwidth", ["bw"]),
        (f"{FIRST} --solve s-comm --s-comm 0.5", ["--s-comm", "leave"]),
        (f"{FIRST} --solve nodes --nodes 4", ["--nodes", "leave"]),
        (f"{FIRST} --max-nodes 8", ["--solve nodes"]),
        (f"{FIRST} --solve nodes --max-nodes 1", ["2 or more"]),
        (f"{FIRST} --solve nodes --plot x.png", ["--plot"]),
        (f"{FIRST} --nodes 2:20 --plot x.png", ["12"]),
        (f"{FIRST} --nodes 1", ["2 or more"]),
        (f"{FIRST} --nodes 9999", ["2048 features"]),
        (f"{FIRST} --versus 2", ["N-1"]),
        (f"{FIRST} --overlap layr", ["layer:K"]),
        (f"{FIRST} --s-comm 2", ["2"]),
        (f"{FIRST} --plot x.bmp", [".png"]),
        (f"{FIRST} -o x.xlsx", [".csv"]),
        ("breakeven --model resnet5", ["resnet50"]),
    ],
)
def test_bad_input(line: str, words: list[str], cli: Cli, tmp_path: Path) -> None:
    code, out, err = cli(line)
    assert (code, out) == (2, "")
    assert err.startswith("discosim: ")
    assert len(err.splitlines()) == 1, err
    for word in words:
        assert word in err, err
    assert not list(tmp_path.iterdir())
