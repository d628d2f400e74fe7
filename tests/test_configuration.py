"""One configuration: what it resolves to, what it refuses, and the axes and columns around it."""

import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import discosim as ds
from discosim.columns import COLUMNS
from discosim.configuration import Configuration
from discosim.errors import DiscosimError, UnknownNameError
from discosim.explore.allocation.allocate import Limit
from discosim.explore.allocation.layer_costs import layer_costs
from discosim.explore.band import band_columns
from discosim.explore.grid.engine import reduce_grid
from discosim.explore.grid.grid import Grid
from discosim.explore.grid.metrics import METRICS
from discosim.explore.grid.records import records, with_axes
from discosim.explore.grid.reduce import All
from discosim.explore.sweep import sweep_columns
from discosim.graph.builder import Builder
from discosim.graph.network import INPUT, Network
from discosim.networks import build
from discosim.partition.plan import Features, Objective, Rounding
from discosim.simulate import Overlap
from discosim.strategies.strategy import STRATEGIES
from tests.configurations import HMD, allocated, by_layer, on, swept

OUTPUT = Path(__file__).parents[1] / "docs" / "output.md"


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_resolving_twice_is_resolving_once_and_changes_no_cost(strategy: str) -> None:
    given = on("resnet18/8", strategy=strategy, s_comm=0.8, nodes=3)
    once = given.resolved()
    twice = once.resolved()
    for name in ("nodes", "at", "mask", "plan_file", "overlap"):
        assert getattr(once, name) == getattr(twice, name), name
    assert np.array_equal(once.knob, twice.knob)
    assert given.cost().latency_s == once.cost().latency_s == twice.cost().latency_s


def test_a_network_traced_or_built_needs_no_name() -> None:
    named, built = on("resnet18/8"), on(replace(build("resnet18/8"), name="mine"))
    assert named.cost().latency_s == built.cost().latency_s
    assert swept(built, nodes=[2], s_comm=[0.0])["model"].tolist() == ["mine"]


def test_what_cannot_be_is_refused_where_it_is_said() -> None:
    with pytest.raises(UnknownNameError, match="layer1"):
        on("resnet18", at="layer11")
    for changes, words in (({"nodes": 0}, "0 nodes"), ({"nodes": 5000}, "features")):
        with pytest.raises(DiscosimError, match=words):
            on("resnet18", **changes).plan()


def _convolutions(count: int) -> Network:
    net, x = Builder("plain", (3, 8, 8)), INPUT
    for number in range(count):
        x = net.conv(x, 8, 3, f"conv{number}")
    return net.build()


@pytest.mark.parametrize("strategy", ["dense-then-split", "split-then-aggregate"])
@pytest.mark.parametrize("at", ["", "0.5", "conv0"])
def test_a_network_without_blocks_has_no_cut(strategy: str, at: str) -> None:
    with pytest.raises(DiscosimError, match="plain has no blocks"):
        on(_convolutions(2), strategy=strategy, at=at).cost()


def test_compare_leaves_out_what_a_network_without_blocks_cannot_have() -> None:
    answer = ds.compare(_convolutions(2), nodes=2)
    left_out = [note for note in answer.notes if "left out: plain has no blocks" in note]
    assert len(left_out) == 2
    assert "disco" in set(answer.frame["strategy"])


def test_where_nothing_is_exchanged_there_is_nothing_to_allocate() -> None:
    """One layer reads the image, which is on every node."""
    given = on(_convolutions(1), nodes=2)
    assert layer_costs(given, np.array([0.0, 0.5])).choices == ()
    with pytest.raises(DiscosimError, match="exchanges nothing to be chosen"):
        allocated(given, HMD, {"bytes_per_node": Limit(1.0)})


@pytest.mark.parametrize("words", [Objective, Features, Rounding])
def test_words_name_the_nearest_one(words: type) -> None:
    for word in words:
        assert words(str(word)) is word
        with pytest.raises(UnknownNameError, match=f"did you mean {word}"):
            words(f"{word}s")


@pytest.mark.parametrize("text", ["none", "layer", "layer:1", "layer:04", "layer:best", "ideal"])
def test_an_overlap_is_written_as_it_was_given(text: str) -> None:
    assert str(Overlap.parse(text)) == text
    assert Overlap.parse(str(replace(Overlap.parse(text), text=""))) == Overlap.parse(text)


def test_a_network_comes_back_from_another_process_as_the_same_object() -> None:
    network = build("resnet18/8")
    sent = pickle.dumps(network)
    assert pickle.loads(sent) is network
    given = pickle.loads(pickle.dumps(Configuration(network, HMD)))
    assert given.table is on("resnet18/8").table


def test_every_number_of_the_hardware_is_an_axis_of_a_grid_as_of_a_sweep() -> None:
    node = replace(
        HMD, memory_Bps=np.array([1e9, 1e8]), bandwidth_Bps=np.array([1e6, 1e7]),
        link_latency_s=np.array([0.0, 1e-3]), compute_macps=np.array([1e9, 1e10, 1e11]),
    )  # fmt: skip
    grid = Grid([on("resnet18/8")], [node], ["disco"], [2, 3], [0.0, 0.5])
    rows = with_axes(grid, dict(reduce_grid(grid, All())))
    wanted = swept("resnet18/8", node, nodes=[2, 3], s_comm=[0.0, 0.5])
    assert len(rows) == len(wanted) == 2 * 2 * 2 * 2 * 2 * 3
    axes = ["nodes", "memory_Bps", "bandwidth_Bps", "link_latency_s", "compute_macps", "s_comm"]
    frames = (rows, records(grid, np.arange(grid.size)), wanted)
    found = [frame.sort_values(axes).reset_index(drop=True) for frame in frames]
    for name in (*axes, "latency_s", "node_bytes"):
        np.testing.assert_allclose(found[0][name], found[2][name], rtol=1e-12)
        np.testing.assert_allclose(found[1][name], found[2][name], rtol=1e-12)


def test_every_column_of_a_result_is_described_once() -> None:
    base = on("resnet18/8")
    axes = {"strategies": ["disco"], "nodes": [2], "s_comm": [0.5]}
    rows = pd.DataFrame(band_columns(sweep_columns(base, **axes), base, [HMD], **axes))
    grid = Grid([base], [HMD], ["disco"], [2], [0.5])
    for frame in (rows, by_layer(base), records(grid, np.arange(1))):
        assert set(frame.columns) <= set(COLUMNS)
    assert {metric.column for metric in METRICS.values()} <= set(COLUMNS)
    text = OUTPUT.read_text(encoding="utf-8")
    told = text.split("## Columns of `sweep`")[1].split("## Columns of `layers`")
    first_cells = [line.split("|")[1] for line in told[0].splitlines() if line.startswith("| `")]
    cluster = ds.sweep("resnet18/8", ds.cluster("rpi4-gigabit,rpi5-gigabit"), s_comm=0.5)
    columns = {*rows.columns, *cluster.frame.columns}
    assert set(re.findall(r"`(\w+)`", "".join(first_cells))) == columns
    assert re.findall(r"`([a-z_ ]+)`:", told[1])[0].split() == list(by_layer(base).columns)


ANSWER = """
import sys
from discosim.configuration import Configuration
from discosim.explore.band import band_columns
from discosim.explore.sweep import sweep_columns
from discosim.hardware import load_profile
from discosim.networks import build
from discosim.report import frames, summary, sweep, tables
node = load_profile("splitnets-hmd").hardware()
base = Configuration(build("resnet18/8"), node)
axes = {"strategies": ["disco"], "nodes": [2], "s_comm": [0.0, 0.5]}
rows = band_columns(sweep_columns(base, **axes), base, [node], **axes)
single = sweep_columns(base, strategies=["single"], nodes=[1])
lines = [*summary.setting(rows, [node]), *summary.findings(rows, single, [node])]
assert tables.to_text(sweep.show_results(rows), lines, 400) and frames.to_json(rows)
print("pandas" in sys.modules)
"""


def test_a_sweep_and_its_table_need_no_pandas() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ANSWER], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.strip() == "False"
