"""Input sizes: what a file leaves open, and what `--input` says."""

from collections.abc import Sequence
from dataclasses import dataclass

from discosim.errors import DiscosimError, suggest
from discosim.graph.layer import Shape


@dataclass(frozen=True, slots=True)
class NamedSizes:
    """Sizes of several inputs, by their names in the file."""

    sizes: tuple[tuple[str, Shape], ...]

    def of(self, name: str) -> Shape | None:
        """Return the size of an input, None where none is given."""
        return dict(self.sizes).get(name)


Sizes = Shape | NamedSizes
"""What `--input` gives: a size for the first input and what is open of others, or by name."""

COLOURS = (1, 3, 4)


def check_names(given: Sizes | None, known: Sequence[str], what: str) -> None:
    """Raise DiscosimError where a size is given for an input that there is not."""
    if isinstance(given, NamedSizes):
        for name, _ in given.sizes:
            if name not in known:
                raise DiscosimError(f"{what} has no input {name!r}; {suggest(name, known)}")


def size_of(name: str, shape: Shape, given: Sizes | None, what: str, *, first: bool) -> Shape:
    """Return the shape of input `name` with what `--input` says of it; see `sized`."""
    if not isinstance(given, NamedSizes):
        return sized(shape, given, what, first=first)
    own = given.of(name)
    if own is not None and len(own) == len(shape) > 1 and shape[0] in (0, own[0]):
        shape, own = (own[0], *shape[1:]), own[1:]  # the batch is given too
    return sized(shape, own, what, first=own is not None)


def only_size(given: Sizes | None, name: str, what: str) -> Shape | None:
    """Return the size of the one input that a network has, called `name`."""
    if not isinstance(given, NamedSizes):
        return given
    check_names(given, [name], what)
    return given.of(name)


def sized(shape: Shape, given: Shape | None, what: str, *, first: bool) -> Shape:
    """Return `shape` with no dimension open (0): the batch is 1, the others are as `given`.

    `given` is one size for both sides of an image, two for height and width, as many as the
    dimensions after the batch, or one for each open dimension. Only the first input may be given
    another size than it has. Raises DiscosimError.
    """
    if not shape:
        return shape
    rest = list(shape[1:]) if len(shape) > 1 else list(shape)
    batch = ((shape[0] or 1),) if len(shape) > 1 else ()
    open_at = [at for at, size in enumerate(rest) if size < 1]
    if given is not None and (first or open_at):
        places = _places(rest, open_at, len(given))
        if places is not None:
            for at, size in zip(places, given * 2 if len(places) > len(given) else given):  # noqa: B905
                rest[at] = size
            open_at = []
        elif first:
            raise DiscosimError(
                f"{what} is {_text(shape)}, which --input {_text(given)} does not fit"
            )
    if open_at:
        raise DiscosimError(f"{what} is {_text(shape)}: give the open sizes with --input")
    return (*batch, *rest)


def _places(rest: list[int], open_at: list[int], count: int) -> list[int] | None:
    """Which dimensions after the batch so many given sizes stand for."""
    if count == len(rest):
        return list(range(count))
    if len(rest) == 3 and count < 3:
        last = rest[2] in COLOURS and rest[0] not in COLOURS
        return [0, 1] if last else [1, 2]
    if count == len(open_at):
        return open_at
    return [0] if count == 1 and len(rest) == 2 else None


def _text(shape: Shape) -> str:
    return "x".join(str(size) if size > 0 else "?" for size in shape)
