"""Groups of layers split by rows that are computed without an exchange: the overlap is repeated.

One exchange in front of a group brings all that its layers need; what lies in it is computed by
every node that needs it (Zhao, Barijough, Gerstlauer: DeepThings, TCAD 2018). A dynamic program
over the layers in their order finds the groups.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

import numpy as np

from discosim.graph.network import INPUT
from discosim.graph.table import Floats, Ints
from discosim.partition.held import hull, no_rows
from discosim.partition.kinds import Kind
from discosim.partition.lay import Laid, Part
from discosim.partition.needs import Extents, reached

MACS_AN_ELEMENT = 1000.0
"""MACs that are repeated if that saves sending an element: of the order of what a node computes
meanwhile, from 290 (a Raspberry Pi 4 on gigabit Ethernet) to 13,000 (the paper's Figure 2)."""

ELEMENTS_A_MESSAGE = 100.0
"""Elements that are sent if that saves a message: few, so that on any link the elements decide."""


@lru_cache(maxsize=64)
def fused(laid: Laid) -> Extents:
    """Return the rows that each node computes of each layer of a network split by rows.

    `laid` computes no row twice; of the groups into which its layers can be joined, those are
    taken that send least, elements, messages and repeated MACs added up.
    """
    count, ends = len(laid.parts), _ends(laid)
    best = np.full(count + 1, np.inf)
    best[0], begins = 0.0, np.zeros(count + 1, dtype=np.int64)
    known: Known = {}
    for end in sorted(ends):
        for begin, cost in _costs(laid, end, known):
            if (begin in ends or begin == 0) and best[begin] + cost < best[end]:
                best[end], begins[end] = best[begin] + cost, begin
    extents: dict[str, Ints] = {}
    end = count
    while end:
        begin = int(begins[end])
        for start, _, computed in _groups(laid, end):
            if start == begin:
                extents.update(computed)
                break
        end = begin
    return extents


def _ends(laid: Laid) -> set[int]:
    """Rows before which a group may end: layers that mix, that receive, and those never joined.

    An operator without weights that needs no other rows is as well with the layer before it.
    """
    ends = {len(laid.parts)}
    for row, part in enumerate(laid.parts):
        if not _fusible(part):
            ends |= {row, row + 1}
        elif part.layer.weights or any(read.missing.any() for read in part.reads):
            ends.add(row)
    return ends - {0}


Known = dict[tuple[object, ...], "tuple[float | None, Known]"]
"""Costs of groups by their layers, the last one first; None where no group begins so early."""


def _costs(laid: Laid, end: int, known: Known) -> Iterator[tuple[int, float]]:
    """The first rows and the costs of the groups that end before row `end`.

    Blocks of a network repeat: groups of layers that are connected and laid alike cost the same.
    """
    signs, groups = _signs(laid), None
    for begin in range(end - 1, -1, -1):
        sign = signs[begin]
        if sign not in known:
            if groups is None:
                groups = islice(_groups(laid, end), end - 1 - begin, None)
            found = next(groups, None)
            known[sign] = (None if found is None else found[1], {})
        cost, known = known[sign]
        if cost is None:
            return
        yield begin, cost


@lru_cache(maxsize=64)
def _signs(laid: Laid) -> list[tuple[object, ...]]:
    """What decides the part of each layer in the cost of a group, readers and operands relative."""
    rows, network = _numbers(laid), laid.table.network
    return [
        (
            part.like,
            tuple(rows[reader] - row for reader in network.graph.successors(part.layer.name)),
            tuple(rows.get(read.tensor, -1) - row for read in part.reads if read.tensor in rows),
            tuple(read.tensor for read in part.reads if read.tensor not in rows),
        )
        for row, part in enumerate(laid.parts)
    ]


def _groups(laid: Laid, end: int) -> Iterator[tuple[int, float, dict[str, Ints]]]:
    """Every group that ends before row `end`: its first row, its cost, the rows it computes.

    What a node computes of a layer follows from the readers in the group, which come later.
    """
    rows = _numbers(laid)
    computed: dict[str, Ints] = {}
    wanted: dict[str, Ints] = {}
    sent: dict[str, Floats] = {}  # elements and messages, of each tensor from before the group
    repeated, unfused = 0.0, 0.0
    for begin in range(end - 1, -1, -1):
        part = laid.parts[begin]
        if not _fusible(part):
            if begin == end - 1:
                yield begin, 0.0, {}
            return
        name, own = part.layer.name, part.out.rows
        later = [rows[reader] >= end for reader in laid.table.network.graph.successors(name)]
        mine = own if not later or any(later) else no_rows(laid.nodes)
        mine = hull(mine, wanted.get(name, no_rows(laid.nodes)))
        computed[name] = mine
        sizes = (mine[:, 1] - mine[:, 0]).sum() - (own[:, 1] - own[:, 0]).sum()
        repeated += max(0, sizes) / part.out.row_count * part.layer.macs
        sent.pop(name, None)
        for operand, read in enumerate(part.reads):
            need = reached(part.layer, operand, read.before, mine)
            wanted[read.tensor] = hull(wanted.get(read.tensor, no_rows(laid.nodes)), need)
            lacks = _lacks(part, operand, need)
            again = laid.conventions.resend and read.tensor in sent
            sent[read.tensor] = sent[read.tensor] + lacks if again else lacks
            unfused += float(read.missing.sum()) + ELEMENTS_A_MESSAGE * laid.nodes
        cost = sum(float(each @ [1.0, ELEMENTS_A_MESSAGE]) for each in sent.values())
        yield begin, cost + repeated / MACS_AN_ELEMENT, computed
        if repeated / MACS_AN_ELEMENT > unfused:
            return


@lru_cache(maxsize=64)
def _numbers(laid: Laid) -> dict[str, int]:
    return {part.layer.name: row for row, part in enumerate(laid.parts)}


def _fusible(part: Part) -> bool:
    plain = part.choice.kind is Kind.ROWS and part.choice.everywhere == (0, 0)
    return plain and part.out.layout in ("rows", "one") and part.layer.op != "attention"


def _lacks(part: Part, operand: int, need: Ints) -> Floats:
    """Elements of an operand that nodes need and have not, and the messages that bring them."""
    held = part.reads[operand].before
    if held.layout == "whole" or part.reads[operand].tensor == INPUT:
        return np.zeros(2)
    missing = need[:, 1] - need[:, 0]
    if held.owners is None and held.summands is None:
        low = np.maximum(need[:, 0], held.held[:, 0])
        high = np.minimum(need[:, 1], held.held[:, 1])
        missing = missing - np.maximum(0, high - low)
    elems = missing.sum() * held.features * held.row_elems
    return np.array([elems, np.count_nonzero(missing)], dtype=float)
