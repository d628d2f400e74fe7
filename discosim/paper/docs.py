"""Writes docs/reproduction.md from the same rows: `python -m discosim.paper.docs > FILE`."""

import sys
from collections.abc import Iterator

import pandas as pd

from discosim.paper import PAPER, SECTIONS, Section, names
from discosim.paper.row import DIFFERS, FITS
from discosim.paper.show import cost_headline, costs_for_people, rows_for_people, summary
from discosim.report.tables import Cells, to_markdown

INTRODUCTION = f"""\
# The paper, computed

{PAPER}.

Every number that the paper prints, beside the number that discosim computes from the layer graphs
alone: `discosim reproduce` prints the same rows, and this page is written from them
(`python -m discosim.paper.docs`). Percentages are as the paper prints them. `error` is computed
less published, or what is missing to a bound; a number fits where the error is within
`tolerance`. The paper's appendix is not public: how its tables count was recovered by finding what
gives them back, one convention for a whole table or family of rows, never for a single row, and
stands above each table. What does not fit is shown with the reason.

- Rows with one S_comm for all layers are compared by that knob and (N-1)/N of it, over the layers
  that exchange; `average` is over all layers, the dense first one and attention included, as
  `compare` prints it.
- `accuracy` is published data of the paper's networks, N = 2 and its training. It is not computed.
- The two headline claims use different latency models: 4.7x comes out without overlap (it would be
  5.0x with it), the 5 % overhead only with ideal overlap (without it is 12 %).
"""

QUANTITIES = {"s_comm": "S_comm [%]", "s_comp": "S_comp [%]"}


def _cells(frame: pd.DataFrame) -> Cells:
    """The rows as a page needs them: columns that say nothing here are left out."""
    cells = dict(rows_for_people(frame))
    where = {"where": cells.pop("where")}
    del cells["id"]
    told = {name: texts for name, texts in cells.items() if not set(texts) <= {"-", ""}}
    quantities = [str(name).rpartition(".")[2] for name in frame["id"]]
    if set(quantities) <= set(QUANTITIES):
        where["quantity"] = [QUANTITIES[name] for name in quantities]
    return {**where, **told}


def _section(section: Section, frame: pd.DataFrame) -> Iterator[str]:
    yield f"## {section.title}\n"
    yield "".join(f"- {line}\n" for line in section.conventions)
    if section.name.startswith("tab"):
        cuts = frame[frame["id"].str.contains("-then-")]
        fit = int((cuts["status"] == FITS).sum())
        yield f"{fit} of {len(cuts)} numbers of rows with a cut fit; so do all uniform rows.\n"
    yield to_markdown(_cells(frame), [])
    costs = section.costs() if section.costs is not None else None
    if costs is not None and section.name.startswith(("tab", "fig4")):
        yield f"{cost_headline(section)}\n"
        yield to_markdown(costs_for_people(costs), [])


def _differing(frame: pd.DataFrame) -> Iterator[str]:
    yield "## What differs\n"
    cells = rows_for_people(frame[frame["status"] == DIFFERS])
    names = ("where", "published", "computed", "error", "reason")
    yield to_markdown({name: cells[name] for name in names}, [])


def page() -> str:
    """Return docs/reproduction.md."""
    frames = {name: SECTIONS[name].rows() for name in names()}
    everything = pd.concat(list(frames.values()), ignore_index=True)
    parts = [INTRODUCTION, f"{summary(everything)}.\n", *_differing(everything)]
    for name, frame in frames.items():
        parts += _section(SECTIONS[name], frame)
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
