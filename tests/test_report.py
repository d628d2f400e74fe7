"""What people and programs read: units, verdicts, the first lines, CSV, JSON and Markdown."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discosim.hardware import Hardware, load_profile
from discosim.report import frames, summary, tables
from discosim.report.layers import layer_findings, show_layers
from discosim.report.sweep import show_results, verdicts
from tests.configurations import by_layer, on, swept

HMD = load_profile("splitnets-hmd").hardware()


def _findings(frame: pd.DataFrame, *nodes: Hardware) -> list[str]:
    each = list(nodes) or [HMD]
    single = swept("resnet50", each, strategies=["single"], nodes=[1])
    return summary.findings(frame, single, each)


# Columns for people


def test_one_unit_serves_a_column() -> None:
    header, cells = tables.scaled(pd.Series([0.5773, 0.1222, 0.0084, 0.0, np.nan]), "comm", "s")
    assert header == "comm [ms]"
    assert cells == ["577", "122", "8.40", "0", "-"]
    assert tables.scaled(pd.Series([1.0, 2e6]), "n", "")[0] == "n [M]"
    assert tables.scaled(pd.Series([0.0]), "n", "B") == ("n", ["0"])
    assert tables.scaled(pd.Series([2e-6]), "n", "s", [2.0, 3.0]) == ("n [s]", ["2.0e-06"])
    assert tables.scaled(pd.Series([3, 5]), "n", "") == ("n", ["3.00", "5.00"])
    assert tables.scaled(pd.Series([1e-15]), "t", "s") == ("t [ns]", ["1.0e-06"])
    assert tables.scaled(pd.Series([np.nan, np.inf]), "t", "s") == ("t [s]", ["-", "-"])


@given(
    values=st.lists(st.floats(1e-12, 1e15), min_size=1, max_size=10),
    unit=st.sampled_from(("s", "B", "")),
)
def test_a_cell_is_its_number_to_three_digits(values: list[float], unit: str) -> None:
    header, cells = tables.scaled(pd.Series(values), "x", unit)
    prefix = header.removeprefix("x").strip(" []")
    factor = next(factor for factor, text in tables.UNITS[unit] if text == prefix)
    for value, cell in zip(values, cells, strict=True):
        shown = float(cell.replace(",", "")) * factor
        assert shown == pytest.approx(value, rel=0.06, abs=1e-300)
        if value / factor >= 1e-2:
            assert shown == pytest.approx(value, rel=0.0051)


def test_the_verdict_follows_the_speedup() -> None:
    frame = swept("resnet50", nodes=[1, 2, 8], s_comm=[0.8])
    assert verdicts(frame) == ["is one node", "one node is faster", "faster than one node"]
    same = pd.DataFrame({"nodes": [2], "speedup_vs_single": [1.0]})
    assert verdicts(same) == ["as fast as one node"]


def test_only_what_differs_is_a_column() -> None:
    same = show_results(swept("resnet18", nodes=[2]))
    assert not {"hardware", "strategy", "at", "overlap", "fits"} & set(same)
    assert "interval" not in " ".join(same)
    other = show_results(swept("resnet18", strategies=["pipeline", "disco"], nodes=[2]))
    assert {"strategy", "S_comm", "avg S_comm [%]"} <= set(other)
    assert any(name.startswith("interval") for name in other)
    pair = [HMD, load_profile("rpi4-wifi").hardware()]
    both = show_results(swept("resnet18", pair, nodes=[2], overlaps=["none", "ideal"]))
    assert {"hardware", "overlap", "fits"} <= set(both)
    assert dict.fromkeys(both["fits"]) == dict.fromkeys(["-", "yes"])


def test_shares_of_the_layers_are_all_of_the_time() -> None:
    shown = show_layers(by_layer(on("resnet18"), HMD))
    assert sum(map(float, shown["share [%]"])) == pytest.approx(100, abs=0.05 * len(shown["layer"]))


def test_text_is_never_folded_and_ends_in_a_newline() -> None:
    frame = show_results(swept("resnet18"))
    text = tables.to_text(frame, ["a line"], 400)
    assert text.startswith("a line\n")
    assert len([line for line in text.splitlines() if "one node" in line]) >= 39
    assert text.endswith("\n")
    assert not any(line.endswith(" ") for line in text.splitlines())


@pytest.mark.parametrize("words", ["[bold]x[/bold]", "[/]", ":smile:", "[link=a]b", "x" * 300])
def test_words_are_shown_as_they_are(words: str) -> None:
    text = tables.to_text({"name": [words], "n [s]": ["1"]}, [words], 400)
    assert text.count(words) == 2
    assert "n [s]" in text


# The first lines


def test_the_first_lines_say_what_the_rows_mean() -> None:
    lines = _findings(swept("resnet50"))
    assert lines[0].startswith("Best: disco on 8 nodes at S_comm 0.99 takes")
    assert lines[1].startswith("At S_comm 1 disco on 8 nodes takes")
    assert "independent branches" in lines[1]
    assert lines[2].startswith("One node is faster than 28 of 36 rows below S_comm 1")
    assert "N = 2 from S_comm 0.99, N = 4 from S_comm 0.9, N = 8 from S_comm 0.8" in lines[2]
    assert "the profile states none" in lines[3]
    assert "Table I," in lines[4]


def test_a_best_row_that_loses_to_one_node_is_said_to_be_slower() -> None:
    best, *_ = _findings(swept("resnet50", nodes=[2], s_comm=[0.0, 0.5]))
    assert "disco on 2 nodes at S_comm 0.5" in best
    assert best.endswith("x slower.")
    [best, *_] = _findings(swept("resnet50", strategies=["single"], nodes=[1]))
    assert best.startswith("Best: single on 1 node takes")
    assert "er." not in best


def test_where_splitting_never_wins_it_says_so() -> None:
    lines = _findings(swept("resnet50", nodes=[2], s_comm=[0.0, 0.5]))
    assert lines[1] == "One node is always faster: than all 2 rows below S_comm 1."
    both = _findings(swept("resnet50", nodes=[2, 4], s_comm=[0.0, 0.9]))
    assert "N = 2 never, N = 4 from S_comm 0.9" in both[1]


def test_what_fits_is_counted() -> None:
    node = load_profile("splitnets-hmd", {"memory.capacity": "40MB"}).hardware()
    frame = swept("resnet50", node, nodes=[2], s_comm=[0.0, 0.8, 0.9])
    assert frame["fits"].tolist() == [False, True, True]
    first, best, fits, memory, _ = _findings(frame, node)
    assert first == "One node does not fit: it needs at least 109 MB of 40 MB."
    assert best.endswith("one node with enough memory would take 32.7 ms.")
    assert fits == "It fits: N = 2 from S_comm 0.8 (of the values asked for)."
    assert "one node does not fit, 2 of 3 rows fit" in memory
    alone = {frame["hardware"][0]: False}
    assert verdicts(frame, alone) == ["does not fit", *["fits; one node does not"] * 2]
    assert show_results(frame)["fits"] == ["no", "tight", "yes"]


def test_each_hardware_has_lines_of_its_own() -> None:
    pair = [HMD, load_profile("rpi4-wifi").hardware()]
    frame = swept("resnet50", pair, nodes=[2], s_comm=[0.0, 0.9])
    lines = _findings(frame, *pair)
    for each in pair:
        alone = _findings(frame[frame["hardware"] == each.name], each)
        assert [f"{each.name}: {line}" for line in alone] == [
            line for line in lines if line.startswith(f"{each.name}: ")
        ]
    assert len(summary.setting(frame, pair)) == 2


def test_where_nothing_fits_that_is_said_first() -> None:
    node = load_profile("splitnets-hmd", {"memory.capacity": "20MB"}).hardware()
    frame = swept("resnet50", node, nodes=[2], s_comm=[0.0, 0.9])
    first, second, *rest = _findings(frame, node)
    assert first.startswith("Nothing fits 20 MB a node: the least is 31.8 MB (disco on 2 nodes")
    assert second.startswith("With enough memory disco on 2 nodes at S_comm 0.9 would take")
    assert not any(line.startswith(("Best", "One node is")) for line in rest)
    assert set(verdicts(frame)) == {"does not fit"}


def test_strategies_that_differ_in_accuracy_alone_are_told() -> None:
    asked = {"strategies": ["disco", "random-sparse"], "s_comm": [0.8, 1.0]}
    text = "\n".join(_findings(swept("resnet50", nodes=[2], **asked)))
    assert "disco and random-sparse cost the same and differ in accuracy, 76.84 and 75.26" in text
    text = "\n".join(_findings(swept("resnet50", nodes=[3], **asked)))
    assert "differ in accuracy, which is not published here" in text


def test_accuracy_between_two_published_values_is_marked() -> None:
    shown = show_results(swept("resnet50", nodes=[2, 4], s_comm=[0.0, 0.5, 0.9, 1.0]))["accuracy"]
    assert shown == ["76.8", "~76.8", "76.5", "73.4", "76.8", *["not published"] * 3]
    other = swept(on("resnet50", (3, 64, 64)), nodes=[2])
    assert "accuracy" not in show_results(other)


def test_layers_are_summed_up() -> None:
    frame = by_layer(on("resnet50"), HMD)
    total, ratio, slowest = layer_findings(frame)
    assert total.startswith("577 ms in 54 layers: communication 561 ms, computation 16.4 ms")
    assert ratio.endswith("x the computation in the median layer.")
    assert frame.nlargest(1, "layer_s")["layer"].item() in slowest
    assert len(layer_findings(by_layer(on("resnet50"), HMD, nodes=1))) == 2


# Data


def test_markdown_has_a_row_per_row() -> None:
    frame = show_results(swept("resnet18", nodes=[2]))
    lines = tables.to_markdown(frame, ["said first"]).splitlines()
    assert lines[0] == "- said first"
    assert len(lines) == 2 + 2 + len(frame["N"])


def test_a_cell_does_not_end_its_markdown_table() -> None:
    cells = {"source": ["a | b", "two\nlines"], "n": ["1", "2"]}
    *_, first, second = tables.to_markdown(cells, []).splitlines()
    assert first == r"| a \| b | 1 |"
    assert second == "| two lines | 2 |"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, None])
def test_what_is_not_there_is_null(value: float | None) -> None:
    frame = pd.DataFrame({"a": np.array([value], dtype=object)})
    assert frames.to_json(frame) == '[\n{"a": null}\n]\n'


def test_json_has_the_types_of_the_frame() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [0.1, np.nan], "c": ["ü", '"'], "d": [True, False]})
    assert json.loads(frames.to_json(frame)) == [
        {"a": 1, "b": 0.1, "c": "ü", "d": True},
        {"a": 2, "b": None, "c": '"', "d": False},
    ]
    assert json.loads(frames.to_json(frame[:0])) == []


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_no_digit_is_lost(values: list[float]) -> None:
    frame = pd.DataFrame({"x": values})
    assert [record["x"] for record in json.loads(frames.to_json(frame))] == values
    header, *rows = frames.to_csv(frame).splitlines()
    assert header == "x"
    assert [float(row) for row in rows] == values
