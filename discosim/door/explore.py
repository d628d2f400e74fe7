"""`explore`: one HTML file that answers whether to distribute at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from os import PathLike, fspath
from typing import TYPE_CHECKING, Unpack, cast

import numpy as np

from discosim.configuration import S_COMM
from discosim.door import given
from discosim.door.answer import Answer
from discosim.door.compare import ORDER
from discosim.door.given import CountedAs
from discosim.door.hardware import Overrides, profile_of
from discosim.door.hardware import hardware as as_hardware
from discosim.door.hearing import Listener, command, listening, note, progress
from discosim.door.network import Sizes
from discosim.door.network import network as as_network
from discosim.errors import DiscosimError
from discosim.explore.axes import NUMBERS
from discosim.files import write_text
from discosim.graph.network import shape_text
from discosim.hardware import Hardware
from discosim.hardware.quantities import SETTABLE
from discosim.networks import NETWORKS, NamedSizes
from discosim.report.frames import as_cells
from discosim.report.tables import Cells
from discosim.strategies.strategy import STRATEGIES

if TYPE_CHECKING:
    import pandas as pd

    from discosim.page.document import Board, Subject

OVERLAPS = ("none", "layer", "ideal", "layer:best")
"""What can be chosen on the page; of the last one it has curves, computed beforehand."""

NODES = "1:8"

SEARCHED = "best"
"""The strategy that is on the page where it is asked for: its search takes seconds for each N."""

GIVEN = (*SETTABLE, "topology")
"""What of the hardware can be chosen on the page too."""

USUAL = {"dtype": "fp32", "conventions": "paper", "features": "peak"}
"""What need not be said in a command."""


NOT_SEARCHED = (
    f"The strategy {SEARCHED} is not here: discosim explore --best searches it for each number of "
    "nodes, discosim plan for one."
)


class Exploring(CountedAs, Overrides, total=False):
    """What is counted, and what of the hardware is to be another."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Page(Answer):
    """A page that answers by itself, and what is in it."""

    html: str
    rows: "pd.DataFrame"
    title: str

    @property
    def _frame(self) -> "pd.DataFrame":
        """One row a network and profile: what can be chosen, and what is exact."""
        return self.rows

    @property
    def lines(self) -> Sequence[str]:
        """What the page is."""
        return [f"{self.title}: one page of {len(self.html.encode()) / 1000:.0f} kB"]

    @property
    def cells(self) -> Cells:
        """The networks and profiles."""
        return as_cells(self.rows)

    def save(self, path: "str | PathLike[str]") -> None:
        """Write the page; raises DiscosimError."""
        write_text(fspath(path), self.html)


@command
def explore(
    network: given.Networks,
    hardware: given.Nodes = given.DEFAULT,
    *,
    input: int | str | Sizes | None = None,  # noqa: A002
    nodes: given.Counts = NODES,
    s_comm: given.Shares = S_COMM,
    strategy: str = "disco",
    overlap: str | None = None,
    best: bool = False,
    **more: Unpack[Exploring],
) -> Page:
    """Return one HTML file that answers whether to distribute, with sliders and no server.

    network, hardware: one or several; nodes: those that can be chosen, 1 to 8 by default; s_comm,
    strategy, overlap: where the page begins; best: whether the strategy best, searched for each N
    at a few bandwidths, is there too, as it is where the page begins with it. Raises DiscosimError.
    """
    from discosim.page.document import Start, document
    from discosim.page.write import explorer

    best = best or strategy == SEARCHED
    counts = given.counts(nodes)
    begin = given.one("--s-comm", given.shares(s_comm))
    counted, changes = (
        {key: value for key, value in more.items() if key in of.__annotations__}
        for of in (CountedAs, Overrides)
    )
    boards = _boards(hardware, cast("Overrides", changes))
    counting = cast("CountedAs", counted)
    usual = str(given.overlap(overlap, counting))
    overlaps = list(dict.fromkeys([*OVERLAPS, usual]))
    subjects = _subjects(network, input, boards[0].node, counting, counts)
    start = Start(
        strategy=STRATEGIES[strategy].name,
        nodes=2 if 2 in counts else counts[0],
        s_comm=begin,
        overlap=usual,
        words=_words(input, more),
        given=[key for key in GIVEN if changes.get(key) is not None],
        notes=[
            f"Counted by {given.convention_words(subjects[0].base, counting)} conventions.",
            *([] if best else [NOT_SEARCHED]),
        ],
    )
    known = {*STRATEGIES, *([SEARCHED] if best else [])}
    names = [name for name in dict.fromkeys([*ORDER, *STRATEGIES, SEARCHED]) if name in known]
    every = len(subjects) * len(names) * len(counts)
    with progress("strategies") as shown:
        steps = count(1)
        made = document(
            subjects, boards, names, counts, overlaps, start,
            told=lambda: shown(next(steps), every),
        )  # fmt: skip
    models = ", ".join(each.base.model for each in subjects)
    title = f"{models} on {', '.join(board.node.name for board in boards)}"
    return Page(html=explorer(made, title), rows=_rows(subjects, boards, names), title=title)


def _boards(items: given.Nodes, changes: Overrides) -> list["Board"]:
    """The profiles, each once, with the words that name them."""
    from discosim.page.document import Board

    found: dict[str, Board] = {}
    for item in given.listed(items):
        node = as_hardware(item, **changes)
        if any(np.ndim(getattr(node, name)) for name in NUMBERS):
            raise DiscosimError("a page begins with one value of each number, not with several")
        profile = None if isinstance(item, Hardware) else profile_of(item, **changes)
        word = fspath(item) if isinstance(item, str | PathLike) else node.name
        found.setdefault(word, Board(word, node, profile))
    names = [board.node.name for board in found.values()]
    for name in names:
        if names.count(name) > 1:
            raise DiscosimError(f"two profiles are called {name}: rename one of the files")
    return list(found.values())


def _subjects(
    networks: given.Networks,
    size: int | str | Sizes | None,
    node: Hardware,
    counted: CountedAs,
    counts: Sequence[int],
) -> list["Subject"]:
    """The networks, each once, with the words that name them and what is told of them."""
    from discosim.page.document import Subject

    every = isinstance(networks, str | list) and networks in (given.ALL, [given.ALL])
    items = list(NETWORKS) if every else given.listed(networks)
    found: dict[str, Subject] = {}
    for item in items:
        told: list[str] = []
        with listening(Listener(note=told.append, caveat=told.append)):
            each = given.the_network(as_network(item, input=size))
            base = given.configuration(each, node, counted)
            given.tell_whole(base, counts)
        for line in told:
            note(f"{each.name}: {line}")
        word = fspath(item) if isinstance(item, str | PathLike) else each.name
        found.setdefault(word, Subject(word, base, told))
    return list(found.values())


def _words(size: int | str | Sizes | None, more: Exploring) -> list[str]:
    """The words that every command of the page ends in: what is not chosen there."""
    words = [] if size is None else ["--input", _size_text(size)]
    for key, value in more.items():
        if value is None or key in GIVEN or USUAL.get(key) == value:
            continue
        if key == "settings":
            for path, text in more["settings"].items():
                words += ["--set", f"{path}={text}"]
        elif key == "resend":
            words.append("--resend" if value else "--no-resend")
        elif key == "as_built":
            words += ["--as-built"] * bool(value)
        else:
            words += [f"--{key.replace('_', '-')}", str(value)]
    return words


def _size_text(size: int | str | Sizes) -> str:
    """The size of an input as it is written."""
    if isinstance(size, int | str):
        return str(size)
    if isinstance(size, NamedSizes):
        return ",".join(f"{name}={shape_text(shape)}" for name, shape in size.sizes)
    return shape_text(size)


def _rows(
    subjects: Sequence["Subject"], boards: Sequence["Board"], strategies: Sequence[str]
) -> "pd.DataFrame":
    """A row for each network and profile."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "model": subject.base.model,
                "hardware": board.node.name,
                "layers": len(subject.base.table),
                "strategies": len(strategies),
            }
            for subject in subjects
            for board in boards
        ]
    )
