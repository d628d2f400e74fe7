"""Bad files end in one clear line: truncated, foreign, cyclic, mutated at random."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from discosim.cli.app import run
from discosim.errors import DiscosimError
from discosim.graph.table import tabulate
from discosim.importers.nodelink import to_json
from discosim.importers.scalesim import to_csv
from discosim.networks import build
from discosim.partition.split import split
from tests.importing import LIGHT, model

pytestmark = pytest.mark.extras

BYTES = (LIGHT / "light_squeezenet.onnx").read_bytes()
MEBIBYTE = 1 << 20


def refused(path: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that `discosim inspect` says of a file, which ends in exit code 2."""
    monkeypatch.setattr(sys, "argv", ["discosim", "inspect", path])
    assert run() == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("discosim: ")
    assert captured.err.count("\n") == 1
    return captured.err


def conv(**fields: object) -> onnx.ModelProto:
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1])]
    return model(nodes, {"x": [1, 3, 4, 4]}, {"y": None}, {"w": (8, 3, 1, 1)}, **fields)


def foreign() -> onnx.ModelProto:
    graph = conv()
    graph.graph.node.append(helper.make_node("FancyOp", ["y"], ["z"], domain="com.example"))
    return graph


def branching() -> onnx.ModelProto:
    graph = conv()
    branch = helper.make_graph(
        [helper.make_node("Identity", ["y"], ["out"])],
        "branch",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
    )
    node = helper.make_node(
        "If", ["flag"], ["z"], name="choice", then_branch=branch, else_branch=branch
    )
    graph.graph.node.append(node)
    return graph


def equation() -> onnx.ModelProto:
    graph = conv()
    graph.graph.node.append(helper.make_node("Einsum", ["y"], ["z"], name="odd", equation=">h"))
    return graph


def shaped_by_data() -> onnx.ModelProto:
    graph = conv()
    graph.graph.node.append(helper.make_node("NonZero", ["y"], ["found"], name="where"))
    graph.graph.node.append(helper.make_node("Cast", ["found"], ["z"], to=1))
    graph.graph.output[0].name = "z"
    return graph


def contradicting() -> onnx.ModelProto:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    return model(nodes, {"x": [1, 7]}, {"y": None}, {"w": (8, 3)})


def cyclic_onnx() -> onnx.ModelProto:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    return model(nodes, {"x": [1, 8]}, {"b": None})


def old() -> onnx.ModelProto:
    return conv(opset=6)


GRAPHS: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "domain": (foreign, "FancyOp of domain 'com.example' is unknown"),
    "control flow": (branching, "If 'choice' is control flow that goes by 'flag'"),
    "equation": (equation, "Einsum 'odd': its equation '>h' is none"),
    "data": (shaped_by_data, r"depends on the data"),
    "contradiction": (contradicting, "MatMul"),
    "cycle": (cyclic_onnx, r"Add|a"),
    "opset": (old, "opset 6; wanted 7 or later"),
}


@pytest.mark.parametrize("fault", GRAPHS)
def test_a_graph_that_cannot_be_costed(
    fault: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make, said = GRAPHS[fault]
    path = tmp_path / "net.onnx"
    path.write_bytes(make().SerializeToString())
    assert re.search(said, refused(str(path), monkeypatch, capsys))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("net.onnx", BYTES[:5000], "not an ONNX file, or is cut short"),
        ("net.onnx", b"", "holds no operators"),
        ("net.onnx", b"this is a text, and not a graph\n" * 9, "not an ONNX file"),
        ("net.onnx", b"\x89PNG\r\n\x1a\n" + bytes(99), "not an ONNX file"),
        ("net.json", b"[1, 2", "is not JSON"),
        ("net.json", b"[" * 100_000, "is not JSON"),
        ("net.json", b"{}", "wanted an object with format 'discosim-network'"),
        ("net.json", b'{"format": "discosim-network", "version": 2}', "version is 2, wanted 1"),
        ("net.csv", b"Layer name,IFMAP Height\na,1\n", "has no column 'IFMAP Width'"),
        ("net.csv", b"", "wanted a header"),
        ("net.csv", b"\xff\xfe\x00", "is not text"),
    ],
)
def test_a_file_that_is_something_else(
    name: str,
    content: bytes,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert said in refused(str(path), monkeypatch, capsys)


def changed_json(change: Callable[[dict[str, list[dict[str, object]]]], object]) -> str:
    document = json.loads(to_json(build("squeezenet1-1")))
    change(document)
    return json.dumps(document)


JSON_FAULTS: dict[str, tuple[Callable[[dict[str, list[dict[str, object]]]], object], str]] = {
    "cycle": (
        lambda d: d["edges"][1].update(source="fire2.squeeze"),
        "its edges form a cycle: ",
    ),
    "op": (lambda d: d["nodes"][1].update(op="konv"), "unknown operator 'konv'"),
    "key": (lambda d: d["nodes"][1].update(kernal=[3]), "did you mean kernel?"),
    "missing": (lambda d: d["nodes"].pop(2), "an edge leads to"),
    "twice": (lambda d: d["nodes"].append(d["nodes"][1]), "two nodes are called"),
    "operand": (lambda d: d["edges"].pop(3), "wanted one edge for each"),
    "shape": (lambda d: d["nodes"][1].update(out_shape=[-3, 2]), "wanted a whole number from 1"),
    "huge": (lambda d: d["nodes"][1].update(out_shape=[10**9, 2]), "more than can be placed"),
    "groups": (lambda d: d["nodes"][1].update(groups=7), "7 groups do not divide"),
}


@pytest.mark.parametrize("fault", JSON_FAULTS)
def test_a_graph_of_ours_that_is_wrong(
    fault: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change, said = JSON_FAULTS[fault]
    path = tmp_path / "net.json"
    path.write_text(changed_json(change), encoding="utf-8")
    assert said in refused(str(path), monkeypatch, capsys)


# Mutated at random

REAL = {
    ".onnx": BYTES,
    ".json": to_json(build("mobilenetv2")).encode(),
    ".csv": to_csv(build("squeezenet1-1")).encode(),
}


@st.composite
def mutations(draw: st.DrawFn) -> tuple[str, bytes]:
    """A real file with bytes changed, left out, doubled, or its end cut off."""
    suffix = draw(st.sampled_from(sorted(REAL)))
    data = bytearray(REAL[suffix])
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.sampled_from(("flip", "set", "drop", "double", "cut"))):
            case "flip":
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "set":
                data[at] = draw(st.integers(0, 255))
            case "drop":
                del data[at : at + draw(st.integers(1, 40))]
            case "double":
                data[at:at] = data[at : at + draw(st.integers(1, 400))]
            case "cut":
                del data[max(1, at) :]
        if not data:
            break
    return suffix, bytes(data)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(mutations())
def test_a_mutated_file_is_read_or_refused(mutation: tuple[str, bytes]) -> None:
    """In the same process, which keeps its memory: see the next test."""
    suffix, data = mutation
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        file.write(data)
        file.flush()
        with suppress(DiscosimError):
            split(tabulate(build(file.name)), 3, whole=True)


BOUNDED = """
import re, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
from discosim.errors import DiscosimError
from discosim.networks import build
try:
    build(sys.argv[1], tuple(map(int, sys.argv[2:])) or None)
except DiscosimError as error:
    print(error)
status = open("/proc/self/status").read()  # getrusage's begins with that of the parent
print(1024 * int(re.search(r"VmHWM:\\s*([0-9]+) kB", status)[1]), file=sys.stderr)
"""


def peak_bytes(path: Path, *size: int) -> tuple[str, int]:
    """What reading a file says, and the peak memory of the process that reads it."""
    command = [sys.executable, "-c", BOUNDED, str(path), *map(str, size)]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=120)
    return result.stdout, int(result.stderr)


def test_a_gigabyte_of_weights_is_not_read(tmp_path: Path) -> None:
    """1 GiB of external data, as a file with a hole; the process stays under 300 MB."""
    graph = model([helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": [1, 16384]}, {"y": None})
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=(16384, 16384))
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="weights.bin")
    weight.external_data.add(key="length", value=str(1 << 30))
    graph.graph.initializer.append(weight)
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.SerializeToString())
    with (tmp_path / "weights.bin").open("wb") as file:
        file.truncate(1 << 30)
    assert (tmp_path / "weights.bin").stat().st_size == 1024 * MEBIBYTE
    said, peak = peak_bytes(path)
    assert said == ""
    assert peak < 300e6


def test_a_huge_dimension_takes_no_memory(tmp_path: Path) -> None:
    """Features and constants of absurd size are refused before they are made."""
    nodes = [
        helper.make_node("Expand", ["one", "to"], ["big"]),
        helper.make_node("Add", ["x", "big"], ["y"]),
    ]
    numbers = {"to": [1 << 40]}
    weights = {"one": (1,)}
    path = tmp_path / "net.onnx"
    graph = model(nodes, {"x": [1 << 40]}, {"y": None}, weights, numbers)
    path.write_bytes(graph.SerializeToString())
    _, peak = peak_bytes(path)
    assert peak < 300e6
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("Relu", ["f"], ["y"]),
    ]
    path.write_bytes(model(nodes, {"x": [1, 3, "H", "W"]}, {"y": None}).SerializeToString())
    _, peak = peak_bytes(path, 1 << 22, 1 << 22)
    assert peak < 300e6
