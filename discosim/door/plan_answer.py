"""What `plan` and `allocate` answer alike: a plan that can be written."""

from dataclasses import dataclass
from os import PathLike, fspath
from typing import Protocol

from discosim.door.answer import Answer
from discosim.partition.plan_file import PlanFile, write_plan


class WritesPlan(Protocol):
    """What was found, as a plan file."""

    def plan_file(self, path: str) -> PlanFile:
        """Return what `plan=` takes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PlanAnswer(Answer):
    """A plan that was found, the conventions in words, and how it was counted."""

    found: WritesPlan
    convention: str
    counted: str

    def save(self, path: "str | PathLike[str]") -> None:
        """Write the plan file that `plan=` takes; raises DiscosimError."""
        write_plan(fspath(path), self.found.plan_file(fspath(path)))
