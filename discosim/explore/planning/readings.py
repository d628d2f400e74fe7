"""What an operand costs to come by, for every way it lies and every way its reader is split.

The same as `lay` finds for one of each (partition/lay.py), as arrays (..., S, C) over S ways to lie
and C splits: what is sent is features times rows, and each is found once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from discosim.graph.layer import Layer
from discosim.graph.table import Bools, Floats, Ints
from discosim.partition.effort import lie_inside, one_by_one, shares_of, statistics_of
from discosim.partition.held import Held, Need
from discosim.partition.kinds import Choice, Rule
from discosim.partition.lay import Read, amount
from discosim.partition.messages import Round, feature_overlap, row_overlap
from discosim.partition.needs import Nodes, need_windows, needs_of, output, possible, reached
from discosim.partition.rounds import together

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Reader:
    """A layer that is split in one way.

    rows: see Part; numbers: (3, N), shares of the work, of weights and of biases.
    """

    layer: Layer
    choice: Choice
    out: Held
    rows: Ints
    numbers: Floats
    statistics: Round | None


def reader_of(on: Nodes, layer: Layer, operands: tuple[Held, ...], rule: Rule) -> Reader:
    """Return what becomes of a layer by a rule."""
    choice = possible(on, layer, operands, rule(layer, operands))
    out, rows = output(on, layer, operands, choice)
    numbers = np.array(shares_of(on, layer, operands, choice, out, rows))
    scalars = statistics_of(on, layer, choice, operands[0], out)
    return Reader(layer, choice, out, rows, numbers, scalars)


ROUNDS = ("pairs", "sparse", "candidates", "chunks", "offered")
"""What of a reading is told round by round."""


@dataclass(frozen=True, eq=False)
class Reading:
    """Elements from node i to j, (R, N, N, S, C), in R rounds; of sparse, 1 - S_comm is sent.

    candidates: the features that those are of, as `sparse`; offered: (R, N, S, C), distinct
    elements of a sender; chunks: (R, N, S, C), the most dense features in a message to each node;
    missing, needed: (N, S, C), for which nodes wait and which they read; had: those of them that
    they have.
    """

    pairs: Floats
    sparse: Floats
    candidates: Floats
    offered: Floats
    chunks: Floats
    missing: Floats
    needed: Floats
    had: Floats

    def __add__(self, other: "Reading") -> "Reading":
        """Return what comes of both at once."""
        depth = max(len(self.pairs), len(other.pairs))

        def both(name: str) -> Floats:
            found: Floats = _deep(getattr(self, name), depth) + _deep(getattr(other, name), depth)
            return found

        return Reading(
            both("pairs"), both("sparse"),
            both("candidates"), both("offered"),
            np.maximum(_deep(self.chunks, depth), _deep(other.chunks, depth)),
            self.missing + other.missing, self.needed + other.needed, self.had + other.had,
        )  # fmt: skip

    def along(self, place: int, count: int) -> "Reading":
        """Return the same with S as axis `place` of `count`."""
        each = (getattr(self, name) for name in self.__dataclass_fields__)
        return Reading(*(along(array, place, count) for array in each))


def along(array: NDArray[T], place: int, count: int) -> NDArray[T]:
    """Return an array (..., S, C) with S as axis `place` of `count`."""
    inner = [1] * count
    inner[place] = array.shape[-2]
    return array.reshape(*array.shape[:-2], *inner, array.shape[-1])


def side_by_side(name: str, every: list[Floats], axis: int) -> Floats:
    """Return what several readings have of one name, along an axis; absent rounds send nothing."""
    depth = max(map(len, every))
    each = [_deep(one, depth) for one in every] if name in ROUNDS else every
    return np.concatenate(each, axis=axis)


def _deep(array: Floats, depth: int) -> Floats:
    if len(array) == depth:
        return array
    return np.concatenate([array, np.zeros((depth - len(array), *array.shape[1:]))])


def nothing(nodes: int) -> Reading:
    """Return what it takes of one where nothing is asked for, (..., 1, 1)."""
    pairs, each = np.zeros((1, nodes, nodes, 1, 1)), np.zeros((nodes, 1, 1))
    return Reading(pairs, pairs, pairs, each[None], each[None], each, each, each)


def reading(
    on: Nodes, operand: int, lying: tuple[Held, ...], readers: list[Reader], wanted: Bools
) -> Reading:
    """Return what it takes that `readers` come by an operand, lying in no parts.

    wanted: the readers that are asked for of each way to lie, (S, C); of others it may be nothing.
    """
    nodes, shape = on.nodes, (len(lying), len(readers))
    pairs, sparse, candidates = np.zeros((3, nodes, nodes, *shape))
    chunks, needed = np.zeros((2, nodes, *shape))
    has = np.stack([held.rows for held in lying]), np.stack([held.held for held in lying])
    for places, windows in _alike(on, lying, readers[0].layer):
        held = lying[places[0]]
        own, kept_rows = (rows[places][:, None] for rows in has)
        asked = [
            int(at)
            for at in np.flatnonzero(wanted[places].any(0))
            if windows is None
            or windows is need_windows(readers[0].layer, held, readers[at].choice)
        ]
        for ats, need in _needs(on, operand, held, (readers, asked), needed, places):
            if held.layout == "whole" or _there(held, need):
                continue
            rows = row_overlap(own, kept_rows, need.rows, need.read)  # (S, C, N, N)
            features = feature_overlap(held, need, on.whole)
            lies, splits = _cells(places, ats)
            sent = (features * rows * need.row_elems(held)).transpose(2, 3, 0, 1)
            of = np.where(rows > 0, features, 0.0)
            if need.sparse:
                sparse[:, :, lies, splits] += sent
                candidates[:, :, lies, splits] += of.transpose(2, 3, 0, 1)
            else:
                pairs[:, :, lies, splits] += sent
                largest = np.maximum(chunks[:, lies, splits], of.max(2).transpose(2, 0, 1))
                chunks[:, lies, splits] = largest
    missing = pairs.sum(0) + sparse.sum(0)
    offered = np.stack([held.whole_elems for held in lying], -1)[..., None] * missing.any(0)
    return Reading(
        pairs[None],
        sparse[None],
        candidates[None],
        np.broadcast_to(offered, (nodes, *shape))[None],
        chunks[None],
        missing,
        needed,
        needed - missing,
    )


def _there(held: Held, need: Need) -> bool:
    """Return whether nodes themselves have all features that they need."""
    if held.owners is None or need.members is None:
        return False
    own = held.owners[need.low : need.high] == np.arange(held.nodes)[:, None]
    return not (need.members & ~own).any()


def _cells(places: list[int], ats: list[int]) -> tuple[Ints, Ints]:
    """Index of some ways to lie and some readers, (S, C)."""
    return np.array(places)[:, None], np.array(ats)


def _alike(
    on: Nodes, lying: tuple[Held, ...], layer: Layer
) -> Iterator[tuple[list[int], bool | None]]:
    """Ways to lie that matter alike to readers: to those of windows, to others, or to all (None).

    To those of windows it is the same on which nodes the features lie, where these are divided, and
    to a layer that mixes all of them, whatever it is split by.
    """
    found: dict[object, dict[object, list[int]]] = {}
    for at, held in enumerate(lying):
        owners = None if held.owners is None else np.asarray(held.owners).tobytes()
        there = held.layout == "whole"  # so that nothing of it is passed over
        key = owners is None, held.everywhere, there
        found.setdefault(key, {}).setdefault(owners, []).append(at)
    mixes = layer.operator.placing == "mixes" and layer.groups == 1 and layer.name not in on.sent
    for fine in found.values():
        if mixes and not on.whole:
            yield [at for places in fine.values() for at in places], None
            continue
        one = len(fine) == 1 or on.whole or layer.op == "slice"
        if not one:
            yield [at for places in fine.values() for at in places], True
        for places in fine.values():
            yield places, None if one else False


def _needs(
    on: Nodes,
    operand: int,
    held: Held,
    readers: tuple[list[Reader], list[int]],
    needed: Floats,
    places: list[int],
) -> Iterator[tuple[list[int], Need]]:
    """What some readers need of what lies alike, those together that need the same features.

    readers: all, and the places of those asked for. Of these the rows are (C, N, 2). How much they
    need is put into `needed`, (N, S, C).
    """
    together: dict[tuple[int, int], list[tuple[list[int], Ints]]] = {}
    for ats, needs in _needs_of_each(on, operand, held, *readers):
        lies, splits = _cells(places, ats)
        needed[:, lies, splits] = amount(needs, held, on.whole).T[:, None]
        for need in needs:
            if need.members is None and need.read is None and not need.sparse:
                together.setdefault((need.low, need.high), []).append((ats, need.rows))
            else:
                yield ats, need
    for (low, high), every in together.items():
        rows = np.concatenate([rows for _, rows in every])
        yield [at for ats, _ in every for at in ats], Need(low, high, rows)


def _needs_of_each(
    on: Nodes, operand: int, held: Held, readers: list[Reader], asked: list[int]
) -> Iterator[tuple[list[int], tuple[Need, ...]]]:
    """What readers need; those at once of which only the rows differ. The rows are (C, N, 2)."""
    plain = [at for at in asked if need_windows(readers[at].layer, held, readers[at].choice)]
    if plain:
        one, rows = readers[plain[0]], np.stack([readers[at].rows for at in plain])
        yield plain, needs_of(on, one.layer, operand, held, one.choice, one.out, rows)
    for at in sorted({*asked} - {*plain}):
        one = readers[at]
        needs = needs_of(on, one.layer, operand, held, one.choice, one.out, one.rows)
        yield [at], tuple(replace(need, rows=need.rows[None]) for need in needs)


def windows_inside(operand: int, lying: tuple[Held, ...], reader: Reader) -> Bools:
    """Return the output rows whose windows lie in what nodes have of an operand, (N, rows, S)."""
    each = one_by_one(reader.out.row_count)
    windows = reached(reader.layer, operand, lying[0], each)
    inside = lie_inside(np.stack([held.held for held in lying]), windows)
    by_rows = [held.owners is None and held.layout != "parts" for held in lying]
    found: Bools = inside.transpose(1, 2, 0) & by_rows
    return found


def parts_made(inside: Bools, readers: list[Reader]) -> Floats:
    """Return the part of what nodes compute by rows that lies inside, (N, ..., C).

    inside: (N, rows, ..., C).
    """
    if inside.shape[1] == 1:  # nobody asks
        return inside[:, 0].astype(float)
    each = np.arange(inside.shape[1])[:, None]
    made = np.stack([one.rows for one in readers], -1)[:, :, None]  # (N, 2, 1, C)
    home = (made[:, 0] <= each) & (each < made[:, 1])  # (N, rows, C)
    total = np.maximum(1, home.sum(1))
    axes = [1] * (inside.ndim - 3)
    home = home.reshape(*home.shape[:2], *axes, home.shape[-1])
    part: Floats = (inside & home).sum(1) / total.reshape(len(total), *axes, -1)
    return part


def reading_of(read: Read, whole: bool) -> Reading:
    """Return the same of one read, (..., 1, 1); whole: whether features are."""
    rounds, nodes = together([read], None), read.before.nodes
    depth = max(1, len(rounds))
    pairs, sparse, candidates = np.zeros((3, depth, nodes, nodes, 1, 1))
    offered, chunks = np.zeros((2, depth, nodes, 1, 1))
    for number, both in enumerate(rounds):
        one = both.rounds[0].settled(whole)
        pairs[number, ..., 0, 0], sparse[number, ..., 0, 0] = one.pairs, one.sparse
        candidates[number, ..., 0, 0], offered[number, :, 0, 0] = one.candidates, both.own
        chunks[number, :, 0, 0] = one.features.max(0)
    return Reading(
        pairs,
        sparse,
        candidates,
        offered,
        chunks,
        read.missing[:, None, None],
        read.needed[:, None, None],
        (read.needed - read.missing)[:, None, None],
    )


def joined(every: list[list[Reading]]) -> Reading:
    """Return readings of single ways to lie (outer) and splits (inner) as one."""

    def all_of(name: str) -> Floats:
        rows = [side_by_side(name, [getattr(one, name) for one in each], -1) for each in every]
        return side_by_side(name, rows, -2)

    return Reading(*(all_of(name) for name in Reading.__dataclass_fields__))


def stacked(every: list[Reading], order: Ints) -> Reading:
    """Return several as one, in which place `order[s]` of them all is way s to lie."""

    def all_of(name: str) -> Floats:
        found: Floats = side_by_side(name, [getattr(one, name) for one in every], -2)
        return found[..., order, :]

    return Reading(*(all_of(name) for name in Reading.__dataclass_fields__))
