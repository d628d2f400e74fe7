"""What the paper prints, as data: published.csv, one line per number, with its place."""

import csv
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

FILE = Path(__file__).with_name("published.csv")

WORDS = {
    "almost half": 50.0,
    "less than half": 50.0,
    "one order": 10.0,
    "two orders": 100.0,
    "not exceed": 100.0,
}
"""Numbers that the paper prints as words: percentages, and a ratio's orders of magnitude."""


@dataclass(frozen=True, slots=True)
class Published:
    """One number as it is printed.

    where: its place in words; method and setting: the row of a table; quantity: its column;
    accuracy: what the table prints beside it, in the task's own measure, valid for the paper's
    networks, N = 2 and its training.
    """

    id: str
    section: str
    method: str
    setting: str
    where: str
    quantity: str
    value: str
    accuracy: str
    source: str

    @property
    def number(self) -> float:
        """The value: percentages as percentages, `4.7x` as 4.7, 5/8 as 0.625."""
        if self.value in WORDS:
            return WORDS[self.value]
        return float(Fraction(self.value.rstrip("%x")))

    @property
    def accuracy_number(self) -> float:
        """The accuracy, NaN where there is none."""
        return float(self.accuracy or "nan")


@lru_cache(maxsize=1)
def published() -> tuple[Published, ...]:
    """Return every published number in the order of the paper."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(Published(**line) for line in csv.DictReader(file))


def of_section(name: str) -> list[Published]:
    """Return the published numbers of one section."""
    return [entry for entry in published() if entry.section == name]


def entry(identity: str) -> Published:
    """Return the published number with this id."""
    return next(entry for entry in published() if entry.id == identity)
