"""Hardware profiles: TOML files found by name, read into SI numbers."""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from discosim.errors import DiscosimError, UnknownNameError, nearest
from discosim.hardware.schema import (
    ATTENTION,
    COMMAND_LINE,
    DTYPES,
    GIVEN,
    HALF_DUPLEX,
    LATENCY_PER,
    MEMORY_OVERLAP,
    TOPOLOGIES,
    WIRING,
    Document,
    Efficiency,
    Figure,
    Overhead,
    dotted_keys,
    faults,
    is_figure,
    is_number,
)
from discosim.units import (
    parse_bandwidth,
    parse_bytes,
    parse_compute,
    parse_compute_given,
    parse_energy,
    parse_power,
    parse_price,
    parse_time,
)

__all__ = [
    "DTYPES",
    "TOPOLOGIES",
    "FigureRow",
    "FloatOrArray",
    "Hardware",
    "Profile",
    "data_folder",
    "duplex_of",
    "load_profile",
    "profile_names",
]

BOARDS = {"raspberrypi": "rpi", "raspi": "rpi", "pi": "rpi", "coral": "edgetpuusb"}
"""What boards are called, and how names of profiles begin; a board alone is on its gigabit."""

FloatOrArray = float | NDArray[np.float64]


@dataclass(frozen=True)
class Hardware:
    """One kind of node and its links, in SI; a number may be an array in a sweep."""

    name: str
    bandwidth_Bps: FloatOrArray
    link_latency_s: FloatOrArray
    topology: str
    duplex: str
    compute_macps: FloatOrArray
    dtype: str
    feature_elem_bytes: FloatOrArray
    weight_elem_bytes: FloatOrArray
    memory_bytes: FloatOrArray | None
    memory_Bps: FloatOrArray | None
    efficiency: Mapping[str, float]  # operator class to fraction; a missing one counts as 1
    overhead_s: Mapping[str, float]  # operator class to seconds a call; a missing one counts as 0
    price_usd: FloatOrArray | None
    idle_power_W: FloatOrArray | None
    energy_per_mac_J: FloatOrArray | None
    energy_per_byte_J: FloatOrArray | None
    runtime_bytes: float = 0.0  # what the runtime takes itself
    workspace: float | None = None  # how many times the features it holds, where that is stated
    attention: str = ATTENTION[0]  # whether attention's scores are in memory
    memory_overlap: str = MEMORY_OVERLAP[0]  # whether memory traffic hides behind arithmetic
    folds: bool = False  # whether norms and activations cost nothing
    transform: float = 1.0  # times that features of 3x3 convolutions of stride 1 pass memory
    run_s: float = 0.0  # what an inference takes of each node besides
    fast_bytes: float = 0.0  # weights that are kept near
    spill_Bps: float | None = None  # at which those beyond arrive, where they do
    latency_per: str = LATENCY_PER[0]  # whether a switch's latency is of a message or an exchange
    senders: float = np.inf  # at once, with which the links keep up
    congestion: float = 1.0  # how many times as long bytes take with more of them
    held_out_error: float | None = None  # of the times of one node, as a fraction, the median

    def slowed(self, times: float) -> "Hardware":
        """Return a node whose computation takes so many times as long, its links as they are."""
        return replace(
            self,
            compute_macps=self.compute_macps / times,
            memory_Bps=None if self.memory_Bps is None else self.memory_Bps / times,
            spill_Bps=None if self.spill_Bps is None else self.spill_Bps / times,
            overhead_s={kind: seconds * times for kind, seconds in self.overhead_s.items()},
            run_s=self.run_s * times,
        )


class FigureRow(NamedTuple):
    """One number of a profile as it is written, and where it comes from."""

    path: str
    value: str
    kind: str  # source, estimate or given
    reference: str


@dataclass(frozen=True)
class Profile:
    """A checked profile, before a data type is chosen."""

    name: str
    document: Document

    @property
    def description(self) -> str:
        """The profile's own line about itself."""
        return self.document.description

    @property
    def dtypes(self) -> list[str]:
        """The data types that the profile has a compute rate for."""
        return [dtype for dtype in DTYPES if getattr(self.document.compute, dtype) is not None]

    @property
    def duplex(self) -> str:
        """The duplex of the link; where the file has none, what the topology implies."""
        link = self.document.link
        return link.duplex or duplex_of(link.topology)

    @property
    def measured_as(self) -> str:
        """Device, runtime, clock and threads in words, "" where the file has none of them."""
        document = self.document
        threads = document.threads and f"{document.threads} thread{'s' * (document.threads > 1)}"
        parts = (document.device, document.runtime, document.clock, threads)
        return ", ".join(part for part in parts if part)

    @property
    def ops_per_mac(self) -> float | None:
        """The operations that the file counts a MAC as, None where it does not say."""
        return self.document.ops_per_mac

    def with_overrides(self, overrides: Mapping[str, str]) -> "Profile":
        """Return the same with `overrides` in place, as `load_profile` takes them."""
        raw = self.document.model_dump(exclude_none=True)
        _override(raw, overrides)
        return Profile(self.name, _checked(raw, f"profile {self.name}"))

    def hardware(self, dtype: str = "fp32", weight_dtype: str | None = None) -> Hardware:
        """Return the profile in SI for features and arithmetic in `dtype`.

        Weights are held in `weight_dtype`, by default the same. Raises DiscosimError for a data
        type that is unknown or that the profile has no compute rate for.
        """
        for name in (dtype, weight_dtype or dtype):
            if name not in DTYPES:
                raise UnknownNameError("data type", name, DTYPES)
        if dtype not in self.dtypes:
            has = f"only {', '.join(self.dtypes)}" if self.dtypes else "nor any other"
            choose = f"choose --dtype {self.dtypes[0]} or " if self.dtypes else ""
            raise DiscosimError(
                f"profile {self.name} has no {dtype} compute rate, {has}; "
                f"{choose}give the rate with --compute"
            )
        document = self.document
        link, memory, cost = document.link, document.memory, document.cost
        rate: Figure[str] = getattr(document.compute, dtype)
        shares, calls = _shares(document, dtype), _calls(document, dtype)
        bandwidth_Bps = _si(memory.bandwidth, parse_bandwidth)
        reached = shares.pop("memory", 1.0)
        return Hardware(
            name=self.name,
            bandwidth_Bps=parse_bandwidth(link.bandwidth.value),
            link_latency_s=parse_time(link.latency.value),
            topology=link.topology,
            duplex=self.duplex,
            latency_per=link.latency_per.value if link.latency_per else LATENCY_PER[0],
            senders=link.senders.value if link.senders else np.inf,
            congestion=link.congestion.value if link.congestion else 1.0,
            compute_macps=_compute_macps(rate, self.ops_per_mac),
            dtype=dtype,
            feature_elem_bytes=float(DTYPES[dtype]),
            weight_elem_bytes=float(DTYPES[weight_dtype or dtype]),
            memory_bytes=_si(memory.capacity, parse_bytes),
            memory_Bps=None if bandwidth_Bps is None else bandwidth_Bps * reached,
            runtime_bytes=_si(memory.runtime, parse_bytes) or 0.0,
            workspace=memory.workspace.value if memory.workspace else None,
            attention=memory.attention.value if memory.attention else ATTENTION[0],
            memory_overlap=memory.overlap.value if memory.overlap else MEMORY_OVERLAP[0],
            folds=document.fused,
            transform=memory.transform.value if memory.transform else 1.0,
            run_s=calls.pop("run", 0.0),
            fast_bytes=_si(memory.fast, parse_bytes) or 0.0,
            spill_Bps=_si(memory.spill, parse_bandwidth),
            held_out_error=None if rate.source == COMMAND_LINE else document.held_out_error,
            efficiency=shares,
            overhead_s=calls,
            price_usd=_si(cost.price, parse_price),
            idle_power_W=_si(cost.idle_power, parse_power),
            energy_per_mac_J=_si(cost.energy_per_mac, parse_energy),
            energy_per_byte_J=_si(cost.energy_per_byte, parse_energy),
        )

    def figures(self) -> list[FigureRow]:
        """Return every figure of the profile with its reference, in the order of the schema."""
        rows = []
        for path in dotted_keys():
            section, _, key = path.partition(".")
            if is_figure(path):
                figure = getattr(getattr(self.document, section), key)
            elif path in WIRING:
                word = self.document.link.topology if key == "topology" else self.duplex
                figure = Figure[str](value=word, source=self.document.link.source or GIVEN)
            else:
                continue
            if figure is not None:
                kind = "given" if figure.source == GIVEN else "source"
                kind = "estimate" if figure.estimate else kind
                reference = figure.estimate or figure.source
                rows.append(FigureRow(path, str(figure.value), kind, reference))
        return rows


def profile_names() -> list[str]:
    """Return the names of the profiles that come with the package, sorted."""
    return sorted(path.stem for path in data_folder().glob("*.toml"))


def load_profile(name_or_path: str, overrides: Mapping[str, str] | None = None) -> Profile:
    """Return the profile of that name, or of one's own TOML file, with `overrides` in place.

    An override is a dotted path of the file and the text to put there, such as
    {"link.bandwidth": "10MB/s"}. Raises UnknownNameError for a name or a path that is not known,
    DiscosimError with all the faults of the file in one line.
    """
    own = name_or_path.endswith(".toml") or any(
        separator in name_or_path for separator in (os.sep, os.altsep) if separator
    )
    if not own:
        name_or_path = _profile_called(name_or_path)
    path = Path(name_or_path) if own else data_folder() / f"{name_or_path}.toml"
    title = f"profile {_printable(name_or_path)}"
    raw = _read(path, title)
    _override(raw, overrides or {})
    return Profile(_printable(path.stem), _checked(raw, title))


def _profile_called(given: str) -> str:
    """The profile of that name, or of what boards are called; raises UnknownNameError."""
    names = profile_names()
    letters = re.sub(r"[^a-z0-9]", "", given.lower())
    spelt = {re.sub(r"[^a-z0-9]", "", name): name for name in names}
    for written, here in BOARDS.items():
        if letters.startswith(written):
            letters = here + letters.removeprefix(written)
            break
    found = spelt.get(letters) or spelt.get(f"{letters}gigabit")
    if found is not None:
        return found
    boards = {name.removesuffix("-gigabit"): name for name in names if name.endswith("-gigabit")}
    like = [boards[board] for board in nearest(letters, boards)]
    if any(letters in name for name in spelt):  # a part of a name, not a board that there is not
        like = []
    raise UnknownNameError("hardware profile", given, names, like=like)


def duplex_of(topology: str) -> str:
    """Return the duplex that a topology implies."""
    return "half" if topology in HALF_DUPLEX else "full"


def _checked(raw: dict[str, Any], title: str) -> Document:
    try:
        return Document.model_validate(
            raw, context={"has_ops_per_mac": raw.get("ops_per_mac") is not None}
        )
    except ValidationError as error:
        found = faults(error)
        count = "1 fault" if len(found) == 1 else f"{len(found)} faults"
        raise DiscosimError(f"{title}: {count}: {'; '.join(found)}") from None


def data_folder() -> Path:
    """Return the folder of the data: inside an installed package, beside it in a checkout."""
    inside = Path(__file__).parents[1] / "hardware_profiles"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "hardware_profiles"


def _read(path: Path, title: str) -> dict[str, Any]:
    """Return the TOML document of a file, as it stands."""
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise DiscosimError(f"{title} cannot be read: {reason}") from None
    except ValueError:  # a null character
        raise DiscosimError(f"{title} cannot be read: not a possible file name") from None
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DiscosimError(f"{title} is not UTF-8 text (at line {line})") from None
    except ValueError as error:  # of tomllib, and of Python for a number of too many digits
        reason = _printable(str(error).replace("end of document", "the end of the file"))
        raise DiscosimError(f"{title} is not valid TOML: {reason}") from None
    except RecursionError:
        raise DiscosimError(f"{title} is not valid TOML: nested too deeply") from None


def _override(raw: dict[str, Any], overrides: Mapping[str, str]) -> None:
    """Put the overrides into a document that is not checked yet."""
    for path, text in overrides.items():
        if path not in dotted_keys():
            raise UnknownNameError("hardware setting", path, dotted_keys())
        section, _, key = path.rpartition(".")
        table = raw.setdefault(section, {}) if section else raw
        if not isinstance(table, dict):
            continue  # left for the check to report
        value = _bare(path, text)
        table[key] = {"value": value, "source": COMMAND_LINE} if is_figure(path) else value
        if path in WIRING:
            table["source"] = COMMAND_LINE
        if path == "link.topology" and "link.duplex" not in overrides:
            table.pop("duplex", None)  # what the new topology implies


def _bare(path: str, text: str) -> float | str | bool:
    """A setting as TOML would have it: a number, a flag or a text."""
    if path == "fused":
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    if path in ("threads", "link.senders") and text.strip().isdecimal():
        return int(text)
    return _number(text) if is_number(path) else text


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text  # left for the check to report


def _shares(document: Document, dtype: str) -> dict[str, float]:
    """The efficiencies in a data type."""
    own: Efficiency | None = getattr(document, f"efficiency_{dtype}", None)
    each = [*document.efficiency, *(own or ())]
    return {key: figure.value for key, figure in each if figure is not None}


def _calls(document: Document, dtype: str) -> dict[str, float]:
    """What calls take in a data type."""
    own: Overhead | None = getattr(document, f"overhead_{dtype}", None)
    each = [*document.overhead, *(own or ())]
    return {key: parse_time(figure.value) for key, figure in each if figure is not None}


def _compute_macps(rate: Figure[str], ops_per_mac: float | None) -> float:
    read = parse_compute_given if rate.source == COMMAND_LINE else parse_compute
    return read(rate.value, ops_per_mac)


def _si(figure: Figure[str] | None, parse: Callable[[str], float]) -> float | None:
    return None if figure is None else parse(figure.value)


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)
