"""What each layer of a network costs, by its own split and by how its operands lie.

How a tensor lies is told by the split of the layer that made it, as if all were split so. Each
layer is laid on its own and priced as in any plan (columns.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from discosim.configuration import Configuration
from discosim.explore.planning.columns import Columns, Priced
from discosim.explore.planning.groups import Groups
from discosim.explore.planning.options import Options, options_of
from discosim.graph.layer import Layer
from discosim.graph.network import INPUT
from discosim.graph.table import Floats, Ints
from discosim.partition.kinds import RowRanges
from discosim.partition.lay import nodes_for
from discosim.partition.plan import Features
from discosim.partition.splits import Splits, Throughout
from discosim.registry import Words

T = TypeVar("T", bound=np.generic)


class Aim(Words):
    """What a plan has least of: seconds, bytes that all nodes send, joules."""

    LATENCY = "latency"
    BYTES = "bytes"
    ENERGY = "energy"

    @classmethod
    def kind(cls) -> str:
        """Return what the words are, for the user."""
        return "objective"


@dataclass(frozen=True, eq=False)
class FeaturesHeld:
    """Bytes of features that each node tracked holds while one layer runs.

    taken: (T, K, ..., S), what it receives and takes besides, axes as of the prices; lying: of each
    group, by how its output lies, (T, K); entering: of the network's inputs, and of outputs that no
    later layer reads, at least.
    """

    taken: Floats
    lying: Mapping[int, Floats]
    entering: float


@dataclass(frozen=True, eq=False)
class Alternatives:
    """The options of a group by how its output lies then: the first of each state, (K,).

    without: states that no option leaves, whose first is 0; many: all options of each other state
    that has several; one_each: whether option s leaves state s and no other.
    """

    first: Ints
    without: Ints
    many: dict[int, Ints]
    one_each: bool

    @classmethod
    def of(cls, lies: Ints, states: int) -> "Alternatives":
        """Return those of options that leave the output as `lies` says, (S,)."""
        places: list[list[int]] = [[] for _ in range(states)]
        for option, state in enumerate(lies.tolist()):
            places[state].append(option)
        return cls(
            first=np.array([each[0] if each else 0 for each in places]),
            without=np.array([s for s, each in enumerate(places) if not each], dtype=np.int64),
            many={s: np.array(each) for s, each in enumerate(places) if len(each) > 1},
            one_each=all(each == [state] for state, each in enumerate(places)),
        )


@dataclass(frozen=True, eq=False)
class Prices:
    """What each group costs, (K, ..., S), and its weights on some nodes, (T, K, ..., S), in bytes.

    Axes: how the output of each group lies that it reads, in ascending order, then its own options.
    lies: how its output lies by each option, (S,). held: of each layer of each group.
    """

    groups: Groups
    options: tuple[Splits, ...]
    lies: tuple[Ints, ...]
    states: tuple[int, ...]
    throughout: Throughout
    aim: tuple[Floats, ...]
    weights: tuple[Floats, ...]
    held: tuple[tuple[FeaturesHeld, ...], ...]

    def exact(self) -> "Prices":
        """Return the same of the splits that change nothing in the result."""
        return self.kept(
            [[at for at, split in enumerate(each) if split.exact] for each in self.options]
        )

    def kept(self, keep: list[list[int]]) -> "Prices":
        """Return the same with these options of each group only."""

        def of(arrays: tuple[NDArray[T], ...]) -> tuple[NDArray[T], ...]:
            return tuple(each[..., at] for each, at in zip(arrays, keep, strict=True))

        return replace(
            self,
            options=tuple(
                tuple(each[at] for at in places)
                for each, places in zip(self.options, keep, strict=True)
            ),
            lies=of(self.lies),
            aim=of(self.aim),
            weights=of(self.weights),
            held=tuple(
                tuple(replace(one, taken=one.taken[..., at]) for one in each)
                for each, at in zip(self.held, keep, strict=True)
            ),
        )

    @cached_property
    def features(self) -> tuple[Floats, ...]:
        """The most features on each node, (T, K, ..., S): axes of all groups that are live."""
        return tuple(
            np.max([self._features(group, one) for one in each], axis=0)
            for group, each in enumerate(self.held)
        )

    @cached_property
    def mean_features(self) -> tuple[Floats, ...]:
        """The same of the nodes in the mean, (K, ..., S)."""
        return tuple(each.mean(0) for each in self.features)

    @cached_property
    def mean_weights(self) -> tuple[Floats, ...]:
        """Bytes of weights of the nodes in the mean, (K, ..., S)."""
        return tuple(each.mean(0) for each in self.weights)

    @cached_property
    def alternatives(self) -> tuple["Alternatives", ...]:
        """Of each group the options that leave its output alike."""
        return tuple(map(Alternatives.of, self.lies, self.states))

    def _features(self, group: int, holding: FeaturesHeld) -> Floats:
        live, reads = self.groups.live[group], self.groups.reads[group]
        own, tracked = self.lies[group], len(holding.taken)
        shape = [self.states[each] if each in reads else 1 for each in live] + [len(own)]
        total: Floats = holding.taken.reshape(tracked, *shape) + holding.entering
        for each, lying in holding.lying.items():
            if each == group:
                total = total + lying[:, own].reshape(tracked, *[1] * len(live), -1)
            else:
                axes = [-1 if one == each else 1 for one in live]
                total = total + lying.reshape(tracked, *axes, 1)
        full = [self.states[each] for each in live]
        return np.broadcast_to(total, (tracked, *full, len(own)))

    def spread(self, path: Ints) -> Splits:
        """Return the split of each layer where `path`, (G,), says that of each group."""
        return tuple(
            self.options[group][path[group]] for group in self.groups.of[: len(self._layers)]
        )

    @property
    def _layers(self) -> tuple[Layer, ...]:
        return self.groups.table.network.layers


def prices_of(
    given: Configuration,
    groups: Groups,
    s_comm: tuple[float, ...],
    throughout: Throughout,
    aim: Aim,
    more: tuple[RowRanges, ...] = (),
    *,
    floor: bool = False,
) -> Prices:
    """Return the prices of groups; S_comm of outputs as given.

    more: of each layer rows that nodes may compute besides others, or none. floor: no plan has less
    in any layer, where a tensor is sent once for all that read it as well.
    """
    on = nodes_for(given.table, given.nodes, given.conventions)
    options = options_of(given, on, groups, tuple(sorted({0.0, *s_comm})), throughout, more)
    columns = Columns(given, options, floor=floor)
    priced = columns.priced()
    every = range(len(groups))
    cost = [_group(options, columns, getattr(priced, str(aim)), group) for group in every]
    for group, last in columns.gathering(str(aim)).items():
        cost[group] = cost[group] + last[options.lies[group]]
    cost = [np.where(columns.ways.meetings.possible(group), cost[group], np.inf) for group in every]
    return Prices(
        groups=groups,
        options=options.splits,
        lies=options.lies,
        states=tuple(options.states(group) for group in every),
        throughout=throughout,
        aim=tuple(cost),
        weights=tuple(_weights(options, columns, priced, group) for group in every),
        held=tuple(_held(given, options, columns, priced, group) for group in every),
    )


def _group(options: Options, columns: Columns, priced: Floats, group: int) -> Floats:
    groups = options.groups
    total = np.zeros(1)
    for row in groups.rows(group):
        shape = _shape(options.others(row), groups.reads[group], columns.at[row].shape)
        total = total + priced[columns.at[row]].reshape(shape)
    return np.broadcast_to(total, _full(options, group))


def _weights(options: Options, columns: Columns, priced: Priced, group: int) -> Floats:
    groups, tracked = options.groups, len(options.tracked)
    total = np.zeros(1)
    for row in groups.rows(group):
        shape = _shape(options.others(row), groups.reads[group], columns.at[row].shape)
        total = total + priced.weights(row, columns.at[row]).reshape(tracked, *shape)
    return np.broadcast_to(total, (tracked, *_full(options, group)))


def _held(
    given: Configuration, options: Options, columns: Columns, priced: Priced, group: int
) -> tuple[FeaturesHeld, ...]:
    groups, table, tracked = options.groups, given.table, len(options.tracked)
    found = []
    for row in groups.rows(group):
        shape = _shape(options.others(row), groups.reads[group], columns.at[row].shape)
        lying: Mapping[int, Floats] = {}
        entering, taken = 0.0, priced.held[:, columns.at[row]]
        for tensor in np.flatnonzero(table.alive[:, row]):
            if 0 < tensor < len(table):
                maker = int(groups.of[tensor - 1])
                lies = columns.lying_bytes(int(tensor) - 1)
                if maker in (group, *groups.live[group]):
                    lying = {**lying, maker: lying[maker] + lies if maker in lying else lies}
                else:  # an output of the network, however it lies
                    entering += float(lies.min())
            elif tensor:
                entering += float(table.tensor_elems[tensor]) * priced.elem_bytes
            elif set(given.network.operands(table.name[row])) == {INPUT}:  # who reads it has it
                elems = float(table.tensor_elems[0]) * priced.elem_bytes
                taken = taken + elems * priced.reads[:, columns.at[row]]
        taken = np.broadcast_to(taken.reshape(tracked, *shape), (tracked, *_full(options, group)))
        if given.features is Features.ALL:
            lying, entering, taken = {}, 0.0, np.zeros_like(taken)
        found.append(FeaturesHeld(taken, lying, entering))
    return tuple(found)


def _full(options: Options, group: int) -> list[int]:
    reads = options.groups.reads[group]
    return [*(options.states(each) for each in reads), len(options.splits[group])]


def _shape(others: list[int], among: tuple[int, ...], sizes: tuple[int, ...]) -> list[int]:
    """Where the axes of some groups lie among those of several, and then the own options."""
    size = dict(zip(others, sizes, strict=False))
    return [*(size.get(each, 1) for each in among), sizes[-1]]
