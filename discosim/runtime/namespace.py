"""Network namespaces of Linux: a process enters the one that another process holds."""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Namespace:
    """That of process `pid`; user: whether it lies in a user namespace of that process."""

    pid: int
    user: bool

    def enter(self) -> None:
        """Put this process, which has one thread, into it; raises OSError where that cannot be."""
        for kind in ("user", "net") if self.user else ("net",):
            with Path(f"/proc/{self.pid}/ns/{kind}").open() as held:
                call("setns", held.fileno(), 0)


def call(name: str, *words: int) -> None:
    """Call a function of the C library; raises OSError where it fails."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*words):
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
