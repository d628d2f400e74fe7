"""Shorthand for tests: configurations in words, on the nodes of the paper's Figure 2."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from discosim.configuration import Configuration
from discosim.explore import breakeven, layers, sweep
from discosim.explore.allocation import allocate
from discosim.graph.network import Network
from discosim.graph.table import LayerTable
from discosim.hardware import Hardware, load_profile
from discosim.networks import build
from discosim.partition.plan import Conventions, Features, Objective, conventions
from discosim.strategies.strategy import STRATEGIES
from discosim.timeline.schedule import parse_overlap

HMD = load_profile("splitnets-hmd").hardware()

Model = str | Network | LayerTable | Configuration


def on(
    model: Model,
    input_shape: tuple[int, ...] | None = None,
    *,
    hardware: Hardware = HMD,
    **more: Any,
) -> Configuration:
    """Return a configuration; words stand for strategy, overlap, conventions and the like."""
    read = {
        "strategy": STRATEGIES.__getitem__,
        "overlap": parse_overlap,
        "conventions": lambda c: c if isinstance(c, Conventions) else conventions(c),
        "objective": Objective,
        "features": Features,
    }
    given = {name: read[name](value) if name in read else value for name, value in more.items()}
    if isinstance(model, Configuration):
        return replace(model, hardware=hardware, **given)
    if isinstance(model, LayerTable):
        model = model.network
    network = build(model, input_shape) if isinstance(model, str) else model
    return Configuration(network, hardware, **given)


def swept(model: Model, hardware: Hardware | Sequence[Hardware] = HMD, **axes: Any) -> pd.DataFrame:
    """Return the sweep of a network on one or more kinds of nodes."""
    nodes = [hardware] if isinstance(hardware, Hardware) else list(hardware)
    base = model if isinstance(model, Configuration) else on(model, hardware=nodes[0])
    return sweep.sweep(base, hardware=nodes, **axes)


def by_layer(model: Model, hardware: Hardware = HMD, **more: Any) -> pd.DataFrame:
    """Return a network's layers, dense unless another strategy is given."""
    every = more.pop("every_operator", False)
    given = on(model, hardware=hardware, **{"strategy": "dense", **more})
    return layers.layers(given, every_operator=every)


def broken_even(
    solve: str, model: Model, hardware: Hardware = HMD, **more: Any
) -> list[breakeven.BreakEven]:
    """Return where a split breaks even."""
    how = {name: more.pop(name) for name in ("previous", "most_nodes") if name in more}
    return breakeven.break_even(solve, on(model, hardware=hardware, **more), **how)


def allocated(model: Model, hardware: Hardware, limits: Any, **more: Any) -> allocate.Allocation:
    """Return a plan within limits."""
    names = ("levels", "method", "lost", "criterion")
    how = {name: more.pop(name) for name in names if name in more}
    if "method" in how:
        how["method"] = allocate.Method(how["method"])
    return allocate.allocate(on(model, hardware=hardware, **more), limits, **how)
