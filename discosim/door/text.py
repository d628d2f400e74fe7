"""Text of people -> values; each raises one line that says what is wanted."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from discosim.errors import DiscosimError
from discosim.networks import NamedSizes, Sizes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_VALUES = 1_000_000
MOST_POWERS = 30
"""Of ten, up or down, in a number: beyond, whole numbers would take the memory of the machine."""


def number(text: str, what: str) -> Decimal:
    """Return the number of `0.3` or `30%`; raises DiscosimError with `what` is wanted."""
    percent = text.strip().endswith("%")
    try:
        value = Decimal(text.strip().removesuffix("%"))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise DiscosimError(f"{text!r} is not a number; wanted {what}")
    if value and abs(value.adjusted()) > MOST_POWERS:
        raise DiscosimError(f"{text!r} is out of range; wanted {what}")
    return value / 100 if percent else value


def _series(text: str, what: str, default_step: Decimal | None) -> list[Decimal]:
    """Values written as a list `a,b,c` or as a range `from:to:step`, `to` included."""
    values: list[Decimal] = []
    for item in text.split(","):
        ends = [number(part, what) for part in item.split(":")]
        if len(ends) == 1:
            values.append(ends[0])
            continue
        if len(ends) == 2 and default_step is not None:
            ends.append(default_step)
        if len(ends) != 3:
            raise DiscosimError(f"{item!r} is not a range; wanted from:to:step, or {what}")
        start, stop, step = ends
        if step <= 0 or stop < start:
            raise DiscosimError(f"range {item!r} does not ascend; wanted from:to:step, step over 0")
        if (stop - start) / step >= MOST_VALUES:
            raise DiscosimError(f"range {item!r} has over {MOST_VALUES:,} values")
        values += [start + i * step for i in range(int((stop - start) / step) + 1)]
    return list(dict.fromkeys(values))


def parse_s_comm(text: str) -> list[float]:
    """Return S_comm values from `0,0.8`, `0:1:0.1` or `80%`."""
    values = _series(text, "S_comm as 0,0.8 or 0:1:0.1", None)
    for value in values:
        if not 0 <= value <= 1:
            raise DiscosimError(f"S_comm {value:f} is outside 0 (all is sent) to 1 (nothing is)")
    return [float(value) for value in values]


def parse_nodes(text: str) -> list[int]:
    """Return numbers of nodes from `2,4,8`, `2:8` or `2:16:2`."""
    values = _series(text, "nodes as 2,4,8 or 2:8", Decimal(1))
    for value in values:
        if value != int(value) or value < 1:
            raise DiscosimError(f"{value:f} nodes; wanted whole numbers from 1 up")
    return [int(value) for value in values]


def parse_input(text: str) -> Sizes:
    """Return an input shape from `224`, `224x320` or `3x224x224`, or several by their names.

    `image=3x64x64,mask=1x256x256` names several; `steps=8` and `flag=true` set inputs of one number
    that control flow goes by.
    """
    if "=" not in text:
        return _shape(text)
    sizes: dict[str, tuple[int, ...]] = {}
    for part in text.split(","):
        name, equals, size = part.rpartition("=")
        if not equals or not name.strip():
            raise DiscosimError(f"{part!r} has no name; wanted image=3x64x64,mask=1x256x256")
        if name.strip() in sizes:
            raise DiscosimError(f"{text!r} gives {name.strip()!r} twice")
        word = {"true": "1", "false": "0"}.get(size.strip().lower(), size.strip())
        sizes[name.strip()] = _shape(word, most=16)
    return NamedSizes(tuple(sizes.items()))


def _shape(text: str, most: int = 3) -> tuple[int, ...]:
    parts = text.lower().split("x")
    if not all(part.isdecimal() and len(part) < 19 for part in parts) or len(parts) > most:
        raise DiscosimError(f"{text!r} is not an input size; wanted 224, 224x320 or 3x224x224")
    return tuple(int(part) for part in parts)


def parse_names(text: str) -> list[str]:
    """Return names separated by commas, each once."""
    return list(dict.fromkeys(parse_each_name(text)))


def parse_each_name(text: str) -> list[str]:
    """Return names separated by commas, in their places and as often as they are given."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise DiscosimError(f"{text!r} has an empty name; wanted names separated by commas")
    return names


OF = re.compile(r"(?:(\d+)\s*[x*]\s*)?(.+)")
"""How many of a node, and which."""

MOST_OF_A_NODE = 256


def counted_names(text: str) -> list[tuple[str, int]]:
    """Return names and how many of each from `rpi5-gigabit,3xrpi4-gigabit`, in their places."""
    found = []
    for each in parse_each_name(text):
        if re.fullmatch(r"[\d\sx*]*", each):
            raise DiscosimError(f"{each!r} names no node; wanted rpi5-gigabit,3xrpi4-gigabit")
        match = OF.fullmatch(each)
        number, name = match.groups() if match else (None, each)
        count = int((number or "1")[:6])
        if not 1 <= count <= MOST_OF_A_NODE:
            has = f"has {count}" if count else "has none"
            raise DiscosimError(
                f"{each!r} {has} of a node; wanted 1 to {MOST_OF_A_NODE} of each, as "
                "rpi5-gigabit,3xrpi4-gigabit"
            )
        found.append((name, count))
    return found


def parse_setting(text: str) -> tuple[str, str]:
    """Return the path and the text of PATH=VALUE."""
    path, equals, value = text.partition("=")
    if not equals or not path or not value:
        raise DiscosimError(f"{text!r}; wanted PATH=VALUE as cost.price=35USD")
    return path.strip(), value.strip()


@dataclass(frozen=True)
class Series:
    """Quantities as they are written: a list, or the two ends of `count` values in equal ratios."""

    texts: tuple[str, ...]
    count: int = 0

    def values(self, parse: Callable[[str], float]) -> "NDArray[np.float64]":
        """Return the numbers, each text read by `parse`."""
        import numpy as np

        numbers = [parse(text) for text in self.texts]
        if not self.count:
            return np.array(list(dict.fromkeys(numbers)))
        return np.geomspace(numbers[0], numbers[1], self.count)


def series_of(parse: Callable[[str], float], example: str) -> Callable[[str], Series]:
    """Return a parser of `a,b,c` or `from:to:count`, every quantity written as people write it."""

    def read(text: str) -> Series:
        ends = [part.strip() for part in text.split(":")]
        if len(ends) == 1:
            texts = tuple(part.strip() for part in text.split(","))
            for each in texts:
                parse(each)
            return Series(texts)
        if len(ends) != 3 or not ends[2].isdecimal():
            raise DiscosimError(f"{text!r} is not a range; wanted from:to:count, as {example}")
        low, high, count = parse(ends[0]), parse(ends[1]), int(ends[2][:12])
        if not 0 < low < high or not 2 <= count <= MOST_VALUES:
            raise DiscosimError(
                f"range {text!r}; wanted an ascending one over 0, of 2 to {MOST_VALUES:,} values"
            )
        return Series((ends[0], ends[1]), count)

    return read


RATES = (("/s", 1.0), ("fps", 1.0), ("Hz", 1.0), ("/min", 60.0), ("/h", 3600.0))
"""Endings of a rate, with their seconds."""


def parse_rate(text: str) -> float:
    """Return results a second from `10/s`, `600/min`, `10fps`, `10Hz` or a bare number."""
    stem = text.strip()
    for ending, seconds in RATES:
        if stem.endswith(ending):
            return float(number(stem.removesuffix(ending), "a rate as 10/s")) / seconds
    return float(number(stem, "a rate as 10/s, 600/min"))
