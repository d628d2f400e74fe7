"""Plan files: S_comm of each layer, as JSON that a person can write and a program can read.

{"version": 1, "model": "resnet50", "nodes": 2, "s_comm": {"layer1.0.conv1": 0.8, ...}}

Layers that are not named send everything (S_comm 0); "input" (as "3x224x224") is optional.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from discosim.errors import DiscosimError, UnknownNameError, suggest
from discosim.files import write_text
from discosim.graph.network import shape_text
from discosim.graph.table import Floats, LayerTable

VERSION = 1
MOST_NODES = 1_000_000
KEYS = ("version", "model", "nodes", "s_comm", "input")


@dataclass(frozen=True, eq=False)
class PlanFile:
    """S_comm by layer name, for one network and one number of nodes."""

    path: str
    model: str
    nodes: int
    s_comm: Mapping[str, float]
    input: str | None = None

    def check(self, table: LayerTable) -> None:
        """Raise DiscosimError where the plan is for another network or names unknown layers."""
        name, shape = table.network.name, shape_text(table.network.input_shape)
        if self.model != name:
            raise DiscosimError(f"plan {self.path} is for {self.model}, not for {name}")
        if self.input is not None and self.input != shape:
            raise DiscosimError(f"plan {self.path} is for input {self.input}, not for {shape}")
        known = [n for n, mixes in zip(table.name, table.mixes, strict=True) if mixes]
        for layer in self.s_comm:
            if layer not in known:
                raise UnknownNameError(f"layer in plan {self.path}:", layer, known)

    def layer_s_comm(self, table: LayerTable, nodes: int) -> Floats:
        """Return S_comm of each row, (1, L); raises DiscosimError for another number of nodes."""
        if nodes != self.nodes:
            raise DiscosimError(f"plan {self.path} is for {self.nodes} nodes, not for {nodes}")
        return np.array([[self.s_comm.get(name, 0.0) for name in table.name]])


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
    s_comm = {str(layer): float(value) for layer, value in document["s_comm"].items()}
    return PlanFile(path, document["model"], document["nodes"], s_comm, document.get("input"))


def write_plan(path: str, plan: PlanFile) -> None:
    """Write `plan` as the JSON that `read_plan` reads; raises DiscosimError."""
    document = {"version": VERSION, "model": plan.model, "nodes": plan.nodes, "input": plan.input}
    text = json.dumps({**document, "s_comm": dict(plan.s_comm)}, indent=1)
    write_text(path, text + "\n")


def _faults(document: Any) -> list[str]:
    if not isinstance(document, dict):
        return [f"wanted an object with {', '.join(KEYS[:4])}"]
    faults = [f"unknown key {key!r}, {suggest(key, KEYS)}" for key in document if key not in KEYS]
    if document.get("version") != VERSION or isinstance(document.get("version"), bool):
        faults.append(f"version is {document.get('version')!r}, wanted {VERSION}")
    if not isinstance(document.get("model"), str):
        faults.append("model is missing, wanted a network's name")
    nodes = document.get("nodes")
    whole = isinstance(nodes, int) and not isinstance(nodes, bool)
    if not (whole and nodes is not None and 1 <= nodes <= MOST_NODES):
        faults.append(f"nodes is {nodes!r:.20}, wanted a whole number from 1 to {MOST_NODES}")
    if not isinstance(document.get("input"), str | None):
        faults.append("input is not a text as 3x224x224")
    s_comm = document.get("s_comm")
    if not isinstance(s_comm, dict):
        return [*faults, "s_comm is missing, wanted an object from layer name to 0..1"]
    for layer, value in s_comm.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number and 0 <= value <= 1):
            faults.append(f"s_comm of {layer} is {value!r}, wanted 0 to 1")
    return faults
