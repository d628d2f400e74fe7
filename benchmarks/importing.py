"""A graph of 2,000 operators, read and inspected, against onnx.load and onnx.shape_inference.

python benchmarks/importing.py
Wanted: at most 5 times their time, of convolutions and of transformer blocks as wide as DeiT-S.
For information: graphs without weights, of which theirs, in C++, take microseconds an operator.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference

from discosim import importers
from discosim.graph.counts import counts
from discosim.report.inspect import rows

OPERATORS = 2000
ROUNDS = 7
BOUND = 5.0


def _weight(name: str, *shape: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.zeros(shape, np.float32), name)


def _model(nodes: list[onnx.NodeProto], shape: list[int], weights: list[onnx.TensorProto]) -> bytes:
    inputs = [helper.make_tensor_value_info("t0", onnx.TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info(nodes[-1].output[0], onnx.TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, weights)
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def convolutions() -> bytes:
    nodes, weights = [], []
    for n in range(OPERATORS // 2):
        weights.append(_weight(f"w{n}", 16, 16, 3, 3))
        pads = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
        nodes.append(helper.make_node("Conv", [f"t{2 * n}", f"w{n}"], [f"t{2 * n + 1}"], **pads))
        nodes.append(helper.make_node("Relu", [f"t{2 * n + 1}"], [f"t{2 * n + 2}"]))
    return _model(nodes, [1, 16, 8, 8], weights)


def transformers(width: int = 384) -> bytes:
    """Attention blocks as wide as DeiT-S."""
    nodes: list[onnx.NodeProto] = []
    weights = []
    shape = numpy_helper.from_array(np.array([1, 8, 4, width // 4]), "heads")
    flat = numpy_helper.from_array(np.array([1, 8, width]), "flat")
    x, n = "t0", 0
    while len(nodes) < OPERATORS:
        parts = []
        for kind in "qkv":
            weights.append(_weight(f"{kind}{n}", width, width))
            nodes += [
                helper.make_node("MatMul", [x, f"{kind}{n}"], [f"m{kind}{n}"]),
                helper.make_node("Reshape", [f"m{kind}{n}", "heads"], [f"r{kind}{n}"]),
                helper.make_node(
                    "Transpose",
                    [f"r{kind}{n}"],
                    [f"h{kind}{n}"],
                    perm=[0, 2, 3, 1] if kind == "k" else [0, 2, 1, 3],
                ),
            ]
            parts.append(f"h{kind}{n}")
        nodes += [
            helper.make_node("MatMul", parts[:2], [f"s{n}"]),
            helper.make_node("Softmax", [f"s{n}"], [f"p{n}"]),
            helper.make_node("MatMul", [f"p{n}", parts[2]], [f"a{n}"]),
            helper.make_node("Transpose", [f"a{n}"], [f"b{n}"], perm=[0, 2, 1, 3]),
            helper.make_node("Reshape", [f"b{n}", "flat"], [f"c{n}"]),
            helper.make_node("Add", [x, f"c{n}"], [f"x{n}"]),
        ]
        x, n = f"x{n}", n + 1
    return _model(nodes, [1, 8, width], [*weights, shape, flat])


def narrow_transformers() -> bytes:
    """The same with next to no weights to load: what an operator costs in itself."""
    return transformers(32)


def elementwise() -> bytes:
    nodes = [helper.make_node("Relu", ["t0"], ["t1"])]
    nodes += [
        helper.make_node("Add", [f"t{n}", f"t{n - 1}"], [f"t{n + 1}"]) for n in range(1, OPERATORS)
    ]
    return _model(nodes, [1, 16, 8, 8], [])


def seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def main() -> None:
    for make in (convolutions, transformers, narrow_transformers, elementwise):
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "net.onnx")
            Path(path).write_bytes(make())

            def theirs(path: str = path) -> None:
                shape_inference.infer_shapes(onnx.load(path))

            def read(path: str = path) -> None:
                importers._loaded.cache_clear()
                counts(importers.load(path))

            def shown(path: str = path) -> None:
                importers._loaded.cache_clear()
                rows(importers.load(path), 2)

            theirs(), read(), shown()
            times = [[seconds(run) for run in (theirs, read, shown)] for _ in range(ROUNDS)]
            base, ours, table = (statistics.median(column) for column in zip(*times, strict=True))
            ratio = statistics.median(each[1] / each[0] for each in times)
            verdict = "met" if ratio <= BOUND else "MISSED"
            if make in (narrow_transformers, elementwise):
                verdict = "for information"
            print(
                f"{make.__name__}: {1e3 * base:.0f} ms; one record {1e3 * ours:.0f} ms, all rows "
                f"{1e3 * table:.0f} ms; {ratio:.1f} times, wanted at most {BOUND:.0f}: {verdict}"
            )


if __name__ == "__main__":
    main()
