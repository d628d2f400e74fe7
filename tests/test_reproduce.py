"""`discosim reproduce`."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from discosim import paper
from discosim.cli.app import run
from discosim.paper.row import COLUMNS, Row, frame

FIRST = ["id", "where", "published", "computed", "error", "tolerance", "status", "reason"]


def reproduce(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["discosim", "reproduce", *arguments])
    return run()


def test_everything_that_should_fit_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reproduce(monkeypatch) == 0
    printed = capsys.readouterr().out
    assert "Table V, dense-then-split, loc. 2" in printed
    assert "differ" in printed


def test_csv_has_the_promised_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reproduce(monkeypatch, "--only", "tab5,claims", "--format", "csv") == 0
    read = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert list(read.columns) == list(COLUMNS)
    assert list(read.columns[:8]) == FIRST
    row = read.set_index("id").loc["tab5.dense-then-split.2.s_comm"]
    assert row["where"] == "Table V, dense-then-split, loc. 2"
    assert row["published"] == 44
    assert row["computed"] == pytest.approx(44.41, abs=0.01)
    assert row["accuracy"] == 31.91
    assert set(read["status"]) == {"fits", "differs", "not published"}
    quoted = read[read["id"].str.startswith("claims.accuracy")]
    assert quoted["accuracy"].tolist() == [55.55, 71.89]


def test_json_goes_to_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    target = tmp_path / "rows.json"
    assert reproduce(monkeypatch, "--only", "tab1", "-o", str(target)) == 0
    rows = json.loads(target.read_text(encoding="utf-8"))
    assert rows[0]["id"] == "tab1.dense.s_comm"
    assert all(row["status"] == "fits" for row in rows)


def test_costs_of_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reproduce(monkeypatch, "--only", "tab1", "--costs", "--format", "csv") == 0
    read = pd.read_csv(io.StringIO(capsys.readouterr().out)).set_index("where")
    disco = read.loc["Table I, disco, 80 %"]
    assert disco["latency_s"] == pytest.approx(0.1222, abs=1e-4)
    assert disco["speedup_vs_dense"] == pytest.approx(4.72, abs=0.01)
    assert disco["speedup_vs_single"] < 1 < read.loc["Table I, disco, 99 %", "speedup_vs_single"]


def test_pictures_go_to_a_folder_that_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "pictures"
    assert reproduce(monkeypatch, "--only", "tab1,fig1", "--plots", str(folder)) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["fig1.png", "tab1.png"]
    assert "fig1.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--only", "tab9"), "unknown part of the paper 'tab9'"),
        (("--only", "tab1,tab2", "--costs"), "--only tab1 --costs"),
        (("--only", "claims", "--costs"), "--only tab1 --costs"),
        (("--plots", "/dev/null/x"), "--plots /dev/null/x"),
    ],
)
def test_what_cannot_be_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    assert reproduce(monkeypatch, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert words in printed.err
    assert printed.err.count("\n") == 1


def test_a_number_that_should_fit_and_does_not_gives_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = paper.SECTIONS["tab1"]
    wrong = replace(own, rows=lambda: frame([Row("tab1.x", "Table I, x", 10.0, 12.0)]))
    monkeypatch.setitem(paper.SECTIONS._entries, "tab1", wrong)
    assert reproduce(monkeypatch, "--only", "tab1") == 1
    assert "unexpected: tab1.x" in capsys.readouterr().out


@pytest.mark.exhaustive
def test_matplotlib_is_not_imported_without_pictures() -> None:
    code = "import sys; from discosim.paper import rows; rows(); print('matplotlib' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, encoding="utf-8"
    )
    assert result.stdout.strip() == "False"
