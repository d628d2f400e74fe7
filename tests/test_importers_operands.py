"""Every operator of the table reads every operand that is computed, or the answer says so."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from discosim.graph.layer import Shape
from discosim.importers.lowering.elementwise import POINTWISE, QUANTISED
from discosim.importers.lowering.lower import lower
from discosim.importers.lowering.ops import HANDED_ON, TABLE
from discosim.importers.lowering.program import Constant, Node, Program
from discosim.importers.lowering.values import View
from discosim.importers.lowering.writer import Writer

IMAGE: Shape = (1, 8, 4, 4)
TOKENS: Shape = (1, 6, 8)
HEADS: Shape = (1, 2, 6, 4)
VECTOR: Shape = (8,)


class Case(NamedTuple):
    """Shapes of the operands, None for one that is left out, and of the outputs."""

    operands: tuple[Shape | None, ...]
    outputs: tuple[Shape, ...] = (IMAGE,)
    attributes: Mapping[str, Any] = MappingProxyType({})


POOLS = ("MaxPool", "AveragePool", "LpPool")
GLOBAL = ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "AdaptivePool")
REDUCTIONS = [*sorted(op for op in TABLE if op.startswith("Reduce"))]
MOVED = {"Roll": {"axes": (2,)}, "Split": {"axis": 1}, "Transpose": {"perm": (0, 1, 3, 2)}}
NOT_COSTED = (
    "If", "Loop", "Scan", "NonMaxSuppression", "NonZero", "Unique", "Compress",
)  # fmt: skip
WINDOW = {"kernel_shape": (1, 1), "strides": (1, 1)}

CASES: dict[str, Case] = {
    **{op: Case((IMAGE, IMAGE, IMAGE)) for op in POINTWISE if op not in QUANTISED},
    **{op: Case((IMAGE, None, None, IMAGE)) for op in QUANTISED},
    **{op: Case((IMAGE, (1,), (1,))) for op in HANDED_ON},
    "Conv": Case((IMAGE, (8, 8, 1, 1), VECTOR)),
    "ConvInteger": Case((IMAGE, (8, 8, 1, 1), (1,), (1,))),
    "QLinearConv": Case((IMAGE, (1,), (1,), (8, 8, 1, 1), (1,), (1,), (1,), (1,), VECTOR)),
    "ConvTranspose": Case((IMAGE, (8, 8, 1, 1), VECTOR)),
    "DeformConv": Case((IMAGE, (8, 8, 1, 1), (1, 2, 4, 4), VECTOR, (1, 1, 4, 4))),
    "Gemm": Case(((6, 8), (8, 5), (6, 5)), ((6, 5),)),
    "MatMul": Case((TOKENS, (1, 8, 5)), ((1, 6, 5),)),
    "MatMulInteger": Case((TOKENS, (1, 8, 5), (1,), (1,)), ((1, 6, 5),)),
    "QLinearMatMul": Case(
        (TOKENS, (1,), (1,), (1, 8, 5), (1,), (1,), (1,), (1,)), ((1, 6, 5),)
    ),
    "Einsum": Case((TOKENS, (1, 8, 5)), ((1, 6, 5),), {"equation": "btd,bde->bte"}),
    "Attention": Case((HEADS, HEADS, HEADS, (6, 6), HEADS, HEADS), (HEADS,)),
    "Gather": Case((TOKENS, (3,)), ((1, 3, 8),), {"axis": 1}),
    **{op: Case(((6, 1, 8), (1, 32, 8), (1, 32, 8), (1, 64), None, (1, 1, 8), (1, 1, 8), (1, 24)),
                ((6, 1, 1, 8), (1, 1, 8), (1, 1, 8))) for op in ("LSTM", "GRU", "RNN")},
    "OneHot": Case(((1, 6), (1,), (2,)), ((1, 6, 8),)),
    "TopK": Case((TOKENS, (1,)), ((1, 6, 2), (1, 6, 2))),
    **{op: Case((TOKENS, (1, 6, 8), (1, 6, 8)), (TOKENS,))
       for op in ("GatherElements", "GatherND", "ScatterND", "ScatterElements")},
    "CumSum": Case((TOKENS, (1,)), (TOKENS,)),
    "RoiAlign": Case((IMAGE, (3, 4), (3,)), ((3, 8, 2, 2),)),
    "MaxRoiPool": Case((IMAGE, (3, 5)), ((3, 8, 2, 2),)),
    "BatchNormalization": Case((IMAGE, VECTOR, VECTOR, VECTOR, VECTOR)),
    "InstanceNormalization": Case((IMAGE, VECTOR, VECTOR)),
    "GroupNormalization": Case((IMAGE, VECTOR, VECTOR)),
    "MeanVarianceNormalization": Case((IMAGE,)),
    "LayerNormalization": Case((TOKENS, VECTOR, VECTOR), (TOKENS,)),
    "RMSNormalization": Case((TOKENS, VECTOR), (TOKENS,)),
    "LRN": Case((IMAGE,)),
    **{op: Case((IMAGE,)) for op in ("Softmax", "LogSoftmax", "Hardmax", "LpNormalization")},
    **{op: Case((IMAGE,), attributes=WINDOW) for op in POOLS},
    **{op: Case((IMAGE,), ((1, 8, 1, 1),)) for op in GLOBAL},
    **{op: Case((IMAGE,), ((1, 8, 1, 1),), {"axes": (2, 3)}) for op in REDUCTIONS},
    **{op: Case((IMAGE,), ((1, 1, 4, 4),), {"axis": 1}) for op in ("ArgMax", "ArgMin")},
    **{op: Case((IMAGE, None, (4,)), ((1, 8, 8, 8),)) for op in ("Resize", "Upsample")},
    "GridSample": Case((IMAGE, (1, 4, 4, 2))),
    "Concat": Case((IMAGE, IMAGE), ((1, 16, 4, 4),), {"axis": 1}),
    "Expand": Case((IMAGE, (4,))),
    "Tile": Case((IMAGE, (4,)), ((1, 8, 8, 4),)),
    "Pad": Case((IMAGE, (8,), (1,)), ((1, 8, 6, 6),)),
    **{op: Case((IMAGE, (1,)), ((1, 8, 16),)) for op in ("Reshape", "Flatten")},
    **{op: Case((IMAGE, (1,)), ((8, 4, 4),)) for op in ("Squeeze", "Unsqueeze")},
    "DepthToSpace": Case((IMAGE,), ((1, 2, 8, 8),), {"blocksize": 2}),
    "SpaceToDepth": Case((IMAGE,), ((1, 32, 2, 2),), {"blocksize": 2}),
    "Im2Col": Case((IMAGE,), ((1, 32, 9),), {"block_shape": (2, 2)}),
    "Col2Im": Case(((1, 32, 9), (2,), (2,))),
    "Frames": Case((IMAGE,), ((1, 8, 3, 4, 2),), {"axis": 2, "size": 2, "step": 1}),
    "Slice": Case((IMAGE, (1,), (1,), (1,), (1,)), ((1, 8, 2, 4),)),
    **{op: Case((IMAGE,), attributes=attributes) for op, attributes in MOVED.items()},
}  # fmt: skip


def program(op: str, case: Case, computed: int = 1 << 30) -> tuple[Program, list[str]]:
    """Each operand is made by a layer with parameters of its own, or the first `computed` are."""
    shapes: dict[str, Shape] = {}
    constants: dict[str, Constant] = {}
    nodes, operands, entering, made = [], [], [], []
    for number, shape in enumerate(case.operands):
        if shape is None:
            operands.append("")
            continue
        source, weight, operand = f"in{number}", f"weight{number}", f"operand{number}"
        shapes |= {source: shape, weight: shape, operand: shape}
        constants[weight] = Constant(shape, {weight: 100 + number})
        if number >= computed:
            operands.append(weight)
            continue
        nodes.append(Node("Mul", (source, weight), (operand,), {}, f"make{number}"))
        entering.append(source)
        operands.append(operand)
        made.append(weight)
    outputs = tuple(f"out{number}" for number in range(len(case.outputs)))
    shapes |= dict(zip(outputs, case.outputs, strict=True))
    nodes.append(Node(op, tuple(operands), outputs, case.attributes, "it"))
    wanted = Program("net", tuple(entering), outputs, tuple(nodes), constants, shapes)
    return wanted, made


def test_every_operator_of_the_table_has_a_case() -> None:
    assert set(CASES) | set(NOT_COSTED) == set(TABLE)


@pytest.mark.parametrize("op", CASES)
def test_what_is_computed_is_read_or_is_an_output(op: str) -> None:
    """Its layer is in the network, with its parameters, and nothing that it leads to is lost."""
    read, made = program(op, CASES[op])
    network = lower(read)
    held = sum(100 + int(weight.removeprefix("weight")) for weight in made)
    assert network.params == held
    reached = set(network.outputs)
    for layer in reversed(network.layers):
        if layer.name in reached or layer.op == "side_output":
            reached |= set(network.operands(layer.name))
    assert {layer.name for layer in network.layers if layer.params} <= reached
    assert {name for name, _ in network.inputs} <= reached


@pytest.mark.parametrize("computed", [1, 1 << 30])
@pytest.mark.parametrize("op", CASES)
def test_every_tensor_has_the_shape_that_the_file_says(
    op: str, computed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a handler reads of attributes and constants."""
    written, seen = Writer.view, []

    def view(writer: Writer, name: str) -> View:
        found = written(writer, name)
        seen.append((name, found.shape, writer.shapes[name]))
        return found

    monkeypatch.setattr(Writer, "view", view)
    lower(program(op, CASES[op], computed)[0])
    assert seen
    assert [(name, shape) for name, shape, _ in seen] == [(name, shape) for name, _, shape in seen]


def test_the_check_finds_an_operand_that_is_lost() -> None:
    read, made = program("Roll", CASES["Roll"]._replace(operands=(IMAGE, IMAGE)))
    network = lower(read)  # its handler reads the first alone, so that it is costed as an exchange
    assert len(made) == 2
    assert any("is computed; costed as a full exchange" in text for _, text in network.remarks)
