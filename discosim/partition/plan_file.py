"""Plan files: what is said of each layer, as JSON that a person can write and a program can read.

{"version": 1, "model": "resnet50", "nodes": 2, "s_comm": {"layer1.0.conv1": 0.8, ...}}

Layers that are not named send everything (S_comm 0); "input" (as "3x224x224") is optional.

{"version": 2, "model": "resnet50", "nodes": 2, "joined_rows": true,
 "repeated_keys": true,
 "splits": {"conv1": {"split": "rows"}, "layer4.0.conv2": {"split": "outputs", "s_comm": 0.8},
            "fc": {"split": "one", "node": 1}}}

A layer that is not named is split as the one before it in the order of execution. joined_rows,
repeated_keys and handed_on say what holds throughout (`Throughout`); without them, false, true and
false. "rows": [[0, 30], [26, 56]] of a layer split by rows are the output rows that each node
computes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from discosim.errors import DiscosimError, UnknownNameError
from discosim.files import write_text
from discosim.graph.network import shape_text
from discosim.graph.table import Bools, Floats, LayerTable
from discosim.partition.kinds import Kind, RowRanges
from discosim.partition.needs import rows_read
from discosim.partition.plan_document import (
    MIXED,
    UNIFORM,
    SplitDocument,
    UniformDocument,
    checked,
)
from discosim.partition.splits import LayerSplit, Splits, Throughout, spread_out


@dataclass(frozen=True, eq=False)
class PlanFile:
    """S_comm by layer name, for one network and one number of nodes.

    splits: how layers are split, where not all by outputs; throughout: what holds of all of them.
    """

    path: str
    model: str
    nodes: int
    s_comm: Mapping[str, float]
    input: str | None = None
    splits: Mapping[str, LayerSplit] = field(default_factory=dict)
    throughout: Throughout = Throughout()  # noqa: RUF009 - frozen

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
        if any(split.rows for split in self.splits.values()):
            self._check_every_row(table)

    def _check_every_row(self, table: LayerTable) -> None:
        """Raise DiscosimError where nodes do not compute what is read, or not in order."""
        computed: dict[str, Bools] = {}
        names = list(table.name[:-1])
        for row, split in reversed(list(enumerate(self.every_split(table)))):
            if split.rows:
                read = rows_read(table.network, names[row], computed)
                if not _fits(split.rows, read, self.nodes):
                    layer = next(name for name in reversed(names[: row + 1]) if name in self.splits)
                    said = ", ".join(f"{first}-{last}" for first, last in split.rows)
                    raise DiscosimError(
                        f"plan {self.path}: rows of {layer} are {said}, wanted {self.nodes} ranges "
                        f"in order that cover 0-{len(read)}"
                    )
                computed[names[row]] = _covered(split.rows, len(read))

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


def _fits(rows: RowRanges, read: Bools, nodes: int) -> bool:
    """Whether ranges are one a node, in order, over all that is `read`, (rows,).

    A node may have none; those that have some begin and end no sooner than those before them.
    """
    begins, ends = ([each[end] for each in rows if each[0] < each[1]] for end in (0, 1))
    fits = len(rows) == nodes and begins == sorted(begins) and ends == sorted(ends)
    fits &= all(0 <= first <= last <= len(read) for first, last in rows)
    return fits and not (read & ~_covered(rows, len(read))).any()


def _covered(rows: RowRanges, count: int) -> Bools:
    covered = np.zeros(count, dtype=bool)
    for first, last in rows:
        covered[first:last] = True
    return covered


def read_plan(path: str) -> PlanFile:
    """Return the plan in the JSON file at `path`; raises DiscosimError with what is wrong."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DiscosimError(f"plan {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DiscosimError(f"plan {path} is not JSON: {error}") from None
    said = checked(path, document)
    if isinstance(said, UniformDocument):
        return PlanFile(path, said.model, said.nodes, said.s_comm, said.input)
    splits = {layer: _split(each) for layer, each in said.splits.items()}
    throughout = Throughout(said.joined_rows, said.repeated_keys, said.handed_on)
    return PlanFile(path, said.model, said.nodes, {}, said.input, splits, throughout)


def write_plan(path: str, plan: PlanFile) -> None:
    """Write `plan` as the JSON that `read_plan` reads; raises DiscosimError."""
    document: dict[str, Any] = {
        "version": MIXED if plan.splits else UNIFORM,
        "model": plan.model,
        "nodes": plan.nodes,
        "input": plan.input,
    }
    if plan.splits:
        document["joined_rows"] = plan.throughout.joined
        document["repeated_keys"] = plan.throughout.repeated
        document["handed_on"] = plan.throughout.handed_on
        document["splits"] = {layer: _document(split) for layer, split in plan.splits.items()}
    else:
        document["s_comm"] = dict(plan.s_comm)
    write_text(path, json.dumps(document, indent=1) + "\n")


def _split(said: SplitDocument) -> LayerSplit:
    return LayerSplit(Kind(said.split), said.s_comm, said.node, said.rows)


def _document(split: LayerSplit) -> dict[str, Any]:
    said: dict[str, Any] = {"split": str(split.kind)}
    if split.s_comm:
        said["s_comm"] = split.s_comm
    if split.kind is Kind.ONE:
        said["node"] = split.node
    if split.rows:
        said["rows"] = [list(each) for each in split.rows]
    return said
