"""What a node holds: inputs, outputs, what lives inside a row, and what a runtime adds."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from discosim.cli.app import cli
from discosim.cli.types import parse_input
from discosim.errors import DiscosimError
from discosim.graph.builder import Builder
from discosim.graph.layer import OPERATORS
from discosim.graph.network import INPUT, Network, inputs_text
from discosim.graph.table import tabulate
from discosim.hardware import load_profile
from discosim.importers.nodelink import to_json
from discosim.model.memory import WORKSPACE, beyond_fast, fits_word
from discosim.networks import build
from discosim.partition.plan import CONVENTIONS
from tests.configurations import on
from tests.holding import FUSED, cost, peak, walked_peak
from tests.strategies import networks

# Outputs


def backbone(outputs: list[str] | None = None) -> Network:
    """Three maps of which the first two are read on: 32x16x16, 64x8x8 and 128x4x4."""
    net = Builder("backbone", (3, 32, 32))
    x = net.conv(INPUT, 32, 3, "p1", stride=2)
    y = net.conv(x, 64, 3, "p2", stride=2)
    net.conv(y, 128, 3, "p3", stride=2)
    return net.build(outputs=outputs)


@given(networks())
def test_without_names_the_outputs_are_what_nobody_reads(network: Network) -> None:
    """Every other tensor that is wanted as well takes memory to the end, and is gathered."""
    table = tabulate(network)
    assert network.outputs == ("fc",)
    assert table.in_elems[-1] == table.tensor_elems[table.outputs].sum()
    first = replace(network, outputs=("fc", "first"))
    wider = tabulate(first)
    assert wider.in_elems[-1] == table.in_elems[-1] + network.layers[0].out_elems
    assert (wider.live_elems >= table.live_elems).all()
    assert wider.alive[1].all() or wider.made[1] == 0


def test_three_maps_of_a_backbone_are_gathered() -> None:
    """8,192 + 4,096 + 2,048 elements; the last alone would be 8,192 bytes."""
    elems = 32 * 16 * 16 + 64 * 8 * 8 + 128 * 4 * 4
    assert 4 * elems == 57344
    runtime = CONVENTIONS["runtime"]
    for outputs, whole in ((["p1", "p2", "p3"], 57344), (None, 8192), (["p1"], 32768)):
        gathered = cost(backbone(outputs), 2, conventions=runtime).received_bytes
        assert gathered[..., -1].max() == whole / 2
        assert tabulate(backbone(outputs)).in_elems[-1] == whole / 4


@pytest.mark.parametrize("nodes", [2, 3, 4])
def test_the_node_that_gathers_holds_the_whole_output(nodes: int) -> None:
    """Its own part and what arrives are all of the three maps, 57,344 bytes."""
    plan, costs = on(
        backbone(["p1", "p2", "p3"]), nodes=nodes, conventions="runtime", s_comm=1.0
    ).evaluate()
    held = 4 * (plan.live_elems + plan.buffer_elems)[..., -1]
    assert held.squeeze()[0] == 57344
    assert costs.peak_feature_bytes.max() >= 57344


def test_a_side_result_that_nobody_wants_is_no_output() -> None:
    net = Builder("side", (3, 8, 8))
    x = net.conv(INPUT, 8, 3, "a")
    net.conv(x, 64, 3, "side")
    net.conv(x, 4, 3, "b")
    network = net.build(outputs=["b"])
    table = tabulate(network)
    assert table.in_elems[-1] == 4 * 64
    assert table.alive[2].sum() == 1  # while it is made
    with pytest.raises(DiscosimError, match="no layer makes its output 'c'"):
        net.build(outputs=["c"])


def test_the_output_of_a_table_is_its_last_layer(tmp_path: Path) -> None:
    """A table has no edges: `b`, which no later layer can read, is no output."""
    path = tmp_path / "net.csv"
    sizes = "IFMAP Height,IFMAP Width,Filter Height,Filter Width,Channels,Num Filter,Strides"
    path.write_text(
        f"Layer name,{sizes},\na,8,8,1,1,3,8,1,\nb,8,8,1,1,8,5,1,\nc,8,8,1,1,8,4,1,\n",
        encoding="utf-8",
    )
    network = build(str(path))
    assert network.outputs == ("c",)
    assert tabulate(network).in_elems[-1] == 4 * 64


@pytest.mark.parametrize("outputs", ["[]", '["nothing"]', '"fc"', "[1]"])
def test_bad_outputs_are_refused(tmp_path: Path, outputs: str) -> None:
    path = tmp_path / "net.json"
    text = to_json(backbone())
    assert '"outputs": ["p3"]' in text
    path.write_text(text.replace('"outputs": ["p3"]', f'"outputs": {outputs}'), encoding="utf-8")
    with pytest.raises(DiscosimError, match="output"):
        build(str(path))


# Inputs


def two_inputs() -> Network:
    """An image and a mask of another size, each read by one convolution; then added."""
    net = Builder("two", (3, 64, 64))
    mask = net.enter("mask", (1, 256, 256))
    x = net.conv(INPUT, 8, 3, "image.conv")
    y = net.conv(mask, 8, 4, "mask.conv", stride=4, padding=0)
    net.add(x, y, "add")
    return net.build()


def test_inputs_are_in_memory_until_they_are_read() -> None:
    """In the second convolution 32,768 + 65,536 + 32,768 elements; the walk says the same."""
    network = two_inputs()
    assert walked_peak(network) * 4 == 524288
    assert peak(network) == 524288
    assert inputs_text(network) == "3x64x64,mask=1x256x256"
    assert tabulate(network).live_elems[0] == 3 * 64**2 + 256**2 + 8 * 64**2


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6), st.booleans())
def test_the_peak_is_that_of_a_walk_through_the_graph(a: int, b: int, c: int, first: bool) -> None:
    net = Builder("walk", (a, 4, 4))
    tensors = [INPUT, net.enter("second", (b, 8, 8))]
    if first:
        tensors.reverse()
    x = net.conv(tensors[0], c, 3, "one", stride=net.shape(tensors[0])[1] // 4)
    y = net.conv(tensors[1], c, 3, "two", stride=net.shape(tensors[1])[1] // 4)
    z = net.concat([x, y], "concat")
    net.conv(z, 2, 3, "last")
    network = net.build(outputs=["last", "one"])
    assert peak(network) == 4 * walked_peak(network)


@pytest.mark.parametrize("text", ["=3x4", "a=3x4,b", "a=3,a=4", "a=", "a=3y"])
def test_a_bad_input_is_refused(text: str) -> None:
    with pytest.raises(DiscosimError):
        parse_input(text)


def test_a_network_of_the_package_has_one_input() -> None:
    assert build("resnet18", parse_input("input=3x64x64")) is build("resnet18", (3, 64, 64))
    with pytest.raises(DiscosimError, match="no input 'image'"):
        build("resnet18", parse_input("image=3x64x64"))


# What lives inside a row


def attending(tokens: int, heads: int, width: int, *, apart: bool = False) -> Network:
    net = Builder("attending", (heads * width, tokens))
    features = heads * width
    if apart:
        parts = [net.linear(INPUT, features, kind, heads=heads) for kind in "qkv"]
        net.append("attention", "attend", parts, (features, tokens), heads=heads)
    else:
        net.attention(net.linear(INPUT, 3 * features, "qkv", heads=heads), heads, "attend")
    return net.build()


@given(st.integers(1, 40), st.sampled_from([1, 2, 4]), st.integers(1, 8), st.booleans())
def test_written_out_attention_takes_its_scores(
    tokens: int, heads: int, width: int, apart: bool
) -> None:
    """Queries and keys, with values, beside all scores; then the output where the queries were."""
    network = attending(tokens, heads, width, apart=apart)
    at = tabulate(network).name.index("attend")
    scores, each = heads * tokens**2, heads * width * tokens
    table = tabulate(network)
    written = table.live_elems[at] + table.scratch_elems[at]
    assert written == max(4 * each, 3 * each + scores)
    assert peak(network) >= peak(network, hardware=FUSED)
    assert cost(network).scores_bytes == peak(network) - peak(network, hardware=FUSED)


def test_scores_of_1024_tokens() -> None:
    """T = 1024, 2 heads of 16: 131,072 elements; 2 x 1024^2 scores beside 98,304 of q, k and v."""
    for apart in (False, True):
        network = attending(1024, 2, 16, apart=apart)
        assert peak(network, hardware=FUSED) == 4 * 131072
        assert peak(network) == 4 * 2195456
        assert 2 * 1024**2 + 3 * 32 * 1024 == 2195456


def test_heads_divide_the_scores_among_the_nodes() -> None:
    network = attending(64, 4, 8)
    for nodes in (2, 4):
        for conventions in CONVENTIONS.values():
            alone = 4 * (4 * 64**2 + 3 * 32 * 64)
            assert peak(network, nodes, conventions=conventions) == alone / nodes
    stages = cost(network, 1, strategy="pipeline").peak_feature_bytes.max()
    assert stages == peak(network)


def test_an_operand_that_is_read_later_keeps_its_place() -> None:
    net = Builder("residual", (8, 16))
    x = net.linear(INPUT, 24, "qkv")
    y = net.attention(x, 2, "attend")
    net.add(net.linear(x, 8, "skip"), y, "add")
    table = tabulate(net.build())
    assert table.scratch_elems[1] == 2 * 16**2


def test_every_operator_was_asked_for_its_scratch() -> None:
    """docs/model.md says of each operator what it takes in itself; only attention takes some."""
    text = (Path(__file__).parents[1] / "docs/model.md").read_text(encoding="utf-8")
    table = text[text.index("| inside a row |") :].split("\n\n")[0]
    said = {name for name in OPERATORS if f"`{name}`" in table}
    assert set(OPERATORS) - {"gather"} <= said
    network = build("deit-ti")
    takes = {layer.op for layer in network.layers if layer.scratch}
    assert takes == {"attention"}


def test_a_fused_kernel_and_written_out_scores_differ_in_the_verdict() -> None:
    """ViT-B/16 at 1024 pixels: 12 heads x 4097^2 scores are 806 MB, and 1 GB is not enough."""
    assert 4 * 12 * 4097**2 == 805699632
    asked = ("--model", "vit-b16", "--input", "1024", "--memory", "1GB")
    both = [row(*asked, "--attention", kind) for kind in ("written-out", "fused")]
    assert row(*asked) == both[0]
    assert [each["fits"] for each in both] == [False, True]
    assert [each["fits_word"] for each in both] == ["no", "yes"]
    assert both[0]["node_bytes"] - both[1]["node_bytes"] == both[0]["scores_bytes"]
    assert both[0]["scores_bytes"] == both[1]["scores_bytes"] > 0.75e9
    for kind, said in (("written-out", "one node would fit"), ("fused", "one node would not fit")):
        arguments = ["sweep", "--strategy", "single", *asked, "--attention", kind]
        shown = CliRunner().invoke(cli, arguments)
        assert said in shown.output
        assert f"Attention is {kind}" in shown.output


def row(*arguments: str) -> dict[str, Any]:
    """The one row of a sweep over one node."""
    given = ["sweep", "--strategy", "single", "--format", "json", *arguments]
    [found] = json.loads(CliRunner().invoke(cli, given).stdout)
    return dict(found)


# What a runtime takes


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.floats(1, 2e9), st.none() | st.floats(1, 4))
def test_a_verdict_is_no_where_the_least_does_not_fit(
    weights: float, features: float, memory: float, workspace: float | None
) -> None:
    need = weights + features
    word = str(fits_word(np.array(need), np.array(features), memory, workspace))
    factor = WORKSPACE if workspace is None else workspace
    assert (word == "no") == (need > memory)
    assert (word == "yes") == (need + (factor - 1) * features <= memory)


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.floats(1, 2e9), st.floats(0, 1e9))
def test_weights_beyond_a_fast_memory_spill_where_they_fit_at_all(
    weights: float, features: float, memory: float, fast: float
) -> None:
    need, least = np.array(weights + features), np.array(features)
    beyond = beyond_fast(np.array(weights), fast, 1e6)
    assert not beyond_fast(np.array(weights), fast, None)
    one = str(fits_word(need, least, memory, None))
    word = str(fits_word(need, least, memory, None, beyond))
    assert (word == "spills") == (one == "yes" and weights > fast)
    assert word in (one, "spills")


def test_a_spill_is_told_wherever_fitting_is() -> None:
    asked = ["--hw", "edgetpu-usb", "--dtype", "int8", "--model", "resnet50"]
    found = row(*asked)
    assert (found["fits"], found["fits_word"]) == (True, "spills")
    assert row(*asked, "--model", "squeezenet1-1")["fits_word"] == "yes"
    assert row(*asked, "--memory", "20MB")["fits_word"] == "no"
    split = CliRunner().invoke(cli, ["sweep", *asked, "--nodes", "4", "--s-comm", "0.9"]).output
    assert "its weights not in the fast memory alone" in split
    assert "with all weights in 7.5 MB of fast memory" in split
    sized = ["size", *asked, "--latency", "30ms"]
    assert "of which weights spill from fast memory" in CliRunner().invoke(cli, sized).output
    shown = CliRunner().invoke(cli, ["hardware", "show", "edgetpu-usb"]).output
    assert "Weights beyond 7.5 MB arrive at" in " ".join(shown.split())
    assert "1 GB (7.5 MB fast)" in CliRunner().invoke(cli, ["hardware"]).output
    assert "memory.fast" in shown
    assert "memory.spill" in shown


def test_a_profile_says_what_its_runtime_takes() -> None:
    """A fixed part is in node_bytes; a factor on the features decides between yes and tight."""
    plain = row("--model", "resnet18")
    need, features = plain["node_bytes"], plain["peak_feature_bytes"]
    for memory, settings, word in (
        (need + 1.7 * features, {}, "yes"),
        (need + 1.5 * features, {}, "tight"),
        (need + 1.5 * features, {"workspace": "1.4"}, "yes"),
        (need + 0.3 * features, {"workspace": "1.4"}, "tight"),
        (need - 1, {"workspace": "1"}, "no"),
        (need, {"workspace": "1"}, "yes"),
        (need, {"runtime": "1kB"}, "no"),
    ):
        given = [f"--set=memory.{key}={value}" for key, value in settings.items()]
        found = row("--model", "resnet18", "--memory", f"{memory:.0f}B", *given)
        assert (found["fits_word"], found["fits"]) == (word, word != "no")
        assert found["node_bytes"] == need + 1000 * ("runtime" in settings)


@pytest.mark.parametrize(
    ("path", "text"),
    [("memory.workspace", "0.5"), ("memory.attention", "fuse"), ("memory.runtime", "3")],
)
def test_a_runtime_that_cannot_be_is_refused(path: str, text: str) -> None:
    with pytest.raises(DiscosimError, match=path):
        load_profile("splitnets-hmd", {path: text})


def test_json_keeps_its_keys() -> None:
    asked = ("--model", "resnet18", "--strategy", "disco", "--nodes", "2", "--s-comm", "0.8")
    found = row(*asked, "--memory", "18MB")
    assert (found["fits"], found["fits_word"], found["scores_bytes"]) == (True, "tight", 0)
    found = row(*asked)
    assert (found["fits"], found["fits_word"]) == (None, None)
