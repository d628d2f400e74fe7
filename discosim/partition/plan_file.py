"""Plan files: what is said of each layer, as JSON that a person can write and a program can read.

{"version": 1, "model": "resnet50", "nodes": 2, "s_comm": {"layer1.0.conv1": 0.8, ...}}

Layers that are not named send everything (S_comm 0); "input" (as "3x224x224") is optional.

{"version": 2, "model": "resnet50", "nodes": 2, "joined_rows": true,
 "repeated_keys": true,
 "splits": {"conv1": {"split": "rows"}, "layer4.0.conv2": {"split": "outputs", "s_comm": 0.8},
            "fc": {"split": "one", "node": 1}}}

A layer that is not named is split as the one before it in the order of execution. joined_rows
and repeated_keys say how layers are split by rows (`ByRows`); without them, false and true.
"rows": [[0, 30], [26, 56]] of a layer split by rows are the output rows that each node computes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from discosim.errors import DiscosimError, UnknownNameError, suggest
from discosim.files import write_text
from discosim.graph.network import shape_text
from discosim.graph.reach import rows_of
from discosim.graph.table import Floats, LayerTable
from discosim.partition.kinds import Kind, RowRanges
from discosim.partition.splits import ByRows, LayerSplit, Splits, spread_out

UNIFORM, MIXED = 1, 2
"""Versions: all layers split by outputs; a split for each."""

MOST_NODES = 1_000_000
KEYS = ("version", "model", "nodes", "s_comm", "input")
MIXED_KEYS = ("version", "model", "nodes", "splits", "input", "joined_rows", "repeated_keys")
SPLIT_KEYS = ("split", "s_comm", "node", "rows")


@dataclass(frozen=True, eq=False)
class PlanFile:
    """S_comm by layer name, for one network and one number of nodes.

    splits: how layers are split, where not all by outputs, and rows: what holds of those by rows.
    """

    path: str
    model: str
    nodes: int
    s_comm: Mapping[str, float]
    input: str | None = None
    splits: Mapping[str, LayerSplit] = field(default_factory=dict)
    rows: ByRows = ByRows()  # noqa: RUF009 - frozen

    def check(self, table: LayerTable) -> None:
        """Raise DiscosimError where the plan is for another network or names unknown layers."""
        name, shape = table.network.name, shape_text(table.network.input_shape)
        if self.model != name:
            raise DiscosimError(f"plan {self.path} is for {self.model}, not for {name}")
        if self.input is not None and self.input != shape:
            raise DiscosimError(f"plan {self.path} is for input {self.input}, not for {shape}")
        known = [n for n, mixes in zip(table.name, table.mixes, strict=True) if mixes]
        every = table.name[:-1]
        for layers, names in ((self.s_comm, known), (self.splits, every)):
            for layer in layers:
                if layer not in names:
                    raise UnknownNameError(f"layer in plan {self.path}:", layer, names)
        for layer, split in self.splits.items():
            if split.rows:
                shape_of = table.rows[every.index(layer)].out_shape
                self._check_rows(layer, split.rows, rows_of(shape_of))

    def _check_rows(self, layer: str, rows: RowRanges, count: int) -> None:
        """Raise DiscosimError where ranges are not one a node, in order, over all rows."""
        ends = [0, *(last for _, last in rows)]
        fits = len(rows) == self.nodes and ends[-1] == count
        fits &= all(
            0 <= first < last and first <= end
            for (first, last), end in zip(rows, ends, strict=False)
        )
        fits &= all(one <= other for one, other in pairwise(rows))
        if not (fits and ends == sorted(ends)):
            said = ", ".join(f"{first}-{last}" for first, last in rows)
            raise DiscosimError(
                f"plan {self.path}: rows of {layer} are {said}, wanted {self.nodes} ranges in "
                f"order that cover 0-{count}"
            )

    def layer_s_comm(self, table: LayerTable, nodes: int) -> Floats:
        """Return S_comm of each row, (1, L); raises DiscosimError for another number of nodes."""
        if nodes != self.nodes:
            raise DiscosimError(f"plan {self.path} is for {self.nodes} nodes, not for {nodes}")
        if self.splits:
            splits = self.every_split(table)
            return np.array([[*(split.s_comm for split in splits), 0.0]])
        return np.array([[self.s_comm.get(name, 0.0) for name in table.name]])

    def every_split(self, table: LayerTable) -> Splits:
        """Return the split of every layer."""
        return spread_out(table.network, self.splits)


def read_plan(path: str) -> PlanFile:
    """Return the plan in the JSON file at `path`; raises DiscosimError with what is wrong."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DiscosimError(f"plan {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DiscosimError(f"plan {path} is not JSON: {error}") from None
    faults = _faults(document)
    if faults:
        raise DiscosimError(f"plan {path}: {'; '.join(faults)}")
    said = document["model"], document["nodes"]
    if document["version"] == MIXED:
        splits = {str(layer): _split(each) for layer, each in document["splits"].items()}
        rows = ByRows(document.get("joined_rows", False), document.get("repeated_keys", True))
        return PlanFile(path, *said, {}, document.get("input"), splits, rows)
    s_comm = {str(layer): float(value) for layer, value in document["s_comm"].items()}
    return PlanFile(path, *said, s_comm, document.get("input"))


def write_plan(path: str, plan: PlanFile) -> None:
    """Write `plan` as the JSON that `read_plan` reads; raises DiscosimError."""
    document: dict[str, Any] = {
        "version": MIXED if plan.splits else UNIFORM,
        "model": plan.model,
        "nodes": plan.nodes,
        "input": plan.input,
    }
    if plan.splits:
        document["joined_rows"], document["repeated_keys"] = plan.rows.joined, plan.rows.repeated
        document["splits"] = {layer: _document(split) for layer, split in plan.splits.items()}
    else:
        document["s_comm"] = dict(plan.s_comm)
    write_text(path, json.dumps(document, indent=1) + "\n")


def _split(document: Mapping[str, Any]) -> LayerSplit:
    s_comm, node = document.get("s_comm", 0.0), document.get("node", 0)
    rows = tuple((first, last) for first, last in document.get("rows", ()))
    return LayerSplit(Kind(document["split"]), float(s_comm), node, rows)


def _document(split: LayerSplit) -> dict[str, Any]:
    said: dict[str, Any] = {"split": str(split.kind)}
    if split.s_comm:
        said["s_comm"] = split.s_comm
    if split.kind is Kind.ONE:
        said["node"] = split.node
    if split.rows:
        said["rows"] = [list(each) for each in split.rows]
    return said


def _faults(document: Any) -> list[str]:
    if not isinstance(document, dict):
        return [f"wanted an object with {', '.join(KEYS[:4])}"]
    version = document.get("version")
    mixed = version == MIXED
    keys = MIXED_KEYS if mixed else KEYS
    faults = [f"unknown key {key!r}, {suggest(key, keys)}" for key in document if key not in keys]
    if version not in (UNIFORM, MIXED) or isinstance(version, bool):
        faults.append(f"version is {version!r}, wanted {UNIFORM} or {MIXED}")
    if not isinstance(document.get("model"), str):
        faults.append("model is missing, wanted a network's name")
    nodes = document.get("nodes")
    whole = isinstance(nodes, int) and not isinstance(nodes, bool)
    if not (whole and nodes is not None and 1 <= nodes <= MOST_NODES):
        faults.append(f"nodes is {nodes!r:.20}, wanted a whole number from 1 to {MOST_NODES}")
    if not isinstance(document.get("input"), str | None):
        faults.append("input is not a text as 3x224x224")
    return faults + (_split_faults(document) if mixed else _s_comm_faults(document))


def _s_comm_faults(document: Mapping[str, Any]) -> list[str]:
    s_comm = document.get("s_comm")
    if not isinstance(s_comm, dict):
        return ["s_comm is missing, wanted an object from layer name to 0..1"]
    return [
        f"s_comm of {layer} is {value!r}, wanted 0 to 1"
        for layer, value in s_comm.items()
        if not _is_share(value)
    ]


def _split_faults(document: Mapping[str, Any]) -> list[str]:
    splits = document.get("splits")
    faults = [
        f"{key} is neither true nor false"
        for key in ("joined_rows", "repeated_keys")
        if not isinstance(document.get(key, False), bool)
    ]
    if not isinstance(splits, dict) or not splits:
        return [*faults, "splits is missing, wanted an object from layer name to its split"]
    kinds = [str(kind) for kind in Kind]
    for layer, each in splits.items():
        if not isinstance(each, dict) or each.get("split") not in kinds:
            faults.append(f'split of {layer} is not as {{"split": "rows"}}; {", ".join(kinds)}')
            continue
        faults += [
            f"unknown key {key!r} of {layer}, {suggest(key, SPLIT_KEYS)}"
            for key in each
            if key not in SPLIT_KEYS
        ]
        s_comm, node = each.get("s_comm", 0.0), each.get("node", 0)
        if not _is_share(s_comm) or (s_comm and each["split"] != Kind.OUTPUTS):
            faults.append(f"s_comm of {layer} is {s_comm!r}, wanted 0 to 1 of outputs, else none")
        nodes = document.get("nodes")
        most = nodes if isinstance(nodes, int) else MOST_NODES
        if not isinstance(node, int) or isinstance(node, bool) or not 0 <= node < most:
            faults.append(f"node of {layer} is {node!r:.20}, wanted 0 to {most - 1}")
        if not _are_rows(each.get("rows", []), each["split"]):
            faults.append(f"rows of {layer} are not as [[0, 28], [28, 56]] of a split by rows")
    return faults


def _are_rows(rows: object, split: str) -> bool:
    return rows == [] or (
        split == Kind.ROWS
        and isinstance(rows, list)
        and all(
            isinstance(each, list)
            and len(each) == 2
            and all(isinstance(end, int) and not isinstance(end, bool) for end in each)
            for each in rows
        )
    )


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
