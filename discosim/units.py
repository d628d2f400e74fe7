"""Text to SI numbers and back: the one edge where units are written."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from discosim.errors import DiscosimError

_UP = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_DOWN = {"m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15}
_MICRO = {"µ": 1e-6, "μ": 1e-6}  # the micro sign and the Greek letter
_BINARY = {f"{prefix}i".replace("ki", "Ki"): 1024.0**k for k, prefix in enumerate("kMGTP", 1)}
# No milli for data and operations: there, a lower-case m is a mistyped mega.
_DECIMAL = {**_UP, "K": 1e3}
_DATA = {**_DECIMAL, **_BINARY}
_BELOW_ONE = {"": 1.0, **_DOWN, **_MICRO}
_BOTH_WAYS = {**_DECIMAL, **_BELOW_ONE}

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class _Quantity:
    """One row of the table of quantities: what it is called, its units in SI, its prefixes."""

    noun: str
    example: str
    units: Mapping[str, float]
    prefixes: Mapping[str, float]
    may_be_zero: bool = False

    @cached_property
    def spellings(self) -> dict[str, tuple[float, str]]:
        """Every accepted unit text, with its factor to SI and the unit without prefix."""
        return {
            prefix + unit: (scale * factor, unit)
            for unit, factor in self.units.items()
            for prefix, scale in self.prefixes.items()
        }


_BYTE = {"B": 1.0, "byte": 1.0, "bytes": 1.0, "bit": 1 / 8, "bits": 1 / 8, "b": 1 / 8}
_BYTE_RATE = {f"{unit}/s": factor for unit, factor in _BYTE.items()} | {"Bps": 1.0, "bps": 1 / 8}
# An operation counts as one MAC here; parse_compute divides by the operations of a MAC.
_MAC_RATE = {"MAC/s": 1.0, "MACs/s": 1.0, "MACS": 1.0, "OP/s": 1.0, "OPs/s": 1.0, "OPS": 1.0}
_MAC_RATE |= {"FLOP/s": 0.5, "FLOPs/s": 0.5, "FLOPS": 0.5}

DATA_SHEET_OPS, DATA_SHEET_OPS_PER_MAC = "OPS", 2.0
"""Vendors count a multiplication and an addition."""

_BANDWIDTH = _Quantity("a bandwidth", "37.5MB/s or 300Mbit/s", _BYTE_RATE, _DATA)
_COMPUTE = _Quantity("a compute rate", "125GOP/s or 62.5GMAC/s", _MAC_RATE, _DECIMAL)
_BYTES = _Quantity("a memory size", "512KiB or 8GB", _BYTE, _DATA)
_TIME = _Quantity("a time", "100us or 1ms", {"s": 1.0}, _BELOW_ONE, may_be_zero=True)
_POWER = _Quantity("a power", "5W or 300mW", {"W": 1.0}, _BOTH_WAYS, may_be_zero=True)
_ENERGY = _Quantity("an energy", "1pJ or 20nJ", {"J": 1.0}, _BOTH_WAYS, may_be_zero=True)
_PRICE = _Quantity("a price", "35USD or $35", {"USD": 1.0, "$": 1.0}, {"": 1.0}, may_be_zero=True)
INCH = 0.0254
_LENGTH = _Quantity("a length", "3.3in or 85mm", {"in": INCH, "mm": 1e-3, "cm": 1e-2}, {"": 1.0})
_QUANTITIES = (_BANDWIDTH, _COMPUTE, _BYTES, _TIME, _POWER, _ENERGY, _PRICE)


def parse_bandwidth(text: str) -> float:
    """Return byte/s of a text such as 37.5MB/s or 300Mbit/s; DiscosimError says what is wrong."""
    return _read(text, _BANDWIDTH)[0]


def parse_compute(text: str, ops_per_mac: float | None = None) -> float:
    """Return MAC/s: a FLOP is 1/2 MAC, an operation 1/`ops_per_mac`; DiscosimError if it is none.

    Where `ops_per_mac` is not known, TOPS are those of a data sheet, two operations a MAC, and
    TOP/s those of the DISCO paper, one.
    """
    if ops_per_mac is not None and not 0 < ops_per_mac < math.inf:
        raise DiscosimError(f"ops_per_mac is {ops_per_mac}; wanted: a number more than zero")
    value, unit = _read(text, _COMPUTE)
    if not unit.startswith("OP"):
        return value
    each = ops_per_mac or (DATA_SHEET_OPS_PER_MAC if unit == DATA_SHEET_OPS else 1.0)
    if not 0 < value / each < math.inf:
        raise DiscosimError(f"{_shown(text)} at {each:g} operations a MAC is out of range")
    return value / each


def parse_compute_given(text: str, ops_per_mac: float | None = None) -> float:
    """Return MAC/s of a rate that is given beside a profile, whose operations are `ops_per_mac`.

    What an operation is to the profile says nothing of a data sheet's TOPS.
    """
    return parse_compute(text, None if counts_as_data_sheets(text) else ops_per_mac)


def counts_as_data_sheets(text: str) -> bool:
    """Return whether a compute rate is written as on data sheets, as in 4TOPS."""
    return _read(text, _COMPUTE)[1] == DATA_SHEET_OPS


def parse_bytes(text: str) -> float:
    """Return bytes of a text such as 512KiB, 512KB or 8Mbit; DiscosimError says what is wrong."""
    return _read(text, _BYTES)[0]


def parse_time(text: str) -> float:
    """Return seconds of a text such as 1ms or 100us; DiscosimError says what is wrong."""
    return _read(text, _TIME)[0]


@dataclass(frozen=True)
class Spelling:
    """How a quantity is written: an example, every unit's factor to SI, whether zero is one."""

    noun: str
    example: str
    factors: Mapping[str, float]
    may_be_zero: bool


def spelling(noun: str) -> Spelling:
    """Return how "a bandwidth", "a compute rate", "a memory size" or "a time" is written."""
    [each] = [quantity for quantity in _QUANTITIES if quantity.noun == noun]
    factors = {unit: factor for unit, (factor, _) in each.spellings.items()}
    return Spelling(each.noun, each.example, factors, each.may_be_zero)


def parse_power(text: str) -> float:
    """Return watts of a text such as 5W or 300mW; DiscosimError says what is wrong."""
    return _read(text, _POWER)[0]


def parse_energy(text: str) -> float:
    """Return joules of a text such as 1pJ; DiscosimError says what is wrong."""
    return _read(text, _ENERGY)[0]


def parse_length(text: str) -> float:
    """Return inches of a text such as 3.3in, 85mm or 8.5cm; DiscosimError says what is wrong."""
    return _read(text, _LENGTH)[0] / INCH


def parse_price(text: str) -> float:
    """Return US dollars of a text such as 35USD or $35; DiscosimError says what is wrong."""
    written = text.strip()
    if written.startswith("$"):
        return _read(written[1:] + "$", _PRICE, shown=_shown(text))[0]
    return _read(text, _PRICE)[0]


def format_quantity(value: float, unit: str, digits: int = 3) -> str:
    """Return `value`, in SI units of `unit`, for people: (3.75e7, "B/s") gives "37.5 MB/s"."""
    if not math.isfinite(value):
        return f"{value} {unit}".rstrip()
    if value == 0:
        return f"0 {unit}".rstrip()
    prefixes = {"s": {"": 1.0, **_DOWN}, "USD": {"": 1.0}}.get(unit, _UP)
    if unit in ("W", "J"):
        prefixes = {**_DOWN, **_UP}
    by_power = {round(math.log10(scale)): prefix for prefix, scale in prefixes.items()}
    # Round first, so that 999.9 becomes 1 k and not 1000.
    mantissa, exponent = f"{value:.{max(1, digits) - 1}e}".split("e")
    power = min(max(int(exponent) // 3 * 3, min(by_power)), max(by_power))
    shift = int(exponent) - power
    if abs(shift) > 6:
        number = f"{mantissa}e{shift}"
    else:
        number = f"{float(mantissa) * 10.0**shift:.{max(0, digits - 1 - shift)}f}"
        number = number.rstrip("0").rstrip(".") if "." in number else number
    return f"{number} {by_power[power]}{unit}".rstrip()


def _read(text: str, quantity: _Quantity, shown: str = "") -> tuple[float, str]:
    """Return the SI number of `text` and its unit without prefix."""
    shown = shown or _shown(text)
    wanted = f"wanted: {quantity.noun}, such as {quantity.example}"
    written = text.strip()
    if not written or written == "$":
        raise DiscosimError(f"{shown} is empty; {wanted}")
    if written.lower().lstrip("+-").startswith(("nan", "inf")):
        raise DiscosimError(f"{shown} is not a finite number; {wanted}")
    match = _NUMBER.match(written)
    if match is None:
        raise DiscosimError(f"{shown} does not start with a number; {wanted}")
    unit = written[match.end() :].strip()
    if unit.startswith(","):
        raise DiscosimError(f"{shown} has a comma: write a decimal point; {wanted}")
    if unit not in quantity.spellings:
        raise DiscosimError(f"{shown} {_unit_fault(match.group(), unit, quantity)}; {wanted}")
    factor, base = quantity.spellings[unit]
    number = float(match.group())
    # 100us is 1e-4 to the last digit only by division: 1e-6 is no exact float, 1e6 is.
    value = number * factor if factor > 1e-3 else number / round(1 / factor)
    if not math.isfinite(value):
        raise DiscosimError(f"{shown} is too large for a number; {wanted}")
    if value < 0 or (value == 0 and not quantity.may_be_zero):
        least = "zero or more" if quantity.may_be_zero else "more than zero"
        raise DiscosimError(f"{shown} must be {least}; {wanted}")
    return abs(value), base  # abs: -0 is zero


def _unit_fault(number: str, unit: str, quantity: _Quantity) -> str:
    """Return what is wrong with a unit that `quantity` does not have."""
    if not unit:
        return "has no unit"
    if f"{unit}/s" in quantity.spellings:
        return f"has no '/s': write {number}{unit}/s"
    others = [q.noun for q in _QUANTITIES if unit in q.spellings]
    if others:
        return f"is {others[0]}"
    # Right but for the case: 37.5mb/s, 125gop/s, 2gb. Bits are written out, to be plain.
    near = [
        prefix + base
        for base in quantity.units
        for prefix in quantity.prefixes
        if (prefix + base).lower() == unit.lower()
    ]
    near = [re.sub("b(/s)?$", r"bit\1", n) for n in near]
    if near:
        meant = " or ".join(number + n for n in dict.fromkeys(near[:2]))
        if unit[0] == "m" and unit[1:] in quantity.units:
            return f"reads as {_millis(unit[1:])}: write {meant}"
        return f"is not a unit as it is spelt: write {meant}"
    return f"has the unknown unit {_shown(unit)}"


def _millis(unit: str) -> str:
    """Return the name of a thousandth of `unit`, in full: b/s gives millibits per second."""
    stem = unit.removesuffix("/s").removesuffix("ps")
    name = {"B": "byte", "b": "bit"}.get(stem, stem.removesuffix("s"))
    return f"milli{name}s" + (" per second" if stem != unit else "")


def _shown(text: str) -> str:
    """Return `text` quoted, on one line and not too long."""
    return repr(text if len(text) <= 40 else f"{text[:39]}…")
