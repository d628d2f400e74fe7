"""What each layer of a network costs, by its own split and by how its operands lie.

How a tensor lies is told by the split of the layer that made it, as if all were split so. Each
layer is laid on its own and priced as in any plan.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from discosim.configuration import Configuration
from discosim.explore.planning.groups import Groups
from discosim.graph.layer import Layer
from discosim.graph.table import Bools, Floats, Ints, LayerTable
from discosim.partition import node_memory
from discosim.partition.held import Held, everywhere
from discosim.partition.kinds import Kind, Rule
from discosim.partition.lay import Part, lay_one, nodes_for
from discosim.partition.mixed import parts_plan
from discosim.partition.plan import Features, Plan
from discosim.partition.splits import ByRows, LayerSplit, Splits
from discosim.simulate import Cost, simulate
from discosim.strategies.by_layer import fits, laid_by_layer, plan_by_layer, rule_of

KINDS = (Kind.ROWS, Kind.OUTPUTS, Kind.INPUTS, Kind.WHOLE, Kind.ONE)


@dataclass(frozen=True, eq=False)
class Prices:
    """Seconds, bytes of weights and of features of each group, (K, ..., S) each.

    Axes: the kind of each group that it reads (of features, of each that is live), in ascending
    order, then its own split. The bytes are those of node 0.
    """

    groups: Groups
    splits: Splits
    rows: ByRows
    seconds: tuple[Floats, ...]
    weights: tuple[Floats, ...]
    features: tuple[Floats, ...]

    def exact(self) -> "Prices":
        """Return the same of the splits that change nothing in the result."""
        keep = [place for place, split in enumerate(self.splits) if split.exact]
        splits = tuple(self.splits[place] for place in keep)
        each = (self.seconds, self.weights, self.features)
        kept = (tuple(a[..., keep] for a in arrays) for arrays in each)
        return Prices(self.groups, splits, self.rows, *kept)

    @property
    def kinds(self) -> Ints:
        """The kind of each split, (S,), as a place in KINDS."""
        return np.array([KINDS.index(split.kind) for split in self.splits])

    def spread(self, path: Ints) -> Splits:
        """Return the split of each layer where `path`, (G,), says that of each group."""
        return tuple(self.splits[place] for place in path[self.groups.of[:-1]])


def prices_of(
    given: Configuration, groups: Groups, s_comm: tuple[float, ...], rows: ByRows
) -> Prices:
    """Return the prices of groups; S_comm of outputs as given."""
    levels = tuple(sorted({0.0, *s_comm}))
    splits = tuple(
        LayerSplit(kind, level)
        for kind in KINDS
        for level in (levels if kind is Kind.OUTPUTS else (0.0,))
    )
    own = np.array([KINDS.index(split.kind) for split in splits])
    level = np.array([levels.index(split.s_comm) for split in splits])
    alone = _Alone(given, groups, rows)
    places = [alone.places(layer) for layer in given.network.layers]
    numbers = alone.numbers(levels)
    kinds = len(KINDS)
    seconds, weights, features = [], [], []
    for group in range(len(groups)):
        reads, live = groups.reads[group], groups.live[group]
        total = np.zeros((2, *(kinds,) * len(reads), len(splits)))
        most = np.zeros(((kinds,) * len(live)) + (len(splits),))
        for row in np.flatnonzero(groups.of[:-1] == group):
            others = alone.others(given.network.layers[row])
            by_reads = [_axis(each, reads) for each in others]
            mine = own.reshape([1] * len(reads) + [-1])
            total += numbers[:2, level, places[row][(*by_reads, mine)]]
            by_live = [_axis(each, live) for each in others]
            mine = own.reshape([1] * len(live) + [-1])
            held = numbers[2, level, places[row][(*by_live, mine)]]
            for tensor in np.flatnonzero(given.table.alive[:, row]):
                maker = int(groups.of[tensor - 1]) if 0 < tensor < len(given.table) else -1
                if maker < 0:
                    held = held + given.table.tensor_elems[tensor] * alone.elem_bytes
                elif maker == group:
                    held = held + alone.held_bytes[tensor - 1][own]
                elif maker in live:
                    held = held + alone.held_bytes[tensor - 1][_axis(maker, live)]
            most = np.maximum(most, held)
        total[0, ..., ~alone.fitting(group)[own]] = np.inf
        seconds.append(total[0])
        weights.append(total[1])
        features.append(most if given.features is Features.PEAK else np.zeros_like(most))
    seconds[-1] = seconds[-1] + alone.gathering_s()[own]
    return Prices(groups, splits, rows, tuple(seconds), tuple(weights), tuple(features))


def _axis(group: int, among: tuple[int, ...]) -> Ints:
    """Every kind, along the axis of `group` among several and the own split."""
    return np.arange(len(KINDS)).reshape([-1 if each == group else 1 for each in among] + [1])


class _Alone:
    """Each layer on its own, for all ways in which its operands may lie; equal ones once."""

    def __init__(self, given: Configuration, groups: Groups, rows: ByRows) -> None:
        self.given, self.table, self.groups, self.how = given, given.table, groups, rows
        network, nodes = given.network, given.nodes
        self.on = nodes_for(given.table, nodes, given.conventions)
        self.rules = [self._rule(LayerSplit(kind)) for kind in KINDS]
        count = len(network.layers)
        self.pure = [
            laid_by_layer(
                given.table, (LayerSplit(kind),) * count, nodes, given.conventions,
                given.collective, rows,
            )
            for kind in KINDS
        ]  # fmt: skip
        self.rows = {layer.name: row for row, layer in enumerate(network.layers)}
        self.entering = {name: everywhere(shape, nodes) for name, shape in network.inputs}
        self.parts: dict[tuple[object, ...], int] = {}
        self.found: list[Part] = []
        self.at: list[int] = []
        self.elem_bytes = given.hardware.feature_elem_bytes
        whole = given.conventions.whole
        self.held_bytes = [
            np.array([laid.parts[row].out.elems(whole)[0] for laid in self.pure]) * self.elem_bytes
            for row in range(count)
        ]

    def _rule(self, split: LayerSplit) -> Rule:
        return rule_of(self.given.network, self.given.conventions, lambda _: split, self.how)

    def fitting(self, group: int) -> Bools:
        """Return which kinds a group can have, (K,); parts are added up behind a single layer."""
        rows = np.flatnonzero(self.groups.of[:-1] == group)
        layer = self.given.network.layers[rows[0]]
        if len(rows) > 1:
            return np.array([kind is not Kind.INPUTS for kind in KINDS])
        return np.array([fits(self.given.network, layer, kind) for kind in KINDS])

    def others(self, layer: Layer) -> list[int]:
        """Return the groups that make what a layer reads, its own left out, ascending."""
        makers = {int(self.groups.of[row]) for row in self._makers(layer).values()}
        return sorted(makers - {int(self.groups.of[self.rows[layer.name]])})

    def _makers(self, layer: Layer) -> dict[str, int]:
        """The rows that make what a layer reads."""
        names = self.given.network.operands(layer.name)
        return {name: self.rows[name] for name in names if name in self.rows}

    def places(self, layer: Layer) -> Ints:
        """Return, by the kinds of the other groups and its own, which part a layer becomes."""
        others, makers, kinds = self.others(layer), self._makers(layer), len(KINDS)
        found = np.empty((kinds,) * (len(others) + 1), dtype=np.int64)
        for at in product(range(kinds), repeat=len(others) + 1):
            kind_of = dict(zip(others, at[:-1], strict=True))
            lying = self.entering | {
                name: self.pure[kind_of.get(int(self.groups.of[row]), at[-1])].parts[row].out
                for name, row in makers.items()
            }
            found[at] = self._part(layer, lying, self.rules[at[-1]])
        return found

    def _part(self, layer: Layer, lying: Mapping[str, Held], rule: Rule) -> int:
        names = self.given.network.operands(layer.name)
        choice = rule(layer, tuple(lying[name] for name in names))
        owners = (self.on.owners[name] for name in (layer.name, *names))
        key = (
            replace(layer, name="", block=""),
            choice,
            tuple(names.index(name) for name in names),
            tuple(lying[name].key for name in names),
            tuple(None if owner is None else np.asarray(owner).tobytes() for owner in owners),
        )
        if key not in self.parts:
            self.parts[key] = len(self.found)
            conventions, collective = self.given.conventions, self.given.collective
            said = {name: lying[name] for name in names}
            part = lay_one(self.on, layer, said, lambda *_: choice, conventions, collective)
            self.found.append(part)
            self.at.append(self.rows[layer.name])
        return self.parts[key]

    def numbers(self, levels: tuple[float, ...]) -> Floats:
        """Return seconds, and of node 0 bytes of weights and of received features, (3, D, P)."""
        given, rows = self.given, np.array(self.at)
        table = _rows_alone(given.table, rows)
        laid = replace(self.pure[0], table=table, parts=tuple(self.found), gathering=())
        density = 1.0 - np.array(levels)[:, None, None] * np.ones((1, len(rows)))
        plan = parts_plan(laid, density)
        cost = simulate(table, plan, given.hardware, given.overlap)
        weights, biases = (each[rows] for each in given.table.own)
        elems = np.sum(plan.weight_shares, axis=0) * weights + plan.biases * biases
        scratch = node_memory.scratch_elems(table, plan, given.hardware.attention)
        held = (plan.buffer_elems + scratch)[..., 0, :] * given.hardware.feature_elem_bytes
        shape = (len(levels), len(rows))
        each = (
            cost.layer_s[..., 0, :],
            elems[..., 0, :] * given.hardware.weight_elem_bytes,
            held,
        )
        return np.stack([np.broadcast_to(one, shape) for one in each])

    def gathering_s(self) -> Floats:
        """Return the seconds in which one output comes to node 0, by its kind, (K,)."""
        if len(self.table.outputs) > 1 or self.groups.of[self.table.outputs[0] - 1] + 1 != len(
            self.groups
        ):
            return np.zeros(len(KINDS))
        costs = [cost_of(self.given, plan_by_layer(laid, np.ones((1, 1)))) for laid in self.pure]
        return np.array([float(cost.layer_s.reshape(-1)[-1]) for cost in costs])


ROW_ARRAYS = (
    "in_elems", "out_elems", "in_features", "out_features", "positions", "weights", "biases",
    "macs", "groups", "mixes", "statistics", "cut_elems", "scratch_elems",
)  # fmt: skip

ROW_TEXTS = ("rows", "name", "op", "kind", "block")


def _rows_alone(table: LayerTable, rows: Ints) -> LayerTable:
    """The table of `rows` as if they had nothing to do with each other; no parameter is shared."""
    arrays = {name: getattr(table, name)[rows] for name in ROW_ARRAYS}
    texts = {name: tuple(getattr(table, name)[row] for row in rows) for name in ROW_TEXTS}
    changes: Any = arrays | texts
    return replace(table, **changes, shared=())


def cost_of(given: Configuration, plan: Plan) -> Cost:
    """Return what a plan costs on the hardware that is given."""
    return simulate(given.table, plan, given.hardware, given.overlap, given.features)
