"""Limits that a cluster has to keep, and how far a configuration is from each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from discosim.errors import DiscosimError
from discosim.explore.accuracy import TABLES
from discosim.explore.grid.metrics import METRICS, Amounts
from discosim.graph.table import Floats
from discosim.hardware import Hardware

MONOTONE = ("latency", "throughput", "memory", "price", "energy")
"""Limits that a sparser plan never breaks: it sends, computes and holds less."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is asked for, SI units; None for no limit. The memory is that of the hardware.

    accuracy: the least published accuracy (docs/size.md); nodes: the most nodes; counts: the
    numbers of nodes that there may be besides one, None for all up to the most.
    """

    latency: float | None = None
    throughput: float | None = None
    accuracy: float | None = None
    price: float | None = None
    energy: float | None = None
    nodes: int = 16
    counts: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Check the numbers; raises DiscosimError."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "counts" and value is not None and not 0 < value < np.inf:
                raise DiscosimError(f"the limit of {field.name} is {value:g}; wanted more than 0")

    @property
    def numbers(self) -> Sequence[int]:
        """The numbers of nodes to split over, ascending."""
        if self.counts is None:
            return range(2, self.nodes + 1)
        return sorted({count for count in self.counts if count > 1})

    def of(self, hardware: Hardware) -> dict[str, float]:
        """Return every limit on this hardware by its metric's name, but for the nodes."""
        given = {
            "latency": self.latency,
            "throughput": self.throughput,
            "memory": hardware.memory_bytes,
            "accuracy": self.accuracy,
            "price": self.price,
            "energy": self.energy,
        }
        return {name: float(np.asarray(v)) for name, v in given.items() if v is not None}

    def check(self, model: str, hardware: Hardware) -> None:
        """Raise DiscosimError for a limit on what is not known of the network or the hardware."""
        if self.accuracy is not None and model not in TABLES:
            raise DiscosimError(
                f"no accuracy of {model} is published; published are {', '.join(TABLES)}"
            )
        for name, number in (
            ("price", hardware.price_usd),
            ("energy", hardware.energy_per_mac_J),
        ):
            if getattr(self, name) is not None and number is None:
                raise DiscosimError(
                    f"a limit of {name}, and {hardware.name} states none; {METRICS[name].missing}"
                )


def excess(amounts: Amounts, limits: Mapping[str, float]) -> dict[str, Floats]:
    """Return by which factor each limit is missed, (n,): at most 1 where it is kept.

    What is not known (an accuracy that is not published) misses its limit without bound.
    """
    found = {}
    for name, given in limits.items():
        limit: float | Floats = given
        values = np.broadcast_to(METRICS[name].of(amounts), amounts.latency_s.shape).ravel()
        if name == "memory" and amounts.memory_bytes is not None:  # of the node that is fullest
            limit = np.broadcast_to(amounts.memory_bytes, amounts.latency_s.shape).ravel()
        with np.errstate(divide="ignore"):
            factor = limit / values if METRICS[name].most else values / limit
        found[name] = np.where(np.isnan(factor), np.inf, factor)
    return found
