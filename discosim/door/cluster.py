"""One cluster of nodes that are there, alike or not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

from discosim.door.hardware import HardwareLike, Overrides, hardware
from discosim.door.text import counted_names
from discosim.errors import DiscosimError
from discosim.timeline.joined import SHARES, Joined, joined
from discosim.timeline.joined import Shares as Parts


def cluster(
    nodes: str | Sequence[HardwareLike],
    *,
    shares: str | Sequence[float] | None = None,
    **overrides: Unpack[Overrides],
) -> Joined:
    """Return one cluster, for where a command takes hardware.

    nodes: "rpi5-gigabit,3xrpi4-gigabit", or a profile or Hardware a node; shares of the features:
    "balanced" (by default), "even", "speed" or one number a node; overrides: as of `hardware`, of
    every node. Raises DiscosimError.
    """
    if isinstance(nodes, str):
        pairs = counted_names(nodes)
        kinds = {name: hardware(name, **overrides) for name, _ in pairs}
        every = [kinds[name] for name, count in pairs for _ in range(count)]
    elif isinstance(nodes, list | tuple):
        every = [hardware(each, **overrides) for each in nodes]
    else:
        raise DiscosimError(f"cluster {nodes!r:.60}; wanted rpi5-gigabit,3xrpi4-gigabit or a list")
    if not every:
        raise DiscosimError("no nodes; wanted a cluster as rpi5-gigabit,3xrpi4-gigabit")
    found = joined(every, SHARES[0] if shares is None else read_shares(shares))
    if not isinstance(found.shares, str) and len(found.shares[0]) != len(every):
        given = len(found.shares[0])
        raise DiscosimError(f"{given} shares for {len(every)} nodes; wanted one a node")
    return found


def read_shares(given: str | Sequence[float]) -> str | tuple[Parts, ...]:
    """Return a word of SHARES, or the one tuple of shares from "0.7,0.3" or [7, 3].

    Numbers count in proportion. Raises DiscosimError.
    """
    if isinstance(given, str) and given.strip().lower() in SHARES:
        return given.strip().lower()
    try:
        parts = given.split(",") if isinstance(given, str) else given
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError):
        numbers = []
    if not numbers or not all(0 < number < float("inf") for number in numbers):
        raise DiscosimError(
            f"shares {given!r}; wanted even, balanced, speed or one a node as 0.7,0.3"
        )
    return (tuple(number / sum(numbers) for number in numbers),)


def several_shares(of: Joined, each: Sequence[Parts]) -> Joined:
    """Return the same with shares of which the best counts wherever the cluster is asked of."""
    return replace(of, shares=tuple(dict.fromkeys(each)))
