"""Latency simulator and design-space explorer for networks split over several devices."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from discosim.configuration import Configuration
    from discosim.explore.sweep import sweep
    from discosim.hardware import load_profile

__version__ = "0.1.0"
__all__ = ["Configuration", "load_profile", "sweep"]

_HOMES = {
    "Configuration": "discosim.configuration",
    "load_profile": "discosim.hardware",
    "sweep": "discosim.explore.sweep",
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for: `import discosim` alone costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'discosim' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
