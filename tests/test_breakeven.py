"""Break-even: equal at the value, and the sides are as said; by closed form and by bisection."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from discosim.errors import DiscosimError, UnknownNameError
from discosim.explore.breakeven import (
    BISECTED,
    CLOSED,
    UNITS,
    BreakEven,
    Contest,
    affine,
    speedups,
)
from discosim.graph.table import LayerTable
from discosim.hardware import Hardware, load_profile
from tests.configurations import broken_even, on, swept
from tests.strategies import hardware, tables
from tests.subjects import examples

HMD = load_profile("splitnets-hmd").hardware()
RPI = load_profile("rpi4-wifi").hardware()
NAMES = {"bw": "bandwidth_Bps", "link-latency": "link_latency_s", "s-comm": "s_comm"}
OVERLAPS = st.sampled_from(["none", "layer", "layer:3", "layer:best", "ideal"])
SOLVE = st.sampled_from(sorted(NAMES))


def _difference(answer: BreakEven, value: float) -> float:
    """Relative: below zero where N nodes are faster."""
    more, less = answer.contest.both_s(**{NAMES[answer.solve]: value})
    return (more - less) / max(more, less)


def _check(answer: BreakEven, alone: bool) -> None:
    """The two are equal at the value, and on either side the one that is said is faster."""
    if answer.value is None:
        assert answer.reason
        tried = [1e-4, 0.5, 1 - 1e-4] if answer.solve == "s-comm" else np.geomspace(1e-9, 1e15, 13)
        for value in tried:
            faster = _difference(answer, float(value)) < -1e-12
            assert not (faster and answer.faster == "never"), value
            slower = _difference(answer, float(value)) > 1e-12
            assert not (slower and answer.faster == "always"), value
        return
    if not answer.reason:
        assert abs(_difference(answer, answer.value)) < 1e-9
        assert answer.latency_s == pytest.approx(answer.contest.both_s(
            **{NAMES[answer.solve]: answer.value})[1], rel=1e-9)  # fmt: skip
    if not alone:  # other crossings may be near
        return
    for value, sign in ((answer.value * (1 - 1e-6), 1), (answer.value * (1 + 1e-6), -1)):
        if answer.solve == "s-comm" and value >= 1:
            continue
        wanted = sign if answer.faster == "above" else -sign
        assert wanted * _difference(answer, value) >= -1e-12, value


@examples(100)
@given(tables(), hardware(), st.integers(2, 5), st.floats(0, 0.999), SOLVE, OVERLAPS, st.booleans())
def test_at_the_value_the_latencies_are_equal(
    table: LayerTable,
    node: Hardware,
    nodes: int,
    s_comm: float,
    solve: str,
    overlap: str,
    previous: bool,
) -> None:
    answers = broken_even(
        solve, table, node, nodes=nodes, s_comm=s_comm, overlap=overlap, previous=previous
    )
    assert answers
    values = [answer.value for answer in answers]
    assert len(values) == 1 or values == sorted(values)  # type: ignore[type-var]
    for answer in answers:
        _check(answer, len(answers) == 1)
    if not previous:  # against one node all is monotone
        assert len(answers) == 1


@examples(20)
@given(tables(), hardware(), st.integers(2, 4), st.floats(0, 0.999), SOLVE)
def test_closed_form_equals_bisection(
    table: LayerTable, node: Hardware, nodes: int, s_comm: float, solve: str
) -> None:
    [closed] = broken_even(solve, table, node, nodes=nodes, s_comm=s_comm)
    assume(closed.method == CLOSED and closed.value is not None)
    name, value = NAMES[solve], closed.value
    assert value is not None
    low, high = (0.0, 1.0 - 1e-9) if solve == "s-comm" else (value / 3, value * 3)
    sign = closed.contest.difference_s(**{name: low}).item() < 0
    for _ in range(60):
        middle = (low + high) / 2
        if (closed.contest.difference_s(**{name: middle}).item() < 0) == sign:
            low = middle
        else:
            high = middle
    at = (closed.contest.both_s(**{name: v})[0] for v in (low, value))
    assert next(at) == pytest.approx(next(at), rel=1e-9)


@given(
    tables(), hardware(), st.integers(1, 5), st.floats(0, 1), st.floats(1e3, 1e9), st.floats(0, 1)
)
def test_without_overlap_latency_is_affine_in_slowness_and_message_latency(
    table: LayerTable, node: Hardware, nodes: int, s_comm: float, bandwidth: float, alpha: float
) -> None:
    pair = Contest(on(table, hardware=node, s_comm=s_comm, conventions="runtime"))
    per_byte, per_message, rest = affine(pair, nodes)
    computed = pair.latency_s(nodes, bandwidth_Bps=bandwidth, link_latency_s=alpha).item()
    assert per_byte / bandwidth + per_message * alpha + rest == pytest.approx(computed, rel=1e-9)


@examples(25)
@given(tables(), hardware(), st.floats(0, 1), OVERLAPS, st.booleans())
def test_the_number_of_nodes_and_its_neighbours(
    table: LayerTable, node: Hardware, s_comm: float, overlap: str, previous: bool
) -> None:
    most = 6
    [answer] = broken_even(
        "nodes", table, node, s_comm=s_comm, overlap=overlap, previous=previous,
        most_nodes=most,
    )  # fmt: skip
    widest = int(np.maximum(table.in_features, table.out_features)[table.mixes].max())
    pair = answer.contest
    times = [pair.latency_s(n).item() for n in range(1, min(most, widest) + 1)]
    if answer.value is None and previous:
        assert all(np.diff(times) < 0)
    elif answer.value is None:
        assert min(times[1:]) > times[0]
    elif previous:
        count = int(answer.value)
        assert all(np.diff(times[:count]) < 0)
        assert times[count] >= times[count - 1]
    else:
        count = int(answer.value)
        assert times[count - 1] <= times[0]
        assert all(time > times[0] for time in times[1 : count - 1])


def test_break_even_of_the_paper_by_hand() -> None:
    """Bytes over the seconds that two nodes save in computing (Figure 2's setting)."""
    [answer] = broken_even("bw", "resnet50", HMD, s_comm=0.8)
    row = swept("resnet50", HMD, nodes=[2], s_comm=[0.8]).iloc[0]
    single = swept("resnet50", HMD, strategies=["single"]).iloc[0]
    sent = row["comm_s"] * HMD.bandwidth_Bps
    assert answer.value == pytest.approx(sent / (single["comp_s"] - row["comp_s"]))
    assert answer.method == CLOSED
    assert answer.faster == "above"
    at = swept("resnet50", replace(HMD, bandwidth_Bps=answer.value), nodes=[2], s_comm=[0.8])
    assert at["speedup_vs_single"].item() == pytest.approx(1, rel=1e-9)


def test_where_overlap_leaves_no_closed_form_it_is_bisected() -> None:
    closed, bisected = (
        broken_even("bw", "resnet50", HMD, s_comm=0.8, overlap=overlap)[0]
        for overlap in ("none", "ideal")
    )
    assert (closed.method, bisected.method) == (CLOSED, BISECTED)
    assert bisected.value is not None
    assert closed.value is not None
    assert bisected.value < closed.value  # what is hidden needs no fast link


@pytest.mark.parametrize(
    ("solve", "node", "changed", "words", "faster"),
    [
        ("bw", replace(HMD, link_latency_s=1.0), {}, "even over infinitely fast links", "never"),
        ("bw", HMD, {"s_comm": 1.0}, "over any link, however slow", "always"),
        ("link-latency", HMD, {}, "even if messages had no latency", "never"),
        ("link-latency", HMD, {"s_comm": 1.0}, "whatever the latency", "always"),
        ("s-comm", replace(HMD, bandwidth_Bps=1e12), {}, "already at S_comm 0", "always"),
        ("s-comm", replace(HMD, link_latency_s=1.0), {}, "only at S_comm 1", "never"),
        ("nodes", HMD, {"most_nodes": 4, "s_comm": 0.5}, "from 2 to 4", "never"),
        ("nodes", HMD, {"most_nodes": 8, "s_comm": 1.0, "previous": True}, "up to 8", "always"),
    ],
)
def test_where_there_is_no_value_the_reason_is_given(
    solve: str, node: Hardware, changed: dict, words: str, faster: str
) -> None:
    [answer] = broken_even(solve, "resnet50", node, **{"s_comm": 0.8, **changed})
    assert (answer.value, answer.latency_s, answer.faster) == (None, None, faster)
    assert words in answer.reason
    assert answer.unit == UNITS[solve]


def test_whole_features_jump_and_it_is_said() -> None:
    study = on("resnet18", conventions="runtime")
    [answer] = broken_even("s-comm", study, HMD)
    assert answer.value is not None
    assert "jump" in answer.reason
    assert _difference(answer, answer.value) < 0 < _difference(answer, answer.value - 1e-9)


def test_the_surface_has_its_line_where_the_break_even_is() -> None:
    [answer] = broken_even("bw", "resnet50", RPI, s_comm=0.97)
    assert answer.value is not None
    found = speedups(
        answer.contest, np.array([0.0, 0.97]), bandwidth_Bps=np.array([1e6, answer.value])
    )
    assert found.shape == (2, 2)
    assert found[1, 1] == pytest.approx(1, rel=1e-9)
    assert found[0, 1] < 1


@pytest.mark.parametrize(
    ("solve", "changed", "words"),
    [
        ("bandwidth", {}, "bw"),
        ("bw", {"nodes": 1}, "2 or more"),
        ("bw", {"s_comm": 1.5}, "1.5"),
        ("bw", {"nodes": 5000}, "2048 features"),
        ("nodes", {"most_nodes": 1}, "at most 1"),
        ("bw", {"overlap": "layr"}, "layer:K"),
    ],
)
def test_what_cannot_be(solve: str, changed: dict, words: str) -> None:
    with pytest.raises((DiscosimError, UnknownNameError), match=words):
        broken_even(solve, "resnet50", HMD, **changed)


@examples(10)
@given(tables(), st.integers(2, 4), st.booleans(), st.sampled_from([1e6, 1e7, 1e8]))
def test_whole_features_cross_at_every_step_that_there_is(
    table: LayerTable, nodes: int, previous: bool, bandwidth_Bps: float
) -> None:
    """Between two steps nothing changes: as many crossings as the signs there change."""
    fractions = {(2 * m + 1) / (2 * n) for n in range(1, 25) for m in range(n)}
    steps = sorted({0.0, 1.0} | fractions)
    middles = [(a + b) / 2 for a, b in itertools.pairwise(steps)]
    node = replace(HMD, bandwidth_Bps=bandwidth_Bps, compute_macps=1e9)
    found = broken_even(
        "s-comm", table, node, nodes=nodes, previous=previous, conventions="runtime"
    )
    contest = found[0].contest
    faster = contest.difference_s(np.array([*middles, 1.0])) < 0
    values = [answer.value for answer in found if answer.value is not None]
    changes = int((faster[1:] != faster[:-1]).sum())
    if values or found[0].faster not in ("never",):
        assert len(values) == changes
    else:  # but for S_comm 1, where nothing is sent
        assert changes <= 1
