"""Screens, and that no line of an answer contradicts another or the rows below it."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import discosim as ds
from discosim.cli.app import COMMANDS
from discosim.door.answer import Answer
from discosim.hardware import load_profile
from discosim.networks import build
from discosim.report.judged import fitting, independent
from discosim.report.layout import QUANTITY, begins_left
from discosim.report.sweep import verdicts
from discosim.report.tables import TEX, as_columns, to_tex
from discosim.timeline.joined import Joined
from tests.screens import FOLDER, NAMES, SCREENS, WIDTHS, screen, shown

NODE = load_profile("disco-fig4").hardware()
NET = build("resnet18/8", (3, 32, 32))
S_COMM = (0.0, 0.3, 0.8, 0.95, 0.99, 1.0)
EVERY = ("disco", "random-sparse", "rows", "pipeline", "branches", "dense", "single")


@pytest.mark.parametrize("name", NAMES)
def test_the_screens_are_as_they_were_read(name: str) -> None:
    assert screen(name) == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_screen_is_no_wider_than_the_terminal(name: str, width: int) -> None:
    assert max(map(len, shown(name).text(width).splitlines())) <= width


def test_every_command_has_a_screen() -> None:
    of_two = {"own": "size", "target": "breakeven", "histogram": "pareto"}
    screens = {of_two.get(name, name.partition("-")[0]) for name in SCREENS}
    assert screens == set(COMMANDS)
    assert {path.stem for path in FOLDER.iterdir()} == set(SCREENS)


TEX_LETTERS = re.compile("|".join(map(re.escape, sorted(TEX.values(), key=len, reverse=True))))
FROM_TEX = {written: letter for letter, written in TEX.items()}


@pytest.mark.parametrize("name", NAMES)
def test_every_table_is_written_for_tex_and_reads_back(name: str) -> None:
    answer = shown(name)
    said, _, body = answer.tex().partition("\\begin{tabular}")
    assert all(line.startswith("% ") for line in said.splitlines())
    sides, head, *rows = re.split(r"\\toprule\n|\\midrule\n|\\bottomrule\n", body)
    left = [begins_left(*column) for column in answer.cells.items()]
    assert sides == f"{{{''.join('l' if words else 'r' for words in left)}}}\n"
    assert rows.pop() == "\\end{tabular}\n"
    assert body.isascii()
    lines = [head, *rows[0].splitlines(keepends=True)]
    read = [
        [TEX_LETTERS.sub(lambda found: FROM_TEX[found[0]], cell) for cell in cells]
        for cells in (line.removesuffix(" \\\\\n").split(" & ") for line in lines)
    ]
    wanted = [list(answer.cells), *map(list, zip(*answer.cells.values(), strict=True))]
    assert read == [[" ".join(cell.split()) for cell in row] for row in wanted]


@given(st.text(st.sampled_from([*TEX, "a", " ", "1"])))
def test_letters_of_tex_stand_for_themselves(text: str) -> None:
    *_, row, _, _, _ = to_tex({"x": [text]}, []).split("\n")
    written = row.removesuffix(" \\\\")
    read = TEX_LETTERS.sub(lambda found: FROM_TEX[found[0]], written)
    assert read == " ".join(text.split())
    assert not re.search(r"(?<!\\)[&%#_^~]", written)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_done_to_a_frame_is_not_done_to_the_answer(name: str) -> None:
    answer = shown(name)
    before, count = answer.frame, len(answer.frame)
    mine = answer.frame
    mine.insert(0, "mine", "x")
    for column in mine.columns:
        mine[column] = "x"
    assert answer.frame.equals(before)
    assert len(answer.frame) == count


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12)
@given(width=st.integers(40, 200))
@example(width=80)
def test_no_number_of_any_answer_is_broken_at_any_width(name: str, width: int) -> None:
    answer = shown(name)
    text = answer.text(width)
    said, below = ("", text) if text.startswith("\n") else text.split("\n\n", maxsplit=1)
    body, _, told = below.partition("\nLeft out")
    tokens, left_out = re.sub(r"─+", " ", body).split(), " ".join(told.split())
    for heading, texts in answer.cells.items():
        if heading.partition(" [")[0] not in left_out and not begins_left(heading, texts):
            assert {part for each in texts for part in each.split()} <= set(tokens)
            lines = body.splitlines()
            assert all(any(each in line for line in lines) for each in texts)
    whole = " ".join([*answer.lines, *answer.caveats]).split()
    assert " ".join(said.split()) == " ".join(whole)
    ends = (f"{a[-1]} {b}" for a, b in pairwise(said.splitlines()))
    assert not any(QUANTITY.match(each) for each in ends)


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
    _check_lines(answer)


@settings(max_examples=8)
@given(
    st.lists(st.sampled_from(EVERY), min_size=1, max_size=3, unique=True),
    st.lists(st.integers(1, 3), min_size=1, max_size=2, unique=True),
    st.lists(st.sampled_from(S_COMM), min_size=1, max_size=3, unique=True),
    st.sampled_from([None, 6e4, 1e5, 1e9]),
    st.sampled_from(["balanced", "speed", "even"]),
    st.booleans(),
)
def test_no_line_contradicts_another_on_a_cluster(
    names: list[str],
    nodes: list[int],
    s_comm: list[float],
    memory: float | None,
    shares: str,
    as_built: bool,
) -> None:
    cluster = _cluster(memory, shares)
    answer = ds.sweep(NET, cluster, strategies=names, nodes=nodes, s_comm=s_comm, as_built=as_built)
    _check_lines(answer)
    for place, row in answer.frame.iterrows():
        held = [float(share) for share in row.shares.split()]
        assert not held or sum(held) == pytest.approx(1, abs=1e-4)
        assert row.nodes > 1 or not held, place
    _check_shares(answer)


def _cluster(memory: float | None, shares: str = "balanced") -> Joined:
    """Two of a node and one of three times its speed."""
    slow = replace(NODE, memory_bytes=memory)
    fast = replace(slow, name="fast", compute_macps=3 * float(NODE.compute_macps))
    return ds.cluster([fast, slow, slow], shares=shares)


def _check_shares(answer: ds.Answer) -> None:
    """What is said that the nodes of the best row hold stands in the row."""
    rows = as_columns(answer.frame)
    usable = fitting(rows) & ~independent(rows)
    said = _lines(answer, "Its nodes hold")
    if not usable.any():
        assert not said
        return
    row = int(np.flatnonzero(usable)[rows["latency_s"][usable].argmin()])
    held = [float(share) for share in rows["shares"][row].split()]
    assert bool(said) == bool(held)
    if held:
        found = [float(text) / 100 for text in re.findall(r"([\d.]+) %", said[0])]
        found = list(dict.fromkeys(found))  # unlike nodes may hold the same
        assert found == pytest.approx(list(dict.fromkeys(held))[: len(found)], rel=6e-3)


def _check_lines(answer: ds.Answer) -> None:
    """The first lines follow the rows."""
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
    if rows["fits"][0] is not None:
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
    _check_size(ds.size(NET, NODE, latency=latency, max_nodes=most, as_built=as_built), latency)


@settings(max_examples=6)
@given(st.floats(1e-4, 0.1), st.sampled_from([None, 6e4, 1e5, 1e9]), st.booleans())
def test_a_cluster_that_is_there_keeps_what_it_says(
    latency: float, memory: float | None, as_built: bool
) -> None:
    cluster = _cluster(memory)
    answer = ds.size(NET, cluster, latency=latency, as_built=as_built)
    _check_size(answer, latency)
    first = answer.frame.iloc[0]
    if first["strategy"] == "disco":
        again = ds.sweep(NET, cluster, s_comm=first["s_comm"], as_built=as_built).frame.iloc[0]
        assert again["latency_s"] == pytest.approx(first["latency_s"], rel=1e-9)
        assert again["node_bytes"] == pytest.approx(first["node_bytes"])


@settings(max_examples=5)
@given(st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from(["bw", "link-latency"]), st.booleans())
def test_a_break_even_agrees_with_the_sweep(s_comm: float, solve: str, unlike: bool) -> None:
    """At the value both take as long; on its side N nodes are faster, and as it is as it says."""
    nodes = _cluster(None) if unlike else NODE
    count = 3 if unlike else 2
    answer = ds.breakeven(NET, nodes, nodes=count, s_comm=s_comm, solve=solve)
    said = answer.lines[1]
    frame = answer.frame.iloc[0]
    as_it_is = ds.sweep(NET, nodes, nodes=count, s_comm=s_comm).frame.speedup_vs_single.item()
    if frame["value"] is None or np.isnan(frame["value"]):
        assert frame["faster"] in ("always", "never")
        assert (as_it_is > 1) == (frame["faster"] == "always")
        assert said.startswith("No break-even")
        return
    at_hand = float(NODE.bandwidth_Bps if solve == "bw" else NODE.link_latency_s)
    above = at_hand > frame["value"]
    assert (as_it_is > 1) == (above == (frame["faster"] == "above"))
    assert said.endswith(f"{count} nodes are faster.") == (as_it_is > 1)


@settings(max_examples=4)
@given(st.sampled_from([None, 1e5, 1e9]), st.booleans())
def test_a_plan_is_no_slower_than_what_stands_beside_it(memory: float | None, unlike: bool) -> None:
    nodes = _cluster(memory) if unlike else replace(NODE, memory_bytes=memory)
    try:
        answer = ds.plan(NET, nodes, nodes=3 if unlike else 2, exact_only=True)
    except ds.DiscosimError:
        assert memory == 1e5
        return
    [needs] = [line for line in answer.lines if line.startswith("Nothing has to be trained")]
    assert needs
    best = _number(re.findall(r"^([\d.]+ [mun]?s)", "\n".join(answer.lines), re.M)[0])
    fits = [word == "yes" for word in answer.cells.get("fits", ["yes"])]
    column = next(name for name in answer.cells if name.startswith("latency"))
    unit = re.findall(r"\[(.*)\]", column)[0]
    listed = [_number(f"{text} {unit}") for text in answer.cells[column]]
    if unlike and any(fits):
        assert best <= min(t for t, fit in zip(listed, fits, strict=True) if fit) * (1 + 6e-3)
        rows = ds.sweep(NET, nodes, strategies="best").frame
        assert rows.latency_s.item() <= best * (1 + 6e-3)


def _check_size(answer: ds.Answer, latency: float) -> None:
    """The first line follows the rows."""
    first = answer.frame.iloc[0]
    text = " ".join(answer.lines)
    assert bool(first["feasible"]) == ("nothing keeps all limits" not in text)
    assert not (answer.frame["s_comm"] == 1).any()
    if first["feasible"]:
        assert first["latency_s"] <= latency
        assert f"{int(answer.frame['feasible'].sum())} of the {len(answer.frame)}" in text
