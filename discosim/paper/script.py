"""What the scripts in experiments/ do: print the rows of one section, draw its pictures."""

import sys
from pathlib import Path

from discosim.paper import SECTIONS
from discosim.paper.show import (
    cost_headline,
    costs_for_people,
    heading,
    rows_for_people,
    summary,
)
from discosim.report.tables import to_text


def text(name: str) -> str:
    """Return the rows of a section and what the paper does not print, as text."""
    section = SECTIONS[name]
    frame = section.rows()
    parts = [to_text(rows_for_people(frame), [*heading([section]), summary(frame)])]
    if section.costs is not None:
        costs = costs_for_people(section.costs())
        parts.append(to_text(costs, [cost_headline(section)]))
    return "\n".join(parts)


def main(name: str, arguments: list[str] | None = None) -> None:
    """Print a section; with a folder as argument, draw its pictures there."""
    given = sys.argv[1:] if arguments is None else arguments
    sys.stdout.write(text(name))
    if given:
        from discosim.report.style import save

        for stem, picture in SECTIONS[name].pictures.items():
            save(picture(), str(Path(given[0]) / f"{stem}.png"))
