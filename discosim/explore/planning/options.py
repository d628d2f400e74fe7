"""The splits that a group of layers can have, and how its tensors lie by them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from discosim.configuration import Configuration
from discosim.explore.planning.groups import Groups
from discosim.explore.planning.levels import levels_of
from discosim.graph.table import Bools, Ints
from discosim.partition.held import Held, by_rows, everywhere, on_one
from discosim.partition.kinds import Kind, Rule
from discosim.partition.lay import Laid
from discosim.partition.needs import answered_for
from discosim.partition.splits import ByRows, LayerSplit, Splits
from discosim.strategies.by_layer import fits, laid_by_layer, rule_of

State = LayerSplit
"""How a tensor lies: as a layer with this split leaves it, whatever its S_comm."""


@dataclass(frozen=True, eq=False)
class Options:
    """Of each group its splits, how its output lies by each (S,), and by which splits it lies so.

    tracked: the nodes whose memory is looked at. pure: all layers by rows, outputs and inputs.
    """

    given: Configuration
    groups: Groups
    splits: tuple[Splits, ...]
    lies: tuple[Ints, ...]
    leaving: tuple[Splits, ...]
    how: ByRows
    pure: dict[Kind, Laid]
    tracked: tuple[int, ...]

    def states(self, group: int) -> int:
        """Return in how many ways the output of a group can lie."""
        return len(self.leaving[group])

    @cached_property
    def _rules(self) -> dict[LayerSplit, Rule]:
        return {}

    def rule(self, split: LayerSplit) -> Rule:
        """Return the rule that splits every layer so."""
        if split not in self._rules:
            given = self.given
            self._rules[split] = rule_of(
                given.network, given.conventions, lambda _: split, self.how
            )
        return self._rules[split]

    @cached_property
    def makers(self) -> list[dict[str, int]]:
        """The rows that make what each layer reads, by the tensor."""
        network = self.given.network
        rows = {layer.name: row for row, layer in enumerate(network.layers)}
        return [
            {name: rows[name] for name in network.operands(layer.name) if name in rows}
            for layer in network.layers
        ]

    def others(self, row: int) -> list[int]:
        """Return the groups that make what a layer reads, its own left out, ascending."""
        own = int(self.groups.of[row])
        return sorted({int(self.groups.of[each]) for each in self.makers[row].values()} - {own})

    @cached_property
    def held(self) -> list[tuple[Held, ...]]:
        """How the output of each layer lies, by the states of its group; the same object if alike.

        A layer's outputs are alike if they are so where all layers are split alike.
        """
        alike: dict[tuple[object, ...], tuple[Held, ...]] = {}
        found = []
        for row, layer in enumerate(self.given.network.layers):
            splits = self.leaving[self.groups.of[row]]
            usual = (laid.parts[row].out for laid in self.pure.values())
            key = (layer.out_shape, splits, *usual)
            if key not in alike:
                alike[key] = tuple(self._held(row, split) for split in splits)
            found.append(alike[key])
        return found

    def _held(self, row: int, split: LayerSplit) -> Held:
        shape, nodes = self.given.network.layers[row].out_shape, self.given.nodes
        if split.kind is Kind.WHOLE:
            return everywhere(shape, nodes)
        if split.kind is Kind.ONE:
            return on_one(shape, split.node, nodes)
        usual = self.pure[split.kind].parts[row].out
        if not split.rows:
            return usual
        rows = np.array(split.rows)
        return by_rows(shape, answered_for(usual.rows, rows), rows)

    def follows(self, row: int) -> bool:
        """Return whether a layer is best split as one of its operands lies.

        It does no work, keeps the shape, and has one reader, which can as well change that. What is
        on one node may go out to the others step by step, and parts are added up where they go.
        """
        layer, network = self.given.network.layers[row], self.given.network
        return (
            self.alone(row)
            and not self.given.table.macs[row]
            and layer.operator.placing in ("carries", "aligns")
            and all(shape == layer.out_shape for shape in layer.in_shapes)
            and len(list(network.graph.successors(layer.name))) == 1
        )

    def alone(self, row: int) -> bool:
        """Return whether a layer is a group of its own."""
        return int((self.groups.of[:-1] == self.groups.of[row]).sum()) == 1

    def useful(self, row: int) -> Bools:
        """Return which ways to lie and splits of a layer a best plan may have, (K, ..., S)."""
        others, group = self.others(row), int(self.groups.of[row])
        shape = [*(self.states(each) for each in others), len(self.splits[group])]
        if not others or not self.alone(row):
            return np.ones(shape, dtype=bool)
        if not self.follows(row):
            return self._apart(row, others, shape)
        own = self.lies[group]
        some, whole = np.zeros(shape, dtype=bool), np.ones(shape, dtype=bool)
        for place, each in enumerate(others):
            axis = [1] * len(shape)
            axis[place] = -1
            states = self.leaving[each]
            same = np.array([[s == self.leaving[group][c] for c in own] for s in states])
            wide = [1] * len(shape)
            wide[place], wide[-1] = same.shape
            some |= same.reshape(wide)
            some |= np.array([s.kind in (Kind.INPUTS, Kind.ONE) for s in states]).reshape(axis)
            whole &= np.array([s.kind is Kind.WHOLE for s in states]).reshape(axis)
        return (some | whole) & self._apart(row, others, shape)

    def _apart(self, row: int, others: list[int], shape: list[int]) -> Bools:
        """Not by outputs what is whole and mixes nothing: it stays whole then."""
        group, mixes = int(self.groups.of[row]), self.given.table.mixes[row]
        whole = np.array(not mixes)
        for place, each in enumerate(others):
            axis = [-1 if one == place else 1 for one in range(len(shape))]
            states = self.leaving[each]
            whole = whole & np.array([s.kind is Kind.WHOLE for s in states]).reshape(axis)
        found: Bools = ~(whole & np.array([s.kind is Kind.OUTPUTS for s in self.splits[group]]))
        return found

    def like(self, group: int, split: LayerSplit) -> int:
        """Return the state of another group's output of which a layer split so needs least."""
        kind = Kind.OUTPUTS if split.kind is Kind.INPUTS else split.kind
        wanted = LayerSplit(kind, node=split.node)
        leaving = self.leaving[group]
        return leaving.index(wanted) if wanted in leaving else 0


def options_of(
    given: Configuration, groups: Groups, levels: tuple[float, ...], rows: ByRows
) -> Options:
    """Return the splits that each group can have.

    levels: S_comm of outputs. What lies on one node does so on the first or the last.
    """
    count = len(given.network.layers)
    pure = {
        kind: laid_by_layer(
            given.table, (LayerSplit(kind),) * count, given.nodes, given.conventions,
            given.collective, rows, given.weighed,
        )
        for kind in (Kind.ROWS, Kind.OUTPUTS, Kind.INPUTS)
    }  # fmt: skip
    sizes = np.bincount(groups.of[:-1], minlength=len(groups))
    ranges = levels_of(pure[Kind.ROWS], sizes[groups.of[:-1]] == 1)
    ends = sorted({0, given.nodes - 1})
    splits, lies, leaving = [], [], []
    for group in range(len(groups)):
        members = np.flatnonzero(groups.of[:-1] == group)
        alone, layer = len(members) == 1, given.network.layers[members[0]]
        states: list[State] = []
        if not alone or fits(given.network, layer, Kind.ROWS):
            states.append(LayerSplit(Kind.ROWS))
            more = ranges[members[0]] if alone else []
            states += [LayerSplit(Kind.ROWS, rows=each) for each in more]
        states.append(LayerSplit(Kind.OUTPUTS))
        if alone and fits(given.network, layer, Kind.INPUTS):
            states.append(LayerSplit(Kind.INPUTS))
        states.append(LayerSplit(Kind.WHOLE))
        states += [LayerSplit(Kind.ONE, node=node) for node in ends]
        sparse = any(given.table.mixes[row] for row in members)
        every = [
            (LayerSplit(state.kind, level, state.node, state.rows), number)
            for number, state in enumerate(states)
            for level in (levels if state.kind is Kind.OUTPUTS and sparse else (0.0,))
        ]
        splits.append(tuple(split for split, _ in every))
        lies.append(np.array([number for _, number in every]))
        leaving.append(tuple(states))
    tracked = tuple(sorted({0, given.nodes // 2, given.nodes - 1}))
    return Options(given, groups, tuple(splits), tuple(lies), tuple(leaving), rows, pure, tracked)
