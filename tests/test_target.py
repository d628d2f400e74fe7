"""What gives a latency: at the value that is found it is kept, just before it is not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import discosim as ds
from discosim.errors import DiscosimError
from discosim.explore.breakeven import Contest
from discosim.explore.target import SOLVED, Reached, reach
from discosim.hardware import load_profile
from tests.configurations import on

NODE = load_profile("disco-fig4", {"link.latency": "0.2ms"}).hardware()
NET = on("resnet18/8", (3, 32, 32), hardware=NODE)


def _latency_s(answer: Reached, value: float) -> float:
    """The latency where what was solved for has another value."""
    contest = Contest(answer.configuration)
    names = {"bw": "bandwidth_Bps", "link-latency": "link_latency_s"}
    if answer.solve == "s-comm":
        return contest.latency_s(contest.nodes, value).item()
    return contest.latency_s(contest.nodes, **{names[answer.solve]: value}).item()


@settings(max_examples=40)
@given(
    st.sampled_from(SOLVED), st.integers(2, 5), st.floats(0, 0.95), st.floats(0.05, 3),
    st.sampled_from(["none", "layer:best"]), st.sampled_from(["paper", "runtime"]),
)  # fmt: skip
def test_the_value_keeps_the_target_and_a_worse_one_does_not(
    solve: str, nodes: int, s_comm: float, factor: float, overlap: str, kind: str
) -> None:
    case = on(NET, hardware=NODE, nodes=nodes, s_comm=s_comm, overlap=overlap, conventions=kind)
    target_s = factor * float(case.cost().latency_s.squeeze())
    answer = reach(solve, case, target_s)
    assert answer.latency_s == pytest.approx(target_s / factor, rel=1e-9)
    if answer.value is None:
        best = {"bw": 1e30, "link-latency": 0.0, "s-comm": np.nextafter(1.0, 0.0)}[solve]
        assert _latency_s(answer, best) > target_s * (1 - 1e-6)
        return
    if 0 < answer.value < np.inf:
        assert _latency_s(answer, answer.value) <= target_s * (1 + 1e-9)
        worse = 1.01 if solve == "link-latency" else 0.99
        assert _latency_s(answer, answer.value * worse) > target_s * (1 - 1e-9)


def test_the_least_number_of_nodes_is_counted() -> None:
    case = replace(NET, s_comm=0.95)
    seconds = [float(replace(case, nodes=n).cost().latency_s.squeeze()) for n in (1, 2, 3)]
    assert reach("nodes", case, min(seconds)).value == 1 + int(np.argmin(seconds))
    assert reach("nodes", case, 1e-9).value is None


def test_the_door_answers_in_words_and_as_data() -> None:
    answer = ds.breakeven("resnet18/8", NODE, nodes=2, target="3600s")
    assert answer.frame["solve"].tolist() == list(SOLVED)
    assert "any S_comm: it is enough already" in answer.lines[3]
    one = ds.breakeven("resnet18/8", NODE, nodes=2, target=1e-3, solve="s-comm")
    assert one.value == pytest.approx(one.frame["value"].item())
    with pytest.raises(DiscosimError, match="3 values, not one"):
        _ = answer.value


def test_layers_are_sorted_and_cut_and_the_sentences_are_of_all() -> None:
    whole = ds.layers("resnet18/8", NODE)
    few = ds.layers("resnet18/8", NODE, sort="comm", top=3)
    assert few.frame["comm_s"].tolist() == sorted(whole.frame["comm_s"], reverse=True)[:3]
    assert few.lines[1] == whole.lines[1]
    assert "3 of 21 layers are shown." in few.lines
    assert len(few.cells["layer"]) == 3
    with pytest.raises(DiscosimError, match="unknown column 'time'"):
        ds.layers("resnet18/8", NODE, sort="time")


def test_so_many_nodes_are_all_that_is_tried() -> None:
    answer = ds.size("resnet18/8", NODE, nodes=4, latency=1e-2)
    assert set(answer.frame["nodes"]) <= {1, 4}
    assert "4 nodes." in answer.lines[0]
    with pytest.raises(DiscosimError, match="--nodes or --max-nodes"):
        ds.size("resnet18/8", NODE, nodes=4, max_nodes=8, latency=1e-2)


def test_whole_nodes_in_turn_keep_a_throughput() -> None:
    one_s = float(ds.sweep("resnet18/8", NODE, strategies="single").frame["latency_s"].item())
    answer = ds.size("resnet18/8", NODE, throughput=3.5 / one_s, strategies="single")
    assert any(line.startswith("4 whole nodes in turn keep") for line in answer.lines)


def test_nothing_sent_is_an_answer_of_its_own() -> None:
    branches_s = ds.sweep("resnet18/8", NODE, nodes=2, s_comm=1.0).frame["latency_s"].item()
    answer = ds.size("resnet18/8", NODE, nodes=2, latency=branches_s * 1.01)
    text = "\n".join(answer.lines)
    assert "nothing keeps all limits" in text
    assert "Only with nothing sent: 2 nodes" in text
    assert "independent branches" in text
    assert not (answer.frame["s_comm"] == 1).any()
