"""`calibrate`: this machine measured, as a hardware profile of it."""

import datetime
from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath
from typing import TYPE_CHECKING

from discosim.door.answer import Answer
from discosim.door.hearing import command, note, progress
from discosim.errors import DiscosimError, require
from discosim.evidence.measured import written
from discosim.networks import build
from discosim.report import calibrate as report
from discosim.report.tables import Cells
from discosim.validate.bench import measure, passes
from discosim.validate.calibration import Calibration, profile_file
from discosim.validate.calibration import calibrate as fitted
from discosim.validate.footprint import measure_footprint
from discosim.validate.pingpong import connect as connected
from discosim.validate.pingpong import echo, one_way_s

if TYPE_CHECKING:
    import pandas as pd

WHOLE = (
    "resnet18", "mobilenetv2", "squeezenet1-1", "shufflenetv2-x1.0", "regnety-400mf", "deit-ti",
)  # fmt: skip
"""Networks of several kinds that are timed whole; the profile is fitted to none, but to probes."""

WHOLE_S = 20.0
"""For how long."""

LINK_SHARE = 0.2
"""Of the time, what goes into the link."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Calibrated(Answer):
    """What was measured of this machine, and what is fitted to it."""

    found: Calibration
    threads: int
    where: str
    force: bool = False

    @cached_property
    def _frame(self) -> "pd.DataFrame":
        """One row an operator or size of message."""
        return report.calibration_frame(self.found)

    @cached_property
    def lines(self) -> list[str]:
        """The fits in words, and how far to trust them."""
        return report.calibration_findings(self.found, self.where)

    @cached_property
    def cells(self) -> Cells:
        """One row a class of operators or size of message."""
        return report.show_calibration(self.found)

    def save(self, path: "str | PathLike[str]") -> None:
        """Write the profile to a .toml file, which `hardware` takes; raises DiscosimError.

        What the runtime takes of memory is measured then, in a process of its own. A fit that rests
        on inconclusive measurements is not written unless it is forced, and says so in its file.
        """
        if self.found.unsure and not self.force:
            of = f"{self.found.inconclusive} of {self.found.measured} measurements"
            raise DiscosimError(
                f"{of} are inconclusive, so {fspath(path)} is not written: close what keeps the "
                "machine busy, measure longer (--seconds), or write it all the same (--force)"
            )
        from discosim.files import write_text

        today = datetime.datetime.now(tz=datetime.UTC).date()
        footprint = measure_footprint(self.threads)
        text = profile_file(self.found, self.threads, self.where, today, footprint)
        write_text(fspath(path), text)

    def save_rows(self, path: "str | PathLike[str]") -> None:
        """Write what whole networks take here to a .csv file, which `fit` and `evidence` take.

        They are timed then, for about WHOLE_S; what is inconclusive is left out unless it is
        forced. Raises DiscosimError where that is all.
        """
        from discosim.files import write_text

        note(f"whole networks are timed for about {WHOLE_S:g} s")
        networks = [build(name) for name in WHOLE]
        with progress("networks") as shown:
            timed = [each.whole for each in passes(WHOLE_S, self.threads, networks, shown)]
        today = datetime.datetime.now(tz=datetime.UTC).date()
        rows = report.network_rows(networks, timed, self.threads, today, every=self.force)
        if not rows:
            raise DiscosimError(
                f"no network was timed often enough at a steady speed, so {fspath(path)} is not "
                "written: close what keeps the machine busy, or write it all the same (--force)"
            )
        write_text(fspath(path), written(rows))


@command
def calibrate(
    *,
    seconds: float = 60.0,
    threads: int = 1,
    connect: str | None = None,
    force: bool = False,
) -> Calibrated:
    """Return what operators and messages take on this machine, and a profile fitted to them.

    seconds: how long to measure; threads: of a node; connect: "HOST:PORT" of another machine that
    listens; force: whether a profile is written whose measurements are inconclusive. Raises
    DiscosimError.
    """
    other = None if connect is None else address(connect)
    require("calibrate", "torch")
    link_s = LINK_SHARE * seconds
    with progress("messages") as shown:
        if other is not None:
            with connected(*other) as connection:
                messages = one_way_s(connection, link_s, shown)
            where = f"TCP to {connect}"
        else:
            with echo() as port, connected("127.0.0.1", port) as connection:
                messages = one_way_s(connection, link_s, shown)
            where = "TCP between two processes of this machine"
    note(f"operators are measured for about {seconds - link_s:g} s: keep the machine quiet")
    with progress("operators") as shown:
        cases = measure(seconds - link_s, threads, shown)
    found = fitted(cases, messages)
    return Calibrated(found=found, threads=threads, where=where, force=force)


def address(text: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT; raises DiscosimError."""
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise DiscosimError(f"address {text!r}; wanted HOST:PORT as 192.168.1.7:7000")
    return host.strip("[]"), int(port)
