"""The command line: one file per command, parse, call, print.

Nothing heavy is imported before a command needs it: `discosim --help` answers at once.
"""

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
    try:
        signal.signal(signal.SIGINT, _interrupt)
        from discosim.cli.app import run

        code = run()
        sys.stdout.flush()
    except Interrupted:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("discosim: interrupted", file=sys.stderr)
        code = 130
    except BrokenPipeError:  # the reader, as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    sys.exit(code)
