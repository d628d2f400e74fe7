"""What is told beside the answer: notes, and how far the work is.

Whoever asks may listen: the command line prints notes and draws a bar. From Python the notes are
in the answer.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from discosim.door.keywords import check, documented, for_people, spelt_out

if TYPE_CHECKING:
    from discosim.door.answer import Answer
    from discosim.explore.sweep import Progress

P = ParamSpec("P")
A = TypeVar("A", bound="Answer")


def _silent(done: int, total: int, at: str = "") -> None:
    """Nobody looks."""


@dataclass(frozen=True)
class Listener:
    """Who is told: each note at once, the progress of work by its title, caveats of verdicts."""

    note: Callable[[str], None] = lambda _: None
    progress: "Callable[[str], AbstractContextManager[Progress]]" = lambda _: nullcontext(_silent)
    caveat: Callable[[str], None] = lambda _: None


NOBODY = Listener()
_LISTENER: ContextVar[Listener] = ContextVar("listener", default=NOBODY)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell `listener` what is told inside."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def note(text: str) -> None:
    """Tell something that is not the answer, but changes what it means."""
    _LISTENER.get().note(text)


def caveat(text: str) -> None:
    """Tell what the verdicts of the answer rest on; it stands with them."""
    _LISTENER.get().caveat(text)


def progress(title: str) -> "AbstractContextManager[Progress]":
    """Return what to call with the progress of the work called `title`."""
    return _LISTENER.get().progress(title)


def command(function: Callable[P, A]) -> Callable[P, A]:
    """Return `function` with its notes in its answer and its mistaken keywords in words."""
    signature = spelt_out(function)

    @wraps(function)
    def asked(*args: P.args, **keywords: P.kwargs) -> A:
        check(function.__name__, signature, args, keywords)
        outer = _LISTENER.get()
        notes: list[str] = []

        def hear(text: str) -> None:
            notes.append(text)
            outer.note(text)

        caveats: list[str] = []
        listener = replace(outer, note=hear, caveat=caveats.append)
        with listening(listener), progress(function.__name__):
            answer = function(*args, **keywords)
        node = signature.parameters.get("hardware")
        if node is not None and "hardware" not in signature.bind(*args, **keywords).arguments:
            hear(by_default(node.default))
        return replace(answer, notes=tuple(notes), caveats=tuple(dict.fromkeys(caveats)))

    asked.__signature__ = for_people(signature)  # type: ignore[attr-defined]
    asked.__doc__ = documented(function)
    return asked


def by_default(name: str) -> str:
    """Return which hardware it is where none is given."""
    from discosim.hardware import load_profile  # with numpy, for which --help does not wait

    return f"no --hw: {name} ({load_profile(name).description})"
