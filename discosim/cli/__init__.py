"""The command line: one file per command, parse, call, print.

Nothing heavy is imported before a command needs it: `discosim --help` answers at once.
"""

import io
import os
import signal
import sys
from types import FrameType
from typing import NoReturn


class Interrupted(BaseException):
    """Ctrl-C: passes through everything that catches exceptions."""


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise Interrupted


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    _settle_surroundings()
    try:
        signal.signal(signal.SIGINT, _interrupt)
        if isinstance(sys.stdout, io.TextIOWrapper):  # a line it cannot draw becomes "?"
            sys.stdout.reconfigure(errors="replace")
        from discosim.cli.app import run

        code = run()
        sys.stdout.flush()
    except Interrupted:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("discosim: interrupted", file=sys.stderr)
        code = 130
    except BrokenPipeError:  # the reader, as `head`, has seen enough
        _discard_stdout()
        code = 141
    except OSError as error:  # a full disk behind stdout
        print(f"discosim: {(error.strerror or str(error)).lower()}", file=sys.stderr)
        _discard_stdout()
        code = 2
    sys.exit(code)


def _settle_surroundings() -> None:
    """Take no harm from closed streams (`>&-`), nor from a backend that a notebook wants."""
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, stream, os.fdopen(nowhere, "w", encoding="utf-8", closefd=False))
    os.environ["MPLBACKEND"] = "agg"  # pictures go to files


def _discard_stdout() -> None:
    """Keep Python from writing what is left on a stdout that takes no more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
