"""What people read: units, verdicts, the first lines."""

import numpy as np
import pandas as pd
import pytest

from discosim.explore.sweep import sweep
from discosim.hardware import load_profile
from discosim.report import frames, summary, tables

HMD = load_profile("splitnets-hmd").hardware()


def _findings(frame: pd.DataFrame, node=HMD) -> list[str]:
    single = sweep("resnet50", node, strategies=["single"], nodes=[1])
    return summary.findings(frame, single, [node])


def test_one_unit_serves_a_column() -> None:
    header, cells = tables.scaled(pd.Series([0.5773, 0.1222, 0.0084, 0.0, np.nan]), "comm", "s")
    assert header == "comm [ms]"
    assert cells == ["577", "122", "8.40", "0", "-"]
    assert tables.scaled(pd.Series([1.0, 2e6]), "n", "")[0] == "n [M]"
    assert tables.scaled(pd.Series([0.0]), "n", "B") == ("n [B]", ["0"])


def test_the_verdict_follows_the_speedup() -> None:
    frame = sweep("resnet50", nodes=[1, 2, 8], s_comm=[0.8])
    assert tables.verdicts(frame) == [
        "is one node",
        "one node is faster",
        "faster than one node",
    ]


def test_the_first_lines_say_what_the_rows_mean() -> None:
    lines = _findings(sweep("resnet50"))
    assert lines[0].startswith("Best: disco on 8 nodes at S_comm 1 takes")
    assert "independent branches" in lines[0]
    assert "N = 2 from S_comm 1" in lines[1]
    assert "the profile states none" in lines[2]


def test_what_fits_is_counted() -> None:
    node = load_profile("splitnets-hmd", {"memory.capacity": "40MB"}).hardware()
    frame = sweep("resnet50", node, nodes=[2], s_comm=[0.0, 0.8, 0.9])
    assert frame["fits"].tolist() == [False, True, True]
    assert "one node does not fit, 2 of 3 rows fit" in _findings(frame, node)[-1]
    assert "fits" in tables.show_results(frame)


def test_only_what_differs_is_a_column() -> None:
    same = tables.show_results(sweep("resnet18", nodes=[2]))
    assert "strategy" not in same
    assert "interval" not in " ".join(same.columns)
    other = tables.show_results(sweep("resnet18", strategies=["pipeline", "disco"], nodes=[2]))
    assert {"strategy", "S_comm", "avg S_comm [%]"} <= set(other.columns)
    assert any(name.startswith("interval") for name in other.columns)


def test_text_is_never_folded_and_ends_in_a_newline() -> None:
    frame = tables.show_results(sweep("resnet18"))
    text = tables.to_text(frame, ["a line"], 400)
    assert text.startswith("a line\n")
    assert len([line for line in text.splitlines() if "one node" in line]) >= 33
    assert text.endswith("\n")


def test_markdown_has_a_row_per_row() -> None:
    frame = tables.show_results(sweep("resnet18", nodes=[2]))
    lines = frames.to_markdown(frame, ["said first"]).splitlines()
    assert lines[0] == "- said first"
    assert len(lines) == 2 + 2 + len(frame)


@pytest.mark.parametrize("value", [np.nan, np.inf, None])
def test_what_is_not_there_is_null(value: float | None) -> None:
    frame = pd.DataFrame({"a": np.array([value], dtype=object)})
    assert frames.to_json(frame) == '[\n{"a": null}\n]\n'


def test_a_narrow_terminal_folds_and_loses_nothing() -> None:
    frame = tables.show_results(sweep("resnet18", nodes=[2], s_comm=[0.5]))
    text = tables.to_text(frame, [], 80)
    assert max(map(len, text.splitlines())) <= 80
    assert all(cell[:4] in text for cell in frame.iloc[0])
