"""The quantities of hardware that people set, each as a text with its unit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from discosim.units import parse_bandwidth, parse_bytes, parse_compute, parse_time


@dataclass(frozen=True)
class Settable:
    """A quantity that can be set: what it is, its field of Hardware, its unit, how text is read."""

    noun: str
    field: str
    unit: str
    parse: Callable[[str], float]


SETTABLE: Mapping[str, Settable] = MappingProxyType(
    {
        "bandwidth": Settable("a bandwidth", "bandwidth_Bps", "B/s", parse_bandwidth),
        "link_latency": Settable("a time", "link_latency_s", "s", parse_time),
        "compute": Settable("a compute rate", "compute_macps", "MAC/s", parse_compute),
        "memory": Settable("a memory size", "memory_bytes", "B", parse_bytes),
    }
)
"""By their keyword."""
