"""SCALE-Sim topology tables: read and written.

Samajdar et al., A Systematic Methodology for Characterizing Scalability of DNN Accelerators using
SCALE-Sim, ISPASS 2020; the format is that of the repository's `topologies/*.csv`. A row is a
convolution whose input includes its padding, or in a GEMM table a product of an M x K with a K x N
matrix (its `topologies/GEMM_mnk`). The table has no edges: a layer reads the one before it, or the
last one whose features fit; the output is that of the last layer.
"""

import csv
import io
import re
from collections.abc import Sequence
from itertools import pairwise
from math import prod
from pathlib import Path

from discosim.errors import DiscosimError, some_of, suggest
from discosim.graph.builder import Builder
from discosim.graph.layer import Layer, Shape
from discosim.graph.network import INPUT, Network, shape_text
from discosim.importers.lowering.rows import LARGEST_TENSOR, MOST_FEATURES

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
GEMM_COLUMNS = ("M", "N", "K")
SPARSITY = "sparsity"
MOST_ROWS = 100_000

Row = tuple[str, dict[str, int]]
"""A layer's name, and its sizes by column."""


def read_csv(path: str, given: Shape | None) -> Network:
    """Return the chain of layers in a table; raises DiscosimError with what is wrong in it."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DiscosimError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DiscosimError(f"{path} is not a table: it is not text") from None
    try:
        first_line = text.strip().partition("\n")[0]
        between = next((x for x in ",;\t" if x in first_line), ",")
        read = csv.reader(io.StringIO(text), delimiter=between)
        lines = [row for row in read if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DiscosimError(f"{path} is not a table: {error}") from None
    if len(lines) < 2 or len(lines) > MOST_ROWS:
        raise DiscosimError(f"{path}: wanted a header and 1 to {MOST_ROWS:,} layers")
    header = [" ".join(cell.split()).lower() for cell in lines[0]]
    gemm = set(map(str.lower, GEMM_COLUMNS)) <= set(header)
    places = _places(path, lines[0], GEMM_COLUMNS if gemm else COLUMNS)
    rows = [_row(path, number, line, places) for number, line in enumerate(lines[1:], 2)]
    first = rows[0][1]
    sides = ("K", "M") if gemm else ("Channels", "IFMAP Height", "IFMAP Width")
    shape: Shape = tuple(first[side] for side in sides)
    if given is not None and given != shape:
        raise DiscosimError(
            f"{path} is for input {shape_text(shape)}: the sizes are written in it, --input cannot "
            "change them"
        )
    net = Builder(path, shape)
    depthwise, single = [], []
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        if gemm:
            _add_product(net, *row)
        elif _is_depthwise(row, following):
            depthwise.append(_add(net, *row, depthwise=True))
        else:
            name = _add(net, *row, depthwise=False)
            single += [name] * _could_be_depthwise(row, following)
    notes = [*_notes(lines[0], places, depthwise, single), *_edges(net)]
    return net.build(outputs=net.names()[-1:], notes=notes)


def _notes(
    header: list[str], places: dict[str, int], depthwise: list[str], single: list[str]
) -> list[str]:
    """What was assumed of a table, and which of its columns say nothing here."""
    notes = []
    if depthwise:
        notes.append(
            f"one filter over many channels, followed by as many, is read as a depthwise layer: "
            f"{some_of(depthwise)}"
        )
    if single:
        notes.append(
            f"one filter over all of many channels is read as a layer of one output, though as "
            f"many channels follow: {some_of(single)}; a name with dw says that it is depthwise"
        )
    if "K" in places:
        notes.append(
            "each product is read as one with K x N weights: a table does not tell those of two "
            "tensors that are computed, as attention's"
        )
    others = [
        cell.strip() for at, cell in enumerate(header) if cell.strip() and at not in places.values()
    ]
    sparse = [name for name in others if SPARSITY in name.lower()]
    if sparse:
        notes.append(
            f"its column {sparse[0]!r} is not used: all weights and MACs count, as if none were "
            "left out"
        )
    rest = [name for name in others if name not in sparse]
    if rest:
        notes.append(f"columns that are not used: {', '.join(rest)}")
    return notes


def _edges(net: Builder) -> list[str]:
    """Which layers are taken to read another one than that before them: a table does not say."""
    names = net.names()
    earlier, anew = [], []
    for before, name in pairwise(names):
        [source] = net.operands(name)
        if net.layer(name).op == "assume":
            anew.append(name.removesuffix(".input"))
        elif source != before:
            earlier.append(f"{name} reads {source}")
    notes = []
    if earlier:
        notes.append(f"a layer reads the last one with as many features: {some_of(earlier)}")
    if anew:
        notes.append(f"no layer makes what these read, which is placed anew: {some_of(anew)}")
    return notes


def _places(path: str, header: list[str], columns: Sequence[str]) -> dict[str, int]:
    names = [" ".join(cell.split()).lower() for cell in header]
    places = {}
    for column in (NAME, *columns):
        wanted = column.lower()
        forms = (wanted, wanted.rstrip("s"), f"{wanted}s", wanted.removesuffix(" name"))
        near = [n for n in names if n in forms]
        if not near:
            known = [cell.strip() for cell in header if cell.strip()]
            raise DiscosimError(f"{path} has no column {column!r}; {suggest(column, known)}")
        places[column] = names.index(near[0])
    return places


def _row(path: str, number: int, line: list[str], places: dict[str, int]) -> Row:
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
    if "K" in sizes:
        elems, widest = sizes["M"], max(sizes["K"], sizes["N"])
    else:
        elems, widest = _checked_window(path, number, name, sizes)
    if widest > MOST_FEATURES or elems * widest > LARGEST_TENSOR:
        raise DiscosimError(f"{path}, line {number}: {name} is larger than can be placed")
    return name, sizes


def _checked_window(path: str, number: int, name: str, sizes: dict[str, int]) -> tuple[int, int]:
    """The positions of a convolution's input, and the more of its channels and filters."""
    for side in ("Height", "Width"):
        if sizes[f"Filter {side}"] > sizes[f"IFMAP {side}"]:
            raise DiscosimError(f"{path}, line {number}: the filter of {name} exceeds its input")
    elems = sizes["IFMAP Height"] * sizes["IFMAP Width"]
    return elems, max(sizes["Channels"], sizes["Num Filter"])


def _is_depthwise(row: Row, following: Row | None) -> bool:
    """Whether one filter over many channels stands for one a channel.

    It does where as many channels follow, unless it is a fully connected layer, which covers its
    whole input, or one by one, which would only scale; a name that says depthwise decides.
    """
    name, sizes = row
    if sizes["Num Filter"] != 1 or sizes["Channels"] == 1:
        return False
    lower = name.lower()
    if re.search(r"depth[\s_-]?wise", lower) or re.search(r"(^|[^a-z])dw([^a-z]|$)", lower):
        return True
    window = (sizes["Filter Height"], sizes["Filter Width"])
    whole = window == (sizes["IFMAP Height"], sizes["IFMAP Width"])
    return _follows(row, following) and not whole and window != (1, 1)


def _follows(row: Row, following: Row | None) -> bool:
    """Whether the next layer reads as many channels as a layer has."""
    return following is not None and following[1]["Channels"] == row[1]["Channels"]


def _could_be_depthwise(row: Row, following: Row | None) -> bool:
    """Whether a layer that is read as one of one output could be depthwise: nothing else tells."""
    sizes = row[1]
    window = (sizes["Filter Height"], sizes["Filter Width"])
    several = sizes["Num Filter"] == 1 < sizes["Channels"] and window != (1, 1)
    return several and _follows(row, following)


def _name(net: Builder, wanted: str) -> str:
    """A name that no layer has: `wanted`, or with a number behind it."""
    taken = set(net.names()) | {INPUT}
    number, name = 1, wanted
    while name in taken or f"{name}.input" in taken:
        number += 1
        name = f"{wanted}.{number}"
    return name


def _add_product(net: Builder, wanted: str, sizes: dict[str, int]) -> None:
    """A product of M rows of K with K columns of N: a matrix at M positions."""
    name = _name(net, wanted)
    rows, columns, summed = (sizes[key] for key in GEMM_COLUMNS)
    source = _source(net, summed, (rows,), f"{name}.input")
    net.append("linear", name, (source,), (columns, rows), in_shapes=((summed, rows),))
    net.amend(name, block=name)


def _add(net: Builder, wanted: str, sizes: dict[str, int], *, depthwise: bool) -> str:
    channels, stride = sizes["Channels"], sizes["Strides"]
    given = (sizes["IFMAP Height"], sizes["IFMAP Width"])
    kernel = (sizes["Filter Height"], sizes["Filter Width"])
    positions = tuple((size - k) // stride + 1 for size, k in zip(given, kernel, strict=True))
    name = _name(net, wanted)
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
    return name


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
