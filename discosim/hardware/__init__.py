"""Hardware profiles: what a node and its links can do, with a source for each number."""

from discosim.hardware.profile import (
    DTYPES,
    TOPOLOGIES,
    Hardware,
    Profile,
    data_folder,
    duplex_of,
    load_profile,
    profile_names,
)

__all__ = [
    "DTYPES",
    "TOPOLOGIES",
    "Hardware",
    "Profile",
    "data_folder",
    "duplex_of",
    "load_profile",
    "profile_names",
]
