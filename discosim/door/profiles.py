"""`hardware`: the hardware profiles, and where each number comes from."""

from collections.abc import Mapping

import pandas as pd

from discosim.door.answer import Listing
from discosim.door.hearing import command
from discosim.hardware import load_profile, profile_names
from discosim.report.frames import as_cells
from discosim.report.hardware import COLUMNS, show_profiles, tiers


@command
def profiles() -> Listing:
    """Return the hardware profiles that come with the package, each in its first data type."""
    rows = []
    for name in profile_names():
        profile = load_profile(name)
        node = profile.hardware(profile.dtypes[0])
        numbers = {column: getattr(node, column) for column in COLUMNS}
        document = profile.document
        of = {
            "runtime": document.runtime or "",
            "held_out_error": document.held_out_error,
            "fast_bytes": None if node.spill_Bps is None else node.fast_bytes,
        }
        rows.append({**numbers, **of, "description": profile.description})
    frame = pd.DataFrame(rows).astype({"held_out_error": float, "fast_bytes": float})
    return Listing(rows=frame, shown=show_profiles(frame))


@command
def figures(name: str, settings: Mapping[str, str] | None = None) -> Listing:
    """Return every number of a profile, or of one's own .toml file, with its source."""
    profile = load_profile(name, settings)
    rows = pd.DataFrame(profile.figures()).rename(columns={"path": "figure", "reference": "source"})
    said = [f"{profile.name}: {profile.description}"]
    if profile.measured_as:
        said.append(f"Measured on: {profile.measured_as}.")
    if profile.document.held_out_error is not None:
        error = 100 * profile.document.held_out_error
        said.append(f"Networks that it was not fitted to are off by {error:.0f} % (median).")
    said += tiers(profile.hardware(profile.dtypes[0]))
    return Listing(rows=rows, said=said, shown=as_cells(rows))
