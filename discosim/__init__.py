"""Latency simulator and design-space explorer for networks split over several devices.

    import discosim as ds

    net = ds.network("resnet50")
    ds.sweep(net, ds.hardware("rpi4-gigabit", bandwidth="300Mbit/s"), nodes=[2, 4, 8], s_comm=0.9)

One function a command of the command line, network first, hardware second; each returns an Answer.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from discosim.door.allocate import allocate
    from discosim.door.answer import Answer
    from discosim.door.breakeven import breakeven
    from discosim.door.calibrate import calibrate
    from discosim.door.cluster import cluster
    from discosim.door.compare import compare
    from discosim.door.evidence import evidence
    from discosim.door.explore import explore
    from discosim.door.fit import fit
    from discosim.door.hardware import hardware
    from discosim.door.inspect import inspect
    from discosim.door.layers import layers
    from discosim.door.mask import mask
    from discosim.door.network import network
    from discosim.door.networks import networks
    from discosim.door.pareto import pareto
    from discosim.door.plan import plan
    from discosim.door.profiles import profiles
    from discosim.door.reproduce import reproduce
    from discosim.door.run import run
    from discosim.door.size import size
    from discosim.door.sweep import sweep
    from discosim.door.timeline import timeline
    from discosim.door.validate import validate
    from discosim.errors import DiscosimError

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "DiscosimError",
    "allocate",
    "breakeven",
    "calibrate",
    "cluster",
    "compare",
    "evidence",
    "explore",
    "fit",
    "hardware",
    "inspect",
    "layers",
    "mask",
    "network",
    "networks",
    "pareto",
    "plan",
    "profiles",
    "reproduce",
    "run",
    "size",
    "sweep",
    "timeline",
    "validate",
]

_HOMES = {"Answer": "discosim.door.answer", "DiscosimError": "discosim.errors"}


class _Package(ModuleType):
    """The package: rooms that are called as a function stay behind it (ds.timeline is one)."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for: `import discosim` alone costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'discosim' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, f"discosim.door.{name}")), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


sys.modules[__name__].__class__ = _Package
