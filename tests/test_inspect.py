"""`discosim inspect`: one record, findings and rows for people, a picture, files that it writes."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from discosim.cli.app import run
from discosim.errors import DiscosimError
from discosim.graph.counts import counts
from discosim.networks import build
from discosim.report.alike import runs_of
from discosim.report.inspect import draw_graph, rows
from tests.importing import LIGHT, model
from tests.subjects import every_network

pytestmark = pytest.mark.extras

RECORD = "model input layers weights params macs in_elems in_elems_once out_elems unknown_ops"
Call = Callable[..., tuple[int, str, str]]
RESNET50 = str(LIGHT / "light_resnet50.onnx")


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a command line and returns its exit code, stdout and stderr."""

    def run_it(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["discosim", *words])
        code = run()
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_it


def test_json_is_one_record(call: Call) -> None:
    code, out, err = call("inspect", RESNET50, "--format", "json")
    assert (code, err) == (0, "")
    [record] = json.loads(out)
    assert list(record) == [*RECORD.split(), "unknown_share"]
    assert (
        record["in_elems_once"]
        == 10_664_448 - 64 * 56**2 - 256 * 56**2 - 512 * 28**2 - 1024 * 14**2
    )
    assert record["unknown_share"] == 0


@pytest.mark.parametrize("name", every_network())
def test_a_tensor_read_twice_counts_once(name: str) -> None:
    record = counts(build(name))
    once, each = int(str(record["in_elems_once"])), int(str(record["in_elems"]))
    assert 0 < once <= each


def test_what_exchanges_adds_up_to_what_dense_receives() -> None:
    frame = rows(build("vgg16"), 4)
    received = frame["lacking"] * frame["in_elems"]
    assert received.iloc[0] == 0  # the image is on every node
    assert (frame["lacking"][frame["mixes"]].iloc[1:] == 0.75).all()


def test_people_read_findings_and_layers(call: Call) -> None:
    code, out, err = call("inspect", "deit-s", "--nodes", "4")
    assert (code, err) == (0, "")
    assert "50 convolutions and linear layers, 22.1 M parameters, 4.6 G MACs" in out
    assert "Everything in it was understood" in out
    assert "14 blocks to cut at (--at): embed, block.0" in out
    assert "0.75 of input" in out


def test_what_is_not_understood_is_loud_in_every_command(call: Call, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], kernel_shape=[1, 1]),
        helper.make_node("Det", ["a"], ["d"], name="odd"),
    ]
    graph = model(nodes, {"x": [1, 3, 4, 4]}, {"d": None}, {"w": (8, 3, 1, 1)})
    path = str(tmp_path / "net.onnx")
    onnx.save(graph, path)
    words = "note: {}: 1 operators not understood, costed as full exchanges: Det (1); their MACs"
    for command in (
        ["inspect", path],
        *([name, "--model", path] for name in ("sweep", "layers", "compare", "networks")),
    ):
        code, _, err = call(*command)
        assert code == 0
        assert words.format(path) in err, command


def test_a_picture_of_a_small_network(call: Call, tmp_path: Path) -> None:
    target = tmp_path / "graph.png"
    code, _, err = call("inspect", "squeezenet1-1", "--plot", str(target))
    assert (code, err) == (0, f"wrote {target}\n")
    assert target.read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(DiscosimError, match="at most 150 can be read"):
        draw_graph(build("resnet152"), 2, unfold=True)


def _runs(blocks: list[str], items: list[int]) -> list[tuple[int, int, int]]:
    return [(run.begin, run.size, run.times) for run in runs_of(blocks, items)]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 1)), max_size=12))
def test_runs_of_blocks_are_all_of_the_items(pairs: list[tuple[str, int]]) -> None:
    blocks, items = [block for block, _ in pairs], [item for _, item in pairs]
    unfolded = [
        items[begin + offset]
        for begin, size, times in _runs(blocks, items)
        for _ in range(times)
        for offset in range(size)
    ]
    assert unfolded == items


def test_blocks_that_are_alike_fold() -> None:
    assert _runs(list("abbcc"), [0, 1, 2, 1, 2]) == [(0, 1, 1), (1, 2, 2)]
    assert _runs(list("abcc"), [1, 1, 1, 2]) == [(0, 1, 2), (2, 2, 1)]
    assert _runs(["", ""], [1, 1]) == [(0, 2, 1)]  # of no block


def test_equal_blocks_are_shown_once_and_counted(call: Call) -> None:
    _, shown, _ = call("inspect", "deit-ti")
    _, every, _ = call("inspect", "deit-ti", "--unfold")
    assert shown.count("x 12") == shown.count("block.0 to block.11") == 5
    assert "block.1.attn" not in shown
    assert "(--unfold: all)" in shown
    assert " x 12" not in every
    assert "--unfold" not in every
    assert every.count("block.11.attn") == shown.count("block.0.attn")
    _, one, _ = call("inspect", "deit-ti", "--format", "json")
    _, other, _ = call("inspect", "deit-ti", "--unfold", "--format", "json")
    assert one == other


def test_a_picture_of_equal_blocks_says_how_many() -> None:
    network = build("deit-ti")
    [axes] = draw_graph(network, 2).axes
    [every] = draw_graph(network, 2, unfold=True).axes
    words = [text.get_text() for text in axes.texts]
    assert "x 12" in words
    rows = [word for word in words if "  " in word]
    assert len(every.texts) == len(rows) + 11 * sum("block.0." in row for row in rows)


def test_one_model_is_asked_for(call: Call) -> None:
    assert call("inspect")[0] == 2
    code, _, err = call("inspect", "resnet5O")
    assert code == 2
    assert "did you mean resnet50" in err
    code, _, err = call("inspect", "net.onnx")
    assert (code, err) == (2, "discosim: cannot read net.onnx: no such file or directory\n")
