"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from discosim.errors import DiscosimError


def write_whole(path: str | Path, write: Callable[[Path], object]) -> None:
    """Have `write` fill a file beside `path`, then put it there: until then nothing changes.

    The file beside has the same suffix. A pipe or a device is written as it is. Raises
    DiscosimError where no file can be written.
    """
    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            write(target)
            return
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".discosim-") as folder:
            whole = Path(folder) / f"whole{target.suffix}"
            write(whole)
            whole.replace(target)
    except OSError as error:
        raise DiscosimError(f"cannot write {path}: {error.strerror}") from None


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a whole file or nothing; raises DiscosimError where that cannot be."""
    write_whole(path, lambda whole: whole.write_bytes(content))


def write_text(path: str | Path, text: str) -> None:
    """Write a whole file or nothing, in UTF-8; raises DiscosimError where that cannot be."""
    write_bytes(path, text.encode())


def check_writable(path: str) -> None:
    """Raise DiscosimError where no file can be written at `path`."""
    target = Path(path)
    try:
        if target.is_dir():
            raise IsADirectoryError(0, "it is a directory")
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(0, "it may not be overwritten")
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".discosim-"):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DiscosimError(f"cannot write {path}: {reason.lower()}") from None


def check_file(path: str | None, what: str, *suffixes: str) -> None:
    """Raise DiscosimError where `path` has another suffix, or no file can be written there."""
    if path is None:
        return
    if not path.lower().endswith(suffixes or ""):
        raise DiscosimError(f"{what} {path!r}; wanted a suffix of {', '.join(suffixes)}")
    check_writable(path)
