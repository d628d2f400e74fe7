"""Axes: what may differ from one configuration to the next, by name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from discosim.configuration import Configuration
from discosim.errors import DiscosimError
from discosim.graph.table import Floats
from discosim.hardware import Hardware
from discosim.simulate import Overlap
from discosim.strategies.strategy import STRATEGIES

NUMBERS = ("bandwidth_Bps", "link_latency_s", "compute_macps", "memory_Bps")
"""Numbers of the hardware that may be arrays: each is an axis."""

READ: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {"strategy": lambda name: STRATEGIES[name], "overlap": Overlap.parse}
)
"""Fields of a Configuration whose values may be given as words."""


def variations(base: Configuration, axes: Mapping[str, Sequence[Any]]) -> Iterator[Configuration]:
    """Yield what `base` is with each combination of values of its fields, the last axis fastest.

    A strategy with only one N comes once for all nodes. Raises DiscosimError for what cannot be.
    """
    once = next(iter(axes.get("nodes", (base.nodes,))), base.nodes)
    for values in product(*axes.values()):
        given = {name: _read(name, value) for name, value in zip(axes, values, strict=True)}
        found = replace(base, **given)
        if found.strategy.nodes is None or found.nodes == once:
            yield found.resolved()


def _read(name: str, value: Any) -> Any:
    return READ[name](value) if name in READ and isinstance(value, str) else value


def numbers(hardware: Hardware) -> dict[str, Floats]:
    """Return the values of each of NUMBERS, (n,); NaN for one that there is not."""
    return {name: np.ravel(np.asarray(getattr(hardware, name), dtype=float)) for name in NUMBERS}


def arrays(hardware: Hardware) -> dict[str, Floats]:
    """Return those of NUMBERS that are arrays, flat, by their names."""
    return {n: v for n, v in numbers(hardware).items() if np.ndim(getattr(hardware, n)) > 0}


def choices(configuration: Configuration, s_comm: Floats) -> Floats:
    """Return the S_comm to choose from; NaN where there is no choice."""
    return np.array([np.nan]) if configuration.fixed and len(s_comm) else s_comm


def check_s_comm(values: ArrayLike) -> Floats:
    """Return S_comm as a flat array; raises DiscosimError where one is not within 0 to 1."""
    flat = np.atleast_1d(np.asarray(values, dtype=float)).ravel()
    outside = flat[~((flat >= 0) & (flat <= 1))]
    if len(outside):
        raise DiscosimError(f"S_comm {outside[0]:g}; wanted 0 (all is sent) to 1 (nothing is)")
    return flat
