"""SCALE-Sim topology tables: read and written.

Samajdar et al., A Systematic Methodology for Characterizing Scalability of DNN Accelerators using
SCALE-Sim, ISPASS 2020; the format is that of the repository's `topologies/*.csv`. A row is a
convolution whose input includes its padding. The table has no edges: a layer reads the one before
it, or the last one whose features fit; the output is that of the last layer.
"""

import csv
import io
from math import prod
from pathlib import Path

from discosim.errors import DiscosimError, suggest
from discosim.graph.builder import Builder
from discosim.graph.layer import Layer, Shape
from discosim.graph.network import INPUT, Network, shape_text
from discosim.importers.lowering.writer import LARGEST_TENSOR, MOST_FEATURES

NAME = "Layer name"
COLUMNS = (
    "IFMAP Height",
    "IFMAP Width",
    "Filter Height",
    "Filter Width",
    "Channels",
    "Num Filter",
    "Strides",
)
MOST_ROWS = 100_000


def read_csv(path: str, given: Shape | None) -> Network:
    """Return the chain of layers in a table; raises DiscosimError with what is wrong in it."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DiscosimError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DiscosimError(f"{path} is not a table: it is not text") from None
    try:
        lines = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DiscosimError(f"{path} is not a table: {error}") from None
    if len(lines) < 2 or len(lines) > MOST_ROWS:
        raise DiscosimError(f"{path}: wanted a header and 1 to {MOST_ROWS:,} layers")
    places = _places(path, lines[0])
    rows = [_row(path, number, line, places) for number, line in enumerate(lines[1:], 2)]
    first = rows[0][1]
    shape = (first["Channels"], first["IFMAP Height"], first["IFMAP Width"])
    if given is not None and given != shape:
        raise DiscosimError(
            f"{path} is for input {shape_text(shape)}: the sizes are written in it, --input cannot "
            "change them"
        )
    net = Builder(path, shape)
    for index, (name, sizes) in enumerate(rows):
        following = rows[index + 1][1]["Channels"] if index + 1 < len(rows) else 0
        _add(net, name, sizes, following)
    return net.build(outputs=net.names()[-1:])


def _places(path: str, header: list[str]) -> dict[str, int]:
    names = [" ".join(cell.split()).lower() for cell in header]
    places = {}
    for column in (NAME, *COLUMNS):
        wanted = column.lower()
        near = [n for n in names if n in (wanted, wanted.rstrip("s"), f"{wanted}s")]
        if not near:
            known = [cell.strip() for cell in header if cell.strip()]
            raise DiscosimError(f"{path} has no column {column!r}; {suggest(column, known)}")
        places[column] = names.index(near[0])
    return places


def _row(
    path: str, number: int, line: list[str], places: dict[str, int]
) -> tuple[str, dict[str, int]]:
    cells = {column: line[at].strip() if at < len(line) else "" for column, at in places.items()}
    name = cells.pop(NAME) or f"layer{number - 1}"
    sizes = {}
    for column, cell in cells.items():
        if not (cell.isascii() and cell.isdecimal() and len(cell) < 10 and int(cell) > 0):
            raise DiscosimError(
                f"{path}, line {number}, {column} of {name}: {cell!r:.40}, wanted a whole number "
                "from 1 up"
            )
        sizes[column] = int(cell)
    for side in ("Height", "Width"):
        if sizes[f"Filter {side}"] > sizes[f"IFMAP {side}"]:
            raise DiscosimError(f"{path}, line {number}: the filter of {name} exceeds its input")
    elems = sizes["IFMAP Height"] * sizes["IFMAP Width"]
    widest = max(sizes["Channels"], sizes["Num Filter"])
    if widest > MOST_FEATURES or elems * widest > LARGEST_TENSOR:
        raise DiscosimError(f"{path}, line {number}: {name} is larger than can be placed")
    return name, sizes


def _add(net: Builder, wanted: str, sizes: dict[str, int], following: int) -> None:
    channels, stride = sizes["Channels"], sizes["Strides"]
    given = (sizes["IFMAP Height"], sizes["IFMAP Width"])
    kernel = (sizes["Filter Height"], sizes["Filter Width"])
    positions = tuple((size - k) // stride + 1 for size, k in zip(given, kernel, strict=True))
    taken = set(net.names()) | {INPUT}
    number, name = 1, wanted
    while name in taken or f"{name}.input" in taken:
        number += 1
        name = f"{wanted}.{number}"
    depthwise = sizes["Num Filter"] == 1 and channels > 1 and following == channels
    net.append(
        "conv",
        name,
        (_source(net, channels, given, f"{name}.input"),),
        (channels if depthwise else sizes["Num Filter"], *positions),
        in_shapes=((channels, *given),),
        kernel=kernel,
        stride=(stride, stride),
        groups=channels if depthwise else 1,
    )
    net.amend(name, block=name)


def _source(net: Builder, channels: int, positions: Shape, name: str) -> str:
    """The tensor that a layer reads: the last one with its features."""
    names = net.names()
    if not names:
        return INPUT
    last = net.shape(names[-1])
    if last[0] != channels and prod(last) == channels * prod(positions):
        return net.append("flatten", name, (names[-1],), (channels, *positions))
    fits = [tensor for tensor in reversed(names) if net.shape(tensor)[0] == channels]
    if fits:
        return fits[0]
    return net.append("assume", name, (names[-1],), (channels, *positions))


def to_csv(network: Network) -> str:
    """Return the convolutions and linear layers of a network as a table; see `left_out`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([NAME, *COLUMNS, ""])
    for layer in network.layers:
        if _fits(layer):
            writer.writerow([layer.name.replace(",", "_"), *_sizes(layer), ""])
    return out.getvalue()


def left_out(network: Network) -> list[str]:
    """Return the layers with MACs that a table has no row for."""
    return [layer.name for layer in network.layers if layer.macs and not _fits(layer)]


def _fits(layer: Layer) -> bool:
    return layer.op in ("conv", "linear") and len(layer.out_shape) <= 3 and len(layer.kernel) < 3


def _sizes(layer: Layer) -> list[int]:
    """The cells of a row: as many filters per channel as give the layer's own MACs."""
    out = (*layer.out_shape[1:], 1, 1)[:2]
    kernel = (*layer.kernel, 1, 1)[:2]
    stride = max(layer.stride, default=1)
    given = [(o - 1) * stride + k for o, k in zip(out, kernel, strict=True)]
    return [*given, *kernel, layer.in_features, layer.out_features // layer.groups, stride]
