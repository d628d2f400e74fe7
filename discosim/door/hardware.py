"""Hardware from whatever names or holds it, with the numbers that are to be others."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike, fspath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, Union, Unpack

from discosim.door.hearing import note
from discosim.door.keywords import SHORT
from discosim.door.text import Series, series_of
from discosim.errors import DiscosimError, UnknownNameError
from discosim.hardware import DTYPES, TOPOLOGIES, Hardware, Profile, duplex_of, load_profile
from discosim.hardware.quantities import SETTABLE
from discosim.model.memory import ATTENTION
from discosim.registry import one_of
from discosim.units import counts_as_data_sheets, parse_compute_given

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HardwareLike: TypeAlias = Union[str, "PathLike[str]", Profile, Hardware]
"""A profile's name, a .toml file, a Profile, or Hardware."""

Quantity: TypeAlias = Union[
    float, str, Series, Sequence[float], Sequence[str], "NDArray[np.float64]"
]
"""A number in SI or a text with its unit; of several values, a sweep has an axis."""


EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "bandwidth": "1MB/s:1GB/s:100",
        "link_latency": "10us:10ms:20",
        "compute": "1GMAC/s:1TMAC/s:100",
        "memory": "512KiB",
    }
)
"""How each of SETTABLE is written, several values where they may be."""


WORDS: tuple[tuple[str, str, Iterable[str]], ...] = (
    ("topology", "topology", TOPOLOGIES),
    ("dtype", "data type", DTYPES),
    ("weight_dtype", "data type", DTYPES),
    ("attention", "attention", ATTENTION),
)
"""Keywords that take one of a few words, what these are, and which there are."""


SEVERAL = re.compile(r"\d+\s*[x*]\s*(?=[a-z])", re.IGNORECASE)
"""How a cluster counts a node, and no profile begins."""


class Overrides(TypedDict, total=False):
    """What of the hardware is to be another: numbers in SI, or text with the unit."""

    bandwidth: Quantity | None
    compute: Quantity | None
    link_latency: Quantity | None
    memory: Quantity | None
    topology: str | None
    dtype: str
    weight_dtype: str | None
    attention: str | None
    settings: Mapping[str, str | float]


def hardware(given: HardwareLike, **overrides: Unpack[Overrides]) -> Hardware:
    """Return hardware in SI: a profile by its name or file, or what is there already.

    bandwidth, compute, link_latency, memory: a number in SI, a text as "300Mbit/s", or several
    of either, which are an axis of a sweep; dtype, weight_dtype: as profiles list them; attention:
    whether its scores are in memory, "written-out" or "fused"; settings: any other number of a
    profile by its path, {"efficiency.conv": 0.5}. Raises DiscosimError.
    """
    unknown = [name for name in overrides if name not in Overrides.__annotations__]
    if unknown:
        known = Overrides.__annotations__
        like = [name for name in [SHORT.get(unknown[0])] if name in known]
        raise UnknownNameError("keyword of hardware", unknown[0], known, like=like)
    overrides = _spelt(overrides)
    if isinstance(given, Hardware):
        return _changed(given, overrides)
    profile = profile_of(given, **overrides)
    dtype = overrides.get("dtype") or "fp32"
    node = profile.hardware(dtype, overrides.get("weight_dtype"))
    return _with(node, _series(overrides), profile.ops_per_mac)


def profile_of(given: "str | PathLike[str] | Profile", **overrides: Unpack[Overrides]) -> Profile:
    """Return the profile that is named or given, with the first of each quantity in place.

    Raises DiscosimError.
    """
    overrides = _spelt(overrides)
    dtype, topology = overrides.get("dtype") or "fp32", overrides.get("topology")
    first = {name: each.texts[0] for name, each in _series(overrides).items()}
    texts = {
        "link.bandwidth": first.get("bandwidth"),
        "link.latency": first.get("link_latency"),
        "link.topology": topology,
        f"compute.{dtype}": first.get("compute"),
        "memory.capacity": first.get("memory"),
        "memory.attention": overrides.get("attention"),
        **{path: str(value) for path, value in _settings(overrides).items()},
    }
    written = {path: text for path, text in texts.items() if text is not None}
    if isinstance(given, Profile):
        return given.with_overrides(written)
    if isinstance(given, str) and SEVERAL.match(given):
        raise DiscosimError(f"{given!r} is several nodes: of one cluster, --cluster {given}")
    if isinstance(given, str | PathLike):
        return load_profile(fspath(given), written)
    raise DiscosimError(
        f"hardware {given!r:.60}; wanted a profile's name, a .toml file or ds.hardware(…)"
    )


def _settings(overrides: Overrides) -> Mapping[str, str | float]:
    """Numbers of a profile by their paths; raises DiscosimError for what is no mapping."""
    given = overrides.get("settings") or {}
    if not isinstance(given, Mapping):
        raise DiscosimError(f"settings {given!r:.60}; wanted them as {{'efficiency.conv': 0.5}}")
    return given


def _number(name: str, given: object) -> float:
    """A quantity in SI; raises DiscosimError for what is no number."""
    try:
        if not isinstance(given, bool):
            return float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        pass
    raise DiscosimError(f"{name} {given!r:.60}; wanted a number in SI or a text with its unit")


def _spelt(overrides: Overrides) -> Overrides:
    """The same with words as they are written here; raises UnknownNameError for others."""
    found = overrides.copy()
    for keyword, kind, known in WORDS:
        word = overrides.get(keyword)
        if isinstance(word, str):
            found[keyword] = one_of(kind, word, known)  # type: ignore[literal-required]
    return found


def _series(overrides: Overrides) -> dict[str, Series]:
    """The quantities that are given, as text: a number with its unit of SI."""
    found = {}
    for name, kind in SETTABLE.items():
        given = overrides.get(name)
        if given is None:
            continue
        if isinstance(given, str):
            found[name] = series_of(kind.parse, EXAMPLES[name])(given)
        elif isinstance(given, Series):
            found[name] = given
        else:
            values: list[Any] = list(given) if isinstance(given, Iterable) else [given]
            texts = (
                v if isinstance(v, str) else f"{_number(name, v)!r}{kind.unit}" for v in values
            )
            found[name] = Series(tuple(texts))
        if not found[name].texts or (name == "memory" and len(found[name].texts) > 1):
            raise DiscosimError(f"{name} {given!r:.60}; wanted one value")
    return found


def _with(node: Hardware, series: Mapping[str, Series], ops_per_mac: float | None) -> Hardware:
    """The hardware with the quantities in SI, one or an axis of them."""
    numbers: dict[str, float | NDArray[np.float64]] = {}
    for name, each in series.items():
        ops = partial(parse_compute_given, ops_per_mac=ops_per_mac)
        if name == "compute" and any(counts_as_data_sheets(text) for text in each.texts):
            note("TOPS are taken as on data sheets, two operations a MAC; TOP/s are the profile's")
        values = each.values(ops if name == "compute" else SETTABLE[name].parse)
        numbers[SETTABLE[name].field] = float(values[0]) if len(values) == 1 else values
    return replace(node, **numbers)  # type: ignore[arg-type]


def _changed(node: Hardware, overrides: Overrides) -> Hardware:
    """Hardware that is there already, with quantities and topology of its own."""
    for name in ("weight_dtype", "settings"):
        if overrides.get(name):
            raise DiscosimError(f"{name} is of a profile: give its name, not {node.name} as read")
    if overrides.get("dtype", node.dtype) != node.dtype:
        raise DiscosimError(f"{node.name} was read in {node.dtype}: give the name of its profile")
    topology = overrides.get("topology")
    if topology is not None:
        node = replace(node, topology=topology, duplex=duplex_of(topology))
    attention = overrides.get("attention") or node.attention
    return _with(replace(node, attention=attention), _series(overrides), 1.0)


@dataclass(frozen=True)
class Every:
    """Every profile that comes with the package, with what is to be another in each."""

    overrides: Overrides

    @property
    def dtype(self) -> str:
        """The data type that is asked for."""
        return self.overrides.get("dtype") or "fp32"

    def lacks(self, name: str) -> bool:
        """Return whether a profile has no compute rate in that data type."""
        given = self.overrides.get("compute") is not None
        return not given and self.dtype not in load_profile(name).dtypes

    def hardware(self, name: str, dtype: str | None = None) -> Hardware:
        """Return one of them."""
        overrides = self.overrides.copy()
        overrides["dtype"] = dtype or self.dtype
        return hardware(name, **overrides)
