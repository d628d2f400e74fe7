"""Helpers of the importer tests: the graphs that ship with onnx, and small graphs written down."""

from math import prod
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from discosim.graph.network import Network
from discosim.networks import build

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"

HEADER = (
    "Layer name,IFMAP Height,IFMAP Width,Filter Height,Filter Width,Channels,Num Filter,Strides,"
)
"""Of a table of SCALE-Sim."""


def model(
    nodes: list[Any],
    inputs: dict[str, list[Any]],
    outputs: dict[str, list[Any] | None],
    weights: dict[str, tuple[int, ...]] | None = None,
    numbers: dict[str, list[int]] | None = None,
    opset: int = 17,
) -> onnx.ModelProto:
    """A graph whose weights have no numbers: they lie in a file that is never read."""
    initial = []
    for name, shape in (weights or {}).items():
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
        tensor.raw_data = bytes(4 * prod(shape))
        initial.append(tensor)
    for name, values in (numbers or {}).items():
        initial.append(helper.make_tensor(name, TensorProto.INT64, [len(values)], values))
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        initial,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def read(graph: onnx.ModelProto, folder: Path, given: Any = None) -> Network:
    """The network of a graph, by way of a file."""
    target = folder / "net.onnx"
    target.write_bytes(graph.SerializeToString())
    return build(str(target), given)


def table(folder: Path, *lines: str) -> Network:
    """The network of a table of such lines."""
    target = folder / "net.csv"
    target.write_text("\n".join(lines), encoding="utf-8")
    return build(str(target))


def ops(network: Network) -> list[str]:
    """The operators of its layers, in order."""
    return [layer.op for layer in network.layers]
