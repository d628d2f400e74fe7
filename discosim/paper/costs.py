"""The paper's configurations, and the bandwidth at which a split breaks even."""

from functools import lru_cache

import numpy as np

from discosim.configuration import Configuration
from discosim.graph.table import Floats
from discosim.hardware import Hardware, load_profile
from discosim.networks import build
from discosim.partition.plan import Features
from discosim.simulate import Overlap
from discosim.strategies.strategy import STRATEGIES, Strategy

HARDWARE = "splitnets-hmd"


@lru_cache(maxsize=4)
def hardware(name: str = HARDWARE) -> Hardware:
    """Return a profile of the paper, fp32."""
    return load_profile(name).hardware()


def case(
    model: str,
    strategy: str = "disco",
    nodes: int = 2,
    s_comm: float | Floats = 0.0,
    *,
    on: str | Hardware = HARDWARE,
    overlap: str = "none",
    features: str = "peak",
) -> Configuration:
    """Return a registered strategy on nodes of the paper, under its conventions."""
    return Configuration(
        build(model),
        hardware(on) if isinstance(on, str) else on,
        strategy=_strategy(strategy),
        nodes=nodes,
        s_comm=s_comm,
        overlap=Overlap.parse(overlap),
        features=Features(features),
    )


@lru_cache(maxsize=16)
def _strategy(name: str) -> Strategy:
    return STRATEGIES[name]


def number(total: object) -> float:
    """Return a total of a Cost of one configuration as a number."""
    return float(np.asarray(total).squeeze())


def break_even_Bps(comm_s: float, comp_s: float, single_s: float, bandwidth_Bps: float) -> float:
    """Bandwidth at which N nodes take as long as one: B* = bytes / (single_s - comp_s).

    In closed form, without overlap and latency of messages: bytes / B* + comp_s = single_s, the
    serial bytes being comm_s B. Infinite where computation alone takes as long as one node.
    """
    saved_s = single_s - comp_s
    return comm_s * bandwidth_Bps / saved_s if saved_s > 0 else float("inf")
