"""`fit`: published latencies of whole networks, as a hardware profile."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath
from typing import TYPE_CHECKING

from discosim.door.answer import Answer
from discosim.door.hearing import command, note
from discosim.errors import DiscosimError, suggest
from discosim.evidence import names
from discosim.evidence.fitting import (
    FEWEST,
    Fit,
    Observation,
    Target,
    fit_beside,
    input_of,
    kind_of,
    network_of,
    one_inference,
    shipped_fit,
)
from discosim.evidence.measured import Measurement, read_measured
from discosim.evidence.predict import fitted_boards
from discosim.evidence.profiles import fitted_profile
from discosim.hardware import DTYPES, Profile, load_profile
from discosim.hardware.schema import CostFigures
from discosim.networks import build, known_as
from discosim.report import fit as report
from discosim.report.tables import Cells

if TYPE_CHECKING:
    import pandas as pd

LINK_OF = "rpi4-gigabit"
"""Whose link a profile of a device has that no profile is of."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Fitted(Answer):
    """Numbers fitted to a device's rows, with the error on networks left out."""

    found: Fit
    kinds: tuple[Target, ...]
    base: Profile
    clock: str | None
    link_alone: bool = False

    @cached_property
    def networks(self) -> set[str]:
        """The networks that the numbers are fitted to."""
        return {row.name for kind in self.kinds for row in self.found.rows_of(kind)}

    @cached_property
    def _frame(self) -> "pd.DataFrame":
        """One row a measurement."""
        return report.fit_frame(self.found, self.kinds)

    @cached_property
    def lines(self) -> list[str]:
        """How well the numbers fit, and which the rows do not carry."""
        return report.fit_findings(self.found, self.kinds)

    @cached_property
    def cells(self) -> Cells:
        """One row a number."""
        return report.show_numbers(self.found, self.kinds)

    def save(self, path: "str | PathLike[str]") -> None:
        """Write the profile to a .toml file, which `hardware` takes; raises DiscosimError."""
        from discosim.files import write_text
        from discosim.hardware.toml import to_toml

        today = datetime.datetime.now(tz=datetime.UTC).date()
        first = self.found.rows_of(self.kinds[0])[0].measured
        base = self.base.document.model_copy(
            update={
                "description": f"{first.device} under {self.kinds[0].engine}; "
                f"link{'' if self.link_alone else ' and capacity'} of {self.base.name}",
                "clock": None,
                "threads": None,
                "fitted_to": ", ".join(sorted(self.networks)),
                "cost": CostFigures(),
            }
        )
        if self.link_alone:
            memory = base.memory.model_copy(update={"capacity": None, "workspace": None})
            base = base.model_copy(update={"memory": memory})
        document = fitted_profile(self.found, self.kinds, base, today, self.clock, new=True)
        write_text(fspath(path), to_toml(document))


@command
def fit(
    measured: "str | PathLike[str]",
    *,
    device: str,
    runtime: str | None = None,
    threads: int | None = None,
    clock: str | None = None,
    link_of: str | None = None,
) -> Fitted:
    """Return a device's numbers from latencies of whole networks, and their error on others.

    measured: a table of the columns of `hardware_profiles/measured.csv`; device, runtime,
    threads: whose rows; clock: in words, for the profile; link_of: the profile whose link and
    capacity it has. The shipped table tells what is usual. Raises DiscosimError with all faults.
    """
    wanted = names.device_words(device)

    def check(row: Measurement) -> list[str]:
        mine = names.device_words(row.device) == wanted and not one_inference(row)
        return _faults(row) if mine else []

    chosen: list[Measurement] = []

    def check_all(table: list[Measurement]) -> list[str]:
        chosen[:], wrong = _chosen(table, device, runtime, threads)
        return wrong

    read_measured(fspath(measured), check, check_all)
    rows = [Observation(each, network_of(each), kind_of(each)) for each in chosen]
    found = fit_beside(rows, shipped_fit().rows)
    kinds = sorted({row.kind for row in rows}, key=lambda kind: list(DTYPES).index(kind.dtype))
    boards = {kind.device: profile for kind, profile in fitted_boards().items()}
    like = boards.get(kinds[0].device)
    if link_of is None and like is None:
        note(
            f"no link was measured and no capacity stated: the link is that of {LINK_OF}; "
            "--link-of NAME takes both of another profile"
        )
    base = load_profile(link_of) if link_of else like or load_profile(LINK_OF)
    return Fitted(
        found=found,
        kinds=tuple(kinds),
        base=base,
        link_alone=link_of is None and like is None,
        clock=clock,
    )


def _chosen(
    table: Sequence[Measurement], device: str, runtime: str | None, threads: int | None
) -> tuple[list[Measurement], list[str]]:
    """The rows that are asked for, and all that is wrong with them together."""
    wanted = names.device_words(device)
    of_device = [row for row in table if names.device_words(row.device) == wanted]
    if not of_device:
        known = sorted({row.device for row in table})
        return [], [f"no row of device {device!r}; {suggest(device, known)}"]
    rows, faults = [row for row in of_device if not one_inference(row)], []
    engines = sorted({names.engine(row.runtime) for row in rows})
    if runtime is not None:
        rows = [row for row in rows if names.engine(row.runtime) == names.engine(runtime)]
        if not rows:
            return [], [f"no row of runtime {runtime!r}; {suggest(runtime, engines)}"]
    elif len(engines) > 1:
        faults.append(f"rows of {len(engines)} runtimes: --runtime {' or '.join(engines)}")
    counts = sorted({names.thread_count(row.threads, row.runtime) or 0 for row in rows})
    if threads is not None:
        rows = [r for r in rows if names.thread_count(r.threads, r.runtime) == threads]
        if not rows:
            return [], [*faults, f"no row of {threads} threads, only of {_or(counts)}"]
    elif len(counts) > 1:
        faults.append(f"rows of {_or(counts)} threads: give --threads")
    if faults:  # which rows are meant is open
        return [], faults
    clocks: dict[str, int] = {}
    for row in rows:
        clocks.setdefault(names.clocks(row.note), row.line)
    clocks.pop("", None)
    if len(clocks) > 1:
        said = ", ".join(f"{clock} (line {line})" for clock, line in sorted(clocks.items()))
        faults.append(f"two clocks in one fit: {said}")
    count = len({_name(row) for row in rows})
    if count < FEWEST:
        faults.append(f"{count} network, fewer than the numbers to fit; wanted {FEWEST} or more")
    return rows, faults


def _name(row: Measurement) -> str:
    """A network's name here, or as it is written where it is not known."""
    try:
        return known_as(row.network)
    except DiscosimError:
        return row.network


def _faults(row: Measurement) -> list[str]:
    """What is wrong with the network, the input and the data type of a row, each by itself."""
    found: dict[str, None] = {}
    for read in (lambda row: build(row.network), input_of, network_of, kind_of):
        try:
            read(row)
        except DiscosimError as error:
            found[str(error)] = None
    return list(found)


def _or(counts: Sequence[int]) -> str:
    return " or ".join(str(count) for count in counts)
