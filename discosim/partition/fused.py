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
from discosim.graph.table import Ints
from discosim.partition.held import hull, no_rows
from discosim.partition.lay import Laid, Part, lay
from discosim.partition.needs import Extents, reached
from discosim.partition.worth import Worth


def joined(laid: Laid, worth: Worth) -> Laid:
    """Return the same with its layers in the groups that are worth most; see `fused`."""
    if laid.nodes == 1:
        return laid
    return lay(
        laid.table,
        laid.rule,
        laid.nodes,
        laid.conventions,
        collective=laid.collective,
        shares=laid.shares,
        extents=fused(laid, worth),
        worth=worth,
    )


def shared_out(laid: Laid, shares: tuple[float, ...]) -> Laid:
    """Return the same on nodes of which each has its share of all features and rows.

    Groups of layers that are computed without an exchange are found anew.
    """
    again = lay(
        laid.table, laid.rule, laid.nodes, laid.conventions, collective=laid.collective,
        shares=shares,
    )  # fmt: skip
    return again if laid.worth is None else joined(again, laid.worth)


@lru_cache(maxsize=64)
def fused(laid: Laid, worth: Worth) -> Extents:
    """Return the rows that each node computes of each layer of a network split by rows.

    `laid` computes no row twice; of the groups into which its layers can be joined, those are
    taken that take least, elements, messages and repeated MACs added up as their `worth` is.
    """
    count, ends = len(laid.parts), _ends(laid)
    best = np.full(count + 1, np.inf)
    best[0], begins = 0.0, np.zeros(count + 1, dtype=np.int64)
    known: Known = {}
    for end in sorted(ends):
        for begin, cost in _costs(laid, end, worth, known):
            if (begin in ends or begin == 0) and best[begin] + cost < best[end]:
                best[end], begins[end] = best[begin] + cost, begin
    extents: dict[str, Ints] = {}
    end = count
    while end:
        begin = int(begins[end])
        for start, _, computed in _groups(laid, end, worth):
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


def _costs(laid: Laid, end: int, worth: Worth, known: Known) -> Iterator[tuple[int, float]]:
    """The first rows and the seconds of the groups that end before row `end`.

    Blocks of a network repeat: groups of layers that are connected and laid alike cost the same.
    """
    signs, groups = _signs(laid), None
    for begin in range(end - 1, -1, -1):
        sign = signs[begin]
        if sign not in known:
            if groups is None:
                groups = islice(_groups(laid, end, worth), end - 1 - begin, None)
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


def _groups(laid: Laid, end: int, worth: Worth) -> Iterator[tuple[int, float, dict[str, Ints]]]:
    """Every group that ends before row `end`: its first row, its seconds, the rows it computes.

    What a node computes of a layer follows from the readers in the group, which come later.
    """
    rows = _numbers(laid)
    computed: dict[str, Ints] = {}
    wanted: dict[str, Ints] = {}
    sent: dict[str, float] = {}  # seconds of each tensor from before the group
    repeated, unfused = 0.0, 0.0
    waiting = laid.nodes if worth.one_medium else 1
    prices = worth.element_s * waiting, worth.message_s * waiting
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
            lacks = _lacks(part, operand, need, prices)
            again = laid.conventions.resend and read.tensor in sent
            sent[read.tensor] = sent[read.tensor] + lacks if again else lacks
            unfused += float(read.missing.sum() * prices[0]) + prices[1] * laid.nodes
        yield begin, sum(sent.values()) + repeated * worth.mac_s, computed
        if repeated * worth.mac_s > unfused:
            return


@lru_cache(maxsize=64)
def _numbers(laid: Laid) -> dict[str, int]:
    return {part.layer.name: row for row, part in enumerate(laid.parts)}


def _fusible(part: Part) -> bool:
    by_rows = part.choice.plain_rows and part.out.layout in ("rows", "one")
    return by_rows and part.layer.op != "attention"


def _lacks(part: Part, operand: int, need: Ints, prices: tuple[float, float]) -> float:
    """Seconds of the elements of an operand that nodes need and have not, and of their messages."""
    held = part.reads[operand].before
    if held.layout == "whole" or part.reads[operand].tensor == INPUT:
        return 0.0
    missing = need[:, 1] - need[:, 0]
    if held.owners is None and held.summands is None:
        low = np.maximum(need[:, 0], held.held[:, 0])
        high = np.minimum(need[:, 1], held.held[:, 1])
        missing = missing - np.maximum(0, high - low)
    elems = int(missing.sum()) * held.features * held.row_elems
    return elems * prices[0] + np.count_nonzero(missing) * prices[1]
