"""Pictures: axes named with units, nothing left out, every frame readable."""

from pathlib import Path

import pytest

from discosim.errors import DiscosimError
from discosim.explore.layers import layers
from discosim.explore.study import Study
from discosim.explore.sweep import sweep
from discosim.hardware import load_profile
from discosim.report.plots import draw_compare, draw_layers, draw_sweep, save

HMD = load_profile("splitnets-hmd").hardware()


def _legend(figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_sweep_has_a_panel_per_number_of_nodes_and_the_single_node() -> None:
    frame = sweep("resnet50")
    figure = draw_sweep(frame)
    assert [axes.get_title() for axes in figure.axes] == ["2 nodes", "4 nodes", "8 nodes"]
    assert figure.axes[0].get_ylabel() == "latency [ms]"
    assert "S_comm" in figure.get_supxlabel()
    latency, single = figure.axes[1].lines
    rows = frame[frame["nodes"] == 4]
    assert latency.get_ydata() == pytest.approx(1e3 * rows["latency_s"].to_numpy())
    assert single.get_ydata()[0] == pytest.approx(32.7, abs=0.05)
    assert _legend(figure) == ["one node: 32.7 ms", "latency", "communication", "computation"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"overlaps": ["ideal"]},
        {"overlaps": ["none", "layer:best"], "nodes": [2]},
        {"nodes": range(2, 12)},
        {"s_comm": [0.8]},
        {"strategies": ["dense", "pipeline", "disco"], "nodes": [2]},
        {"strategies": ["single"]},
        {"hardware": [HMD, load_profile("rpi4-wifi").hardware()], "nodes": [2]},
    ],
)
def test_any_sweep_can_be_drawn(arguments: dict[str, object], tmp_path: Path) -> None:
    frame = sweep("resnet18", **arguments)
    figure = draw_sweep(frame)
    assert any("one node" in text for text in _legend(figure))
    assert "latency [" in figure.axes[0].get_ylabel()
    save(figure, str(tmp_path / "sweep.png"))
    assert (tmp_path / "sweep.png").stat().st_size > 5000


def test_layers_show_each_layer_on_a_logarithmic_axis() -> None:
    frame = layers(Study("resnet50"), HMD)
    figure = draw_layers(frame, "title")
    axes = figure.axes[0]
    assert axes.get_yscale() == "log"
    assert axes.get_ylabel() == "time per layer [ms]"
    comm, comp = axes.lines[0], axes.lines[2]
    assert len(comm.get_xdata()) == 53  # the first layer exchanges nothing
    assert len(comp.get_xdata()) == 54
    assert comp.get_ydata() == pytest.approx(1e3 * frame["comp_s"].to_numpy())


def test_layers_of_one_node_have_no_communication() -> None:
    figure = draw_layers(layers(Study("resnet18"), HMD, nodes=1), "one node")
    assert _legend(figure) == ["communication", "computation"]


def test_compare_has_a_bar_per_row_that_ends_at_its_latency() -> None:
    frame = sweep("resnet50", strategies=["single", "dense", "disco"], nodes=[2], s_comm=[0.8])
    axes = draw_compare(frame).axes[0]
    ends = [bar.get_x() + bar.get_width() for bar in axes.containers[1]]
    assert ends == pytest.approx((1e3 * frame["latency_s"]).tolist())
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["single", "dense", "disco, S_comm 0.8"]


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_pictures_are_written_whole(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture.{suffix}"
    save(draw_compare(sweep("resnet18", nodes=[2], s_comm=[0.5])), str(path))
    assert path.stat().st_size > 1000
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


def test_other_suffixes_are_refused() -> None:
    with pytest.raises(DiscosimError, match=r"wanted a suffix of \.png"):
        save(draw_compare(sweep("resnet18", nodes=[2], s_comm=[0.5])), "picture.bmp")
