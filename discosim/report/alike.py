"""Consecutive blocks of a network that are alike, which are shown once."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class Run:
    """Blocks one after another that are alike: the first item, items of a block, and how many."""

    begin: int
    size: int
    times: int

    @property
    def end(self) -> int:
        """The item after the last block."""
        return self.begin + self.size * self.times


def runs_of(blocks: Sequence[str], items: Sequence[Hashable]) -> list[Run]:
    """Return stretches of items, each a block as often as it comes again at once.

    blocks: the block of each item, "" for an item of none, which is alike to nothing; items:
    what has to be the same in blocks that are alike.
    """
    found: list[Run] = []
    for block, group in groupby(range(len(blocks)), key=lambda place: blocks[place]):
        places = list(group)
        mine = [items[place] for place in places]
        last = found[-1] if found else None
        if (
            last is not None
            and block
            and blocks[last.begin]
            and list(items[last.begin : last.begin + last.size]) == mine
        ):
            found[-1] = Run(last.begin, last.size, last.times + 1)
        else:
            found.append(Run(places[0], len(places), 1))
    return found
