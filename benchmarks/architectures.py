"""Writes docs/architectures.md, on stdout: `PYTHONPATH=. python benchmarks/architectures.py`.

Every architecture is read, costed on four nodes, and counted a second time by other code.
"""

import contextlib
import copy
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import onnx
import pandas as pd
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from discosim.configuration import Configuration
from discosim.explore.sweep import sweep
from discosim.graph.counts import counts
from discosim.graph.network import Network
from discosim.hardware import load_profile
from discosim.importers.nodelink import to_json
from discosim.importers.torch.trace import trace
from discosim.networks import build
from discosim.report.frames import as_cells
from discosim.report.tables import to_markdown
from tests.zoo import ours
from tests.zoo.table import ZOO

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"

# parameters, and 10^9 MACs (there called GFLOPS), of torchvision's documentation; parameters of
# DeiT from timm's
PUBLISHED = {
    "alexnet": (61_100_840, 0.71),
    "vgg16": (138_357_544, 15.47),
    "vgg19": (143_667_240, 19.63),
    "resnet18": (11_689_512, 1.81),
    "resnet34": (21_797_672, 3.66),
    "resnet50": (25_557_032, 4.09),
    "resnet101": (44_549_160, 7.80),
    "resnet152": (60_192_808, 11.51),
    "squeezenet1-1": (1_235_496, 0.35),
    "mobilenetv2": (3_504_872, 0.30),
    "efficientnet-b0": (5_288_548, 0.39),
    "efficientnet-b1": (7_794_184, 0.69),
    "efficientnet-b2": (9_109_994, None),
    "efficientnet-b3": (12_233_232, 1.83),
    "efficientnet-b4": (19_341_616, 4.39),
    "efficientnet-b5": (30_389_784, 10.27),
    "efficientnet-b6": (43_040_704, 19.07),
    "efficientnet-b7": (66_347_960, 37.75),
    "vit-b16": (86_567_656, 17.56),
    "ssd300-vgg16": (35_641_826, 34.86),
    "deit-ti": (5_717_416, None),
    "deit-s": (22_050_664, None),
    "deit-b": (86_567_656, None),
}

DEEPLABS = ("50", "50-os8", "101", "101-os8")

# the built-in networks that are torch modules in tests/zoo too
MODULES: dict[str, Callable[[], torch.nn.Module]] = {
    "resnet50": ours.ResNet,
    "resnet101": lambda: ours.ResNet((3, 4, 23, 3)),
    "resnet152": lambda: ours.ResNet((3, 8, 36, 3)),
    "deit-ti": lambda: ours.VisionTransformer(192, 3),
    "deit-s": ours.VisionTransformer,
    "deit-b": lambda: ours.VisionTransformer(768, 12),
    "mobilenetv2": ours.MobileNetV2,
    "efficientnet-b0": lambda: ours.MobileNetV2(excite=True),
    "esrgan": ours.Esrgan,
    "ssd300-resnet50": ours.Ssd300,
}

# all others, whose counts the tests of networks hold against published ones, `networks` lists
LISTED = sorted({*PUBLISHED, *MODULES, *(f"deeplabv3plus-resnet{n}" for n in DEEPLABS)})

INTRODUCTION = """\
# Architectures

{count} architectures, from built-in graphs (`discosim networks` lists all of them), from the ONNX
graphs that ship with the onnx package, and from torch modules (`tests/zoo`), each read and costed
end to end; none has an operator that is not understood. Written by
`PYTHONPATH=. python benchmarks/architectures.py`.

- Layers, parameters and MACs are discosim's; a parameter that two layers share counts once.
- `not understood` is the larger of its shares of elements and of parameters; `full exchanges` are
  operators that were understood, but not how their features are placed.
- `MACs, counted again` comes from other code: torch's own FlopCounterMode (half of its FLOPs, with
  attention as plain products; it also counts what does not depend on the input, as DETR's first
  attention among its learned queries), or for ONNX a sum over the shapes of convolutions and Gemm.
- `published` are parameters, and 10^9 MACs where the source rounds them.
- `4 nodes` is the time at S_comm 0.8 beside that of one node, on splitnets-hmd at 37.5 MB/s.
"""


def counted_again(module: torch.nn.Module, example: tuple[torch.Tensor, ...]) -> int:
    """MACs by torch's counter."""
    for device in ("meta", "cpu"):  # without arithmetic, where the module allows it
        placed, inputs = copy.deepcopy(module).to(device), [each.to(device) for each in example]
        counter = FlopCounterMode(display=False)
        with (
            contextlib.suppress(RuntimeError, AssertionError),
            sdpa_kernel(SDPBackend.MATH),
            counter,
        ):
            placed(*inputs)
            return int(counter.get_total_flops()) // 2
    raise RuntimeError("torch cannot count it")


def onnx_counted_again(path: Path) -> int:
    """MACs of convolutions and Gemm from the shapes that the onnx package infers."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(path), data_prop=True).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            total += prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])
        elif node.op_type == "Gemm":
            total += prod(shapes[node.input[1]]) * shapes[node.output[0]][0]
    return total


def networks() -> Iterator[tuple[str, str, Network, int | None, str]]:
    """Each architecture: its name, where it is from, itself, MACs counted again, published."""
    for name in LISTED:
        params, macs = PUBLISHED.get(name, (None, None))
        published = "" if params is None else f"{params:,}" + (f"; {macs} G" if macs else "")
        network = build(name)
        again = None
        if name in MODULES:
            image = torch.zeros(1, *network.input_shape)
            again = counted_again(MODULES[name]().eval(), (image,))
        yield name, "built in", network, again, published
    for path in sorted(LIGHT.glob("*.onnx")):
        yield path.stem, "ONNX", build(str(path)), onnx_counted_again(path), ""
    for name, entry in ZOO.items():
        module, example = entry.make().eval(), entry.example()
        inputs = example if isinstance(example, tuple) else (example,)
        again = counted_again(module, inputs)
        published = f"{entry.published:,} ({entry.source})" if entry.published else ""
        yield name, "torch", trace(module, inputs, name), again, published


def row(
    name: str, source: str, network: Network, again: int | None, published: str, folder: Path
) -> dict[str, Any]:
    """A row of the table: the network goes through a file of its own into `sweep`."""
    record: dict[str, Any] = counts(network)
    path = folder / f"{name}.json"
    path.write_text(to_json(network), encoding="utf-8")
    node = load_profile("splitnets-hmd").hardware()
    frame = sweep(Configuration(build(str(path)), node), nodes=[4], s_comm=[0.8])
    latency, faster = frame["latency_s"].iloc[0], frame["speedup_vs_single"].iloc[0]
    return {
        "architecture": name,
        "from": source,
        "input": record["input"],
        "layers": str(record["layers"]),
        "parameters": f"{record['params']:,}",
        "published": published,
        "MACs": f"{record['macs']:,}",
        "MACs, counted again": "" if again is None else f"{again:,}",
        "not understood": f"{record['unknown_share']:.2%}",
        "full exchanges": str(len(network.remarks) - int(record["unknown_ops"])),
        "4 nodes": f"{1e3 * latency:,.1f} ms, one node {1e3 * latency * faster:,.1f} ms",
    }


def main(write: Callable[[str], object] = sys.stdout.write) -> None:
    warnings.simplefilter("ignore")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for entry in networks():
            rows.append(row(*entry, Path(folder)))
            print(rows[-1]["architecture"], file=sys.stderr)
    frame = pd.DataFrame(rows)
    write(INTRODUCTION.format(count=len(frame)) + "\n" + to_markdown(as_cells(frame), []))


if __name__ == "__main__":
    main()
