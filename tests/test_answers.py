"""Screens, and that no line of an answer contradicts another or the rows below it."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import discosim as ds
from discosim.door.answer import Answer
from discosim.hardware import load_profile
from discosim.networks import build
from discosim.report.judged import fitting, independent
from discosim.report.sweep import verdicts
from discosim.report.tables import as_columns
from tests.screens import FOLDER, SCREENS, WIDTHS, screen

NODE = load_profile("disco-fig4").hardware()
NET = build("resnet18/8", (3, 32, 32))
S_COMM = (0.0, 0.3, 0.8, 0.95, 0.99, 1.0)
EVERY = ("disco", "random-sparse", "rows", "pipeline", "branches", "dense", "single")


@pytest.mark.parametrize("name", SCREENS)
def test_the_screens_are_as_they_were_read(name: str) -> None:
    assert screen(name) == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SCREENS)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_screen_is_no_wider_than_the_terminal(name: str, width: int) -> None:
    assert max(map(len, SCREENS[name]().text(width).splitlines())) <= width


def _number(text: str) -> float:
    """A quantity of a sentence in SI."""
    value, prefix = re.fullmatch(r"([\d.]+) ?([munkMG]?)s", text).groups()  # type: ignore[union-attr]
    return float(value) * {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}[prefix]


def _lines(answer: Answer, begin: str) -> list[str]:
    return [line for line in answer.lines if line.startswith(begin)]


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from(EVERY), min_size=1, max_size=3, unique=True),
    st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from(S_COMM), min_size=1, max_size=4, unique=True),
    st.sampled_from([None, 2e4, 6e4, 1e5, 2e5, 1e9]),
    st.sampled_from([1e5, 1e7, 1e9]),
    st.booleans(),
)  # fmt: skip
@example(["disco"], [2, 4], [0.0, 0.9, 1.0], 6e4, 1e7, False)
@example(["disco"], [2], [1.0], None, 1e7, False)
@example(["disco"], [1], [1.0], None, 1e5, False)
@example(["single"], [1], [0.0], 2e4, 1e7, False)
def test_no_line_contradicts_another(
    names: list[str],
    nodes: list[int],
    s_comm: list[float],
    memory: float | None,
    bandwidth: float,
    as_built: bool,
) -> None:
    node = replace(NODE, memory_bytes=memory, bandwidth_Bps=bandwidth)
    answer = ds.sweep(NET, node, strategies=names, nodes=nodes, s_comm=s_comm, as_built=as_built)
    rows = as_columns(answer.frame)
    usable = fitting(rows) & ~independent(rows)
    best = _lines(answer, "Best:")
    assert len(best) == int(usable.any())
    if best:
        row = int(np.flatnonzero(usable)[rows["latency_s"][usable].argmin()])
        assert f"Best: {rows['strategy'][row]} on " in best[0]
        took = _number(re.findall(r"takes ([\d.]+ [mun]?s)", best[0])[0])
        assert took == pytest.approx(rows["latency_s"][row], rel=6e-3)
        if rows["nodes"][row] > 1:  # several at S_comm 1 are independent branches
            assert not re.search(r"S_comm 1\b(?!\.)", best[0])
    assert len(_lines(answer, "Nothing fits")) == int(not fitting(rows).any())
    _check_verdicts(answer)
    below = (rows["nodes"] > 1) & ~independent(rows) & fitting(rows) & ~np.isnan(rows["s_comm"])
    alone_wins = rows["speedup_vs_single"][below] < 1
    if _lines(answer, "One node is always faster"):
        assert alone_wins.all()
    for line in _lines(answer, "One node is faster than"):
        slower, every = map(int, re.findall(r"(\d+) of (\d+) rows", line)[0])
        assert (slower, every) == (alone_wins.sum(), len(alone_wins))
        assert slower < every
    [memory_line] = _lines(answer, "Memory:")
    if memory is not None:
        assert ("all rows fit" in memory_line) == fitting(rows).all()


def _check_verdicts(answer: ds.Answer) -> None:
    """The words of each row follow its numbers; where one node does not fit, none is faster."""
    rows = as_columns(answer.frame)
    alone = not _lines(answer, "One node does not fit") and "one node does not fit" not in " ".join(
        answer.lines
    )
    for place, verdict in enumerate(answer.cells["verdict"]):
        speedup, fits = rows["speedup_vs_single"][place], rows["fits"][place]
        assert (verdict == "does not fit") == (fits is not None and not fits)
        if verdict == "faster than one node":
            assert speedup > 1
            assert alone
        if verdict == "one node is faster":
            assert speedup < 1
            assert alone
        if verdict == "fits; one node does not":
            assert not alone
    assert len(verdicts(rows)) == len(answer.cells["verdict"])


@pytest.mark.parametrize("model", ["resnet50", "resnet18"])
def test_what_is_said_of_accuracy_stands_in_the_table(model: str) -> None:
    answer = ds.sweep(model, NODE, nodes=[2, 4], s_comm=[0, 0.8, 1])
    known = answer.frame["accuracy"].notna().any()
    assert ("accuracy" in answer.cells) == known
    assert bool(_lines(answer, "Accuracy is the")) == known


@settings(max_examples=15)
@given(st.floats(1e-4, 1.0), st.integers(2, 6), st.booleans())
def test_the_smallest_cluster_keeps_what_it_says(latency: float, most: int, as_built: bool) -> None:
    answer = ds.size(NET, NODE, latency=latency, max_nodes=most, as_built=as_built)
    first = answer.frame.iloc[0]
    text = " ".join(answer.lines)
    assert bool(first["feasible"]) == ("nothing keeps all limits" not in text)
    assert not (answer.frame["s_comm"] == 1).any()
    if first["feasible"]:
        assert first["latency_s"] <= latency
        assert f"{int(answer.frame['feasible'].sum())} of the {len(answer.frame)}" in text
