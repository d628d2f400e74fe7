"""What a user did wrong, in words for the user: what was given, what is wanted."""

import shlex
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path


class DiscosimError(ValueError):
    """A request that cannot be served as it was put; its text is one line for the user."""


class FaultsError(DiscosimError):
    """Several mistakes at once, each one line for the user."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = tuple(lines)


class UnknownNameError(DiscosimError):
    """A name that is not among the known ones; the text offers the nearest right names.

    listed_by: the command that lists all, for names too many for a line; like: the nearest ones,
    where more is known than their letters.
    """

    def __init__(
        self,
        kind: str,
        given: str,
        known: Iterable[str],
        listed_by: str = "",
        like: Sequence[str] = (),
    ) -> None:
        names = sorted(known)
        if like:
            offered = f"did you mean {' or '.join(like)}?"
        elif listed_by and not nearest(given, names):
            offered = f"known: {some_of(names)} ({listed_by})"
        else:
            offered = suggest(given, names)
        super().__init__(f"unknown {kind} {given!r}; {offered}")


def require(what: str, *packages: str, otherwise: str = "") -> None:
    """Raise DiscosimError where a package that `what` needs is not installed.

    otherwise: what can be done without it, told behind how to install it.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        hint = f"{what} needs {' and '.join(missing)}: {install_hint(*missing)}"
        raise DiscosimError(f"{hint}; {otherwise}" if otherwise else hint)


def install_hint(*packages: str) -> str:
    """Return the command that installs packages into the environment that runs this."""
    names = " ".join(packages)
    if "pipx" in Path(sys.prefix).parts:
        return f"pipx inject discosim {names}"
    python = shlex.quote(sys.executable)
    if find_spec("pip") is None:  # an environment of uv
        return f"uv pip install --python {python} {names}"
    return f"{python} -m pip install {names}"


def one_line(error: Exception) -> str:
    """Return what foreign code raised, for the line that says what it was asked for."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def nearest(given: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Return those of `known` that are like `given`, the likest first."""
    names = sorted(known)
    folded = {name.lower(): name for name in names}
    near = [folded[hit] for hit in get_close_matches(given.lower(), folded, most, cutoff=0.5)]
    near += [n for n in names if given and given.lower() in n.lower() and n not in near]
    if not near:  # by the first word alone, as rpi6 is like rpi5-gigabit
        words = {name.lower().partition("-")[0]: name for name in reversed(names)}
        near = [words[hit] for hit in get_close_matches(given.lower(), words, most, cutoff=0.7)]
    return near[:most]


def suggest(given: str, known: Iterable[str], most: int = 3) -> str:
    """Return 'did you mean …?' with the nearest of `known`, or all of them where none is near."""
    names = sorted(known)
    near = nearest(given, names, most)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"


def some_of(names: Sequence[str], most: int = 3) -> str:
    """Return the first of `names`, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
