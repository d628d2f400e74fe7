"""The splits that a group of layers can have, and how its tensors lie by them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from discosim.configuration import Configuration
from discosim.explore.planning.groups import Groups
from discosim.explore.planning.levels import levels_of
from discosim.explore.planning.variants import Finder, States, Variant, Variants
from discosim.graph.table import Bools, Ints
from discosim.partition.collectives import Collective
from discosim.partition.held import Held
from discosim.partition.kinds import Kind, RowRanges, Rule
from discosim.partition.needs import Nodes
from discosim.partition.splits import LayerSplit, Splits, Throughout
from discosim.strategies.by_layer import fits, laid_by_layer, rule_of
from discosim.strategies.paired import pairs


@dataclass(frozen=True, eq=False)
class Options:
    """Of each group its splits, by variants of them; how its output lies by each, (S,).

    variants: of each group; of: the variant that an option is, (S,). possible: where an option
    comes of how lies what the group reads, (K, ..., S). held: how the output of each layer may lie,
    by the states of its group. tracked: the nodes whose memory is looked at.
    """

    given: Configuration
    on: Nodes
    groups: Groups
    finder: Finder
    splits: tuple[Splits, ...]
    variants: tuple[tuple[Variant, ...], ...]
    of: tuple[Ints, ...]
    lies: tuple[Ints, ...]
    possible: tuple[Bools, ...]
    held: tuple[tuple[Held, ...], ...]
    tracked: tuple[int, ...]

    def group(self, row: int) -> int:
        """Return the group of a row."""
        return int(self.groups.of[row])

    def states(self, group: int) -> int:
        """Return in how many ways the output of a group can lie."""
        return len(self.held[self.groups.firsts[group]])

    def makers(self, row: int) -> list[int | None]:
        """Return the groups that make each of a layer's operands, None of what enters."""
        network, rows = self.given.network, self.finder.rows
        tensors = network.operands(network.layers[row].name)
        return [int(self.groups.of[rows[t]]) if t in rows else None for t in tensors]

    def others(self, row: int) -> list[int]:
        """Return the groups that make what a layer reads, its own left out, ascending."""
        return sorted({each for each in self.makers(row) if each is not None} - {self.group(row)})


def options_of(
    given: Configuration,
    on: Nodes,
    groups: Groups,
    levels: tuple[float, ...],
    throughout: Throughout,
    more: tuple[RowRanges, ...] = (),
) -> Options:
    """Return the splits that each group can have.

    levels: S_comm of outputs, and of the sums of layers that `partial-sync` splits by inputs. What
    lies on one node does so on the first or the last. more: of each layer rows that nodes may
    compute besides those that are found here, or none.
    """
    every = given.network.layers
    rules: dict[LayerSplit, Rule] = {}
    any_s_comm = not _apart(given)

    def ruled(split: LayerSplit) -> Rule:
        if split not in rules:
            rules[split] = rule_of(
                given.network,
                given.conventions,
                lambda _: split,
                throughout,
                any_s_comm=any_s_comm,
            )
        return rules[split]

    finder = Finder(given, on, groups, ruled(LayerSplit(Kind.ROWS)))
    ranges = _ranges(given, groups, throughout, more)
    held: list[tuple[Held, ...]] = []
    states: dict[int, States] = {}
    found = []
    for group in range(len(groups)):
        members = groups.rows(group)
        sparse = any(given.table.mixes[row] for row in members)
        own = levels if sparse else (0.0,)
        splits = _splits(given, members, ranges[members[0]], own)
        variants = finder.of(group, splits, [ruled(split) for split in splits], states)
        one = _group(splits, variants, own)
        found.append(one)
        held += one.held
        names = [every[row].name for row in members]
        states[group] = [
            dict(zip(names, each, strict=True)) for each in zip(*one.held, strict=True)
        ]
    return Options(
        given=given,
        on=on,
        groups=groups,
        finder=finder,
        splits=tuple(one.splits for one in found),
        variants=tuple(one.variants for one in found),
        of=tuple(one.of for one in found),
        lies=tuple(one.lies for one in found),
        possible=tuple(one.possible for one in found),
        held=tuple(held),
        tracked=tuple(sorted({0, given.nodes // 2, given.nodes - 1})),
    )


def _ranges(
    given: Configuration, groups: Groups, throughout: Throughout, more: tuple[RowRanges, ...]
) -> list[list[RowRanges]]:
    """The rows that nodes may compute of each layer instead of their own."""
    count = len(given.network.layers)
    usual = laid_by_layer(
        given.table, (LayerSplit(Kind.ROWS),) * count, given.nodes, given.conventions,
        given.collective, throughout, given.weighed,
    )  # fmt: skip
    sizes = np.bincount(groups.of[:-1], minlength=len(groups))
    found = levels_of(usual, sizes[groups.of[:-1]] == 1)
    counts = [part.out.row_count for part in usual.parts]
    every = [_covering(each, rows) for each, rows in zip(more or [()] * count, counts, strict=True)]
    return [[*each, *({also} - {(), *each})] for each, also in zip(found, every, strict=True)]


def _covering(ranges: RowRanges, count: int) -> RowRanges:
    """The ranges with the rows between them and at the ends, which may be read by another split."""
    some = [at for at, (first, last) in enumerate(ranges) if first < last]
    found = list(ranges)
    for at, after in zip(some, [*some[1:], None], strict=False):
        end = count if after is None else ranges[after][0]
        found[at] = ranges[at][0] if at != some[0] else 0, max(ranges[at][1], end)
    return tuple(found)


def _splits(
    given: Configuration,
    members: Sequence[int],
    ranges: list[RowRanges],
    levels: tuple[float, ...],
) -> Splits:
    """The splits of a group; those by outputs stand for every S_comm, or for all but 0."""
    network, alone = given.network, len(members) == 1
    layer = network.layers[members[0]]
    splits: list[LayerSplit] = []
    if not alone or fits(network, layer, Kind.ROWS):
        splits.append(LayerSplit(Kind.ROWS))
        splits += [LayerSplit(Kind.ROWS, rows=each) for each in ranges if alone]
    splits.append(LayerSplit(Kind.OUTPUTS))
    if _apart(given):
        splits += [LayerSplit(Kind.OUTPUTS, level) for level in levels[-1:] if level]
    if alone and fits(network, layer, Kind.INPUTS):
        seconds, _ = pairs(network)
        sums = [level for level in levels if not level or layer.name in seconds]
        splits += [LayerSplit(Kind.INPUTS, level) for level in sums]
    splits.append(LayerSplit(Kind.WHOLE))
    splits += [LayerSplit(Kind.ONE, node=node) for node in sorted({0, given.nodes - 1})]
    return tuple(splits)


@dataclass(frozen=True, eq=False)
class _Group:
    """The options of one group; held: of each of its layers, by state."""

    splits: Splits
    variants: tuple[Variant, ...]
    of: Ints
    lies: Ints
    possible: Bools
    held: list[tuple[Held, ...]]


def _group(splits: Splits, variants: Variants, levels: tuple[float, ...]) -> _Group:
    every = [
        (variant, number, level)
        for number, variant in enumerate(variants.every)
        for level in _levels_of(variant, splits[variant.split], levels)
    ]
    states: dict[tuple[int, ...], int] = {}
    leaves: list[tuple[Held, ...]] = []
    lies = []
    for variant, _, _ in every:
        key = tuple(map(id, variant.leaves))
        if key not in states:
            states[key] = len(leaves)
            leaves.append(variant.leaves)
        lies.append(states[key])
    of = np.array([number for _, number, _ in every])
    split = np.array([variant.split for variant, _, _ in every])
    return _Group(
        splits=tuple(replace(splits[variant.split], s_comm=level) for variant, _, level in every),
        variants=variants.every,
        of=of,
        lies=np.array(lies),
        possible=variants.leads[..., split] == of,
        held=list(zip(*leaves, strict=True)),
    )


def _levels_of(variant: Variant, split: LayerSplit, levels: tuple[float, ...]) -> tuple[float, ...]:
    """The S_comm of the options that are a variant: any where what the layers read may be less."""
    choices = [reader.choice for reader in variant.readers]
    if not any(choice.sparse and choice.kind is Kind.OUTPUTS for choice in choices):
        return (split.s_comm if split.kind is Kind.INPUTS else 0.0,)
    return levels if not split.s_comm else tuple(level for level in levels if level)


def _apart(given: Configuration) -> bool:
    """Whether messages of which something is left out go other ways than those that are whole."""
    return given.collective is not Collective.DIRECT and given.nodes > 2
