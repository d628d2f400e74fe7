"""Groups of layers split by rows that are computed without an exchange: the overlap is repeated.

One exchange in front of a group brings all that its layers need; what lies in it is computed by
every node that needs it (Zhao, Barijough, Gerstlauer: DeepThings, TCAD 2018). A dynamic program
over the layers in their order finds the groups.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from discosim.graph.network import INPUT
from discosim.graph.table import Floats, Ints
from discosim.partition.held import hull
from discosim.partition.lay import Laid, Part, again
from discosim.partition.needs import Extents, Named, reached
from discosim.partition.worth import Worth


def joined(laid: Laid, worth: Worth) -> Laid:
    """Return the same with its layers in the groups that are worth most; see `fused`."""
    if laid.nodes == 1:
        return laid
    return again(laid, extents=fused(laid, worth), worth=worth)


def shared_out(laid: Laid, shares: tuple[float, ...]) -> Laid:
    """Return the same on nodes of which each has its share of all features and rows.

    Groups of layers that are computed without an exchange are found anew.
    """
    found = again(laid, shares=shares, named={})
    return found if laid.worth is None else joined(found, laid.worth)


def with_named(laid: Laid, named: Named) -> Laid:
    """Return the same where each node computes some layers from the features that are named."""
    found = again(laid, named=named)
    return found if laid.worth is None else joined(found, laid.worth)


@lru_cache(maxsize=64)
def fused(laid: Laid, worth: Worth) -> Extents:
    """Return the rows that each node computes of each layer of a network split by rows.

    `laid` computes no row twice; of the groups into which its layers can be joined, those are
    taken that take least, elements, messages and repeated MACs added up as their `worth` is.
    """
    ends = np.array(sorted(_ends(laid)))
    cuts = np.array([0, *ends])
    costs = np.full((len(ends), len(cuts)), np.inf)
    at = {int(cut): number for number, cut in enumerate(cuts)}
    begun = dict(_Walk(laid, worth, ends).groups())
    for begin, group in begun.items():
        if begin in at:
            costs[group.which, at[begin]] = group.cost
    best, came = np.zeros(len(cuts)), np.zeros(len(cuts), dtype=np.int64)
    for number in range(len(ends)):
        least = (best[: number + 1] + costs[number, : number + 1])[::-1]  # of equals the shortest
        came[number + 1] = number - int(least.argmin())
        best[number + 1] = least.min()
    extents: dict[str, Ints] = {}
    end = len(ends)
    while end:
        for row in range(int(cuts[came[end]]), int(cuts[end])):
            rows = begun[row].of(end - 1)
            if rows is not None:
                extents[laid.parts[row].layer.name] = rows
        end = int(came[end])
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


@dataclass(frozen=True, eq=False)
class _Begun:
    """The groups that begin with one layer, of those that end before each of E rows.

    which: (K,), their ends; cost: (K,), their seconds; rows: (K, N, 2), what is computed of it.
    """

    which: Ints
    cost: Floats
    rows: Ints

    def of(self, end: int) -> Ints | None:
        """Return the rows of the group that ends there; None of a layer that is never joined."""
        return self.rows[np.searchsorted(self.which, end)] if len(self.rows) else None


class _Walk:
    """Layers from the last one to the first, added to all groups at once that end behind them.

    What a node computes of a layer follows from the readers in the group, which come later.
    """

    def __init__(self, laid: Laid, worth: Worth, ends: Ints) -> None:
        self.laid, self.worth, self.ends = laid, worth, ends
        waiting = laid.nodes if worth.one_medium else 1
        self.prices = worth.element_s * waiting, worth.message_s * waiting
        self.rows = rows = {part.layer.name: row for row, part in enumerate(laid.parts)}
        graph = laid.table.network.graph
        self.last_reader = [
            max((rows[reader] for reader in graph.successors(part.layer.name)), default=len(rows))
            for part in laid.parts
        ]
        self.ended: list[int] = np.searchsorted(ends, np.arange(len(rows)), side="right").tolist()
        self.wanted: dict[str, Ints] = {}
        self.sent: dict[str, Floats] = {}  # seconds of each tensor from before the group
        self.repeated, self.unfused = np.zeros(len(ends)), np.zeros(len(ends))
        self.goes_on = np.ones(len(ends), dtype=bool)

    def groups(self) -> Iterator[tuple[int, _Begun]]:
        """Each row that groups can begin with, the last one first, and those groups."""
        for begin in range(len(self.laid.parts) - 1, -1, -1):
            first = self.ended[begin]
            if not _fusible(self.laid.parts[begin]):
                self.goes_on[first:] = False
                self.wanted, self.sent = {}, {}
                if first < len(self.ends) and self.ends[first] == begin + 1:
                    rows = np.zeros((0, self.laid.nodes, 2), dtype=np.int64)
                    yield begin, _Begun(np.array([first]), np.zeros(1), rows)
                continue
            open_ = np.flatnonzero(self.goes_on[first:])
            if len(open_):
                some = slice(first, first + int(open_[-1]) + 1)
                yield begin, self._with(begin, some)

    def _with(self, begin: int, some: slice) -> _Begun:
        """Add a layer to the groups of some ends."""
        laid, part, worth = self.laid, self.laid.parts[begin], self.worth
        name, own = part.layer.name, part.out.rows
        read_later = (self.last_reader[begin] >= self.ends[some])[:, None, None]
        mine = self._of(name)[some]
        if read_later.any():
            mine = hull(np.where(read_later, own, 0), mine)
        if part.layer.macs:
            sizes = (mine[..., 1] - mine[..., 0]).sum(-1) - (own[:, 1] - own[:, 0]).sum()
            self.repeated[some] += np.maximum(0, sizes) / part.out.row_count * part.layer.macs
        for tensors in (self.wanted, self.sent):
            tensors.pop(name, None)
        for operand, read in enumerate(part.reads):
            need = reached(part.layer, operand, read.before, mine)
            first = read.tensor not in self.wanted
            wanted = self._of(read.tensor)[some]
            wanted[:] = need if first else hull(wanted, need)
            if self._begins_between(self.rows.get(read.tensor, -1), begin):
                lacks = _lacks(part, operand, need, self.prices)
                sent = self.sent.setdefault(read.tensor, np.zeros(len(self.ends)))[some]
                sent[:] = sent + lacks if laid.conventions.resend else lacks
            unfused = float(read.missing.sum() * self.prices[0]) + self.prices[1] * laid.nodes
            self.unfused[some] += unfused
        cost = repeated_s = self.repeated[some] * worth.mac_s
        if self._begins_between(begin - 1, begin):
            cost = sum(each[some] for each in self.sent.values()) + repeated_s
        which = np.flatnonzero(self.goes_on[some])
        self.goes_on[some] &= repeated_s <= self.unfused[some]
        return _Begun(some.start + which, cost[which], mine[which])

    def _begins_between(self, row: int, last: int) -> bool:
        """Whether a group may begin behind a row, up to the last one; -1 is before all."""
        return row < 0 or self.ended[row] < self.ended[last]

    def _of(self, tensor: str) -> Ints:
        """What each end's group wants of a tensor, (E, N, 2), to be written to."""
        if tensor not in self.wanted:
            self.wanted[tensor] = np.zeros((len(self.ends), self.laid.nodes, 2), dtype=np.int64)
        return self.wanted[tensor]


def _fusible(part: Part) -> bool:
    by_rows = part.choice.plain_rows and part.out.layout in ("rows", "one")
    return by_rows and part.layer.op != "attention"


def _lacks(part: Part, operand: int, need: Ints, prices: tuple[float, float]) -> Floats:
    """Seconds of the elements of an operand that nodes need and have not, and of their messages.

    need: (K, N, 2), of K groups; the seconds are (K,).
    """
    held = part.reads[operand].before
    if held.layout == "whole" or part.reads[operand].tensor == INPUT:
        return np.zeros(len(need))
    missing = need[..., 1] - need[..., 0]
    if held.owners is None and held.summands is None:
        low = np.maximum(need[..., 0], held.held[:, 0])
        high = np.minimum(need[..., 1], held.held[:, 1])
        missing = missing - np.maximum(0, high - low)
    elems = missing.sum(-1) * held.features * held.row_elems
    seconds: Floats = elems * prices[0] + np.count_nonzero(missing, axis=-1) * prices[1]
    return seconds
