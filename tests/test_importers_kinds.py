"""Further cases of the kinds of fault that imports had, each with its number by hand."""

from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from discosim.cli.types import parse_input
from discosim.errors import DiscosimError
from discosim.graph.counts import remarks
from discosim.graph.network import INPUT
from discosim.graph.table import tabulate
from discosim.importers.nodelink import to_json
from discosim.importers.torch.trace import trace
from discosim.networks import build
from tests.holding import elems, peak, walked_peak
from tests.importing import model, ops, read

pytestmark = pytest.mark.extras

node = helper.make_node
BOOL, INT64 = TensorProto.BOOL, TensorProto.INT64


def typed(graph: onnx.ModelProto, **kinds: int) -> onnx.ModelProto:
    """The graph with some of its inputs of other types than floats."""
    for value in graph.graph.input:
        if value.name in kinds:
            value.type.tensor_type.elem_type = kinds[value.name]
    return graph


# Inputs that are outputs


def test_an_input_that_is_an_output_is_held_to_the_end(tmp_path: Path) -> None:
    """3 x 64 of the image, held while 4 x 64 become 4 x 64: 704 elements."""
    nodes = [node("Conv", ["x", "w"], ["a"]), node("Conv", ["a", "v"], ["y"])]
    weights = {"w": (4, 3, 1, 1), "v": (4, 4, 1, 1)}
    network = read(model(nodes, {"x": [1, 3, 8, 8]}, {"x": None, "y": None}, weights), tmp_path)
    assert (network.outputs, network.kept) == (("y",), (INPUT,))
    assert peak(network) / 4 == walked_peak(network) == 192 + 256 + 256
    assert tabulate(network).in_elems[-1] == 256  # every node has the image
    path = tmp_path / "net.json"
    path.write_text(to_json(network), encoding="utf-8")
    assert build(str(path)).kept == network.kept
    assert peak(build(str(path))) == peak(network)
    path.write_text(to_json(network).replace('"kept": ["input"]', '"kept": ["inptu"]'), "utf-8")
    with pytest.raises(DiscosimError, match="'inptu' is no input; did you mean input"):
        build(str(path))


def test_stages_behind_the_first_do_not_hold_what_enters(tmp_path: Path) -> None:
    """Of two stages the second reads 256 elements and makes 256, whether the image is wanted."""
    nodes = [node("Conv", ["x", "w"], ["a"]), node("Conv", ["a", "v"], ["y"])]
    weights = {"w": (4, 3, 1, 1), "v": (4, 4, 1, 1)}
    graph = model(nodes, {"x": [1, 3, 8, 8]}, {"x": None, "y": None}, weights)
    assert peak(read(graph, tmp_path), 2, strategy="pipeline") / 4 == 256 + 256


def test_a_module_may_return_what_it_is_given() -> None:
    """Its second argument in another shape: 24 elements beside 8 and 8 of the matrix."""

    class Handing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: Tensor, beside: Tensor) -> tuple[Tensor, Tensor]:
            return self.b(self.a(x)), beside.reshape(1, 24)

    network = trace(Handing(), (torch.zeros(1, 8), torch.zeros(1, 2, 12)))
    assert network.kept == ("beside",)
    assert peak(network) / 4 == 24 + 8 + 8


def test_a_kept_input_gives_its_memory_to_nothing(tmp_path: Path) -> None:
    """A function may write over what it reads, but not over what is handed out."""
    nodes = [node("Relu", ["x"], ["a"]), node("MatMul", ["a", "w"], ["y"])]
    for outputs, elements in (({"y": None}, 64 + 8), ({"x": None, "y": None}, 64 + 64 + 8)):
        network = read(model(nodes, {"x": [1, 64]}, outputs, {"w": (64, 8)}), tmp_path)
        assert peak(network) / 4 == elements


# Outputs that are parts, repetitions, constants


SLICED = {"two": (0, 2), "three": (0, 3), "last": (1, 4)}


@pytest.mark.parametrize(
    ("parts", "elements"),
    [
        (["two", "two"], 32),  # the same two of four features of 16 positions, once
        (["two", "three"], 32 + 48),
        (["three", "last"], 64),  # all of it together
    ],
)
def test_parts_of_a_tensor_that_are_outputs(
    parts: list[str], elements: int, tmp_path: Path
) -> None:
    nodes = [node("Conv", ["x", "w"], ["a"])]
    nodes += [
        node("Slice", ["a", f"{part}0", f"{part}1", "axis"], [f"y{number}"])
        for number, part in enumerate(parts)
    ]
    numbers = {f"{part}{at}": [value] for part in SLICED for at, value in enumerate(SLICED[part])}
    outputs = {f"y{number}": None for number, _ in enumerate(parts)}
    graph = model(
        nodes, {"x": [1, 3, 4, 4]}, outputs, {"w": (4, 3, 1, 1)}, {"axis": [1], **numbers}
    )
    assert tabulate(read(graph, tmp_path)).in_elems[-1] == elements


def test_a_repeated_tensor_that_is_an_output(tmp_path: Path) -> None:
    """Four means, at 8 x 8 positions each, and the means themselves."""
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("GlobalAveragePool", ["a"], ["mean"]),
        node("Expand", ["mean", "shape"], ["y"]),
    ]
    outputs = {"y": None, "mean": None}
    weights, numbers = {"w": (4, 3, 1, 1)}, {"shape": [1, 4, 8, 8]}
    network = read(model(nodes, {"x": [1, 3, 4, 4]}, outputs, weights, numbers), tmp_path)
    assert tabulate(network).in_elems[-1] == 4 * 64 + 4


def test_a_parameter_that_is_an_output_is_stored() -> None:
    """As CLIP hands out its scale: 8 x 4 + 4, and one more."""

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out, self.scale = nn.Linear(8, 4), nn.Parameter(torch.tensor(1.0))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.out(x), self.scale.exp()

    network = trace(Scaled(), torch.zeros(1, 8))
    assert network.params == 37
    assert tabulate(network).in_elems[-1] == 5


@pytest.mark.parametrize(("axis", "keepdims", "elements"), [(1, 1, 16), (1, 0, 16), (2, 1, 16)])
def test_the_place_of_the_largest_is_over_one_axis(
    axis: int, keepdims: int, elements: int, tmp_path: Path
) -> None:
    """A map of classes: of four features at 4 x 4 positions, 16 are left."""
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("ArgMax", ["a"], ["y"], axis=axis, keepdims=keepdims),
    ]
    network = read(model(nodes, {"x": [1, 3, 4, 4]}, {"y": None}, {"w": (4, 3, 1, 1)}), tmp_path)
    assert tabulate(network).in_elems[-1] == elements


# Norms over groups


@pytest.mark.parametrize(("opset", "held"), [(18, 2), (20, 2), (21, 4)])
def test_group_norms_of_files_are_read(opset: int, held: int, tmp_path: Path) -> None:
    """Scale and shift of each group, from opset 21 on of each feature."""
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("GroupNormalization", ["a", "g", "b"], ["n"], num_groups=2),
        node("Conv", ["n", "v"], ["y"]),
    ]
    weights = {"w": (4, 3, 1, 1), "g": (held,), "b": (held,), "v": (2, 4, 1, 1)}
    network = read(model(nodes, {"x": [1, 3, 4, 4]}, {"y": None}, weights, opset=opset), tmp_path)
    assert ops(network) == ["conv", "group_norm", "conv"]
    assert network.params == 12 + 2 * held + 8


@pytest.mark.parametrize(("axes", "groups"), [([0, 2, 3], 4), ([1, 2, 3], 1)])
def test_a_norm_without_parameters(axes: list[int], groups: int, tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("MeanVarianceNormalization", ["a"], ["y"], axes=axes),
    ]
    network = read(model(nodes, {"x": [1, 3, 4, 4]}, {"y": None}, {"w": (4, 3, 1, 1)}), tmp_path)
    assert [layer.groups for layer in network.layers if layer.op == "group_norm"] == [groups]
    assert network.params == 12


# What is assumed is told


def test_a_mask_is_told(tmp_path: Path) -> None:
    graph = model(
        [node("MatMul", ["x", "w"], ["a"]), node("Add", ["a", "m"], ["y"])],
        {"x": [4, 8]}, {"y": None}, {"w": (8, 6)},
    )  # fmt: skip
    numbers = [0.0] * 12 + [-1e9] * 12
    graph.graph.initializer.append(helper.make_tensor("m", TensorProto.FLOAT, [4, 6], numbers))
    [line] = remarks(read(graph, tmp_path))
    assert "24 numbers are taken for masks, which do not count as parameters: m" in line


def test_the_branch_that_is_not_taken_is_told(tmp_path: Path) -> None:
    """6 x 5 of weights that are in the file."""
    graph = choosing([])
    [choice] = [each for each in graph.graph.node if each.op_type == "If"]
    [other] = [each.g for each in choice.attribute if each.name == "else_branch"]
    del other.node[:]
    other.node.extend([node("MatMul", ["a", "own"], ["e"])])
    other.initializer.append(helper.make_tensor("own", TensorProto.FLOAT, [6, 5], [1.0] * 30))
    graph.graph.initializer.append(helper.make_tensor("flag", BOOL, [], [True]))
    network = read(graph, tmp_path)
    assert network.params == 48 + 36
    [line] = remarks(network)
    assert "30 parameters in the branch of If 'choice' that is not taken (else_branch)" in line


@pytest.mark.parametrize("how", ["initializer", "operator"])
def test_sparse_weights_are_told(how: str, tmp_path: Path) -> None:
    graph = model([node("MatMul", ["x", "w"], ["y"])], {"x": [4, 8]}, {"y": None})
    values = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    places = helper.make_tensor("places", TensorProto.INT64, [2], [0, 5])
    sparse = helper.make_sparse_tensor(values, places, [8, 6])
    if how == "initializer":
        graph.graph.sparse_initializer.append(sparse)
    else:
        graph.graph.node.insert(0, node("Constant", [], ["w"], sparse_value=sparse))
    network = read(graph, tmp_path)
    assert (network.params, network.macs) == (48, 4 * 48)
    assert any("sparse weights count as if they had all" in line for line in remarks(network))


def test_states_of_zeros_are_told(tmp_path: Path) -> None:
    graph = model(
        [node("GRU", ["x", "w", "r", "", "", "h"], ["y"], hidden_size=5)],
        {"x": [7, 1, 6]}, {"y": None}, {"w": (1, 15, 6), "r": (1, 15, 5), "h": (1, 1, 5)},
    )  # fmt: skip
    assert any(
        "initial states of zeros are no parameters: h" in x for x in remarks(read(graph, tmp_path))
    )


def test_buffers_of_a_module_are_told() -> None:
    """Positions that nobody learned; statistics of a norm go without saying."""

    class Placed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out, self.norm = nn.Linear(8, 4), nn.BatchNorm1d(6)
            self.register_buffer("places", torch.ones(1, 6, 8))

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.norm(x) + self.places)

    network = trace(Placed(), torch.zeros(1, 6, 8))
    assert network.params == 36 + 12
    [line] = remarks(network)
    assert "48 numbers are in buffers" in line


# Statistics of a norm


@pytest.mark.parametrize("computed", ["mean", "variance", "both"])
def test_a_statistic_of_a_norm_is_no_parameter(computed: str, tmp_path: Path) -> None:
    """8 x 3 of the convolution and 8 + 8 of scale and shift: 40, whoever makes the statistics."""
    mean = "m" if computed != "variance" else "s"
    variance = "m" if computed != "mean" else "s"
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("ReduceMean", ["a"], ["m"], axes=[0, 2, 3], keepdims=0),
        node("BatchNormalization", ["a", "g", "b", mean, variance], ["y"]),
    ]
    weights = {"w": (8, 3, 1, 1), "s": (8,), "g": (8,), "b": (8,)}
    network = read(model(nodes, {"x": [1, 3, 8, 8]}, {"y": None}, weights), tmp_path)
    assert network.params == 40


# Parts of parameters


def test_a_parameter_that_is_read_whole_and_in_parts_is_stored_once(tmp_path: Path) -> None:
    """An 8 x 16 matrix, and both its halves: 128 on one node; on several at most all of it."""
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Split", ["w", "p"], ["l", "r"], axis=1),
        node("MatMul", ["x", "l"], ["c"]),
        node("MatMul", ["x", "r"], ["d"]),
    ]
    outputs = {"a": None, "c": None, "d": None}
    graph = model(nodes, {"x": [1, 8]}, outputs, {"w": (8, 16)}, {"p": [8, 8]})
    network = read(graph, tmp_path)
    assert network.params == elems(network, "single", 1) == 128
    assert elems(network, "dense", 2) == 128  # columns 0 to 7, and 0 to 3 and 8 to 11: at most
    assert elems(network, "dense", 4) == 32 + 16 + 16
    path = tmp_path / "net.json"
    path.write_text(to_json(network), encoding="utf-8")
    assert build(str(path)).params == 128


def test_parts_that_overlap_are_stored_once(tmp_path: Path) -> None:
    """Columns 0 to 11 and 4 to 15 of 8 x 16."""
    nodes = [
        node("Slice", ["w", "zero", "twelve", "one"], ["l"]),
        node("Slice", ["w", "four", "sixteen", "one"], ["r"]),
        node("MatMul", ["x", "l"], ["c"]),
        node("MatMul", ["x", "r"], ["d"]),
    ]
    numbers = {"zero": [0], "one": [1], "four": [4], "twelve": [12], "sixteen": [16]}
    graph = model(nodes, {"x": [1, 8]}, {"c": None, "d": None}, {"w": (8, 16)}, numbers)
    network = read(graph, tmp_path)
    assert network.params == elems(network, "single", 1) == 128
    assert network.macs == 2 * 8 * 12


def test_rows_of_a_table_that_is_looked_up_too_are_stored_once(tmp_path: Path) -> None:
    """50 x 16, of which six rows are added, before 16 x 4."""
    nodes = [
        node("Gather", ["t", "x"], ["e"]),
        node("Slice", ["t", "zero", "six", "zero"], ["places"]),
        node("Add", ["e", "places"], ["s"]),
        node("MatMul", ["s", "w"], ["y"]),
    ]
    weights, numbers = {"t": (50, 16), "w": (16, 4)}, {"zero": [0], "six": [6]}
    graph = typed(model(nodes, {"x": [1, 6]}, {"y": None}, weights, numbers), x=TensorProto.INT64)
    network = read(graph, tmp_path)
    assert network.params == 50 * 16 + 16 * 4


def test_a_stack_that_is_read_in_parts_and_summed_is_stored_once() -> None:
    """Three matrices of 8 x 8, one after the other, and their sum."""

    class Stacked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stack = nn.Parameter(torch.zeros(3, 8, 8))

        def forward(self, x: Tensor) -> Tensor:
            for number in range(3):
                x = x @ self.stack[number]
            return x @ self.stack.sum(0)

    network = trace(Stacked(), torch.zeros(1, 8))
    assert network.params == elems(network, "single", 1) == 192
    assert network.macs == 4 * 64


# Attention with masks and past keys


def attending(
    operands: list[str], outputs: list[str], entering: dict[str, list[Any]], **attributes: Any
) -> onnx.ModelProto:
    """Tokens of 8 features, a matrix, and com.microsoft's attention of two heads of 4."""
    nodes = [
        node("MatMul", ["x", "first"], ["h"]),
        node("Attention", operands, outputs, domain="com.microsoft", num_heads=2, **attributes),
    ]
    weights = {"first": (8, 8), "w": (8, 24), "b": (24,)}
    graph = model(nodes, entering, dict.fromkeys(outputs), weights)
    graph.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return graph


@pytest.mark.parametrize("shape", [[2], [2, 5], [2, 5, 5], [2, 1, 5, 5]])
def test_masks_of_any_rank_are_read(shape: list[int], tmp_path: Path) -> None:
    """Key lengths, by keys, by queries and keys, and by heads too; lengths are told."""
    entering = {"x": [2, 5, 8], "mask": shape}
    graph = attending(["h", "w", "b", "mask"], ["y"], entering)
    network = read(typed(graph, mask=TensorProto.INT32), tmp_path)
    assert network.macs == 2 * 5 * (8 * 8 + 8 * 24) + 2 * 2 * 5 * 5 * 8
    [attention] = [layer for layer in network.layers if layer.op == "attention"]
    _, mask = network.operands(attention.name)
    reads = network.operands(mask) if len(shape) == 1 else [mask]
    assert reads == ["mask"]
    assert any("key lengths" in line for line in remarks(network)) == (len(shape) == 1)


def test_past_keys_of_fused_attention_are_joined_and_handed_out(tmp_path: Path) -> None:
    """One token after 100: 64 + 192 of matrices, scores and values of 101 keys with 8 each.

    At the second join both caches of before (1600), all keys and values (2 x 808), the part of
    the values, and queries, keys and values (8 + 24).
    """
    entering = {"x": [1, 1, 8], "past": [2, 1, 2, "T", 4]}
    graph = attending(["h", "w", "b", "", "past"], ["y", "present"], entering)
    network = read(graph, tmp_path, parse_input("past=2x1x2x100x4"))
    assert network.macs == 64 + 192 + 2 * 101 * 8
    assert network.params == 64 + 192 + 24
    assert tabulate(network).in_elems[-1] == 8 + 2 * 808
    assert peak(network) / 4 == walked_peak(network) == 1600 + 2 * 808 + 8 + 24
    assert "exchange" not in ops(network)
    assert remarks(network) == []


def test_attention_hands_out_keys_and_values_without_a_past(tmp_path: Path) -> None:
    entering = {"x": [1, 5, 8]}
    network = read(attending(["h", "w", "b"], ["y", "present"], entering), tmp_path)
    assert tabulate(network).in_elems[-1] == 5 * 8 + 2 * 5 * 8


def test_values_of_another_width_than_keys(tmp_path: Path) -> None:
    """Queries and keys of 8, values of 4: 20 columns, products of 5 x 5 x (8 + 4)."""
    graph = attending(["h", "w", "b"], ["y"], {"x": [1, 5, 8]}, qkv_hidden_sizes=[8, 8, 4])
    for tensor, width in zip(graph.graph.initializer[1:], (8 * 20, 20), strict=True):
        tensor.dims[-1], tensor.raw_data = 20, bytes(4 * width)
    network = read(graph, tmp_path)
    assert network.macs == 5 * (64 + 8 * 20) + 5 * 5 * 12


def test_a_buffer_of_unknown_length_is_refused(tmp_path: Path) -> None:
    entering = {"x": [1, 1, 8], "past": [2, 1, 2, 128, 4]}
    graph = attending(
        ["h", "w", "b", "", "past"], ["y", "present"], entering, past_present_share_buffer=1
    )
    with pytest.raises(DiscosimError, match=r"not known with such operands.*or cut it.*'y'"):
        read(graph, tmp_path)


def test_past_keys_of_onnx_attention_are_joined_too(tmp_path: Path) -> None:
    """Opset 23: three 8 x 8 matrices, one token after 100 in two heads of 4."""
    nodes = [node("MatMul", ["x", f"w{k}"], [k]) for k in "qkv"]
    heads = {"q_num_heads": 2, "kv_num_heads": 2}
    operands = ["q", "k", "v", "", "past_k", "past_v"]
    nodes.append(node("Attention", operands, ["y", "all_k", "all_v"], **heads))
    past = [1, 2, 100, 4]
    entering = {"x": [1, 1, 8], "past_k": past, "past_v": past}
    outputs = {"y": None, "all_k": None, "all_v": None}
    weights = {f"w{k}": (8, 8) for k in "qkv"}
    network = read(model(nodes, entering, outputs, weights, opset=23), tmp_path)
    assert network.macs == 3 * 64 + 2 * 101 * 8
    assert tabulate(network).in_elems[-1] == 8 + 2 * 808
    assert remarks(network) == []


PAST = ["past_k", "past_v"]


@pytest.mark.parametrize(
    ("operands", "outputs", "keys", "handed"),
    [
        (["mask", *PAST], ["all_k", "all_v"], 13, 2 * 8 * 13),
        (["", *PAST], [], 13, 0),
        (["", *PAST], ["all_k", "all_v", "scores"], 13, 2 * 8 * 13 + 2 * 3 * 13),
        (["", "", "", "lengths"], [], 3, 0),
        (["mask", "", "", "lengths"], [], 3, 0),
        (["mask"], ["", "", "scores"], 3, 2 * 3 * 3),
    ],
)
def test_operands_and_outputs_of_onnx_attention(
    operands: list[str], outputs: list[str], keys: int, handed: int, tmp_path: Path
) -> None:
    """Opset 24: three tokens, after ten or none, in two heads of 4; each operand is read."""
    shapes = {"mask": [3, keys], "lengths": [1]} | {key: [1, 2, 10, 4] for key in PAST}
    entering = {"x": [1, 3, 8]} | {name: shapes[name] for name in operands if name}
    nodes = [node("MatMul", ["x", f"w{k}"], [k]) for k in "qkv"]
    heads = {"q_num_heads": 2, "kv_num_heads": 2}
    nodes.append(node("Attention", [*"qkv", *operands], ["y", *outputs], **heads))
    wanted: dict[str, Any] = dict.fromkeys(["y", *filter(None, outputs)])
    weights = {f"w{k}": (8, 8) for k in "qkv"}
    graph = typed(model(nodes, entering, wanted, weights, opset=24), lengths=INT64)
    network = read(graph, tmp_path)
    assert network.macs == 3 * 3 * 64 + 3 * keys * 16
    assert tabulate(network).in_elems[-1] == 24 + handed
    read_by_rows = {each for layer in network.layers for each in network.operands(layer.name)}
    assert set(entering) - {"x"} <= read_by_rows
    assert any("key lengths" in line for line in remarks(network)) == ("lengths" in operands)


# Conditions


def choosing(condition: list[Any], **entering: tuple[int, list[Any]]) -> onnx.ModelProto:
    """4 x 8 times 8 x 6, and times 6 x 6 once more where `flag` says so."""

    def branch(name: str, made: Any) -> onnx.GraphProto:
        value = helper.make_tensor_value_info(made.output[0], TensorProto.FLOAT, None)
        return helper.make_graph([made], name, [], [value])

    then = branch("then", node("MatMul", ["a", "w2"], ["t"]))
    other = branch("else", node("Identity", ["a"], ["e"]))
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        *condition,
        node("If", ["flag"], ["y"], name="choice", then_branch=then, else_branch=other),
    ]
    graph = model(nodes, {"x": [4, 8]}, {"y": None}, {"w": (8, 6), "w2": (6, 6)})
    for name, (kind, shape) in entering.items():
        graph.graph.input.append(helper.make_tensor_value_info(name, kind, shape))
    return graph


NEGATED = [node("Not", ["f"], ["flag"])]
EITHER = [node("Not", ["f"], ["g"]), node("Or", ["g", "h"], ["flag"])]
BOTH = [node("Identity", ["f"], ["g"]), node("And", ["g", "h"], ["flag"])]
COUNTED = [node("Cast", ["f"], ["flag"], to=BOOL)]
ABOVE = [node("Cast", ["f"], ["g"], to=INT64), node("Greater", ["f", "h"], ["flag"])]


@pytest.mark.parametrize(
    ("condition", "kinds", "given", "longer"),
    [
        (NEGATED, {"f": (BOOL, [])}, "f=1", False),
        (NEGATED, {"f": (BOOL, [1])}, "f=0", True),
        (EITHER, {"f": (BOOL, []), "h": (BOOL, [1])}, "f=1,h=0", False),
        (EITHER, {"f": (BOOL, []), "h": (BOOL, [1])}, "f=1,h=1", True),
        (BOTH, {"f": (BOOL, []), "h": (BOOL, [])}, "f=1,h=1", True),
        (COUNTED, {"f": (INT64, [1])}, "f=3", True),
        (COUNTED, {"f": (TensorProto.FLOAT, [])}, "f=0", False),
        (ABOVE, {"f": (INT64, []), "h": (INT64, [])}, "f=3,h=2", True),
    ],
)
def test_conditions_that_follow_from_inputs_are_set_with_these(
    condition: list[Any], kinds: dict[str, Any], given: str, longer: bool, tmp_path: Path
) -> None:
    graph = choosing(condition, **kinds)
    network = read(graph, tmp_path, parse_input(given))
    assert network.macs == 4 * 8 * 6 + 4 * 6 * 6 * longer
    named = ", ".join(f"'{name}'" for name in kinds)
    to_set = ",".join(f"{name}=1" for name in kinds)
    with pytest.raises(DiscosimError, match=rf"from the input {named}: set it \(--input {to_set}"):
        read(graph, tmp_path)


def test_a_condition_of_data_and_an_input_is_cut(tmp_path: Path) -> None:
    """What cannot be set with `--input` is never said to be."""
    condition = [
        node("ReduceMax", ["a"], ["most"], keepdims=0),
        node("Cast", ["most"], ["some"], to=BOOL),
        node("And", ["some", "f"], ["flag"]),
    ]
    with pytest.raises(DiscosimError, match=r"before it runs: cut the file.*at 'a', behind it"):
        read(choosing(condition, f=(BOOL, [])), tmp_path)


# Constants


@pytest.mark.parametrize(
    "kind", [TensorProto.INT8, TensorProto.UINT8, TensorProto.FLOAT16, TensorProto.FLOAT]
)
@pytest.mark.parametrize("how", ["initializer", "operator"])
def test_constants_of_operators_count_as_initializers_do(
    kind: int, how: str, tmp_path: Path
) -> None:
    """8 x 6 of any type; zeros and scales are none."""
    size = {TensorProto.FLOAT: 4, TensorProto.FLOAT16: 2}.get(kind, 1)
    weight = TensorProto(name="w", data_type=kind, dims=(8, 6), raw_data=bytes(48 * size))
    made = [node("Constant", [], ["w"], value=weight)] if how == "operator" else []
    nodes = [*made, node("Cast", ["w"], ["v"], to=1), node("MatMul", ["x", "v"], ["y"])]
    graph = model(nodes, {"x": [4, 8]}, {"y": None})
    if how == "initializer":
        graph.graph.initializer.append(weight)
    network = read(graph, tmp_path)
    assert (network.params, network.macs) == (48, 4 * 48)
    assert not any("are constants, or made of fewer" in line for line in remarks(network))


@pytest.mark.parametrize("how", ["initializer", "operator"])
def test_a_mask_is_none_wherever_it_is_written(how: str, tmp_path: Path) -> None:
    """0 and one other number, 4 x 6 of them, added to a tensor."""
    numbers = [0.0] * 12 + [-1e9] * 12
    mask = helper.make_tensor("m", TensorProto.FLOAT, [4, 6], numbers)
    made = [node("Constant", [], ["m"], value=mask)] if how == "operator" else []
    nodes = [*made, node("MatMul", ["x", "w"], ["a"]), node("Add", ["a", "m"], ["y"])]
    graph = model(nodes, {"x": [4, 8]}, {"y": None}, {"w": (8, 6)})
    if how == "initializer":
        graph.graph.initializer.append(mask)
    assert read(graph, tmp_path).params == 48


def test_numbers_of_a_constant_count_as_its_tensor_does(tmp_path: Path) -> None:
    """`value_floats` of six biases."""
    nodes = [
        node("Constant", [], ["b"], value_floats=[0.5] * 6),
        node("Gemm", ["x", "w", "b"], ["y"]),
    ]
    assert read(model(nodes, {"x": [4, 8]}, {"y": None}, {"w": (8, 6)}), tmp_path).params == 54
