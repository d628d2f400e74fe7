"""Our own graph as node-link JSON: read and written, whole and versioned (docs/importing.md)."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from math import prod
from pathlib import Path
from typing import Any

import networkx as nx

from discosim.errors import DiscosimError, suggest
from discosim.graph.layer import OPERATORS, Layer, Shape
from discosim.graph.network import INPUT, Network, inputs_text, loose_ends, shape_text
from discosim.graph.parameters import check_shared
from discosim.importers.lowering.rows import LARGEST_TENSOR, MOST_FEATURES
from discosim.importers.sizes import NamedSizes, Sizes, check_names
from discosim.partition.placement import place

FORMAT = "discosim-network"
VERSION = 1
MOST_LAYERS = 100_000
LARGEST_NUMBER = 1 << 53
DEFAULTS = {field.name: field.default for field in fields(Layer) if field.default is not MISSING}
KEYS = ("id", "op", "block", "in_shapes", "out_shape", *DEFAULTS)
TUPLES = ("kernel", "stride", "padding")
RUNS = ("view", "inner")


def to_json(network: Network) -> str:
    """Return the network as text: one line a layer and one an edge; defaults are left out."""
    nodes: list[dict[str, Any]] = [
        {"id": name, "out_shape": shape} for name, shape in network.inputs
    ]
    for layer in network.layers:
        node: dict[str, Any] = {"id": layer.name, "op": layer.op, "block": layer.block}
        node |= {"in_shapes": layer.in_shapes, "out_shape": layer.out_shape}
        chosen = {key: getattr(layer, key) for key in DEFAULTS}
        nodes.append(node | {k: v for k, v in chosen.items() if v != DEFAULTS[k]})
    edges = [
        {"source": tensor, "target": layer.name, "operand": operand}
        for layer in network.layers
        for operand, tensor in enumerate(network.operands(layer.name))
    ]
    head = {"format": FORMAT, "version": VERSION, "name": network.name, "dtype": network.dtype}
    head |= {"directed": True, "multigraph": True, "remarks": dict(network.remarks)}
    if network.notes:
        head["notes"] = network.notes
    head["outputs"] = network.outputs
    if network.kept:
        head["kept"] = network.kept
    parts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    for key, rows in (("nodes", nodes), ("edges", edges)):
        lines = ",\n  ".join(json.dumps(row) for row in rows)
        parts.append(f"{json.dumps(key)}: [\n  {lines}\n ]")
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def read_json(path: str, given: Sizes | None) -> Network:
    """Return the network in a JSON file; raises DiscosimError with what is wrong in it."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DiscosimError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DiscosimError(f"{path} is not JSON: {error}") from None
    network = _JsonReader(path, document).network()
    check_names(given, [name for name, _ in network.inputs], path)
    sizes = given.sizes if isinstance(given, NamedSizes) else ((INPUT, given),)
    if any(size not in (None, dict(network.inputs)[name]) for name, size in sizes):
        raise DiscosimError(
            f"{path} is for input {inputs_text(network)}: the shapes are written in it, "
            "--input cannot change them"
        )
    return network


class _JsonReader:
    """A document on its way to a network; every fault is a DiscosimError that names its place."""

    def __init__(self, path: str, document: Any) -> None:
        self.path = path
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise self.fault(f"wanted an object with format {FORMAT!r}")
        if document.get("version") != VERSION or isinstance(document["version"], bool):
            raise self.fault(f"version is {document.get('version')!r}, wanted {VERSION}")
        self.document: dict[str, Any] = document

    def fault(self, what: str) -> DiscosimError:
        return DiscosimError(f"{self.path}: {what}")

    def network(self) -> Network:
        nodes, edges = (self._list(key) for key in ("nodes", "edges"))
        shapes: dict[str, Shape] = {}
        layers: dict[str, Layer] = {}
        inputs: dict[str, Shape] = {}
        for node in nodes:
            name = self._text(node, "id", "a node")
            if name in shapes:
                raise self.fault(f"two nodes are called {name!r}")
            shapes[name] = self._shape(node.get("out_shape"), f"out_shape of {name!r}")
            if name == INPUT or "op" not in node:
                inputs[name] = self._input(name, node, shapes[name])
            else:
                layers[name] = self._layer(name, node, shapes[name])
        if INPUT not in shapes or not layers:
            raise self.fault(f"wanted a node {INPUT!r} and at least one layer")
        operands = self._operands(edges, layers, inputs)
        graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        graph.add_nodes_from(inputs)
        for name in self._order(layers, operands, inputs):
            self._check_operands(layers[name], operands[name], shapes, inputs)
            graph.add_node(name, layer=layers[name])
            for operand, tensor in enumerate(operands[name]):
                graph.add_edge(tensor, name, operand=operand)
        remarks = self.document.get("remarks", {})
        told = isinstance(remarks, dict) and all(isinstance(x, str) for x in remarks.values())
        if not told:
            raise self.fault("remarks is not an object from layer to text")
        try:
            check_shared(layers.values())
        except DiscosimError as error:
            raise self.fault(str(error)) from None
        dtype = str(self.document.get("dtype", ""))
        kept = self._kept(inputs)
        first = inputs.pop(INPUT)
        network = Network(
            str(self.document.get("name", self.path)),
            nx.freeze(graph),
            first,
            self._outputs(layers, graph),
            tuple(remarks.items()),
            dtype,
            tuple(inputs.items()),
            self._notes(),
            kept,
        )
        try:
            place(network, 2)
            total = network.macs + network.params
        except (IndexError, ValueError, ZeroDivisionError, AssertionError):
            raise self.fault("the features of its layers do not fit together") from None
        if total > LARGEST_NUMBER:
            raise self.fault("its counts are too large to be exact")
        return network

    def _notes(self) -> tuple[str, ...]:
        notes = self.document.get("notes", [])
        if not isinstance(notes, list) or not all(isinstance(x, str) for x in notes):
            raise self.fault("notes is not a list of texts")
        return tuple(notes)

    def _kept(self, inputs: Mapping[str, Shape]) -> tuple[str, ...]:
        """The inputs that are handed out again."""
        kept = self.document.get("kept", [])
        if not isinstance(kept, list) or not all(isinstance(x, str) for x in kept):
            raise self.fault(f"kept is {kept!r:.40}, wanted a list of inputs")
        for name in kept:
            if name not in inputs:
                raise self.fault(f"kept {name!r:.40} is no input; {suggest(name, inputs)}")
        return tuple(dict.fromkeys(kept))

    def _input(self, name: str, node: Mapping[str, Any], shape: Shape) -> Shape:
        """The shape of a tensor that enters: a node without an operator."""
        if name != INPUT and set(node) > {"id", "out_shape"}:
            raise self.fault(
                f"op of node {name!r} is None, wanted a text; an input has a shape only"
            )
        if not shape:
            raise self.fault(f"out_shape of {name!r} has no features")
        return shape

    def _outputs(
        self, layers: Mapping[str, Layer], graph: "nx.MultiDiGraph[str]"
    ) -> tuple[str, ...]:
        """The tensors that are wanted; a file that names none wants those that nobody reads."""
        named = self.document.get("outputs")
        if named is None:
            return loose_ends(graph)
        if not isinstance(named, list) or not named or not all(isinstance(x, str) for x in named):
            raise self.fault(f"outputs is {named!r:.40}, wanted a list of layers")
        for name in named:
            if name not in layers:
                raise self.fault(f"no layer makes the output {name!r:.40}; {suggest(name, layers)}")
        return tuple(dict.fromkeys(named))

    def _list(self, key: str) -> list[dict[str, Any]]:
        rows = self.document.get(key)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self.fault(f"{key} is missing, wanted a list of objects")
        if len(rows) > MOST_LAYERS:
            raise self.fault(f"{len(rows):,} {key}; wanted at most {MOST_LAYERS:,}")
        return rows

    def _text(self, row: Mapping[str, Any], key: str, where: str) -> str:
        text = row.get(key)
        if not isinstance(text, str) or not text:
            raise self.fault(f"{key} of {where} is {text!r:.40}, wanted a text")
        return text

    def _number(self, value: Any, what: str, least: int) -> int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not least <= value <= LARGEST_TENSOR:
            raise self.fault(f"{what} is {value!r:.40}, wanted a whole number from {least} up")
        return int(value)

    def _shape(self, value: Any, what: str, least: int = 1) -> Shape:
        if not isinstance(value, list) or len(value) > 16:
            raise self.fault(f"{what} is {value!r:.40}, wanted a list of sizes")
        shape = tuple(self._number(size, what, least) for size in value)
        if prod(shape) > LARGEST_TENSOR or (shape and least and shape[0] > MOST_FEATURES):
            raise self.fault(f"{what} is {shape_text(shape)}, more than can be placed")
        return shape

    def _layer(self, name: str, node: Mapping[str, Any], out_shape: Shape) -> Layer:
        op = self._text(node, "op", f"node {name!r}")
        if op not in OPERATORS:
            raise self.fault(f"unknown operator {op!r} of {name!r}; {suggest(op, OPERATORS)}")
        unknown = [key for key in node if key not in KEYS]
        if unknown:
            raise self.fault(f"unknown key {unknown[0]!r} of {name!r}; {suggest(unknown[0], KEYS)}")
        given = node.get("in_shapes")
        if not isinstance(given, list) or not given:
            raise self.fault(f"in_shapes of {name!r} is missing, wanted a shape for each operand")
        in_shapes = tuple(self._shape(s, f"in_shapes of {name!r}") for s in given)
        if not out_shape or not all(in_shapes):
            raise self.fault(f"a shape of {name!r} has no features")
        values: dict[str, Any] = {}
        for key in DEFAULTS:
            if key in node:
                values[key] = self._field(key, node[key], f"{key} of {name!r}")
        layer = Layer(name, op, str(node.get("block", "")), in_shapes, out_shape, **values)
        if layer.in_features % layer.groups or layer.out_features % layer.groups:
            raise self.fault(f"{layer.groups} groups do not divide the features of {name!r}")
        if layer.out_features % layer.heads:
            raise self.fault(f"{layer.heads} heads do not divide the features of {name!r}")
        return layer

    def _field(self, key: str, value: Any, what: str) -> Any:
        if isinstance(DEFAULTS[key], bool):
            if not isinstance(value, bool):
                raise self.fault(f"{what} is {value!r:.40}, wanted true or false")
            return value
        if isinstance(DEFAULTS[key], str):
            if not isinstance(value, str):
                raise self.fault(f"{what} is {value!r:.40}, wanted a text")
            return value
        if isinstance(DEFAULTS[key], float):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise self.fault(f"{what} is {value!r:.40}, wanted a number")
            return float(value)
        if key in TUPLES:
            return self._shape(value, what, 0)
        if key == "held":
            pairs = value if isinstance(value, list) else [None]
            if not all(isinstance(x, list) and list(map(type, x)) == [str, int] for x in pairs):
                raise self.fault(f"{what} is {value!r:.40}, wanted a list of [parameter, elements]")
            return tuple((name, self._number(count, what, 1)) for name, count in value)
        if key in RUNS:
            if not isinstance(value, list):
                raise self.fault(f"{what} is {value!r:.40}, wanted a list of [size, stride]")
            return tuple(self._shape(run, what, 0) for run in value if len(run) == 2)
        return self._number(value, what, 1 if key in ("groups", "heads") else 0)

    def _operands(
        self,
        edges: list[dict[str, Any]],
        layers: Mapping[str, Layer],
        inputs: Mapping[str, Shape],
    ) -> dict[str, list[str]]:
        found: dict[str, dict[int, str]] = {name: {} for name in layers}
        for edge in edges:
            source, target = (self._text(edge, key, "an edge") for key in ("source", "target"))
            for name in (source, target):
                if name not in inputs and name not in layers:
                    raise self.fault(f"an edge leads to {name!r}; {suggest(name, layers)}")
            if target in inputs:
                raise self.fault(f"an edge leads into {target!r}")
            operand = self._number(edge.get("operand", 0), f"operand of {target!r}", 0)
            if operand in found[target]:
                raise self.fault(f"operand {operand} of {target!r} is given twice")
            found[target][operand] = source
        for name, layer in layers.items():
            if sorted(found[name]) != list(range(len(layer.in_shapes))):
                raise self.fault(
                    f"{name!r} has {len(layer.in_shapes)} in_shapes and operands "
                    f"{sorted(found[name])}; wanted one edge for each, counted from 0"
                )
        return {name: [found[name][n] for n in sorted(found[name])] for name in layers}

    def _order(
        self,
        layers: Mapping[str, Layer],
        operands: Mapping[str, list[str]],
        inputs: Mapping[str, Shape],
    ) -> list[str]:
        """The layers as they are written, which is their order; refuses a cycle."""
        done = set(inputs)
        for name in layers:
            late = [tensor for tensor in operands[name] if tensor not in done]
            if late:
                graph: nx.DiGraph[str] = nx.DiGraph()
                graph.add_edges_from((t, n) for n in layers for t in operands[n])
                if nx.is_directed_acyclic_graph(graph):
                    raise self.fault(f"{name!r} reads {late[0]!r}, which comes after it")
                cycle = [source for source, *_ in nx.find_cycle(graph)]
                shown = " -> ".join([*cycle[:5], *(["…"] if len(cycle) > 5 else []), cycle[0]])
                raise self.fault(f"its edges form a cycle: {shown}")
            done.add(name)
        return list(layers)

    def _check_operands(
        self,
        layer: Layer,
        operands: list[str],
        shapes: Mapping[str, Shape],
        inputs: Mapping[str, Shape],
    ) -> None:
        for shape, tensor in zip(layer.in_shapes, operands, strict=True):
            if tensor not in inputs and shape[0] != shapes[tensor][0]:
                raise self.fault(
                    f"{layer.name!r} reads {shape[0]} features of {tensor!r}, which has "
                    f"{shapes[tensor][0]}"
                )
