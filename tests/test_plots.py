"""Pictures: axes named with units, nothing left out, every frame readable."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import discosim as ds
from discosim.errors import DiscosimError
from discosim.hardware import load_profile
from discosim.report.compare import draw_compare
from discosim.report.layers import draw_layers
from discosim.report.style import check_suffix, save
from discosim.report.sweep_plot import draw_latency, draw_sweep
from tests.configurations import by_layer, on, swept

HMD = load_profile("splitnets-hmd").hardware()
WIFI = load_profile("rpi4-wifi").hardware()
STRATEGIES = ["single", "dense", "disco", "pipeline"]


def _legend(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def _at_ends(axes) -> list[str]:
    """The names at the ends of lines."""
    return [text.get_text() for text in axes.texts]


def _line(axes, label: str):
    [line] = [line for line in axes.lines if line.get_label().startswith(label)]
    return line


def test_importing_the_pictures_does_not_import_matplotlib() -> None:
    code = "import discosim.report.sweep_plot, sys; print('matplotlib' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert shown.stdout == "False\n"


def test_sweep_has_a_panel_per_number_of_nodes_and_the_single_node() -> None:
    frame = swept("resnet50")
    figure = draw_sweep(frame)
    assert [axes.get_title() for axes in figure.axes] == ["2 nodes", "4 nodes", "8 nodes"]
    assert figure.get_supylabel() == "latency [ms]"
    assert figure.get_supxlabel() == "S_comm, fraction of remote features not sent"
    assert figure.get_suptitle() == (
        "resnet50 at 3x224x224 on splitnets-hmd\n"
        "125 GMAC/s a node, 37.5 MB/s links, disco, N = 2, 4, 8, S_comm 0 to 1, overlap none"
    )
    single_s = swept("resnet50", strategies=["single"])["latency_s"].iloc[0]
    for axes, (_, rows) in zip(figure.axes, frame.groupby("nodes"), strict=True):
        latency = 1e3 * rows["latency_s"].to_numpy()
        assert _line(axes, "latency").get_ydata() == pytest.approx(latency[:-1])  # below S_comm 1
        assert _line(axes, "one node").get_ydata()[0] == pytest.approx(1e3 * single_s)
        assert axes.get_ylim() == figure.axes[0].get_ylim()
    assert _legend(figure) == [
        "one node: 32.7 ms",
        "latency",
        "of it communication",
        "of it computation",
    ]


def test_stacked_areas_reach_the_latency() -> None:
    frame = swept("resnet50", nodes=[2])
    [axes] = draw_sweep(frame).axes
    comm, comp = (area.get_paths()[0].get_extents() for area in axes.collections)
    first, last = frame.iloc[0], frame.iloc[-2]
    assert comp.y0 == 0
    assert comp.y1 == pytest.approx(1e3 * first["comp_s"])
    assert comm.y0 == pytest.approx(1e3 * last["comp_s"])
    assert comm.y1 == pytest.approx(1e3 * first["latency_s"])
    assert axes.get_ylim()[1] > comm.y1


@pytest.mark.parametrize("overlap", ["ideal", "layer:best"])
def test_overlapped_parts_are_lines_because_they_do_not_add_up(overlap: str) -> None:
    frame = swept("resnet50", nodes=[2], overlaps=[overlap])
    figure = draw_sweep(frame)
    [axes] = figure.axes
    assert not axes.collections
    for column, label in (("comm_s", "communication"), ("comp_s", "computation")):
        assert _line(axes, label).get_ydata() == pytest.approx(1e3 * frame[column].to_numpy()[:-1])
    assert overlap in figure.get_suptitle()


def test_strategies_are_lines_and_those_without_s_comm_are_levels() -> None:
    frame = swept("resnet50", strategies=STRATEGIES)
    figure = draw_sweep(frame)
    assert len(figure.axes) == 3  # the single node is the dashed line of each
    assert _legend(figure) == ["one node: 32.7 ms"]
    assert all(_at_ends(axes) == ["dense", "disco", "pipeline"] for axes in figure.axes)
    dense = frame[(frame["strategy"] == "dense") & (frame["nodes"] == 4)]["latency_s"]
    level = _line(figure.axes[1], "dense").get_ydata()
    assert level == pytest.approx([1e3 * dense.iloc[0]] * 2)
    assert figure.axes[0].get_yscale() == "log"


def test_many_numbers_of_nodes_are_lines_of_one_panel() -> None:
    figure = draw_sweep(swept("resnet50", nodes=range(2, 12)))
    [axes] = figure.axes
    assert len(axes.lines) == 1 + 2 * 10  # one node; a line and a mark at S_comm 1 for each
    assert _at_ends(axes) == [f"{nodes} nodes" for nodes in range(2, 12)]
    assert len(_at_ends(draw_sweep(swept("resnet50", nodes=range(2, 40))).axes[0])) <= 12


def test_one_s_comm_is_bars_or_a_line_over_the_nodes() -> None:
    [axes] = draw_sweep(swept("resnet50", s_comm=[0.8])).axes
    assert len(axes.containers[0]) == 3
    figure = draw_sweep(swept("resnet50", s_comm=[0.8], nodes=range(2, 30)))
    assert figure.get_supxlabel() == "nodes"
    assert list(_line(figure.axes[0], "latency").get_xdata()) == list(range(2, 30))


def test_numbers_of_the_hardware_are_lines_of_their_own() -> None:
    speeds = replace(HMD, bandwidth_Bps=np.array([1e7, 3.75e7]))
    figure = draw_sweep(swept("resnet50", speeds, nodes=[2]))
    assert _legend(figure) == ["one node: 32.7 ms"]
    assert _at_ends(figure.axes[0]) == ["10 MB/s links", "37.5 MB/s links"]
    lines = [line for line in figure.axes[0].lines[1:] if "links" in line.get_label()]
    assert [len(line.get_xdata()) for line in lines] == [12, 12]  # without S_comm 1


def test_each_hardware_has_its_single_node() -> None:
    figure = draw_sweep(swept("resnet50", [HMD, WIFI], nodes=[2]))
    alone = [1e3 * ds.compare("resnet50", node, strategies="single").frame.latency_s[0]
             for node in (HMD, WIFI)]  # fmt: skip
    assert _legend(figure)[:2] == [
        f"one node, splitnets-hmd: {alone[0]:.3g} ms",
        f"one node, rpi4-wifi: {alone[1]:.3g} ms",
    ]


def test_beyond_a_few_lines_each_hardware_has_panels_of_its_own() -> None:
    strategies = ["dense", "disco", "pipeline", "rows"]
    figure = draw_sweep(swept("resnet50", [HMD, WIFI], nodes=[2, 4], strategies=strategies))
    names = ("splitnets-hmd", "rpi4-wifi")
    titles = [f"{name}, {nodes} nodes" for name in names for nodes in (2, 4)]
    assert [axes.get_title() for axes in figure.axes] == titles
    assert all(_at_ends(axes) == strategies for axes in figure.axes)


def test_latency_can_be_drawn_on_any_axes() -> None:
    axes = Figure().subplots()
    draw_latency(axes, swept("resnet50"))
    assert axes.get_ylabel() == "latency [ms]"
    assert axes.get_xlabel().startswith("S_comm")
    named = [line.get_label() for line in axes.lines if "nodes" in line.get_label()]
    assert named == ["2 nodes", "4 nodes", "8 nodes"]


FEW_SWEEPS = [{"nodes": [1]}, {"hardware": [HMD, WIFI], "s_comm": [0.5]}]
MORE_SWEEPS = [
    {"overlaps": ["none", "layer:best"], "nodes": [2]},
    {"nodes": range(2, 10)},
    {"nodes": range(2, 12), "strategies": ["dense", "disco"], "s_comm": [0.0, 0.5, 0.9]},
    {"s_comm": [1.0], "nodes": [2]},
    {"s_comm": [0.2, 0.1, 0.1]},
    {"strategies": STRATEGIES, "nodes": [2]},
    {"strategies": ["single"]},
    {"strategies": ["dense-then-split", "disco"]},
    {"hardware": replace(HMD, memory_Bps=np.array([1e8, 1e9])), "s_comm": [0.0, 0.5, 0.9]},
]


@pytest.mark.parametrize(
    "arguments",
    [*FEW_SWEEPS, *(pytest.param(more, marks=pytest.mark.exhaustive) for more in MORE_SWEEPS)],
)
def test_any_sweep_can_be_drawn(arguments: dict[str, object], tmp_path: Path) -> None:
    frame = swept("resnet18", **arguments)
    for draw in (draw_sweep, draw_compare):
        save(draw(frame), str(tmp_path / "picture.png"))
        assert (tmp_path / "picture.png").stat().st_size > 5000


@pytest.mark.parametrize("arguments", [{}, {"nodes": [2]}, {"strategies": STRATEGIES}])
def test_nothing_reaches_out_of_the_picture(arguments: dict[str, object]) -> None:
    figure = draw_sweep(swept("deeplabv3plus-resnet101", WIFI, **arguments))
    figure.draw_without_rendering()
    inner, outer = figure.get_tightbbox(), figure.bbox_inches
    assert inner.x0 >= 0
    assert inner.x1 <= outer.x1
    legend = figure.legends[0].get_window_extent()
    assert not any(legend.overlaps(axes.get_window_extent()) for axes in figure.axes)


def test_layers_show_each_layer_on_a_logarithmic_axis() -> None:
    frame = by_layer(on("resnet50"), HMD)
    figure = draw_layers(frame, "title")
    [axes] = figure.axes
    assert axes.get_yscale() == "log"
    assert axes.get_ylabel() == "time per layer [ms]"
    assert axes.get_xlabel() == "layer"
    assert figure.get_suptitle() == "title"
    comm, comp = axes.lines
    assert list(comm.get_xdata()) == list(range(2, 55))  # the first layer exchanges nothing
    assert comm.get_ydata() == pytest.approx(1e3 * frame["comm_s"].to_numpy()[1:])
    assert comp.get_ydata() == pytest.approx(1e3 * frame["comp_s"].to_numpy())
    assert _legend(figure) == ["communication, 561 ms in all", "computation, 16.4 ms in all"]
    stages = [text.get_text() for text in axes.texts]
    assert stages == ["stem", "layer1", "layer2", "layer3", "layer4", "fc"]


@pytest.mark.parametrize("model", ["alexnet", "esrgan", "ssd300-vgg16"])
def test_names_of_stages_do_not_cover_each_other(model: str) -> None:
    figure = draw_layers(by_layer(on(model), HMD), model)
    places = [text.xy[0] for text in figure.axes[0].texts]
    inch = figure.axes[0].get_xlim()[1] / figure.get_figwidth()
    assert min(np.diff(places)) >= 0.19 * inch


def test_layers_of_one_node_have_no_communication() -> None:
    figure = draw_layers(by_layer(on("resnet18"), HMD, nodes=1), "one node")
    assert _legend(figure)[0] == "communication, none"


def test_layers_without_any_time_can_be_drawn(tmp_path: Path) -> None:
    frame = by_layer(on("resnet18"), HMD).assign(comm_s=0.0, comp_s=0.0)
    save(draw_layers(frame, "nothing"), str(tmp_path / "layers.svg"))


def test_compare_has_a_bar_per_row_that_ends_at_its_latency() -> None:
    frame = swept("resnet50", strategies=STRATEGIES, nodes=[2], s_comm=[0.8])
    figure = draw_compare(frame)
    [axes] = figure.axes
    comp, comm = axes.containers
    assert [bar.get_width() for bar in comp] == pytest.approx((1e3 * frame["comp_s"]).tolist())
    ends = [bar.get_x() + bar.get_width() for bar in comm]
    assert ends == pytest.approx((1e3 * frame["latency_s"]).tolist())
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["single", "dense", "disco, S_comm 0.8", "pipeline"]
    assert [text.get_text() for text in axes.texts] == ["32.7 ms", "577 ms", "122 ms", "64.8 ms"]
    assert axes.get_xlabel() == "latency [ms]"
    [reference] = [each for each in axes.collections if each.get_label().startswith("one node")]
    ends = [x for segment in reference.get_segments() for x in segment[:, 0]]
    assert ends == pytest.approx([1e3 * frame["latency_s"].iloc[0]] * 8)


def test_compare_names_what_tells_rows_apart_and_shows_the_single_node() -> None:
    frame = swept("resnet50", nodes=[4, 8], s_comm=[0.95], overlaps=["none", "ideal"])
    [axes] = draw_compare(frame).axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0] == "disco, 4 nodes, S_comm 0.95, overlap none"
    assert axes.get_xlim()[1] > 32.7  # slower than all bars


def test_too_many_bars_are_refused() -> None:
    speeds = replace(HMD, bandwidth_Bps=np.linspace(1e6, 1e9, 401))
    with pytest.raises(DiscosimError, match="401 rows are too many bars"):
        draw_sweep(swept("alexnet", speeds, nodes=[2], s_comm=[0.5]))


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_pictures_are_written_whole_and_the_same_each_time(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture.{suffix}"
    frame = swept("resnet18", nodes=[2], s_comm=[0.5])
    written = []
    for _ in range(2):
        save(draw_compare(frame), str(path))
        written.append(path.read_bytes())
    assert len(written[0]) > 1000
    assert written[0] == written[1]
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("path", ["picture.bmp", "picture", "picture.png.txt"])
def test_other_suffixes_are_refused(path: str) -> None:
    for refuse in (check_suffix, lambda given: save(Figure(), given)):
        with pytest.raises(DiscosimError, match=r"wanted a suffix of \.png, \.svg, \.pdf"):
            refuse(path)
