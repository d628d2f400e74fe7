"""A table laid out for a number of columns: what does not fit is left out by rank, never cut.

First the headings take several lines, then long words wrap, then the columns go that matter least
(their rank in discosim/columns.py), which is told. A number is never broken.
"""

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import zip_longest

from discosim.columns import COLUMNS, CellKind

GAP = 2
"""Blanks between two columns."""

LONG = 26
"""Letters from which a column of words wraps before another column is left out."""

ADDRESS = 36
"""Letters from which a word may be broken: it is the address of a page."""

QUANTITY = re.compile(
    r"\d (?:[kMGTmun]?(?:s|B|B/s|MAC/s|USD|J|W|%)|[kMGT](?= ?[A-Za-z]|$))(?![\w/])"
)
"""A number and its unit, which stay on one line."""

FURTHER = {
    "band": 6,
    "refused": 5,
    "spread": 4,
    "dominates": 3,
    "runtime": 3,
    "off by": 2,
    "samples": 2,
    "threads": 2,
    "paper (error)": 1,
}
"""Ranks of columns that are of no results."""

WORDS = frozenset({
    "cluster", "output", *(each.over for each in COLUMNS.values() if each.kind is CellKind.WORD)
})  # fmt: skip
"""Headings of words, even where one of them is written in digits, as a layer that is called 0."""

NUMBER = re.compile(
    r"(?:[-+~<>]|x )?\d[\d,.]*(?:e[-+]?\d+)?(?:(?: ?/ ?| ± )[\d.]+)*"  # signed, times, several
    r"(?:x| ?%| ?[A-Za-z/]+(?: \(\w+\))?)?"  # with a unit, of a data type
)

TIE = "\N{WORD JOINER}"

RULE = "─"


@dataclass(frozen=True)
class _Column:
    """A column: its heading, its texts, whether it begins at the left, and its width."""

    heading: str
    texts: Sequence[str]
    words: bool
    wide: int

    @property
    def least(self) -> int:
        """The width below which a word of it would break, if it is no address of a page."""
        texts = [self.heading, *self.texts] if self.words else [self.heading]
        words = (word for text in texts for word in _tied(text).split())
        least = max((min(len(word), ADDRESS) for word in words), default=1)
        return least if self.words else max([least, *map(len, self.texts)])

    @property
    def narrow(self) -> int:
        """The width with the heading in several lines, and no text in more than one."""
        return max([self.least, *map(len, self.texts)])

    def lines(self, text: str) -> list[str]:
        """Return a text in lines of the width."""
        wrapped = textwrap.wrap(
            _tied(text), self.wide, break_long_words=self.words, break_on_hyphens=False
        )
        pad = str.ljust if self.words else str.rjust
        return [pad(line.replace(TIE, " "), self.wide) for line in wrapped or [""]]


def begins_left(heading: str, texts: Sequence[str]) -> bool:
    """Return whether a column is one of words: numbers, with their units, end at the right."""
    known = [text for text in texts if text not in ("", "-")]
    return heading in WORDS or (bool(known) and not any(map(NUMBER.fullmatch, known)))


def table(cells: Mapping[str, Sequence[str]], width: int | None) -> str:
    """Return a table; words begin at the left. Without a width it is as wide as it is."""
    columns = [
        _Column(name, texts, begins_left(name, texts), max(map(len, [name, *texts])))
        for name, texts in cells.items()
    ]
    if width is None or _total(columns) <= width:
        return _drawn(columns)
    left_out: list[str] = []
    columns = [replace(each, wide=each.narrow) for each in columns]
    while _total(shrunk := _shrunk(columns, width, LONG)) > width:
        last = max(columns, key=lambda each: _rank(each.heading))
        if _rank(last.heading) == 0:
            shrunk = _shrunk(columns, width, 1)
            break
        columns.remove(last)
        left_out.append(last.heading.partition(" [")[0])
    told = f"Left out at {width} columns: {', '.join(left_out[::-1])}."
    return _drawn(shrunk) + ("\n" + "\n".join(wrapped(told, width)) + "\n" if left_out else "")


def wrapped(sentence: str, width: int | None) -> list[str]:
    """Return a sentence in lines of at most `width`, broken between words."""
    if width is None or len(sentence) <= width:
        return [sentence]
    lines = textwrap.wrap(_tied(sentence), width, break_long_words=False, break_on_hyphens=False)
    return [line.replace(TIE, " ") for line in lines]


def _tied(text: str) -> str:
    """A text in which no line ends between a number and its unit."""
    return QUANTITY.sub(lambda found: found[0].replace(" ", TIE), text)


def _total(columns: Sequence[_Column]) -> int:
    return sum(each.wide for each in columns) + GAP * (len(columns) - 1)


def _shrunk(columns: Sequence[_Column], width: int, least: int) -> list[_Column]:
    """The columns with those of words narrower, the widest first, none below `least`."""
    found = list(columns)
    while _total(found) > width:
        wide = [
            each.wide if each.words and each.wide > max(least, each.least) else 0 for each in found
        ]
        if not any(wide):
            break
        place = wide.index(max(wide))
        found[place] = replace(found[place], wide=found[place].wide - 1)
    return found


@lru_cache(maxsize=1)
def _ranks() -> dict[str, int]:
    return FURTHER | {column.over: column.rank for column in COLUMNS.values()}


def _rank(heading: str) -> int:
    """How early a column is left out; 0 for one that never is."""
    return _ranks().get(heading.partition(" [")[0], 0)


def _drawn(columns: Sequence[_Column]) -> str:
    """The table; a heading of fewer lines than the others stands at the bottom."""
    headings = [each.lines(each.heading) for each in columns]
    lines = _side_by_side(columns, [lines[::-1] for lines in headings])[::-1]
    lines.append((" " * GAP).join(RULE * each.wide for each in columns))
    for texts in zip(*(each.texts for each in columns), strict=True):
        cells = [each.lines(text) for each, text in zip(columns, texts, strict=True)]
        lines += _side_by_side(columns, cells)
    return "".join(f"{line}\n" for line in lines)


def _side_by_side(columns: Sequence[_Column], cells: Sequence[list[str]]) -> list[str]:
    """The lines of one row, of cells with several lines each."""
    rows = zip_longest(*cells)
    blanks = [" " * each.wide for each in columns]
    return [
        (" " * GAP).join(text or blank for text, blank in zip(row, blanks, strict=True)).rstrip()
        for row in rows
    ]
