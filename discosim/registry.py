"""Names: registries, so that a new network or strategy is one new file, and words of options.

And functions of the user's own, by module and name.
"""

import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

from discosim.errors import DiscosimError, UnknownNameError, one_line, suggest

T = TypeVar("T")


class Registry(Generic[T]):
    """Names and what they stand for; the modules of `package` fill it when they are imported.

    It goes over these; what lies elsewhere is found by its name alone.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._entries: dict[str, T] = {}
        self._elsewhere: dict[str, str] = {}
        self._complete = False

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that enters what it decorates under `name`."""

        def enter(entry: T) -> T:
            if name in self._entries:
                raise RuntimeError(f"{self.kind} {name!r} is registered twice")
            self._entries[name] = entry
            return entry

        return enter

    def elsewhere(self, name: str, module: str) -> None:
        """Say which module outside the package enters `name`, when it is asked for by name."""
        self._elsewhere[name] = module

    def _load(self) -> None:
        if self._complete:
            return
        package = import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__, self.package + "."):
            import_module(module.name)
        self._complete = True

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter([name for name in self._entries if name not in self._elsewhere])

    def __getitem__(self, name: str) -> T:
        """Return the entry called `name`; raises UnknownNameError with the nearest names."""
        self._load()
        found = one_of(self.kind, name, dict.fromkeys([*self._entries, *self._elsewhere]))
        if found not in self._entries:
            import_module(self._elsewhere[found])
        return self._entries[found]


def one_of(kind: str, given: str, known: Iterable[str]) -> str:
    """Return the known name that is given, in whatever case, with _ for -.

    Raises UnknownNameError with the nearest names.
    """
    names, given = list(known), str(given)
    if given in names:
        return given
    folded = {name.casefold(): name for name in names}
    found = folded.get(given.strip().replace("_", "-").casefold())
    if found is None:
        raise UnknownNameError(kind, given, names)
    return found


def function_of(said: str, path: str, name: str) -> Any:
    """Return a function of the user's own; its module may lie in the current folder.

    said: what an error's line begins with. Raises DiscosimError where the module fails or has none.
    """
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        module = import_module(path)
    except Exception as error:  # the user's module runs here
        raise DiscosimError(f"{said}: cannot import {path}: {one_line(error)}") from None
    finally:
        sys.path.remove(here)
    if not hasattr(module, name):
        known = [item for item in vars(module) if not item.startswith("_")]
        raise DiscosimError(f"{said}: {path} has no {name!r}; {suggest(name, known)}")
    return getattr(module, name)


class Words(StrEnum):
    """Words of which an option takes one; an unknown one raises UnknownNameError."""

    @classmethod
    def _missing_(cls, value: object) -> "Words":
        return cls(one_of(cls.kind(), str(value), [each.value for each in cls]))

    @classmethod
    def kind(cls) -> str:
        """Return what the words are, for the user."""
        return cls.__name__.lower()
