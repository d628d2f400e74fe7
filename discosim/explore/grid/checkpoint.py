"""A file that keeps what is done of a grid, so that an interrupted reduction can go on."""

import io
import json
import zipfile
from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from discosim.errors import DiscosimError
from discosim.explore.grid.reduce import State
from discosim.files import write_bytes

FORMAT = "discosim-resume-1"


@dataclass(frozen=True)
class Checkpoint:
    """The numbers of the tasks that are done, and their common state (None for none)."""

    done: Set[int] = field(default_factory=frozenset)
    state: State | None = None


def read_checkpoint(path: str, fingerprint: str) -> Checkpoint:
    """Return what the file keeps, nothing where there is none.

    Raises DiscosimError for a file that is damaged, or that belongs to another question.
    """
    if not Path(path).exists():
        return Checkpoint()
    try:
        with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(str(arrays.pop("header")))
        known = header["format"] == FORMAT
        done = frozenset(int(number) for number in arrays.pop("done"))
        written_for = header["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise DiscosimError(
            f"{path} is no resume file, or damaged ({reason}); delete it or name another"
        ) from None
    if not known:
        raise DiscosimError(f"{path} was written by another version; delete it or name another")
    if written_for != fingerprint:
        raise DiscosimError(
            f"{path} belongs to another question (other options or version); repeat the command "
            "that wrote it, or name another file"
        )
    return Checkpoint(done, arrays or None)


def write_checkpoint(path: str, fingerprint: str, kept: Checkpoint) -> None:
    """Write the file whole, or leave the old one as it is; raises DiscosimError."""
    header = json.dumps({"format": FORMAT, "fingerprint": fingerprint})
    whole = io.BytesIO()
    done = np.array(sorted(kept.done), dtype=np.int64)
    np.savez(whole, header=np.array(header), done=done, **(kept.state or {}))  # type: ignore[arg-type]
    write_bytes(path, whole.getvalue())
