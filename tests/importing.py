"""Helpers of the importer tests: the graphs that ship with onnx, and small graphs written down."""

from math import prod
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


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
